/* diagnose.h - what became of a tensor that is not what it should be: a flipped row, rows in another order, another tensor's
 * weights, a forgotten transpose. It says what the weights look like, from a few rows; it does not change any verdict. */
#ifndef BANTAM_DIAGNOSE_H
#define BANTAM_DIAGNOSE_H

#include "verify/replay.h"

/* A sentence about a damaged pair, in `a`. NULL: see *f. */
const char *diagnose(struct model *expected, struct model *found, const struct replay_pair *, const struct replay_result *,
                     struct arena *a, struct fail *);

/* The name of an expected tensor that holds what `t` of `found` does, exactly or nearly; NULL: none, or see *f. */
const char *diagnose_name(struct model *expected, struct model *found, const struct tensor *t, struct fail *);

#endif
