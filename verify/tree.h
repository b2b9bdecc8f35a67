/* tree.h - sequences of tokens that begin alike, each common beginning written once, and attention along their branches.
 *
 * Added in an order in which those that share most are neighbors, sequences lie in one row of tokens like this; a token sees the
 * branches above its own, and of its own what stands before it:
 *
 *     position   0 1 2 3 4 5 6 7               token      0 1 2 3 4 5 6 7 8 9 ...
 *                a b c d e f                   written    a b c d e f g h i k
 *                      | g h                              |---| |---| |-| |-|     branches: the first token, how many,
 *                      i k                                a.....  d..   g   i     `at` which position, and where what
 *                                                                                 hangs on them ends
 */
#ifndef BANTAM_TREE_H
#define BANTAM_TREE_H

#include "verify/ops.h"

struct branch {
    size_t first, n;                    /* tokens [first, first + n) ... */
    size_t at;                          /* ... stand at positions [at, at + n) of their sequences */
    size_t end;                         /* tokens [first + n, end) see all of them */
};

struct tree {
    int32_t *token, *position;          /* n of each */
    size_t n;
    struct branch *branch;
    size_t nbranches;
    size_t longest;                     /* tokens of the longest sequence */

    /* Private, while sequences are added: the place of each token of the last one, and the branches that it runs along. */
    size_t *path, npath;
    size_t *open, nopen;
    size_t token_cap, position_cap, branch_cap, path_cap, open_cap;
};

/* All zeros is an empty tree. How many tokens at the beginning of a sequence are those of the one added last. */
size_t tree_common(const struct tree *, const int32_t *token, size_t n);

/* Adds a sequence; arrays grow in `a`. Token i of it then is token path[i] of the tree, until the next one is added. */
void tree_add(struct tree *, const int32_t *token, size_t n, struct arena *a);

/* No more are added. */
void tree_end(struct tree *);

/* Like op_attention() over the tree's tokens; `context` does not matter. In parallel over heads and blocks of queries. */
void op_attention_tree(const struct attention *, const struct tree *, const float *q, const float *k, const float *v, float *out);

#endif
