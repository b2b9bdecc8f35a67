/* lattice_nearest.h - the best point of the codebook for eight weights of two bits, whatever their levels are worth.
 *
 * For one group at a time, with a candidate in each lane: iq1 asks once per group, so there is nothing to collect (as
 * lattice_questions.h does for many scales). Costs add in the order of ggml's iq1_find_best_neighbour2. */
#ifndef BANTAM_LATTICE_NEAREST_H
#define BANTAM_LATTICE_NEAREST_H

#include "quant/lattice_cells.h"

#include <float.h>

#define LATTICE_NONE 0xffffffffu        /* no candidate costs less than FLT_MAX: only with weights above about 1e15 */

typedef float eight __attribute__((vector_size(32)));   /* on narrower ISAs only for + and *, which split well */

/* Sums over the weights of what they cost at their levels, a number per level, twice; n points, rounded up to eights. */
static inline void lattice_sum(const eight cost[8], const uint16_t *list, int n, float sum[LATTICE_NEAR_MAX])
{
#ifdef __AVX2__
    for (int j = 0; j < n; j += 8) {
        __m256i point = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(list + j)));
        __m256 all = _mm256_permutevar_ps((__m256)cost[0], point);
        for (int i = 1; i < 8; i++)
            all = _mm256_add_ps(all, _mm256_permutevar_ps((__m256)cost[i], _mm256_srli_epi32(point, 2 * i)));
        _mm256_storeu_ps(sum + j, all);
    }
#else
    for (int j = 0; j < (n + 7) / 8 * 8; j++) {
        sum[j] = cost[0][list[j] & 3];
        for (int i = 1; i < 8; i++)
            sum[j] += cost[i][list[j] >> 2 * i & 3];
    }
#endif
}

#ifdef __AVX2__
/* The smallest of eight, in every lane. */
static inline __m256 lattice_least(__m256 x)
{
    x = _mm256_min_ps(x, _mm256_permute2f128_ps(x, x, 1));
    x = _mm256_min_ps(x, _mm256_shuffle_ps(x, x, 0x4e));
    return _mm256_min_ps(x, _mm256_shuffle_ps(x, x, 0xb1));
}
#endif

/* The point with the smallest cost, the first of equals; none if that is not below FLT_MAX. What is past the end of
 * the last eight costs is overwritten. */
static inline uint32_t lattice_first_min(const uint16_t *list, float *cost, int n)
{
#ifdef __AVX2__
    __m256 least = _mm256_set1_ps(FLT_MAX);

    for (int j = n; j % 8; j++)
        cost[j] = FLT_MAX;
    for (int j = 0; j < n; j += 8)
        least = _mm256_min_ps(_mm256_loadu_ps(cost + j), least);
    least = lattice_least(least);
    for (int j = 0; j < n && _mm256_cvtss_f32(least) < FLT_MAX; j += 8) {
        int equal = _mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(cost + j), least, _CMP_EQ_OQ));
        if (equal)
            return list[j + __builtin_ctz((unsigned)equal)];
    }
    return LATTICE_NONE;
#else
    float least = FLT_MAX;
    uint32_t best = LATTICE_NONE;

    for (int j = 0; j < n; j++)
        if (cost[j] < least) {
            least = cost[j];
            best = list[j];
        }
    return best;
#endif
}

/* The candidate that costs least, the sum of w * (value of its level - x)^2 being the cost; the first of equals. Values
 * stand twice. */
static inline uint32_t lattice_nearest(const struct lattice *l, uint32_t spot, const float *x, const float *w, eight value)
{
    const uint16_t *list = l->near + 8 * (spot >> 10);
    int n = (int)(spot & 1023);
    float sum[LATTICE_NEAR_MAX];
    eight cost[8];

    for (int i = 0; i < 8; i++) {
        eight off = value - x[i];
        cost[i] = w[i] * off * off;
    }
    lattice_sum(cost, list, n, sum);
    return lattice_first_min(list, sum, n);
}

#endif
