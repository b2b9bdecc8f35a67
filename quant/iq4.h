/* iq4.h - what iq4_nl and iq4_xs share: four-bit indexes into 16 fixed values, and the search for their scale.
 *
 * One group of 32 weights per lane. A search tries 16 scales; each time every weight goes to its nearest value, so
 * finding that value is nearly all there is to do. The values are whole numbers, so the points half way between
 * them are exact in floats, and any way of comparing with those finds what the reference's bisection finds: the
 * upper neighbor of a tie, the last value for NaN. */
#ifndef BANTAM_IQ4_H
#define BANTAM_IQ4_H

#include "quant/half.h"
#include "quant/search.h"
#include "quant/turn.h"

#define GROUP 32

static const float iq4_value[16] = {
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113
};

/* Index of the value nearest to t. */
#if LANES == 16

/* |t| < 160. Bin b, taken modulo 32, is [10b - 5, 10b + 5]; none holds more than one half-way point, so a t that
 * rounding puts one bin too far still ends up right. Bins without a point have a limit below them all. */
SEARCH vi iq4_index(vf t)
{
    static const float limit[32] = {
        -4.5f, 7, 19, 31.5f, -999, 45.5f, 61, -999, 79, -999, 101, -999, -999, -999, -999, -999,
        -999, -999, -999, -999, -115.5f, -999, -999, -93.5f, -999, -74, -57, -999, -42, -28.5f, -16, -999,
    };
    static const int32_t above[32] = {
        8, 9, 10, 11, 11, 12, 13, 13, 14, 14, 15, 15, 15, 15, 15, 15,
        0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 4, 4, 5, 6, 7, 7,
    };
    __m512i bin = (__m512i)(t * 0.1f + ROUNDER);
    vf cut = (vf)_mm512_permutex2var_ps(_mm512_loadu_ps(limit), bin, _mm512_loadu_ps(limit + 16));
    vi index = (vi)_mm512_permutex2var_epi32(_mm512_loadu_si512(above), bin, _mm512_loadu_si512(above + 16));
    return index + (t < cut);
}

#elif LANES == 8

/* Bisection. `path` is -1 doubled and counted up for each comparison that went down: index - 15 in the end. The
 * tables hold the next point to compare with, at path modulo 8. */
SEARCH vi iq4_index(vf t)
{
    static const float third[8] = { 79, 0, 0, 0, 0, -93.5f, -28.5f, 19 };
    static const float fourth[8] = { 101, -115.5f, -74, -42, -16, 7, 31.5f, 61 };
    vi path = t < -4.5f;
    path += path + (t < pick(path, vf_all(-57), vf_all(45.5f)));
    path += path + (t < (vf)_mm256_permutevar8x32_ps(_mm256_loadu_ps(third), (__m256i)path));
    path += path + (t < (vf)_mm256_permutevar8x32_ps(_mm256_loadu_ps(fourth), (__m256i)path));
    return path + 15;
}

#else

static const float iq4_point[15] = {
    -115.5f, -93.5f, -74, -57, -42, -28.5f, -16, -4.5f, 7, 19, 31.5f, 45.5f, 61, 79, 101
};

SEARCH vi iq4_index(vf t)
{
    vi index = vi_all(15);

    for (int i = 0; i < 15; i++)
        index += t < iq4_point[i];
    return index;
}

#endif

/* The value nearest to t; |t| < 160. */
SEARCH vf iq4_nearest(vf t)
{
#if LANES == 4
    vf value = vf_all(iq4_value[15]);       /* without a permutation, adding up steps beats looking up */

    for (int i = 0; i < 15; i++)
        value -= (vf)((t < iq4_point[i]) & (vi)vf_all(iq4_value[i + 1] - iq4_value[i]));
    return value;
#else
    return vlookup(iq4_value, iq4_index(t));
#endif
}

/* Sums of w*q*x and w*q*q, q being the value nearest to gain * x. */
SEARCH void iq4_sums(const vf x[GROUP], const vf w[GROUP], vf gain, vf *qx, vf *q2)
{
    *qx = *q2 = (vf){0};
    for (int i = 0; i < GROUP; i++) {
        vf q = iq4_nearest(gain * x[i]), wq = w[i] * q;
        *qx += wq * x[i];
        *q2 += wq * q;
    }
}

/* The scale that fits best, of those that put the weight of largest magnitude near -127. Groups of next to nothing
 * get 0. */
SEARCH vf iq4_search(const vf x[GROUP], const vf w[GROUP])
{
    vf top = extreme_finite(x, GROUP), qx, q2;

    iq4_sums(x, w, 1 / (-top / iq4_value[0]), &qx, &q2);
    vf scale = pick(q2 > 0, qx / q2, (vf){0}), best = scale * qx;
    for (int rung = -7; rung <= 7; rung++) {
        iq4_sums(x, w, ((float)rung + iq4_value[0]) / top, &qx, &q2);
        vi better = (q2 > 0) & (qx * qx > best * q2);
        vf fit = qx / q2;
        scale = pick(better, fit, scale);
        best = pick(better, fit * qx, best);
    }
    return pick(vabs(top) < GROUP_EPSILON, (vf){0}, scale);
}

/* Indexes of the weights of LANES groups under their final scales (0: every weight as if it were 0), written as 16
 * bytes per group. Clamping keeps iq4_index in its range; it sends NaN to the last value, as bisection does. */
SEARCH void iq4_store(const vf x[GROUP], vf scale, uint8_t *const out[LANES], int live)
{
    vf gain = pick(scale != 0, 1 / scale, (vf){0});
    vi q[GROUP], code[GROUP];

    for (int i = 0; i < GROUP; i++)
        q[i] = iq4_index(vmax(vmin(vf_all(120), gain * x[i]), vf_all(-130)));
    codes_turn(q, code);
    for (int k = 0; k < live; k++)
        nibbles_store(out[k], code + GROUP / LANES * k);
}

/* Search weights: x^2, or importance * sqrt(variance + x^2). */
SEARCH void iq4_weights(const vf x[GROUP], const float *importance, vf variance, int live, vf w[GROUP])
{
    if (importance)
        columns(importance, GROUP, GROUP, live, w);
    for (int i = 0; i < GROUP; i++)
        w[i] = importance ? w[i] * vsqrt(variance + x[i] * x[i]) : x[i] * x[i];
}

/* A group of 16 bytes under the scale d. */
SEARCH void iq4_decode(const uint8_t *in, float d, float out[GROUP])
{
    vi code[GROUP / LANES];

    nibbles_load(in, code);
    for (int i = 0; i < GROUP / LANES; i++)
        vf_store(out + LANES * i, d * vlookup(iq4_value, code[i]));
}

#endif
