/* cut.h - the bytes of an output in chunks, each of which any thread can make on its own. */
#ifndef BANTAM_CUT_H
#define BANTAM_CUT_H

#include "formats/model.h"

/* Bytes [offset, offset + nbytes) of a file: rows [row, row + nrows) of one tensor, or `ntensors` whole ones with nothing but padding
 * between them. */
struct chunk {
    size_t first, ntensors;     /* first: place in chunks.placed */
    uint64_t row, nrows;
    unsigned file;
    uint64_t offset, nbytes;
};

/* A tensor of the model that has any bytes, and where the plan puts it. */
struct placed {
    unsigned file;
    uint64_t offset;
    size_t tensor;
};

struct chunks {
    const struct placed *placed;        /* by file and offset: a format may write tensors in another order than the model's */
    struct chunk *item;                 /* in the order of the files */
    size_t n, cap;
};

/* All tensors of a model in chunks, in `a`. Large tensors are cut between rows, small ones that lie side by side share a chunk. */
struct chunks chunks_cut(const struct model *, const struct plan *, struct arena *a);

/* The bytes of chunk i, in tmp or in the model's map. Safe from many threads, each with its own tmp. NULL: see *f. */
const void *chunk_bytes(struct model *, const struct chunks *, size_t i, struct arena *tmp, struct fail *);

/* Rows of t that one thread makes and writes at a time. */
uint64_t chunk_rows(const struct tensor *t);

#endif
