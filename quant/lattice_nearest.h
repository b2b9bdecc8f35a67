/* lattice_nearest.h - the best point of the codebook for a group of weights, at one scale and at many.
 *
 * The places that a group rounds to have lists of candidates (struct lattice); the choice among the candidates of one
 * place has a candidate in each lane. Costs add in the order of ggml's iq2_ and iq3_find_best_neighbour, so the
 * choice is ggml's. */
#ifndef BANTAM_LATTICE_NEAREST_H
#define BANTAM_LATTICE_NEAREST_H

#include "quant/lattice_cells.h"

#include <float.h>

/* ---- the best candidate of a place ---- */

#define LATTICE_NONE 0xffffffffu        /* no candidate costs less than FLT_MAX: only with weights above about 1e15 */

typedef float eight __attribute__((vector_size(32)));   /* on narrower ISAs only for + and *, which split well */

static inline eight eight_load(const float *p)
{
    eight v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* For each weight of a group a number per level; where there are four levels they stand twice. */
struct lattice_table {
    eight of[8];
};

static inline eight lattice_odds(int bits)
{
    return bits == 3 ? (eight){ 1, 3, 5, 7, 9, 11, 13, 15 } : (eight){ 1, 3, 5, 7, 1, 3, 5, 7 };
}

/* Sums over the weights of what each of ntables tables has for their levels; n points, rounded up to eights. */
static inline void lattice_sum(const struct lattice_table *t, int ntables, int bits, const uint16_t *list, int n,
                               float sum[][LATTICE_NEAR_MAX])
{
    const int dims = bits == 3 ? 4 : 8;
#ifdef __AVX2__
    for (int j = 0; j < n; j += 8) {
        __m256i point = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(list + j)));
        __m256 all[2];
        for (int i = 0; i < dims; i++) {
            __m256i level = _mm256_srli_epi32(point, bits * i);
            for (int k = 0; k < ntables; k++) {
                __m256 row = (__m256)t[k].of[i];
                __m256 one = bits == 3 ? _mm256_permutevar8x32_ps(row, level) : _mm256_permutevar_ps(row, level);
                all[k] = i ? _mm256_add_ps(all[k], one) : one;
            }
        }
        for (int k = 0; k < ntables; k++)
            _mm256_storeu_ps(sum[k] + j, all[k]);
    }
#else
    for (int k = 0; k < ntables; k++)
        for (int j = 0; j < (n + 7) / 8 * 8; j++) {
            float all = t[k].of[0][list[j] & ((1 << bits) - 1)];
            for (int i = 1; i < dims; i++)
                all += t[k].of[i][list[j] >> bits * i & ((1 << bits) - 1)];
            sum[k][j] = all;
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

/* The candidate that costs least, the sum of w * (value of its level - x)^2 being the cost; the first of equals.
 * Values past the levels of an encoding are not looked at. */
static inline uint32_t lattice_nearest(const struct lattice *l, int bits, uint32_t spot, const float *x,
                                       const float *w, eight value)
{
    const uint16_t *list = l->near + 8 * (spot >> 10);
    int n = (int)(spot & 1023);
    float cost[1][LATTICE_NEAR_MAX];
    struct lattice_table t;

    for (int i = 0; i < (bits == 3 ? 4 : 8); i++) {
        eight off = value - x[i];
        t.of[i] = w[i] * off * off;
    }
    lattice_sum(&t, 1, bits, list, n, cost);
    return lattice_first_min(list, cost[0], n);
}

/* The levels' values at a scale: odd numbers times it. Where no candidate has a finite cost ggml ends the program;
 * here the first one is taken. Not inlined: rare where it is asked for in a loop, and heavy. */
static __attribute__((noinline, unused)) uint32_t lattice_settle(const struct lattice *l, int bits, uint32_t spot,
                                                                 const float *x, const float *w, float scale)
{
    uint32_t point = lattice_nearest(l, bits, spot, x, w, scale * lattice_odds(bits));

    return point == LATTICE_NONE ? l->near[8 * (spot >> 10)] : point;
}

/* ---- the best candidates for many scales ----
 *
 * At scale s a candidate with the odd numbers q costs the sum of w * (s * q - x)^2. Less the sum of w * x^2, which all
 * candidates share, and over s, that is s * a - b with a = sum of w * q^2, b = 2 * sum of w * q * x: cheap to have for
 * many scales. It rounds otherwise than the cost proper, whose rounding decides what ggml writes. With u = 2^-24 and
 * m = sum of w * (s * largest q)^2 + sum of w * x^2, both ways together err by less than 48 * u * m for a candidate; so
 * the winner is certain where the second best is worse by 128 * u * m (and by something above the smallest floats), and
 * elsewhere the costs proper are computed. All these costs are linear in s, so who wins at two scales by what is asked
 * for at any scale between, wins there too. */
struct group {
    const struct lattice *l;
    const float *x, *w;
    struct lattice_table table[2];      /* for a and b */
    float margin_s2, margin;            /* the margin is s^2 times one plus the other */
};

static inline void lattice_group(struct group *g, const struct lattice *l, struct lattice_rule r, const float *x,
                                 const float *w)
{
    const float top = r.bits == 3 ? 15 : 5;
    const eight odd = lattice_odds(r.bits);
    float sum_w = 0, sum_wx2 = 0;

    g->l = l;
    g->x = x;
    g->w = w;
    for (int i = 0; i < r.group; i++) {
        float wx = w[i] * x[i];
        g->table[0].of[i] = w[i] * (odd * odd);
        g->table[1].of[i] = (wx + wx) * odd;
        sum_w += w[i];
        sum_wx2 += wx * x[i];
    }
    g->margin_s2 = 0x1p-17f * top * top * sum_w;
    g->margin = 0x1p-17f * sum_wx2 + 1e-30f;
}

/* The sums a and b of a place's candidates; n, at most LATTICE_NEAR_MAX, is their number. Up to the next eight there
 * are some that cost infinitely much. */
struct costs {
    const uint16_t *list;
    int n;
    float sum[2][LATTICE_NEAR_MAX];     /* a and b */
};

static inline void lattice_costs(struct costs *c, const struct group *g, int bits, uint32_t spot)
{
    static const float past_end[15] = { 0, 0, 0, 0, 0, 0, 0, 0, -INFINITY, -INFINITY, -INFINITY, -INFINITY,
                                        -INFINITY, -INFINITY, -INFINITY };

    c->list = g->l->near + 8 * (spot >> 10);
    c->n = (int)(spot & 1023);
    lattice_sum(g->table, 2, bits, c->list, c->n, c->sum);
    float *end = c->sum[1] + (c->n - 1) / 8 * 8;
    eight last = eight_load(end) + eight_load(past_end + 7 - (c->n - 1) % 8);
    memcpy(end, &last, sizeof last);
}

/* The candidate that wins at both scales by more than margin, or -1. */
static inline int lattice_one_winner(const struct costs *c, float scale0, float scale1, float margin)
{
#ifdef __AVX2__
    __m256 least0 = _mm256_set1_ps(INFINITY), least1 = least0, s0 = _mm256_set1_ps(scale0), s1 = _mm256_set1_ps(scale1);
    uint64_t near0 = 0, near1 = 0;

    if (c->n > 64)
        return -1;
    for (int j = 0; j < c->n; j += 8) {
        __m256 a = _mm256_loadu_ps(c->sum[0] + j), b = _mm256_loadu_ps(c->sum[1] + j);
        least0 = _mm256_min_ps(s0 * a - b, least0);
        least1 = _mm256_min_ps(s1 * a - b, least1);
    }
    least0 = lattice_least(least0) + _mm256_set1_ps(margin);
    least1 = lattice_least(least1) + _mm256_set1_ps(margin);
    for (int j = 0; j < c->n; j += 8) {
        __m256 a = _mm256_loadu_ps(c->sum[0] + j), b = _mm256_loadu_ps(c->sum[1] + j);
        near0 |= (uint64_t)_mm256_movemask_ps(_mm256_cmp_ps(s0 * a - b, least0, _CMP_LE_OQ)) << j;
        near1 |= (uint64_t)_mm256_movemask_ps(_mm256_cmp_ps(s1 * a - b, least1, _CMP_LE_OQ)) << j;
    }
    return near0 && near0 == near1 && !(near0 & (near0 - 1)) ? __builtin_ctzll(near0) : -1;
#else
    float best0 = INFINITY, best1 = INFINITY, second0 = INFINITY, second1 = INFINITY;
    int at0 = -1, at1 = -1;

    for (int j = 0; j < c->n; j++) {
        float cost0 = scale0 * c->sum[0][j] - c->sum[1][j], cost1 = scale1 * c->sum[0][j] - c->sum[1][j];
        float worse0 = cost0 > best0 ? cost0 : best0, worse1 = cost1 > best1 ? cost1 : best1;
        second0 = worse0 < second0 ? worse0 : second0;
        second1 = worse1 < second1 ? worse1 : second1;
        at0 = cost0 < best0 ? j : at0;
        at1 = cost1 < best1 ? j : at1;
        best0 = cost0 < best0 ? cost0 : best0;
        best1 = cost1 < best1 ? cost1 : best1;
    }
    return at0 == at1 && second0 > best0 + margin && second1 > best1 + margin ? at0 : -1;
#endif
}

/* The points for LANES scales; unclear where another candidate is too near. */
static inline vi lattice_winners(const struct costs *c, const struct group *g, vf s, vi *unclear)
{
    vf best = vf_all(INFINITY), second = best;
    vi choice = { 0 };

    for (int j = 0; j < c->n; j += 8)
        for (int i = j; i < j + 8; i++) {
            vf cost = s * c->sum[0][i] - c->sum[1][i];
            second = vmin(second, vmax(best, cost));
            choice = picki(cost < best, vi_all(c->list[i]), choice);
            best = vmin(best, cost);
        }
    *unclear = ~((second - best) * s > s * s * g->margin_s2 + g->margin + s * 1e-30f);
    return choice;
}

/* Points of a group for the scales [first, last], which all lead to one place off the codebook; they fall from first
 * to last. scale and point have room for LANES - 1 more. */
static inline void lattice_settle_run(struct lattice_rule r, const struct group *g, uint32_t spot, int first, int last,
                                      const float *scale, int32_t *point)
{
    struct costs c;

    lattice_costs(&c, g, r.bits, spot);
    int winner = lattice_one_winner(&c, scale[first], scale[last],
                                    scale[first] * g->margin_s2 + g->margin / scale[last] + 1e-30f);
    for (int at = first; at <= last; at += LANES) {
        vi unclear = { 0 };

        vi_store(point + at, winner < 0 ? lattice_winners(&c, g, vf_load(scale + at), &unclear) :
                             vi_all(c.list[winner]));
        if (vany(unclear & vlive(last + 1 - at)))
            for (int i = at; i <= last && i < at + LANES; i++)
                if (unclear[i - at])
                    point[i] = (int32_t)lattice_settle(g->l, r.bits, spot, g->x, g->w, scale[i]);
    }
}

#endif
