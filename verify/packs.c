/* packs.c - see packs.h. */
#include "verify/packs.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Trees of short or of long sequences. The last one grows in an arena of its own until it is full. */
struct pack_list {
    struct tree *tree;
    struct terms *terms;
    size_t n, tree_cap, terms_cap;
    struct arena building;
};

/* The sequences of a prompt that go into the same kind of tree, those that share most side by side. */
struct batch {
    const struct prompt *prompt;
    size_t sequence[RULES * CHOICES_MOST];
    size_t n;
};

/* ---- trees ---- */

static int by_place(const void *a, const void *b)
{
    const struct term *x = a, *y = b;

    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return (x->sum > y->sum) - (x->sum < y->sum);
}

static void *trimmed(const void *items, size_t n, size_t size, struct arena *a)
{
    return n ? memcpy(arena_raw(a, n * size), items, n * size) : NULL;
}

/* The last tree is full. */
static void finish(struct packs *p, struct pack_list *l)
{
    struct tree *t = &l->tree[l->n - 1];
    struct terms *terms = &l->terms[l->n - 1];

    tree_end(t);
    if (terms->n)
        qsort(terms->item, terms->n, sizeof *terms->item, by_place);
    *t = (struct tree){ .token = trimmed(t->token, t->n, sizeof *t->token, p->arena), .n = t->n, .longest = t->longest,
                        .position = trimmed(t->position, t->n, sizeof *t->position, p->arena),
                        .branch = trimmed(t->branch, t->nbranches, sizeof *t->branch, p->arena), .nbranches = t->nbranches };
    *terms = (struct terms){ .item = trimmed(terms->item, terms->n, sizeof *terms->item, p->arena), .n = terms->n };
    p->tokens += t->n;
    arena_release(&l->building);
}

static void begin(struct packs *p, struct pack_list *l)
{
    if (l->n)
        finish(p, l);
    l->tree = arena_grow(p->arena, l->tree, &l->tree_cap, l->n + 1, sizeof *l->tree);
    l->terms = arena_grow(p->arena, l->terms, &l->terms_cap, l->n + 1, sizeof *l->terms);
    l->tree[l->n] = (struct tree){0};
    l->terms[l->n++] = (struct terms){0};
}

static struct pack_list *list_of(struct packs *p, bool longer)
{
    if (!p->list[longer])
        p->list[longer] = arena_new(p->arena, struct pack_list);
    return p->list[longer];
}

/* ---- sequences ---- */

static const struct sequence *sequence_at(const struct batch *b, size_t i)
{
    return &b->prompt->sequence[b->sequence[i]];
}

static size_t shared(const struct sequence *a, const struct sequence *b)
{
    size_t n = 0;

    while (n < a->n && n < b->n && a->token[n] == b->token[n])
        n++;
    return n;
}

/* In the order of a dictionary. */
static bool before(const struct sequence *a, const struct sequence *b)
{
    size_t same = shared(a, b);

    return same == a->n || same == b->n ? a->n < b->n : a->token[same] < b->token[same];
}

static struct batch batch_of(const struct packs *p, const struct prompt *prompt, bool longer)
{
    struct batch b = { .prompt = prompt };

    for (size_t i = 0; i < prompt->nsequences; i++) {
        size_t k = b.n;
        if ((prompt->sequence[i].n > p->turn) != longer)
            continue;
        for (; k > 0 && before(&prompt->sequence[i], sequence_at(&b, k - 1)); k--)
            b.sequence[k] = b.sequence[k - 1];
        b.sequence[k] = i;
        b.n++;
    }
    return b;
}

/* Tokens that a tree grows by. */
static size_t growth(const struct tree *t, const struct batch *b)
{
    size_t n = 0;

    for (size_t i = 0; i < b->n; i++) {
        const struct sequence *s = sequence_at(b, i);
        n += s->n - (i ? shared(sequence_at(b, i - 1), s) : t ? tree_common(t, s->token, s->n) : 0);
    }
    return n;
}

/* The terms of the spans in sequence `index`, which was added last. */
static void add_terms(struct terms *terms, const struct tree *t, const struct prompt *prompt, size_t index, size_t nchoices, size_t first,
                      size_t stride, struct arena *a)
{
    for (size_t i = 0; i < RULES * nchoices; i++) {
        const struct span *s = &prompt->span[i];
        for (size_t k = 0; k < s->n && s->sequence == index; k++) {
            terms->item = arena_grow(a, terms->item, &terms->cap, terms->n + 1, sizeof *terms->item);
            terms->item[terms->n++] = (struct term){ (uint32_t)t->path[s->at + k], s->token[k],
                                                     (uint32_t)(i / nchoices * stride + first + i % nchoices) };
        }
    }
}

static void place(struct packs *p, struct pack_list *l, const struct batch *b, size_t nchoices, size_t first, size_t stride)
{
    size_t alone = growth(NULL, b);

    p->most = alone > p->most ? alone : p->most;
    if (!l->n || l->tree[l->n - 1].n + growth(&l->tree[l->n - 1], b) > p->most)
        begin(p, l);
    struct tree *t = &l->tree[l->n - 1];
    for (size_t i = 0; i < b->n; i++) {
        const struct sequence *s = sequence_at(b, i);
        tree_add(t, s->token, s->n, &l->building);
        p->written_out += s->n;
        add_terms(&l->terms[l->n - 1], t, b->prompt, b->sequence[i], nchoices, first, stride, &l->building);
    }
}

void packs_add(struct packs *p, const struct prompt *prompt, size_t nchoices, size_t first, size_t stride)
{
    assert((uint64_t)RULES * stride <= UINT32_MAX);
    for (int longer = 0; longer < 2; longer++) {
        struct batch b = batch_of(p, prompt, longer);
        if (b.n)
            place(p, list_of(p, longer), &b, nchoices, first, stride);
    }
}

void packs_end(struct packs *p)
{
    const struct pack_list *shorts = list_of(p, false), *longs = list_of(p, true);
    size_t n = shorts->n + longs->n;

    for (int longer = 0; longer < 2; longer++)
        if (p->list[longer]->n)
            finish(p, p->list[longer]);
    p->tree = arena_array(p->arena, struct tree, n);
    p->terms = arena_array(p->arena, struct terms, n);
    for (size_t i = 0; i < n; i++) {
        const struct pack_list *l = i < shorts->n ? shorts : longs;
        size_t at = i < shorts->n ? i : i - shorts->n;
        p->tree[i] = l->tree[at];
        p->terms[i] = l->terms[at];
    }
    p->n = n;
    p->nshort = shorts->n;
}
