/* rows.c - see rows.h. */
#include "verify/rows.h"

enum { WEIGHTS_AT_ONCE = 1 << 18 };     /* decoded by one thread between two looks at the list of what is left */

int rows_each(uint64_t n, uint64_t some, rows_fn *fn, void *ctx, struct fail *f)
{
    uint64_t lowest = UINT64_MAX;

#pragma omp parallel
    {
        struct arena tmp = {0};
#pragma omp for schedule(dynamic)
        for (uint64_t i = 0; i < n; i += some) {
            struct fail mine = {0};
            fn(ctx, i, n - i < some ? n - i : some, &tmp, &mine);
            arena_reset(&tmp);
            fail_lowest(f, &lowest, i, &mine);
        }
        arena_release(&tmp);
    }
    return lowest == UINT64_MAX ? 0 : -1;
}

struct decoding {
    struct model *model;
    const struct tensor *t;
    const int32_t *index;       /* NULL: rows from `first` on */
    uint64_t first;
    float *out;
};

static int decode_some(void *ctx, uint64_t first, uint64_t n, struct arena *tmp, struct fail *f)
{
    const struct decoding *d = ctx;
    uint64_t width = tensor_row(d->t), at_once = d->index ? 1 : n;

    for (uint64_t i = first; i < first + n; i += at_once) {
        uint64_t row = d->index ? (uint64_t)d->index[i] : d->first + i;
        const void *in = model_rows(d->model, d->t, row, at_once, tmp, f);
        if (!in)
            return -1;
        d->t->type->decode(in, d->out + i * width, at_once * width / (uint64_t)d->t->type->block);
        if (d->index)
            arena_reset(tmp);
    }
    return 0;
}

int rows_decode(struct model *m, const struct tensor *t, uint64_t first, uint64_t n, float *out, struct fail *f)
{
    struct decoding d = { .model = m, .t = t, .first = first, .out = out };

    return rows_each(n, rows_of(WEIGHTS_AT_ONCE, tensor_row(t)), decode_some, &d, f);
}

int rows_gather(struct model *m, const struct tensor *t, const int32_t *index, uint64_t n, float *out, struct fail *f)
{
    struct decoding d = { .model = m, .t = t, .index = index, .out = out };

    return rows_each(n, rows_of(WEIGHTS_AT_ONCE, tensor_row(t)), decode_some, &d, f);
}
