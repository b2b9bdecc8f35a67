/* encoders.h - what the commands share that run encoders. */
#ifndef BANTAM_ENCODERS_H
#define BANTAM_ENCODERS_H

#include "tools/args.h"
#include "tokenizer/vocab.h"
#include "verify/embed.h"
#include "verify/score.h"

/* "mean", "cls" or "last". */
const char *pooling_name(const struct model *canonical);

/* Lines of a text as `m` reads them, cut at --context tokens, at most --chunks lines. *longest: where they were cut. */
int sentences_of(struct args *, struct model *m, struct vocab *found, const char *text, size_t nbytes, struct sentences *out,
                 size_t *longest, struct fail *);

/* `verify` where the original is an encoder: sentence vectors side by side. */
int verify_encoders(struct args *, const struct score_models *, struct vocab *found, struct fail *);

#endif
