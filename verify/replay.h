/* replay.h - every weight of a converted model derived again from its source, and set beside what is in the file.
 *
 * Weights of floating-point encodings must be equal byte for byte once the source is cast. Of others the error is set
 * beside that of Bantam's own encoder on the same weights: equal bytes are exact; otherwise each block, each row and the
 * tensor as a whole may err as much as another search for the same encoding does, and no more. */
#ifndef BANTAM_REPLAY_H
#define BANTAM_REPLAY_H

#include "convert/write.h"
#include "formats/model.h"

struct replay_pair {
    const struct tensor *expected, *found;      /* of equal shape, leading ones aside */
    const float *weight;                        /* importance of the columns (quantize.h); NULL: none */
};

/* Roads from the source's type to the file's. Files are often made by way of a 16-bit file. */
enum replay_road { ROAD_STRAIGHT, ROAD_F16, ROAD_BF16, ROADS };

struct replay_spot {                    /* the first of some blocks that do not fit */
    uint64_t row, block;                /* block: in its row */
};

struct replay_result {
    uint64_t weights, blocks;
    uint64_t exact[ROADS];              /* blocks that are byte for byte what that road leads to; each is counted once */
    double energy, error, ours;         /* sums of squares: of the source, of the difference, of our encoder's difference */
    double most;                        /* largest difference of a weight */
    uint64_t other_blocks;              /* not equal by any road */
    uint64_t bad_blocks, bad_rows;      /* beyond what the encoding explains */
    struct replay_spot other_block, bad_block;  /* the first; likewise below */
    uint64_t bad_row;
    uint64_t source_not_finite, not_finite;     /* weights that are NaN or infinite; the second: where the source's are finite */
    uint64_t first_not_finite;          /* index in the tensor of the first, of either kind */
    bool damaged;
};

/* Blocks that are equal by any road. */
uint64_t replay_exact(const struct replay_result *);

/* Fills result[n], in parallel over rows; figures do not depend on the number of threads, memory does not grow with the
 * model. FAIL_INPUT or FAIL_SYSTEM when rows cannot be had. */
int replay_compare(struct model *expected, struct model *found, const struct replay_pair *, size_t n, struct replay_result *,
                   const struct progress *, struct fail *);

#endif
