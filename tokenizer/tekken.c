/* tekken.c - Mistral's tekken.json: tiktoken's ranks with Mistral's special tokens in front.
 *
 * Layout: mistral_common/tokens/tokenizers/tekken.py (mistralai/mistral-common).
 *     {"config": {"pattern", "num_vocab_tokens", "default_vocab_size", "default_num_special_tokens", "version"},
 *      "vocab": [{"rank": 0, "token_bytes": base64, "token_str"}, ...], in order of rank,
 *      "special_tokens": [{"rank", "token_str", "is_control"}, ...]}
 * Ids are the special tokens, filled up with <SPECIAL_n>, then as many ranks as default_vocab_size leaves room for; the list
 * may be longer. A word that is a piece is taken whole; else the neighbors merge whose union has the lowest rank. GGUF says
 * that by merges: for each rank all cuts into two pieces, those with the lowest first piece first. */
#include "formats/file.h"
#include "formats/json.h"
#include "tokenizer/rules.h"
#include "tokenizer/scan.h"
#include "tokenizer/vocab.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MAX_FILE = 64 << 20, MAX_SPECIAL = 1 << 16, MAX_PIECE = 512 };      /* real files have 19 MB */

/* Up to version 7 files need not list them. */
static const char *const first_special[] = {
    "<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]",
    "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]", "[IMG_END]", "[PREFIX]", "[MIDDLE]", "[SUFFIX]", "[SYSTEM_PROMPT]",
    "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]"
};
enum { FIRST_SPECIAL = sizeof first_special / sizeof *first_special };

struct tekken {
    struct source *s;
    struct pool pool;
    const cJSON *config, *special;
    struct meta_string vocab;
    uint64_t size, nspecial;
    struct fail *f;
};

static bool is(struct meta_string s, const char *name)
{
    return s.n == strlen(name) && memcmp(s.s, name, s.n) == 0;
}

/* ---- the outline ---- */

static int read_outline(struct tekken *t, const struct file *file)
{
    struct scan s = { (const char *)file->data, (const char *)file->data + file->nbytes, false };

    for (bool more = scan_enter(&s, '{'); more; more = scan_more(&s, '}')) {
        struct meta_string key, value;
        const cJSON **to;

        if (!scan_key(&s, &key) || !scan_value(&s, &value))
            break;
        if (is(key, "vocab"))
            t->vocab = value;
        to = is(key, "config") ? &t->config : is(key, "special_tokens") ? &t->special : NULL;
        if (to && !(*to = json_parse(value.s, value.n, file->path, t->s->tmp, t->f)))
            return -1;
    }
    if (s.bad || !cJSON_IsObject(t->config) || !t->vocab.s)
        return fail(t->f, FAIL_INPUT, "this is not a tekken.json: an object with 'config' and 'vocab' was expected");
    return 0;
}

static int read_sizes(struct tekken *t)
{
    if (!json_u64(cJSON_GetObjectItemCaseSensitive(t->config, "default_vocab_size"), &t->size) ||
        !json_u64(cJSON_GetObjectItemCaseSensitive(t->config, "default_num_special_tokens"), &t->nspecial))
        return fail(t->f, FAIL_INPUT, "tekken.json's config lacks 'default_vocab_size' or 'default_num_special_tokens'");
    if (t->nspecial > MAX_SPECIAL || t->size < t->nspecial || t->size - t->nspecial > t->vocab.n)
        return fail(t->f, FAIL_INPUT, "tekken.json says that it has %" PRIu64 " tokens, %" PRIu64 " of them special, which cannot be",
                    t->size, t->nspecial);
    return 0;
}

/* ---- special tokens ---- */

static int set_special(struct tekken *t, uint64_t id, const char *text)
{
    struct meta_string piece = pool_copy(&t->pool, text, strlen(text));

    if (id >= t->nspecial)
        return fail(t->f, FAIL_INPUT, "special token '%.100s' of tekken.json has rank %" PRIu64 ", but there are %" PRIu64, text, id, t->nspecial);
    if (source_added(t->s, (int32_t)id))
        return fail(t->f, FAIL_INPUT, "two special tokens of tekken.json have rank %" PRIu64, id);
    source_set(t->s, id, piece, 0, PIECE_CONTROL);
    source_add(t->s, (struct added_token){ .text = piece, .id = (int32_t)id, .special = true });
    return 0;
}

static int read_special(struct tekken *t)
{
    const cJSON *item;
    char name[40];
    uint64_t id;

    if (t->nspecial)
        source_reserve(t->s, t->nspecial - 1);
    cJSON_ArrayForEach(item, t->special) {
        const char *text = json_str(item, "token_str", NULL);

        if (!text || !*text || !json_u64(cJSON_GetObjectItemCaseSensitive(item, "rank"), &id))
            return fail(t->f, FAIL_INPUT, "a special token of tekken.json has no 'token_str' or no 'rank'");
        if (set_special(t, id, text))
            return -1;
    }
    for (id = 0; id < FIRST_SPECIAL && id < t->nspecial && !cJSON_IsArray(t->special); id++)
        if (set_special(t, id, first_special[id]))
            return -1;
    for (id = 0; id < t->nspecial; id++)
        if (!source_added(t->s, (int32_t)id)) {
            snprintf(name, sizeof name, "<SPECIAL_%" PRIu64 ">", id);
            set_special(t, id, name);
        }
    return 0;
}

/* ---- ranks ---- */

/* The bytes in the alphabet in which each can be seen. */
static struct meta_string spell(struct tekken *t, const uint8_t *bytes, size_t n)
{
    char *out = pool_take(&t->pool, 2 * n);
    size_t at = 0;

    for (size_t i = 0; i < n; i++)
        at += utf8_put(byte_level_char(bytes[i]), out + at);
    out[at] = 0;
    return (struct meta_string){ out, at };
}

static bool read_entry(struct scan *in, double *rank, struct meta_string *base64)
{
    *rank = -1;
    *base64 = (struct meta_string){ NULL, 0 };
    for (bool more = scan_enter(in, '{'); more; more = scan_more(in, '}')) {
        struct meta_string key;

        if (!scan_key(in, &key))
            return false;
        if (is(key, "rank"))
            *rank = scan_number(in);
        else if (!(is(key, "token_bytes") ? scan_string(in, base64) : scan_skip(in)))
            return false;
    }
    return !in->bad;
}

static int read_ranks(struct tekken *t)
{
    struct scan in = { t->vocab.s, t->vocab.s + t->vocab.n, false };
    uint64_t n = 0, most = t->size - t->nspecial;

    for (bool more = scan_enter(&in, '['); more && n < most; more = scan_more(&in, ']')) {
        uint8_t bytes[MAX_PIECE];
        struct meta_string base64;
        double rank;
        long nbytes;

        if (!read_entry(&in, &rank, &base64))
            break;
        nbytes = base64.s && base64.n / 4 * 3 + 3 <= sizeof bytes ? base64_decode(base64, bytes) : -1;
        if (nbytes <= 0)
            return fail(t->f, FAIL_INPUT, "token %" PRIu64 " of tekken.json has no usable 'token_bytes'", n);
        if (rank != (double)n)
            return fail(t->f, FAIL_INPUT, "token %" PRIu64 " of tekken.json has rank %g: they must stand in order", n, rank);
        source_set(t->s, t->nspecial + n, spell(t, bytes, (size_t)nbytes), 0, PIECE_NORMAL);
        n++;
    }
    if (in.bad)
        return fail(t->f, FAIL_INPUT, "tekken.json's vocab is malformed at token %" PRIu64, n);
    if (n < most)
        return fail(t->f, FAIL_INPUT, "tekken.json's vocab has %" PRIu64 " tokens, but its config announces %" PRIu64, n, most);
    return 0;
}

/* ---- merges ---- */

struct merges {
    struct piece_table table;
    struct buffer pairs, joined;
};

/* All cuts of a piece into two pieces, by the rank of the first. */
static void add_cuts(struct tekken *t, struct merges *m, int32_t id)
{
    struct meta_string piece = t->s->piece[id];
    int32_t cut[MAX_PIECE][3];
    size_t n = 0;

    for (size_t at = utf8_length(piece.s, piece.n); at < piece.n; at += utf8_length(piece.s + at, piece.n - at)) {
        int32_t left = piece_table_find(&m->table, piece.s, at), right = piece_table_find(&m->table, piece.s + at, piece.n - at);
        size_t k = n;

        if (left < 0 || right < 0)
            continue;
        for (; k && cut[k - 1][0] > left; k--)
            memcpy(cut[k], cut[k - 1], sizeof cut[k]);
        memcpy(cut[k], (int32_t[]){ left, right, id }, sizeof cut[k]);
        n++;
    }
    for (size_t k = 0; k < n; k++) {
        struct meta_string left = t->s->piece[cut[k][0]], right = t->s->piece[cut[k][1]], both;
        char *text = pool_take(&t->pool, left.n + 1 + right.n);

        memcpy(text, left.s, left.n);
        text[left.n] = ' ';
        memcpy(text + left.n + 1, right.s, right.n + 1);
        both = (struct meta_string){ text, left.n + 1 + right.n };
        buffer_put(&m->pairs, cut[k], sizeof cut[k]);
        buffer_put(&m->joined, &both, sizeof both);
    }
}

static int make_merges(struct tekken *t)
{
    struct source *s = t->s;
    struct merges m = { .pairs = { .n = 0 } };

    piece_table_init(&m.table, s->tmp, s->piece, s->n);
    for (uint64_t i = t->nspecial; i < s->n; i++) {
        int32_t same = piece_table_find(&m.table, s->piece[i].s, s->piece[i].n);

        if (same >= 0)
            return fail(t->f, FAIL_INPUT, "tokens %" PRIu64 " and %" PRIu64 " of tekken.json are the same bytes",
                        (uint64_t)same - t->nspecial, i - t->nspecial);
        piece_table_add(&m.table, (int32_t)i);
    }
    for (uint64_t i = t->nspecial; i < s->n; i++)
        add_cuts(t, &m, (int32_t)i);
    s->nmerges = s->rules.npairs = m.joined.n / sizeof *s->merge;
    s->merge = (struct meta_string *)arena_copy(s->a, m.joined.s ? m.joined.s : "", m.joined.n);
    s->rules.pair = (const int32_t *)arena_copy(s->a, m.pairs.s ? m.pairs.s : "", m.pairs.n);
    buffer_release(&m.pairs);
    buffer_release(&m.joined);
    return 0;
}

static int set_rules(struct tekken *t)
{
    struct arena *a = t->s->a;
    const char *pattern = json_str(t->config, "pattern", NULL);
    struct step *split = arena_array(a, struct step, 3);

    if (!pattern || !*pattern)
        return fail(t->f, FAIL_INPUT, "tekken.json's config has no 'pattern'");
    split[0] = (struct step){ .kind = STEP_SPLIT, .text = arena_strdup(a, pattern) };
    split[1] = (struct step){ .kind = STEP_BYTES };
    t->s->rules = (struct vocab_rules){ .algorithm = ALGORITHM_PAIRS, .norm = arena_new(a, struct step), .split = split,
                                        .byte_level = true, .ignore_merges = true };
    return 0;
}

int tekken_read(const char *path, struct source *s, unsigned *version, struct fail *f)
{
    struct tekken t = { .s = s, .pool = { .a = s->a }, .f = f };
    struct file file;
    int bad;

    if (file_open(&file, path, f))
        return -1;
    s->unk = -1;
    bad = file.nbytes > MAX_FILE ? fail(f, FAIL_INPUT, "the file has %" PRIu64 " bytes, more than any tekken.json", file.nbytes)
                                 : read_outline(&t, &file) || read_sizes(&t) || read_special(&t) || set_rules(&t) || read_ranks(&t) || make_merges(&t);
    if (!bad)
        *version = mistral_version(json_str(t.config, "version", ""));
    file_close(&file);
    return bad ? fail_in(f, path) : 0;
}
