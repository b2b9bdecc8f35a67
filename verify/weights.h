/* weights.h - the error of each tensor of a candidate: of its weights, and of what comes out when inputs are multiplied with it. */
#ifndef BANTAM_WEIGHTS_H
#define BANTAM_WEIGHTS_H

#include "formats/model.h"
struct sums;                            /* sums.h */

/* What is odd about the numbers of one tensor. */
struct findings {
    uint64_t nan, inf;                  /* how many */
    uint64_t bad_row;                   /* the first row with one of these */
    uint64_t zero_rows;                 /* rows of nothing but zeros */
};

struct tensor_error {
    const char *name;
    const char *type;                   /* the candidate's encoding, label */
    const struct tensor *tensor;        /* the candidate's */
    double rmse, nmse, cosine;
    double product;                     /* share of error in the energy of what it is multiplied into; weights_products() */
    bool seen;                          /* `product` was measured */
    double reach;                       /* how much of the hidden state its layer makes anew, as a share of energy; 1 outside of layers */
    struct {
        uint64_t index, row;            /* the block with the largest error, counted through the tensor, and its row */
        double rmse;
    } worst;                            /* blocks are the encoding's, or BLOCK_WEIGHTS where that has none */
    struct findings original, candidate;
};

enum { BLOCK_WEIGHTS = 32 };

struct tensor_errors {
    struct tensor_error *item;          /* tensors that both have, in the original's order */
    size_t n;
};

/* Each tensor of the original is decoded once for all n candidates; out: n of them, whose arrays hang on `a`. `advance` (may be
 * NULL) hears of weights that are done, of weights_total() in all. FAIL_INPUT: another shape; numbers that are not finite, of which
 * all tensors are looked through first. */
int weights_compare(struct model *original, struct model *const *candidate, size_t n, void (*advance)(void *ctx, size_t weights),
                    void *ctx, struct arena *a, struct tensor_errors *out, struct fail *);
uint64_t weights_total(const struct model *original, struct model *const *candidate, size_t n);

/* Fills `product` of the tensors that `inputs` has: with S[j] the sum of squares of what column j was multiplied with, W the
 * original's weights and D their errors, the sum of S[j] D[i][j]^2 over that of S[j] W[i][j]^2: the error's energy in the product, if
 * columns do not correlate, as a share of the product's. All experts of a tensor count, each with its own sums. */
int weights_products(struct model *original, struct model *const *candidate, size_t n, const struct sums *inputs,
                     struct tensor_errors *errors, struct fail *);

#endif
