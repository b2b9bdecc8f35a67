/* lanes.h - vectors whose lanes are sub-blocks.
 *
 * Quantizing searches a scale for each small group of weights on its own. Put group k in lane k and walk the
 * weights of all groups together: each lane then adds its numbers in the order scalar code would, and every
 * instruction set writes the same bytes. Kernels keep to + - * / sqrt, compares and in-range conversions, which
 * IEEE 754 fixes; the build sets -ffp-contract=off. Vectors have the native width: wider ones are scalarized.
 * Intrinsics stand only here and in half.h, where gcc 12 or clang 14 make something slow of the portable form. */
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

/* Largest integer not above x, as a float; |x| < 2^31. */
static inline vf vfloor(vf x)
{
    vf t = vfloat(vtrunc(x));
    return pick(t > x, t - 1, t);
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

/* Comparisons whose only use is to ask whether any of them holds in any lane: collect them with |=. AVX-512 has masks
 * for that, and gcc 12 would turn them into vectors and back. */
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

/* Lanes k < live. */
static inline vi vlive(int live)
{
    return vlane() < live;
}

/* Transposes the squares of four by four that the same 128 bits of four vectors are. */
static inline void vsquares(vf v[4])
{
    vf t[4];

    for (int i = 0; i < 4; i += 2) {
#if LANES == 4
        t[i] = __builtin_shufflevector(v[i], v[i + 1], 0, 4, 1, 5);
        t[i + 1] = __builtin_shufflevector(v[i], v[i + 1], 2, 6, 3, 7);
#elif LANES == 8
        t[i] = __builtin_shufflevector(v[i], v[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
        t[i + 1] = __builtin_shufflevector(v[i], v[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
#else
        t[i] = __builtin_shufflevector(v[i], v[i + 1], 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29);
        t[i + 1] = __builtin_shufflevector(v[i], v[i + 1], 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
#endif
    }
    for (int i = 0; i < 2; i++) {
#if LANES == 4
        v[2 * i] = __builtin_shufflevector(t[i], t[i + 2], 0, 1, 4, 5);
        v[2 * i + 1] = __builtin_shufflevector(t[i], t[i + 2], 2, 3, 6, 7);
#elif LANES == 8
        v[2 * i] = __builtin_shufflevector(t[i], t[i + 2], 0, 1, 8, 9, 4, 5, 12, 13);
        v[2 * i + 1] = __builtin_shufflevector(t[i], t[i + 2], 2, 3, 10, 11, 6, 7, 14, 15);
#else
        v[2 * i] = __builtin_shufflevector(t[i], t[i + 2], 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
        v[2 * i + 1] = __builtin_shufflevector(t[i], t[i + 2],
                                               2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
#endif
    }
}

/* v[r] lane c becomes v[c] lane r. Written as the pairwise interleavings every ISA has as one instruction:
 * floats, then pairs of floats inside 128 bits, then quarters and halves of the vector. */
static inline void vtranspose(vf v[LANES])
{
    for (int i = 0; i < LANES; i += 4)
        vsquares(v + i);
#if LANES == 8
    for (int i = 0; i < 4; i++) {
        vf low = v[i], high = v[i + 4];
        v[i] = __builtin_shufflevector(low, high, 0, 1, 2, 3, 8, 9, 10, 11);
        v[i + 4] = __builtin_shufflevector(low, high, 4, 5, 6, 7, 12, 13, 14, 15);
    }
#elif LANES == 16
    vf t[LANES];
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 16; j += 8) {
            t[i + j] = __builtin_shufflevector(v[i + j], v[i + j + 4],
                                               0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
            t[i + j + 4] = __builtin_shufflevector(v[i + j], v[i + j + 4],
                                                   4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
        }
    for (int i = 0; i < 8; i++) {
        v[i] = __builtin_shufflevector(t[i], t[i + 8], 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
        v[i + 8] = __builtin_shufflevector(t[i], t[i + 8], 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
    }
#endif
}

/* The 16 bytes that begin `skip` bytes after each of LANES places: lane k of out[i] is word i at from[k]. */
static inline void vquads(const void *const from[LANES], size_t skip, vf out[4])
{
    typedef float four __attribute__((vector_size(16)));
#define FOUR(k) (*(const four_unaligned *)((const char *)from[k] + skip))
    typedef four four_unaligned __attribute__((aligned(1), may_alias));

    for (int i = 0; i < 4; i++) {
#if LANES == 4
        out[i] = FOUR(i);
#elif LANES == 8
        out[i] = (vf)_mm256_insertf128_ps(_mm256_castps128_ps256((__m128)FOUR(i)), (__m128)FOUR(i + 4), 1);
#else
        __m256 low = _mm256_insertf128_ps(_mm256_castps128_ps256((__m128)FOUR(i)), (__m128)FOUR(i + 4), 1);
        __m256 high = _mm256_insertf128_ps(_mm256_castps128_ps256((__m128)FOUR(i + 8)), (__m128)FOUR(i + 12), 1);
        out[i] = (vf)_mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1);
#endif
    }
#undef FOUR
    vsquares(out);
}

/* Weights 0..n of LANES sub-blocks that stand `stride` floats apart: lane k of col[i] is x[k * stride + i]. n is a
 * multiple of LANES (any of 16, 32, 64, 256 is). Sub-blocks from `live` on are not read; their lanes are 0. */
static inline void columns(const float *x, size_t stride, int n, int live, vf *col)
{
    for (int i = 0; i < n; i += LANES) {
        for (int k = 0; k < LANES; k++)
            col[i + k] = k < live ? vf_load(x + (size_t)k * stride + i) : (vf){0};
        vtranspose(col + i);
    }
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

/* One step of folding: the larger (smaller) of what two shuffles of a and b select. */
#define V_FOLD(a, b, first, second)                                                                      \
    (want_max ? vmax(__builtin_shufflevector(a, b, first), __builtin_shufflevector(a, b, second))       \
              : vmin(__builtin_shufflevector(a, b, first), __builtin_shufflevector(a, b, second)))
#define V_LIST(...) __VA_ARGS__

/* Lane k is the largest (want_max) or smallest float in v[k]; v is used up. Does not tell -0 from +0. */
static inline vf vfold(vf v[LANES], int want_max)
{
#if LANES == 4
    for (int n = 4; n > 1; n /= 2)
        for (int i = 0; i < n / 2; i++)
            v[i] = V_FOLD(v[2 * i], v[2 * i + 1], V_LIST(0, 2, 4, 6), V_LIST(1, 3, 5, 7));
#elif LANES == 8
    for (int n = 8; n > 2; n /= 2)
        for (int i = 0; i < n / 2; i++)
            v[i] = V_FOLD(v[2 * i], v[2 * i + 1], V_LIST(0, 2, 8, 10, 4, 6, 12, 14), V_LIST(1, 3, 9, 11, 5, 7, 13, 15));
    v[0] = V_FOLD(v[0], v[1], V_LIST(0, 1, 2, 3, 8, 9, 10, 11), V_LIST(4, 5, 6, 7, 12, 13, 14, 15));
#else
    for (int n = 16; n > 4; n /= 2)
        for (int i = 0; i < n / 2; i++)
            v[i] = V_FOLD(v[2 * i], v[2 * i + 1],
                          V_LIST(0, 2, 16, 18, 4, 6, 20, 22, 8, 10, 24, 26, 12, 14, 28, 30),
                          V_LIST(1, 3, 17, 19, 5, 7, 21, 23, 9, 11, 25, 27, 13, 15, 29, 31));
    for (int n = 4; n > 1; n /= 2)
        for (int i = 0; i < n / 2; i++)
            v[i] = V_FOLD(v[2 * i], v[2 * i + 1],
                          V_LIST(0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27),
                          V_LIST(4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31));
#endif
    return v[0];
}

/* Lane k: the largest magnitude among the n weights of group k, which stands at x + n * k; 0 for groups from
 * `live` on. n is a multiple of LANES. */
static inline vf vtops(const float *x, int n, int live)
{
    vf top[LANES] = { 0 };

    for (int k = 0; k < live; k++) {
        top[k] = vabs(vf_load(x + n * k));
        for (int i = LANES; i < n; i += LANES)
            top[k] = vmax(top[k], vabs(vf_load(x + n * k + i)));
    }
    return vfold(top, 1);
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

/* Four integers of each lane, cut to 0..most, as the bytes of one word; most <= 127. */
static inline vu vbytes(vi a, vi b, vi c, vi d, uint8_t most)
{
#if LANES == 16
    __m512i bytes = _mm512_packus_epi16(_mm512_packs_epi32((__m512i)a, (__m512i)b), _mm512_packs_epi32((__m512i)c, (__m512i)d));
    const __m512i turn = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    return (vu)_mm512_min_epu8(_mm512_shuffle_epi8(bytes, turn), _mm512_set1_epi8((char)most));
#elif LANES == 8
    __m256i bytes = _mm256_packus_epi16(_mm256_packs_epi32((__m256i)a, (__m256i)b), _mm256_packs_epi32((__m256i)c, (__m256i)d));
    const __m256i turn = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    return (vu)_mm256_min_epu8(_mm256_shuffle_epi8(bytes, turn), _mm256_set1_epi8((char)most));
#elif defined __x86_64__
    __m128i bytes = _mm_packus_epi16(_mm_packs_epi32((__m128i)a, (__m128i)b), _mm_packs_epi32((__m128i)c, (__m128i)d));
    bytes = _mm_unpacklo_epi8(bytes, _mm_srli_si128(bytes, 8));
    bytes = _mm_unpacklo_epi8(bytes, _mm_srli_si128(bytes, 8));
    return (vu)_mm_min_epu8(bytes, _mm_set1_epi8((char)most));
#else
    const vi in[4] = { a, b, c, d };
    vu bytes = {0};
    for (int k = 0; k < 4; k++)
        bytes |= (vu)vimax((vi){0}, vimin(in[k], vi_all(most))) << 8 * k;
    return bytes;
#endif
}

/* The low bytes of 16 integers. */
static inline void bytes_store(uint8_t *out, const vi q[16 / LANES])
{
#if LANES == 16
    _mm_storeu_si128((__m128i *)out, _mm512_cvtepi32_epi8((__m512i)q[0]));
#elif defined __x86_64__
    __m128i four[4], two[2];
    for (int i = 0; i < 4; i++) {
#if LANES == 8
        __m256i eight = (__m256i)(q[i / 2] & 0xff);
        four[i] = i % 2 ? _mm256_extracti128_si256(eight, 1) : _mm256_castsi256_si128(eight);
#else
        four[i] = (__m128i)(q[i] & 0xff);
#endif
    }
    for (int i = 0; i < 2; i++)
        two[i] = _mm_packs_epi32(four[2 * i], four[2 * i + 1]);
    _mm_storeu_si128((__m128i *)out, _mm_packus_epi16(two[0], two[1]));
#else
    for (int i = 0; i < 16; i++)
        out[i] = (uint8_t)q[i / LANES][i % LANES];
#endif
}

/* 16 bytes as integers. */
static inline void bytes_load(const uint8_t *in, vi q[16 / LANES])
{
#if LANES == 16
    q[0] = (vi)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)in));
#elif LANES == 8
    q[0] = (vi)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)in));
    q[1] = (vi)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(in + 8)));
#elif defined __x86_64__
    __m128i byte = _mm_loadu_si128((const __m128i *)in), zero = _mm_setzero_si128();
    __m128i low = _mm_unpacklo_epi8(byte, zero), high = _mm_unpackhi_epi8(byte, zero);
    q[0] = (vi)_mm_unpacklo_epi16(low, zero);
    q[1] = (vi)_mm_unpackhi_epi16(low, zero);
    q[2] = (vi)_mm_unpacklo_epi16(high, zero);
    q[3] = (vi)_mm_unpackhi_epi16(high, zero);
#else
    for (int i = 0; i < 16; i++)
        q[i / LANES][i % LANES] = in[i];
#endif
}

/* 32 codes of four bits to 16 bytes: byte j holds code j in its low half and code j + 16 in its high half. Higher
 * bits of a code are dropped. */
static inline void nibbles_store(uint8_t *out, const vi code[32 / LANES])
{
    vi pair[16 / LANES];

    for (int i = 0; i < 16 / LANES; i++)
        pair[i] = (code[i] & 15) | code[i + 16 / LANES] << 4;
    bytes_store(out, pair);
}

static inline void nibbles_load(const uint8_t *in, vi code[32 / LANES])
{
    vi pair[16 / LANES];

    bytes_load(in, pair);
    for (int i = 0; i < 16 / LANES; i++) {
        code[i] = pair[i] & 15;
        code[i + 16 / LANES] = pair[i] >> 4;
    }
}

/* Codes of 32 weights with a block per lane, q[i] lane k, to codes with a weight per lane: block k has the 32 / LANES
 * vectors from code[32 / LANES * k] on. q is used up. */
static inline void codes_turn(vi q[32], vi code[32])
{
    for (int i = 0; i < 32; i += LANES) {
        vtranspose((vf *)q + i);
        for (int k = 0; k < LANES; k++)
            code[32 / LANES * k + i / LANES] = q[i + k];
    }
}

#endif
