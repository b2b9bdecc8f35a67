/* patch.h - overwriting the first bytes of a large file in place, so that a crash in the middle loses nothing.
 *
 * The bytes that are about to be replaced are first kept, synced, in FILE.undo:
 *     "BANTAMUN" | u64 n | u64 XXH3 of the n bytes | the n bytes that FILE started with
 * While that file is there FILE is not to be trusted: patch_pending() says so, and patch_recover() puts the old bytes back. */
#ifndef BANTAM_PATCH_H
#define BANTAM_PATCH_H

#include "formats/fail.h"

#include <stdbool.h>
#include <stdint.h>

bool patch_pending(const char *path);

/* Puts back what an interrupted patch_head() had begun to replace, and removes FILE.undo; nothing to do: 0. An undo file
 * that is not whole was interrupted before FILE was touched, and is only removed. */
int patch_recover(const char *path, struct fail *);

/* Replaces the first n bytes of the file, which has more. Locks it against another patch. FAIL_SYSTEM.
 * For tests, reach() knows the points undo and head (half of it written). */
int patch_head(const char *path, const void *bytes, uint64_t n, struct fail *);

#endif
