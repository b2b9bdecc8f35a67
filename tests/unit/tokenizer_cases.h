/* tokenizer_cases.h - ids of a reference against those of a vocabulary. */
#ifndef BANTAM_TOKENIZER_CASES_H
#define BANTAM_TOKENIZER_CASES_H

#include "formats/json.h"
#include "tokenizer/tokenizer.h"

/* One text; `want` is an array of numbers. -1 after a test_failed() that names `what`. */
int check_ids(const char *what, struct tokenizer *, const char *text, size_t n, const cJSON *want, struct arena *);

/* [{"text", "ids"}, ...], no special tokens added or parsed. */
int check_cases(const char *what, const struct vocab *, const cJSON *cases, struct arena *);

/* A directory under $TMPDIR that holds `bytes` as NAME, and nothing else; made anew by each call. The path stays valid. */
const char *temporary_dir(const char *name, const void *bytes, size_t n);
void temporary_remove(void);

#endif
