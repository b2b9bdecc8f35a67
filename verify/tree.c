/* tree.c - see tree.h. */
#include "verify/tree.h"

#include "verify/matmul.h"

#include <string.h>

enum { QUERIES = 128 };         /* of one head that share a block of scores */

/* ---- building ---- */

size_t tree_common(const struct tree *t, const int32_t *token, size_t n)
{
    size_t same = 0;

    while (same < n && same < t->npath && t->token[t->path[same]] == token[same])
        same++;
    return same;
}

/* Branch i ends behind its first n tokens, and another one goes on there, which keeps all that hung on it. */
static void split(struct tree *t, size_t i, size_t n, struct arena *a)
{
    struct branch *b;

    t->branch = arena_grow(a, t->branch, &t->branch_cap, t->nbranches + 1, sizeof *t->branch);
    b = &t->branch[i];
    memmove(b + 2, b + 1, (t->nbranches - i - 1) * sizeof *b);
    b[1] = (struct branch){ b->first + n, b->n - n, b->at + n, t->n };
    b->n = n;
    t->nbranches++;
}

/* The branches that a sequence with `same` tokens of the last one does not run along have all that will hang on them. */
static void leave(struct tree *t, size_t same, struct arena *a)
{
    while (t->nopen && t->branch[t->open[t->nopen - 1]].at >= same)
        t->branch[t->open[--t->nopen]].end = t->n;
    if (!t->nopen)
        return;
    size_t last = t->open[t->nopen - 1];
    if (t->branch[last].at + t->branch[last].n > same)
        split(t, last, same - t->branch[last].at, a);
}

void tree_add(struct tree *t, const int32_t *token, size_t n, struct arena *a)
{
    size_t same = tree_common(t, token, n);

    t->npath = n;
    t->longest = n > t->longest ? n : t->longest;
    if (same == n)
        return;
    leave(t, same, a);
    t->branch = arena_grow(a, t->branch, &t->branch_cap, t->nbranches + 1, sizeof *t->branch);
    t->open = arena_grow(a, t->open, &t->open_cap, t->nopen + 1, sizeof *t->open);
    t->open[t->nopen++] = t->nbranches;
    t->branch[t->nbranches++] = (struct branch){ .first = t->n, .n = n - same, .at = same };
    t->token = arena_grow(a, t->token, &t->token_cap, t->n + n - same, sizeof *t->token);
    t->position = arena_grow(a, t->position, &t->position_cap, t->n + n - same, sizeof *t->position);
    t->path = arena_grow(a, t->path, &t->path_cap, n, sizeof *t->path);
    for (size_t i = same; i < n; i++, t->n++) {
        t->token[t->n] = token[i];
        t->position[t->n] = (int32_t)i;
        t->path[i] = t->n;
    }
}

void tree_end(struct tree *t)
{
    leave(t, 0, NULL);
    t->npath = 0;
}

/* ---- attention ---- */

/* Queries [first, end) of one head, which lie together in several branches. A row of scores has a place for each position; the branches
 * above its token fill those before it:
 *
 *                positions  0 ......... 4 .... 6 ... 9
 *     query of branch d     a a a a a a d d 0
 *     query of branch g     a a a a a a d d g g 0 0
 *     query of branch i     a a a a a a i 0
 */
struct block {
    const struct attention *a;
    const struct tree *tree;
    const float *q, *k, *v;         /* of this head, of the tree's first token */
    float *out;
    size_t first, end;
    size_t low, wide;               /* positions [low, low + wide) are seen by some */
    float *scores;                  /* (end - first) x wide */
    float *mixed;                   /* (end - first) x value: what one branch adds */
    struct arena *room;             /* of products */
};

/* The part of a branch that queries of a block see: rows [row, row + rows) of the scores, columns [column, column + n), from
 * token `key` on. */
struct part {
    size_t row, rows, column, n, key;
};

static struct part part_of(const struct block *b, const struct branch *x)
{
    size_t from = x->first > b->first ? x->first : b->first, to = x->end < b->end ? x->end : b->end;
    size_t n = b->end - x->first < x->n ? b->end - x->first : x->n, skip = b->low > x->at ? b->low - x->at : 0;

    if (x->first >= b->end || x->end <= b->first || skip >= n)
        return (struct part){0};
    return (struct part){ from - b->first, to - from, x->at + skip - b->low, n - skip, x->first + skip };
}

static void score(const struct block *b, float slope)
{
    const struct attention *a = b->a;
    size_t q_stride = a->heads * a->key, k_stride = a->kv_heads * a->key;

    for (size_t i = 0; i < b->tree->nbranches; i++) {
        struct part p = part_of(b, &b->tree->branch[i]);
        if (p.rows)
            matmul_rows((struct matrix){ b->q + (b->first + p.row) * q_stride, p.rows, a->key, q_stride },
                        (struct matrix){ b->k + p.key * k_stride, p.n, a->key, k_stride }, a->scale,
                        b->scores + p.row * b->wide + p.column, b->wide, b->room);
    }
    for (size_t i = b->first; i < b->end; i++) {
        float *row = b->scores + (i - b->first) * b->wide;
        size_t upto = (size_t)b->tree->position[i] + 1, from = a->window && upto > a->window ? upto - a->window : 0;
        from -= b->low;
        upto -= b->low;
        if (a->softcap > 0)
            op_softcap(row + from, upto - from, a->softcap);
        for (size_t key = from; slope != 0 && key < upto; key++)
            row[key] -= slope * (float)(upto - 1 - key);
        memset(row, 0, from * sizeof *row);
        op_softmax(row + from, upto - from);
        memset(row + upto, 0, (b->wide - upto) * sizeof *row);
    }
}

static void add_mixed(const struct block *b, const struct part *p)
{
    size_t value = b->a->value, out_stride = b->a->heads * value;

    for (size_t i = 0; i < p->rows; i++)
        for (size_t k = 0; k < value; k++)
            b->out[(b->first + p->row + i) * out_stride + k] += b->mixed[i * value + k];
}

static void mix(const struct block *b)
{
    const struct attention *a = b->a;
    size_t v_stride = a->kv_heads * a->value, out_stride = a->heads * a->value;

    for (size_t i = b->first; i < b->end; i++)
        memset(b->out + i * out_stride, 0, a->value * sizeof *b->out);
    for (size_t i = 0; i < b->tree->nbranches; i++) {
        struct part p = part_of(b, &b->tree->branch[i]);
        if (!p.rows)
            continue;
        matmul_columns((struct matrix){ b->scores + p.row * b->wide + p.column, p.rows, p.n, b->wide },
                       (struct matrix){ b->v + p.key * v_stride, p.n, a->value, v_stride }, b->mixed, a->value, b->room);
        add_mixed(b, &p);
    }
}

/* The positions that some query of the block sees. */
static void measure(struct block *b)
{
    size_t low = SIZE_MAX, high = 0;

    for (size_t i = b->first; i < b->end; i++) {
        size_t upto = (size_t)b->tree->position[i] + 1, from = b->a->window && upto > b->a->window ? upto - b->a->window : 0;
        low = from < low ? from : low;
        high = upto > high ? upto : high;
    }
    b->low = low;
    b->wide = high - low;
}

void op_attention_tree(const struct attention *a, const struct tree *t, const float *q, const float *k, const float *v, float *out)
{
    size_t blocks = (t->n + QUERIES - 1) / QUERIES, group = a->heads / a->kv_heads;

#pragma omp parallel
    {
        struct arena tmp = {0}, room = {0};
        float *scores = arena_raw(&tmp, QUERIES * t->longest * sizeof *scores), *mixed = arena_raw(&tmp, QUERIES * a->value * sizeof *mixed);
#pragma omp for collapse(2) schedule(dynamic)
        for (size_t h = 0; h < a->heads; h++)
            for (size_t i = 0; i < blocks; i++) {
                struct block b = { .a = a, .tree = t, .q = q + h * a->key, .k = k + h / group * a->key, .v = v + h / group * a->value,
                                   .out = out + h * a->value, .first = i * QUERIES, .scores = scores, .mixed = mixed, .room = &room };
                b.end = b.first + QUERIES < t->n ? b.first + QUERIES : t->n;
                measure(&b);
                score(&b, a->slope ? a->slope[h] : 0);
                mix(&b);
            }
        arena_release(&room);
        arena_release(&tmp);
    }
}
