/* merge.c - byte-pair merging: one word from its smallest symbols up, the best pair first, the leftmost among equals.
 *
 * What a pair is worth comes from one of two tables: the rank of (left id, right id) among the merges, or the place of
 * the piece that both spell together among SentencePiece's scores. Short words search their few pairs again and again;
 * long ones keep a heap, so that a megabyte without a break stays n log n. Words seen before come from a small cache. */
#include "tokenizer/rules.h"
#include "tokenizer/vocab.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { SHORT_WORD = 24, CACHE_SLOTS = 1 << 14, CACHED_BYTES = 30, CACHED_IDS = 8 };
#define NO_RANK UINT32_MAX

/* ---- the table of pairs ---- */

struct pair {
    int32_t left, right;        /* left < 0: empty slot */
    uint32_t rank;
    int32_t id;
};

struct pair_table {
    struct pair *slot;
    size_t mask;
};

struct pair_table *pair_table_new(size_t npairs)
{
    struct pair_table *t = heap_grow(NULL, 1, sizeof *t);
    size_t nslots = 16;

    while (nslots < npairs + npairs / 2)
        nslots *= 2;
    t->mask = nslots - 1;
    t->slot = heap_grow(NULL, nslots, sizeof *t->slot);
    memset(t->slot, 0xff, nslots * sizeof *t->slot);
    return t;
}

void pair_table_free(struct pair_table *t)
{
    if (t)
        free(t->slot);
    free(t);
}

static struct pair *find_pair(const struct pair_table *t, int32_t left, int32_t right)
{
    uint64_t key = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * 0x9e3779b97f4a7c15u;
    size_t i = (size_t)(key >> 24) & t->mask;

    while (t->slot[i].left >= 0 && (t->slot[i].left != left || t->slot[i].right != right))
        i = (i + 1) & t->mask;
    return &t->slot[i];
}

void pair_table_add(struct pair_table *t, int32_t left, int32_t right, uint32_t rank, int32_t id)
{
    struct pair *p = find_pair(t, left, right);

    if (p->left < 0)
        *p = (struct pair){ left, right, rank, id };
}

/* ---- what is kept between words ---- */

struct cached {
    uint8_t nbytes, nids;       /* nbytes == 0: empty */
    char bytes[CACHED_BYTES];
    int32_t id[CACHED_IDS];
};

struct symbol {
    uint32_t start, n;          /* n == 0: merged into the one before */
    int32_t prev, next, id;     /* id < 0: these bytes are no piece */
};

/* A pair that may be merged: the best first, the leftmost among equals; stale when the two have grown since. */
struct candidate {
    uint64_t key;               /* rank << 32 | left symbol */
    uint32_t nbytes;
    int32_t id;
};

struct scratch {
    struct symbol *symbol;
    struct candidate *heap;
    size_t symbolcap, heapcap, nheap;
    uint32_t *split;            /* by id of an unused piece: bytes of the left half it was last made of; NULL: none yet */
    size_t npieces;
    struct cached cache[CACHE_SLOTS];
};

static struct scratch *scratch_of(struct model *m)
{
    if (!m->scratch) {
        m->scratch = heap_grow(NULL, 1, sizeof(struct scratch));
        memset(m->scratch, 0, sizeof(struct scratch));
    }
    return m->scratch;
}

void model_scratch_free(struct model *m)
{
    struct scratch *s = m->scratch;

    if (s) {
        free(s->symbol);
        free(s->heap);
        free(s->split);
    }
    free(s);
    m->scratch = NULL;
}

void ids_put(struct ids *out, int32_t id)
{
    if (out->n == out->cap) {
        out->cap = 2 * out->cap + 256;
        out->id = heap_grow(out->id, out->cap, sizeof *out->id);
    }
    out->id[out->n++] = id;
}

/* ---- what a pair is worth ---- */

static void remember_split(struct model *m, int32_t id, uint32_t left)
{
    struct scratch *s = scratch_of(m);

    if ((size_t)id >= s->npieces) {
        s->split = heap_grow(s->split, (size_t)id + 1024, sizeof *s->split);
        memset(s->split + s->npieces, 0, ((size_t)id + 1024 - s->npieces) * sizeof *s->split);
        s->npieces = (size_t)id + 1024;
    }
    s->split[id] = left;
}

/* The rank of merging [start, start + nleft) with the nright bytes behind, and the id of both together. */
static uint32_t rank_of(struct model *m, const char *start, uint32_t nleft, uint32_t nright, int32_t left, int32_t right, int32_t *id)
{
    if (m->pairs) {
        const struct pair *p = left < 0 || right < 0 ? NULL : find_pair(m->pairs, left, right);

        if (!p || p->left < 0)
            return NO_RANK;
        *id = p->id;
        return p->rank;
    }
    *id = piece_table_find(&m->pieces, start, nleft + nright);
    if (*id < 0)
        return NO_RANK;
    if (m->type[*id] == PIECE_UNUSED)
        remember_split(m, *id, nleft);
    return m->rank[*id];
}

/* ---- output ---- */

void put_unknown(struct model *m, const char *bytes, size_t n, struct ids *out)
{
    bool known = m->rules->byte_fallback || m->rules->byte_level;

    for (size_t i = 0; known && i < n; i++)
        known = m->byte_id[(uint8_t)bytes[i]] >= 0;
    for (size_t i = 0; known && i < n; i++)
        ids_put(out, m->byte_id[(uint8_t)bytes[i]]);
    if (!known && m->unk >= 0)
        ids_put(out, m->unk);
}

/* An unused piece is taken apart again the way it came about, as SentencePiece does. */
static void put_piece(struct model *m, const char *bytes, uint32_t n, int32_t id, struct ids *out)
{
    struct scratch *s = scratch_of(m);
    uint32_t left = !m->pairs && m->type[id] == PIECE_UNUSED && (size_t)id < s->npieces ? s->split[id] : 0;
    int32_t id_left, id_right;

    if (left == 0 || left >= n) {
        ids_put(out, id);
        return;
    }
    id_left = piece_table_find(&m->pieces, bytes, left);
    id_right = piece_table_find(&m->pieces, bytes + left, n - left);
    if (id_left >= 0)
        put_piece(m, bytes, left, id_left, out);
    else
        put_unknown(m, bytes, left, out);
    if (id_right >= 0)
        put_piece(m, bytes + left, n - left, id_right, out);
    else
        put_unknown(m, bytes + left, n - left, out);
}

/* Symbols in order; `was_unknown` carries over so that a run of unknowns is one where the source says so. */
static void put_symbol(struct model *m, const char *bytes, uint32_t n, int32_t id, bool *was_unknown, struct ids *out)
{
    bool unknown = id < 0;
    bool fused = unknown && *was_unknown && m->rules->fuse_unk && !m->rules->byte_fallback;

    if (!unknown)
        put_piece(m, bytes, n, id, out);
    else if (!fused)
        put_unknown(m, bytes, n, out);
    *was_unknown = unknown;
}

/* ---- short words ---- */

/* The first symbol at `word`: a byte, or a character. */
static uint32_t first_symbol(struct model *m, const char *word, size_t n, int32_t *id)
{
    size_t step = 1;

    if (m->rules->byte_level) {
        *id = m->byte_id[(uint8_t)*word];
    } else {
        step = utf8_length(word, n);
        step = step ? step : 1;
        *id = piece_table_find(&m->pieces, word, step);
    }
    return (uint32_t)step;
}

struct short_word {
    uint32_t start[SHORT_WORD + 1], rank[SHORT_WORD];       /* rank of symbols i and i + 1 */
    int32_t id[SHORT_WORD], merged[SHORT_WORD];
    uint32_t n;
};

static void rank_short(struct model *m, const char *word, struct short_word *w, uint32_t i)
{
    if (i + 1 < w->n)
        w->rank[i] = rank_of(m, word + w->start[i], w->start[i + 1] - w->start[i], w->start[i + 2] - w->start[i + 1],
                             w->id[i], w->id[i + 1], &w->merged[i]);
}

static void merge_short(struct model *m, const char *word, size_t n, struct ids *out)
{
    struct short_word w = { .n = 0 };
    bool was_unknown = false;

    for (uint32_t at = 0; at < n; w.n++) {
        w.start[w.n] = at;
        at += first_symbol(m, word + at, n - at, &w.id[w.n]);
    }
    w.start[w.n] = (uint32_t)n;
    for (uint32_t i = 0; i + 1 < w.n; i++)
        rank_short(m, word, &w, i);
    while (w.n > 1) {
        uint32_t best = 0, tail;

        for (uint32_t i = 1; i + 1 < w.n; i++)
            if (w.rank[i] < w.rank[best])
                best = i;
        if (w.rank[best] == NO_RANK)
            break;
        w.id[best] = w.merged[best];
        tail = w.n - best - 2;
        memmove(&w.start[best + 1], &w.start[best + 2], (tail + 1) * sizeof *w.start);
        memmove(&w.id[best + 1], &w.id[best + 2], tail * sizeof *w.id);
        memmove(&w.rank[best + 1], &w.rank[best + 2], tail * sizeof *w.rank);
        memmove(&w.merged[best + 1], &w.merged[best + 2], tail * sizeof *w.merged);
        w.n--;
        rank_short(m, word, &w, best);
        if (best > 0)
            rank_short(m, word, &w, best - 1);
    }
    for (uint32_t i = 0; i < w.n; i++)
        put_symbol(m, word + w.start[i], w.start[i + 1] - w.start[i], w.id[i], &was_unknown, out);
}

/* ---- long words ---- */

static void heap_push(struct scratch *s, struct candidate c)
{
    size_t i = s->nheap++;

    if (s->nheap > s->heapcap) {
        s->heapcap = 2 * s->heapcap + 1024;
        s->heap = heap_grow(s->heap, s->heapcap, sizeof *s->heap);
    }
    for (; i > 0 && c.key < s->heap[(i - 1) / 2].key; i = (i - 1) / 2)
        s->heap[i] = s->heap[(i - 1) / 2];
    s->heap[i] = c;
}

static struct candidate heap_pop(struct scratch *s)
{
    struct candidate top = s->heap[0], last = s->heap[--s->nheap];
    size_t i = 0, child;

    while ((child = 2 * i + 1) < s->nheap) {
        if (child + 1 < s->nheap && s->heap[child + 1].key < s->heap[child].key)
            child++;
        if (last.key <= s->heap[child].key)
            break;
        s->heap[i] = s->heap[child];
        i = child;
    }
    s->heap[i] = last;
    return top;
}

static void push_pair(struct model *m, struct scratch *s, const char *word, int32_t left)
{
    int32_t right = left < 0 ? -1 : s->symbol[left].next;
    const struct symbol *l, *r;
    struct candidate c;
    uint32_t rank;

    if (right < 0)
        return;
    l = &s->symbol[left];
    r = &s->symbol[right];
    rank = rank_of(m, word + l->start, l->n, r->n, l->id, r->id, &c.id);
    if (rank == NO_RANK)
        return;
    c.key = (uint64_t)rank << 32 | (uint32_t)left;
    c.nbytes = l->n + r->n;
    heap_push(s, c);
}

static size_t cut_symbols(struct model *m, struct scratch *s, const char *word, size_t n)
{
    size_t count = 0;

    if (n > s->symbolcap) {
        s->symbolcap = n;
        s->symbol = heap_grow(s->symbol, n, sizeof *s->symbol);
    }
    for (uint32_t at = 0; at < n; count++) {
        struct symbol *x = &s->symbol[count];

        *x = (struct symbol){ .start = at, .prev = (int32_t)count - 1, .next = (int32_t)count + 1 };
        x->n = first_symbol(m, word + at, n - at, &x->id);
        at += x->n;
    }
    s->symbol[count - 1].next = -1;
    return count;
}

static void merge_long(struct model *m, const char *word, size_t n, struct ids *out)
{
    struct scratch *s = scratch_of(m);
    size_t count = cut_symbols(m, s, word, n);
    bool was_unknown = false;

    s->nheap = 0;
    for (size_t i = 0; i + 1 < count; i++)
        push_pair(m, s, word, (int32_t)i);
    while (s->nheap) {
        struct candidate c = heap_pop(s);
        struct symbol *l = &s->symbol[(uint32_t)c.key], *r;

        if (l->n == 0 || l->next < 0 || l->n + s->symbol[l->next].n != c.nbytes)
            continue;
        r = &s->symbol[l->next];
        l->n = c.nbytes;
        l->id = c.id;
        r->n = 0;
        l->next = r->next;
        if (r->next >= 0)
            s->symbol[r->next].prev = (int32_t)(l - s->symbol);
        push_pair(m, s, word, l->prev);
        push_pair(m, s, word, (int32_t)(l - s->symbol));
    }
    for (int32_t i = 0; i >= 0; i = s->symbol[i].next)
        put_symbol(m, word + s->symbol[i].start, s->symbol[i].n, s->symbol[i].id, &was_unknown, out);
}

/* ---- one word ---- */

static void merge_uncached(struct model *m, const char *word, size_t n, struct ids *out)
{
    int32_t whole = m->rules->ignore_merges ? piece_table_find(&m->pieces, word, n) : -1;

    if (whole >= 0 && m->type[whole] == PIECE_NORMAL)
        ids_put(out, whole);
    else if (n <= SHORT_WORD)
        merge_short(m, word, n, out);
    else
        merge_long(m, word, n, out);
}

void merge_word(struct model *m, const char *word, size_t n, struct ids *out)
{
    struct cached *c;
    size_t before = out->n;

    if (n > CACHED_BYTES) {
        merge_uncached(m, word, n, out);
        return;
    }
    c = &scratch_of(m)->cache[XXH3_64bits(word, n) % CACHE_SLOTS];
    if (c->nbytes == n && memcmp(c->bytes, word, n) == 0) {
        for (uint8_t i = 0; i < c->nids; i++)
            ids_put(out, c->id[i]);
        return;
    }
    merge_uncached(m, word, n, out);
    if (out->n - before <= CACHED_IDS) {
        c->nbytes = (uint8_t)n;
        c->nids = (uint8_t)(out->n - before);
        memcpy(c->bytes, word, n);
        memcpy(c->id, out->id + before, c->nids * sizeof *c->id);
    }
}
