/* tokenizer.c - text to ids and back: cuts out added tokens, normalizes, splits into words and merges. See tokenizer.h.
 *
 * SentencePiece merges over the whole text. Where no piece has its space (U+2581) behind anything but another one, no
 * merge can cross in front of a space, and the text may as well be cut there: words are short again, and cached. */
#include "tokenizer/tokenizer.h"
#include "tokenizer/rules.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum { LONG_TEXT = 1 << 16 };

struct tokenizer {
    const struct vocab *v;
    const struct vocab_rules *r;
    struct arena arena;
    struct model model;
    struct steps *steps;
    struct trie *added, *added_normalized;      /* value: place in r->added */
    bool starts[256], starts_normalized[256];   /* the first bytes of what is in them */
    bool cut_at_space;
    struct ids out;                             /* of the running encode */
    struct token_options options;
    struct fail *f;
};

/* ---- opening ---- */

/* What each id stands for: pieces of the byte-level alphabet as bytes, added tokens as they are. */
static void fill_bytes(struct tokenizer *t)
{
    const struct vocab *v = t->v;
    struct meta_string *bytes = arena_raw(&t->arena, v->n * sizeof *bytes + 1);
    struct pool pool = { .a = &t->arena };

    for (uint64_t i = 0; i < v->n; i++) {
        bool plain = !t->r->byte_level || v->type[i] == PIECE_CONTROL || v->type[i] == PIECE_USER_DEFINED;
        struct meta_string decoded = plain ? (struct meta_string){ NULL, 0 } : byte_level_decode(v->piece[i], &pool);

        bytes[i] = decoded.s ? decoded : v->piece[i];
    }
    t->model.bytes = bytes;
}

/* Normal pieces win over others of the same bytes. SentencePiece knows no others but user-defined and unused ones. */
static void fill_table(struct tokenizer *t)
{
    const struct vocab *v = t->v;

    piece_table_init(&t->model.pieces, &t->arena, t->model.bytes, v->n);
    for (uint64_t i = 0; i < v->n; i++)
        if (v->type[i] == PIECE_NORMAL)
            piece_table_add(&t->model.pieces, (int32_t)i);
    for (uint64_t i = 0; i < v->n; i++)
        if (v->type[i] == PIECE_USER_DEFINED || v->type[i] == PIECE_UNUSED || t->r->algorithm == ALGORITHM_PAIRS)
            piece_table_add(&t->model.pieces, (int32_t)i);
}

/* A byte's piece goes by its spelling, whatever its type: an added token may have the same. */
static void fill_byte_ids(struct tokenizer *t)
{
    memset(t->model.byte_id, 0xff, sizeof t->model.byte_id);
    for (uint64_t i = 0; i < t->v->n; i++) {
        struct meta_string p = t->v->piece[i];
        int b = -1;

        if (!t->r->byte_level)
            b = t->v->type[i] == PIECE_BYTE ? byte_piece_value(p) : -1;
        else if (p.n > 0 && p.n <= 2 && utf8_length(p.s, p.n) == p.n)
            b = byte_level_byte(utf8_char((const uint8_t *)p.s, p.n));
        if (b >= 0 && t->model.byte_id[b] < 0)
            t->model.byte_id[b] = (int32_t)i;
    }
}

/* "left right" of tokenizer.ggml.merges, looked up as spelled. What names no pieces cannot come about: passed over. */
static void add_merge(struct tokenizer *t, const struct piece_table *spelled, struct meta_string merge, uint32_t rank, struct buffer *whole)
{
    const char *space = merge.n > 1 ? memchr(merge.s + 1, ' ', merge.n - 1) : NULL;
    size_t left = space ? (size_t)(space - merge.s) : 0, right = merge.n - left - 1;
    int32_t id[3];

    if (!space)
        return;
    whole->n = 0;
    buffer_put(whole, merge.s, left);
    buffer_put(whole, space + 1, right);
    id[0] = piece_table_find(spelled, merge.s, left);
    id[1] = piece_table_find(spelled, space + 1, right);
    id[2] = piece_table_find(spelled, whole->s, whole->n);
    if (id[0] >= 0 && id[1] >= 0 && id[2] >= 0)
        pair_table_add(t->model.pairs, id[0], id[1], rank, id[2]);
}

static void fill_pairs_from_merges(struct tokenizer *t)
{
    struct arena tmp = {0};
    struct buffer whole = {0};
    struct piece_table spelled;

    piece_table_init(&spelled, &tmp, t->v->piece, t->v->n);
    for (uint64_t i = 0; i < t->v->n; i++)
        piece_table_add(&spelled, (int32_t)i);
    for (uint64_t i = 0; i < t->v->nmerges; i++)
        add_merge(t, &spelled, t->v->merge[i], (uint32_t)i, &whole);
    buffer_release(&whole);
    arena_release(&tmp);
}

static void fill_pairs(struct tokenizer *t)
{
    const struct vocab_rules *r = t->r;

    t->model.pairs = pair_table_new(r->pair ? r->npairs : t->v->nmerges);
    if (!r->pair)
        fill_pairs_from_merges(t);
    for (uint64_t i = 0; r->pair && i < r->npairs; i++)
        pair_table_add(t->model.pairs, r->pair[3 * i], r->pair[3 * i + 1], (uint32_t)i, r->pair[3 * i + 2]);
}

struct scored {
    float score;
    int32_t id;
};

static int best_first(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;

    return (x->score < y->score) - (x->score > y->score);
}

/* Equal scores share a rank: then the leftmost pair goes first. NaN, which no order holds, counts as the worst. */
static void fill_ranks(struct tokenizer *t)
{
    uint64_t n = t->v->n;
    struct scored *list = heap_grow(NULL, n, sizeof *list);
    uint32_t rank = 0;

    t->model.rank = arena_array(&t->arena, uint32_t, n);
    for (uint64_t i = 0; i < n; i++)
        list[i] = (struct scored){ t->v->score[i] == t->v->score[i] ? t->v->score[i] : -3e38f, (int32_t)i };
    qsort(list, n, sizeof *list, best_first);
    for (uint64_t i = 0; i < n; i++) {
        rank += i > 0 && list[i].score < list[i - 1].score;
        t->model.rank[list[i].id] = rank;
    }
    free(list);
}

static void fill_prefixes(struct tokenizer *t)
{
    const struct vocab *v = t->v;
    float worst = 0;

    t->model.prefixes = trie_new();
    for (uint64_t i = 0; i < v->n; i++) {
        if (v->type[i] == PIECE_NORMAL && v->score[i] < worst)
            worst = v->score[i];
        if (v->type[i] == PIECE_NORMAL || v->type[i] == PIECE_USER_DEFINED)
            trie_add(t->model.prefixes, v->piece[i].s, v->piece[i].n, (int32_t)i);
    }
    t->model.score = v->score;
    t->model.unk_score = worst - 10;
}

static int fill_added(struct tokenizer *t)
{
    t->added = trie_new();
    t->added_normalized = trie_new();
    for (size_t i = 0; i < t->r->nadded; i++) {
        const struct added_token *x = &t->r->added[i];
        const char *s = x->text.s;
        size_t n = x->text.n;

        if (x->normalized && !x->as_is && !(s = steps_normalize(t->steps, s, n, PLACE_START, &n, t->f)))
            return -1;
        if (n == 0)
            continue;
        trie_add(x->normalized ? t->added_normalized : t->added, s, n, (int32_t)i);
        (x->normalized ? t->starts_normalized : t->starts)[(uint8_t)*s] = true;
    }
    return 0;
}

/* Does any piece have U+2581 behind something else? */
static bool can_cut_at_space(const struct tokenizer *t)
{
    const struct vocab *v = t->v;

    if (t->r->byte_level || t->r->algorithm == ALGORITHM_WORDPIECE || piece_table_find(&t->model.pieces, LOWER_ONE_EIGHTH, 3) < 0)
        return false;
    for (uint64_t i = 0; i < v->n; i++) {
        const char *s = v->piece[i].s, *end = s + v->piece[i].n;

        while (end - s >= 3 && memcmp(s, LOWER_ONE_EIGHTH, 3) == 0)
            s += 3;
        if (v->type[i] != PIECE_CONTROL && memmem(s, (size_t)(end - s), LOWER_ONE_EIGHTH, 3))
            return false;
    }
    return true;
}

struct tokenizer *tokenizer_open(const struct vocab *v, struct fail *f)
{
    struct tokenizer *t = heap_grow(NULL, 1, sizeof *t);

    memset(t, 0, sizeof *t);
    t->v = v;
    t->r = v->rules;
    t->f = f;
    t->model.rules = v->rules;
    t->model.type = v->type;
    t->model.unk = v->unk;
    t->steps = steps_open(t->r->norm, t->r->split, &t->arena, f);
    if (!t->steps || fill_added(t)) {
        tokenizer_close(t);
        return NULL;
    }
    fill_bytes(t);
    fill_table(t);
    fill_byte_ids(t);
    if (t->r->algorithm == ALGORITHM_PAIRS)
        fill_pairs(t);
    else if (t->r->algorithm == ALGORITHM_SCORES)
        fill_ranks(t);
    else if (t->r->algorithm == ALGORITHM_WORDPIECE)
        wordpiece_fill(&t->model, v->piece, v->type, v->n);
    else
        fill_prefixes(t);
    t->cut_at_space = can_cut_at_space(t);
    return t;
}

void tokenizer_close(struct tokenizer *t)
{
    if (!t)
        return;
    steps_close(t->steps);
    trie_free(t->added);
    trie_free(t->added_normalized);
    trie_free(t->model.prefixes);
    trie_free(t->model.starts);
    pair_table_free(t->model.pairs);
    model_scratch_free(&t->model);
    free(t->out.id);
    arena_release(&t->arena);
    free(t);
}

/* ---- encoding ---- */

static void put_word(struct tokenizer *t, const char *word, size_t n)
{
    if (t->r->algorithm == ALGORITHM_UNIGRAM)
        unigram_word(&t->model, word, n, &t->out);
    else if (t->r->algorithm == ALGORITHM_WORDPIECE)
        wordpiece_word(&t->model, word, n, &t->out);
    else
        merge_word(&t->model, word, n, &t->out);
}

/* The best path of a unigram model may hang on sums from the start of the text: only long texts are cut. */
static int on_word(void *data, const char *word, size_t n)
{
    struct tokenizer *t = data;
    bool cut = t->cut_at_space && (t->r->algorithm != ALGORITHM_UNIGRAM || n > LONG_TEXT);
    const char *end = word + n;

    while (cut && end - word > 3) {
        const char *next = word;

        while (end - next >= 3 && memcmp(next, LOWER_ONE_EIGHTH, 3) == 0)
            next += 3;
        next = memmem(next, (size_t)(end - next), LOWER_ONE_EIGHTH, 3);
        if (!next)
            break;
        put_word(t, word, (size_t)(next - word));
        word = next;
    }
    if (word < end)
        put_word(t, word, (size_t)(end - word));
    return 0;
}

static bool is_word_char(const char *s, size_t n)
{
    uint32_t c = n ? utf8_char((const uint8_t *)s, n) : 0;
    utf8proc_category_t category = n ? utf8proc_category((utf8proc_int32_t)c) : UTF8PROC_CATEGORY_CN;

    return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NL) || category == UTF8PROC_CATEGORY_PC
           || (c >= 0x24b6 && c <= 0x24e9) || (c >= 0x1f130 && c <= 0x1f189);
}

static bool stands_alone(const char *text, size_t n, size_t start, size_t end)
{
    size_t before = start;

    while (before > 0 && ((uint8_t)text[--before] & 0xc0) == 0x80)
        ;
    if (start > 0 && utf8_length(text + before, start - before) == start - before && is_word_char(text + before, start - before))
        return false;
    return end == n || !is_word_char(text + end, utf8_length(text + end, n - end));
}

/* Where the white space in front of text[at] starts, and where that behind it ends; no further than the limit. */
static size_t space_before(const char *text, size_t limit, size_t at)
{
    while (at > limit) {
        size_t back = at - 1;

        while (back > limit && ((uint8_t)text[back] & 0xc0) == 0x80)
            back--;
        if (utf8_length(text + back, at - back) != at - back || !is_white_space(utf8_char((const uint8_t *)text + back, at - back)))
            break;
        at = back;
    }
    return at;
}

static size_t space_behind(const char *text, size_t limit, size_t at)
{
    for (size_t n; at < limit; at += n) {
        n = utf8_length(text + at, limit - at);
        if (n == 0 || !is_white_space(utf8_char((const uint8_t *)text + at, n)))
            break;
    }
    return at;
}

/* The longest added token at text[at] that may stand there; -1: none. */
static int32_t added_at(const struct tokenizer *t, const struct trie *trie, const char *text, size_t n, size_t at, size_t *end)
{
    uint32_t node = trie_root(trie);
    int32_t best = -1;

    for (size_t i = at; i < n && (node = trie_walk(trie, node, (uint8_t)text[i])) != 0; i++) {
        int32_t k = trie_value(trie, node);

        if (k >= 0 && (!t->r->added[k].special || t->options.parse_special)
            && (!t->r->added[k].single_word || stands_alone(text, n, at, i + 1))) {
            best = k;
            *end = i + 1;
        }
    }
    return best;
}

/* Cuts added tokens out of text and hands what lies between to plain(). */
static int cut_added(struct tokenizer *t, const struct trie *trie, const bool *starts, const char *text, size_t n,
                     enum place place, int (*plain)(struct tokenizer *, const char *, size_t, enum place))
{
    size_t done = 0, end = 0;

    for (size_t at = 0; at < n; at++) {
        int32_t k = starts[(uint8_t)text[at]] ? added_at(t, trie, text, n, at, &end) : -1;
        size_t start = at;

        if (k < 0)
            continue;
        if (t->r->added[k].lstrip)
            start = space_before(text, done, at);
        if (t->r->added[k].rstrip)
            end = space_behind(text, n, end);
        if (start > done && plain(t, text + done, start - done, done == 0 ? place : PLACE_SEGMENT))
            return -1;
        ids_put(&t->out, t->r->added[k].id);
        done = end;
        at = end - 1;
    }
    return done < n ? plain(t, text + done, n - done, done == 0 ? place : PLACE_SEGMENT) : 0;
}

static int encode_normalized(struct tokenizer *t, const char *text, size_t n, enum place place)
{
    return steps_split(t->steps, text, n, place, on_word, t, t->f);
}

static int encode_utf8(struct tokenizer *t, const char *text, size_t n, enum place place)
{
    size_t nout;
    const char *normalized = steps_normalize(t->steps, text, n, place, &nout, t->f);

    if (!normalized)
        return -1;
    if (trie_empty(t->added_normalized))
        return encode_normalized(t, normalized, nout, place);
    return cut_added(t, t->added_normalized, t->starts_normalized, normalized, nout, place, encode_normalized);
}

/* The text without the bytes that are not UTF-8, which to BERT are as good as control characters. */
static int encode_clean(struct tokenizer *t, const char *text, size_t n, enum place place)
{
    struct buffer clean = {0};
    int bad;

    for (size_t at = 0; at < n;) {
        size_t good = utf8_span((const uint8_t *)text + at, n - at);

        buffer_put(&clean, text + at, good);
        at += good + (at + good < n);
    }
    bad = encode_utf8(t, clean.s ? clean.s : "", clean.n, place);
    buffer_release(&clean);
    return bad;
}

/* Bytes that are not UTF-8 have no characters to normalize or split by: they go to the model as they are. */
static int encode_plain(struct tokenizer *t, const char *text, size_t n, enum place place)
{
    if (t->r->algorithm == ALGORITHM_WORDPIECE)
        return encode_clean(t, text, n, place);
    for (size_t at = 0; at < n;) {
        size_t good = utf8_span((const uint8_t *)text + at, n - at), bad = 0;

        if (good && encode_utf8(t, text + at, good, at == 0 ? place : PLACE_INSIDE))
            return -1;
        at += good;
        while (at + bad < n && utf8_length(text + at + bad, n - at - bad) == 0)
            bad++;
        if (bad && t->r->byte_level)
            put_word(t, text + at, bad);
        else if (bad)
            put_unknown(&t->model, text + at, bad, &t->out);
        at += bad;
    }
    return 0;
}

int32_t *tokenizer_encode(struct tokenizer *t, const char *text, size_t nbytes, struct token_options options, struct arena *a,
                          size_t *n, struct fail *f)
{
    int32_t *ids;

    if (nbytes > INT32_MAX) {
        fail(f, FAIL_INPUT, "a text of %zu bytes is too long: the limit is %d", nbytes, INT32_MAX);
        return NULL;
    }
    t->out.n = 0;
    t->options = options;
    t->f = f;
    if (options.add_special && t->v->add_bos)
        ids_put(&t->out, t->v->bos);
    if (cut_added(t, t->added, t->starts, text, nbytes, PLACE_START, encode_plain))
        return NULL;
    if (options.add_special && t->v->add_eos)
        ids_put(&t->out, t->v->eos);
    ids = arena_raw(a, t->out.n * sizeof *ids);
    if (t->out.n)
        memcpy(ids, t->out.id, t->out.n * sizeof *ids);
    *n = t->out.n;
    return ids;
}

/* ---- decoding ---- */

static void put_decoded(const struct tokenizer *t, int32_t id, struct buffer *b)
{
    struct meta_string s = t->model.bytes[id];
    int byte = t->v->type[id] == PIECE_BYTE ? byte_piece_value(t->v->piece[id]) : -1;
    const char *end = s.s + s.n;

    if (byte >= 0) {
        buffer_put(b, &(char){ (char)byte }, 1);
        return;
    }
    if (t->r->algorithm == ALGORITHM_WORDPIECE)
        s = wordpiece_printed(s, t->v->type[id], b);
    while (!t->r->byte_level && s.s < end) {
        const char *space = memmem(s.s, (size_t)(end - s.s), LOWER_ONE_EIGHTH, 3);

        if (!space)
            break;
        buffer_put(b, s.s, (size_t)(space - s.s));
        buffer_put(b, " ", 1);
        s.s = space + 3;
    }
    buffer_put(b, s.s, (size_t)(end - s.s));
}

char *tokenizer_decode(struct tokenizer *t, const int32_t *ids, size_t n, bool special, struct arena *a, size_t *nbytes,
                       struct fail *f)
{
    struct buffer b = {0};
    bool drop = false;
    char *text;

    for (size_t i = 0; i < n; i++) {
        int32_t type = ids[i] >= 0 && (uint64_t)ids[i] < t->v->n ? t->v->type[ids[i]] : -1;

        if (type < 0) {
            buffer_release(&b);
            fail(f, FAIL_INPUT, "token id %" PRId32 " is out of range: the vocabulary has %" PRIu64 " pieces", ids[i], t->v->n);
            return NULL;
        }
        if ((type == PIECE_CONTROL || type == PIECE_UNKNOWN) && !special)
            continue;
        if (b.n == 0)
            drop = t->r->strip_prefix && (type == PIECE_NORMAL || type == PIECE_UNUSED);
        put_decoded(t, ids[i], &b);
    }
    drop = drop && b.n && b.s[0] == ' ';
    *nbytes = b.n - drop;
    text = arena_copy(a, b.n ? b.s + drop : "", *nbytes);
    buffer_release(&b);
    return text;
}
