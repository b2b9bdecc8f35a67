/* health_values.c - every weight is looked at once: NaN, Inf, and matrices that hold nothing. */
#include "verify/health.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { PORTION = 1 << 20 };     /* weights that a thread looks at a time, in whole rows */

struct looked {
    uint64_t nan, inf, first_bad;   /* the place of the first one that is not finite */
    bool nonzero;
};

static void look(struct looked *l, const float *x, uint64_t n, uint64_t at)
{
    double sum = 0;

    for (uint64_t i = 0; i < n; i++)
        sum += fabsf(x[i]);         /* not finite as soon as one weight is not */
    l->nonzero |= sum > 0;
    if (isfinite(sum))
        return;
    l->nonzero = true;
    for (uint64_t i = 0; i < n; i++)
        if (!isfinite(x[i])) {
            if (l->nan + l->inf == 0)
                l->first_bad = at + i;
            l->nan += isnan(x[i]) != 0;
            l->inf += isinf(x[i]) != 0;
        }
}

static void tell(struct health *h, const struct tensor *t, const struct looked *l)
{
    uint64_t row = tensor_row(t) ? tensor_row(t) : 1;

    if (l->nan)
        health_add(h, HEALTH_CODE_NAN, t->name, "%" PRIu64 " of %" PRIu64 " weights are NaN, the first in row %" PRIu64 ", column %" PRIu64,
                   l->nan, tensor_weights(t), l->first_bad / row, l->first_bad % row);
    if (l->inf)
        health_add(h, HEALTH_CODE_INF, t->name, "%" PRIu64 " of %" PRIu64 " weights are infinite", l->inf, tensor_weights(t));
    if (!l->nonzero && t->rank > 1)
        health_add(h, HEALTH_CODE_ALL_ZERO, t->name, "all %" PRIu64 " weights are zero", tensor_weights(t));
}

static int look_at(struct health *h, struct model *m, const struct tensor *t, struct fail *f)
{
    uint64_t row = tensor_row(t) ? tensor_row(t) : 1, rows = tensor_rows(t), step = row < PORTION ? PORTION / row : 1,
             n = (rows + step - 1) / step, lowest = UINT64_MAX;
    struct arena a = {0};
    struct looked *part = arena_array(&a, struct looked, n), all = {0};

    #pragma omp parallel
    {
        struct arena tmp = {0};

        #pragma omp for schedule(dynamic)
        for (uint64_t i = 0; i < n; i++) {
            uint64_t first = i * step, count = rows - first < step ? rows - first : step;
            struct fail mine = {0};
            const float *x = model_rows_f32(m, t, first, count, &tmp, &mine);

            if (x)
                look(&part[i], x, count * tensor_row(t), first * tensor_row(t));
            fail_lowest(f, &lowest, i, &mine);
            arena_reset(&tmp);
        }
        arena_release(&tmp);
    }
    for (uint64_t i = 0; i < n; i++) {
        if (all.nan + all.inf == 0)
            all.first_bad = part[i].first_bad;
        all.nan += part[i].nan;
        all.inf += part[i].inf;
        all.nonzero |= part[i].nonzero;
    }
    arena_release(&a);
    if (lowest != UINT64_MAX)
        return -1;
    if (tensor_weights(t))
        tell(h, t, &all);
    return 0;
}

int health_of_values(struct health *h, struct model *m, void (*advance)(void *ctx, uint64_t nbytes), void *ctx, struct fail *f)
{
    for (size_t i = 0; i < m->ntensors; i++) {
        if (look_at(h, m, &m->tensor[i], f))
            return -1;
        if (advance)
            advance(ctx, tensor_bytes(&m->tensor[i]));
    }
    return 0;
}
