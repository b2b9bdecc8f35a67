/* index.h - a hashed set of names: which number has this name, and was it there before?
 *
 * Names are numbered in the order of adding. They are not copied: they must live as long as the index, which hangs
 * on the arena given to name_index_add(). All zeros is an empty index. */
#ifndef BANTAM_INDEX_H
#define BANTAM_INDEX_H

#include "formats/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct name_index {
    const char **name;
    size_t n, cap;
    uint32_t *slot;             /* number + 1; 0: free */
    size_t nslots;              /* a power of two, at least twice n */
};

/* Gives `name` the next number; false, and nothing changed, if it is there already. */
bool name_index_add(struct name_index *, struct arena *, const char *name);

/* The number of `name`, or -1. */
int64_t name_index_find(const struct name_index *, const char *name);

#endif
