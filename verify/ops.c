/* ops.c - see ops.h. */
#include "verify/ops.h"

#include "formats/arena.h"
#include "formats/file.h"
#include "verify/matmul.h"
#include "verify/vector.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum {
    QUERIES = 128,              /* queries of one head that share a block of scores */
    ROWS_AT_ONCE = 16,          /* tokens a thread takes at a time in the loops over rows */
    FLOATS_AT_ONCE = 1 << 14,
    HALVED = 2048,              /* floats at a time to half precision and back */
};

static size_t pieces(size_t n, size_t of)
{
    return n / of + (n % of != 0);
}

void op_norm(enum norm_kind kind, const float *x, size_t n, size_t width, const float *gain, const float *bias, float eps,
             float *y)
{
    const struct vector *v = vector_current();

#pragma omp parallel for schedule(dynamic, ROWS_AT_ONCE)
    for (size_t t = 0; t < n; t++)
        v->norm(kind, x + t * width, width, gain, bias, eps, y + t * width);
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

void op_scale(float *x, size_t n, size_t width, const float *by, size_t period)
{
#pragma omp parallel for schedule(dynamic, ROWS_AT_ONCE)
    for (size_t t = 0; t < n; t++)
        for (size_t i = 0; i < width; i++)
            x[t * width + i] *= by[t % period];
}

void op_activate(enum act_kind kind, float *gate, const float *up, size_t n)
{
    const struct vector *v = vector_current();

#pragma omp parallel for schedule(dynamic)
    for (size_t i = 0; i < n; i += FLOATS_AT_ONCE)
        v->activate(kind, gate + i, up ? up + i : NULL, min_u64(n - i, FLOATS_AT_ONCE));
}

void op_softcap(float *x, size_t n, float cap)
{
    vector_current()->softcap(x, n, cap);
}

void op_softmax(float *x, size_t n)
{
    vector_current()->softmax(x, n);
}

/* ---- positions and attention ---- */

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

const float *op_alibi_slopes(size_t heads, struct arena *a)
{
    float *slope = arena_array(a, float, heads);
    size_t whole = 1;

    while (2 * whole <= heads)
        whole *= 2;
    for (size_t h = 0; h < heads; h++)
        slope[h] = (float)(h < whole ? exp2(-8.0 * (double)(h + 1) / (double)whole)
                                     : exp2(-4.0 * (double)(2 * (h - whole) + 1) / (double)whole));
    return slope;
}

static void halve(float *x, size_t n)
{
    const struct qtype *half = qtype_named("F16");
    uint16_t narrow[HALVED];
    float back[HALVED];

    for (size_t i = 0, some; i < n; i += some) {
        some = min_u64(n - i, HALVED);
        half->encode(x + i, NULL, narrow, 1, some);
        half->decode(narrow, back, some);
        for (size_t k = 0; k < some; k++)
            x[i + k] = isfinite(back[k]) ? back[k] : x[i + k];
    }
}

/* Queries [first, first + n) of one head of one sequence; k and v point at its first token, q and out at that of a->from:
 *
 *        keys   low ....... first ....... first + n
 *   query 0      x  x  x  x  x  0  0  0  0               scores: n x (first + n - low); what a query may not see,
 *   query 1      0  x  x  x  x  x  0  0  0               after it or outside its window, gets weight 0
 */
static void attend(const struct attention *a, float slope, const float *q, const float *k, const float *v, size_t first, size_t n,
                   float *scores, float *out, struct arena *room)
{
    size_t low = a->window && first + 1 > a->window ? first + 1 - a->window : 0, end = first + n, wide = end - low;
    size_t q_stride = a->heads * a->key, k_stride = a->kv_heads * a->key;
    size_t v_stride = a->kv_heads * a->value, out_stride = a->heads * a->value;

    matmul_rows((struct matrix){ q + (first - a->from) * q_stride, n, a->key, q_stride },
                (struct matrix){ k + low * k_stride, wide, a->key, k_stride }, a->scale, scores, wide, room);
    if (a->softcap > 0)
        op_softcap(scores, n * wide, a->softcap);
    for (size_t i = 0; i < n; i++) {
        float *row = scores + i * wide;
        size_t upto = first + i + 1 - low, from = a->window && upto > a->window ? upto - a->window : 0;
        for (size_t key = from; slope != 0 && key < upto; key++)
            row[key] -= slope * (float)(upto - 1 - key);
        memset(row, 0, from * sizeof *row);
        op_softmax(row + from, upto - from);
        if (a->halved)
            halve(row + from, upto - from);
        memset(row + upto, 0, (wide - upto) * sizeof *row);
    }
    matmul_columns((struct matrix){ scores, n, wide, wide }, (struct matrix){ v + low * v_stride, wide, a->value, v_stride },
                   out + (first - a->from) * out_stride, out_stride, room);
}

/* ---- mixtures of experts ---- */

/* The place of the largest of n numbers, the first of equals. */
static size_t largest_of(float *x, size_t n)
{
    size_t best = 0;

    for (size_t i = 1; i < n; i++)
        if (x[i] > x[best])
            best = i;
    return best;
}

static void route_row(float *x, size_t experts, size_t used, bool shares, int32_t *index, float *weight)
{
    double sum = 0;

    op_softmax(x, experts);
    for (size_t i = 0; i < used; i++) {
        size_t best = largest_of(x, experts);
        index[i] = (int32_t)best;
        weight[i] = x[best];
        sum += (double)x[best];
        x[best] = -1;
    }
    for (size_t i = 0; shares && i < used; i++)
        weight[i] = (float)((double)weight[i] / sum);
}

void op_route(const float *x, size_t n, size_t experts, size_t used, bool shares, int32_t *index, float *weight)
{
#pragma omp parallel
    {
        struct arena tmp = {0};
        float *row = arena_raw(&tmp, experts * sizeof *row);
#pragma omp for
        for (size_t t = 0; t < n; t++) {
            memcpy(row, x + t * experts, experts * sizeof *row);
            route_row(row, experts, used, shares, index + t * used, weight + t * used);
        }
        arena_release(&tmp);
    }
}

void op_gather(const float *from, const int32_t *row, size_t n, size_t width, float *to)
{
#pragma omp parallel for
    for (size_t i = 0; i < n; i++)
        memcpy(to + i * width, from + (size_t)row[i] * width, width * sizeof *to);
}

void op_add_scaled(float *to, const int32_t *row, const float *by, const float *y, size_t n, size_t width)
{
#pragma omp parallel for
    for (size_t i = 0; i < n; i++) {
        float *out = to + (row ? (size_t)row[i] : i) * width;
        for (size_t k = 0; k < width; k++)
            out[k] += by[i] * y[i * width + k];
    }
}

void op_clamp(float *x, size_t n, float limit)
{
#pragma omp parallel for
    for (size_t i = 0; i < n; i++)
        x[i] = x[i] > limit ? limit : x[i] < -limit ? -limit : x[i];
}

void op_halve(float *x, size_t n)
{
#pragma omp parallel for
    for (size_t i = 0; i < n; i += HALVED)
        halve(x + i, min_u64(n - i, HALVED));
}

void op_sigmoid(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(1 / (1 + exp(-(double)x[i])));
}

/* ---- attention over all sequences ---- */

void op_attention(const struct attention *a, const float *q, const float *k, const float *v, size_t n, float *out)
{
    size_t sequences = n / a->context, queries = a->context - a->from, blocks = pieces(queries, QUERIES), group = a->heads / a->kv_heads;

    assert(n % a->context == 0 && a->from < a->context && a->heads % a->kv_heads == 0);
#pragma omp parallel
    {
        struct arena tmp = {0}, room = {0};
        float *scores = arena_raw(&tmp, min_u64(a->context, QUERIES) * a->context * sizeof *scores);
#pragma omp for collapse(3) schedule(dynamic)
        for (size_t s = 0; s < sequences; s++)
            for (size_t h = 0; h < a->heads; h++)
                for (size_t b = blocks; b > 0; b--) {           /* the longest first */
                    size_t at = s * a->context, first = (b - 1) * QUERIES + a->from, to = s * queries;
                    attend(a, a->slope ? a->slope[h] : 0, q + (to * a->heads + h) * a->key, k + (at * a->kv_heads + h / group) * a->key,
                           v + (at * a->kv_heads + h / group) * a->value, first, min_u64(a->context - first, QUERIES),
                           scores, out + (to * a->heads + h) * a->value, &room);
                }
        arena_release(&room);
        arena_release(&tmp);
    }
}

bool op_finite(const float *x, size_t n)
{
    const struct vector *v = vector_current();
    bool finite = true;

    for (size_t first = 0; first < n && finite; first += FLOATS_AT_ONCE)
        finite = v->finite(x + first, min_u64(n - first, FLOATS_AT_ONCE));
    return finite;
}
