/* half.h - f16 and bf16: the two 16-bit floats, exact in both directions.
 *
 * f32 to f16 rounds to nearest, ties to even; overflow gives Inf; every NaN becomes sign | 0x7e00, as ggml writes
 * it (F16C would keep the payload). f32 to bf16 does the same with NaN made quiet. Where the CPU has F16C it
 * converts; elsewhere two float operations do (after the FP16 library, github.com/Maratyszcza/FP16). */
#ifndef BANTAM_HALF_H
#define BANTAM_HALF_H

#include "quant/lanes.h"

/* LANES halfs, zero-extended. */
static inline vu vf16_from_f32(vf x)
{
    vu bits = (vu)x, sign = bits >> 16 & 0x8000, twice = bits + bits;

#if defined __AVX512F__
    vu half = (vu)_mm512_cvtepu16_epi32(_mm512_cvtps_ph((__m512)x, _MM_FROUND_TO_NEAREST_INT));
#elif defined __F16C__
    vu half = (vu)_mm256_cvtepu16_epi32(_mm256_cvtps_ph((__m256)x, _MM_FROUND_TO_NEAREST_INT));
#else
    /* Scaling up by 2^112 and down by 2^-110 turns what f16 cannot hold into Inf. Adding a power of two that is
     * 2^(23 - 10) above the result's last place then rounds to the mantissa of a half, subnormals included. */
    vf scaled = vabs(x) * 0x1.0p+112f * 0x1.0p-110f;
    vu bias = twice & 0xff000000;
    vi small = (vi)(bias < 0x71000000);
    bias = (vu)picki(small, vi_all(0x71000000), (vi)bias);
    vu sum = (vu)((vf)((bias >> 1) + 0x07800000) + scaled);
    vu half = sign | ((sum >> 13 & 0x7c00) + (sum & 0x0fff));
#endif
    return (vu)picki((vi)(twice > 0xff000000), (vi)(sign | 0x7e00), (vi)half);
}

/* The low 16 bits of each lane to floats. */
static inline vf vf32_from_f16(vu half)
{
#if defined __AVX512F__
    return (vf)_mm512_cvtph_ps(_mm512_cvtepi32_epi16((__m512i)half));
#elif defined __F16C__
    __m128i low = _mm_packus_epi32(_mm256_castsi256_si128((__m256i)half), _mm256_extracti128_si256((__m256i)half, 1));
    return (vf)_mm256_cvtph_ps(low);
#else
    vu sign = half << 16 & 0x80000000, twice = half << 17;
    vf normal = (vf)((twice >> 4) + (0xe0u << 23)) * 0x1.0p-112f;
    vf subnormal = (vf)(twice >> 17 | 126u << 23) - 0.5f;
    return (vf)(sign | (vu)pick((vi)(twice < 1u << 27), subnormal, normal));
#endif
}

static inline uint16_t f16_from_f32(float x)
{
#if defined __F16C__
    if (x != x) {
        uint32_t bits;
        memcpy(&bits, &x, sizeof bits);
        return (uint16_t)((bits >> 16 & 0x8000) | 0x7e00);
    }
    return _cvtss_sh(x, _MM_FROUND_TO_NEAREST_INT);
#else
    return (uint16_t)vf16_from_f32(vf_all(x))[0];
#endif
}

static inline float f32_from_f16(uint16_t half)
{
#if defined __F16C__
    return _cvtsh_ss(half);
#else
    return vf32_from_f16((vu)vi_all(half))[0];
#endif
}

static inline uint16_t bf16_from_f32(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint32_t nearest = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    return (uint16_t)((bits & 0x7fffffff) > 0x7f800000 ? bits >> 16 | 64 : nearest);
}

static inline float f32_from_bf16(uint16_t half)
{
    uint32_t bits = (uint32_t)half << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

#endif
