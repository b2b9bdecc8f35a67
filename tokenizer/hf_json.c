/* hf_json.c - tokenizer.json of Hugging Face's tokenizers: its outline, and its vocabulary and merges read front to back.
 *
 * The two large members ("vocab", up to 20 MB with the merges) never become a tree: a quarter million nodes would take
 * more memory than the vocabulary itself. */
#include "formats/file.h"
#include "formats/json.h"
#include "tokenizer/rules.h"
#include "tokenizer/scan.h"
#include "tokenizer/vocab.h"

#include <inttypes.h>
#include <string.h>

enum { MAX_FILE = 1 << 30 };

static bool is(struct meta_string s, const char *name)
{
    return s.n == strlen(name) && memcmp(s.s, name, s.n) == 0;
}

/* ---- the outline ---- */

/* When our scan stumbles the parser says where; should it find nothing, the structure is what is wrong. */
static int fail_malformed(const char *text, size_t n, const char *path, struct arena *tmp, struct fail *f)
{
    if (json_parse(text, n, path, tmp, f))
        fail(f, FAIL_INPUT, "this is not a tokenizer.json: an object with a 'model' was expected");
    return fail_in(f, path);
}

static int parse_member(struct meta_string span, const char *path, const cJSON **out, struct arena *tmp, struct fail *f)
{
    *out = json_parse(span.s, span.n, path, tmp, f);
    return *out ? 0 : -1;
}

/* The model without its two large members, as text that a parser can read. */
static int read_model(struct meta_string span, struct hf_outline *o, struct arena *tmp, struct fail *f)
{
    struct scan s = { span.s, span.s + span.n, false };
    struct buffer small = {0};
    int bad;

    buffer_put(&small, "{", 1);
    for (bool more = scan_enter(&s, '{'); more; more = scan_more(&s, '}')) {
        struct meta_string key, value;

        if (!scan_key(&s, &key) || !scan_value(&s, &value))
            break;
        if (is(key, "vocab")) {
            o->vocab = value;
        } else if (is(key, "merges")) {
            o->merges = value;
        } else {
            if (small.n > 1)
                buffer_put(&small, ",", 1);
            buffer_put(&small, key.s - 1, key.n + 2);
            buffer_put(&small, ":", 1);
            buffer_put(&small, value.s, value.n);
        }
    }
    buffer_put(&small, "}", 1);
    bad = s.bad ? -1 : parse_member((struct meta_string){ small.s, small.n }, o->path, &o->model, tmp, f);
    buffer_release(&small);
    return bad;
}

static int read_member(struct meta_string key, struct meta_string value, struct hf_outline *o, struct arena *tmp, struct fail *f)
{
    const struct {
        const char *name;
        const cJSON **to;
    } wanted[] = {
        { "added_tokens", &o->added_tokens }, { "normalizer", &o->normalizer }, { "pre_tokenizer", &o->pre_tokenizer },
        { "post_processor", &o->post_processor }, { "decoder", &o->decoder },
    };

    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (is(key, wanted[i].name))
            return parse_member(value, o->path, wanted[i].to, tmp, f);
    return is(key, "model") ? read_model(value, o, tmp, f) : 0;
}

static void close_file(void *p, size_t n)
{
    (void)n;
    file_close(p);
}

struct hf_outline *hf_outline_read(const char *path, struct arena *tmp, struct fail *f)
{
    struct hf_outline *o = arena_new(tmp, struct hf_outline);
    struct file *file = arena_new(tmp, struct file);
    struct scan s;

    o->path = arena_strdup(tmp, path);
    if (file_open(file, path, f))
        return NULL;
    arena_on_reset(tmp, close_file, file, 0);
    if (file->nbytes > MAX_FILE) {
        fail(f, FAIL_INPUT, "the file has %" PRIu64 " bytes, more than any tokenizer.json", file->nbytes);
        fail_in(f, path);
        return NULL;
    }
    s = (struct scan){ (const char *)file->data, (const char *)file->data + file->nbytes, false };
    if (file->nbytes >= 3 && memcmp(file->data, "\xef\xbb\xbf", 3) == 0)
        s.at += 3;
    for (bool more = scan_enter(&s, '{'); more; more = scan_more(&s, '}')) {
        struct meta_string key, value;

        if (!scan_key(&s, &key) || !scan_value(&s, &value))
            break;
        if (read_member(key, value, o, tmp, f)) {
            s.bad = true;
            break;
        }
    }
    if (s.bad || scan_peek(&s) != 0 || !cJSON_IsObject(o->model)) {
        fail_malformed((const char *)file->data, file->nbytes, path, tmp, f);
        return NULL;
    }
    return o;
}

/* ---- vocabulary and merges ---- */

static int fail_vocab(struct fail *f, const char *problem)
{
    return fail(f, FAIL_INPUT, "tokenizer.json's %s", problem);
}

/* {"piece": id, ...}. A piece takes at least five bytes, so ids beyond the bytes of the object are not to be believed. */
static int read_vocab_object(struct meta_string span, struct source *s, struct pool *pool, struct fail *f)
{
    struct scan in = { span.s, span.s + span.n, false };

    for (bool more = scan_enter(&in, '{'); more; more = scan_more(&in, '}')) {
        struct meta_string key, piece;
        double id;

        if (!scan_key(&in, &key))
            break;
        piece = scan_unescape(&in, key, pool);
        id = scan_number(&in);
        if (in.bad)
            break;
        if (!(id >= 0 && id < (double)span.n) || id != (double)(uint64_t)id)
            return fail(f, FAIL_INPUT, "piece '%.100s' has id %g: no whole number below %" PRIu64, piece.s, id, span.n);
        if ((uint64_t)id < s->n && s->piece[(uint64_t)id].s)
            return fail(f, FAIL_INPUT, "pieces '%.100s' and '%.100s' have the same id %g", s->piece[(uint64_t)id].s, piece.s, id);
        source_set(s, (uint64_t)id, piece, 0, PIECE_NORMAL);
    }
    return in.bad ? fail_vocab(f, "vocabulary is malformed") : 0;
}

/* [["piece", score], ...]: the id is the place. */
static int read_vocab_list(struct meta_string span, struct source *s, struct pool *pool, struct fail *f)
{
    struct scan in = { span.s, span.s + span.n, false };

    for (bool more = scan_enter(&in, '['); more; more = scan_more(&in, ']')) {
        struct meta_string raw, piece;
        double score;

        if (!scan_enter(&in, '[') || !scan_string(&in, &raw))
            break;
        piece = scan_unescape(&in, raw, pool);
        scan_more(&in, ']');
        score = scan_number(&in);
        if (scan_more(&in, ']'))
            in.bad = true;
        if (in.bad)
            break;
        source_set(s, s->n, piece, (float)score, PIECE_NORMAL);
    }
    return in.bad ? fail_vocab(f, "vocabulary is malformed") : 0;
}

/* The two halves of a merge: "left right", or ["left", "right"]. */
static bool read_merge(struct scan *in, struct pool *tmp, struct meta_string half[2])
{
    struct meta_string raw;
    const char *space;

    if (scan_peek(in) == '"') {
        if (!scan_string(in, &raw))
            return false;
        raw = scan_unescape(in, raw, tmp);
        space = raw.s && raw.n > 1 ? memchr(raw.s + 1, ' ', raw.n - 1) : NULL;
        if (!space)
            return false;
        half[0] = (struct meta_string){ raw.s, (uint64_t)(space - raw.s) };
        half[1] = (struct meta_string){ space + 1, raw.n - half[0].n - 1 };
        return true;
    }
    if (!scan_enter(in, '[') || !scan_string(in, &raw))
        return false;
    half[0] = scan_unescape(in, raw, tmp);
    if (!scan_more(in, ']') || !scan_string(in, &raw))
        return false;
    half[1] = scan_unescape(in, raw, tmp);
    return !scan_more(in, ']') && !in->bad;
}

/* "left right" for GGUF: a space inside a half is spelled as U+0120, as convert_hf_to_gguf.py does. */
static struct meta_string join_merge(const struct meta_string half[2], struct pool *pool)
{
    size_t spaces = 0, n = 0;
    char *out;

    for (int i = 0; i < 2; i++)
        for (size_t k = 0; k < half[i].n; k++)
            spaces += half[i].s[k] == ' ';
    out = pool_take(pool, half[0].n + half[1].n + 1 + spaces);
    for (int i = 0; i < 2; i++) {
        for (size_t k = 0; k < half[i].n; k++) {
            if (half[i].s[k] == ' ')
                n += utf8_put(0x120, out + n);
            else
                out[n++] = half[i].s[k];
        }
        if (i == 0)
            out[n++] = ' ';
    }
    out[n] = 0;
    return (struct meta_string){ out, n };
}

/* Merges as they are collected: on the heap while they grow, then in the arena. */
struct merges {
    struct source *s;
    struct piece_table table;
    struct pool pool;
    struct buffer joined, pairs, whole;
};

static int add_pair(struct merges *m, const struct meta_string half[2], struct fail *f)
{
    int32_t p[3];

    m->whole.n = 0;
    for (int i = 0; i < 2; i++) {
        buffer_put(&m->whole, half[i].s, half[i].n);
        p[i] = piece_table_find(&m->table, half[i].s, half[i].n);
    }
    p[2] = piece_table_find(&m->table, m->whole.s, m->whole.n);
    if (p[0] < 0 || p[1] < 0 || p[2] < 0)
        return fail(f, FAIL_INPUT, "merge %" PRIu64 " of '%.*s' and '%.*s' needs a piece that the vocabulary does not have",
                    m->s->nmerges, (int)(half[0].n < 100 ? half[0].n : 100), half[0].s,
                    (int)(half[1].n < 100 ? half[1].n : 100), half[1].s);
    buffer_put(&m->pairs, p, sizeof p);
    return 0;
}

static int collect_merges(struct scan *in, struct merges *m, struct fail *f)
{
    for (bool more = scan_enter(in, '['); more; more = scan_more(in, ']')) {
        char bytes[2048];
        struct pool halves = { .a = m->s->tmp, .at = bytes, .left = sizeof bytes };
        struct meta_string half[2], joined;

        if (!read_merge(in, &halves, half))
            return fail(f, FAIL_INPUT, "merge %" PRIu64 " of tokenizer.json is no pair of pieces", m->s->nmerges);
        if (add_pair(m, half, f))
            return -1;
        joined = join_merge(half, &m->pool);
        buffer_put(&m->joined, &joined, sizeof joined);
        m->s->nmerges++;
    }
    return in->bad ? fail_vocab(f, "merges are malformed") : 0;
}

static void *to_arena(struct arena *a, const struct buffer *b)
{
    void *p = arena_raw(a, b->n);

    if (b->n)
        memcpy(p, b->s, b->n);
    return p;
}

static int read_merges(struct meta_string span, struct source *s, struct fail *f)
{
    struct scan in = { span.s, span.s + span.n, false };
    struct merges m = { .s = s, .pool = { .a = s->a } };
    int bad;

    piece_table_init(&m.table, s->tmp, s->piece, s->n);
    for (uint64_t i = 0; i < s->n; i++)
        if (s->piece[i].s)
            piece_table_add(&m.table, (int32_t)i);
    bad = collect_merges(&in, &m, f);
    s->merge = to_arena(s->a, &m.joined);
    s->rules.pair = to_arena(s->a, &m.pairs);
    s->rules.npairs = s->nmerges;
    buffer_release(&m.joined);
    buffer_release(&m.pairs);
    buffer_release(&m.whole);
    return bad;
}

/* ---- added tokens and flags ---- */

static bool flag(const cJSON *o, const char *key)
{
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, key));
}

static int read_added(const struct hf_outline *o, struct source *s, struct fail *f)
{
    uint64_t most = s->n + (uint64_t)cJSON_GetArraySize(o->added_tokens) + (1 << 20), id;
    const cJSON *item;

    cJSON_ArrayForEach(item, o->added_tokens) {
        const char *content = json_str(item, "content", NULL);
        struct added_token t = { .special = flag(item, "special"), .normalized = flag(item, "normalized"),
                                 .single_word = flag(item, "single_word"), .lstrip = flag(item, "lstrip"), .rstrip = flag(item, "rstrip") };

        if (!content || !*content || !json_u64(cJSON_GetObjectItemCaseSensitive(item, "id"), &id) || id >= most)
            return fail(f, FAIL_INPUT, "added token %zu of tokenizer.json has no content or no usable id", s->nadded);
        t.text = (struct meta_string){ arena_strdup(s->a, content), strlen(content) };
        t.id = (int32_t)id;
        source_add(s, t);
        if (!s->piece[id].s)
            source_set(s, id, t.text, 0, PIECE_NORMAL);
    }
    return 0;
}

static int32_t find_piece(const struct source *s, const char *text)
{
    size_t n = strlen(text);

    for (uint64_t i = 0; i < s->n; i++)
        if (s->piece[i].n == n && s->piece[i].s && memcmp(s->piece[i].s, text, n) == 0)
            return (int32_t)i;
    return -1;
}

static bool has_prefix(const struct vocab_rules *r)
{
    bool found = false;

    for (const struct step *s = r->norm; s->kind != STEP_END; s++)
        found |= s->kind == STEP_PREPEND;
    for (const struct step *s = r->split; s->kind != STEP_END; s++)
        found |= (s->kind == STEP_METASPACE && !s->never) || s->kind == STEP_PREFIX_SPACE;
    return found;
}

static int read_bpe(const struct hf_outline *o, struct source *s, struct fail *f)
{
    static const char *const affixes[] = { "continuing_subword_prefix", "end_of_word_suffix" };
    const char *unk = json_str(o->model, "unk_token", NULL);

    for (int i = 0; i < 2; i++)
        if (*json_str(o->model, affixes[i], ""))
            return fail(f, FAIL_INPUT, "tokenizer.json marks the pieces of a word by '%s', which is not supported", affixes[i]);
    s->rules.algorithm = ALGORITHM_PAIRS;
    s->rules.ignore_merges = flag(o->model, "ignore_merges");
    s->rules.byte_fallback = flag(o->model, "byte_fallback");
    s->rules.fuse_unk = flag(o->model, "fuse_unk");
    if (read_vocab_object(o->vocab, s, &(struct pool){ .a = s->a }, f) || (o->merges.s && read_merges(o->merges, s, f)))
        return -1;
    s->unk = unk ? find_piece(s, unk) : -1;
    return 0;
}

static int read_unigram(const struct hf_outline *o, struct source *s, struct fail *f)
{
    uint64_t unk;

    s->rules.algorithm = ALGORITHM_UNIGRAM;
    s->rules.byte_fallback = flag(o->model, "byte_fallback");
    s->rules.fuse_unk = true;
    if (read_vocab_list(o->vocab, s, &(struct pool){ .a = s->a }, f))
        return -1;
    s->unk = json_u64(cJSON_GetObjectItemCaseSensitive(o->model, "unk_id"), &unk) && unk < s->n ? (int32_t)unk : -1;
    for (const struct step *step = s->rules.norm; step->kind != STEP_END; step++) {
        if (step->kind == STEP_CHARSMAP)
            s->charsmap = (struct meta_string){ step->text, step->ntext };
        s->remove_extra_spaces |= step->kind == STEP_REPLACE && strcmp(step->text, " {2,}") == 0;
    }
    for (const struct step *step = s->rules.split; step->kind != STEP_END; step++)     /* words by themselves, as XLM-RoBERTa has them */
        s->remove_extra_spaces |= step->kind == STEP_SPLIT && step->behavior == SPLIT_REMOVED && strcmp(step->text, "\\s") == 0;
    return 0;
}

static int read_wordpiece(const struct hf_outline *o, struct source *s, struct fail *f)
{
    const char *unk = json_str(o->model, "unk_token", "[UNK]"), *prefix = json_str(o->model, "continuing_subword_prefix", "##");
    uint64_t longest = BERT_LONGEST_WORD;

    json_u64(cJSON_GetObjectItemCaseSensitive(o->model, "max_input_chars_per_word"), &longest);
    if (strcmp(prefix, "##") != 0)
        return fail(f, FAIL_INPUT, "tokenizer.json marks pieces inside a word by '%.20s', and GGUF knows only '##'", prefix);
    if (read_vocab_object(o->vocab, s, &(struct pool){ .a = s->a }, f))
        return -1;
    s->rules.algorithm = ALGORITHM_WORDPIECE;
    s->rules.longest_word = longest < UINT32_MAX ? (uint32_t)longest : 0;
    s->unk = find_piece(s, unk);
    return 0;
}

int hf_json_read(const struct hf_outline *o, struct source *s, struct fail *f)
{
    static const struct {
        const char *type;
        int (*read)(const struct hf_outline *, struct source *, struct fail *);
    } kinds[] = { { "BPE", read_bpe }, { "Unigram", read_unigram }, { "WordPiece", read_wordpiece } };
    const char *type = json_str(o->model, "type", o->merges.s ? "BPE" : "");
    size_t k = 0;
    int bad;

    while (k < sizeof kinds / sizeof *kinds && strcmp(type, kinds[k].type) != 0)
        k++;
    s->unk = -1;
    if (k == sizeof kinds / sizeof *kinds)
        bad = fail(f, FAIL_INPUT, "tokenizer.json holds a model of type '%s': only BPE, Unigram and WordPiece are supported", type);
    else if (!o->vocab.s)
        bad = fail(f, FAIL_INPUT, "tokenizer.json has no vocabulary");
    else
        bad = hf_rules_read(o->normalizer, o->pre_tokenizer, &s->rules, s->a, f)
              || kinds[k].read(o, s, f) || read_added(o, s, f);
    s->prefix = !bad && has_prefix(&s->rules);
    s->rules.strip_prefix = s->prefix || s->rules.algorithm == ALGORITHM_WORDPIECE;
    return bad ? fail_in(f, o->path) : 0;
}
