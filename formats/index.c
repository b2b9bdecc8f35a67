/* index.c - see index.h. Open addressing over XXH3. */
#include "formats/index.h"

#include <assert.h>
#include <string.h>

#include <xxhash.h>

/* The slot that holds `name`, or the free one where it belongs. */
static size_t probe(const struct name_index *x, const char *name)
{
    size_t i = (size_t)XXH3_64bits(name, strlen(name)) & (x->nslots - 1);

    while (x->slot[i] && strcmp(x->name[x->slot[i] - 1], name) != 0)
        i = (i + 1) & (x->nslots - 1);
    return i;
}

static void rehash(struct name_index *x, struct arena *a)
{
    x->nslots = x->nslots ? 2 * x->nslots : 32;
    x->slot = arena_array(a, uint32_t, x->nslots);
    for (size_t i = 0; i < x->n; i++)
        x->slot[probe(x, x->name[i])] = (uint32_t)i + 1;
}

bool name_index_add(struct name_index *x, struct arena *a, const char *name)
{
    size_t i;

    assert(x->n < UINT32_MAX);
    if (2 * (x->n + 1) > x->nslots)
        rehash(x, a);
    i = probe(x, name);
    if (x->slot[i])
        return false;
    x->name = arena_grow(a, x->name, &x->cap, x->n + 1, sizeof *x->name);
    x->name[x->n++] = name;
    x->slot[i] = (uint32_t)x->n;
    return true;
}

int64_t name_index_find(const struct name_index *x, const char *name)
{
    return x->nslots ? (int64_t)x->slot[probe(x, name)] - 1 : -1;
}
