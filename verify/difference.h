/* difference.h - two models side by side, tensor by tensor, without judging which is right. */
#ifndef BANTAM_DIFFERENCE_H
#define BANTAM_DIFFERENCE_H

#include "formats/model.h"
#include "verify/stats.h"

enum difference_state {
    TENSOR_SAME,                /* one type, the same bytes */
    TENSOR_RECODED,             /* another type or other bytes, but every weight decodes to the same number */
    TENSOR_CHANGED,
    TENSOR_RESHAPED,            /* other shapes: values are not compared */
    TENSOR_ONLY_A, TENSOR_ONLY_B,
    TENSOR_STATES
};

struct tensor_difference {
    const struct tensor *a, *b;         /* NULL: missing there */
    enum difference_state state;
    uint64_t changed;                   /* weights that are not the same number; two NaNs are */
    double largest;                     /* of their distances, where both are finite */
    struct moments moments;             /* of pairs that are finite on both sides: rmse, nmse, cosine */
    uint64_t not_finite;                /* pairs that are not */
};

/* All tensors of a in its order, then those that only b has; *n of them, in `arena`. `advance` (may be NULL) hears of bytes of b
 * that were read, from one thread at a time. NULL: see *f. */
struct tensor_difference *model_difference(struct model *a, struct model *b, void (*advance)(void *ctx, uint64_t nbytes), void *ctx,
                                           struct arena *arena, size_t *n, struct fail *f);

const char *difference_word(enum difference_state);     /* "same", "recoded", "changed", "reshaped", "only in A", "only in B" */

#endif
