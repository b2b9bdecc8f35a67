/* imatrix.c - see imatrix.h. The older layout, all numbers little-endian:
 *
 *     i32 entries
 *     entries:  i32 length of the name | name | i32 calls | i32 values | f32 values
 *     then, in files since April 2024:  i32 chunks | i32 length of a name | name of the text */
#include "convert/imatrix.h"

#include "formats/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum {
    LEAST_ENTRY = 4 + 1 + 4 + 4 + 4     /* bytes of an entry in a .dat file: a name of one byte, one value */
};

struct reading {
    struct imatrix *m;
    size_t cap;
    struct name_index seen;
    struct fail *f;
};

/* ---- what any file must satisfy ---- */
static int check_sums(const struct imatrix_entry *e, struct fail *f)
{
    for (uint64_t i = 0; i < e->nmatrices * e->ncolumns; i++)
        if (!(e->sum[i] >= 0 && isfinite(e->sum[i]))) {
            fail(f, FAIL_INPUT, "entry '%s' has the sum of squares %g at index %" PRIu64, e->name, (double)e->sum[i], i);
            return fail_hint(f, "the matrix is damaged, or the model it was computed on is: compute it again");
        }
    return 0;
}

static int add_entry(struct reading *r, struct imatrix_entry e)
{
    struct imatrix *m = r->m;

    if (check_sums(&e, r->f))
        return -1;
    if (!name_index_add(&r->seen, &m->arena, e.name))
        return fail(r->f, FAIL_INPUT, "entry '%s' stands twice in the matrix", e.name);
    m->entry = arena_grow(&m->arena, m->entry, &r->cap, m->n + 1, sizeof *m->entry);
    m->entry[m->n++] = e;
    return 0;
}

/* ---- the older kind ---- */
/* A count that the file gives: -1 for a negative one. */
static int64_t read_i32(struct cursor *c)
{
    return (int32_t)cursor_u32(c);
}

static int fail_cut(const struct cursor *c, const char *inside, int64_t i, struct fail *f)
{
    fail(f, FAIL_INPUT, "ends after %" PRIu64 " bytes inside %s %" PRId64, c->nbytes, inside, i);
    return fail_hint(f, "the file is incomplete, or no importance matrix");
}

static int read_legacy_entry(struct reading *r, struct cursor *c, int64_t i)
{
    struct imatrix *m = r->m;
    struct imatrix_entry e = { .nmatrices = 1 };
    int64_t length = read_i32(c), nvalues;
    const uint8_t *name = length < 0 ? NULL : cursor_bytes(c, (uint64_t)length), *values;
    int64_t *count = arena_new(&m->arena, int64_t);

    *count = read_i32(c);
    nvalues = read_i32(c);
    if (cursor_ok(c) && (length < 1 || nvalues < 1 || memchr(name, 0, (size_t)length)))
        return fail(r->f, FAIL_INPUT, "entry %" PRId64 " has a name of %" PRId64 " bytes and %" PRId64 " values", i, length,
                    nvalues);
    values = cursor_bytes(c, 4 * (uint64_t)nvalues);
    if (!cursor_ok(c))
        return fail_cut(c, "entry", i, r->f);
    e.name = arena_copy(&m->arena, name, (size_t)length);
    e.ncolumns = (uint64_t)nvalues;
    e.sum = memcpy(arena_raw(&m->arena, 4 * (size_t)nvalues), values, 4 * (size_t)nvalues);
    e.count = count;
    return add_entry(r, e);
}

static void set_dataset(struct imatrix *m, const char *name)
{
    const char **list = arena_new(&m->arena, const char *);

    *list = name;
    m->dataset = list;
    m->ndatasets = 1;
}

static int read_legacy_end(struct reading *r, struct cursor *c)
{
    int64_t chunks = read_i32(c), length = cursor_left(c) ? read_i32(c) : 0;
    const uint8_t *name = length < 0 ? NULL : cursor_bytes(c, (uint64_t)length);

    if (!cursor_ok(c) || length < 0)
        return fail_cut(c, "what follows entry", (int64_t)r->m->n - 1, r->f);
    r->m->nchunks = chunks > 0 ? (uint64_t)chunks : 0;
    if (length)
        set_dataset(r->m, arena_copy(&r->m->arena, name, (size_t)length));
    return 0;
}

static int read_legacy(struct reading *r, struct cursor c)
{
    int64_t n = read_i32(&c);

    if (!cursor_ok(&c) || n < 1 || (uint64_t)n > cursor_left(&c) / LEAST_ENTRY) {
        fail(r->f, FAIL_INPUT, "is no importance matrix: neither a GGUF file nor a list of entries");
        return fail_hint(r->f, "llama-imatrix and bantam imatrix make them");
    }
    r->m->legacy = true;
    for (int64_t i = 0; i < n; i++)
        if (read_legacy_entry(r, &c, i))
            return -1;
    return cursor_left(&c) ? read_legacy_end(r, &c) : 0;
}

/* ---- the GGUF kind ---- */
static const float *all_values(struct imatrix *m, struct model *g, const struct tensor *t, struct fail *f)
{
    struct arena tmp = {0};
    const float *x = model_rows_f32(g, t, 0, tensor_rows(t), &tmp, f);
    size_t n = (size_t)tensor_weights(t);
    float *kept = x ? memcpy(arena_raw(&m->arena, n * sizeof *x), x, n * sizeof *x) : NULL;

    arena_release(&tmp);
    return kept;
}

static int read_counts(struct imatrix *m, struct imatrix_entry *e, const float *x, struct fail *f)
{
    int64_t *count = arena_array(&m->arena, int64_t, e->nmatrices);

    for (uint64_t i = 0; i < e->nmatrices; i++) {
        if (!(x[i] >= 0 && x[i] < 0x1p62f))
            return fail(f, FAIL_INPUT, "entry '%s' has the count %g at index %" PRIu64, e->name, (double)x[i], i);
        count[i] = llroundf(x[i]);
    }
    e->count = count;
    return 0;
}

static int read_pair(struct reading *r, struct model *g, const struct tensor *sums, const char *name)
{
    struct imatrix *m = r->m;
    const struct tensor *counts = model_tensor(g, arena_printf(&m->arena, "%s.counts", name));
    struct imatrix_entry e = { .name = name };
    const float *count;
    uint64_t n = tensor_weights(sums);

    if (!counts)
        return fail(r->f, FAIL_INPUT, "entry '%s' has sums, but no counts", name);
    if (strcmp(sums->type->name, "f32") != 0 || strcmp(counts->type->name, "f32") != 0)
        return fail(r->f, FAIL_INPUT, "entry '%s' has sums of type %s and counts of type %s, not F32", name, sums->type->label,
                    counts->type->label);
    e.nmatrices = tensor_weights(counts);
    if (n == 0 || e.nmatrices == 0 || n % e.nmatrices)
        return fail(r->f, FAIL_INPUT, "entry '%s' has %" PRIu64 " sums and %" PRIu64 " counts", name, n, e.nmatrices);
    e.ncolumns = n / e.nmatrices;
    if (!(e.sum = all_values(m, g, sums, r->f)) || !(count = all_values(m, g, counts, r->f)) || read_counts(m, &e, count, r->f))
        return -1;
    return add_entry(r, e);
}

static void read_datasets(struct imatrix *m, const struct meta *meta)
{
    const struct meta_value *v = meta_get(meta, "imatrix.datasets");
    const char **list;

    if (!v || v->type != META_ARRAY || v->a.type != META_STRING)
        return;
    m->ndatasets = v->a.n;
    m->dataset = list = arena_array(&m->arena, const char *, m->ndatasets);
    for (size_t i = 0; i < m->ndatasets; i++)
        list[i] = arena_strdup(&m->arena, ((const struct meta_string *)v->a.items)[i].s);
}

/* "NAME[expert]=tokens" each, in the key that bantam imatrix --min-tokens writes (verify/sums.h); of an unknown entry: no matter. */
static void read_starved(struct reading *r, const struct meta *meta)
{
    const struct meta_value *v = meta_get(meta, "bantam.imatrix.starved");

    for (uint64_t i = 0; v && v->type == META_ARRAY && v->a.type == META_STRING && i < v->a.n; i++) {
        const char *text = ((const struct meta_string *)v->a.items)[i].s, *end = strrchr(text, '[');
        int64_t at = end ? name_index_find(&r->seen, arena_copy(&r->m->arena, text, (size_t)(end - text))) : -1;
        if (at >= 0 && r->m->entry[at].nstarved < r->m->entry[at].nmatrices)
            r->m->entry[at].nstarved++;
    }
}

static int read_gguf(struct reading *r, struct model *g)
{
    static const char suffix[] = ".in_sum2";
    struct imatrix *m = r->m;

    for (size_t i = 0; i < g->ntensors; i++) {
        const struct tensor *t = &g->tensor[i];
        size_t n = strlen(t->name);

        if (ends_with(t->name, suffix) && read_pair(r, g, t, arena_copy(&m->arena, t->name, n - strlen(suffix))))
            return -1;
    }
    if (!m->n) {
        fail(r->f, FAIL_INPUT, "is a GGUF file of type '%s' without sums of squares, no importance matrix",
             meta_str(&g->meta, "general.type", "model"));
        return fail_hint(r->f, "llama-imatrix and bantam imatrix make them");
    }
    m->nchunks = meta_u64(&g->meta, "imatrix.chunk_count", 0);
    m->chunk_size = meta_u64(&g->meta, "imatrix.chunk_size", 0);
    read_datasets(m, &g->meta);
    read_starved(r, &g->meta);
    return 0;
}

/* ---- both ---- */
static uint64_t digest_all(const struct imatrix *m)
{
    uint64_t digest = m->legacy;

    for (size_t i = 0; i < m->n; i++) {
        const struct imatrix_entry *e = &m->entry[i];

        digest = XXH3_64bits_withSeed(e->name, strlen(e->name), digest);
        digest = XXH3_64bits_withSeed(e->sum, e->nmatrices * e->ncolumns * sizeof *e->sum, digest);
        digest = XXH3_64bits_withSeed(e->count, e->nmatrices * sizeof *e->count, digest);
    }
    return digest;
}

static int read_any(struct reading *r, const struct file *file)
{
    struct model *g;
    int bad;

    if (file->nbytes < 4 || memcmp(file->data, "GGUF", 4) != 0)
        return read_legacy(r, cursor_at(file->data, file->nbytes));
    if (!(g = format_named("gguf")->open(file->path, r->f)))
        return -1;
    bad = read_gguf(r, g);
    model_close(g);
    return bad;
}

struct imatrix *imatrix_open(const char *path, struct fail *f)
{
    struct arena a = {0};
    struct imatrix *m = arena_new(&a, struct imatrix);
    struct reading r = { .m = m, .f = f };
    struct file file;
    int bad;

    m->arena = a;
    m->path = arena_strdup(&m->arena, path);
    bad = file_open(&file, path, f);
    if (!bad) {
        bad = read_any(&r, &file);
        file_close(&file);
    }
    if (!bad) {
        m->digest = digest_all(m);
        return m;
    }
    fail_in(f, path);
    imatrix_close(m);
    return NULL;
}

void imatrix_close(struct imatrix *m)
{
    if (m)
        arena_release(&m->arena);
}

static bool contains_one(const char *name, const char *const *list)
{
    for (; list && *list; list++)
        if (strstr(name, *list))
            return true;
    return false;
}

void imatrix_select(struct imatrix *m, const char *const *include, const char *const *exclude)
{
    size_t n = 0;

    for (size_t i = 0; i < m->n; i++)
        if ((!include || !*include || contains_one(m->entry[i].name, include)) && !contains_one(m->entry[i].name, exclude))
            m->entry[n++] = m->entry[i];
    m->n = n;
    m->digest = digest_all(m);
}

/* ---- against a model ---- */
struct matching {
    const struct imatrix *m;
    struct imatrix_match *out;
    struct name_index names;
    struct arena *a;
    struct fail *f;
};

static void remark(struct matching *g, enum imatrix_remark_kind kind, const char *name, uint64_t n, uint64_t of)
{
    struct imatrix_match *o = g->out;

    o->remark = arena_grow(g->a, o->remark, &o->cap, o->nremarks + 1, sizeof *o->remark);
    o->remark[o->nremarks++] = (struct imatrix_remark){ kind, name, n, of };
}

/* Means of squares. An expert that saw nothing: ones. A .dat file without calls: as it is. */
static const float *weights_of(struct matching *g, const struct imatrix_entry *e, const struct tensor *t)
{
    uint64_t n = e->nmatrices * e->ncolumns, zeros = 0, unseen = 0;
    float *w = arena_raw(g->a, n * sizeof *w);

    for (uint64_t k = 0; k < e->nmatrices; k++) {
        float count = (float)e->count[k];

        unseen += !(count > 0) && !g->m->legacy;
        for (uint64_t i = k * e->ncolumns; i < (k + 1) * e->ncolumns; i++)
            zeros += (w[i] = count > 0 ? e->sum[i] / count : g->m->legacy ? e->sum[i] : 1) == 0;
    }
    if (unseen)
        remark(g, IMATRIX_UNSEEN, t->name, unseen, e->nmatrices);
    if (e->nstarved)
        remark(g, IMATRIX_STARVED, t->name, e->nstarved, e->nmatrices);
    if (zeros)
        remark(g, IMATRIX_ZERO, t->name, zeros, n);
    return w;
}

static bool is_embedding(const char *name)
{
    return strcmp(name, "token_embd.weight") == 0 || strcmp(name, "per_layer_token_embd.weight") == 0;
}

static int match_tensor(struct matching *g, const struct tensor *t, const char *name, const float **weight)
{
    int64_t at = name_index_find(&g->names, name);
    uint64_t want = tensor_row(t) * (t->rank > 2 ? tensor_rows(t) / t->shape[t->rank - 2] : 1);

    if (at < 0) {
        if (!is_embedding(name) && strcmp(name, "output.weight") != 0)
            remark(g, IMATRIX_ABSENT, t->name, 0, 0);
        return 0;
    }
    const struct imatrix_entry *e = &g->m->entry[at];
    uint64_t n = e->nmatrices * e->ncolumns;

    if (n == want) {
        *weight = weights_of(g, e, t);
        g->out->used++;
        return 0;
    }
    if (is_embedding(name)) {
        remark(g, IMATRIX_LENGTH, t->name, n, want);
        return 0;
    }
    fail(g->f, FAIL_INPUT, "entry '%s' has %" PRIu64 " values, tensor '%s' needs %" PRIu64, e->name, n, t->name, want);
    return fail_hint(g->f, "the matrix belongs to another model; --exclude-weights %s does without it", e->name);
}

/* Entries that no tensor of the model has the name of: layers that were dropped since are no surprise. */
static void find_unknown(struct matching *g, const struct model *m, const char *const *before, size_t *known)
{
    struct name_index names = {0};

    for (size_t i = 0; i < m->ntensors; i++)
        name_index_add(&names, g->a, before ? before[i] : m->tensor[i].name);
    for (size_t i = 0; i < g->m->n; i++)
        if (name_index_find(&names, g->m->entry[i].name) >= 0)
            ++*known;
        else if (!before)
            remark(g, IMATRIX_UNKNOWN, g->m->entry[i].name, 0, 0);
}

int imatrix_match(const struct imatrix *m, const struct model *model, const struct recipe_choice *choice,
                  const char *const *before, struct imatrix_match *out, struct arena *a, struct fail *f)
{
    struct matching g = { .m = m, .out = out, .a = a, .f = f };
    size_t known = 0;

    *out = (struct imatrix_match){ .weight = arena_array(a, const float *, model->ntensors) };
    for (size_t i = 0; i < m->n; i++)
        name_index_add(&g.names, a, m->entry[i].name);
    for (size_t i = 0; i < model->ntensors; i++) {
        const struct tensor *t = &model->tensor[i];

        if (choice[i].type != t->type && choice[i].type->block > 1 &&
            match_tensor(&g, t, before ? before[i] : t->name, &out->weight[i]))
            return fail_in(f, m->path);
    }
    find_unknown(&g, model, before, &known);
    if (known || !m->n)
        return 0;
    fail(f, FAIL_INPUT, "none of its %zu entries has the name of a tensor; the first is '%s'", m->n, m->entry[0].name);
    fail_hint(f, "the matrix belongs to another model");
    return fail_in(f, m->path);
}

const char *imatrix_remark_text(enum imatrix_remark_kind kind)
{
    static const char *const texts[] = {
        [IMATRIX_UNKNOWN] = "no such tensor in the model",
        [IMATRIX_ABSENT] = "not in the matrix, encoded without importance",
        [IMATRIX_LENGTH] = "of another length, not used",
        [IMATRIX_UNSEEN] = "experts that saw no token, encoded without importance",
        [IMATRIX_STARVED] = "experts saw too few tokens, their importance is shrunk towards the others'",
        [IMATRIX_ZERO] = "columns never saw anything but zeros: where a whole group is, some encodings erase it",
    };

    return texts[kind];
}

void imatrix_provenance(const struct imatrix *m, struct meta *meta, struct arena *a)
{
    static const char *const keys[] = {
        "quantize.imatrix.file", "quantize.imatrix.dataset", "quantize.imatrix.entries_count", "quantize.imatrix.chunks_count"
    };

    for (size_t i = 0; i < 4; i++)
        meta_remove(meta, keys[i]);
    if (!m || !m->n)
        return;
    meta_set_str(meta, a, keys[0], m->path);
    if (m->ndatasets)
        meta_set_str(meta, a, keys[1], m->dataset[0]);
    meta_set_u32(meta, a, keys[2], (uint32_t)m->n);
    if (m->nchunks)
        meta_set_u32(meta, a, keys[3], (uint32_t)m->nchunks);
}
