/* cut.c - see cut.h. */
#include "convert/cut.h"

#include <string.h>

enum {
    CHUNK_WEIGHTS = 1 << 20,    /* weights of a chunk, or one row if that is longer */
    BATCH_BYTES = 1 << 18,      /* tensors up to this size share a chunk... */
    BATCH_GAP = 4096            /* ...when there is no more than this between them */
};

struct cutting {
    const struct model *model;
    const struct plan *plan;
    struct chunk *chunk;
    size_t n, cap;
    struct arena *a;
};

static void add_chunk(struct cutting *c, struct chunk chunk)
{
    c->chunk = arena_grow(c->a, c->chunk, &c->cap, c->n + 1, sizeof *c->chunk);
    c->chunk[c->n++] = chunk;
}

/* Does small tensor i continue the batch that the last chunk is? */
static bool continues(const struct cutting *c, size_t i)
{
    const struct chunk *last = c->n ? &c->chunk[c->n - 1] : NULL;
    const struct plan_tensor *at = &c->plan->tensor[i];
    uint64_t nbytes = tensor_bytes(&c->model->tensor[i]);

    return last && last->ntensors && last->file == at->file && at->offset >= last->offset + last->nbytes &&
           at->offset - (last->offset + last->nbytes) <= BATCH_GAP && at->offset + nbytes - last->offset <= BATCH_BYTES;
}

static void cut_small(struct cutting *c, size_t i)
{
    const struct plan_tensor *at = &c->plan->tensor[i];

    if (!continues(c, i))
        add_chunk(c, (struct chunk){ .tensor = i, .file = at->file, .offset = at->offset });
    struct chunk *last = &c->chunk[c->n - 1];
    last->ntensors = i + 1 - last->tensor;      /* empty tensors in between are of the batch, and add nothing */
    last->nbytes = at->offset + tensor_bytes(&c->model->tensor[i]) - last->offset;
}

uint64_t chunk_rows(const struct tensor *t)
{
    uint64_t rows = tensor_rows(t), step = CHUNK_WEIGHTS / (tensor_row(t) ? tensor_row(t) : 1);

    step = step ? step : 1;
    return rows < step ? rows : step;
}

static void cut_large(struct cutting *c, size_t i)
{
    const struct tensor *t = &c->model->tensor[i];
    const struct plan_tensor *at = &c->plan->tensor[i];
    uint64_t rows = tensor_rows(t), step = chunk_rows(t);

    for (uint64_t row = 0; row < rows; row += step) {
        uint64_t n = rows - row < step ? rows - row : step;
        add_chunk(c, (struct chunk){ .tensor = i, .row = row, .nrows = n, .file = at->file,
                                     .offset = at->offset + row * tensor_row_bytes(t), .nbytes = n * tensor_row_bytes(t) });
    }
}

struct chunk *chunks_cut(const struct model *m, const struct plan *plan, struct arena *a, size_t *n)
{
    struct cutting c = { .model = m, .plan = plan, .a = a };

    for (size_t i = 0; i < m->ntensors; i++) {
        uint64_t nbytes = tensor_bytes(&m->tensor[i]);
        if (nbytes > BATCH_BYTES)
            cut_large(&c, i);
        else if (nbytes)
            cut_small(&c, i);
    }
    *n = c.n;
    return c.chunk;
}

const void *chunk_bytes(struct model *m, const struct plan *plan, const struct chunk *c, struct arena *tmp, struct fail *f)
{
    uint8_t *bytes;

    if (!c->ntensors)
        return model_rows(m, &m->tensor[c->tensor], c->row, c->nrows, tmp, f);
    bytes = arena_alloc(tmp, c->nbytes);
    for (size_t i = c->tensor; i < c->tensor + c->ntensors; i++) {
        const struct tensor *t = &m->tensor[i];
        uint64_t nbytes = tensor_bytes(t);
        const void *rows = nbytes ? model_rows(m, t, 0, tensor_rows(t), tmp, f) : NULL;
        if (nbytes && !rows)
            return NULL;
        if (nbytes)
            memcpy(bytes + (plan->tensor[i].offset - c->offset), rows, nbytes);
    }
    return bytes;
}
