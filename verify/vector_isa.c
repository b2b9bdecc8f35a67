/* vector_isa.c - see vector.h; compiled once per instruction set. */
#include "verify/vector.h"

#include "quant/lanes.h"

#include <float.h>
#include <math.h>

/* Half as many doubles as floats, in a register of the same width. */
typedef float vh __attribute__((vector_size(2 * LANES)));
typedef double vd __attribute__((vector_size(4 * LANES)));
typedef int64_t vl __attribute__((vector_size(4 * LANES)));

enum { STEP = 16, DOUBLES = LANES / 2, PARTS = STEP / DOUBLES };

/* The 16 sums of a loop. */
struct parts {
    vd sum[PARTS];
};

static inline vd vd_all(double x)
{
    return x - (vd){0};
}

static inline vd vd_load(const double *p)
{
    vd v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline vd widen(const float *p)
{
    vh v;
    memcpy(&v, p, sizeof v);
    return __builtin_convertvector(v, vd);
}

static inline vd vd_pick(vl mask, vd a, vd b)
{
    return (vd)((mask & (vl)a) | (~mask & (vl)b));
}

static double total(const struct parts *s)
{
    double each[STEP], sum = 0;

    memcpy(each, s->sum, sizeof each);
    for (int i = 0; i < STEP; i++)
        sum += each[i];
    return sum;
}

/* The last n < STEP floats, and `rest` behind them. */
static const float *tail(const float *x, size_t n, float rest, float to[STEP])
{
    for (size_t i = 0; i < STEP; i++)
        to[i] = i < n ? x[i] : rest;
    return to;
}

static const double *tail_doubles(const double *x, size_t n, double to[STEP])
{
    for (size_t i = 0; i < STEP; i++)
        to[i] = i < n ? x[i] : 0;
    return to;
}

/* ---- exponentials ---- */

/* exp(x) to about an ulp as 2^n e^r, |r| <= ln 2 / 2, by the series; below LOWEST 0, above HIGHEST e^HIGHEST, NaN for NaN.
 * Adding 1.5 * 2^23 rounds to a whole number and leaves it in the low bits, from where it moves into the exponent. */
static inline vf vexp(vf x)
{
    const vf lowest = vf_all(-87.3f), whole = vf_all(12582912);
    vf to = vmin(vmax(x, lowest), vf_all(88));
    vf shifted = to * 1.44269504f + whole, n = shifted - whole, r = to - n * 0.693145752f - n * 1.42860677e-6f;
    vf series = r * (1.f / 5040) + 1.f / 720;

    series = series * r + 1.f / 120;
    series = series * r + 1.f / 24;
    series = series * r + 1.f / 6;
    series = series * r + 1.f / 2;
    series = series * r * r + r + 1;
    vf scaled = (vf)((vi)series + ((vi)shifted << 23)) + to * 0;     /* NaN stays NaN */
    return (vf)((vi)scaled & ~(x < lowest));
}

/* The same for doubles up to 0 that are not NaN; the series to r^13 / 13! leaves less than 1e-17. */
static inline vd vd_exp(vd x)
{
    static const double inverse[] = { 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040, 1.0 / 720,
                                      1.0 / 120, 1.0 / 24, 1.0 / 6, 1.0 / 2 };
    const vd lowest = vd_all(-708), whole = vd_all(0x1.8p52);
    vd to = vd_pick(x < lowest, lowest, x), shifted = to * 1.4426950408889634 + whole, n = shifted - whole;
    vd r = to - n * 0x1.62e42feep-1 - n * 0x1.a39ef35793c76p-33, series = vd_all(1.0 / 6227020800);

#pragma GCC unroll 11
    for (size_t i = 0; i < sizeof inverse / sizeof *inverse; i++)
        series = series * r + inverse[i];
    series = series * r * r + r + 1;
    return (vd)((vl)(vd)((vl)series + ((vl)shifted << 52)) & ~(x < lowest));
}

static inline void exp_step(float *x, float top, struct parts *s)
{
    for (size_t k = 0; k < STEP; k += LANES)
        vf_store(x + k, vexp(vf_load(x + k) - top));
    for (size_t p = 0; p < PARTS; p++)
        s->sum[p] += widen(x + p * DOUBLES);
}

/* Denormals would slow the product that follows; NaN stays. */
static inline void scale_step(float *x, float by)
{
    for (size_t k = 0; k < STEP; k += LANES) {
        vf p = vf_load(x + k) * by;
        vf_store(x + k, (vf)((vi)p & ~(p < FLT_MIN)));
    }
}

static float largest(const float *x, size_t n)
{
    float top = x[0];
    vf most = vf_all(x[0]);
    size_t i = 0;

    for (; i + LANES <= n; i += LANES)
        most = vmax(most, vf_load(x + i));
    for (; i < n; i++)
        top = x[i] > top ? x[i] : top;
    for (size_t k = 0; k < LANES; k++)
        top = most[k] > top ? most[k] : top;
    return top;
}

static void softmax(float *x, size_t n)
{
    float rest[STEP], top = largest(x, n), inverse;
    struct parts s = {0};
    size_t i = 0;

    for (; i + STEP <= n; i += STEP)
        exp_step(x + i, top, &s);
    tail(x + i, n - i, -INFINITY, rest);
    exp_step(rest, top, &s);
    inverse = (float)(1 / total(&s));
    for (i = 0; i + STEP <= n; i += STEP)
        scale_step(x + i, inverse);
    scale_step(rest, inverse);
    memcpy(x + i, rest, (n - i) * sizeof *x);
}

/* tanh u is 1 - 2 / (1 + exp(2u)). */
static inline void softcap_step(float *x, float cap)
{
    for (size_t k = 0; k < STEP; k += LANES)
        vf_store(x + k, cap - 2 * cap / (1 + vexp(vf_load(x + k) * (2 / cap))));
}

static void softcap(float *x, size_t n, float cap)
{
    float rest[STEP];
    size_t i = 0;

    for (; i + STEP <= n; i += STEP)
        softcap_step(x + i, cap);
    tail(x + i, n - i, 0, rest);
    softcap_step(rest, cap);
    memcpy(x + i, rest, (n - i) * sizeof *x);
}

/* The activations, as torch.nn.functional defines them. The tanh form of gelu is x / (1 + exp(-2u)), since
 * (1 + tanh u) / 2 is. */
static inline vf act(enum act_kind kind, vf x)
{
    switch (kind) {
    case ACT_SILU:
        return x / (1 + vexp(-x));
    case ACT_GELU_TANH:
        return x / (1 + vexp(-2 * 0.797884561f * (x + 0.044715f * x * x * x)));
    case ACT_RELU:
        return (vf)((vi)x & ~(x < 0));
    case ACT_GELU:
        for (int i = 0; i < LANES; i++)
            x[i] = 0.5f * x[i] * (1 + erff(x[i] * 0.707106781f));
    }
    return x;
}

static inline void act_step(enum act_kind kind, float *gate, const float *up)
{
    for (size_t k = 0; k < STEP; k += LANES)
        vf_store(gate + k, up ? act(kind, vf_load(gate + k)) * vf_load(up + k) : act(kind, vf_load(gate + k)));
}

static inline void act_all(enum act_kind kind, float *gate, const float *up, size_t n)
{
    float rest[STEP], rest_up[STEP];
    size_t i = 0;

    for (; i + STEP <= n; i += STEP)
        act_step(kind, gate + i, up ? up + i : NULL);
    tail(gate + i, n - i, 0, rest);
    act_step(kind, rest, up ? tail(up + i, n - i, 0, rest_up) : NULL);
    memcpy(gate + i, rest, (n - i) * sizeof *gate);
}

/* One loop for each, with the kind known. */
static void activate(enum act_kind kind, float *gate, const float *up, size_t n)
{
    switch (kind) {
    case ACT_SILU:
        act_all(ACT_SILU, gate, up, n);
        break;
    case ACT_GELU_TANH:
        act_all(ACT_GELU_TANH, gate, up, n);
        break;
    case ACT_RELU:
        act_all(ACT_RELU, gate, up, n);
        break;
    case ACT_GELU:
        act_all(ACT_GELU, gate, up, n);
    }
}

/* ---- norms ---- */

static double sum_of(const float *x, size_t n)
{
    float rest[STEP];
    struct parts s = {0};

    for (size_t i = 0; i < n; i += STEP) {
        const float *at = n - i < STEP ? tail(x + i, n - i, 0, rest) : x + i;
        for (size_t p = 0; p < PARTS; p++)
            s.sum[p] += widen(at + p * DOUBLES);
    }
    return total(&s);
}

static double squares_of(const float *x, size_t n, double mean)
{
    float rest[STEP];
    struct parts s = {0};
    size_t i = 0;
    double last = 0;

    for (; i + STEP <= n; i += STEP)
        for (size_t p = 0; p < PARTS; p++) {
            vd d = widen(x + i + p * DOUBLES) - mean;
            s.sum[p] += d * d;
        }
    for (const float *at = tail(x + i, n - i, 0, rest); at < rest + (n - i); at++)
        last += (*at - mean) * (*at - mean);
    return total(&s) + last;
}

static void norm(enum norm_kind kind, const float *x, size_t width, const float *gain, const float *bias, float eps, float *y)
{
    double mean = kind == NORM_LAYER ? sum_of(x, width) / (double)width : 0;
    double inverse = 1 / sqrt(squares_of(x, width, mean) / (double)width + (double)eps);
    size_t i = 0;

    for (; i + DOUBLES <= width; i += DOUBLES) {
        vh scaled = __builtin_convertvector((widen(x + i) - mean) * inverse, vh), by, plus = {0};
        memcpy(&by, gain + i, sizeof by);
        if (bias)
            memcpy(&plus, bias + i, sizeof plus);
        scaled = scaled * by + plus;
        memcpy(y + i, &scaled, sizeof scaled);
    }
    for (; i < width; i++)
        y[i] = (float)((x[i] - mean) * inverse) * gain[i] + (bias ? bias[i] : 0);
}

/* 0 * x is 0 for finite x and NaN otherwise. */
static bool finite_all(const float *x, size_t n)
{
    vf zero = {0};
    float last = 0;
    size_t i = 0;

    for (; i + LANES <= n; i += LANES)
        zero += 0 * vf_load(x + i);
    for (; i < n; i++)
        last += 0 * x[i];
    for (size_t k = 0; k < LANES; k++)
        last += zero[k];
    return last == 0;
}

/* ---- distributions ---- */

static double exponentials(const float *x, size_t n, double top, double *term)
{
    float rest[STEP];
    struct parts s = {0};

    for (size_t i = 0; i < n; i += STEP) {
        size_t some = n - i < STEP ? n - i : STEP;
        const float *at = some < STEP ? tail(x + i, some, -INFINITY, rest) : x + i;
        vd e[PARTS];
        for (size_t p = 0; p < PARTS; p++) {
            e[p] = vd_exp(widen(at + p * DOUBLES) - top);
            s.sum[p] += e[p];
        }
        memcpy(term + i, e, some * sizeof *term);
    }
    return total(&s);
}

static double expectation(const double *weight, const float *x, size_t n, double from)
{
    float rest[STEP];
    double rest_weight[STEP];
    struct parts s = {0};

    for (size_t i = 0; i < n; i += STEP) {
        bool whole = n - i >= STEP;
        const float *at = whole ? x + i : tail(x + i, n - i, 0, rest);
        const double *w = whole ? weight + i : tail_doubles(weight + i, n - i, rest_weight);
        for (size_t p = 0; p < PARTS; p++)
            s.sum[p] += vd_load(w + p * DOUBLES) * (from - widen(at + p * DOUBLES));
    }
    return total(&s);
}

/* exp(d) - 1 - d for |d| < 1/4, where the subtraction would cancel, by its series: never negative. */
static inline vd excess(vd d)
{
    static const double inverse[] = { 1.0 / 13, 1.0 / 12, 1.0 / 11, 1.0 / 10, 1.0 / 9, 1.0 / 8, 1.0 / 7, 1.0 / 6, 1.0 / 5,
                                      1.0 / 4, 1.0 / 3 };
    vd series = vd_all(1);

#pragma GCC unroll 11
    for (size_t i = 0; i < sizeof inverse / sizeof *inverse; i++)
        series = 1 + series * d * inverse[i];
    return d * d / 2 * series;
}

static double divergence(const float *x_p, const double *p, const float *x_q, const double *q, size_t n, double shift, double level)
{
    float rest_xp[STEP], rest_xq[STEP];
    double rest_p[STEP], rest_q[STEP];
    struct parts s = {0};

    for (size_t i = 0; i < n; i += STEP) {
        bool whole = n - i >= STEP;
        const float *xp = whole ? x_p + i : tail(x_p + i, n - i, 0, rest_xp), *xq = whole ? x_q + i : tail(x_q + i, n - i, 0, rest_xq);
        const double *tp = whole ? p + i : tail_doubles(p + i, n - i, rest_p), *tq = whole ? q + i : tail_doubles(q + i, n - i, rest_q);
        for (size_t k = 0; k < PARTS; k++) {
            vd d = widen(xq + k * DOUBLES) - widen(xp + k * DOUBLES) - shift;
            vd a = vd_load(tp + k * DOUBLES), b = vd_load(tq + k * DOUBLES);
            s.sum[k] += vd_pick((d < 0.25) & (d > -0.25), a * excess(d), b * level - a - a * d);
        }
    }
    return total(&s);
}

/* ---- errors ---- */

/* The 16 sums in another order, which needs fewer steps: halves are added until one is left. */
static inline double folded(const struct parts *s)
{
    double each[STEP];

    memcpy(each, s->sum, sizeof each);
#pragma GCC unroll 4
    for (int half = STEP / 2; half; half /= 2)
        for (int i = 0; i < half; i++)
            each[i] += each[i + half];
    return each[0];
}

static void moments(const float *x, const float *y, size_t n, size_t block, double sum[3], double *difference)
{
    float rest_x[STEP], rest_y[STEP];
    struct parts xx = {0}, yy = {0}, xy = {0};

    for (size_t b = 0; b < n; b += block) {
        size_t end = n - b < block ? n : b + block;
        struct parts error = {0};
        for (size_t i = b; i < end; i += STEP) {
            bool whole = end - i >= STEP;
            const float *at_x = whole ? x + i : tail(x + i, end - i, 0, rest_x), *at_y = whole ? y + i : tail(y + i, end - i, 0, rest_y);
            for (size_t p = 0; p < PARTS; p++) {
                vd o = widen(at_x + p * DOUBLES), c = widen(at_y + p * DOUBLES), d = o - c;
                xx.sum[p] += o * o;
                yy.sum[p] += c * c;
                xy.sum[p] += o * c;
                error.sum[p] += d * d;
            }
        }
        *difference++ = folded(&error);
    }
    sum[0] += total(&xx);
    sum[1] += total(&yy);
    sum[2] += total(&xy);
}

static void energies(const double *weight, const float *x, const float *y, size_t n, double sum[2])
{
    float rest_x[STEP], rest_y[STEP];
    double rest_weight[STEP];
    struct parts product = {0}, error = {0};

    for (size_t i = 0; i < n; i += STEP) {
        bool whole = n - i >= STEP;
        const float *at_x = whole ? x + i : tail(x + i, n - i, 0, rest_x), *at_y = whole ? y + i : tail(y + i, n - i, 0, rest_y);
        const double *w = whole ? weight + i : tail_doubles(weight + i, n - i, rest_weight);
        for (size_t p = 0; p < PARTS; p++) {
            vd o = widen(at_x + p * DOUBLES), d = o - widen(at_y + p * DOUBLES), by = vd_load(w + p * DOUBLES);
            product.sum[p] += by * o * o;
            error.sum[p] += by * d * d;
        }
    }
    sum[0] += total(&product);
    sum[1] += total(&error);
}

#define PASTE2(name, isa) name##_##isa
#define PASTE(name, isa) PASTE2(name, isa)
#define TEXT2(isa) #isa
#define TEXT(isa) TEXT2(isa)

extern const struct vector PASTE(vector, ISA);
const struct vector PASTE(vector, ISA) = {
    .isa = TEXT(ISA), .softmax = softmax, .softcap = softcap, .activate = activate, .norm = norm, .finite = finite_all, .largest = largest,
    .exponentials = exponentials, .expectation = expectation, .divergence = divergence,
    .moments = moments, .energies = energies,
};
