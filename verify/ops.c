/* ops.c - see ops.h. */
#include "verify/ops.h"

#include "formats/arena.h"

#include <assert.h>
#include <cblas.h>
#include <float.h>
#include <math.h>
#include <string.h>

void openblas_set_num_threads(int);     /* not in every cblas.h */

enum {
    QUERIES = 128,              /* queries of one head that share a block of scores */
    ROWS_AT_ONCE = 16,          /* tokens a thread takes at a time in the loops over rows */
    FLOATS_AT_ONCE = 1 << 14,
};

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t pieces(size_t n, size_t of)
{
    return n / of + (n % of != 0);
}

void ops_init(void)
{
    openblas_set_num_threads(1);
}

/* c (m x n) = scale * a (m x k) * b^T (n x k), rows ld* apart. */
static void multiply_transposed(size_t m, size_t n, size_t k, float scale, const float *a, size_t lda, const float *b,
                                size_t ldb, float *c, size_t ldc)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)m, (blasint)n, (blasint)k, scale, a, (blasint)lda, b,
                (blasint)ldb, 0, c, (blasint)ldc);
}

void op_product(const float *x, size_t n, size_t width, const float *w, size_t rows, float *y, size_t stride)
{
    size_t panels = pieces(rows, OPS_PANEL), tiles = pieces(n, OPS_TILE);

#pragma omp parallel for collapse(2) schedule(dynamic)
    for (size_t p = 0; p < panels; p++)
        for (size_t t = 0; t < tiles; t++) {
            size_t r = p * OPS_PANEL, i = t * OPS_TILE;
            multiply_transposed(least(n - i, OPS_TILE), least(rows - r, OPS_PANEL), width, 1, x + i * width, width,
                                w + r * width, width, y + i * stride + r, stride);
        }
}

static void norm_row(enum norm_kind kind, const float *x, size_t width, const float *gain, const float *bias, float eps,
                     float *y)
{
    double mean = 0, square = 0;

    if (kind == NORM_LAYER) {
        for (size_t i = 0; i < width; i++)
            mean += x[i];
        mean /= (double)width;
    }
    for (size_t i = 0; i < width; i++)
        square += (x[i] - mean) * (x[i] - mean);
    double inverse = 1 / sqrt(square / (double)width + (double)eps);
    for (size_t i = 0; i < width; i++)
        y[i] = (float)((x[i] - mean) * inverse) * gain[i] + (bias ? bias[i] : 0);
}

void op_norm(enum norm_kind kind, const float *x, size_t n, size_t width, const float *gain, const float *bias, float eps,
             float *y)
{
#pragma omp parallel for schedule(dynamic, ROWS_AT_ONCE)
    for (size_t t = 0; t < n; t++)
        norm_row(kind, x + t * width, width, gain, bias, eps, y + t * width);
}

void op_add(float *x, const float *y, const float *bias, size_t n, size_t width)
{
#pragma omp parallel for schedule(dynamic, ROWS_AT_ONCE)
    for (size_t t = 0; t < n; t++) {
        float *to = x + t * width;
        for (size_t i = 0; bias && i < width; i++)
            to[i] += bias[i];
        for (size_t i = 0; y && i < width; i++)
            to[i] += y[t * width + i];
    }
}

/* The activations, as torch.nn.functional defines them. */
static float silu(float x) { return x / (1 + expf(-x)); }
static float gelu(float x) { return 0.5f * x * (1 + erff(x * (float)0.70710678118654752440)); }
static float gelu_tanh(float x) { return 0.5f * x * (1 + tanhf((float)0.79788456080286535588 * (x + 0.044715f * x * x * x))); }
static float relu(float x) { return x > 0 ? x : 0; }

static float (*const act_fn[])(float) = {
    [ACT_SILU] = silu, [ACT_GELU] = gelu, [ACT_GELU_TANH] = gelu_tanh, [ACT_RELU] = relu,
};

void op_activate(enum act_kind kind, float *gate, const float *up, size_t n)
{
    float (*act)(float) = act_fn[kind];

#pragma omp parallel for schedule(dynamic)
    for (size_t first = 0; first < n; first += FLOATS_AT_ONCE)
        for (size_t i = first; i < first + least(n - first, FLOATS_AT_ONCE); i++)
            gate[i] = act(gate[i]) * (up ? up[i] : 1);
}

/* The pair that turns `turns` times within the original context: where YaRN's ramp starts or ends. */
static double yarn_pair(const struct rope *r, double turns)
{
    return (double)r->rot * log(r->original_context / (turns * 2 * M_PI)) / (2 * log(r->base));
}

/* Radians per position of each pair. */
static void rope_angles(const struct rope *r, double *angle)
{
    double low = 0, high = 0;

    if (r->yarn) {
        low = fmax(0, floor(yarn_pair(r, r->beta_fast)));
        high = fmin((double)r->rot - 1, ceil(yarn_pair(r, r->beta_slow)));
    }
    for (size_t i = 0; i < r->rot / 2; i++) {
        double plain = pow(r->base, -2.0 * (double)i / (double)r->rot) / (r->factors ? (double)r->factors[i] : 1);
        double keep = 0;        /* the share of the unscaled angle */
        if (r->yarn)
            keep = 1 - fmin(1, fmax(0, ((double)i - low) / fmax(0.001, high - low)));
        angle[i] = plain / r->factor * (1 - keep) + plain * keep;
    }
}

void op_rope_table(const struct rope *r, size_t context, float *table)
{
    struct arena tmp = {0};
    size_t half = r->rot / 2;
    double *angle = arena_array(&tmp, double, half);

    rope_angles(r, angle);
    for (size_t p = 0; p < context; p++)
        for (size_t i = 0; i < half; i++) {
            table[2 * (p * half + i)] = (float)(cos((double)p * angle[i]) * r->magnitude);
            table[2 * (p * half + i) + 1] = (float)(sin((double)p * angle[i]) * r->magnitude);
        }
    arena_release(&tmp);
}

/* One head: numbers i * step and i * step + apart turn together. */
static void turn(const float *table, size_t half, size_t step, size_t apart, float *x)
{
    for (size_t i = 0; i < half; i++) {
        float c = table[2 * i], s = table[2 * i + 1], a = x[i * step], b = x[i * step + apart];
        x[i * step] = a * c - b * s;
        x[i * step + apart] = a * s + b * c;
    }
}

void op_rope(enum rope_kind kind, const float *table, size_t rot, size_t context, float *x, size_t n, size_t heads,
             size_t length)
{
    size_t half = rot / 2, step = kind == ROPE_PAIRS ? 2 : 1, apart = kind == ROPE_PAIRS ? 1 : half;

    if (kind == ROPE_NONE)
        return;
#pragma omp parallel for schedule(dynamic, ROWS_AT_ONCE)
    for (size_t t = 0; t < n; t++)
        for (size_t h = 0; h < heads; h++)
            turn(table + t % context * rot, half, step, apart, x + (t * heads + h) * length);
}

void op_softmax(float *x, size_t n)
{
    float top = x[0];
    double sum = 0;

    for (size_t i = 1; i < n; i++)
        top = x[i] > top ? x[i] : top;
    for (size_t i = 0; i < n; i++) {
        x[i] = expf(x[i] - top);
        sum += x[i];
    }
    float inverse = (float)(1 / sum);
    for (size_t i = 0; i < n; i++) {
        x[i] *= inverse;
        if (x[i] < FLT_MIN)     /* denormals would only slow the product that follows down; NaN stays */
            x[i] = 0;
    }
}

/* Queries [first, first + n) of one head of one sequence, whose first token q, k, v and out point at:
 *
 *        keys   low ....... first ....... first + n
 *   query 0      x  x  x  x  x  0  0  0  0               scores: n x (first + n - low); what a query may not see,
 *   query 1      0  x  x  x  x  x  0  0  0               after it or outside its window, gets weight 0
 */
static void attend(const struct attention *a, const float *q, const float *k, const float *v, size_t first, size_t n,
                   float *scores, float *out)
{
    size_t low = a->window && first + 1 > a->window ? first + 1 - a->window : 0, end = first + n, wide = end - low;
    size_t q_stride = a->heads * a->key, k_stride = a->kv_heads * a->key;
    size_t v_stride = a->kv_heads * a->value, out_stride = a->heads * a->value;

    multiply_transposed(n, wide, a->key, a->scale, q + first * q_stride, q_stride, k + low * k_stride, k_stride, scores,
                        wide);
    for (size_t i = 0; i < n; i++) {
        float *row = scores + i * wide;
        size_t upto = first + i + 1 - low, from = a->window && upto > a->window ? upto - a->window : 0;
        memset(row, 0, from * sizeof *row);
        op_softmax(row + from, upto - from);
        memset(row + upto, 0, (wide - upto) * sizeof *row);
    }
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (blasint)n, (blasint)a->value, (blasint)wide, 1, scores,
                (blasint)wide, v + low * v_stride, (blasint)v_stride, 0, out + first * out_stride, (blasint)out_stride);
}

void op_attention(const struct attention *a, const float *q, const float *k, const float *v, size_t n, float *out)
{
    size_t sequences = n / a->context, blocks = pieces(a->context, QUERIES), group = a->heads / a->kv_heads;

    assert(n % a->context == 0 && a->heads % a->kv_heads == 0);
#pragma omp parallel
    {
        struct arena tmp = {0};
        float *scores = arena_raw(&tmp, least(a->context, QUERIES) * a->context * sizeof *scores);
#pragma omp for collapse(3) schedule(dynamic)
        for (size_t s = 0; s < sequences; s++)
            for (size_t h = 0; h < a->heads; h++)
                for (size_t b = blocks; b > 0; b--) {           /* the longest first */
                    size_t at = s * a->context, first = (b - 1) * QUERIES;
                    attend(a, q + (at * a->heads + h) * a->key, k + (at * a->kv_heads + h / group) * a->key,
                           v + (at * a->kv_heads + h / group) * a->value, first, least(a->context - first, QUERIES),
                           scores, out + (at * a->heads + h) * a->value);
                }
        arena_release(&tmp);
    }
}

bool op_finite(const float *x, size_t n)
{
    float zero = 0;             /* 0 * x is 0 for finite x and NaN otherwise: one test for a whole block */

    for (size_t first = 0; first < n; first += FLOATS_AT_ONCE) {
        for (size_t i = first; i < first + least(n - first, FLOATS_AT_ONCE); i++)
            zero += 0 * x[i];
        if (zero != 0)
            return false;
    }
    return true;
}
