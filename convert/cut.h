/* cut.h - the bytes of an output in chunks, each of which any thread can make on its own. */
#ifndef BANTAM_CUT_H
#define BANTAM_CUT_H

#include "formats/model.h"

/* Bytes [offset, offset + nbytes) of a file: rows [row, row + nrows) of one tensor, or `ntensors` whole ones that follow each other. */
struct chunk {
    size_t tensor, ntensors;
    uint64_t row, nrows;
    unsigned file;
    uint64_t offset, nbytes;
};

/* All tensors of a model in chunks, in their order, in `a`; *n of them. Large tensors are cut between rows, small ones that lie side
 * by side share a chunk, empty ones have none. */
struct chunk *chunks_cut(const struct model *, const struct plan *, struct arena *a, size_t *n);

/* The bytes of a chunk, in tmp or in the model's map. Safe from many threads, each with its own tmp. NULL: see *f. */
const void *chunk_bytes(struct model *, const struct plan *, const struct chunk *, struct arena *tmp, struct fail *);

/* Rows of t that one thread makes and writes at a time. */
uint64_t chunk_rows(const struct tensor *t);

#endif
