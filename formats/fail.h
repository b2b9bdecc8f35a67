/* fail.h - how bad input and the operating system fail: a kind, one complete sentence, where, and what to do.
 *
 * Functions return 0 / -1, or a pointer / NULL, and leave the reason in the caller's struct fail. The place that
 * knows the facts writes the text; everyone above just returns. Broken invariants are assert()s instead. */
#ifndef BANTAM_FAIL_H
#define BANTAM_FAIL_H

#include <stdbool.h>
#include <stdint.h>

enum fail_kind {
    FAIL_NONE,
    FAIL_NO,            /* the command ran and said no        exit 1 */
    FAIL_USAGE,         /* wrong command line                 exit 2 */
    FAIL_INPUT,         /* malformed, unsupported, inconsistent  exit 3 */
    FAIL_SYSTEM,        /* space, permission, I/O, memory     exit 4 */
};

struct fail {
    enum fail_kind kind;
    char text[600];     /* lower case, no full stop, names in single quotes, the numbers that matter */
    char where[400];    /* the file it is about; empty: none */
    char hint[400];     /* what to do about it; empty: nothing */
};

/* Each returns -1, so that `return fail(f, ...)` reads well. The first failure stays: a second is dropped. */
int fail(struct fail *f, enum fail_kind kind, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* As FAIL_SYSTEM, with strerror(errno) behind the text. */
int fail_errno(struct fail *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Adds the file / the remedy to a failure that has none yet; harmless when there is no failure. Return -1. */
int fail_in(struct fail *f, const char *path);
int fail_hint(struct fail *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* In a loop that many threads share: *f becomes the failure of the lowest index, whatever the timing; *lowest starts as
 * UINT64_MAX. Where `mine` is none nothing happens. */
void fail_lowest(struct fail *f, uint64_t *lowest, uint64_t i, const struct fail *mine);

static inline bool failed(const struct fail *f)
{
    return f->kind != FAIL_NONE;
}

#endif
