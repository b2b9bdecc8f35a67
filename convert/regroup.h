/* regroup.h - rows of one model out of the rows of another that keeps the same weights in another order.
 *
 * Rotary positions turn pairs of values of a head. Hugging Face keeps the first members of all pairs and then the second
 * ones, GGUF's llama keeps pairs together (n = half of a head's rows, one column per row):
 *     Hugging Face   a0 a1 ... a(n-1) b0 b1 ... b(n-1)
 *     GGUF           a0 b0 a1 b1 ... a(n-1) b(n-1)
 * Groups (Falcon; BLOOM, where each head is a group) are blocks of a head's rows, one per query, key or value:
 *     Hugging Face   q0 q1 k0 v0 | q2 q3 k1 v1
 *     GGUF           q0 q1 q2 q3 | k0 k1 | v0 v1
 * Transposed are matrices of GPT-2, whose layers multiply from the other side; 1 is added to norms of Gemma, which multiplies
 * by 1 + w. Experts that DBRX keeps in one matrix become one matrix each. Rows are gathered when they are asked for; nothing holds a tensor. */
#ifndef BANTAM_REGROUP_H
#define BANTAM_REGROUP_H

#include "convert/arch.h"
#include "convert/transpose.h"

struct regroup {
    enum layout layout;
    uint64_t experts;           /* EXPERTS: divides the rows of the source */
    uint64_t heads, kv_heads;   /* ROPE: `heads` divides the rows into heads of an even number; GROUPS: both do */
    uint64_t skip;              /* BEHIND_PADDING: rows that are left out */
    bool back;                  /* false: to GGUF's order; true: to Hugging Face's */
    struct transposer *transposer;      /* TRANSPOSED, EXPERTS_TRANSPOSED: of the adapter, for all its tensors */
};

/* What the table implies for a weight or its bias. */
struct regroup regroup_of(const struct meta *canonical, const char *name, enum layout, bool bias, bool back,
                          struct transposer *);

/* In words, for the account; NULL when the rows are as they are. */
const char *regroup_how(const struct regroup *, struct arena *);

/* The tensor that it makes of `t`: same name, another shape or type. A block of several weights cannot be taken apart:
 * FAIL_INPUT. */
int regroup_tensor(const struct regroup *, const struct tensor *t, struct tensor *out, struct fail *);

/* What that takes of memory beside the rows: model.panel_nbytes. */
uint64_t regroup_panel_nbytes(const struct regroup *, const struct tensor *t);

/* Rows [first, first + n) of what it makes of `t`, which belongs to `inner`; a vector whose weights are regrouped is always
 * wanted whole. In tmp, or where `inner` has them. NULL: see *f. */
const void *regroup_rows(const struct regroup *, struct model *inner, const struct tensor *t, uint64_t first, uint64_t n,
                         struct arena *tmp, struct fail *f);

#endif
