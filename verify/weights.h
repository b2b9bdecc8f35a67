/* weights.h - the error of each tensor of a candidate, from the weights alone. */
#ifndef BANTAM_WEIGHTS_H
#define BANTAM_WEIGHTS_H

#include "formats/model.h"

struct tensor_error {
    const char *name;
    const char *type;                   /* the candidate's encoding, label */
    double rmse, nmse, cosine;
};

struct tensor_errors {
    struct tensor_error *item;          /* tensors that both have, in the original's order */
    size_t n;
};

/* Each tensor of the original is decoded once for all n candidates; out: n of them, whose arrays hang on `a`. `advance` (may be NULL)
 * hears of weights that are done, of weights_total() in all. A different shape and numbers that are not finite are FAIL_INPUT. */
int weights_compare(struct model *original, struct model *const *candidate, size_t n, void (*advance)(void *ctx, size_t weights),
                    void *ctx, struct arena *a, struct tensor_errors *out, struct fail *);
uint64_t weights_total(const struct model *original, struct model *const *candidate, size_t n);

#endif
