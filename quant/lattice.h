/* lattice.h - codebooks of points: what the iq1, iq2 and iq3 encodings write instead of single weights.
 *
 * A point gives the levels of several neighboring weights at once: of 8 weights with 2 bits each (three levels are
 * used), or of 4 weights with 3 bits each; the first weight sits in the lowest bits. Only the points of a codebook
 * may occur, and a block stores a point's number in it. Layouts after ggml's block_iq* and dequantize_row_iq*. */
#ifndef BANTAM_LATTICE_H
#define BANTAM_LATTICE_H

#include <stdint.h>

#ifdef __AVX2__
#include <immintrin.h>
#endif

extern const uint16_t lattice_iq1[2048];        /* 8 x 2 bits; iq1_s and iq1_m share it */
extern const uint16_t lattice_iq2_xxs[256];
extern const uint16_t lattice_iq2_xs[512];
extern const uint16_t lattice_iq2_s[1024];
extern const uint16_t lattice_iq3_xxs[256];     /* 4 x 3 bits */
extern const uint16_t lattice_iq3_s[512];

/* Where only seven of eight sign bits are stored, the number of minus signs is even. */
static inline unsigned lattice_eighth_sign(unsigned seven)
{
    return seven | (unsigned)__builtin_parity(seven) << 7;
}

/* y[i] = level[field i of code], negated where bit i of signs is set; 8 fields of `bits` bits, 2 or 3. */
static inline void lattice_expand(float *y, uint32_t code, int bits, const float level[8], unsigned signs)
{
#ifdef __AVX2__
    const __m256i by2 = _mm256_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14), by3 = _mm256_setr_epi32(0, 3, 6, 9, 12, 15, 18, 21);
    const __m256i to_sign = _mm256_setr_epi32(31, 30, 29, 28, 27, 26, 25, 24);
    __m256i field = _mm256_srlv_epi32(_mm256_set1_epi32((int)code), bits == 2 ? by2 : by3);
    __m256i minus = _mm256_sllv_epi32(_mm256_set1_epi32((int)signs), to_sign);

    field = _mm256_and_si256(field, _mm256_set1_epi32((1 << bits) - 1));
    minus = _mm256_and_si256(minus, _mm256_set1_epi32(INT32_MIN));
    __m256 value = _mm256_permutevar8x32_ps(_mm256_loadu_ps(level), field);
    _mm256_storeu_ps(y, _mm256_xor_ps(value, _mm256_castsi256_ps(minus)));
#else
    for (int i = 0; i < 8; i++) {
        float value = level[code >> bits * i & ((1u << bits) - 1)];
        y[i] = signs >> i & 1 ? -value : value;
    }
#endif
}

/* What an encoder needs to find the point nearest to some weights. A code numbers all places of the lattice, on or
 * off the codebook: base 3 for 2-bit points, base 8 for 3-bit points, the first coordinate lowest.
 *
 * spot[code] is one of
 *     LATTICE_ON | point        the place is itself in the codebook
 *     LATTICE_ONLY | point      it is not, and one point is nearer than all others
 *     first << 10 | n           the candidates: near[8 * first] to near[8 * first + n - 1]
 * Candidates are the points at the `rings` smallest distances from the place, in order of distance, then of number;
 * whole eights may be read. Ties between candidates go to the earlier one.
 *
 * few[code] is the same, but for IQ2 and IQ3 without candidates that cannot win for weights well inside the place, that is
 * at scales where no coordinate is on the verge of being rounded to another level: those for which an earlier candidate
 * has every coordinate at the same level or at one less far from the place's. */
struct lattice {
    const uint16_t *point;      /* the codebook */
    uint16_t *number;           /* [code]: its number in the codebook, if it is there */
    uint32_t *spot, *few;       /* [code] */
    uint16_t *near;
    int npoints, dims, rings;
    uint32_t near_room;         /* elements of near */
};

#define LATTICE_ON 0x80000000u
#define LATTICE_ONLY 0x40000000u
#define LATTICE_CODES 6561      /* 3^8; 8^4 is less */
#define LATTICE_NEAR_MAX 296    /* most candidates of a place, filled up to eights */

enum lattice_name { LATTICE_IQ1, LATTICE_IQ2_XXS, LATTICE_IQ2_XS, LATTICE_IQ2_S, LATTICE_IQ3_XXS, LATTICE_IQ3_S, LATTICES };

/* The tables of one codebook, the same for every encoder and never freed. The first call computes them (up to about
 * 50 ms, 0.2 to 0.8 MB of static storage); safe from many threads. */
const struct lattice *lattice_open(enum lattice_name);

/* Base 3 code of the four 2-bit coordinates in a byte. */
extern const uint8_t lattice_base3[256];

static inline uint32_t lattice_code(int bits, uint32_t point)
{
    return bits == 3 ? point : lattice_base3[point & 255] + 81u * lattice_base3[point >> 8 & 255];
}

#endif
