/* fp4.h - what mxfp4 and nvfp4 share: E2M1, the four-bit float of the OCP specification "Microscaling Formats (MX)".
 * Values here are doubled, as in ggml, to be whole; the scales are halved in return. */
#ifndef BANTAM_FP4_H
#define BANTAM_FP4_H

#include "quant/half.h"

static const float fp4_value[16] = { 0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12 };

/* Codes of n weights, a multiple of LANES, under the scale d > 0: the nearest value, of two as near the smaller one,
 * never -0. All differences the reference compares are exact as long as no weight is above 2^20 * d, so comparing
 * with the points half way between gives the same. */
static inline void fp4_codes(const float *x, int n, float d, vi *code)
{
    static const float point[7] = { 0.5f, 1.5f, 2.5f, 3.5f, 5, 7, 10 };

    for (int i = 0; i < n / LANES; i++) {
        vf v = vf_load(x + LANES * i), magnitude = vabs(v);
        vi above = { 0 };
        for (int p = 0; p < 7; p++)
            above += magnitude > point[p] * d;
        code[i] = -above | ((above != 0) & (vi)v >> 28 & 8);
    }
}

#endif
