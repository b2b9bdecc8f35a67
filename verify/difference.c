/* difference.c - see difference.h. */
#include "verify/difference.h"

#include <math.h>
#include <string.h>

enum { PORTION = 1 << 20 };     /* weights that a thread compares at a time, in whole rows */

const char *difference_word(enum difference_state state)
{
    static const char *const words[TENSOR_STATES] = { "same", "recoded", "changed", "reshaped", "only in A", "only in B" };

    return words[state];
}

/* Results of one portion; sums are added in the order of the portions, so that figures do not depend on threads. */
struct portion {
    struct moments moments;
    uint64_t changed, not_finite;
    double largest;
    bool other_bytes;
};

static void compare_pair(struct portion *p, float x, float y)
{
    double distance = fabs((double)x - (double)y);

    if (x == y || (isnan(x) && isnan(y)))
        return;
    p->changed++;
    if (isfinite(distance) && distance > p->largest)
        p->largest = distance;
}

static void compare_floats(struct portion *p, const float *x, const float *y, uint64_t n)
{
    struct moments all = moments_of(x, y, n);

    for (uint64_t i = 0; i < n; i++)
        compare_pair(p, x[i], y[i]);
    if (isfinite(all.original) && isfinite(all.candidate) && isfinite(all.difference)) {
        moments_add(&p->moments, &all);
        return;
    }
    for (uint64_t i = 0; i < n; i++) {
        struct moments one = moments_of(x + i, y + i, 1);

        if (isfinite(x[i]) && isfinite(y[i]))
            moments_add(&p->moments, &one);
        else
            p->not_finite++;
    }
}

static int compare_rows(struct model *a, struct model *b, const struct tensor_difference *d, uint64_t first, uint64_t n, struct portion *p,
                        struct arena *tmp, struct fail *f)
{
    const void *x = model_rows(a, d->a, first, n, tmp, f), *y = x ? model_rows(b, d->b, first, n, tmp, f) : NULL;
    const float *fx, *fy;

    if (!y)
        return -1;
    if (d->a->type == d->b->type && memcmp(x, y, n * tensor_row_bytes(d->a)) == 0)
        return 0;
    p->other_bytes = true;
    fx = model_rows_f32(a, d->a, first, n, tmp, f);
    fy = fx ? model_rows_f32(b, d->b, first, n, tmp, f) : NULL;
    if (!fy)
        return -1;
    compare_floats(p, fx, fy, n * tensor_row(d->a));
    return 0;
}

static void sum_portions(struct tensor_difference *d, const struct portion *p, uint64_t n)
{
    bool other = false;

    for (uint64_t i = 0; i < n; i++) {
        moments_add(&d->moments, &p[i].moments);
        d->changed += p[i].changed;
        d->not_finite += p[i].not_finite;
        d->largest = p[i].largest > d->largest ? p[i].largest : d->largest;
        other |= p[i].other_bytes;
    }
    d->state = d->changed ? TENSOR_CHANGED : other ? TENSOR_RECODED : TENSOR_SAME;
}

/* The lowest portion's failure is told. */
static int compare_tensor(struct model *a, struct model *b, struct tensor_difference *d, struct fail *f)
{
    uint64_t row = tensor_row(d->a) ? tensor_row(d->a) : 1, rows = tensor_rows(d->a), step = row < PORTION ? PORTION / row : 1,
             n = (rows + step - 1) / step, lowest = UINT64_MAX;
    struct arena results = {0};
    struct portion *p = arena_array(&results, struct portion, n);

    #pragma omp parallel
    {
        struct arena tmp = {0};

        #pragma omp for schedule(dynamic)
        for (uint64_t i = 0; i < n; i++) {
            struct fail mine = {0};
            uint64_t first = i * step;

            compare_rows(a, b, d, first, rows - first < step ? rows - first : step, &p[i], &tmp, &mine);
            fail_lowest(f, &lowest, i, &mine);
            arena_reset(&tmp);
        }
        arena_release(&tmp);
    }
    sum_portions(d, p, n);
    arena_release(&results);
    return lowest == UINT64_MAX ? 0 : -1;
}

struct tensor_difference *model_difference(struct model *a, struct model *b, void (*advance)(void *ctx, uint64_t nbytes), void *ctx,
                                           struct arena *arena, size_t *n, struct fail *f)
{
    struct tensor_difference *d = arena_array(arena, struct tensor_difference, a->ntensors + b->ntensors);

    *n = 0;
    for (size_t i = 0; i < a->ntensors; i++) {
        struct tensor_difference *t = &d[(*n)++];

        *t = (struct tensor_difference){ .a = &a->tensor[i], .b = model_tensor(b, a->tensor[i].name) };
        if (!t->b)
            t->state = TENSOR_ONLY_A;
        else if (!tensor_same_shape(t->a, t->b))
            t->state = TENSOR_RESHAPED;
        else if (compare_tensor(a, b, t, f))
            return NULL;
        if (advance && t->b)
            advance(ctx, tensor_bytes(t->b));
    }
    for (size_t i = 0; i < b->ntensors; i++)
        if (!model_tensor(a, b->tensor[i].name))
            d[(*n)++] = (struct tensor_difference){ .b = &b->tensor[i], .state = TENSOR_ONLY_B };
    return d;
}
