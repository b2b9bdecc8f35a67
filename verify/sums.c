/* sums.c - see sums.h: the table, the file, the figures. */
#include "verify/sums.h"

#include "formats/output.h"
#include "verify/chunks.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 256 };         /* of one thread at a time: their sums stay in its nearest cache */

static const char SUMS[] = ".in_sum2", COUNTS[] = ".counts", KEY_DIGEST[] = "bantam.imatrix.digest",
                  KEY_CHUNKS[] = "imatrix.chunk_count", KEY_CONTEXT[] = "imatrix.chunk_size", KEY_TEXTS[] = "imatrix.datasets";

void sums_release(struct sums *s)
{
    arena_release(&s->arena);
    *s = (struct sums){0};
}

/* ---- the table ---- */

struct sums_entry *sums_entry(struct sums *s, const char *name, size_t experts, size_t columns)
{
    int64_t at = name_index_find(&s->names, name);
    struct sums_entry *e;

    if (at >= 0) {
        assert((size_t)at < s->n);
        e = &s->entry[at];
        return e->experts == experts && e->columns == columns ? e : NULL;
    }
    name = arena_strdup(&s->arena, name);
    name_index_add(&s->names, &s->arena, name);
    s->entry = arena_grow(&s->arena, s->entry, &s->cap, s->n + 1, sizeof *s->entry);
    e = &s->entry[s->n++];
    *e = (struct sums_entry){ .name = name, .experts = experts, .columns = columns };
    e->sum = arena_array_of(&s->arena, experts, columns * sizeof *e->sum);
    e->count = arena_array(&s->arena, uint64_t, experts);
    return e;
}

void sums_dataset(struct sums *s, const char *name)
{
    s->dataset = arena_grow(&s->arena, s->dataset, &s->datasets_cap, s->ndatasets + 1, sizeof *s->dataset);
    s->dataset[s->ndatasets++] = arena_strdup(&s->arena, name);
}

static void add_columns(double *restrict sum, const float *restrict x, size_t n, size_t stride, size_t columns)
{
    for (size_t t = 0; t < n; t++, x += stride) {
#pragma omp simd
        for (size_t i = 0; i < columns; i++)
            sum[i] += (double)x[i] * (double)x[i];
    }
}

void sums_add(struct sums_entry *e, size_t expert, const float *x, size_t n)
{
    double *sum = e->sum + expert * e->columns;

#pragma omp parallel for schedule(static)
    for (size_t first = 0; first < e->columns; first += COLUMNS) {
        size_t some = e->columns - first < COLUMNS ? e->columns - first : COLUMNS;
        add_columns(sum + first, x + first, n, e->columns, some);
    }
    e->count[expert] += n;
}

uint64_t sums_least(const struct sums *s)
{
    uint64_t least = s->n ? UINT64_MAX : 0;

    for (size_t i = 0; i < s->n; i++)
        for (size_t k = 0; k < s->entry[i].experts; k++)
            least = s->entry[i].count[k] < least ? s->entry[i].count[k] : least;
    return least;
}

struct starved *sums_starved(const struct sums *s, uint64_t least, struct arena *a, size_t *n)
{
    struct starved *list = NULL;
    size_t cap = 0;

    *n = 0;
    for (size_t i = 0; i < s->n; i++)
        for (size_t k = 0; s->entry[i].experts > 1 && k < s->entry[i].experts; k++) {
            const struct sums_entry *e = &s->entry[i];
            if (e->count[k] >= (least ? least : 1))
                continue;
            list = arena_grow(a, list, &cap, *n + 1, sizeof *list);
            list[(*n)++] = (struct starved){ arena_strdup(a, e->name), k, e->count[k] };
        }
    return list;
}

/* With c tokens and the sum S, the mean becomes (S + (least - c) M) / least, and is stored as a sum of max(c, 1) tokens. */
static void shrink_entry(struct sums_entry *e, const double *mean, uint64_t least)
{
    for (size_t k = 0; k < e->experts; k++) {
        double *sum = e->sum + k * e->columns, pull = (double)(least - e->count[k]);
        if (e->count[k] >= least)
            continue;
        e->count[k] = e->count[k] ? e->count[k] : 1;
        for (size_t i = 0; i < e->columns; i++)
            sum[i] = (sum[i] + pull * mean[i]) * (double)e->count[k] / (double)least;
    }
}

void sums_shrink(struct sums *s, uint64_t least)
{
    struct arena tmp = {0};

    for (size_t n = 0; n < s->n; n++) {
        struct sums_entry *e = &s->entry[n];
        double *mean = arena_array(&tmp, double, e->columns);
        uint64_t all = 0;

        for (size_t k = 0; k < e->experts; k++)
            all += e->count[k];
        for (size_t i = 0; i < e->experts * e->columns; i++)
            mean[i % e->columns] += e->sum[i] / (double)(all ? all : 1);
        if (e->experts > 1 && all)
            shrink_entry(e, mean, least);
        arena_reset(&tmp);
    }
    arena_release(&tmp);
}

int sums_check(const struct sums *s, struct fail *f)
{
    for (size_t n = 0; n < s->n; n++)
        for (size_t i = 0; i < s->entry[n].experts * s->entry[n].columns; i++)
            if (!isfinite((float)s->entry[n].sum[i]))
                return fail(f, FAIL_INPUT, "the inputs of tensor '%s' are not finite, or too large, in column %zu",
                            s->entry[n].name, i % s->entry[n].columns);
    return 0;
}

/* ---- several files as one ---- */

/* One file in doubles. In a .dat file a count is of chunks; without any it holds means. */
static void take_file(struct sums *s, const struct imatrix *from, uint64_t unit)
{
    for (size_t n = 0; n < from->n; n++) {
        const struct imatrix_entry *e = &from->entry[n];
        struct sums_entry *to = sums_entry(s, e->name, e->nmatrices, e->ncolumns);

        for (size_t i = 0; i < to->experts * to->columns; i++)
            to->sum[i] = (double)e->sum[i] * (double)unit;
        for (size_t k = 0; k < to->experts; k++)
            to->count[k] = (e->count[k] > 0 ? (uint64_t)e->count[k] : from->legacy) * unit;
    }
}

/* An expert that saw nothing has ones for means where all experts have one count. */
static bool all_ones(const double *sum, size_t columns, uint64_t count)
{
    for (size_t i = 0; i < columns; i++)
        if (sum[i] != (double)count)
            return false;
    return true;
}

/* An entry of a .dat file does not tell that it is of several experts: another file does. */
static void split_entry(struct sums *s, struct sums_entry *e, size_t experts)
{
    uint64_t count = e->count[0];

    e->columns /= experts;
    e->experts = experts;
    e->count = arena_array(&s->arena, uint64_t, experts);
    for (size_t k = 0; k < experts; k++) {
        double *sum = e->sum + k * e->columns;
        if (all_ones(sum, e->columns, count))
            memset(sum, 0, e->columns * sizeof *sum);
        else
            e->count[k] = count;
    }
}

static int add_entry(struct sums *s, struct sums *more, struct sums_entry *e, struct fail *f)
{
    int64_t at = name_index_find(&s->names, e->name);
    struct sums_entry *to = at < 0 ? sums_entry(s, e->name, e->experts, e->columns) : &s->entry[at];

    if (to->experts == 1 && e->experts > 1 && to->columns == e->experts * e->columns)
        split_entry(s, to, e->experts);
    else if (e->experts == 1 && to->experts > 1 && e->columns == to->experts * to->columns)
        split_entry(more, e, to->experts);
    if (to->experts != e->experts || to->columns != e->columns) {
        fail(f, FAIL_INPUT, "'%s' has %zu columns of %zu experts, in the files before it %zu of %zu", e->name, e->columns, e->experts,
             to->columns, to->experts);
        return fail_hint(f, "add up matrices of one model only");
    }
    for (size_t i = 0; i < to->experts * to->columns; i++)
        to->sum[i] += e->sum[i];
    for (size_t k = 0; k < to->experts; k++)
        to->count[k] += e->count[k];
    return 0;
}

int sums_merge(struct sums *s, const struct imatrix *from, struct fail *f)
{
    uint64_t context = from->chunk_size, unit;
    struct sums more = {0};
    int bad = 0;

    s->context = s->context ? s->context : context ? context : CHUNK_CONTEXT;
    context = context ? context : s->context;
    unit = from->legacy ? s->context : 1;
    s->chunks += context == s->context ? from->nchunks : (from->nchunks * context + s->context / 2) / s->context;
    for (size_t i = 0; i < from->ndatasets; i++)
        sums_dataset(s, from->dataset[i]);
    take_file(&more, from, unit);
    for (size_t n = 0; n < more.n && !bad; n++)
        bad = add_entry(s, &more, &more.entry[n], f);
    sums_release(&more);
    return bad;
}

/* ---- the file ---- */

/* The sums as a model in memory: two tensors an entry, sorted by name. */
struct sheet {
    struct model base;
    const struct sums_entry **entry;    /* of tensors 2 i and 2 i + 1 */
};

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const struct sums_entry *const *)a)->name, (*(const struct sums_entry *const *)b)->name);
}

static void add_tensor(struct model *m, const struct sums_entry *e, const char *suffix, size_t columns, const struct qtype *type)
{
    struct tensor *t = &m->tensor[m->ntensors++];

    *t = (struct tensor){ .name = arena_printf(&m->arena, "%s%s", e->name, suffix), .type = type, .rank = 1, .shape = { columns } };
    if (e->experts > 1) {
        t->rank = 2;
        t->shape[0] = e->experts;
        t->shape[1] = columns;
    }
}

static void set_strings(struct model *m, const char *key, const char *const *item, size_t n)
{
    struct meta_string *list = arena_array(&m->arena, struct meta_string, n);

    for (size_t i = 0; i < n; i++)
        list[i] = (struct meta_string){ item[i], strlen(item[i]) };
    meta_set_array(&m->meta, &m->arena, key, META_STRING, n, list);
}

static void sheet_open(struct sheet *x, const struct sums *s, const char *type)
{
    struct model *m = &x->base;

    *x = (struct sheet){0};
    meta_set_str(&m->meta, &m->arena, "general.type", "imatrix");
    set_strings(m, KEY_TEXTS, s->dataset, s->ndatasets);
    meta_set_u32(&m->meta, &m->arena, KEY_CHUNKS, (uint32_t)s->chunks);
    meta_set_u32(&m->meta, &m->arena, KEY_CONTEXT, (uint32_t)s->context);
    x->entry = arena_array(&m->arena, const struct sums_entry *, s->n);
    for (size_t i = 0; i < s->n; i++)
        x->entry[i] = &s->entry[i];
    qsort(x->entry, s->n, sizeof *x->entry, by_name);
    m->tensor = arena_array(&m->arena, struct tensor, 2 * s->n);
    for (size_t i = 0; i < s->n; i++) {
        add_tensor(m, x->entry[i], SUMS, x->entry[i]->columns, qtype_named(type));
        add_tensor(m, x->entry[i], COUNTS, 1, qtype_named(type));
    }
}

static void put_number(void *out, size_t i, double value, bool wide)
{
    float narrow = (float)value;

    if (wide)
        memcpy((char *)out + i * sizeof value, &value, sizeof value);
    else
        memcpy((char *)out + i * sizeof narrow, &narrow, sizeof narrow);
}

/* A matrix of the largest models has some tens of megabytes, so the file is put together in memory. */
static int sheet_write(struct sheet *x, const char *path, bool wide, struct fail *f)
{
    struct plan plan = {0};
    struct plan_options whole = {0};
    uint8_t *bytes = NULL;
    int bad = format_named("gguf")->plan(&x->base, path, &whole, &plan, f);

    if (!bad) {
        bytes = arena_alloc(&x->base.arena, plan.nbytes);
        memcpy(bytes, plan.file[0].head, plan.file[0].head_nbytes);
    }
    for (size_t n = 0; n < x->base.ntensors && !bad; n += 2) {
        const struct sums_entry *e = x->entry[n / 2];
        for (size_t i = 0; i < e->experts * e->columns; i++)
            put_number(bytes + plan.tensor[n].offset, i, e->sum[i], wide);
        for (size_t k = 0; k < e->experts; k++)
            put_number(bytes + plan.tensor[n + 1].offset, k, (double)e->count[k], wide);
    }
    if (!bad)
        bad = file_write(path, bytes, plan.nbytes, f);
    plan_release(&plan);
    arena_release(&x->base.arena);
    return bad ? -1 : 0;
}

int sums_write(const struct sums *s, const char *path, const struct starved *starved, size_t nstarved, uint64_t least,
               struct fail *f)
{
    struct sheet x;
    struct model *m = &x.base;
    const char **text;

    sheet_open(&x, s, "F32");
    if (least) {
        meta_set_u32(&m->meta, &m->arena, "bantam.imatrix.min_tokens", least < UINT32_MAX ? (uint32_t)least : UINT32_MAX);
        text = arena_array(&m->arena, const char *, nstarved);
        for (size_t i = 0; i < nstarved; i++)
            text[i] = arena_printf(&m->arena, "%s[%zu]=%" PRIu64, starved[i].name, starved[i].expert, starved[i].count);
        set_strings(m, "bantam.imatrix.starved", text, nstarved);
    }
    return sheet_write(&x, path, false, f);
}

int sums_save(const struct sums *s, const char *path, const char *digest, struct fail *f)
{
    struct sheet x;

    sheet_open(&x, s, "F64");
    meta_set_str(&x.base.meta, &x.base.arena, KEY_DIGEST, digest);
    return sheet_write(&x, path, true, f);
}

/* The n doubles of a tensor; NULL: it is none of a state's. */
static const void *doubles(struct model *m, const struct tensor *t, struct fail *f)
{
    if (t && strcmp(t->type->label, "F64") == 0 && (t->rank == 1 || t->rank == 2))
        return model_rows(m, t, 0, tensor_rows(t), &m->arena, f);
    fail(f, FAIL_INPUT, "is no state of an importance matrix");
    return NULL;
}

static int take_entry(struct sums *s, struct model *m, const struct tensor *t, struct fail *f)
{
    char *name = arena_copy(&m->arena, t->name, strlen(t->name) - strlen(SUMS));
    const struct tensor *counts = model_tensor(m, arena_printf(&m->arena, "%s%s", name, COUNTS));
    const char *sum = doubles(m, t, f), *count = sum ? doubles(m, counts, f) : NULL;
    struct sums_entry *e;

    if (!count || tensor_weights(counts) != tensor_rows(t))
        return fail(f, FAIL_INPUT, "tensor '%s' and its counts do not agree", t->name);
    e = sums_entry(s, name, tensor_rows(t), tensor_row(t));
    memcpy(e->sum, sum, e->experts * e->columns * sizeof *e->sum);
    for (size_t k = 0; k < e->experts; k++) {
        double c;
        memcpy(&c, count + k * sizeof c, sizeof c);
        if (!(c >= 0 && c < 0x1p53))
            return fail(f, FAIL_INPUT, "tensor '%s' holds %g, which is no count", counts->name, c);
        e->count[k] = (uint64_t)c;
    }
    return 0;
}

static int take_state(struct sums *s, struct model *m, struct fail *f)
{
    size_t n = strlen(SUMS);

    s->chunks = meta_u64(&m->meta, KEY_CHUNKS, 0);
    for (size_t i = 0; i < m->ntensors; i++) {
        const char *name = m->tensor[i].name;
        if (strlen(name) > n && strcmp(name + strlen(name) - n, SUMS) == 0 && take_entry(s, m, &m->tensor[i], f) != 0)
            return -1;
    }
    return 0;
}

int sums_resume(struct sums *s, const char *path, const char *digest, struct fail *f)
{
    struct fail ignored = {0};
    struct model *m = path_exists(path) ? model_open(path, &ignored) : NULL;
    const char *found = m ? meta_str(&m->meta, KEY_DIGEST, NULL) : NULL;
    int bad = 0;

    if (!found && path_exists(path)) {
        fail(f, FAIL_USAGE, "'%s' is in the way: it is no state of bantam's", path);
        bad = fail_hint(f, "move it away, or write to another name");
    } else if (found && strcmp(found, digest) == 0) {
        bad = take_state(s, m, f) ? fail_in(f, path) : 0;
    }
    model_close(m);
    return bad;
}

/* ---- figures ---- */

/* "blk.7.ffn_up.weight" -> "blk.6.ffn_up.weight"; NULL: no layer comes before. */
static const char *name_before(const char *name, struct arena *a)
{
    unsigned layer;
    int n = 0;

    if (sscanf(name, "blk.%u.%n", &layer, &n) != 1 || n == 0 || layer == 0)
        return NULL;
    return arena_printf(a, "blk.%u.%s", layer - 1, name + n);
}

static double similarity(const struct sums *s, const struct sums_entry *e)
{
    struct arena tmp = {0};
    const char *name = name_before(e->name, &tmp);
    int64_t at = name ? name_index_find(&s->names, name) : -1;
    const struct sums_entry *before = at < 0 ? NULL : &s->entry[at];
    double cross = 0, square = 0, square_before = 0;

    arena_release(&tmp);
    if (!before || before->experts != e->experts || before->columns != e->columns)
        return 0;
    for (size_t i = 0; i < e->experts * e->columns; i++) {
        cross += e->sum[i] * before->sum[i];
        square += e->sum[i] * e->sum[i];
        square_before += before->sum[i] * before->sum[i];
    }
    return square > 0 && square_before > 0 ? cross / sqrt(square) / sqrt(square_before) : 0;
}

/* Means per token of the columns of all experts that have seen any; *n of them. */
static double *means(const struct sums_entry *e, struct arena *a, size_t *n)
{
    double *mean = arena_array_of(a, e->experts, e->columns * sizeof *mean);

    *n = 0;
    for (size_t k = 0; k < e->experts; k++)
        for (size_t i = 0; e->count[k] && i < e->columns; i++)
            mean[(*n)++] = e->sum[k * e->columns + i] / (double)e->count[k];
    return mean;
}

struct sums_figures sums_figures(const struct sums *s, const struct sums_entry *e)
{
    struct sums_figures r = { .min = INFINITY };
    struct arena tmp = {0};
    size_t n;
    const double *mean = means(e, &tmp, &n);
    double square = 0;

    for (size_t i = 0; i < n; i++) {
        r.sum += mean[i];
        square += mean[i] * mean[i];
        r.min = fmin(r.min, mean[i]);
        r.max = fmax(r.max, mean[i]);
        r.active += fabs(mean[i]) > 1e-5;
    }
    r.columns = n;
    r.mean = r.sum / (double)(n ? n : 1);
    r.deviation = sqrt(fmax(0, square / (double)(n ? n : 1) - r.mean * r.mean));
    for (size_t i = 0; i < n; i++) {
        double p = mean[i] / r.sum;
        r.entropy -= p > 0 ? p * log2(p) : 0;
        r.outliers += r.deviation > 0 && mean[i] > r.mean + r.deviation;
    }
    r.min = n ? r.min : 0;
    r.active /= (double)(n ? n : 1);
    r.outliers /= (double)(n ? n : 1);
    r.similarity = similarity(s, e);
    arena_release(&tmp);
    return r;
}
