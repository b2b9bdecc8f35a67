/* packed.h - a matrix of small whole numbers, packed into words of 32 bits, beside scales and zero points of groups of its columns.
 *
 * Weight [r][c] is (q[r][c] - z[r][g]) * s[r][g], g = c / group, or what a list of groups says for c. How q, z and s lie in files (N rows,
 * K columns, p numbers in a word, G groups; the first number is in the lowest bits):
 *     compressed-tensors    q: N x K/p    s: N x G    z: N/p x G; without z it is half of the range
 *     GPTQ                  q: K/p x N    s: G x N    z: G x N/p, one lower than it is but in version 2
 *     AWQ                   q: K x N/p    s: G x N    z: G x N/p; rows 0 2 4 6 1 3 5 7 of eight from the lowest bits on
 * All but the first are turned as they are read (transpose.h). */
#ifndef BANTAM_PACKED_H
#define BANTAM_PACKED_H

#include "convert/transpose.h"
#include "formats/model.h"

struct packing {
    unsigned bits;              /* of a number: 1 to 8 */
    uint64_t group;             /* columns that share a scale; 0: all */
    bool turned;                /* rows are columns in the file */
    bool interleaved;           /* words hold rows, in AWQ's order, not columns */
    unsigned zero_less;         /* zero points are stored lower by this */
};

/* For one thread at a time to make, for many to use: as long as the arena. */
struct packed_turners {
    struct transposer *word, *scale, *zero;
};
struct packed_turners packed_turners_new(struct arena *);

struct packed {
    struct packing how;
    const struct tensor *word, *scale;          /* int32; floats */
    const struct tensor *zero, *group_of;       /* int32; NULL: none */
    uint64_t rows, columns, groups;
};

/* Sets rows, columns and groups of a p that has all else. `shape`: of the matrix, as a tensor of two numbers says that lies in `m`; NULL: no
 * tensor says. FAIL_INPUT: tensors that do not go together. */
int packed_init(struct packed *p, struct model *m, const struct tensor *shape, struct fail *);

/* Rows [first, first + n) as floats, in tmp. NULL: see *f. */
float *packed_rows(const struct packed *, const struct packed_turners *, struct model *, uint64_t first, uint64_t n, struct arena *tmp,
                   struct fail *f);

#endif
