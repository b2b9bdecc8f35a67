/* cut.c - see cut.h. */
#include "convert/cut.h"

#include "formats/file.h"

#include <stdlib.h>
#include <string.h>

enum {
    CHUNK_WEIGHTS = 1 << 20,    /* weights of a chunk, or one row if that is longer; fewer towards the end: */
    PARTS = 8,                  /* never more than so many parts of what is left ... */
    LEAST_WEIGHTS = 1 << 18,    /* ... but these, so that all threads end at about the same time */
    BATCH_BYTES = 1 << 18,      /* tensors up to this size, and LEAST_WEIGHTS, share a chunk... */
    BATCH_GAP = 4096            /* ...when there is no more than this between them */
};

static void add_chunk(struct chunks *c, struct arena *a, struct chunk chunk)
{
    c->item = arena_grow(a, c->item, &c->cap, c->n + 1, sizeof *c->item);
    c->item[c->n++] = chunk;
}

/* Does a small tensor continue the batch that the last chunk is? */
static bool continues(const struct chunks *c, const struct placed *at, uint64_t nbytes)
{
    const struct chunk *last = c->n ? &c->item[c->n - 1] : NULL;

    return last && last->ntensors && last->file == at->file && at->offset >= last->offset + last->nbytes &&
           at->offset - (last->offset + last->nbytes) <= BATCH_GAP && at->offset + nbytes - last->offset <= BATCH_BYTES;
}

static void cut_small(struct chunks *c, struct arena *a, size_t first, uint64_t nbytes)
{
    const struct placed *at = &c->placed[first];

    if (!continues(c, at, nbytes))
        add_chunk(c, a, (struct chunk){ .first = first, .file = at->file, .offset = at->offset });
    struct chunk *last = &c->item[c->n - 1];
    last->ntensors++;
    last->nbytes = at->offset + nbytes - last->offset;
}

/* As many of `rows` as have so many weights. */
static uint64_t rows_of(const struct tensor *t, uint64_t rows, uint64_t weights)
{
    return min_u64(rows, max_u64(1, weights / max_u64(1, tensor_row(t))));
}

uint64_t chunk_rows(const struct tensor *t)
{
    return rows_of(t, tensor_rows(t), CHUNK_WEIGHTS);
}

/* `left`: weights of the output from t on. */
static void cut_large(struct chunks *c, struct arena *a, size_t first, const struct tensor *t, uint64_t left)
{
    const struct placed *at = &c->placed[first];
    uint64_t rows = tensor_rows(t);

    for (uint64_t row = 0, n; row < rows; row += n) {
        uint64_t part = (left - row * tensor_row(t)) / PARTS;
        n = rows_of(t, rows - row, max_u64(LEAST_WEIGHTS, min_u64(CHUNK_WEIGHTS, part)));
        add_chunk(c, a, (struct chunk){ .first = first, .row = row, .nrows = n, .file = at->file,
                                        .offset = at->offset + row * tensor_row_bytes(t), .nbytes = n * tensor_row_bytes(t) });
    }
}

static int by_place(const void *a, const void *b)
{
    const struct placed *p = a, *q = b;

    if (p->file != q->file)
        return p->file < q->file ? -1 : 1;
    return p->offset < q->offset ? -1 : p->offset > q->offset;
}

struct chunks chunks_cut(const struct model *m, const struct plan *plan, struct arena *a)
{
    struct placed *placed = arena_array(a, struct placed, m->ntensors);
    struct chunks c = { .placed = placed };
    uint64_t left = 0;
    size_t n = 0;

    for (size_t i = 0; i < m->ntensors; i++)
        if (tensor_bytes(&m->tensor[i])) {
            placed[n++] = (struct placed){ plan->tensor[i].file, plan->tensor[i].offset, i };
            left += tensor_weights(&m->tensor[i]);
        }
    if (n)
        qsort(placed, n, sizeof *placed, by_place);
    for (size_t i = 0; i < n; i++) {
        const struct tensor *t = &m->tensor[placed[i].tensor];
        if (tensor_bytes(t) > BATCH_BYTES || tensor_weights(t) > LEAST_WEIGHTS)
            cut_large(&c, a, i, t, left);
        else
            cut_small(&c, a, i, tensor_bytes(t));
        left -= tensor_weights(t);
    }
    return c;
}

const void *chunk_bytes(struct model *m, const struct chunks *chunks, size_t i, struct arena *tmp, struct fail *f)
{
    const struct chunk *c = &chunks->item[i];
    const struct placed *p = &chunks->placed[c->first];
    uint8_t *bytes;

    if (!c->ntensors)
        return model_rows(m, &m->tensor[p->tensor], c->row, c->nrows, tmp, f);
    bytes = arena_alloc(tmp, c->nbytes);
    for (size_t k = 0; k < c->ntensors; k++) {
        const struct tensor *t = &m->tensor[p[k].tensor];
        const void *rows = model_rows(m, t, 0, tensor_rows(t), tmp, f);
        if (!rows)
            return NULL;
        memcpy(bytes + (p[k].offset - c->offset), rows, tensor_bytes(t));
    }
    return bytes;
}
