/* bf16.h - products through the CPU's bfloat16 units, twice as fast as float32 where there are any (AVX-512 BF16).
 *
 * Both factors are rounded to 8 significant bits, sums are float32: what llama.cpp does with weights of that type. A weight that
 * is bfloat16 loses nothing; activations do, by one part in 500 each at most, at random. Results depend neither on the
 * number of threads nor on how rows and tokens are cut, but they are not those of a CPU without such units. */
#ifndef BANTAM_BF16_H
#define BANTAM_BF16_H

#include "formats/model.h"

/* Has this CPU got them, and does BANTAM_ISA not forbid them? */
bool bf16_usable(void);

/* y[t][r] = sum over i of x[t][i] * w[first + r][i], for n tokens and `rows` rows of t; the rows of y lie `stride` floats apart. Each
 * row is decoded once. In parallel; of several failures that of the lowest row is told. `tmp` holds the packed tokens, and is reset first. Only if bf16_usable(). */
int bf16_product(struct model *, const struct tensor *w, uint64_t first, size_t rows, const float *x, size_t n, float *y, size_t stride,
                 struct arena *tmp, struct fail *);

#endif
