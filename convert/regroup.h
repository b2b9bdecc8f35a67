/* regroup.h - the row order of rotary positions.
 *
 * They turn pairs of values of a head. Hugging Face keeps the first members of all pairs and then the second ones, GGUF
 * keeps pairs together (n = half of a head's rows, one column per row):
 *     Hugging Face   a0 a1 ... a(n-1) b0 b1 ... b(n-1)
 *     GGUF           a0 b0 a1 b1 ... a(n-1) b(n-1)
 * Rows are gathered when they are asked for; nothing holds a tensor. */
#ifndef BANTAM_REGROUP_H
#define BANTAM_REGROUP_H

#include "formats/model.h"

struct regroup {
    uint64_t heads;             /* divides the rows into heads of an even number */
    bool back;                  /* false: to GGUF's order; true: to Hugging Face's */
};

/* Rows [first, first + n) of `t`, which belongs to `inner`, in the other order; a vector (its weights are regrouped; type
 * of one weight a block) is always wanted whole. In tmp. NULL: see *f. */
const void *regroup_rows(const struct regroup *, struct model *inner, const struct tensor *t, uint64_t first, uint64_t n,
                         struct arena *tmp, struct fail *f);

#endif
