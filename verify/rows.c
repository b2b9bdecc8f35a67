/* rows.c - see rows.h. */
#include "verify/rows.h"

enum { WEIGHTS_AT_ONCE = 1 << 18 };     /* decoded by one thread between two looks at the list of what is left */

/* Rows [first, first + n), or index[first] ... of the list, by one thread. */
static int decode_some(struct model *m, const struct tensor *t, const int32_t *index, uint64_t first, uint64_t n, float *out,
                       struct arena *tmp, struct fail *f)
{
    uint64_t width = tensor_row(t), at_once = index ? 1 : n;

    for (uint64_t i = 0; i < n; i += at_once) {
        uint64_t row = index ? (uint64_t)index[first + i] : first + i;
        const void *in = model_rows(m, t, row, at_once, tmp, f);
        if (!in)
            return -1;
        t->type->decode(in, out + i * width, at_once * width / (uint64_t)t->type->block);
        arena_reset(tmp);
    }
    return 0;
}

static int decode_all(struct model *m, const struct tensor *t, const int32_t *index, uint64_t first, uint64_t n, float *out,
                      struct fail *f)
{
    uint64_t width = tensor_row(t), some = WEIGHTS_AT_ONCE / (width ? width : 1), lowest = UINT64_MAX;

    some = some ? some : 1;
#pragma omp parallel
    {
        struct arena tmp = {0};
#pragma omp for schedule(dynamic)
        for (uint64_t i = 0; i < n; i += some) {
            struct fail mine = {0};
            decode_some(m, t, index, first + i, n - i < some ? n - i : some, out + i * width, &tmp, &mine);
            fail_lowest(f, &lowest, i, &mine);
        }
        arena_release(&tmp);
    }
    return lowest == UINT64_MAX ? 0 : -1;
}

int rows_decode(struct model *m, const struct tensor *t, uint64_t first, uint64_t n, float *out, struct fail *f)
{
    return decode_all(m, t, NULL, first, n, out, f);
}

int rows_gather(struct model *m, const struct tensor *t, const int32_t *index, uint64_t n, float *out, struct fail *f)
{
    return decode_all(m, t, index, 0, n, out, f);
}
