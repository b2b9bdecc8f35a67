/* sha256.h - SHA-256 of files and texts, by libcrypto: what stores name their blobs by and bills of materials quote. */
#ifndef BANTAM_SHA256_H
#define BANTAM_SHA256_H

#include "formats/fail.h"

#include <stddef.h>
#include <stdint.h>

enum { SHA256_TEXT = 65 };      /* 64 hex digits, lower case, and a NUL */

/* `done(ctx, n)` is told of every n more bytes; may be NULL. Reads in steps, so memory does not grow with the file. */
int sha256_file(const char *path, char hex[SHA256_TEXT], void (*done)(void *ctx, uint64_t n), void *ctx, struct fail *);
void sha256_bytes(const void *, size_t n, char hex[SHA256_TEXT]);

#endif
