/* forward.c - the network itself, as the papers write it: embeddings, attention and mlp of each layer, logits. */
#include "verify/stream.h"

#include "verify/rows.h"

#include <string.h>

/* The same positions for every chunk. */
static int add_positions(struct stream *s, struct fail *f)
{
    size_t width = s->length[WIDTH];
    float *positions = stream_buffer(s, s->context, width);

    if (rows_decode(s->model, s->positions.w, 0, s->context, positions, f) != 0)
        return -1;
    for (size_t chunk = 0; chunk < s->nchunks; chunk++)
        op_add(hidden_at(s, chunk * s->context), positions, NULL, s->context, width);
    return 0;
}

int stream_embed(struct stream *s, struct fail *f)
{
    size_t n = s->nchunks * s->context, width = s->length[WIDTH];
    int bad = rows_gather(s->model, s->embedding.w, s->tokens, n, s->hidden, f);

    if (!bad && s->embedding_scale != 1)
        op_scale(s->hidden, n, width, &s->embedding_scale, 1);
    if (!bad && s->positions.w)
        bad = add_positions(s, f);
    if (!bad)
        bad = stream_norm(s, &s->embedding_norm, s->hidden, n, s->hidden, f);
    stream_release_buffers(s);
    return bad ? fail_in(f, s->model->path) : 0;
}

/* Those that are named, or of every so many layers all but the last. */
static bool has_window(const struct stream *s, const struct layer *l)
{
    size_t index = (size_t)(l - s->layer), period = s->block.window_period;

    if (s->windowed)
        return s->window && s->windowed[index];

    return s->window && (!period || index % period < period - 1);
}

/* x += Wo attention(rope(Wq stream_norm(x)), rope(Wk stream_norm(x)), Wv stream_norm(x)), where some families norm heads and sums */
static int attention_block(struct stream *s, const struct layer *l, float *x, size_t n, struct fail *f)
{
    struct attention inner = s->attention;
    const struct attention *a = &inner;
    const float *table = has_window(s, l) ? s->window_rope_table : s->rope_table;
    float *y = stream_buffer(s, n, s->length[WIDTH]), *mixed = stream_buffer(s, n, s->length[MIXED]);
    float *q = stream_buffer(s, n, s->length[QUERY]), *k = stream_buffer(s, n, s->length[KEY]), *v = stream_buffer(s, n, s->length[VALUE]);

    if (stream_norm(s, &l->attn_norm, x, n, y, f) != 0 || stream_product(s, &l->q, y, n, q, f) != 0 ||
        stream_product(s, &l->k, y, n, k, f) != 0 || stream_product(s, &l->v, y, n, v, f) != 0)
        return -1;
    if (s->clamp > 0) {
        op_clamp(q, n * s->length[QUERY], s->clamp);
        op_clamp(k, n * s->length[KEY], s->clamp);
        op_clamp(v, n * s->length[VALUE], s->clamp);
    }
    if (stream_norm(s, &l->q_norm, q, n * a->heads, q, f) != 0 || stream_norm(s, &l->k_norm, k, n * a->kv_heads, k, f) != 0)
        return -1;
    inner.window = has_window(s, l) ? s->window : 0;
    op_rope(s->block.rope, table, s->rope.rot, s->context, q, n, a->heads, a->key);
    op_rope(s->block.rope, table, s->rope.rot, s->context, k, n, a->kv_heads, a->key);
    if (s->temperature)
        op_scale(q, n, s->length[QUERY], s->temperature, s->context);
    op_attention(a, q, k, v, n, mixed);
    if (stream_product(s, &l->o, mixed, n, y, f) != 0 || stream_norm(s, &l->attn_post_norm, y, n, y, f) != 0)
        return -1;
    op_add(x, y, NULL, n, s->length[WIDTH]);
    return 0;
}

/* Both halves of a layer for the chunks from `chunk` on that pass it together; *n receives their tokens. */
static int group_through(struct stream *s, size_t layer, size_t chunk, size_t *n, struct fail *f)
{
    size_t chunks = s->nchunks - chunk < s->group ? s->nchunks - chunk : s->group;
    float *x = hidden_at(s, chunk * s->context);
    const float *in = x;            /* what the mlp reads */

    *n = chunks * s->context;
    if (s->block.has & HAS_PARALLEL_MLP)
        in = memcpy(stream_buffer(s, *n, s->length[WIDTH]), x, *n * s->length[WIDTH] * sizeof *x);
    if (attention_block(s, &s->layer[layer], x, *n, f) != 0)
        return -1;
    if (in == x)
        arena_reset(&s->work);
    if (stream_mlp(s, &s->layer[layer], in, x, *n, f) != 0)
        return -1;
    arena_reset(&s->work);
    if (!op_finite(x, *n * s->length[WIDTH]))
        return fail(f, FAIL_INPUT, "the hidden state behind layer %zu ('blk.%zu') is not finite", layer, layer);
    return 0;
}

int stream_layer(struct stream *s, size_t layer, struct fail *f)
{
    int bad = 0;

    for (size_t chunk = 0; chunk < s->nchunks && !bad; chunk += s->group) {
        size_t n;
        bad = group_through(s, layer, chunk, &n, f);
        if (!bad && s->options.progress)
            s->options.progress(s->options.ctx, n);
    }
    stream_release_buffers(s);
    return bad ? fail_in(f, s->model->path) : 0;
}

int stream_observe_output(struct stream *s, size_t first, size_t n, struct fail *f)
{
    int bad = 0;

    for (size_t some; n && !bad; first += some, n -= some) {
        some = n < GROUP_TOKENS ? n : GROUP_TOKENS;
        float *x = stream_buffer(s, some, s->length[WIDTH]);
        bad = stream_norm(s, &s->output_norm, hidden_at(s, first), some, x, f);
        if (!bad)
            stream_observe(s, s->output.w, 0, x, some);
        arena_reset(&s->work);
    }
    stream_release_buffers(s);
    return bad ? fail_in(f, s->model->path) : 0;
}

int stream_logits(struct stream *s, const size_t *at, size_t n, float *logits, struct fail *f)
{
    size_t width = s->length[WIDTH];
    float *x = stream_buffer(s, n, width);
    int bad;

    bad = stream_gather(s, at, n, x, f) != 0 || stream_norm(s, &s->output_norm, x, n, x, f) != 0 || stream_product(s, &s->output, x, n, logits, f) != 0;
    if (!bad && s->logit_scale != 1)
        op_scale(logits, n, s->vocabulary, &s->logit_scale, 1);
    if (!bad && s->softcap > 0)
        op_softcap(logits, n * s->vocabulary, s->softcap);
    if (!bad && !op_finite(logits, n * s->vocabulary))
        bad = fail(f, FAIL_INPUT, "the logits ('%s') are not finite", s->output.w->name);
    stream_release_buffers(s);
    return bad ? fail_in(f, s->model->path) : 0;
}
