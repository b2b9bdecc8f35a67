/* spm_model.c - SentencePiece's tokenizer.model, a protocol buffer.
 *
 * Field numbers: sentencepiece_model.proto of google/sentencepiece. ModelProto: 1 pieces {1 piece, 2 score, 3 type},
 * 2 trainer_spec {3 model_type, 24 treat_whitespace_as_suffix, 35 byte_fallback, 40 unk_id}, 3 normalizer_spec
 * {2 precompiled_charsmap, 3 add_dummy_prefix, 4 remove_extra_whitespaces, 5 escape_whitespaces}. A message is a run of
 * (varint: field << 3 | wire type, value); lengths are checked against the bytes left by the cursor. */
#include "formats/file.h"
#include "tokenizer/rules.h"
#include "tokenizer/vocab.h"

#include <inttypes.h>
#include <string.h>

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };
enum { MODEL_UNIGRAM = 1, MODEL_BPE = 2 };
enum { MAX_FILE = 256 << 20 };

static uint64_t varint(struct cursor *c)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t b = cursor_u8(c);

        value |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80))
            return value;
    }
    c->over = true;         /* a number of more than ten bytes */
    return 0;
}

struct field {
    uint64_t no;
    unsigned wire;
    uint64_t number;        /* varint and fixed */
    struct cursor bytes;    /* WIRE_BYTES */
};

/* The next field of a message; false at its end, and when it is broken (then the cursor is over). */
static bool next_field(struct cursor *c, struct field *f)
{
    uint64_t tag;

    if (!cursor_ok(c) || cursor_left(c) == 0)
        return false;
    tag = varint(c);
    *f = (struct field){ .no = tag >> 3, .wire = tag & 7 };
    switch (f->wire) {
    case WIRE_VARINT:
        f->number = varint(c);
        break;
    case WIRE_64:
        f->number = cursor_u64(c);
        break;
    case WIRE_32:
        f->number = cursor_u32(c);
        break;
    case WIRE_BYTES: {
        uint64_t n = varint(c);
        const uint8_t *bytes = cursor_bytes(c, n);

        if (bytes)
            f->bytes = cursor_at(bytes, n);
        break;
    }
    default:                /* groups are not used */
        c->over = true;
    }
    return cursor_ok(c);
}

struct spm {
    uint64_t model_type;
    bool suffix, byte_fallback, dummy_prefix, remove_extra, escape;
    struct cursor charsmap;
};

static float as_float(uint64_t bits)
{
    uint32_t u = (uint32_t)bits;
    float f;

    memcpy(&f, &u, 4);
    return f;
}

static int read_piece(struct cursor c, struct source *s, struct pool *pool, struct fail *f)
{
    struct field x;
    struct cursor text = {0};
    float score = 0;
    uint64_t type = PIECE_NORMAL, id = s->n;
    struct meta_string piece;

    while (next_field(&c, &x)) {
        if (x.no == 1 && x.wire == WIRE_BYTES)
            text = x.bytes;
        else if (x.no == 2 && x.wire == WIRE_32)
            score = as_float(x.number);
        else if (x.no == 3 && x.wire == WIRE_VARINT)
            type = x.number;
    }
    if (!cursor_ok(&c) || text.nbytes == 0)
        return fail(f, FAIL_INPUT, "piece %" PRIu64 " is %s", id, cursor_ok(&c) ? "empty" : "malformed");
    if (type < PIECE_NORMAL || type > PIECE_BYTE)
        return fail(f, FAIL_INPUT, "piece %" PRIu64 " has type %" PRIu64 ", which is not known", id, type);
    piece = pool_copy(pool, text.data, text.nbytes);
    if (utf8_span((const uint8_t *)piece.s, piece.n) != piece.n)
        return fail(f, FAIL_INPUT, "piece %" PRIu64 " is not UTF-8", id);
    if (type == PIECE_UNKNOWN && s->unk < 0)
        s->unk = (int32_t)id;
    if (type == PIECE_USER_DEFINED)
        source_add(s, (struct added_token){ .text = piece, .id = (int32_t)id, .normalized = true, .as_is = true });
    source_set(s, id, piece, score, (int32_t)type);
    return 0;
}

static void read_trainer(struct cursor c, struct spm *m)
{
    struct field x;

    while (next_field(&c, &x))
        if (x.wire == WIRE_VARINT && x.no == 3)
            m->model_type = x.number;
        else if (x.wire == WIRE_VARINT && x.no == 24)
            m->suffix = x.number != 0;
        else if (x.wire == WIRE_VARINT && x.no == 35)
            m->byte_fallback = x.number != 0;
}

static void read_normalizer(struct cursor c, struct spm *m)
{
    struct field x;

    while (next_field(&c, &x))
        if (x.wire == WIRE_BYTES && x.no == 2)
            m->charsmap = x.bytes;
        else if (x.wire == WIRE_VARINT && x.no == 3)
            m->dummy_prefix = x.number != 0;
        else if (x.wire == WIRE_VARINT && x.no == 4)
            m->remove_extra = x.number != 0;
        else if (x.wire == WIRE_VARINT && x.no == 5)
            m->escape = x.number != 0;
}

static int read_model(struct cursor c, struct source *s, struct spm *m, struct fail *f)
{
    struct pool pool = { .a = s->a };
    struct field x;

    while (next_field(&c, &x)) {
        if (x.wire != WIRE_BYTES)
            continue;
        if (x.no == 1 && read_piece(x.bytes, s, &pool, f))
            return -1;
        if (x.no == 2)
            read_trainer(x.bytes, m);
        if (x.no == 3)
            read_normalizer(x.bytes, m);
    }
    if (!cursor_ok(&c))
        return fail(f, FAIL_INPUT, "the file is cut off or malformed at byte %" PRIu64, c.at);
    if (s->n == 0)
        return fail(f, FAIL_INPUT, "the file holds no pieces");
    if (m->model_type != MODEL_BPE && m->model_type != MODEL_UNIGRAM)
        return fail(f, FAIL_INPUT, "the model is of SentencePiece type %" PRIu64 ": only unigram (1) and BPE (2) split text into pieces",
                    m->model_type);
    return 0;
}

/* SentencePiece's order: characters are replaced, spaces dropped, the dummy prefix put in front, spaces made visible. */
static void write_rules(const struct spm *m, struct source *s)
{
    struct step *step = arena_array(s->a, struct step, 5);
    static const struct step none = { .kind = STEP_END };
    size_t n = 0;

    if (m->charsmap.nbytes) {
        s->charsmap = (struct meta_string){ arena_copy(s->a, m->charsmap.data, m->charsmap.nbytes), m->charsmap.nbytes };
        step[n++] = (struct step){ .kind = STEP_CHARSMAP, .text = s->charsmap.s, .ntext = s->charsmap.n };
    }
    if (m->remove_extra)
        step[n++] = (struct step){ .kind = STEP_SQUEEZE };
    if (m->dummy_prefix)
        step[n++] = (struct step){ .kind = m->suffix ? STEP_APPEND : STEP_PREPEND, .text = " " };
    if (m->escape)
        step[n++] = (struct step){ .kind = STEP_REPLACE, .literal = true, .text = " ", .with = LOWER_ONE_EIGHTH };
    s->rules = (struct vocab_rules){
        .algorithm = m->model_type == MODEL_BPE ? ALGORITHM_SCORES : ALGORITHM_UNIGRAM, .norm = step, .split = &none,
        .byte_fallback = m->byte_fallback, .fuse_unk = true, .strip_prefix = m->dummy_prefix || m->remove_extra,
    };
    s->prefix = m->dummy_prefix;
    s->remove_extra_spaces = m->remove_extra;
}

int spm_model_read(const char *path, struct source *s, struct fail *f)
{
    struct spm m = { .model_type = MODEL_UNIGRAM, .dummy_prefix = true, .remove_extra = true, .escape = true };
    struct file file;
    int bad;

    if (file_open(&file, path, f))
        return -1;
    s->unk = -1;
    bad = file.nbytes > MAX_FILE ? fail(f, FAIL_INPUT, "the file has %" PRIu64 " bytes, more than any SentencePiece model", file.nbytes)
                                 : read_model(cursor_at(file.data, file.nbytes), s, &m, f);
    if (bad)
        fail_in(f, path);
    else
        write_rules(&m, s);
    file_close(&file);
    return bad;
}
