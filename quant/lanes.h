/* lanes.h - vectors whose lanes are sub-blocks.
 *
 * Quantizing searches a scale for each small group of weights on its own. Put group k in lane k and walk the
 * weights of all groups together: each lane then adds its numbers in the order scalar code would, and every
 * instruction set writes the same bytes. Kernels keep to + - * / sqrt, compares and in-range conversions, which
 * IEEE 754 fixes; the build sets -ffp-contract=off. Vectors have the native width: wider ones are scalarized.
 * Intrinsics stand only here, in turn.h and half.h, where gcc 12 or clang 14 make something slow of the portable form. */
#ifndef BANTAM_LANES_H
#define BANTAM_LANES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __x86_64__
#include <immintrin.h>
#endif

#if defined __AVX512F__
#define LANES 16
#elif defined __AVX2__
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

static inline void vf_store(float *p, vf v)
{
    memcpy(p, &v, sizeof v);
}

static inline vi vi_load(const int32_t *p)
{
    vi v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void vi_store(int32_t *p, vi v)
{
    memcpy(p, &v, sizeof v);
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

/* a < b ? x : y. */
static inline vf vwhere_below(vi a, vi b, vf x, vf y)
{
#if LANES == 16
    return (vf)_mm512_mask_blend_ps(_mm512_cmplt_epi32_mask((__m512i)a, (__m512i)b), (__m512)y, (__m512)x);
#elif LANES == 8
    return (vf)_mm256_blendv_ps((__m256)y, (__m256)x, (__m256)(a < b));
#else
    return pick(a < b, x, y);
#endif
}

/* a < b ? x : y. */
static inline vi vwhere_less(vf a, vf b, vi x, vi y)
{
#if LANES == 16
    return (vi)_mm512_mask_blend_epi32(_mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_LT_OQ), (__m512i)y, (__m512i)x);
#elif LANES == 8
    return (vi)_mm256_blendv_ps((__m256)y, (__m256)x, _mm256_cmp_ps((__m256)a, (__m256)b, _CMP_LT_OQ));
#else
    return picki(a < b, x, y);
#endif
}

static inline vf vabs(vf x)
{
    return (vf)((vi)x & 0x7fffffff);
}

/* The bits of x that are in `mask`, and those of `set`, which are others. */
static inline vf vmasked(vf x, int32_t mask, int32_t set)
{
#if LANES == 16
    return (vf)_mm512_ternarylogic_epi32((__m512i)x, _mm512_set1_epi32(mask), _mm512_set1_epi32(set), 0xea);
#else
    return (vf)(((vi)x & mask) | set);
#endif
}

/* b where it is greater, else a: keeps a when they are equal, as `if (b > a) a = b` does. */
static inline vf vmax(vf a, vf b)
{
#if LANES == 16
    return (vf)_mm512_max_ps((__m512)b, (__m512)a);
#elif LANES == 8
    return (vf)_mm256_max_ps((__m256)b, (__m256)a);
#elif defined __x86_64__
    return (vf)_mm_max_ps((__m128)b, (__m128)a);
#else
    return pick(b > a, b, a);
#endif
}

static inline vf vmin(vf a, vf b)
{
#if LANES == 16
    return (vf)_mm512_min_ps((__m512)b, (__m512)a);
#elif LANES == 8
    return (vf)_mm256_min_ps((__m256)b, (__m256)a);
#elif defined __x86_64__
    return (vf)_mm_min_ps((__m128)b, (__m128)a);
#else
    return pick(b < a, b, a);
#endif
}

static inline vf vsqrt(vf x)
{
#if LANES == 16
    return (vf)_mm512_sqrt_ps((__m512)x);
#elif LANES == 8
    return (vf)_mm256_sqrt_ps((__m256)x);
#elif defined __x86_64__
    return (vf)_mm_sqrt_ps((__m128)x);
#else
    for (int k = 0; k < LANES; k++)
        x[k] = __builtin_sqrtf(x[k]);
    return x;
#endif
}

static inline vi vimin(vi a, vi b)
{
#if LANES == 16
    return (vi)_mm512_min_epi32((__m512i)a, (__m512i)b);
#elif LANES == 8
    return (vi)_mm256_min_epi32((__m256i)a, (__m256i)b);
#else
    return picki(b < a, b, a);
#endif
}

static inline vi vimax(vi a, vi b)
{
#if LANES == 16
    return (vi)_mm512_max_epi32((__m512i)a, (__m512i)b);
#elif LANES == 8
    return (vi)_mm256_max_epi32((__m256i)a, (__m256i)b);
#else
    return picki(b > a, b, a);
#endif
}

/* max(x, 0) and min(x, high) for high > 0, up to the sign of 0, and both limits for x, low, high > 0; x is no NaN. The bits of
 * floats of one sign are ordered as integers, for which AVX CPUs have more units to spare than for floats. */
static inline vf vleast0(vf x)
{
#if LANES > 4
    return (vf)vimax((vi)x, (vi){0});
#else
    return vmax(x, (vf){0});
#endif
}

static inline vf vmost(vf x, float high)
{
#if LANES > 4
    return (vf)vimin((vi)x, (vi)vf_all(high));
#else
    return vmin(x, vf_all(high));
#endif
}

static inline vf vwithin(vf x, float low, float high)
{
#if LANES > 4
    return (vf)vimin(vimax((vi)x, (vi)vf_all(low)), (vi)vf_all(high));
#else
    return vmin(vmax(x, vf_all(low)), vf_all(high));
#endif
}

/* a * b + c, rounded once or twice: for estimates whose rounding decides nothing. */
static inline vf vabout(vf a, vf b, vf c)
{
#if LANES == 16
    return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#else
    return a * b + c;
#endif
}

/* Round half to even, |x| < 2^22: adding 1.5 * 2^23 leaves the integer in the low mantissa bits. */
static inline vi vnearest(vf x)
{
    vf shifted = x + 12582912.0f;
    return ((vi)shifted & 0x007fffff) - 0x00400000;
}

/* The same as a float. */
static inline vf vrint(vf x)
{
#if LANES == 16
    return (vf)_mm512_roundscale_ps((__m512)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#elif LANES == 8
    return (vf)_mm256_round_ps((__m256)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#else
    return x + 12582912.0f - 12582912.0f;
#endif
}

/* What vrint() takes away, in -1/2..1/2. */
static inline vf vrest(vf x)
{
#if LANES == 16
    return (vf)_mm512_reduce_ps((__m512)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#else
    return x - vrint(x);
#endif
}

/* The larger magnitude. */
static inline vf vfarther(vf a, vf b)
{
#if LANES == 16
    return (vf)_mm512_range_ps((__m512)a, (__m512)b, 11);
#else
    return vmax(vabs(a), vabs(b));
#endif
}

/* Towards zero. What an int32 cannot hold, NaN too, gives INT32_MIN: x86 does so, the C cast leaves it open. */
static inline vi vtrunc(vf x)
{
#if LANES == 16
    return (vi)_mm512_cvttps_epi32((__m512)x);
#elif LANES == 8
    return (vi)_mm256_cvttps_epi32((__m256)x);
#elif defined __x86_64__
    return (vi)_mm_cvttps_epi32((__m128)x);
#else
    vi fits = vabs(x) < 0x1p31f;
    return picki(fits, __builtin_convertvector(pick(fits, x, (vf){0}), vi), vi_all(INT32_MIN));
#endif
}

/* Exact for |x| < 2^24. */
static inline vf vfloat(vi x)
{
    return __builtin_convertvector(x, vf);
}

/* Round half away from zero, as (int)roundf(x); INT32_MIN where that does not fit. The constant is the float below
 * one half: with 0.5 itself the largest float below 0.5 would come out as 1. */
static inline vi vround(vf x)
{
    vf below_half = (vf)(((vi)x & INT32_MIN) | (vi)vf_all(0.49999997f));
    return vtrunc(x + below_half);
}

/* Any lane set? Lanes of a comparison are 0 or -1. */
static inline int vany(vi mask)
{
#if LANES == 16
    return _mm512_movepi32_mask((__m512i)mask) != 0;
#elif LANES == 8
    return _mm256_movemask_ps((__m256)mask) != 0;
#elif defined __x86_64__
    return _mm_movemask_ps((__m128)mask) != 0;
#else
    int32_t any = 0;
    for (int k = 0; k < LANES; k++)
        any |= mask[k];
    return any != 0;
#endif
}

/* Sign bits of the lanes, lane 0 in bit 0. */
static inline uint32_t vbits(vi mask)
{
#if LANES == 16
    return _mm512_movepi32_mask((__m512i)mask);
#elif LANES == 8
    return (uint32_t)_mm256_movemask_ps((__m256)mask);
#elif defined __x86_64__
    return (uint32_t)_mm_movemask_ps((__m128)mask);
#else
    uint32_t bits = 0;
    for (int k = 0; k < LANES; k++)
        bits |= (uint32_t)(mask[k] < 0) << k;
    return bits;
#endif
}

/* 0, 1, 2 ... */
static inline vi vlane(void)
{
    static const int32_t lane[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
    return vi_load(lane);
}

/* Comparisons that only choose, or of which only bits are wanted: collect them with | and &. AVX-512 has masks for that, and gcc 12
 * would turn them into vectors and back. */
#if LANES == 16
typedef __mmask16 vsome;
#else
typedef vi vsome;
#endif

static inline vsome vgreater(vf a, vf b)
{
#if LANES == 16
    return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_GT_OQ);
#else
    return a > b;
#endif
}

static inline vsome vdiffer(vf a, vf b)
{
#if LANES == 16
    return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_NEQ_UQ);
#else
    return a != b;
#endif
}

static inline vi vsome_lanes(vsome some)
{
#if LANES == 16
    return (vi)_mm512_movm_epi32(some);
#else
    return some;
#endif
}

/* Lane 0 in bit 0. */
static inline uint32_t vsome_bits(vsome some)
{
#if LANES == 16
    return some;
#else
    return vbits(some);
#endif
}

/* Lane by lane: some ? a : b. */
static inline vf vsome_pick(vsome some, vf a, vf b)
{
#if LANES == 16
    return (vf)_mm512_mask_mov_ps((__m512)b, some, (__m512)a);
#else
    return pick(some, a, b);
#endif
}

static inline int vsome_any(vsome some)
{
#if LANES == 16
    return some != 0;
#else
    return vany(some);
#endif
}

/* Stores the lanes of x where mask is set, one after the other, and perhaps more behind them, LANES in all; returns how many
 * are set. */
static inline int vstore_where(int32_t *to, vi mask, vi x)
{
#if LANES == 16
    __mmask16 where = _mm512_movepi32_mask((__m512i)mask);
    _mm512_storeu_si512(to, _mm512_maskz_compress_epi32(where, (__m512i)x));
    return __builtin_popcount(where);
#else
    int n = 0;
    for (int k = 0; k < LANES; k++) {
        to[n] = x[k];
        n -= mask[k];
    }
    return n;
#endif
}

/* How many of n groups fit into lanes. */
static inline int at_most_lanes(size_t n)
{
    return n < LANES ? (int)n : LANES;
}

/* table[index], index 0..15. */
static inline vf vlookup(const float table[16], vi index)
{
#if LANES == 16
    return (vf)_mm512_permutexvar_ps((__m512i)index, _mm512_loadu_ps(table));
#elif LANES == 8
    __m256 low = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table), (__m256i)index);
    __m256 high = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table + 8), (__m256i)index);
    return (vf)_mm256_blendv_ps(low, high, (__m256)(index << 28));
#else
    vf v;
    for (int k = 0; k < LANES; k++)
        v[k] = table[index[k]];
    return v;
#endif
}

#endif
