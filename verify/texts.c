/* texts.c - see texts.h: reading, then cutting by category. */
#include "verify/texts.h"

#include "formats/gzip.h"
#include "formats/lines.h"
#include "formats/text.h"
#include "verify/chunks.h"

#include <string.h>

enum { TEXT_LIMIT = 1 << 30, CATEGORIES_MOST = 1000 };

/* ---- reading ---- */

/* The texts of one category so far. */
struct pile {
    char *text;
    size_t n, cap;
};

struct piles {
    struct name_index names;
    struct pile *item;
    size_t cap;
    struct arena *arena;
};

static void add_bytes(struct pile *p, const char *bytes, size_t n, struct arena *a)
{
    p->text = arena_grow(a, p->text, &p->cap, p->n + n + 1, 1);
    memcpy(p->text + p->n, bytes, n);
    p->n += n;
}

static struct pile *pile_named(struct piles *p, const char *category)
{
    int64_t at = name_index_find(&p->names, category);

    if (at < 0) {
        at = (int64_t)p->names.n;
        name_index_add(&p->names, p->arena, arena_strdup(p->arena, category));
        p->item = arena_grow(p->arena, p->item, &p->cap, p->names.n, sizeof *p->item);
        p->item[at] = (struct pile){0};
    }
    return &p->item[at];
}

static int add_object(struct piles *p, const cJSON *object, size_t line, struct fail *f)
{
    const char *text = json_str(object, "text", NULL), *category = json_str(object, "category", "");
    struct pile *pile;

    if (!text)
        return fail(f, FAIL_INPUT, "line %zu: 'text' must be a string", line);
    if (!*category && cJSON_HasObjectItem(object, "category") &&
        !cJSON_IsString(cJSON_GetObjectItemCaseSensitive(object, "category")))
        return fail(f, FAIL_INPUT, "line %zu: 'category' must be a string", line);
    pile = pile_named(p, category);
    if (p->names.n > CATEGORIES_MOST)
        return fail(f, FAIL_INPUT, "line %zu: more than %d categories", line, CATEGORIES_MOST);
    if (pile->n)
        add_bytes(pile, "\n\n", 2, p->arena);
    add_bytes(pile, text, strlen(text), p->arena);
    return 0;
}

static int read_jsonl(struct texts *t, const char *text, size_t n, struct arena *a, struct fail *f)
{
    struct piles piles = { .arena = a };
    struct arena tmp = {0};
    struct lines lines;
    const cJSON *object;
    int bad = lines_open(&lines, text, n, f);

    while (!bad && (object = lines_next_json(&lines, &tmp, f))) {
        bad = add_object(&piles, object, lines.no, f);
        arena_reset(&tmp);
    }
    arena_release(&tmp);
    if (bad || failed(f))
        return -1;
    t->n = piles.names.n;
    t->part = arena_array(a, struct text_part, t->n);
    for (size_t i = 0; i < t->n; i++)
        t->part[i] = (struct text_part){ piles.names.name[i], piles.item[i].text, piles.item[i].n };
    return t->n ? 0 : fail(f, FAIL_INPUT, "holds no texts");
}

static bool is_jsonl(const char *path, const char *text, size_t n)
{
    static const char *const endings[] = { ".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz" };
    struct arena tmp = {0};
    struct fail ignored = {0};
    const char *end = memchr(text, '\n', n);
    bool is = false;

    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        is = is || ends_with(path, endings[i]);
    if (!is && n && text[strspn(text, "\xEF\xBB\xBF \t")] == '{')
        is = cJSON_HasObjectItem(json_parse(text, end ? (size_t)(end - text) : n, "", &tmp, &ignored), "text");
    arena_release(&tmp);
    return is;
}

static void take_builtin(struct texts *t, struct arena *a)
{
    *t = (struct texts){ .part = arena_array(a, struct text_part, builtin_parts_n), .n = builtin_parts_n, .builtin = true };
    for (size_t i = 0; i < t->n; i++) {
        t->part[i] = builtin_parts[i];
        t->part[i].nbytes = strlen(t->part[i].text);
    }
}

int texts_read(struct texts *t, const char *path, struct arena *a, struct fail *f)
{
    size_t n;
    char *text;

    if (!path) {
        take_builtin(t, a);
        return 0;
    }
    *t = (struct texts){0};
    if (!(text = gzip_read_text(path, TEXT_LIMIT, a, &n, f)))
        return -1;
    if (is_jsonl(path, text, n))
        return read_jsonl(t, text, n, a, f) != 0 ? fail_in(f, path) : 0;
    *t = (struct texts){ .part = arena_new(a, struct text_part), .n = 1, .plain = true };
    *t->part = (struct text_part){ "", text, n };
    return 0;
}

/* ---- cutting ---- */

/* A category's tokens: whole chunks, and perhaps a shorter one behind them. */
struct cut {
    const int32_t *token;
    size_t n, chunks, taken;
};

static size_t chunk_length(const struct cut *c, size_t k, size_t context)
{
    size_t left = c->n - k * context;

    return left < context ? left : context;
}

static int tokenize(struct cut *cut, const struct texts *t, const struct vocab *v, size_t context, struct arena *a, struct fail *f)
{
    struct tokenizer *tokenizer = tokenizer_open(v, f);
    int bad = tokenizer ? 0 : -1;

    for (size_t i = 0; i < t->n && !bad; i++) {
        struct cut *c = &cut[i];
        c->token = tokenizer_encode(tokenizer, t->part[i].text, t->part[i].nbytes, (struct token_options){ .add_special = true }, a, &c->n, f);
        bad = c->token ? 0 : -1;
        c->chunks = c->n / context + (c->n % context >= TEXTS_LEAST);
    }
    tokenizer_close(tokenizer);
    return bad;
}

/* One chunk of each category after the other, until there are `most` of them; the number taken. */
static size_t take_in_turn(struct cut *cut, size_t n, size_t most)
{
    size_t taken = 0;

    for (bool any = true; any;) {
        any = false;
        for (size_t i = 0; i < n; i++)
            if (cut[i].taken < cut[i].chunks && (!most || taken < most)) {
                cut[i].taken++;
                taken++;
                any = true;
            }
    }
    return taken;
}

/* Chunk `to` of the input becomes chunk k of the category: padded, which nothing before it sees, and its second half scored. */
static void add_chunk(struct score_input *in, int32_t *token, size_t *at, int32_t *next, const struct cut *c, size_t k, size_t to,
                      size_t source_context, const struct vocab *v)
{
    size_t length = chunk_length(c, k, source_context), base = to * in->context;
    const int32_t *from = c->token + k * source_context;

    for (size_t i = 0; i < in->context; i++)
        token[base + i] = from[i < length ? i : length - 1];
    if (v->add_bos && v->bos >= 0)
        token[base] = v->bos;
    for (size_t i = length / 2; i + 1 < length; i++) {
        at[in->n] = base + i;
        next[in->n++] = token[base + i + 1];
    }
}

static struct groups fill(struct score_input *in, struct cut *cut, const struct texts *t, const struct vocab *v, size_t context,
                          struct arena *a)
{
    size_t places = in->nchunks * in->context, chunk = 0, *at = arena_array(a, size_t, places), *of = arena_array(a, size_t, places);
    int32_t *token = arena_array(a, int32_t, places), *next = arena_array(a, int32_t, places);
    const char **name = arena_array(a, const char *, t->n);

    for (size_t i = 0; i < t->n; i++) {
        name[i] = *t->part[i].category ? t->part[i].category : "no category";
        for (size_t k = 0; k < cut[i].taken; k++) {
            size_t before = in->n;
            add_chunk(in, token, at, next, &cut[i], k, chunk++, context, v);
            for (size_t p = before; p < in->n; p++)
                of[p] = i;
        }
    }
    in->token = token;
    in->at = at;
    in->next = next;
    return t->n > 1 || *t->part[0].category ? groups_of(name, t->n, of, in->n, a) : (struct groups){0};
}

int texts_input(struct score_input *in, struct groups *groups, const struct texts *t, const struct vocab *v, const struct score_options *o,
                struct arena *a, struct fail *f)
{
    size_t context = o->context ? o->context : CHUNK_CONTEXT, all = 0;
    struct cut *cut;

    *groups = (struct groups){0};
    if (t->plain)
        return score_input_of(in, v, t->part->text, t->part->nbytes, o, a, f);
    if (context < 3)
        return fail(f, FAIL_USAGE, "a context of %zu tokens leaves none to score: 3 are needed", context);
    cut = arena_array(a, struct cut, t->n);
    if (tokenize(cut, t, v, context, a, f) != 0)
        return -1;
    *in = (struct score_input){ .nchunks = take_in_turn(cut, t->n, o->chunks) };
    for (size_t i = 0; i < t->n; i++) {
        size_t longest = cut[i].taken ? chunk_length(&cut[i], 0, context) : 0;
        all += cut[i].n;
        in->context = longest > in->context ? longest : in->context;
    }
    if (!in->nchunks)
        return fail(f, FAIL_INPUT, "the texts are too short: %zu tokens, where %d of one category are the least", all, TEXTS_LEAST);
    *groups = fill(in, cut, t, v, context, a);
    return 0;
}
