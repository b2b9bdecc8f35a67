/* lanes.h - vectors whose lanes are sub-blocks.
 *
 * Quantizing searches a scale for each small group of weights on its own. Put group k in lane k and walk the
 * weights of all groups together: each lane then adds its numbers in the order scalar code would, and every
 * instruction set writes the same bytes. Kernels keep to + - * / sqrt, compares and in-range conversions, which
 * IEEE 754 fixes; the build sets -ffp-contract=off. Vectors have the native width: wider ones are scalarized. */
#ifndef BANTAM_LANES_H
#define BANTAM_LANES_H

#include <stdint.h>
#include <string.h>

#if defined __AVX512F__
#define LANES 16
#elif defined __AVX__
#define LANES 8
#else
#define LANES 4
#endif

typedef float vf __attribute__((vector_size(4 * LANES)));
typedef int32_t vi __attribute__((vector_size(4 * LANES)));     /* also the result of comparing: 0 or -1 */
typedef uint32_t vu __attribute__((vector_size(4 * LANES)));

static inline vf vf_all(float x)
{
    return x - (vf){0};         /* gcc and clang both make this one broadcast; -0 stays -0 */
}

static inline vi vi_all(int32_t x)
{
    return x - (vi){0};
}

static inline vf vf_load(const float *p)
{
    vf v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* Lane by lane: mask ? a : b. The mask is a comparison's result. C has no ?: on vectors. */
static inline vf pick(vi mask, vf a, vf b)
{
    return (vf)((mask & (vi)a) | (~mask & (vi)b));
}

static inline vi picki(vi mask, vi a, vi b)
{
    return (mask & a) | (~mask & b);
}

static inline vf vabs(vf x)
{
    return (vf)((vi)x & 0x7fffffff);
}

/* b where it is greater, else a: keeps a when they are equal, as `if (b > a) a = b` does. */
static inline vf vmax(vf a, vf b)
{
    return pick(b > a, b, a);
}

static inline vf vmin(vf a, vf b)
{
    return pick(b < a, b, a);
}

/* Round half to even, |x| < 2^22: adding 1.5 * 2^23 leaves the integer in the low mantissa bits. */
static inline vi vnearest(vf x)
{
    vf shifted = x + 12582912.0f;
    return ((vi)shifted & 0x007fffff) - 0x00400000;
}

/* Any lane set? Lanes of a comparison are 0 or -1. */
static inline int vany(vi mask)
{
    int32_t any = 0;
    for (int k = 0; k < LANES; k++)
        any |= mask[k];
    return any != 0;
}

#endif
