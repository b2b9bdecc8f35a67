/* groups.h - the scored tokens by what they are part of, for figures of each group alone. */
#ifndef BANTAM_GROUPS_H
#define BANTAM_GROUPS_H

#include "formats/arena.h"
#include "verify/stats.h"

struct group {
    const char *name, *about;           /* about: the same for people; NULL: the name */
    size_t *which;                      /* n numbers of scored tokens, ascending: what figures_of() takes */
    size_t n;
};

struct groups {
    struct group *item;                 /* n; a group may be empty */
    size_t n;
};

/* of[i]: the group of scored token i of `tokens`, below n. Arrays hang on `a`, names are borrowed. */
struct groups groups_of(const char *const *name, size_t n, const size_t *of, size_t tokens, struct arena *a);

/* By how sure the original was: its most likely token had a probability of at least 0.9, of at least 0.5, or less. */
struct groups groups_by_confidence(const struct token_said *, size_t tokens, struct arena *a);

#endif
