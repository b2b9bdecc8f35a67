/* encoder.c - see encoder.h. */
#include "verify/encoder.h"

#include "verify/rows.h"
#include "verify/stream.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

struct encoder {
    struct stream s;                /* hyperparameters, tensors and products; without chunks of its own */
    struct sentences texts;
    float *hidden;
    enum pooling pooling;
    struct arena wave;              /* owns `hidden` */
};

/* ---- what the metadata say ---- */

bool encoder_is(const struct model *m)
{
    const struct arch *arch = arch_named(meta_str(&m->meta, "general.architecture", ""));

    return arch && arch->encoder;
}

static uint64_t key_u64(const struct model *m, const char *key)
{
    char full[200];

    snprintf(full, sizeof full, "%s.%s", meta_str(&m->meta, "general.architecture", ""), key);
    return meta_u64(&m->meta, full, 0);
}

size_t encoder_positions(const struct model *m)
{
    const struct tensor *t = model_tensor(m, "position_embd.weight");
    uint64_t context = key_u64(m, "context_length"), rows = t ? tensor_rows(t) : context;

    return context && context < rows ? context : rows;
}

/* ---- opening ---- */

struct encoder *encoder_open(struct model *m, size_t longest, struct fail *f)
{
    struct arena arena = {0};
    struct encoder *e = arena_new(&arena, struct encoder);
    uint64_t pooling = key_u64(m, "pooling_type");

    e->s.arena = arena;
    e->s.model = m;
    e->s.context = e->s.longest = longest;
    e->s.space = &e->s.own_space;
    e->s.encoder = true;
    e->pooling = pooling == 0 ? POOLING_MEAN : (enum pooling)pooling;
    if (pooling > POOLING_LAST)
        fail(f, FAIL_INPUT, "pooling of type %" PRIu64 " is not known", pooling);
    else if (longest < 1 || longest > MAX_LENGTH)
        fail(f, FAIL_INPUT, "texts of up to %zu tokens are not possible", longest);
    else if (stream_read_hyperparameters(&e->s, f) == 0 && stream_find_tensors(&e->s, f) == 0)
        return e;
    fail_in(f, m->path);
    encoder_close(e);
    return NULL;
}

void encoder_close(struct encoder *e)
{
    if (!e)
        return;
    struct arena arena = e->s.arena;        /* holds e itself */
    stream_release_buffers(&e->s);
    arena_release(&e->wave);
    arena_release(&arena);
}

size_t encoder_layers(const struct encoder *e)
{
    return e->s.layers;
}

size_t encoder_width(const struct encoder *e)
{
    return e->s.length[WIDTH];
}

const float *encoder_hidden(const struct encoder *e)
{
    return e->hidden;
}

/* ---- the network ---- */

static int check_texts(const struct encoder *e, struct fail *f)
{
    const struct sentences *x = &e->texts;

    for (size_t i = 0; i < x->start[x->n]; i++)
        if (x->token[i] < 0 || (size_t)x->token[i] >= e->s.vocabulary)
            return fail(f, FAIL_INPUT, "token id %d is outside the model's vocabulary of %zu", x->token[i], e->s.vocabulary);
    for (size_t t = 0; t < x->n; t++)
        if (x->start[t + 1] - x->start[t] > e->s.context)
            return fail(f, FAIL_INPUT, "text %zu has %zu tokens, more than the %zu that were reckoned with", t, x->start[t + 1] - x->start[t],
                        e->s.context);
    return 0;
}

/* The vector of the first type goes to every token, a position's to the token there. */
static int add_types_and_positions(struct encoder *e, struct fail *f)
{
    size_t width = e->s.length[WIDTH], n = e->texts.start[e->texts.n];
    float *positions = stream_buffer(&e->s, e->s.context, width);
    const float *type = NULL;

    if ((e->s.token_types.w && !(type = model_rows_f32(e->s.model, e->s.token_types.w, 0, 1, &e->s.space->work, f)))
        || rows_decode(e->s.model, e->s.positions.w, 0, e->s.context, positions, f) != 0)
        return -1;
    op_add(e->hidden, NULL, type, n, width);
    for (size_t t = 0; t < e->texts.n; t++)
        op_add(e->hidden + e->texts.start[t] * width, positions, NULL, e->texts.start[t + 1] - e->texts.start[t], width);
    return 0;
}

int encoder_embed(struct encoder *e, const struct sentences *texts, struct fail *f)
{
    size_t n = texts->start[texts->n];
    int bad;

    e->texts = *texts;
    arena_reset(&e->wave);
    e->hidden = arena_raw(&e->wave, n * e->s.length[WIDTH] * sizeof *e->hidden);
    bad = check_texts(e, f) != 0 || rows_gather(e->s.model, e->s.embedding.w, texts->token, n, e->hidden, f) != 0 ||
          add_types_and_positions(e, f) != 0 || stream_norm(&e->s, &e->s.embedding_norm, e->hidden, n, e->hidden, f) != 0;
    stream_release_buffers(&e->s);
    return bad ? fail_in(f, e->s.model->path) : 0;
}

/* x = norm(x + Wo attention(Wq x, Wk x, Wv x)), for texts [first, first + ntexts). */
static int attention_block(struct encoder *e, const struct layer *l, float *x, const size_t *start, size_t ntexts, struct fail *f)
{
    struct stream *s = &e->s;
    size_t n = start[ntexts] - start[0], width = s->length[WIDTH];
    float *q = stream_buffer(s, n, s->length[QUERY]), *k = stream_buffer(s, n, s->length[KEY]), *v = stream_buffer(s, n, s->length[VALUE]);
    float *mixed = stream_buffer(s, n, s->length[MIXED]), *y = stream_buffer(s, n, width);
    size_t *from = arena_raw(&s->space->work, (ntexts + 1) * sizeof *from);

    for (size_t t = 0; t <= ntexts; t++)
        from[t] = start[t] - start[0];
    if (stream_product(s, &l->q, x, n, q, f) != 0 || stream_product(s, &l->k, x, n, k, f) != 0 || stream_product(s, &l->v, x, n, v, f) != 0)
        return -1;
    op_attention_all(&s->attention, q, k, v, from, ntexts, mixed);
    if (stream_product(s, &l->o, mixed, n, y, f) != 0)
        return -1;
    op_add(x, y, NULL, n, width);
    return stream_norm(s, &l->attn_post_norm, x, n, x, f);
}

/* x = norm(x + Wdown act(Wup x)) */
static int mlp_block(struct encoder *e, const struct layer *l, float *x, size_t n, struct fail *f)
{
    struct stream *s = &e->s;
    float *up = stream_buffer(s, n, s->length[HIDDEN]), *y = stream_buffer(s, n, s->length[WIDTH]);

    if (stream_product(s, &l->mlp.up, x, n, up, f) != 0)
        return -1;
    op_activate(s->block.act, up, NULL, n * s->length[HIDDEN]);
    if (stream_product(s, &l->mlp.down, up, n, y, f) != 0)
        return -1;
    op_add(x, y, NULL, n, s->length[WIDTH]);
    return stream_norm(s, &l->ffn_post_norm, x, n, x, f);
}

/* As many whole texts as make up a group of tokens, at least one. */
static size_t texts_of_group(const struct sentences *x, size_t first)
{
    size_t n = 1;

    while (first + n < x->n && x->start[first + n + 1] - x->start[first] <= GROUP_TOKENS)
        n++;
    return n;
}

int encoder_layer(struct encoder *e, size_t layer, struct fail *f)
{
    size_t width = e->s.length[WIDTH];
    const struct layer *l = &e->s.layer[layer];
    int bad = 0;

    for (size_t first = 0, some; first < e->texts.n && !bad; first += some) {
        const size_t *start = e->texts.start + first;
        float *x = e->hidden + start[0] * width;
        some = texts_of_group(&e->texts, first);
        size_t n = start[some] - start[0];
        bad = attention_block(e, l, x, start, some, f) != 0;
        arena_reset(&e->s.space->work);
        bad = bad || mlp_block(e, l, x, n, f) != 0;
        arena_reset(&e->s.space->work);
        if (!bad && !op_finite(x, n * width))
            bad = fail(f, FAIL_INPUT, "the hidden state behind layer %zu ('blk.%zu') is not finite", layer, layer);
    }
    stream_release_buffers(&e->s);
    return bad ? fail_in(f, e->s.model->path) : 0;
}

/* ---- vectors ---- */

static void pool_text(enum pooling pooling, const float *x, size_t n, size_t width, float *out)
{
    const float *one = x + (pooling == POOLING_LAST && n ? n - 1 : 0) * width;
    double square = 0;

    for (size_t i = 0; i < width; i++) {
        double sum = 0;
        for (size_t t = 0; pooling == POOLING_MEAN && t < n; t++)
            sum += (double)x[t * width + i];
        out[i] = n == 0 ? 0 : pooling == POOLING_MEAN ? (float)(sum / (double)n) : one[i];
        square += (double)out[i] * (double)out[i];
    }
    for (size_t i = 0; square > 0 && i < width; i++)
        out[i] = (float)((double)out[i] / sqrt(square));
}

void encoder_pool(const struct encoder *e, float *out)
{
    size_t width = e->s.length[WIDTH];

#pragma omp parallel for schedule(dynamic, 16)
    for (size_t t = 0; t < e->texts.n; t++)
        pool_text(e->pooling, e->hidden + e->texts.start[t] * width, e->texts.start[t + 1] - e->texts.start[t], width, out + t * width);
}
