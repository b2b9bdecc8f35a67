/* estimate.h - what a conversion will need, told before it runs. */
#ifndef BANTAM_ESTIMATE_H
#define BANTAM_ESTIMATE_H

#include "formats/model.h"

struct estimate {
    uint64_t peak_nbytes;       /* of memory: what the process has held so far, and what its threads will add */
    double seconds;             /* encoding and reading at rates measured here and now, writing at ESTIMATE_WRITE_RATE */
};

/* Bytes a second that files are assumed to be written at, and seconds for all that is done once. */
#define ESTIMATE_WRITE_RATE 1e9
#define ESTIMATE_ONCE 0.02

/* Of writing `m`, a model that model_quantize() made from tensors of the types from[]; weight[i] as given to it, or NULL.
 * Each pair of types is tried on a few made-up rows, which takes some milliseconds per pair. */
struct estimate estimate_run(const struct model *m, const struct qtype *const *from, const float *const *weight);

#endif
