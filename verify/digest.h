/* digest.h - XXH3-128 of what decides a result, so that a run that was stopped is taken up by none but the same. */
#ifndef BANTAM_DIGEST_H
#define BANTAM_DIGEST_H

#include "formats/model.h"

enum { DIGEST_TEXT = 33 };

struct digest;

struct digest *digest_new(void);                /* holds the program's version */
void digest_bytes(struct digest *, const void *, size_t n);     /* with their number */
void digest_u64(struct digest *, uint64_t);

/* Keys, and files by name, size and time: reading all weights again would cost as much as a layer. */
void digest_model(struct digest *, const struct model *);

/* As hex digits; frees. */
void digest_end(struct digest *, char text[DIGEST_TEXT]);

#endif
