/* matmul.h - products of float matrices by one thread, through the CPU's units: what attention is made of. Results depend on the kind of
 * unit and on nothing else. */
#ifndef BANTAM_MATMUL_H
#define BANTAM_MATMUL_H

#include "formats/arena.h"

#include <stddef.h>

/* Rows that lie `stride` floats apart. */
struct matrix {
    const float *x;
    size_t rows, columns, stride;
};

/* y[i][j] = scale times the product of row i of a and row j of b, which have as many columns. Rows of y lie `stride` floats apart; `room`, for both
 * packed, is reset first. */
void matmul_rows(struct matrix a, struct matrix b, float scale, float *y, size_t stride, struct arena *room);

/* y[i][j] = the product of row i of a and column j of b, which has as many rows as a has columns; otherwise the same. */
void matmul_columns(struct matrix a, struct matrix b, float *y, size_t stride, struct arena *room);

#endif
