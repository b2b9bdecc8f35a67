/* weights.c - see weights.h. */
#include "verify/weights.h"

#include "verify/rows.h"
#include "verify/stats.h"
#include "verify/sums.h"
#include "verify/vector.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Weights in whole rows: between two reports of progress; of one thread; decoded at a time. */
enum { COMPARED_WEIGHTS = 16 << 20, PIECE_WEIGHTS = 1 << 19, STRIP_WEIGHTS = 1 << 14 };

enum { LEAST_BLOCK = 16 };      /* of an encoding that has blocks */

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

/* `error` is room for the squared error of each block. */
static void sum_row(struct row_sums *s, const float *x, const float *y, size_t width, size_t block, uint64_t row, double *error)
{
    uint64_t blocks = (width + block - 1) / block;
    struct moments m = { .n = (double)width };
    double sum[3] = {0};
    bool odd;

    vector_current()->moments(x, y, width, block, sum, error);
    for (size_t b = 0; b < blocks; b++)
        m.difference += error[b];
    m.original = sum[0];
    m.candidate = sum[1];
    m.cross = sum[2];
    if ((odd = !all_finite(&m))) {
        look_at(&s->original, x, width, row);
        look_at(&s->candidate, y, width, row);
        m = finite_moments(x, y, width);
    }
    moments_add(&s->all, &m);
    for (size_t b = 0; b < blocks; b++) {
        size_t at = b * block, n = width - at < block ? width - at : block;
        double squared = isfinite(error[b]) ? error[b] : finite_moments(x + at, y + at, n).difference;
        if (squared > s->worst) {
            s->worst = squared;
            s->worst_block = row * blocks + b;
            s->worst_row = row;
            s->worst_n = n;
        }
    }
    s->original.zero_rows += !odd && m.original == 0;
    s->candidate.zero_rows += !odd && m.candidate == 0;
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
    return c->type->block >= LEAST_BLOCK ? (size_t)c->type->block : BLOCK_WEIGHTS;
}

/* Rows [first, first + n) of one tensor, which threads share in pieces. */
struct batch {
    const struct comparing *w;
    const struct compared *t;
    uint64_t first;
    uint64_t some;              /* rows of a piece */
    struct row_sums *part;      /* of each piece, of each candidate */
};

/* n rows of encoded ones from `in` on, decoded. */
static void decode_rows(const struct tensor *t, const uint8_t *in, uint64_t first, uint64_t n, float *out)
{
    t->type->decode(in + first * tensor_row_bytes(t), out, n * tensor_row(t) / (uint64_t)t->type->block);
}

/* A piece, strip by strip: the floats of one stay in the nearest caches. */
static int compare_piece(void *ctx, uint64_t first, uint64_t n, struct arena *tmp, struct fail *f)
{
    const struct batch *b = ctx;
    const struct comparing *w = b->w;
    const struct compared *t = b->t;
    uint64_t width = tensor_row(t->o), strip = rows_of(STRIP_WEIGHTS, width);
    struct row_sums *sums = b->part + first / b->some * w->n;
    const uint8_t *o = model_rows(w->original, t->o, b->first + first, n, tmp, f), **c = arena_array(tmp, const uint8_t *, w->n);
    float *x = arena_raw(tmp, strip * width * sizeof *x), *y = arena_raw(tmp, strip * width * sizeof *y);
    double *error = arena_raw(tmp, (width / LEAST_BLOCK + 1) * sizeof *error);

    if (!o)
        return fail_in(f, w->original->path);
    for (size_t k = 0; k < w->n; k++)
        if (t->c[k] && !(c[k] = model_rows(w->candidate[k], t->c[k], b->first + first, n, tmp, f)))
            return fail_in(f, w->candidate[k]->path);
    for (uint64_t r = 0; r < n; r += strip) {
        uint64_t some = n - r < strip ? n - r : strip;
        decode_rows(t->o, o, r, some, x);
        for (size_t k = 0; k < w->n; k++) {
            if (!t->c[k])
                continue;
            decode_rows(t->c[k], c[k], r, some, y);
            for (uint64_t i = 0; i < some; i++)
                sum_row(&sums[k], x + i * width, y + i * width, width, block_of(t->c[k]), b->first + first + r + i, error);
        }
    }
    return 0;
}

/* Sums of pieces are added in order. */
static int compare_rows(const struct comparing *w, struct compared *t, uint64_t first, uint64_t n, struct arena *tmp, struct fail *f)
{
    struct batch b = { .w = w, .t = t, .first = first, .some = rows_of(PIECE_WEIGHTS, tensor_row(t->o)) };
    uint64_t pieces = (n + b.some - 1) / b.some;

    b.part = arena_array(tmp, struct row_sums, pieces * w->n);
    if (rows_each(n, b.some, compare_piece, &b, f) != 0)
        return -1;
    for (size_t k = 0; k < w->n; k++) {
        for (uint64_t i = 0; i < pieces; i++)
            add_sums(&t->sums[k], &b.part[i * w->n + k]);
        if (t->c[k] && w->advance)
            w->advance(w->ctx, n * tensor_row(t->o));
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
    uint64_t rows = tensor_rows(t->o), some = rows_of(COMPARED_WEIGHTS, tensor_row(t->o));
    struct arena tmp = {0};
    int bad = 0;

    for (size_t k = 0; k < w->n && !bad; k++)
        if (t->c[k] && same_shape(t->o, t->c[k], f) != 0)
            bad = fail_in(f, w->candidate[k]->path);
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

/* A tensor of both models and the inputs of one of its experts. */
struct producing {
    struct model *m[2];
    const struct tensor *t[2];
    const double *input;
    uint64_t first, some;       /* its first row; rows of a piece */
    double (*part)[2];          /* energies of the product and of its error, of each piece */
};

static int product_piece(void *ctx, uint64_t first, uint64_t n, struct arena *tmp, struct fail *f)
{
    const struct producing *p = ctx;
    uint64_t width = tensor_row(p->t[0]), strip = rows_of(STRIP_WEIGHTS, width);
    const uint8_t *in[2];
    float *x[2];

    for (size_t i = 0; i < 2; i++) {
        if (!(in[i] = model_rows(p->m[i], p->t[i], p->first + first, n, tmp, f)))
            return fail_in(f, p->m[i]->path);
        x[i] = arena_raw(tmp, strip * width * sizeof(float));
    }
    for (uint64_t r = 0; r < n; r += strip) {
        uint64_t some = n - r < strip ? n - r : strip;
        for (size_t i = 0; i < 2; i++)
            decode_rows(p->t[i], in[i], r, some, x[i]);
        for (uint64_t i = 0; i < some; i++)
            vector_current()->energies(p->input, x[0] + i * width, x[1] + i * width, width, p->part[first / p->some]);
    }
    return 0;
}

static int product_error(struct model *m[2], const struct tensor *t[2], const struct sums_entry *e, struct tensor_error *out, struct fail *f)
{
    uint64_t rows = tensor_rows(t[0]) / e->experts;
    struct producing p = { .m = { m[0], m[1] }, .t = { t[0], t[1] }, .some = rows_of(PIECE_WEIGHTS, e->columns) };
    uint64_t pieces = (rows + p.some - 1) / p.some;
    double product = 0, error = 0;
    struct arena tmp = {0};
    int bad = 0;

    for (size_t k = 0; k < e->experts && !bad; k++) {
        if (!e->count[k])
            continue;
        arena_reset(&tmp);
        p.part = arena_array_of(&tmp, pieces, sizeof *p.part);
        p.input = e->sum + k * e->columns;
        p.first = k * rows;
        bad = rows_each(rows, p.some, product_piece, &p, f);
        for (uint64_t i = 0; i < pieces; i++) {
            product += p.part[i][0];
            error += p.part[i][1];
        }
    }
    arena_release(&tmp);
    out->seen = product > 0;
    out->product = out->seen ? error / product : 0;
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
