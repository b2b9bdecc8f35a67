/* turn.h - vectors turned around: weights of many sub-blocks into their lanes, what was found there back to bytes in the order
 * of a file. Only data moves here; lanes.h computes. */
#ifndef BANTAM_TURN_H
#define BANTAM_TURN_H

#include "quant/lanes.h"

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
