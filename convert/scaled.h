/* scaled.h - a matrix, or several one behind the other, times the scales that stand beside it. */
#ifndef BANTAM_SCALED_H
#define BANTAM_SCALED_H

#include "formats/model.h"

enum { SCALED_MAX_RANK = 3 };

/* Weight [i][j][k] is weight[i][j][k] * scale[i / step[0]][j / step[1]][k / step[2]]; a matrix has no [i]. `shape` is that of the scales,
 * of as many dimensions as the weight. */
struct scaled {
    const struct tensor *weight, *scale;        /* scale NULL: rows are as they are */
    uint64_t step[SCALED_MAX_RANK], shape[SCALED_MAX_RANK];
};

/* Sets step and shape of an s that has weight and scale. `block`: rows and columns that share a scale, 0 and 0 if the shape of the
 * scales tells: a dimension is that of the weight, 1, or missing at the end. One number is for all. FAIL_INPUT: it fits neither way. */
int scaled_init(struct scaled *s, const uint64_t block[2], struct fail *);

/* In words: "one scale", "a scale for 128 x 128 weights". */
const char *scaled_how(const struct scaled *, struct arena *);

/* Rows [first, first + n), in tmp. NULL: see *f. */
float *scaled_rows(const struct scaled *, struct model *, uint64_t first, uint64_t n, struct arena *tmp, struct fail *f);

#endif
