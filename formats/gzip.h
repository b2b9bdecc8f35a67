/* gzip.h - texts to measure on are long and often come compressed: book.txt.gz is read as book.txt would be. */
#ifndef BANTAM_GZIP_H
#define BANTAM_GZIP_H

#include "formats/arena.h"
#include "formats/fail.h"

#include <stddef.h>
#include <stdint.h>

/* The whole of a text file, gunzipped if it starts as RFC 1952 says (all members of it), in `a` and NUL-terminated; *n is its
 * length. More than `limit` bytes of text, and a damaged or cut stream: FAIL_INPUT. NULL: see *f. */
char *gzip_read_text(const char *path, uint64_t limit, struct arena *a, size_t *n, struct fail *);

#endif
