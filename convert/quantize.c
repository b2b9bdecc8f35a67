/* quantize.c - see quantize.h. Rows go from their source through float32 to their new type in strips that stay in the
 * cache: decode, look for numbers that are none, encode. */
#include "convert/quantize.h"

#include "quant/isa.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

enum {
    STRIP = 1 << 15,            /* weights decoded at a time: 128 KB of floats beside what they become */
    PIECE = 1 << 11,            /* weights decoded and looked at in one go, a multiple of every block */
    F32_INF = 0x7f800000
};

/* No encoding stores a number larger than the largest weight of its block, and the half floats they use for scales reach
 * to 65504. Below this bound nothing can overflow; beyond it what was encoded is decoded again and looked at. */
static const float sure_to_fit = 32768.0f;

/* With importance, encodings compare products of two sums of importance times a weight to the third: these stay far below the largest
 * float while weights are below the first and importance below the second. */
static const float sure_when_weighted = 256.0f, sure_importance = 1e8f;

/* The bounds of weights, and infinity, as bits of 16-bit floats. */
static const struct { uint16_t sure, when_weighted, inf; } half_bits[] = {
    [HALF_BF16] = { 0x4700, 0x4380, 0x7f80 },
    [HALF_F16] = { 0x7800, 0x5c00, 0x7c00 },
};

struct quantize_model {
    struct model base;
    struct model *inner;
    const float *const *weights;
};

/* ---- numbers that are none ---- */
/* Names the first weight that is not finite; `first` is the index of x[0] in the tensor. */
static int tell_not_finite(const struct tensor *t, const float *x, size_t n, uint64_t first, struct fail *f)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return fail(f, FAIL_INPUT, "tensor '%s' has the value %s at index %" PRIu64, t->name,
                        isnan(x[i]) ? "NaN" : x[i] < 0 ? "-Inf" : "Inf", first + i);
    return 0;
}

static uint32_t bits_of(float x)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* Among n weights of any type that can be decoded: those of blocks whose scale is none. */
static bool any_not_finite(const struct qtype *type, const uint8_t *rows, size_t n)
{
    float x[PIECE];
    bool found = false;

    for (size_t at = 0; at < n && !found; at += PIECE) {
        size_t k = n - at < PIECE ? n - at : PIECE, block = (size_t)type->block;

        type->decode(rows + at / block * (size_t)type->nbytes, x, k / block);
        found = isa_current()->any_from(F32_INF, x, k);
    }
    return found;
}

/* Rows that keep their type: F32, F16 and BF16 are looked at, which costs no more than reading them, blocks are decoded for it. */
static int check_passing(const struct tensor *t, const void *rows, uint64_t first, uint64_t n, struct arena *tmp, struct fail *f)
{
    size_t count = (size_t)(n * tensor_row(t));
    bool bad = false;

    if (t->type->half)
        bad = isa_current()->any_half_from(half_bits[t->type->half].inf, rows, count);
    else if (strcmp(t->type->name, "f32") == 0)
        bad = isa_current()->any_from(F32_INF, rows, count);
    else if (t->type->block > 1 && t->type->decode)
        bad = any_not_finite(t->type, rows, count);
    if (!bad)
        return 0;
    float *x = arena_raw(tmp, count * sizeof *x);
    t->type->decode(rows, x, count / (size_t)t->type->block);
    return tell_not_finite(t, x, count, first * tensor_row(t), f);
}

/* ---- encoding ---- */
/* n weights from index `first` on were encoded as `out`, `weighted` or not: refuses what became infinite on the way. */
static int check_overflow(const struct tensor *t, bool weighted, const float *x, const void *out, size_t n, uint64_t first,
                          struct arena *tmp, struct fail *f)
{
    size_t block = (size_t)t->type->block, at = 0, worst;
    float *y = arena_raw(tmp, n * sizeof *y);

    t->type->decode(out, y, n / block);
    while (at < n && isfinite(y[at]))
        at++;
    if (at == n)
        return 0;
    at -= at % block;
    worst = at;
    for (size_t i = at; i < at + block; i++)
        if (fabsf(x[i]) > fabsf(x[worst]))
            worst = i;
    if (weighted && fabsf(x[worst]) < sure_to_fit) {
        fail(f, FAIL_INPUT, "tensor '%s' cannot be made %s at index %" PRIu64 " with its importance, whose products are too large there",
             t->name, t->type->label, first + worst);
        return fail_hint(f, "the matrix is damaged, or the model it was computed on is; --exclude-weights %s does without it", t->name);
    }
    fail(f, FAIL_INPUT, "tensor '%s' has the value %g at index %" PRIu64 ", which is too large for %s", t->name,
         (double)x[worst], first + worst, t->type->label);
    return fail_hint(f, "choose a type with the range of F32 for it, as BF16: --tensor-type '%s=bf16'", t->name);
}

/* nrows rows of floats, the first of them row `first` of t, become `out`. `large`: not all are sure to fit. */
static int encode_strip(const struct tensor *t, const float *weight, const float *x, bool large, uint64_t first, uint64_t nrows,
                        void *out, struct arena *tmp, struct fail *f)
{
    uint64_t row = tensor_row(t);
    size_t n = (size_t)(nrows * row);

    if (large && isa_current()->any_from(F32_INF, x, n))
        return tell_not_finite(t, x, n, first * row, f);
    t->type->encode(x, weight, out, (size_t)nrows, (size_t)(row / (uint64_t)t->type->block));
    return large ? check_overflow(t, weight != NULL, x, out, n, first * row, tmp, f) : 0;
}

/* Rows of 16-bit floats go straight into encodings that take those, if none is large. */
static bool encode_straight(const struct tensor *t, enum half_kind half, const float *weight, const void *rows, uint64_t nrows, void *out)
{
    uint64_t row = tensor_row(t);
    uint16_t bound = weight ? half_bits[half].when_weighted : half_bits[half].sure;

    if (!half || !t->type->encode_half || isa_current()->any_half_from(bound, rows, (size_t)(nrows * row)))
        return false;
    t->type->encode_half(rows, half, weight, out, (size_t)nrows, (size_t)(row / (uint64_t)t->type->block));
    return true;
}

/* Decodes n weights piece by piece, and looks at each while it is in the nearest cache (F32 sources, strip == NULL, are
 * only looked at). Returns whether any is as large as the bound, as bits. */
static bool decode_strip(const struct qtype *source, const uint8_t *rows, float *strip, size_t n, uint32_t bound)
{
    bool large = false;
    bool (*any_from)(uint32_t, const float *, size_t) = isa_current()->any_from;

    for (size_t at = 0; at < n; at += PIECE) {
        size_t k = n - at < PIECE ? n - at : PIECE, block = (size_t)source->block;
        const uint8_t *in = rows + at / block * (size_t)source->nbytes;
        if (strip)
            source->decode(in, strip + at, k / block);
        large |= any_from(bound, strip ? strip + at : (const float *)(const void *)in, k);
    }
    return large;
}

/* How many of the rows from `row` on go together: a strip, of one matrix when each has an importance of its own. */
static uint64_t strip_rows(const struct tensor *t, bool weighted, uint64_t row, uint64_t left)
{
    uint64_t width = tensor_row(t), n = width < STRIP ? STRIP / (width ? width : 1) : 1;

    if (weighted && t->rank > 2) {
        uint64_t height = t->shape[t->rank - 2], rest = height - row % height;
        n = n < rest ? n : rest;
    }
    return n < left ? n : left;
}

static const float *weight_of_row(const struct tensor *t, const float *weight, uint64_t row)
{
    if (!weight || t->rank <= 2)
        return weight;
    return weight + row / t->shape[t->rank - 2] * tensor_row(t);
}

/* Rows [first, first + n) of t from `in`, the same rows of `source`. NULL: see *f. */
static const void *encode_rows(const struct tensor *t, const struct tensor *source, const float *weight, const uint8_t *in,
                               uint64_t first, uint64_t n, struct arena *tmp, struct fail *f)
{
    bool floats = strcmp(source->type->name, "f32") == 0;
    uint64_t in_bytes = tensor_row_bytes(source), out_bytes = tensor_row_bytes(t), width = tensor_row(t), done, k;
    uint8_t *out = arena_raw(tmp, (size_t)(n * out_bytes));
    float *strip = floats ? NULL : arena_raw(tmp, (size_t)(width < STRIP ? STRIP : width) * sizeof *strip);
    uint32_t bound = bits_of(weight ? sure_when_weighted : sure_to_fit);

    for (done = 0; done < n; done += k) {
        const uint8_t *rows = in + done * in_bytes;
        const float *x = floats ? (const float *)(const void *)rows : strip, *w = weight_of_row(t, weight, first + done);
        k = strip_rows(t, weight != NULL, first + done, n - done);
        bool heavy = w && isa_current()->any_from(bits_of(sure_importance), w, (size_t)width);
        if (!heavy && encode_straight(t, source->type->half, w, rows, k, out + done * out_bytes))
            continue;
        bool large = decode_strip(source->type, rows, strip, (size_t)(k * width), bound) || heavy;
        if (encode_strip(t, w, x, large, first + done, k, out + done * out_bytes, tmp, f) != 0)
            return NULL;
    }
    return out;
}

static const void *quantize_rows(struct model *m, const struct tensor *t, uint64_t first, uint64_t n, struct arena *tmp,
                                 struct fail *f)
{
    struct quantize_model *q = (struct quantize_model *)m;
    const struct tensor *source = &q->inner->tensor[t->offset];
    const float *weight = q->weights ? q->weights[t->offset] : NULL;
    const void *in = model_rows(q->inner, source, first, n, tmp, f), *out = in;

    if (in && t->type != source->type)
        out = encode_rows(t, source, weight, in, first, n, tmp, f);
    else if (in && check_passing(t, in, first, n, tmp, f) != 0)
        out = NULL;
    if (!out)
        fail_in(f, m->path);
    return out;
}

static void quantize_close(struct model *m)
{
    struct quantize_model *q = (struct quantize_model *)m;

    model_close(q->inner);
    arena_release(&m->arena);
}

static const struct model_ops quantize_ops = { quantize_rows, quantize_close };

/* ---- metadata ---- */
/* Sets a key in place; a new one goes ahead of the tokenizer's, which is where the converter has it. */
static void set_u32(struct model *m, const char *key, uint32_t value)
{
    struct meta *meta = &m->meta;
    bool there = meta_get(meta, key) != NULL;
    size_t at = 0;

    meta_set_u32(meta, &m->arena, key, value);
    if (there)
        return;
    while (at + 1 < meta->n && strncmp(meta->entry[at].key, "tokenizer.", 10) != 0)
        at++;
    struct meta_entry added = meta->entry[meta->n - 1];
    memmove(meta->entry + at + 1, meta->entry + at, (meta->n - 1 - at) * sizeof added);
    meta->entry[at] = added;
}

/* An importance matrix was given, but it may leave out a tensor that cannot do without. */
static int check_weights(const struct model *inner, const struct recipe *recipe, const struct recipe_choice *choice,
                         const float *const *weights, struct fail *f)
{
    for (size_t i = 0; weights && i < inner->ntensors; i++) {
        const struct tensor *t = &inner->tensor[i];
        const struct qtype *type = choice[i].type;
        if (type != t->type && !weights[i] && (type->needs_weight || recipe_needs_weight(recipe, t->name, type)))
            return fail(f, FAIL_INPUT, "the importance matrix says nothing about tensor '%s', which cannot be quantized to %s"
                        " without", t->name, type->label);
    }
    return 0;
}

struct model *model_quantize(struct model *inner, const struct recipe *recipe, const struct recipe_choice *choice,
                             const float *const *weights, struct fail *f)
{
    if (!inner || check_weights(inner, recipe, choice, weights, f) != 0) {
        model_close(inner);
        return NULL;
    }
    struct quantize_model *q = model_adapter(sizeof *q, &quantize_ops, inner);
    struct model *m = &q->base;

    q->inner = inner;
    q->weights = weights;
    meta_copy(&m->meta, &m->arena, &inner->meta);
    set_u32(m, "general.file_type", recipe_file_type(recipe, inner, choice));
    set_u32(m, "general.quantization_version", 2);
    m->ntensors = inner->ntensors;
    m->tensor = arena_array(&m->arena, struct tensor, m->ntensors);
    for (size_t i = 0; i < m->ntensors; i++) {
        m->tensor[i] = inner->tensor[i];
        m->tensor[i].type = choice[i].type;
        m->tensor[i].offset = i;
        assert(tensor_row(&m->tensor[i]) % (uint64_t)choice[i].type->block == 0);
    }
    return m;
}
