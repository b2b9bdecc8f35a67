/* lattice_search.h - finding scales and points for the iq2 and iq3 encodings; lanes are cells.
 *
 * A cell is the 16 or 32 weights that share a scale. For each of a range of scales, every group of 8 or 4 weights of
 * a cell is rounded to a place of the lattice and from there moved to the best point of the codebook; the scale
 * whose points fit best stays. CELLS cells are searched together. What belongs to all weights of a cell in order
 * (rounding, sums, choice of the scale) has a cell in each lane; the choice among the candidates of one place has a
 * candidate in each lane. Both add in the order of ggml's quantize_row_iq*_impl, so the bytes are ggml's. */
#ifndef BANTAM_LATTICE_SEARCH_H
#define BANTAM_LATTICE_SEARCH_H

#include "quant/half.h"
#include "quant/lattice.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

#define CELLS 16
#define VECTORS (CELLS / LANES)
#define CELL_MAX 32             /* weights */
#define GROUPS_MAX 8
#define SUPER 256               /* weights that share the f16 scale */

/* How an encoding searches. Kernel files pass a constant, so that each gets loops of its own. */
struct lattice_rule {
    int size, group, bits;      /* weights per cell and per point, bits per coordinate */
    int steps;                  /* scales on either side of the one that maps the largest weight to the top level */
    float step;                 /* between them, in levels */
    float zero_below;           /* a cell whose largest magnitude is less is all zeros */
    bool even_signs;            /* only 7 of 8 signs are stored: the least important is turned where their number is odd */
    enum { REDO_MOVED, REDO_ALL_IF_MOVED, REDO_ALL } redo;      /* groups chosen again for the final scale */
    float sigma;                /* importance is matrix * sqrt(sigma * mean square of the super-block + x^2) */
    float flat;                 /* or, without a matrix, flat * sigma * mean square + x^2 */
};

/* CELLS cells, by cell and by weight. */
struct cells {
    float row_x[CELLS][CELL_MAX];               /* magnitudes; where a sign was turned, negative */
    float row_w[CELLS][CELL_MAX];               /* importance, later its square root */
    vf x[VECTORS][CELL_MAX], w[VECTORS][CELL_MAX], wx[VECTORS][CELL_MAX];       /* lanes are cells; wx is w * x */
    vf max[VECTORS], scale[VECTORS];
    vi skip[VECTORS];                           /* all zeros: nothing to search, nothing written */
    vi point[GROUPS_MAX][VECTORS];              /* with the flags of lattice.spot */
    vi sign[CELL_MAX / 8][VECTORS];
};

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

/* ---- one scale for each cell ---- */

/* The codes of a group's places when weights are multiplied by inverse: level = (inverse * x - 1) / 2, rounded to
 * even, kept among the levels. Adding 1.5 * 2^24 to twice the level leaves it in the low mantissa bits, as ggml's
 * nearest_int does with 1.5 * 2^23, whatever comes of numbers that are too large. */
static inline vi lattice_codes(struct lattice_rule r, const vf *x, vf inverse)
{
    const int top = r.bits == 3 ? 7 : 2;
    const uint32_t zero = 0x00400000;
    uint32_t zeros = 0;                 /* the code when all levels are 0 */
    vu code = { 0 };

    for (int i = r.group - 1; i >= 0; i--) {
        vf shifted = inverse * x[i] - 1 + 25165824.0f;
        vi level = vimin(vimax((vi)shifted & 0x007fffff, vi_all((int32_t)zero)), vi_all((int32_t)zero + top));
        code = (r.bits == 3 ? code << 3 : code + code + code) + (vu)level;
        zeros = zeros * (r.bits == 3 ? 8 : 3) + zero;
    }
    return (vi)(code - zeros);
}

/* Chooses points of the groups of the cells in `want` for the scale of each cell. */
static inline void lattice_settle_cells(const struct lattice *l, struct lattice_rule r, struct cells *c,
                                        vi want[GROUPS_MAX][VECTORS])
{
    float s[CELLS];
    int32_t code[CELLS], wanted[CELLS], p[CELLS];

    for (int v = 0; v < VECTORS; v++)
        vf_store(s + v * LANES, c->scale[v]);
    for (int k = 0; k < r.size / r.group; k++) {
        for (int v = 0; v < VECTORS; v++) {
            vi_store(code + v * LANES, lattice_codes(r, c->x[v] + r.group * k, 1 / c->scale[v]));
            vi_store(wanted + v * LANES, want[k][v]);
            vi_store(p + v * LANES, c->point[k][v]);
        }
        for (int n = 0; n < CELLS; n++) {
            uint32_t spot = l->spot[code[n]];
            if (wanted[n])
                p[n] = (int32_t)(spot & (LATTICE_ON | LATTICE_ONLY) ? spot :
                                 lattice_settle(l, r.bits, spot, c->row_x[n] + r.group * k,
                                                c->row_w[n] + r.group * k, s[n]));
        }
        for (int v = 0; v < VECTORS; v++)
            c->point[k][v] = vi_load(p + v * LANES);
    }
}

/* Odd numbers 2 * level + 1 of coordinate i. */
static inline vf lattice_odd(vi point, int bits, int i)
{
    vi level = point >> bits * i;
#if LANES == 16
    const vf two = { 1, 3, 5, 7, 1, 3, 5, 7, 1, 3, 5, 7, 1, 3, 5, 7 };
    const vf three = { 1, 3, 5, 7, 9, 11, 13, 15, 1, 3, 5, 7, 9, 11, 13, 15 };
    return (vf)_mm512_permutexvar_ps((__m512i)level, (__m512)(bits == 2 ? two : three));
#elif LANES == 8
    const vf two = { 1, 3, 5, 7, 1, 3, 5, 7 }, three = { 1, 3, 5, 7, 9, 11, 13, 15 };
    return (vf)_mm256_permutevar8x32_ps((__m256)(bits == 2 ? two : three), (__m256i)level);
#else
    level = level & ((1 << bits) - 1);
    return vfloat(level + level + 1);
#endif
}

struct fit { vf qx, q2; };      /* sums of w * x * q and of w * q * q over a cell */

/* Of one vector of cells; the points of group k are at point[k * stride]. */
static inline struct fit lattice_fit(struct lattice_rule r, const struct cells *c, int v, const vi *point, size_t stride)
{
    struct fit f = { { 0 }, { 0 } };

    for (int k = 0; k < r.size / r.group; k++)
        for (int i = 0; i < r.group; i++) {
            vf w = c->w[v][r.group * k + i], q = lattice_odd(point[(size_t)k * stride], r.bits, i);
            f.qx += c->wx[v][r.group * k + i] * q;
            f.q2 += w * q * q;
        }
    return f;
}

/* ---- the search ---- */

#define TRIALS_MAX 32           /* 31, and a multiple of LANES */
#define TRIALS_ROOM (TRIALS_MAX + LANES)

/* The scales tried for each cell and the points they lead to. */
struct trials {
    float scale[CELLS][TRIALS_ROOM];
    vf inverse[TRIALS_MAX][VECTORS];
    vi point[VECTORS][GROUPS_MAX][TRIALS_MAX];
};

static inline void lattice_set_scales(struct lattice_rule r, struct trials *t, const vf largest[VECTORS])
{
    const float top = r.bits == 3 ? 15 : 5;
    float one[CELLS];

    memset(t->scale, 0, sizeof t->scale);
    for (int i = 0; i < 2 * r.steps + 1; i++) {
        for (int v = 0; v < VECTORS; v++) {
            t->inverse[i][v] = (top + (float)(i - r.steps) * r.step) / largest[v];
            vf_store(one + v * LANES, 1 / t->inverse[i][v]);
        }
        for (int n = 0; n < CELLS; n++)
            t->scale[n][i] = one[n];
    }
}

/* Codes of group k for all scales; bit i of start is set where that of scale i is not that of the one before. */
static inline void lattice_trial_codes(struct lattice_rule r, const struct cells *c, const struct trials *t, int k,
                                       int32_t code[TRIALS_MAX][CELLS], int32_t start[CELLS])
{
    for (int v = 0; v < VECTORS; v++) {
        vi last = vi_all(-1), starts = { 0 };
        for (int i = 0; i < 2 * r.steps + 1; i++) {
            vi now = lattice_codes(r, c->x[v] + r.group * k, t->inverse[i][v]);
            starts |= (now != last) & (1 << i);
            last = now;
            vi_store(code[i] + v * LANES, now);
        }
        vi_store(start + v * LANES, starts & ~c->skip[v]);
    }
}

/* Points of one group for all scales, run by run of scales that lead to the same place. code is that of cell n at
 * code[CELLS * i + n]. A run may write more than it has: the next one overwrites that. */
static inline void lattice_settle_trials(struct lattice_rule r, const struct group *g, uint32_t starts,
                                         const int32_t *code, const float *scale, int32_t *point)
{
    while (starts) {
        int first = __builtin_ctz(starts);
        starts &= starts - 1;
        int last = (starts ? __builtin_ctz(starts) : 2 * r.steps + 1) - 1;
        uint32_t spot = g->l->spot[code[CELLS * first]];

        if (!(spot & (LATTICE_ON | LATTICE_ONLY))) {
            lattice_settle_run(r, g, spot, first, last, scale, point);
            continue;
        }
        for (int at = first; at <= last; at += LANES)
            vi_store(point + at, vi_all((int32_t)spot));
    }
}

/* Takes the scale that fits best of those tried, the first of equals, and its points. */
static inline void lattice_choose(struct lattice_rule r, struct cells *c, const struct trials *t)
{
    for (int v = 0; v < VECTORS; v++) {
        vf best = { 0 };
        vi choice = vi_all(-1);

        for (int i = 0; i < 2 * r.steps + 1; i++) {
            struct fit f = lattice_fit(r, c, v, &t->point[v][0][i], TRIALS_MAX);
            vi better = (f.q2 > 0) & (f.qx * f.qx > best * f.q2);
            vf s = f.qx / f.q2;
            c->scale[v] = pick(better, s, c->scale[v]);
            best = pick(better, s * f.qx, best);
            choice = picki(better, vi_all(i), choice);
        }
        for (int n = 0; n < LANES; n++)
            for (int k = 0; k < r.size / r.group && choice[n] >= 0; k++)
                c->point[k][v][n] = t->point[v][k][choice[n]][n];
    }
}

static inline void lattice_try_scales(const struct lattice *l, struct lattice_rule r, struct cells *c,
                                      const vf largest[VECTORS])
{
    struct trials t;
    int32_t code[TRIALS_MAX][CELLS], start[CELLS], point[CELLS][TRIALS_ROOM] = { { 0 } };

    lattice_set_scales(r, &t, largest);
    for (int k = 0; k < r.size / r.group; k++) {
        lattice_trial_codes(r, c, &t, k, code, start);
        for (int n = 0; n < CELLS; n++) {
            struct group g;
            if (!start[n])
                continue;
            lattice_group(&g, l, r, c->row_x[n] + r.group * k, c->row_w[n] + r.group * k);
            lattice_settle_trials(r, &g, (uint32_t)start[n], &code[0][n], t.scale[n], point[n]);
        }
        for (int v = 0; v < VECTORS; v++) {
            vf trial[TRIALS_MAX];       /* bits, moved as floats */
            columns((const float *)point[v * LANES], TRIALS_ROOM, TRIALS_MAX, LANES, trial);
            for (int i = 0; i < TRIALS_MAX; i++)
                t.point[v][k][i] = (vi)trial[i];
        }
    }
    lattice_choose(r, c, &t);
}

/* Chooses points again, now for the scale found: of the groups that were moved off their place or, by the rule, of
 * all. */
static inline void lattice_refine(const struct lattice *l, struct lattice_rule r, struct cells *c)
{
    vi want[GROUPS_MAX][VECTORS], any[VECTORS];

    for (int v = 0; v < VECTORS; v++) {
        vi positive = c->scale[v] > 0;
        any[v] = (vi){ 0 };
        for (int k = 0; k < r.size / r.group; k++) {
            want[k][v] = (r.redo == REDO_ALL ? ~(vi){ 0 } : c->point[k][v] >= 0) & positive & ~c->skip[v];
            any[v] |= want[k][v];
        }
        for (int k = 0; r.redo == REDO_ALL_IF_MOVED && k < r.size / r.group; k++)
            want[k][v] = any[v];
    }
    lattice_settle_cells(l, r, c, want);
    for (int v = 0; v < VECTORS; v++) {
        struct fit f = lattice_fit(r, c, v, &c->point[0][v], VECTORS);
        c->scale[v] = pick(any[v] & (f.q2 > 0), f.qx / f.q2, c->scale[v]);
    }
}

/* A negative scale turns all signs of its cell. One that is no number, which only importances beyond all reason
 * bring about (ggml ends the program there), becomes 0. */
static inline void lattice_turn_negative(struct lattice_rule r, struct cells *c)
{
    for (int v = 0; v < VECTORS; v++) {
        vi negative = c->scale[v] < 0;
        c->scale[v] = pick(~c->skip[v] & (c->scale[v] == c->scale[v]), vabs(c->scale[v]), (vf){ 0 });
        for (int k = 0; k < r.size / 8; k++)
            c->sign[k][v] ^= negative & (r.even_signs ? 127 : 255);
    }
}

/* ---- filling cells ---- */

/* x becomes magnitudes, sign[k] the minus signs of 8 weights. */
static inline void lattice_split_signs(struct lattice_rule r, struct cells *c, int v)
{
    for (int k = 0; k < r.size / 8; k++) {
        vi sign = { 0 };
        for (int i = 0; i < 8; i++) {
            vf *x = &c->x[v][8 * k + i];
            sign |= (*x < 0) & (1 << i);
            *x = vabs(*x);
        }
        c->sign[k][v] = sign;
    }
}

/* Where the number of minus signs is odd, the weight that matters least (the first of them) gets the wrong sign. */
static inline void lattice_make_even(struct lattice_rule r, struct cells *c, int v)
{
    for (int k = 0; k < r.size / 8; k++) {
        const vf *w = c->w[v] + 8 * k;
        vf *x = c->x[v] + 8 * k, least = w[0] * x[0] * x[0];
        vi sign = c->sign[k][v], odd = sign ^ sign >> 4, at = { 0 };

        odd ^= odd >> 2;
        odd = -((odd ^ odd >> 1) & 1);
        for (int i = 1; i < 8; i++) {
            vf cost = w[i] * x[i] * x[i];
            vi less = cost < least;
            least = pick(less, cost, least);
            at = picki(less, vi_all(i), at);
        }
        for (int i = 0; i < 8; i++) {
            vi turn = odd & (at == i);
            x[i] = (vf)((vi)x[i] ^ (turn & INT32_MIN));
            sign ^= turn & (1 << i);
        }
        for (int n = 0; n < LANES; n++)
            if (odd[n])
                c->row_x[v * LANES + n][8 * k + at[n]] *= -1;
        c->sign[k][v] = sign & 127;
    }
}

/* Reads `live` cells from x on, signs and all; row_w holds their importance already. */
static inline void lattice_read_cells(struct lattice_rule r, struct cells *c, const float *x, int live)
{
    for (int n = 0; n < live; n++)
        memcpy(c->row_x[n], x + n * r.size, (size_t)r.size * sizeof *x);
    for (int n = live; n < CELLS; n++) {
        memset(c->row_x[n], 0, sizeof c->row_x[n]);
        memset(c->row_w[n], 0, sizeof c->row_w[n]);
    }
    for (int v = 0; v < VECTORS; v++) {
        columns(c->row_x[v * LANES], CELL_MAX, r.size, LANES, c->x[v]);
        columns(c->row_w[v * LANES], CELL_MAX, r.size, LANES, c->w[v]);
        c->max[v] = (vf){ 0 };
        for (int k = 0; k < r.size / r.group; k++)
            c->point[k][v] = vi_all(r.redo == REDO_MOVED ? INT32_MIN : 0);
    }
}

/* Weights become magnitudes and signs, the rows of importance their square roots. */
static inline void lattice_take_signs(struct lattice_rule r, struct cells *c)
{
    for (int n = 0; n < CELLS; n++)
        for (int i = 0; i < r.size; i++) {
            c->row_x[n][i] = fabsf(c->row_x[n][i]);
            c->row_w[n][i] = sqrtf(c->row_w[n][i]);
        }
    for (int v = 0; v < VECTORS; v++) {
        lattice_split_signs(r, c, v);
        if (r.even_signs)
            lattice_make_even(r, c, v);
        for (int i = 0; i < r.size; i++) {
            c->max[v] = vmax(c->max[v], c->x[v][i]);
            c->wx[v][i] = c->w[v][i] * c->x[v][i];
        }
        c->skip[v] = c->max[v] < r.zero_below;
    }
}

/* ---- super-blocks ---- */

#define SUPERS 8                /* super-blocks whose sums are taken together, to hide the latency of adding */

/* Sums of the squares of n super-blocks, each in order. */
static inline void lattice_square_sums(const float *x, int n, float sum[SUPERS])
{
    for (int b = 0; b < SUPERS; b++)
        sum[b] = 0;
    for (int i = 0; n == SUPERS && i < SUPER; i++)
        for (int b = 0; b < SUPERS; b++)
            sum[b] += x[SUPER * b + i] * x[SUPER * b + i];
    for (int b = 0; n < SUPERS && b < n; b++)
        for (int i = 0; i < SUPER; i++)
            sum[b] += x[SUPER * b + i] * x[SUPER * b + i];
}

/* Importance of the weights of one super-block, to rows[0] and on. */
static inline void lattice_importance(struct lattice_rule r, const float *x, const float *weight, float square_sum,
                                      float (*rows)[CELL_MAX])
{
    float sigma2 = r.sigma * square_sum / SUPER;

    for (int n = 0; n < SUPER / r.size; n++, x += r.size)
        if (weight) {
            for (int i = 0; i < r.size; i++)
                rows[n][i] = weight[r.size * n + i] * sqrtf(sigma2 + x[i] * x[i]);
        } else if (r.flat > 0) {
            for (int i = 0; i < r.size; i++)
                rows[n][i] = r.flat * sigma2 + x[i] * x[i];
        } else {
            for (int i = 0; i < r.size; i++)
                rows[n][i] = x[i] * x[i];
        }
}

/* Encodes rows whose super-blocks are nbytes long: fills cells, has `search` find scale, point and sign of each, and
 * `pack` write every super-block, whose cells are those from `first` on. */
static inline void lattice_encode(struct lattice_rule r, const struct lattice *l, const float *in, const float *weight,
                                  uint8_t *out, size_t nrows, size_t row_blocks, size_t nbytes,
                                  void (*search)(const struct lattice *, struct cells *),
                                  void (*pack)(const struct lattice *, const struct cells *, int first, void *out))
{
    const size_t total = nrows * row_blocks, together = (size_t)(CELLS * r.size / SUPER);
    struct cells c;
    float sum[SUPERS];

    for (size_t n = 0; n < total; n += together) {
        size_t left = total - n, here = left < together ? left : together;

        if (n % SUPERS == 0)
            lattice_square_sums(in + SUPER * n, left < SUPERS ? (int)left : SUPERS, sum);
        for (size_t b = n; b < n + here; b++)
            lattice_importance(r, in + SUPER * b, weight ? weight + b % row_blocks * SUPER : NULL, sum[b % SUPERS],
                               c.row_w + (b - n) * (size_t)(SUPER / r.size));
        lattice_read_cells(r, &c, in + SUPER * n, (int)here * SUPER / r.size);
        search(l, &c);
        lattice_turn_negative(r, &c);
        for (size_t b = n; b < n + here; b++)
            pack(l, &c, (int)(b - n) * (SUPER / r.size), out + b * nbytes);
    }
}

/* What pack works on: lane n of the vectors of a cell, and what follows from all scales of a super-block. */
static inline uint32_t lattice_number(const struct lattice *l, int bits, const struct cells *c, int k, int n)
{
    return l->number[lattice_code(bits, (uint32_t)c->point[k][n / LANES][n % LANES] & 0xffff)];
}

static inline uint32_t lattice_signs(const struct cells *c, int k, int n)
{
    return (uint32_t)c->sign[k][n / LANES][n % LANES];
}

static inline bool lattice_skipped(const struct cells *c, int n)
{
    return c->skip[n / LANES][n % LANES];
}

/* Rounds the scales of `cells` cells from `first` on to 0..top and returns the largest. Their unit is the largest over
 * `odd`; a scale stored as s is worth 2 * s + 1 units. */
static inline float lattice_scales(const struct cells *c, int first, int cells, float odd, int top, uint8_t *scale)
{
    float largest = 0, s[CELLS];

    for (int v = 0; v < VECTORS; v++)
        vf_store(s + v * LANES, c->scale[v]);
    for (int n = 0; n < cells; n++)
        largest = largest > s[first + n] ? largest : s[first + n];
    float inverse = 1 / (largest / odd);
    for (int n = 0; n < cells; n++) {
        float shifted = inverse * s[first + n] - 1 + 25165824.0f;
        int32_t bits;
        memcpy(&bits, &shifted, sizeof bits);
        bits = (bits & 0x007fffff) - 0x00400000;
        scale[n] = (uint8_t)(bits < 0 ? 0 : bits > top ? top : bits);
    }
    return largest;
}

#endif
