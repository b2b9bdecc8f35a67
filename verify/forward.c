/* forward.c - the network itself, as the papers write it: embeddings, attention and mlp of each layer, logits. */
#include "verify/stream.h"

#include "verify/rows.h"

#include <string.h>

/* The same positions for every chunk, or each token's own in a tree. */
static int add_positions(struct stream *s, const struct tree *tree, float *x, size_t n, struct fail *f)
{
    size_t width = s->length[WIDTH];
    float *positions = stream_buffer(s, s->context, width);

    if (tree) {
        if (rows_gather(s->model, s->positions.w, tree->position, n, positions, f) != 0)
            return -1;
        op_add(x, positions, NULL, n, width);
        return 0;
    }
    if (rows_decode(s->model, s->positions.w, 0, s->context, positions, f) != 0)
        return -1;
    for (size_t token = 0; token < n; token += s->context)
        op_add(x + token * width, positions, NULL, s->context, width);
    return 0;
}

/* The chunks that pass a layer together, and their tokens; one chunk, if it is a tree. */
struct span {
    size_t index, first, n;
    const struct tree *tree;
};

static struct span group_at(const struct stream *s, size_t index)
{
    const struct tree *tree = s->options.tree ? &s->options.tree[index] : NULL;
    size_t chunk = index * s->group, chunks = s->nchunks - chunk < s->group ? s->nchunks - chunk : s->group;

    return (struct span){ .index = index, .first = chunk * s->context, .n = tree ? tree->n : chunks * s->context, .tree = tree };
}

static int embed_group(struct stream *s, struct span g, struct fail *f)
{
    size_t width = s->length[WIDTH];
    float *x = states_get(s->states, s->index, g.index, 0, g.n * width, &s->space->input, f);

    if (!x || rows_gather(s->model, s->embedding.w, s->tokens + g.first, g.n, x, f) != 0)
        return -1;
    if (s->embedding_scale != 1)
        op_scale(x, g.n, width, &s->embedding_scale, 1);
    if ((s->positions.w && add_positions(s, g.tree, x, g.n, f) != 0) || stream_norm(s, &s->embedding_norm, x, g.n, x, f) != 0)
        return -1;
    return states_put(s->states, s->index, g.index, s->options.before + 1, x, g.n * width, f);
}

int stream_embed(struct stream *s, struct fail *f)
{
    int bad = stream_own_states(s, f);

    for (size_t i = 0; i < stream_groups(s, s->group) && !bad; i++) {
        if (states_passed(s->states, s->index, i) <= s->options.before)
            bad = embed_group(s, group_at(s, i), f);
        arena_reset(&s->space->input);
        arena_reset(&s->space->work);
    }
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

/* What `table` has for each position, `width` numbers: of a chunk as it stands, of a tree for each of its tokens. */
static const float *at_positions(struct stream *s, const float *table, size_t width, struct span g)
{
    float *own;

    if (!g.tree || !table)
        return table;
    own = stream_buffer(s, g.n, width);
    op_gather(table, g.tree->position, g.n, width, own);
    return own;
}

/* Of each chunk of n rows of x those from position `from` on, copied. */
static float *rows_from(struct stream *s, const float *x, size_t n, size_t from)
{
    size_t width = s->length[WIDTH], some = s->context - from, chunks = n / s->context;
    float *rows = stream_buffer(s, chunks * some, width);

    for (size_t k = 0; k < chunks; k++)
        memcpy(rows + k * some * width, x + (k * s->context + from) * width, some * width * sizeof *x);
    return rows;
}

/* x += Wo attention(rope(Wq norm(x)), rope(Wk norm(x)), Wv norm(x)), where some families norm heads and sums; of each chunk (not of a
 * tree) only rows from position `from` on. */
static int attention_block(struct stream *s, const struct layer *l, float *x, struct span g, size_t from, struct fail *f)
{
    struct attention inner = s->attention;
    const struct attention *a = &inner;
    size_t n = g.n, period = g.tree ? g.n : s->context, chunks = n / period, some = period - from, m = chunks * some;
    const float *table = at_positions(s, has_window(s, l) ? s->window_rope_table : s->rope_table, s->rope.rot, g);
    const float *temperature = at_positions(s, s->temperature, 1, g);
    float *y = stream_buffer(s, n, s->length[WIDTH]), *mixed = stream_buffer(s, m, s->length[MIXED]);
    float *q = stream_buffer(s, m, s->length[QUERY]), *k = stream_buffer(s, n, s->length[KEY]), *v = stream_buffer(s, n, s->length[VALUE]);

    if (stream_norm(s, &l->attn_norm, x, n, y, f) != 0 || stream_product(s, &l->q, from ? rows_from(s, y, n, from) : y, m, q, f) != 0 ||
        stream_product(s, &l->k, y, n, k, f) != 0 || stream_product(s, &l->v, y, n, v, f) != 0)
        return -1;
    if (s->clamp > 0) {
        op_clamp(q, m * s->length[QUERY], s->clamp);
        op_clamp(k, n * s->length[KEY], s->clamp);
        op_clamp(v, n * s->length[VALUE], s->clamp);
    }
    if (stream_norm(s, &l->q_norm, q, m * a->heads, q, f) != 0 || stream_norm(s, &l->k_norm, k, n * a->kv_heads, k, f) != 0)
        return -1;
    inner.window = has_window(s, l) ? s->window : 0;
    inner.from = from;
    op_rope(s->block.rope, table ? table + from * s->rope.rot : NULL, s->rope.rot, some, q, m, a->heads, a->key);
    op_rope(s->block.rope, table, s->rope.rot, period, k, n, a->kv_heads, a->key);
    if (s->options.half_cache) {
        op_halve(k, n * s->length[KEY]);
        op_halve(v, n * s->length[VALUE]);
        inner.halved = s->block.has & HAS_LOOSE_ATTENTION;
        if (inner.halved)
            op_halve(q, m * s->length[QUERY]);
    }
    if (temperature)
        op_scale(q, m, s->length[QUERY], temperature + from, some);
    if (g.tree)
        op_attention_tree(a, g.tree, q, k, v, mixed);
    else
        op_attention(a, q, k, v, n, mixed);
    if (stream_product(s, &l->o, mixed, m, y, f) != 0 || stream_norm(s, &l->attn_post_norm, y, m, y, f) != 0)
        return -1;
    for (size_t i = 0; i < chunks; i++)
        op_add(x + (i * period + from) * s->length[WIDTH], y + i * some * s->length[WIDTH], NULL, some, s->length[WIDTH]);
    return 0;
}

/* The mlp for those rows only that somebody looks at: of each chunk of x the ones from `from` on. */
static int mlp_of_needed(struct stream *s, const struct layer *l, const float *in, float *x, size_t n, size_t from, struct fail *f)
{
    size_t width = s->length[WIDTH], some = s->context - from, chunks = n / s->context;
    float *rows = rows_from(s, x, n, from);
    const float *inputs = in == x ? rows : rows_from(s, in, n, from);

    if (stream_mlp(s, l, inputs, rows, chunks * some, f) != 0)
        return -1;
    for (size_t k = 0; k < chunks; k++)
        memcpy(x + (k * s->context + from) * width, rows + k * some * width, some * width * sizeof *x);
    return 0;
}

/* Both halves of a layer for n tokens that pass it together; of the last layer only rows that somebody looks at. */
static int through_layer(struct stream *s, const struct layer *l, float *x, struct span g, struct fail *f)
{
    size_t n = g.n;
    const float *in = x;            /* what the mlp reads */
    bool last = l == &s->layer[s->layers - 1];
    size_t from = last && !g.tree && (!s->options.observe || n > s->context) ? s->options.needed_from : 0;  /* an observer is shown
                                                                                        whole chunks, or several halves */

    if (s->block.has & HAS_PARALLEL_MLP)
        in = memcpy(stream_buffer(s, n, s->length[WIDTH]), x, n * s->length[WIDTH] * sizeof *x);
    if (attention_block(s, l, x, g, from, f) != 0)
        return -1;
    if (in == x)
        arena_reset(&s->space->work);
    return from ? mlp_of_needed(s, l, in, x, n, from, f) : stream_mlp(s, l, in, x, n, f);
}

static int layer_group(struct stream *s, size_t layer, struct span g, struct fail *f)
{
    size_t numbers = g.n * s->length[WIDTH];
    float *x = states_get(s->states, s->index, g.index, 0, numbers, &s->space->input, f);

    if (!x || through_layer(s, &s->layer[layer], x, g, f) != 0)
        return -1;
    if (!op_finite(x, numbers))
        return fail(f, FAIL_INPUT, "the hidden state behind layer %zu ('blk.%zu') is not finite", layer, layer);
    if (g.index == 0 && s->options.passed && s->options.passed(s->options.ctx, x, f) != 0)
        return -1;
    return states_put(s->states, s->index, g.index, s->options.before + layer + 2, x, numbers, f);
}

/* One block for the temporaries of both halves of a layer, so that they use the same pages. */
static void reserve(struct stream *s)
{
    stream_buffer(s, (s->group < s->nchunks ? s->group : s->nchunks) * s->context, stream_temporaries(s));
    arena_reset(&s->space->work);
}

int stream_layer(struct stream *s, size_t layer, struct fail *f)
{
    int bad = 0;

    reserve(s);
    for (size_t i = 0; i < stream_groups(s, s->group) && !bad; i++) {
        struct span g = group_at(s, i);
        if (states_passed(s->states, s->index, i) < s->options.before + layer + 2)
            bad = layer_group(s, layer, g, f);
        arena_reset(&s->space->input);
        arena_reset(&s->space->work);
        if (!bad && s->options.progress)
            s->options.progress(s->options.ctx, g.n);
    }
    stream_release_buffers(s);
    return bad ? fail_in(f, s->model->path) : 0;
}

int stream_observe_output(struct stream *s, size_t first, size_t n, struct fail *f)
{
    int bad = 0;

    for (size_t some; n && !bad; first += some, n -= some) {
        const float *in = stream_range(s, first, n < GROUP_TOKENS ? n : GROUP_TOKENS, &some, &s->space->work, f);
        float *x = in ? stream_buffer(s, some, s->length[WIDTH]) : NULL;
        bad = !in || stream_norm(s, &s->output_norm, in, some, x, f) != 0;
        if (!bad)
            stream_observe(s, s->output.w, 0, x, some);
        arena_reset(&s->space->work);
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
