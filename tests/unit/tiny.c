/* tiny.c - see tiny.h. */
#include "tests/unit/tiny.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct draw {
    uint64_t state;
};

/* Uniform in (-1, 1): splitmix64. */
static float draw(struct draw *d)
{
    uint64_t z = d->state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (float)((double)((z ^ (z >> 31)) >> 11) / (double)(1ull << 52) - 1);
}

/* offset holds the address of the data. */
static const void *rows(struct model *m, const struct tensor *t, uint64_t first, uint64_t n, struct arena *tmp, struct fail *f)
{
    (void)m, (void)n, (void)tmp, (void)f;
    return (const char *)(uintptr_t)t->offset + first * tensor_row_bytes(t);
}

static void close_tiny(struct model *m)
{
    struct arena a = m->arena;      /* holds m itself */

    arena_release(&a);
}

static const struct model_ops ops = { .rows = rows, .close = close_tiny };

static struct tensor *add(struct model *m, struct draw *d, const char *type, double center, double spread, const char *name,
                          size_t nrows, size_t width)
{
    struct tensor *t = &m->tensor[m->ntensors++];
    float *x = arena_array(&m->arena, float, nrows * width);

    for (size_t i = 0; i < nrows * width; i++)
        x[i] = (float)(center + spread * (double)draw(d));
    *t = (struct tensor){ .name = name, .type = qtype_named(type), .rank = nrows == 1 ? 1 : 2 };
    t->shape[t->rank - 1] = width;
    if (nrows > 1)
        t->shape[0] = nrows;
    void *bytes = arena_alloc(&m->arena, tensor_bytes(t));
    t->type->encode(x, NULL, bytes, nrows, width / (size_t)t->type->block);
    t->offset = (uintptr_t)bytes;
    return t;
}

/* A matrix for each expert, one behind the other. */
static void add_stack(struct model *m, struct draw *d, const struct tiny *c, size_t index, const char *stem, size_t nrows, size_t width)
{
    struct tensor *t = add(m, d, c->type ? c->type : "f32", 0, 2.2 / sqrt((double)width),
                           arena_printf(&m->arena, "blk.%zu.%s.weight", index, stem), c->experts * nrows, width);

    t->rank = 3;
    t->shape[0] = c->experts;
    t->shape[1] = nrows;
    t->shape[2] = width;
}

static void add_experts(struct model *m, struct draw *d, const struct tiny *c, size_t index)
{
    add(m, d, "f32", 0, 2.2 / sqrt((double)c->width), arena_printf(&m->arena, "blk.%zu.ffn_gate_inp.weight", index), c->experts, c->width);
    add_stack(m, d, c, index, "ffn_gate_exps", c->ff, c->width);
    add_stack(m, d, c, index, "ffn_down_exps", c->width, c->ff);
    add_stack(m, d, c, index, "ffn_up_exps", c->ff, c->width);
}

static void add_layer(struct model *m, struct draw *d, const struct tiny *c, size_t index)
{
    const struct {
        const char *stem;
        size_t rows, width;
    } parts[] = {
        { "attn_norm", 1, c->width }, { "attn_q", c->heads * c->key, c->width }, { "attn_k", c->kv_heads * c->key, c->width },
        { "attn_v", c->kv_heads * c->value, c->width }, { "attn_output", c->width, c->heads * c->value },
        { "ffn_norm", 1, c->width }, { "ffn_gate", c->ff, c->width }, { "ffn_up", c->ff, c->width },
        { "ffn_down", c->width, c->ff },
    };

    for (size_t i = 0; i < sizeof parts / sizeof *parts - (c->experts ? 3 : 0); i++) {
        const char *stem = arena_printf(&m->arena, "blk.%zu.%s", index, parts[i].stem);
        bool norm = parts[i].rows == 1;
        add(m, d, norm || !c->type ? "f32" : c->type, norm, norm ? 0.3 : 2.2 / sqrt((double)parts[i].width),
            arena_printf(&m->arena, "%s.weight", stem), parts[i].rows, parts[i].width);
        if (c->bias && !norm)
            add(m, d, "f32", 0, 0.5, arena_printf(&m->arena, "%s.bias", stem), 1, parts[i].rows);
    }
    if (c->experts)
        add_experts(m, d, c, index);
}

static void set_meta(struct model *m, const struct tiny *c)
{
    const struct {
        const char *key;
        size_t value;
    } numbers[] = {
        { "llama.block_count", c->layers }, { "llama.embedding_length", c->width }, { "llama.feed_forward_length", c->ff },
        { "llama.attention.head_count", c->heads }, { "llama.attention.head_count_kv", c->kv_heads },
        { "llama.attention.key_length", c->key }, { "llama.attention.value_length", c->value },
        { "llama.rope.dimension_count", c->key }, { "llama.context_length", 64 },
        { "llama.attention.sliding_window", c->window }, { "llama.expert_count", c->experts },
        { "llama.expert_used_count", c->used },
    };

    meta_set_str(&m->meta, &m->arena, "general.architecture", "llama");
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i].value)
            meta_set_u32(&m->meta, &m->arena, numbers[i].key, (uint32_t)numbers[i].value);
    meta_set_f32(&m->meta, &m->arena, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
    meta_set_f32(&m->meta, &m->arena, "llama.rope.freq_base", 10000);
    if (c->scaling) {
        meta_set_str(&m->meta, &m->arena, "llama.rope.scaling.type", c->scaling);
        meta_set_f32(&m->meta, &m->arena, "llama.rope.scaling.factor", (float)c->factor);
        meta_set_u32(&m->meta, &m->arena, "llama.rope.scaling.original_context_length", 64);
    }
}

struct model *tiny_model(const struct tiny *c)
{
    struct arena arena = {0};
    struct model *m = arena_new(&arena, struct model);
    struct draw d = { c->seed };
    const char *type = c->type ? c->type : "f32";

    m->arena = arena;
    m->ops = &ops;
    m->path = "tiny";
    m->tensor = arena_array(&m->arena, struct tensor, 18 * c->layers + 8);
    set_meta(m, c);
    add(m, &d, type, 0, 1, "token_embd.weight", c->vocabulary, c->width);
    for (size_t i = 0; i < c->layers; i++)
        add_layer(m, &d, c, i);
    add(m, &d, "f32", 1, 0.3, "output_norm.weight", 1, c->width);
    if (!c->tied)
        add(m, &d, type, 0, 0.5, "output.weight", c->vocabulary, c->width);
    if (c->factors)
        add(m, &d, "f32", 2, 0.9, "rope_freqs.weight", 1, c->key / 2);
    return m;
}

void *tiny_data(const struct model *m, const char *name)
{
    return (void *)(uintptr_t)model_tensor(m, name)->offset;
}

int32_t *tiny_tokens(size_t n, size_t vocabulary, unsigned seed)
{
    struct draw d = { seed };
    int32_t *ids = malloc(n * sizeof *ids);

    for (size_t i = 0; i < n; i++)
        ids[i] = (int32_t)((1 + (double)draw(&d)) / 2 * (double)vocabulary) % (int32_t)vocabulary;
    return ids;
}

float *tiny_floats(size_t n, unsigned seed)
{
    int32_t *ids = tiny_tokens(n, 2001, seed);
    float *x = malloc(n * sizeof *x);

    for (size_t i = 0; i < n; i++)
        x[i] = (float)(ids[i] - 1000) / 1000;
    free(ids);
    return x;
}

/* ---- the reference ---- */

/* The tensor's numbers, or NULL; in *a. */
static const float *numbers(struct model *m, struct arena *a, const char *name)
{
    const struct tensor *t = model_tensor(m, name);
    struct fail f = {0};

    return t ? model_rows_f32(m, t, 0, tensor_rows(t), a, &f) : NULL;
}

static const float *part(struct model *m, struct arena *a, size_t layer, const char *stem, const char *kind)
{
    return numbers(m, a, arena_printf(a, "blk.%zu.%s.%s", layer, stem, kind));
}

/* y = w x + b of a layer's tensor `stem`. */
static void multiply(struct model *m, struct arena *a, size_t layer, const char *stem, const double *x, size_t n, size_t width,
                     size_t nrows, double *y)
{
    const float *w = part(m, a, layer, stem, "weight"), *b = part(m, a, layer, stem, "bias");

    for (size_t t = 0; t < n; t++)
        for (size_t r = 0; r < nrows; r++) {
            double sum = b ? (double)b[r] : 0;
            for (size_t i = 0; i < width; i++)
                sum += (double)w[r * width + i] * x[t * width + i];
            y[t * nrows + r] = sum;
        }
}

static void norm(const float *gain, const double *x, size_t n, size_t width, double *y)
{
    for (size_t t = 0; t < n; t++) {
        double square = 0;
        for (size_t i = 0; i < width; i++)
            square += x[t * width + i] * x[t * width + i];
        for (size_t i = 0; i < width; i++)
            y[t * width + i] = x[t * width + i] / sqrt(square / (double)width + (double)1e-5f) * (double)gain[i];
    }
}

/* Radians per position of pair i. */
static double angle(const struct tiny *c, const float *factors, size_t i)
{
    double plain = pow(10000, -2.0 * (double)i / (double)c->key) / (factors ? (double)factors[i] : 1);

    if (c->scaling && strcmp(c->scaling, "linear") == 0)
        return plain / c->factor;
    if (!c->scaling)
        return plain;
    double low = floor((double)c->key * log(64 / (32 * 2 * M_PI)) / (2 * log(10000)));
    double high = ceil((double)c->key * log(64 / (1 * 2 * M_PI)) / (2 * log(10000)));
    low = low < 0 ? 0 : low;
    double ramp = ((double)i - low) / (high - low);
    ramp = ramp < 0 ? 0 : ramp > 1 ? 1 : ramp;
    return plain / c->factor * ramp + plain * (1 - ramp);
}

static void rope(const struct tiny *c, const float *factors, double *x, size_t n, size_t heads)
{
    double size = c->scaling && strcmp(c->scaling, "yarn") == 0 ? 1 + 0.1 * log(c->factor) : 1;

    for (size_t t = 0; t < n; t++)
        for (size_t h = 0; h < heads; h++)
            for (size_t i = 0; i < c->key / 2; i++) {
                double *p = x + (t * heads + h) * c->key + 2 * i, a = p[0], b = p[1], turn = (double)t * angle(c, factors, i);
                p[0] = size * (a * cos(turn) - b * sin(turn));
                p[1] = size * (a * sin(turn) + b * cos(turn));
            }
}

static void attend(const struct tiny *c, const double *q, const double *k, const double *v, size_t n, double *out)
{
    for (size_t t = 0; t < n; t++)
        for (size_t h = 0; h < c->heads; h++) {
            size_t g = h / (c->heads / c->kv_heads);
            double sum = 0, *to = out + (t * c->heads + h) * c->value;
            for (size_t j = 0; j < c->value; j++)
                to[j] = 0;
            for (size_t s = 0; s <= t; s++) {
                double dot = 0;
                if (c->window && t - s >= c->window)
                    continue;
                for (size_t i = 0; i < c->key; i++)
                    dot += q[(t * c->heads + h) * c->key + i] * k[(s * c->kv_heads + g) * c->key + i];
                dot = exp(dot / sqrt((double)c->key));
                sum += dot;
                for (size_t j = 0; j < c->value; j++)
                    to[j] += dot * v[(s * c->kv_heads + g) * c->value + j];
            }
            for (size_t j = 0; j < c->value; j++)
                to[j] /= sum;
        }
}

/* y = the mlp of one expert, of one token. */
static void mlp_reference(struct model *m, struct arena *a, const struct tiny *c, size_t l, size_t expert, const double *x,
                          double *y)
{
    const float *gate = part(m, a, l, "ffn_gate_exps", "weight") + expert * c->ff * c->width;
    const float *up = part(m, a, l, "ffn_up_exps", "weight") + expert * c->ff * c->width;
    const float *down = part(m, a, l, "ffn_down_exps", "weight") + expert * c->ff * c->width;
    double *inner = arena_array(a, double, c->ff);

    for (size_t r = 0; r < c->ff; r++) {
        double g = 0, u = 0;
        for (size_t i = 0; i < c->width; i++) {
            g += (double)gate[r * c->width + i] * x[i];
            u += (double)up[r * c->width + i] * x[i];
        }
        inner[r] = g / (1 + exp(-g)) * u;
    }
    for (size_t r = 0; r < c->width; r++) {
        y[r] = 0;
        for (size_t i = 0; i < c->ff; i++)
            y[r] += (double)down[r * c->ff + i] * inner[i];
    }
}

/* Of each token, as Mixtral's paper has it: the softmax of the numbers of the experts with the largest. */
static void mixture_reference(struct model *m, struct arena *a, const struct tiny *c, size_t l, const double *x, size_t n, double *y)
{
    double *score = arena_array(a, double, n * c->experts), *out = arena_array(a, double, c->width);

    multiply(m, a, l, "ffn_gate_inp", x, n, c->width, c->experts, score);
    for (size_t t = 0; t < n; t++, score += c->experts, x += c->width, y += c->width) {
        double sum = 0;
        for (size_t e = 0; e < c->experts; e++) {
            size_t larger = 0;
            for (size_t o = 0; o < c->experts; o++)
                larger += score[o] > score[e];
            if (larger >= c->used)
                continue;
            mlp_reference(m, a, c, l, e, x, out);
            sum += exp(score[e]);
            for (size_t i = 0; i < c->width; i++)
                y[i] += exp(score[e]) * out[i];
        }
        for (size_t i = 0; i < c->width; i++)
            y[i] /= sum;
    }
}

static void layer_reference(struct model *m, struct arena *a, const struct tiny *c, size_t l, double *x, size_t n)
{
    size_t w = c->width;
    double *y = arena_array(a, double, n * w), *q = arena_array(a, double, n * c->heads * c->key);
    double *k = arena_array(a, double, n * c->kv_heads * c->key), *v = arena_array(a, double, n * c->kv_heads * c->value);
    double *o = arena_array(a, double, n * c->heads * c->value), *gate = arena_array(a, double, n * c->ff);
    double *up = arena_array(a, double, n * c->ff);
    const float *factors = numbers(m, a, "rope_freqs.weight");

    norm(part(m, a, l, "attn_norm", "weight"), x, n, w, y);
    multiply(m, a, l, "attn_q", y, n, w, c->heads * c->key, q);
    multiply(m, a, l, "attn_k", y, n, w, c->kv_heads * c->key, k);
    multiply(m, a, l, "attn_v", y, n, w, c->kv_heads * c->value, v);
    rope(c, factors, q, n, c->heads);
    rope(c, factors, k, n, c->kv_heads);
    attend(c, q, k, v, n, o);
    multiply(m, a, l, "attn_output", o, n, c->heads * c->value, w, y);
    for (size_t i = 0; i < n * w; i++)
        x[i] += y[i];
    norm(part(m, a, l, "ffn_norm", "weight"), x, n, w, y);
    if (c->experts) {
        double *sum = arena_array(a, double, n * w);
        mixture_reference(m, a, c, l, y, n, sum);
        for (size_t i = 0; i < n * w; i++)
            x[i] += sum[i];
        return;
    }
    multiply(m, a, l, "ffn_gate", y, n, w, c->ff, gate);
    multiply(m, a, l, "ffn_up", y, n, w, c->ff, up);
    for (size_t i = 0; i < n * c->ff; i++)
        gate[i] = gate[i] / (1 + exp(-gate[i])) * up[i];
    multiply(m, a, l, "ffn_down", gate, n, c->ff, w, y);
    for (size_t i = 0; i < n * w; i++)
        x[i] += y[i];
}

double *tiny_reference(struct model *m, const struct tiny *c, const int32_t *tokens, size_t n)
{
    struct arena a = {0};
    size_t w = c->width;
    const float *embedding = numbers(m, &a, "token_embd.weight"), *output = numbers(m, &a, "output.weight");
    double *x = arena_array(&a, double, n * w), *logits = calloc(n * c->vocabulary, sizeof *logits);

    for (size_t i = 0; i < n * w; i++)
        x[i] = (double)embedding[(size_t)tokens[i / w] * w + i % w];
    for (size_t l = 0; l < c->layers; l++)
        layer_reference(m, &a, c, l, x, n);
    norm(numbers(m, &a, "output_norm.weight"), x, n, w, x);
    for (size_t t = 0; t < n; t++)
        for (size_t r = 0; r < c->vocabulary; r++)
            for (size_t i = 0; i < w; i++)
                logits[t * c->vocabulary + r] += (double)(output ? output : embedding)[r * w + i] * x[t * w + i];
    arena_release(&a);
    return logits;
}

struct vocab *tiny_vocab(struct arena *a, struct fail *f)
{
    struct meta meta = {0};
    struct meta_string *piece = arena_array(a, struct meta_string, TINY_PIECES);
    float *score = arena_array(a, float, TINY_PIECES);
    int32_t *type = arena_array(a, int32_t, TINY_PIECES);

    for (int i = 0; i < TINY_PIECES; i++) {
        static const char *const special[TINY_BYTES_AT] = { "<unk>", "<s>", "</s>" };
        piece[i].s = i < TINY_BYTES_AT ? special[i] : arena_printf(a, "<0x%02X>", (unsigned)(i - TINY_BYTES_AT));
        piece[i].n = strlen(piece[i].s);
        type[i] = i == 0 ? PIECE_UNKNOWN : i < TINY_BYTES_AT ? PIECE_CONTROL : PIECE_BYTE;
    }
    meta_set_str(&meta, a, "tokenizer.ggml.model", "llama");
    meta_set_str(&meta, a, "tokenizer.ggml.pre", "default");
    meta_set_array(&meta, a, "tokenizer.ggml.tokens", META_STRING, TINY_PIECES, piece);
    meta_set_array(&meta, a, "tokenizer.ggml.scores", META_FLOAT32, TINY_PIECES, score);
    meta_set_array(&meta, a, "tokenizer.ggml.token_type", META_INT32, TINY_PIECES, type);
    meta_set_u32(&meta, a, "tokenizer.ggml.bos_token_id", 1);
    meta_set_u32(&meta, a, "tokenizer.ggml.eos_token_id", 2);
    meta_set_bool(&meta, a, "tokenizer.ggml.add_bos_token", true);
    return vocab_open_meta(&meta, a, f);
}
