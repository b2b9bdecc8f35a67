/* canonical.h - how the commands that run a model open it and its text. */
#ifndef BANTAM_CANONICAL_H
#define BANTAM_CANONICAL_H

#include "formats/model.h"
#include "tokenizer/vocab.h"
#include "tools/args.h"

/* Opens and renames. *found (may be NULL) is model_rename()'s vocabulary. NULL: see *f, which names the path. */
struct model *canonical_open(const struct args *, const char *path, struct vocab **found, struct fail *);

/* The vocabulary of a model: what rename found in a directory, otherwise the metadata's. */
struct vocab *canonical_vocab(struct model *, struct vocab *found, struct fail *);

int needs_text(const struct args *, const char *command, struct fail *);        /* FAIL_USAGE without --text */
int text_spared(const struct args *, struct fail *);     /* FAIL_USAGE if --out is the file of --text */
char *read_text(struct args *, size_t *nbytes, struct fail *); /* of --text, a gzip file or not, in args' arena */

#endif
