/* ternary.h - what tq1_0 and tq2_0 share: 256 weights -1, 0 or 1 times the largest magnitude. */
#ifndef BANTAM_TERNARY_H
#define BANTAM_TERNARY_H

#include "quant/half.h"
#include "quant/turn.h"

#define N 256

/* 16 weights as trits 0, 1, 2. Where 1 / d is not finite the reference's conversion gives 1, and so does this. */
static inline void trits(const float *x, float inverse, vi trit[16 / LANES])
{
    for (int i = 0; i < 16 / LANES; i++)
        trit[i] = (vround(vf_load(x + LANES * i) * inverse) + 1) & 3;
}

/* The scales of up to LANES blocks as halves, and what to multiply their weights with. */
static inline void ternary_scales(const float *x, int live, uint16_t half[LANES], float inverse[LANES])
{
    vf d = vtops(x, N, live);
    vu h = vf16_from_f32(d);

    vf_store(inverse, pick(d > 0, 1 / d, (vf){0}));
    for (int k = 0; k < LANES; k++)
        half[k] = (uint16_t)h[k];
}

#endif
