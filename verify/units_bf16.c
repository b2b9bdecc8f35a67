/* bf16.c - see units.h: the bfloat16 units, whose adders take, in each of 16 lanes, the products of two neighboring pairs. */
#include "verify/units.h"

#include "quant/isa.h"

#include <string.h>

#ifdef __x86_64__
#include <immintrin.h>

enum {
    TOKENS = 8, LANES = 16, REGISTERS = 3, ROWS = LANES * REGISTERS,
    AHEAD = 128,                /* pairs of tokens that are fetched before their turn: they come from afar */
};

#define BF16_UNITS __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))

static size_t pairs_of(size_t width)
{
    return (width + 1) / 2;
}

/* Which of `left` numbers a register of `most` can hold. */
static uint32_t first_of(size_t left, size_t most)
{
    return left >= most ? UINT32_MAX >> (32 - most) : (1u << left) - 1;
}

/* The next 16 pairs of a row of which `left` numbers are left; what is missing at the end is 0. */
BF16_UNITS static inline __m512i pairs_at(const void *row, size_t left, bool narrow)
{
    const float *x = row;

    if (narrow)
        return _mm512_maskz_loadu_epi16(first_of(left, 2 * LANES), row);
    __m512 low = _mm512_maskz_loadu_ps((__mmask16)first_of(left, LANES), x);
    __m512 high = left > LANES ? _mm512_maskz_loadu_ps((__mmask16)first_of(left - LANES, LANES), x + LANES) : _mm512_setzero_ps();
    return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

/* Word c of v[r] becomes word r of v[c]: within 4 words, then among the quarters of registers. */
BF16_UNITS static inline void transpose(__m512i v[LANES])
{
    __m512i t[LANES];

#pragma GCC unroll 8
    for (size_t i = 0; i < LANES; i += 2) {
        t[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
    }
#pragma GCC unroll 4
    for (size_t i = 0; i < LANES; i += 4) {
        v[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        v[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        v[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        v[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++) {
        __m512i a = _mm512_shuffle_i32x4(v[i], v[i + 4], 0x88), b = _mm512_shuffle_i32x4(v[i], v[i + 4], 0xdd);
        __m512i c = _mm512_shuffle_i32x4(v[i + 8], v[i + 12], 0x88), d = _mm512_shuffle_i32x4(v[i + 8], v[i + 12], 0xdd);
        t[i] = _mm512_shuffle_i32x4(a, c, 0x88);
        t[i + 8] = _mm512_shuffle_i32x4(a, c, 0xdd);
        t[i + 4] = _mm512_shuffle_i32x4(b, d, 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(b, d, 0xdd);
    }
#pragma GCC unroll 16
    for (size_t i = 0; i < LANES; i++)
        v[i] = t[i];
}

BF16_UNITS static void pack(const uint8_t *row, size_t apart, size_t live, size_t width, bool narrow, struct target out)
{
    size_t nbytes = narrow ? 2 : sizeof(float);

    for (size_t i = 0; i < width; i += 2 * LANES) {
        size_t left = width - i, n = pairs_of(left) < LANES ? pairs_of(left) : LANES;
        __m512i v[LANES];
#pragma GCC unroll 16
        for (size_t r = 0; r < LANES; r++)
            v[r] = r < live ? pairs_at(row + r * apart + i * nbytes, left, narrow) : _mm512_setzero_si512();
        transpose(v);
#pragma GCC unroll 16
        for (size_t k = 0; k < LANES; k++)
            if (k < n) {
                uint32_t *to = out.to + (i / 2 + k) * out.step;
                _mm256_storeu_si256((__m256i *)to, _mm512_castsi512_si256(v[k]));
                _mm256_storeu_si256((__m256i *)(to + out.high), _mm512_extracti64x4_epi64(v[k], 1));
            }
    }
}

/* 8 tokens by 48 rows; live ones are stored. */
BF16_UNITS static void multiply(const uint32_t *x, const uint32_t *w, size_t pairs, float *y, size_t stride, size_t tokens, size_t rows)
{
    __m512 sum[TOKENS][REGISTERS];

#pragma GCC unroll 8
    for (size_t t = 0; t < TOKENS; t++)
#pragma GCC unroll 3
        for (size_t k = 0; k < REGISTERS; k++)
            sum[t][k] = _mm512_setzero_ps();
#pragma GCC unroll 8
    for (size_t t = 0; t < TOKENS; t++)
        if (t < tokens)
            for (size_t k = 0; k < rows; k += LANES)
                _mm_prefetch(y + t * stride + k, _MM_HINT_T0);
    for (size_t i = 0; i < pairs; i++, x += TOKENS, w += ROWS) {
        _mm_prefetch(x + AHEAD * TOKENS, _MM_HINT_T0);
        __m512bh w0 = (__m512bh)_mm512_load_si512(w), w1 = (__m512bh)_mm512_load_si512(w + LANES),
                 w2 = (__m512bh)_mm512_load_si512(w + 2 * LANES);
#pragma GCC unroll 8
        for (size_t t = 0; t < TOKENS; t++) {
            __m512bh one = (__m512bh)_mm512_set1_epi32((int)x[t]);
            sum[t][0] = _mm512_dpbf16_ps(sum[t][0], one, w0);
            sum[t][1] = _mm512_dpbf16_ps(sum[t][1], one, w1);
            sum[t][2] = _mm512_dpbf16_ps(sum[t][2], one, w2);
        }
    }
#pragma GCC unroll 8
    for (size_t t = 0; t < TOKENS; t++)
#pragma GCC unroll 3
        for (size_t k = 0; k < REGISTERS; k++) {
            size_t left = rows > k * LANES ? rows - k * LANES : 0;
            __mmask16 mask = left >= LANES ? 0xffff : (__mmask16)((1u << left) - 1);
            if (t < tokens && mask)
                _mm512_mask_storeu_ps(y + t * stride + k * LANES, mask, sum[t][k]);
        }
}

static const struct units bf16 = { .isa = "avx512", .lanes = LANES, .tokens = TOKENS, .rows = ROWS, .per_word = 2, .pack = pack, .multiply = multiply };

const struct units *units_bf16(void)
{
    return __builtin_cpu_supports("avx512bf16") && strcmp(isa_current()->name, bf16.isa) == 0 ? &bf16 : NULL;
}

#else

const struct units *units_bf16(void)
{
    return NULL;
}

#endif
