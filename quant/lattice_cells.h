/* lattice_cells.h - the weights that an iq1, iq2 or iq3 encoder works on, and what becomes of them; lanes are cells.
 *
 * A cell is the 16 or 32 weights that share a scale. CELLS cells are searched together: read and given their importance
 * here, given a scale, points and signs by the search of an encoding (lattice_search.h, ternary_search.h), and taken
 * again from here by what packs blocks. Sums run in the order of ggml's quantize_row_iq*_impl, so the bytes are ggml's. */
#ifndef BANTAM_LATTICE_CELLS_H
#define BANTAM_LATTICE_CELLS_H

#include "quant/half.h"
#include "quant/lattice.h"
#include "quant/turn.h"

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

/* ---- what the search has found ---- */

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
