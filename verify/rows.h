/* rows.h - rows of a tensor as float32, decoded in parallel.
 *
 * Both calls fill out[n][tensor_row(t)]. When several rows cannot be had, the failure of the lowest is told, whatever
 * the threads' timing. Return 0, or -1 with *f. */
#ifndef BANTAM_ROWS_H
#define BANTAM_ROWS_H

#include "formats/model.h"

/* Rows [first, first + n). */
int rows_decode(struct model *, const struct tensor *, uint64_t first, uint64_t n, float *out, struct fail *);

/* Rows index[0] ... index[n - 1], each in range. */
int rows_gather(struct model *, const struct tensor *, const int32_t *index, uint64_t n, float *out, struct fail *);

#endif
