/* weights.c - see weights.h. */
#include "verify/weights.h"

#include "verify/rows.h"
#include "verify/stats.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { COMPARED_WEIGHTS = 4 << 20 };    /* of one tensor at a time, in whole rows */

struct comparing {
    struct model *original, *const *candidate;
    size_t n;
    void (*advance)(void *ctx, size_t weights);
    void *ctx;
    struct arena *arena;
};

/* One tensor of the original, and for each candidate its tensor of that name (NULL: it has none) and the sums. */
struct compared {
    const struct tensor *o, **c;
    struct moments *sums;
};

static int same_shape(const struct tensor *o, const struct tensor *c, struct fail *f)
{
    if (o->rank == c->rank && memcmp(o->shape, c->shape, (size_t)o->rank * sizeof *o->shape) == 0)
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
        t->sums[k] = (struct moments){0};
        found += t->c[k] != NULL;
    }
    return found;
}

/* Sums of n rows, each by one thread, added in order. */
static void add_rows(const float *x, const float *y, uint64_t n, size_t width, struct moments *part, struct moments *sums)
{
#pragma omp parallel for schedule(dynamic)
    for (uint64_t i = 0; i < n; i++)
        part[i] = moments_of(x + i * width, y + i * width, width);
    for (uint64_t i = 0; i < n; i++)
        moments_add(sums, &part[i]);
}

static int compare_rows(const struct comparing *w, struct compared *t, uint64_t first, uint64_t n, struct arena *tmp, struct fail *f)
{
    size_t width = tensor_row(t->o);
    float *x = arena_raw(tmp, n * width * sizeof *x), *y = arena_raw(tmp, n * width * sizeof *y);
    struct moments *part = arena_array(tmp, struct moments, n);

    if (rows_decode(w->original, t->o, first, n, x, f) != 0)
        return fail_in(f, w->original->path);
    for (size_t k = 0; k < w->n; k++) {
        if (!t->c[k])
            continue;
        if (rows_decode(w->candidate[k], t->c[k], first, n, y, f) != 0)
            return fail_in(f, w->candidate[k]->path);
        add_rows(x, y, n, width, part, &t->sums[k]);
        if (w->advance)
            w->advance(w->ctx, n * width);
    }
    return 0;
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
    for (size_t k = 0; k < w->n && !bad; k++) {
        const struct moments *m = &t->sums[k];
        if (!t->c[k])
            continue;
        if (!isfinite(m->difference)) {
            bool theirs = isfinite(m->original);
            fail(f, FAIL_INPUT, "tensor '%s' holds numbers that are not finite in the %s", t->o->name, theirs ? "candidate" : "original");
            bad = fail_in(f, theirs ? w->candidate[k]->path : w->original->path);
        }
        out[k].item[out[k].n++] = (struct tensor_error){ .name = t->o->name, .type = t->c[k]->type->label, .rmse = moments_rmse(m),
                                                         .nmse = moments_nmse(m), .cosine = moments_cosine(m) };
    }
    return bad;
}

int weights_compare(struct model *original, struct model *const *candidate, size_t n, void (*advance)(void *ctx, size_t weights),
                    void *ctx, struct arena *a, struct tensor_errors *out, struct fail *f)
{
    struct comparing w = { .original = original, .candidate = candidate, .n = n, .advance = advance, .ctx = ctx, .arena = a };
    struct arena tmp = {0};
    struct compared t = { .c = arena_array(&tmp, const struct tensor *, n), .sums = arena_array(&tmp, struct moments, n) };
    int bad = 0;

    for (size_t k = 0; k < n; k++)
        out[k] = (struct tensor_errors){ .item = arena_array(a, struct tensor_error, original->ntensors) };
    for (size_t i = 0; i < original->ntensors && !bad; i++)
        if (find_compared(&w, &t, &original->tensor[i]))
            bad = compare_tensor(&w, &t, out, f);
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
