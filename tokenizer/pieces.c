/* pieces.c - a hash from bytes to the id of a piece, and a trie for all pieces that start at a place. See rules.h.
 *
 * The trie is a hash too: (node, byte) leads to the next node, so that a vocabulary of a quarter million pieces costs
 * a few bytes a node whatever its alphabet. */
#include "tokenizer/rules.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static size_t power_above(size_t n)
{
    size_t p = 16;

    while (p < n)
        p *= 2;
    return p;
}

void piece_table_init(struct piece_table *t, struct arena *a, const struct meta_string *piece, size_t n)
{
    size_t nslots = power_above(2 * n);

    t->piece = piece;
    t->mask = nslots - 1;
    t->slot = arena_raw(a, nslots * sizeof *t->slot);
    memset(t->slot, 0xff, nslots * sizeof *t->slot);
}

/* Where bytes of this hash are, or would go. */
static struct piece_slot *find_slot(const struct piece_table *t, const void *bytes, size_t n, uint64_t hash)
{
    uint32_t tag = (uint32_t)(hash >> 32);

    for (size_t i = hash & t->mask;; i = (i + 1) & t->mask) {
        struct piece_slot *s = &t->slot[i];

        if (s->id < 0 || (s->tag == tag && t->piece[s->id].n == n && memcmp(t->piece[s->id].s, bytes, n) == 0))
            return s;
    }
}

void piece_table_add(struct piece_table *t, int32_t id)
{
    uint64_t hash = XXH3_64bits(t->piece[id].s, t->piece[id].n);
    struct piece_slot *s = find_slot(t, t->piece[id].s, t->piece[id].n, hash);

    if (s->id < 0)
        *s = (struct piece_slot){ id, (uint32_t)(hash >> 32) };
}

int32_t piece_table_find(const struct piece_table *t, const void *bytes, size_t n)
{
    return find_slot(t, bytes, n, XXH3_64bits(bytes, n))->id;
}

/* ---- trie ---- */

struct edge {
    uint32_t from, to;          /* to == 0: empty slot; node 1 is the root */
    uint8_t byte;
};

struct trie {
    struct edge *edge;
    size_t mask, nedges;
    int32_t *value;             /* by node */
    uint32_t nnodes, cap;
};

static struct edge *new_edges(size_t n)
{
    struct edge *edge = heap_grow(NULL, n, sizeof *edge);

    memset(edge, 0, n * sizeof *edge);
    return edge;
}

struct trie *trie_new(void)
{
    struct trie *t = heap_grow(NULL, 1, sizeof *t);

    *t = (struct trie){ .mask = 255, .cap = 256, .nnodes = 2 };
    t->edge = new_edges(t->mask + 1);
    t->value = heap_grow(NULL, t->cap, sizeof *t->value);
    t->value[0] = t->value[1] = -1;
    return t;
}

void trie_free(struct trie *t)
{
    if (!t)
        return;
    free(t->edge);
    free(t->value);
    free(t);
}

static size_t edge_slot(const struct edge *edge, size_t mask, uint32_t from, uint8_t byte)
{
    uint64_t key = ((uint64_t)from << 8 | byte) * 0x9e3779b97f4a7c15u;
    size_t i = (size_t)(key >> 20) & mask;

    while (edge[i].to && (edge[i].from != from || edge[i].byte != byte))
        i = (i + 1) & mask;
    return i;
}

static void grow_edges(struct trie *t)
{
    size_t mask = 2 * t->mask + 1;
    struct edge *edge = new_edges(mask + 1);

    for (size_t i = 0; i <= t->mask; i++)
        if (t->edge[i].to)
            edge[edge_slot(edge, mask, t->edge[i].from, t->edge[i].byte)] = t->edge[i];
    free(t->edge);
    t->edge = edge;
    t->mask = mask;
}

static uint32_t child(struct trie *t, uint32_t node, uint8_t byte)
{
    size_t i = edge_slot(t->edge, t->mask, node, byte);

    if (t->edge[i].to)
        return t->edge[i].to;
    if (t->nnodes == t->cap)
        t->value = heap_grow(t->value, t->cap *= 2, sizeof *t->value);
    t->value[t->nnodes] = -1;
    t->edge[i] = (struct edge){ node, t->nnodes, byte };
    if (++t->nedges > t->mask / 2)
        grow_edges(t);
    return t->nnodes++;
}

void trie_add(struct trie *t, const char *bytes, size_t n, int32_t value)
{
    uint32_t node = 1;

    for (size_t i = 0; i < n; i++)
        node = child(t, node, (uint8_t)bytes[i]);
    if (n && t->value[node] < 0)
        t->value[node] = value;
}

bool trie_empty(const struct trie *t)
{
    return t->nnodes == 2;
}

uint32_t trie_root(const struct trie *t)
{
    (void)t;
    return 1;
}

uint32_t trie_walk(const struct trie *t, uint32_t node, uint8_t byte)
{
    return t->edge[edge_slot(t->edge, t->mask, node, byte)].to;
}

int32_t trie_value(const struct trie *t, uint32_t node)
{
    return t->value[node];
}
