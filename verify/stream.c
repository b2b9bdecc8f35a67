/* stream.c - streams opened and closed, their hidden states, and products with weights that are decoded slab by slab. */
#include "verify/stream.h"

#include "verify/rows.h"

#include <string.h>

/* ---- opening ---- */

/* Floats that a token needs while it passes a layer: see attention_block(), stream_mlp() and mixture(). */
static size_t temporaries(const struct stream *s)
{
    const size_t *n = s->length;

    size_t hidden = largest(n[HIDDEN], largest(n[EXPERT_HIDDEN], n[SHARED_HIDDEN]));

    return 3 * n[WIDTH] + largest(n[QUERY] + n[KEY] + n[VALUE] + n[MIXED],
                                  2 * hidden + (n[EXPERTS] ? 2 * n[WIDTH] + n[EXPERTS] + 4 * s->experts_used : 0));
}

static int check_tokens(const struct stream *s, struct fail *f)
{
    for (size_t i = 0; i < s->nchunks * s->context; i++)
        if (s->tokens[i] < 0 || (size_t)s->tokens[i] >= s->vocabulary)
            return fail(f, FAIL_INPUT, "token id %d is outside the model's vocabulary of %zu", s->tokens[i], s->vocabulary);
    return 0;
}

struct stream *stream_open(struct model *model, const int32_t *tokens, size_t nchunks, size_t context,
                           const struct stream_options *options, struct fail *f)
{
    struct arena arena = {0};
    struct stream *s = arena_new(&arena, struct stream);

    s->arena = arena;
    s->model = model;
    s->tokens = tokens;
    s->nchunks = nchunks;
    s->context = context;
    if (options)
        s->options = *options;
    ops_init();
    if (context < 1 || context > MAX_LENGTH)
        fail(f, FAIL_USAGE, "a context of %zu tokens is not possible", context);
    else if (stream_read_hyperparameters(s, f) == 0 && stream_find_tensors(s, f) == 0 && check_tokens(s, f) == 0) {
        s->group = largest(1, GROUP_TOKENS / context);
        while (s->group > 1 && s->group * context * temporaries(s) * sizeof(float) > GROUP_NBYTES)
            s->group--;
        s->hidden = arena_raw(&s->arena, nchunks * context * s->length[WIDTH] * sizeof(float));
        return s;
    }
    fail_in(f, model->path);
    stream_close(s);
    return NULL;
}

void stream_release_buffers(struct stream *s)
{
    arena_release(&s->work);
    arena_release(&s->slab);
}

void stream_close(struct stream *s)
{
    if (!s)
        return;
    struct arena arena = s->arena;      /* holds s itself */
    stream_release_buffers(s);
    arena_release(&arena);
}

size_t stream_layers(const struct stream *s)
{
    return s->layers;
}

size_t stream_width(const struct stream *s)
{
    return s->length[WIDTH];
}

size_t stream_vocabulary(const struct stream *s)
{
    return s->vocabulary;
}

int stream_gather(struct stream *s, const size_t *at, size_t n, float *out, struct fail *f)
{
    size_t width = s->length[WIDTH];

    (void)f;
    for (size_t i = 0; i < n; i++)
        memcpy(out + i * width, hidden_at(s, at[i]), width * sizeof *out);
    return 0;
}

/* ---- steps ---- */

float *stream_buffer(struct stream *s, size_t n, size_t width)
{
    return arena_raw(&s->work, n * width * sizeof(float));
}

int stream_vector(struct stream *s, const struct tensor *t, const float **out, struct fail *f)
{
    *out = t ? model_rows_f32(s->model, t, 0, 1, &s->work, f) : NULL;
    return t && !*out ? -1 : 0;
}

void stream_observe(struct stream *s, const struct tensor *t, size_t expert, const float *x, size_t n)
{
    if (s->options.observe)
        s->options.observe(s->options.ctx, t, expert, x, n);
}

int stream_product(struct stream *s, const struct affine *a, const float *x, size_t n, float *y, struct fail *f)
{
    size_t rows = a->rows, first = a->first + a->expert * rows, width = tensor_row(a->w), panel_nbytes = OPS_PANEL * width * sizeof(float);
    size_t slab = OPS_PANEL * largest(1, SLAB_NBYTES / panel_nbytes);
    const float *bias = NULL;
    int bad = stream_vector(s, a->b, &bias, f);

    arena_reset(&s->slab);
    float *w = arena_raw(&s->slab, (slab < rows ? slab : rows) * width * sizeof *w);
    if (a->first == 0)
        stream_observe(s, a->w, a->expert, x, n);
    for (size_t r = 0; r < rows && !bad; r += slab) {
        size_t some = rows - r < slab ? rows - r : slab;
        bad = rows_decode(s->model, a->w, first + r, some, w, f);
        if (!bad)
            op_product(x, n, width, w, some, y + r, rows);
    }
    if (bias && !bad)
        op_add(y, NULL, bias + a->first, n, rows);
    return bad;
}

int stream_norm(struct stream *s, const struct affine *a, const float *x, size_t n, float *y, struct fail *f)
{
    const float *gain, *bias;

    if (!a->w)
        return 0;
    if (stream_vector(s, a->w, &gain, f) != 0 || stream_vector(s, a->b, &bias, f) != 0)
        return -1;
    op_norm(s->block.norm, x, n, tensor_row(a->w), gain, bias, s->eps, y);
    return 0;
}
