/* product.h - products of tokens with encoded rows, through the CPU's own units: rows are decoded, packed and multiplied sliver by
 * sliver, while they are in the caches. A sliver of 4096 bfloat16 weights takes 400 KB: it stays in the second-level cache while all
 * tokens pass. Results depend neither on the number of threads nor on how rows and tokens are cut, but on the kind of unit. */
#ifndef BANTAM_PRODUCT_H
#define BANTAM_PRODUCT_H

#include "formats/model.h"
#include "verify/units.h"

/* y[t][r] = sum over i of x[t][i] * w[first + r][i], for n tokens and `rows` rows of w; the rows of y lie `stride` floats apart. Each
 * row is decoded once, a few at the end some times. In parallel; of several failures that of the lowest row is told. `tokens` holds the
 * packed tokens, and is reset first. */
int product(const struct units *, struct model *, const struct tensor *w, uint64_t first, size_t rows, const float *x, size_t n, float *y,
            size_t stride, struct arena *tokens, struct fail *);

#endif
