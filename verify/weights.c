/* weights.c - see weights.h. */
#include "verify/weights.h"

#include "verify/rows.h"
#include "verify/stats.h"
#include "verify/sums.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { COMPARED_WEIGHTS = 4 << 20 };    /* of one tensor at a time, in whole rows */

struct comparing {
    struct model *original, *const *candidate;
    size_t n;
    void (*advance)(void *ctx, size_t weights);
    void *ctx;
    struct arena *arena;
};

/* Sums over some weights of a tensor of both. */
struct row_sums {
    struct moments all;
    double worst;                       /* the largest squared error of a block ... */
    uint64_t worst_block, worst_row, worst_n;       /* ... counted through the tensor, and its weights */
    struct findings original, candidate;
};

/* One tensor of the original, and for each candidate its tensor of that name (NULL: it has none) and the sums. */
struct compared {
    const struct tensor *o, **c;
    struct row_sums *sums;
};

static int same_shape(const struct tensor *o, const struct tensor *c, struct fail *f)
{
    if (tensor_same_shape(o, c))
        return 0;
    return fail(f, FAIL_INPUT, "tensor '%s' has another shape in the candidate: %" PRIu64 " rows of %" PRIu64 ", in the original %"
                PRIu64 " of %" PRIu64, o->name, tensor_rows(c), tensor_row(c), tensor_rows(o), tensor_row(o));
}

/* How many candidates have the tensor. */
static size_t find_compared(const struct comparing *w, struct compared *t, const struct tensor *o)
{
    size_t found = 0;

    t->o = o;
    for (size_t k = 0; k < w->n; k++) {
        t->c[k] = model_tensor(w->candidate[k], o->name);
        t->sums[k] = (struct row_sums){0};
        found += t->c[k] != NULL;
    }
    return found;
}

/* ---- one row ---- */

static void look_at(struct findings *found, const float *x, size_t width, uint64_t row)
{
    uint64_t before = found->nan + found->inf;

    for (size_t i = 0; i < width; i++) {
        found->nan += isnan(x[i]) != 0;
        found->inf += isinf(x[i]) != 0;
    }
    if (!before && found->nan + found->inf)
        found->bad_row = row;
}

static bool all_finite(const struct moments *m)
{
    return isfinite(m->original) && isfinite(m->candidate) && isfinite(m->difference);
}

/* Sums of the pairs that are finite on both sides. */
static struct moments finite_moments(const float *x, const float *y, size_t n)
{
    struct moments m = {0};

    for (size_t i = 0; i < n; i++)
        if (isfinite(x[i]) && isfinite(y[i])) {
            struct moments one = moments_of(x + i, y + i, 1);
            moments_add(&m, &one);
        }
    return m;
}

static void sum_row(struct row_sums *s, const float *x, const float *y, size_t width, size_t block, uint64_t row)
{
    uint64_t blocks = (width + block - 1) / block;
    bool odd = false;

    for (size_t b = 0; b < blocks; b++) {
        size_t at = b * block, n = width - at < block ? width - at : block;
        struct moments m = moments_of(x + at, y + at, n);
        if (!all_finite(&m)) {
            odd = true;
            m = finite_moments(x + at, y + at, n);
        }
        moments_add(&s->all, &m);
        if (m.difference > s->worst) {
            s->worst = m.difference;
            s->worst_block = row * blocks + b;
            s->worst_row = row;
            s->worst_n = n;
        }
    }
    if (odd) {
        look_at(&s->original, x, width, row);
        look_at(&s->candidate, y, width, row);
    }
    s->original.zero_rows += !odd && s->all.original == 0;
    s->candidate.zero_rows += !odd && s->all.candidate == 0;
}

static void add_findings(struct findings *to, const struct findings *more)
{
    if (!(to->nan + to->inf) && more->nan + more->inf)
        to->bad_row = more->bad_row;
    to->nan += more->nan;
    to->inf += more->inf;
    to->zero_rows += more->zero_rows;
}

static void add_sums(struct row_sums *to, const struct row_sums *more)
{
    moments_add(&to->all, &more->all);
    if (more->worst > to->worst) {
        to->worst = more->worst;
        to->worst_block = more->worst_block;
        to->worst_row = more->worst_row;
        to->worst_n = more->worst_n;
    }
    add_findings(&to->original, &more->original);
    add_findings(&to->candidate, &more->candidate);
}

/* ---- one tensor ---- */

static size_t block_of(const struct tensor *c)
{
    return c->type->block > 1 ? (size_t)c->type->block : BLOCK_WEIGHTS;
}

/* Both of [first, first + n), each row by one thread, added in order. */
static void add_rows(const float *x, const float *y, uint64_t first, uint64_t n, size_t width, size_t block, struct row_sums *part,
                     struct row_sums *sums)
{
#pragma omp parallel for schedule(dynamic)
    for (uint64_t i = 0; i < n; i++) {
        part[i] = (struct row_sums){0};
        sum_row(&part[i], x + i * width, y + i * width, width, block, first + i);
    }
    for (uint64_t i = 0; i < n; i++)
        add_sums(sums, &part[i]);
}

static int compare_rows(const struct comparing *w, struct compared *t, uint64_t first, uint64_t n, struct arena *tmp, struct fail *f)
{
    size_t width = tensor_row(t->o);
    float *x = arena_raw(tmp, n * width * sizeof *x), *y = arena_raw(tmp, n * width * sizeof *y);
    struct row_sums *part = arena_array(tmp, struct row_sums, n);

    if (rows_decode(w->original, t->o, first, n, x, f) != 0)
        return fail_in(f, w->original->path);
    for (size_t k = 0; k < w->n; k++) {
        if (!t->c[k])
            continue;
        if (rows_decode(w->candidate[k], t->c[k], first, n, y, f) != 0)
            return fail_in(f, w->candidate[k]->path);
        add_rows(x, y, first, n, width, block_of(t->c[k]), part, &t->sums[k]);
        if (w->advance)
            w->advance(w->ctx, n * width);
    }
    return 0;
}

static struct tensor_error error_of(const struct tensor *c, const char *name, const struct row_sums *s)
{
    struct tensor_error e = { .name = name, .type = c->type->label, .tensor = c, .rmse = moments_rmse(&s->all),
                              .nmse = moments_nmse(&s->all), .cosine = moments_cosine(&s->all), .original = s->original,
                              .candidate = s->candidate, .reach = 1 };

    e.worst.index = s->worst_block;
    e.worst.row = s->worst_row;
    e.worst.rmse = s->worst_n ? sqrt(s->worst / (double)s->worst_n) : 0;
    return e;
}

static int compare_tensor(const struct comparing *w, struct compared *t, struct tensor_errors *out, struct fail *f)
{
    uint64_t rows = tensor_rows(t->o), width = tensor_row(t->o), some = COMPARED_WEIGHTS / (width ? width : 1);
    struct arena tmp = {0};
    int bad = 0;

    for (size_t k = 0; k < w->n && !bad; k++)
        if (t->c[k] && same_shape(t->o, t->c[k], f) != 0)
            bad = fail_in(f, w->candidate[k]->path);
    some = some ? some : 1;
    for (uint64_t r = 0; r < rows && !bad; r += some) {
        bad = compare_rows(w, t, r, rows - r < some ? rows - r : some, &tmp, f);
        arena_reset(&tmp);
    }
    arena_release(&tmp);
    for (size_t k = 0; k < w->n && !bad; k++)
        if (t->c[k])
            out[k].item[out[k].n++] = error_of(t->c[k], t->o->name, &t->sums[k]);
    return bad;
}

/* ---- all tensors ---- */

/* The first tensor with numbers that are no numbers is named, others are counted. */
static int refuse_odd(const struct model *m, const struct tensor_errors *errors, bool original, struct fail *f)
{
    const struct findings *first = NULL;
    const char *name = NULL;
    size_t more = 0;
    char others[80] = "";

    for (size_t i = 0; i < errors->n; i++) {
        const struct findings *found = original ? &errors->item[i].original : &errors->item[i].candidate;
        if (!(found->nan + found->inf))
            continue;
        more += first != NULL;
        name = first ? name : errors->item[i].name;
        first = first ? first : found;
    }
    if (!first)
        return 0;
    if (more)
        snprintf(others, sizeof others, "; so %s %zu other tensor%s", more == 1 ? "does" : "do", more, more == 1 ? "" : "s");
    fail(f, FAIL_INPUT, "tensor '%s' of the %s holds %" PRIu64 " NaN and %" PRIu64 " infinite numbers, the first in row %" PRIu64 "%s", name,
         original ? "original" : "candidate", first->nan, first->inf, first->bad_row, others);
    return fail_in(f, m->path);
}

int weights_compare(struct model *original, struct model *const *candidate, size_t n, void (*advance)(void *ctx, size_t weights),
                    void *ctx, struct arena *a, struct tensor_errors *out, struct fail *f)
{
    struct comparing w = { .original = original, .candidate = candidate, .n = n, .advance = advance, .ctx = ctx, .arena = a };
    struct arena tmp = {0};
    struct compared t = { .c = arena_array(&tmp, const struct tensor *, n), .sums = arena_array(&tmp, struct row_sums, n) };
    int bad = 0;

    for (size_t k = 0; k < n; k++)
        out[k] = (struct tensor_errors){ .item = arena_array(a, struct tensor_error, original->ntensors) };
    for (size_t i = 0; i < original->ntensors && !bad; i++)
        if (find_compared(&w, &t, &original->tensor[i]))
            bad = compare_tensor(&w, &t, out, f);
    for (size_t k = 0; k < n && !bad; k++)
        bad = refuse_odd(original, &out[k], true, f) != 0 || refuse_odd(candidate[k], &out[k], false, f) != 0;
    arena_release(&tmp);
    return bad ? -1 : 0;
}

uint64_t weights_total(const struct model *original, struct model *const *candidate, size_t n)
{
    uint64_t total = 0;

    for (size_t i = 0; i < original->ntensors; i++)
        for (size_t k = 0; k < n; k++)
            total += model_tensor(candidate[k], original->tensor[i].name) ? tensor_weights(&original->tensor[i]) : 0;
    return total;
}

/* ---- products ---- */

/* Energies of a product and of its error, so far. */
struct energies {
    double product, error;
};

/* Rows [first, first + n) of expert e of the entry. */
static int product_rows(struct model *m[2], const struct tensor *t[2], const struct sums_entry *e, size_t expert, uint64_t first, uint64_t n,
                        struct arena *tmp, struct energies *all, struct fail *f)
{
    size_t width = e->columns;
    const double *input = e->sum + expert * width;
    float *x[2] = { arena_raw(tmp, n * width * sizeof(float)), arena_raw(tmp, n * width * sizeof(float)) };
    struct energies *part = arena_array(tmp, struct energies, n);

    for (size_t i = 0; i < 2; i++)
        if (rows_decode(m[i], t[i], first, n, x[i], f) != 0)
            return fail_in(f, m[i]->path);
#pragma omp parallel for schedule(dynamic)
    for (uint64_t r = 0; r < n; r++)
        for (size_t j = 0; j < width; j++) {
            double o = x[0][r * width + j], d = o - (double)x[1][r * width + j];
            part[r].product += input[j] * o * o;
            part[r].error += input[j] * d * d;
        }
    for (uint64_t r = 0; r < n; r++) {
        all->product += part[r].product;
        all->error += part[r].error;
    }
    return 0;
}

static int product_error(struct model *m[2], const struct tensor *t[2], const struct sums_entry *e, struct tensor_error *out, struct fail *f)
{
    uint64_t rows = tensor_rows(t[0]) / e->experts, some = COMPARED_WEIGHTS / 4 / (e->columns ? e->columns : 1);
    struct energies all = {0};
    struct arena tmp = {0};
    int bad = 0;

    some = some ? some : 1;
    for (size_t k = 0; k < e->experts && !bad; k++)
        for (uint64_t r = 0; r < rows && e->count[k] && !bad; r += some) {
            bad = product_rows(m, t, e, k, k * rows + r, rows - r < some ? rows - r : some, &tmp, &all, f);
            arena_reset(&tmp);
        }
    arena_release(&tmp);
    out->seen = all.product > 0;
    out->product = out->seen ? all.error / all.product : 0;
    return bad;
}

int weights_products(struct model *original, struct model *const *candidate, size_t n, const struct sums *inputs,
                     struct tensor_errors *errors, struct fail *f)
{
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < errors[k].n; i++) {
            struct tensor_error *e = &errors[k].item[i];
            int64_t at = name_index_find(&inputs->names, e->name);
            const struct tensor *t[2] = { model_tensor(original, e->name), e->tensor };
            struct model *m[2] = { original, candidate[k] };
            if (at >= 0 && product_error(m, t, &inputs->entry[at], e, f) != 0)
                return -1;
        }
    return 0;
}
