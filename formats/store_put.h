/* store_put.h - putting a finished model where a runtime looks for it: files by copy, reflink or hard link, each under its final
 * name only when it is whole, and what makes the model visible (a manifest, a model.yml) last. Nothing that is there
 * already is changed, unless `replace` says so of that last file. */
#ifndef BANTAM_STORE_PUT_H
#define BANTAM_STORE_PUT_H

#include "formats/arena.h"
#include "formats/fail.h"
#include "formats/sha256.h"

#include <stdbool.h>
#include <stdint.h>

struct put_file {
    const char *path;                   /* final name */
    uint64_t nbytes;
    char sha256[SHA256_TEXT];
    const char *how;                    /* "copied", "reflinked", "linked", "written", "there already"; NULL: not yet */
};

struct put_list {
    struct put_file *file;
    size_t n, cap;
};

struct put_options {
    bool link;                          /* reflink or hard-link instead of copying; refused where the file system cannot */
    bool replace;
    bool dry_run;                       /* hash and list, write nothing */
    void (*progress)(void *ctx, uint64_t nbytes);   /* so many more bytes hashed or copied; may be NULL */
    void *ctx;
};

/* SRC under DIR/NAME. A file of that name with other bytes is FAIL_USAGE. Folders are made. */
int put_copy(struct put_list *, const char *src, const char *dir, const char *name, const struct put_options *, struct arena *,
             struct fail *);

/* The same under DIR/sha256-HEX, as Ollama names its blobs. */
int put_blob(struct put_list *, const char *src, const char *dir, const struct put_options *, struct arena *, struct fail *);
int put_blob_text(struct put_list *, const void *bytes, size_t n, const char *dir, const struct put_options *, struct arena *,
                  struct fail *);

/* What makes the model visible. An existing file of other bytes is FAIL_USAGE without `replace`. */
int put_visible(struct put_list *, const char *path, const void *bytes, size_t n, const struct put_options *, struct arena *,
                struct fail *);

#endif
