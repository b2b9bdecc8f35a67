/* hashes.h - content hashes of tensors and files, and what they are checked against. */
#ifndef BANTAM_HASHES_H
#define BANTAM_HASHES_H

#include "formats/model.h"
#include "formats/sha256.h"
#include "tools/args.h"

#include <xxhash.h>

enum { XXH3_TEXT = 33 };        /* 32 hex digits, the high half first, and a NUL */

void xxh3_text(char text[XXH3_TEXT], XXH128_hash_t);

/* XXH3-128 of every tensor's bytes as they lie in the file, all threads at once; progress is shown as `a` has it. NULL: see *f. */
XXH128_hash_t *hash_tensors(struct model *, struct args *a, struct fail *);

/* SHA-256 of n files of nbytes in all, hex[n], in args' arena; several files at a time, with progress. NULL: see *f. */
char (*hash_paths(const char *const *path, size_t n, uint64_t nbytes, struct args *a, struct fail *))[SHA256_TEXT];

/* The same of every file of a model. */
char (*hash_files(const struct model *, struct args *a, struct fail *))[SHA256_TEXT];

/* One id of the weights alone: XXH3-128 over every tensor's name, type, shape and hash, sorted by name. Edits of keys, splitting,
 * joining and another order of tensors leave it as it is. `hash` is hash_tensors()'s. */
XXH128_hash_t fingerprint_of(const struct model *, const XXH128_hash_t *hash);

/* --check MANIFEST: lines of sha256sum, or the JSON that 'inspect --json' printed with --hashes or --sha256. What the manifest
 * lists of this model is hashed again. Prints a table or JSON; FAIL_NO when anything differs or is missing, FAIL_INPUT for a
 * manifest that lists nothing of the model. */
int hashes_check(struct model *, struct args *a, struct fail *);

#endif
