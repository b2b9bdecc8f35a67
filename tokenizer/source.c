/* source.c - the growing lists of a struct source. See rules.h. */
#include "tokenizer/rules.h"
#include "tokenizer/vocab.h"

#include <stdlib.h>
#include <string.h>

/* Four arrays side by side grow together, by doubling, on the heap: what they hold moves to the arena once. */
void source_reserve(struct source *s, uint64_t id)
{
    uint64_t old = s->cap;

    if (id < s->n)
        return;
    if (id >= s->cap) {
        s->cap = 2 * id + 1024;
        s->piece = heap_grow(s->piece, s->cap, sizeof *s->piece);
        s->score = heap_grow(s->score, s->cap, sizeof *s->score);
        s->type = heap_grow(s->type, s->cap, sizeof *s->type);
        s->added_at = heap_grow(s->added_at, s->cap, sizeof *s->added_at);
        memset(s->piece + old, 0, (s->cap - old) * sizeof *s->piece);
        memset(s->added_at + old, 0, (s->cap - old) * sizeof *s->added_at);
    }
    s->n = id + 1;
}

void source_set(struct source *s, uint64_t id, struct meta_string piece, float score, int32_t type)
{
    source_reserve(s, id);
    s->piece[id] = piece;
    s->score[id] = score;
    s->type[id] = type;
}

struct added_token *source_added(struct source *s, int32_t id)
{
    return id >= 0 && (uint64_t)id < s->n && s->added_at[id] ? &s->added[s->added_at[id] - 1] : NULL;
}

void source_add(struct source *s, struct added_token t)
{
    struct added_token *old = source_added(s, t.id);

    if (old) {
        *old = t;
        return;
    }
    source_reserve(s, (uint64_t)t.id);
    s->added = arena_grow(s->tmp, s->added, &s->addedcap, s->nadded + 1, sizeof *s->added);
    s->added[s->nadded++] = t;
    s->added_at[t.id] = (uint32_t)s->nadded;
}

void source_release(struct source *s)
{
    free(s->piece);
    free(s->score);
    free(s->type);
    free(s->added_at);
}
