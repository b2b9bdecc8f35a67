/* diagnose.h - what became of a tensor that is not what it should be: a flipped row, rows in another order, another tensor's
 * weights, a forgotten transpose. It says what the weights look like, from a few rows; it does not change any verdict. */
#ifndef BANTAM_DIAGNOSE_H
#define BANTAM_DIAGNOSE_H

#include "verify/replay.h"

/* A sentence about a damaged pair, in `a`. NULL: see *f. */
const char *diagnose(struct model *expected, struct model *found, const struct replay_pair *, const struct replay_result *,
                     struct arena *a, struct fail *);

/* A sentence about a pair that fits, though few of its blocks are not equal: how many, and where the first is. NULL: all are
 * equal, or most are not. */
const char *diagnose_few(const struct replay_pair *, const struct replay_result *, struct arena *a);

/* "holds what belongs to 'NAME'": which expected tensor a tensor of another name or shape is, exactly or nearly, in `a`. NULL: none,
 * or see *f. */
const char *diagnose_stray(struct model *expected, struct model *found, const struct tensor *, struct arena *a, struct fail *f);

#endif
