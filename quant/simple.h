/* simple.h - q4_0, q4_1, q5_0 and q5_1: blocks of 32 weights with one scale, and a minimum in the latter two of each.
 *
 * Plain rounding looks at LANES blocks at a time: folding finds their extremes, the divisions and f16 conversions
 * run with a block per lane, and the weights are rounded where they lie. With importance the scale is searched
 * (search.h): then the weights too are brought into lanes, one block in each. Steps and order of sums are those
 * of ggml-quants.c, whose bytes are the ones to write. */
#ifndef BANTAM_SIMPLE_H
#define BANTAM_SIMPLE_H

#include "quant/half.h"
#include "quant/search.h"
#include "quant/turn.h"

#define N 32                    /* weights in a block */
#define STEPS (N / LANES)       /* vectors in a block */

/* An encoding: its levels and where the fields of its block lie; 0 for a field it does not have. The scale d, an
 * f16, stands first. Without m a weight is (level - levels / 2) * d, with it level * d + m. */
struct simple {
    int levels;
    size_t nbytes;
    size_t m;                   /* f16: the minimum */
    size_t high;                /* 4 bytes: bit 4 of level j at bit j */
    size_t low;                 /* 16 bytes: level j in the low half of byte j, level j + 16 in the high half */
};

static inline uint16_t half_load(const uint8_t *p)
{
    uint16_t h;
    memcpy(&h, p, sizeof h);
    return h;
}

static inline void half_store(uint8_t *p, uint32_t h)
{
    uint16_t low = (uint16_t)h;
    memcpy(p, &low, sizeof low);
}

SEARCH void levels_store(const struct simple *f, uint8_t *y, const vi code[STEPS])
{
    uint32_t bits = 0;

    nibbles_store(y + f->low, code);
    if (!f->high)
        return;
    for (int i = 0; i < STEPS; i++)
        bits |= vbits(code[i] << 27) << LANES * i;
    memcpy(y + f->high, &bits, sizeof bits);
}

SEARCH void levels_load(const struct simple *f, const uint8_t *y, vi code[STEPS])
{
    int32_t bits;

    nibbles_load(y + f->low, code);
    if (!f->high)
        return;
    memcpy(&bits, y + f->high, sizeof bits);
    for (int i = 0; i < STEPS; i++) {
        vi set = (vi_all(bits >> LANES * i) & (vi_all(1) << vlane())) != 0;
        code[i] |= set & 16;
    }
}

SEARCH void decode_simple(struct simple f, const void *in, float *out, size_t nblocks)
{
    const uint8_t *y = in;

    for (size_t n = 0; n < nblocks; n++, y += f.nbytes, out += N) {
        float d = f32_from_f16(half_load(y)), m = f.m ? f32_from_f16(half_load(y + f.m)) : 0;
        vi code[STEPS];

        levels_load(&f, y, code);
        for (int i = 0; i < STEPS; i++)
            vf_store(out + LANES * i, f.m ? vfloat(code[i]) * d + m : vfloat(code[i] - f.levels / 2) * d);
    }
}

/* Per block: largest and smallest weight. Does not tell -0 from +0. */
SEARCH void block_range(const float *x, int live, vf *high, vf *low)
{
    vf top[LANES] = { 0 }, bottom[LANES] = { 0 };

    for (int k = 0; k < live; k++) {
        top[k] = bottom[k] = vf_load(x + N * k);
        for (int i = 1; i < STEPS; i++) {
            top[k] = vmax(top[k], vf_load(x + N * k + LANES * i));
            bottom[k] = vmin(bottom[k], vf_load(x + N * k + LANES * i));
        }
    }
    *high = vfold(top, 1);
    *low = vfold(bottom, 0);
}

/* The block's first weight that is a or b. There is one. */
static inline float first_of(const float *x, float a, float b)
{
    int i = 0;
    while (i < N - 1 && x[i] != a && x[i] != b)
        i++;
    return x[i];
}

/* Per block: the weight of largest magnitude with its sign, the first one where several are as large; +0 if all
 * are zeros. */
SEARCH vf block_extreme(const float *x, int live)
{
    vf high, low;

    block_range(x, live, &high, &low);
    vf top = pick(high < -low, low, high);
    vi tie = high == -low;
    if (vany(tie))
        for (int k = 0; k < live; k++)
            if (tie[k])
                top[k] = high[k] > 0 ? first_of(x + N * k, high[k], low[k]) : 0.0f;
    return top;
}

/* As block_range, but a smallest weight that is zero has the sign running comparisons would find, that of the
 * block's first zero: it is stored. So has the largest if it is zero too. */
SEARCH void block_range_signed(const float *x, int live, vf *high, vf *low)
{
    block_range(x, live, high, low);
    vi zero = *low == 0;
    if (vany(zero))
        for (int k = 0; k < live; k++)
            if (zero[k]) {
                (*low)[k] = first_of(x + N * k, 0, 0);
                (*high)[k] = (*high)[k] > 0 ? (*high)[k] : (*low)[k];
            }
}

/* LANES blocks, or the last `live` ones: round (x - m) / d. The cast goes towards zero and keeps a byte; what does
 * not fit an int (d below 2^-128 has no finite inverse) gives 0. */
SEARCH void round_plain(const struct simple *f, const float *x, uint8_t *y, int live)
{
    vf high, low, d;
    vf center = vf_all(f->m ? 0.5f : (float)f->levels / 2 + 0.5f);
    float inverse[LANES], shift[LANES];

    if (f->m) {
        block_range_signed(x, live, &high, &low);
        d = (high - low) / (float)(f->levels - 1);
    } else {
        low = (vf){0};
        d = block_extreme(x, live) / (float)(-f->levels / 2);
    }
    vu dhalf = vf16_from_f32(d), mhalf = vf16_from_f32(low);
    vf_store(inverse, pick(d != 0, 1 / d, (vf){0}));
    vf_store(shift, low);
    for (int k = 0; k < live; k++, x += N, y += f->nbytes) {
        vi code[STEPS];

        for (int i = 0; i < STEPS; i++) {
            vf v = vf_load(x + LANES * i);
            v = (f->m ? v - shift[k] : v) * inverse[k] + center;
            code[i] = vimin(vtrunc(v) & 0xff, vi_all(f->levels - 1));
        }
        levels_store(f, y, code);
        half_store(y, dhalf[k]);
        if (f->m)
            half_store(y + f->m, mhalf[k]);
    }
}

/* The same with importance w of each weight, and the mean square of the blocks' row. */
SEARCH void round_searched(const struct simple *f, const float *in, const float *importance, float variance,
                           uint8_t *y, int live)
{
    vf x[N], w[N], d, m = {0};
    vi q[N], code[N];

    columns(in, N, N, live, x);
    columns(importance, N, N, live, w);
    for (int i = 0; i < N; i++)
        w[i] *= vsqrt(variance + x[i] * x[i]);
    if (f->m) {
        struct ladder ladder = { .first = -0.9f, .step = 0.05f, .last = 36 };
        struct affine fit = fit_affine(x, w, N, (float)(f->levels - 1), ladder);
        d = fit.scale;
        m = -fit.min;
        for (int i = 0; i < N; i++)
            q[i] = level_int((x[i] + fit.cut.shift) * fit.cut.gain, 0, (float)(f->levels - 1));
    } else {
        float half = (float)f->levels / 2;
        struct symmetric fit = fit_symmetric(x, w, N, half, true);
        d = fit.scale;
        for (int i = 0; i < N; i++)
            q[i] = level_int((x[i] + fit.cut.shift) * fit.cut.gain, -half, half - 1) + f->levels / 2;
    }
    vu dhalf = vf16_from_f32(d), mhalf = vf16_from_f32(m);
    codes_turn(q, code);
    for (int k = 0; k < live; k++, y += f->nbytes) {
        levels_store(f, y, code + STEPS * k);
        half_store(y, dhalf[k]);
        if (f->m)
            half_store(y + f->m, mhalf[k]);
    }
}

/* Mean squares of up to LANES rows of n weights, each summed from left to right. */
SEARCH void row_variances(const float *x, size_t n, int live, float *variance)
{
    vf sum = { 0 }, col[LANES];

    for (size_t i = 0; i < n; i += LANES) {
        columns(x + i, n, LANES, live, col);
        for (int k = 0; k < LANES; k++)
            sum += col[k] * col[k];
    }
    vf_store(variance, sum / (float)n);
}

SEARCH void encode_searched(const struct simple *f, const float *in, const float *weight, uint8_t *y,
                            size_t nrows, size_t row_blocks)
{
    float variance[LANES];

    for (size_t row = 0; row < nrows; row++) {
        if (row % LANES == 0)
            row_variances(in, N * row_blocks, at_most_lanes(nrows - row), variance);
        for (size_t n = 0; n < row_blocks; n += LANES)
            round_searched(f, in + N * n, weight + N * n, variance[row % LANES], y + f->nbytes * n,
                           at_most_lanes(row_blocks - n));
        in += N * row_blocks;
        y += f->nbytes * row_blocks;
    }
}

SEARCH void encode_simple(struct simple f, const float *in, const float *weight, void *out, size_t nrows,
                          size_t row_blocks)
{
    uint8_t *y = out;
    size_t nblocks = nrows * row_blocks;

    if (weight) {
        encode_searched(&f, in, weight, y, nrows, row_blocks);
        return;
    }
    for (size_t n = 0; n < nblocks; n += LANES)
        if (nblocks - n >= LANES)
            round_plain(&f, in + N * n, y + f.nbytes * n, LANES);   /* a constant: compilers unroll its loops */
        else
            round_plain(&f, in + N * n, y + f.nbytes * n, (int)(nblocks - n));
}

#endif
