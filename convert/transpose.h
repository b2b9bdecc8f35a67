/* transpose.h - columns of a matrix as rows, without reading the matrix again for every few of them.
 *
 * Rows are asked for a few at a time and by many threads, and a few columns lie in every page of a matrix. So a panel of
 * neighboring columns is turned as a whole, by all threads that want rows of it, and kept until another panel is wanted: each byte
 * of the source is read once for each of the few panels that a matrix has. One panel at a time: memory does not depend on the
 * number of threads. */
#ifndef BANTAM_TRANSPOSE_H
#define BANTAM_TRANSPOSE_H

#include "formats/model.h"

struct transposer;

enum { TRANSPOSE_PANEL = 64 << 20 };

/* Lives as long as the arena; no thread may be using it then. `panel_nbytes` bounds the panel, one column of which may be more; a matrix of up to a 64th of that is turned by whoever asks for
 * rows of it. TRANSPOSE_PANEL is what adapters take. */
struct transposer *transposer_new(struct arena *, size_t panel_nbytes);

/* Rows [first, first + n) of what becomes of t, of inner, when each of its `matrices` of equal height, which stand one below the
 * other, is transposed. Weights are one block each. In tmp; safe from many threads. NULL: see *f. */
const void *transposed_rows(struct transposer *, struct model *inner, const struct tensor *t, uint64_t matrices, uint64_t first,
                            uint64_t n, struct arena *tmp, struct fail *f);

#endif
