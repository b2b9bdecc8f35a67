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
    bool even_signs;            /* only 7 of 8 signs are stored: turn the least important sign where their number is odd */
    enum { REDO_MOVED, REDO_ALL_IF_MOVED, REDO_ALL } redo;      /* groups chosen again for the final scale */
    float sigma;                /* importance is matrix * sqrt(sigma * mean square of the super-block + x^2) */
    float flat;                 /* or, without a matrix, flat * sigma * mean square + x^2 */
};

/* CELLS cells, by cell and by weight. */
struct cells {
    float row_x[CELLS][CELL_MAX];               /* magnitudes; where a sign was turned, negative */
    float row_w[CELLS][CELL_MAX];               /* importance, later its square root */
    vf x[VECTORS][CELL_MAX], w[VECTORS][CELL_MAX];      /* lanes are cells */
    vf max[VECTORS], scale[VECTORS];
    vi skip[VECTORS];                           /* all zeros: nothing to search, nothing written */
    vi point[GROUPS_MAX][VECTORS];              /* with the flags of lattice.spot */
    vi sign[CELL_MAX / 8][VECTORS];
};

/* ---- the best candidate of a place ---- */

#define LATTICE_NONE 0xffffffffu        /* no candidate costs less than FLT_MAX: only with weights above about 1e15 */

#ifdef __AVX2__
/* cost[v] holds those of eight candidates each, `least` the smallest of each lane. The first of the smallest. */
static inline uint32_t lattice_cheapest(const uint16_t *list, const __m256 *cost, int n, __m256 least)
{
    least = _mm256_min_ps(least, _mm256_permute2f128_ps(least, least, 1));
    least = _mm256_min_ps(least, _mm256_shuffle_ps(least, least, 0x4e));
    least = _mm256_min_ps(least, _mm256_shuffle_ps(least, least, 0xb1));
    if (_mm256_cvtss_f32(least) < FLT_MAX)
        for (int v = 0; v < n; v++) {
            int equal = _mm256_movemask_ps(_mm256_cmp_ps(cost[v], least, _CMP_EQ_OQ));
            if (equal)
                return list[8 * v + __builtin_ctz((unsigned)equal)];
        }
    return LATTICE_NONE;
}

static inline __m256 lattice_cost(__m256 value, __m256 x, __m256 w)
{
    __m256 off = value - x;
    return w * off * off;
}

/* Levels are worth value[0..2]; x and w are the group's 8 weights and their importance. */
static inline uint32_t lattice_nearest8(const struct lattice *l, uint32_t spot, const float *x, const float *w,
                                        const float value[3])
{
    const uint16_t *list = l->near + 8 * (spot >> 8);
    int n = (int)(spot & 255);
    __m256 vx = _mm256_loadu_ps(x), vw = _mm256_loadu_ps(w), least = _mm256_set1_ps(FLT_MAX);
    __m256 cost[LATTICE_NEAR_MAX / 8], table[8];
    __m256 c0 = lattice_cost(_mm256_set1_ps(value[0]), vx, vw), c1 = lattice_cost(_mm256_set1_ps(value[1]), vx, vw);
    __m256 c2 = lattice_cost(_mm256_set1_ps(value[2]), vx, vw);
    __m256 c01 = _mm256_unpacklo_ps(c0, c1), c22 = _mm256_unpacklo_ps(c2, c2);
    __m256 d01 = _mm256_unpackhi_ps(c0, c1), d22 = _mm256_unpackhi_ps(c2, c2);
    __m256 pair[4] = { _mm256_shuffle_ps(c01, c22, 0x44), _mm256_shuffle_ps(c01, c22, 0xee),
                       _mm256_shuffle_ps(d01, d22, 0x44), _mm256_shuffle_ps(d01, d22, 0xee) };

    for (int i = 0; i < 4; i++) {       /* the costs of weight i's levels, in both halves */
        table[i] = _mm256_permute2f128_ps(pair[i], pair[i], 0x00);
        table[i + 4] = _mm256_permute2f128_ps(pair[i], pair[i], 0x11);
    }
    for (int v = 0; v < n; v++) {
        __m256i point = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(list + 8 * v)));
        __m256 sum = _mm256_permutevar_ps(table[0], point);
        for (int i = 1; i < 8; i++)
            sum += _mm256_permutevar_ps(table[i], _mm256_srli_epi32(point, 2 * i));
        cost[v] = sum;
        least = _mm256_min_ps(sum, least);
    }
    return lattice_cheapest(list, cost, n, least);
}

/* The same for 4 weights and 8 levels: level i is worth (2i + 1) * scale. */
static inline uint32_t lattice_nearest4(const struct lattice *l, uint32_t spot, const float *x, const float *w,
                                        float scale)
{
    const uint16_t *list = l->near + 8 * (spot >> 8);
    int n = (int)(spot & 255);
    __m256 value = _mm256_set1_ps(scale) * _mm256_setr_ps(1, 3, 5, 7, 9, 11, 13, 15);
    __m256 cost[LATTICE_NEAR_MAX / 8], table[4], least = _mm256_set1_ps(FLT_MAX);

    for (int i = 0; i < 4; i++)
        table[i] = lattice_cost(value, _mm256_set1_ps(x[i]), _mm256_set1_ps(w[i]));
    for (int v = 0; v < n; v++) {
        __m256i point = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(list + 8 * v)));
        __m256 sum = _mm256_permutevar8x32_ps(table[0], point);
        for (int i = 1; i < 4; i++)
            sum += _mm256_permutevar8x32_ps(table[i], _mm256_srli_epi32(point, 3 * i));
        cost[v] = sum;
        least = _mm256_min_ps(sum, least);
    }
    return lattice_cheapest(list, cost, n, least);
}
#else
static inline uint32_t lattice_nearest(const struct lattice *l, uint32_t spot, int dims, int bits,
                                       const float table[8][8])
{
    const uint16_t *list = l->near + 8 * (spot >> 8);
    int n = 8 * (int)(spot & 255);
    uint32_t best = LATTICE_NONE;
    float least = FLT_MAX;

    for (int j = 0; j < n; j++) {
        float sum = 0;
        for (int i = 0; i < dims; i++)
            sum += table[i][list[j] >> bits * i & ((1 << bits) - 1)];
        if (sum < least) {
            least = sum;
            best = list[j];
        }
    }
    return best;
}

static inline uint32_t lattice_nearest8(const struct lattice *l, uint32_t spot, const float *x, const float *w,
                                        const float value[3])
{
    float table[8][8];

    for (int i = 0; i < 8; i++)
        for (int q = 0; q < 3; q++)
            table[i][q] = w[i] * (value[q] - x[i]) * (value[q] - x[i]);
    return lattice_nearest(l, spot, 8, 2, table);
}

static inline uint32_t lattice_nearest4(const struct lattice *l, uint32_t spot, const float *x, const float *w,
                                        float scale)
{
    float table[8][8];

    for (int i = 0; i < 4; i++)
        for (int q = 0; q < 8; q++) {
            float off = scale * (float)(2 * q + 1) - x[i];
            table[i][q] = w[i] * off * off;
        }
    return lattice_nearest(l, spot, 4, 3, table);
}
#endif

/* The point for a place. Where none has a finite cost ggml ends the program; here it is the first candidate. */
static inline uint32_t lattice_settle(const struct lattice *l, struct lattice_rule r, uint32_t code, const float *x,
                                      const float *w, float scale)
{
    uint32_t spot = l->spot[code];

    if (spot & (LATTICE_ON | LATTICE_ONLY))
        return spot;
    uint32_t point = r.bits == 3 ? lattice_nearest4(l, spot, x, w, scale) :
                     lattice_nearest8(l, spot, x, w, (const float[3]){ scale, scale * 3, scale * 5 });
    return point == LATTICE_NONE ? l->near[8 * (spot >> 8)] : point;
}

/* ---- one scale for each cell ---- */

/* The codes of a group's places when weights are multiplied by inverse: level = (inverse * x - 1) / 2, rounded to
 * even, kept among the levels. Adding 1.5 * 2^24 to twice the level leaves it in the low mantissa bits, as ggml's
 * nearest_int does with 1.5 * 2^23, whatever comes of numbers that are too large. */
static inline vi lattice_codes(struct lattice_rule r, const vf *x, vf inverse)
{
    const int top = r.bits == 3 ? 7 : 2;
    vi code = { 0 };

    for (int i = r.group - 1; i >= 0; i--) {
        vf shifted = inverse * x[i] - 1 + 25165824.0f;
        vi level = vimin(vimax((vi)shifted & 0x007fffff, vi_all(0x00400000)), vi_all(0x00400000 + top));
        code = (r.bits == 3 ? code << 3 : code + code + code) + (level - 0x00400000);
    }
    return code;
}

/* Settles the groups of the cells in `want` for their scales; the others keep what is in point. */
static inline void lattice_settle_cells(const struct lattice *l, struct lattice_rule r, const struct cells *c,
                                        vi want[GROUPS_MAX][VECTORS], const vf inverse[VECTORS],
                                        const vf scale[VECTORS], vi point[GROUPS_MAX][VECTORS])
{
    float s[CELLS];
    int32_t code[CELLS], wanted[CELLS], p[CELLS];

    for (int v = 0; v < VECTORS; v++)
        vf_store(s + v * LANES, scale[v]);
    for (int k = 0; k < r.size / r.group; k++) {
        for (int v = 0; v < VECTORS; v++) {
            vi_store(code + v * LANES, lattice_codes(r, c->x[v] + r.group * k, inverse[v]));
            vi_store(wanted + v * LANES, want[k][v]);
            vi_store(p + v * LANES, point[k][v]);
        }
        for (int n = 0; n < CELLS; n++)
            if (wanted[n])
                p[n] = (int32_t)lattice_settle(l, r, (uint32_t)code[n], c->row_x[n] + r.group * k,
                                               c->row_w[n] + r.group * k, s[n]);
        for (int v = 0; v < VECTORS; v++)
            point[k][v] = vi_load(p + v * LANES);
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

static inline struct fit lattice_fit(struct lattice_rule r, const struct cells *c, int v,
                                     vi point[GROUPS_MAX][VECTORS])
{
    struct fit f = { { 0 }, { 0 } };

    for (int k = 0; k < r.size / r.group; k++)
        for (int i = 0; i < r.group; i++) {
            vf w = c->w[v][r.group * k + i], q = lattice_odd(point[k][v], r.bits, i);
            f.qx += w * c->x[v][r.group * k + i] * q;
            f.q2 += w * q * q;
        }
    return f;
}

/* ---- the search ---- */

static inline void lattice_try_scales(const struct lattice *l, struct lattice_rule r, struct cells *c,
                                      const vf largest[VECTORS])
{
    const float top = r.bits == 3 ? 15 : 5;
    vi point[GROUPS_MAX][VECTORS], want[GROUPS_MAX][VECTORS];
    vf inverse[VECTORS], scale[VECTORS], best[VECTORS];

    for (int v = 0; v < VECTORS; v++) {
        best[v] = (vf){ 0 };
        for (int k = 0; k < r.size / r.group; k++) {
            want[k][v] = ~c->skip[v];
            point[k][v] = (vi){ 0 };
        }
    }
    for (int is = -r.steps; is <= r.steps; is++) {
        for (int v = 0; v < VECTORS; v++) {
            inverse[v] = (top + (float)is * r.step) / largest[v];
            scale[v] = 1 / inverse[v];
        }
        lattice_settle_cells(l, r, c, want, inverse, scale, point);
        for (int v = 0; v < VECTORS; v++) {
            struct fit f = lattice_fit(r, c, v, point);
            vi better = (f.q2 > 0) & (f.qx * f.qx > best[v] * f.q2);
            vf s = f.qx / f.q2;
            c->scale[v] = pick(better, s, c->scale[v]);
            best[v] = pick(better, s * f.qx, best[v]);
            for (int k = 0; k < r.size / r.group; k++)
                c->point[k][v] = picki(better, point[k][v], c->point[k][v]);
        }
    }
}

/* Chooses points again, now for the scale found: of the groups that were moved off their place or, by the rule, of
 * all. */
static inline void lattice_refine(const struct lattice *l, struct lattice_rule r, struct cells *c)
{
    vi want[GROUPS_MAX][VECTORS], any[VECTORS];
    vf inverse[VECTORS];

    for (int v = 0; v < VECTORS; v++) {
        vi positive = c->scale[v] > 0;
        any[v] = (vi){ 0 };
        for (int k = 0; k < r.size / r.group; k++) {
            want[k][v] = (r.redo == REDO_ALL ? ~(vi){ 0 } : c->point[k][v] >= 0) & positive & ~c->skip[v];
            any[v] |= want[k][v];
        }
        for (int k = 0; r.redo == REDO_ALL_IF_MOVED && k < r.size / r.group; k++)
            want[k][v] = any[v];
        inverse[v] = 1 / c->scale[v];
    }
    lattice_settle_cells(l, r, c, want, inverse, c->scale, c->point);
    for (int v = 0; v < VECTORS; v++) {
        struct fit f = lattice_fit(r, c, v, c->point);
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
        for (int i = 0; i < r.size; i++)
            c->max[v] = vmax(c->max[v], c->x[v][i]);
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
