/* rows.h - rows of a tensor in pieces, in parallel; and as float32.
 *
 * When several pieces fail, the failure of the lowest is told, whatever the threads' timing. Return 0, or -1 with *f. */
#ifndef BANTAM_ROWS_H
#define BANTAM_ROWS_H

#include "formats/model.h"

/* Calls fn for [0, n) in pieces of `some` (the last may be smaller), in any order, by many threads. What it puts into `tmp` is dropped
 * behind it. */
typedef int rows_fn(void *ctx, uint64_t first, uint64_t n, struct arena *tmp, struct fail *);
int rows_each(uint64_t n, uint64_t some, rows_fn *fn, void *ctx, struct fail *);

/* As many rows of `width` as have about `weights` weights, at least one. */
static inline uint64_t rows_of(uint64_t weights, uint64_t width)
{
    return width && weights / width ? weights / width : 1;
}

/* Rows [first, first + n) into out[n][tensor_row(t)]. */
int rows_decode(struct model *, const struct tensor *, uint64_t first, uint64_t n, float *out, struct fail *);

/* The same of rows index[0] ... index[n - 1], each in range. */
int rows_gather(struct model *, const struct tensor *, const int32_t *index, uint64_t n, float *out, struct fail *);

#endif
