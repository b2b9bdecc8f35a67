/* ternary_search.h - what iq1_s and iq1_m share: levels -1, 0, 1, all moved up or down by an eighth.
 *
 * With three levels the best split of a cell's weights can be found for sure: sorted, the low ones get -1, the high
 * ones 1, and all pairs of borders are tried. Lanes are cells (lattice_cells.h); sums run in the order of ggml's
 * quantize_row_iq1_*_impl. */
#ifndef BANTAM_TERNARY_SEARCH_H
#define BANTAM_TERNARY_SEARCH_H

#include "quant/lattice_cells.h"
#include "quant/lattice_nearest.h"

#define TERNARY_SHIFT 0.125f

/* The weights of LANES cells in ascending order, those that are equal in the order of their places. */
struct sorted {
    vf x[CELL_MAX], w[CELL_MAX];
    vi place[CELL_MAX];
};

/* The best split of LANES cells: levels 0 before `low`, 1 before `high`, 2 after; low < 0: none is of any use.
 *
 * A split is better than one before if qx^2 > best * q2, in float, with best = (qx / q2) * qx of that one. Most splits
 * that are better than all before are worse than the best of all by far, yet each costs a division. So the search
 * starts from a floor a little below the score of some good split. What is not above the floor cannot decide: the
 * search without a floor would hold, by the first split above it, a best at most 2^-21 above the floor, for the float
 * score of a split that fails the test exceeds the floor by no more. If that first split is above the floor by 2^-18
 * both searches take it and go on alike; else the cell is in doubt and searched without a floor. */
struct split {
    vf scale, best, floor;
    vi low, high, shift;            /* shift: which of the encoding's combinations of shifts */
    vi doubt;
};

static inline void ternary_order(struct sorted *s, int i, int j)
{
    vf x = s->x[i], w = s->w[i];
    vi place = s->place[i];
    vi swap = (s->x[j] < x) | ((s->x[j] == x) & (s->place[j] < place));

    s->x[i] = pick(swap, s->x[j], x);
    s->x[j] = pick(swap, x, s->x[j]);
    s->w[i] = pick(swap, s->w[j], w);
    s->w[j] = pick(swap, w, s->w[j]);
    s->place[i] = picki(swap, s->place[j], place);
    s->place[j] = picki(swap, place, s->place[j]);
}

/* Batcher's odd-even merge sort of n weights, a power of two. */
static inline void ternary_sort(struct sorted *s, int n, const vf *x, const vf *w)
{
    for (int i = 0; i < n; i++) {
        s->x[i] = x[i];
        s->w[i] = w[i];
        s->place[i] = vi_all(i);
    }
    for (int p = 1; p < n; p *= 2)
        for (int k = p; k >= 1; k /= 2)
            for (int j = k % p; j + k < n; j += 2 * k)
                for (int i = j; i < j + k && i + k < n; i++)
                    if (i / (2 * p) == (i + k) / (2 * p))
                        ternary_order(s, i, i + k);
}

/* Where the sums qx of w * x * q and q2 of w * q * q of a split beat the best so far, takes it. */
static inline void ternary_keep(struct split *b, vf qx, vf q2, int low, int high, int shift)
{
    vi better = (q2 > 0) & (qx * qx > b->best * q2);
    vf scale = qx / q2;

    b->doubt |= better & (b->best == b->floor) & ~(qx * qx > b->floor * (1 + 0x1p-18f) * q2);
    b->scale = pick(better, scale, b->scale);
    b->best = pick(better, scale * qx, b->best);
    b->low = picki(better, vi_all(low), b->low);
    b->high = picki(better, vi_all(high), b->high);
    b->shift = picki(better, vi_all(shift), b->shift);
}

static inline struct split ternary_no_split(vf max, vf floor)
{
    return (struct split){ .scale = max, .best = floor, .floor = floor, .low = vi_all(-1), .high = vi_all(-1) };
}

/* The larger of a score so far, at first 0, and that of a split. */
static inline vf ternary_score(vf score, vf qx, vf q2)
{
    vf other = qx * qx / q2;
    return pick(other > score, other, score);
}

/* None where a square or a score could leave the range of normal floats, for then rounding is beyond all bounds. */
static inline vf ternary_floor(vf score, const struct sorted *s, int size)
{
    vf sum_w = { 0 }, sum_wx = { 0 };

    for (int i = 0; i < size; i++) {
        sum_w += s->w[i];
        sum_wx += vabs(s->w[i] * s->x[i]);
    }
    vi safe = (score > 1e-34f) & (score < 1e30f) & (sum_w > 1e-34f) & (sum_w < 1e30f) & (score * sum_w > 1e-34f) &
              (sum_wx * sum_wx < 1e37f);
    return pick(safe, score * (1 - 0x1p-12f), vf_all(-FLT_MAX));
}

/* Did the floor get in the way? Then the search has to be done again without one. */
static inline bool ternary_in_doubt(const struct split *b)
{
    return vany(b->doubt | ((b->low < 0) & (b->floor > -FLT_MAX)));
}

/* Sets scale, point (to places of the lattice, not yet of the codebook) and skip from a split; shift becomes `mirror`
 * of itself where the scale is negative, which is made positive by turning the levels around. */
static inline void ternary_take_split(struct cells *c, int v, int size, const struct sorted *s, struct split *b,
                                      int mirror)
{
    vi word[2] = { { 0 }, { 0 } }, negative = b->scale < 0;

    for (int j = 0; j < size; j++) {
        vi level = -((b->low <= j) + (b->high <= j));   /* true is -1; none below 0, for low <= high */
        level = level << 2 * (s->place[j] & 15);
        word[0] |= (s->place[j] < 16) & level;
        word[1] |= (s->place[j] >= 16) & level;
    }
    for (int k = 0; k < size / 8; k++) {
        vi place = word[k / 2] >> 16 * (k % 2) & 0xffff;
        c->point[k][v] = picki(negative, 0xaaaa - place, place);
    }
    b->shift = picki(negative, mirror - b->shift, b->shift);
    c->scale[v] = vabs(b->scale);
    c->skip[v] |= b->low < 0;
}

/* The point of the whole codebook that costs least, should no candidate have a finite cost. */
static inline uint32_t ternary_nearest_of_all(const struct lattice *l, const float *x, const float *w,
                                              eight value)
{
    float least = FLT_MAX;
    uint32_t best = l->point[0];

    for (int j = 0; j < l->npoints; j++) {
        float sum = 0;
        for (int i = 0; i < 8; i++) {
            float off = value[l->point[j] >> 2 * i & 3] - x[i];
            sum += w[i] * off * off;
        }
        if (sum < least) {
            least = sum;
            best = l->point[j];
        }
    }
    return best;
}

/* Moves the groups' places to points of the codebook; shift[k] is that of group k. The points' flags are gone; the
 * result tells which cells had a group off the codebook. */
static inline void ternary_settle(const struct lattice *l, struct cells *c, int size, vf shift[CELL_MAX / 8][VECTORS],
                                  vi moved[VECTORS])
{
    float scale[CELLS], moved_up[CELLS];
    int32_t skip[CELLS], place[CELLS], any[CELLS] = { 0 };

    for (int v = 0; v < VECTORS; v++) {
        vf_store(scale + v * LANES, c->scale[v]);
        vi_store(skip + v * LANES, c->skip[v]);
    }
    for (int k = 0; k < size / 8; k++) {
        for (int v = 0; v < VECTORS; v++) {
            vi_store(place + v * LANES, c->point[k][v]);
            vf_store(moved_up + v * LANES, shift[k][v]);
        }
        for (int n = 0; n < CELLS; n++) {
            uint32_t spot = l->spot[lattice_code(2, (uint32_t)place[n])];
            if (skip[n] || spot & LATTICE_ON)
                continue;
            const float low = scale[n] * (-1 + moved_up[n]), mid = scale[n] * moved_up[n],
                        high = scale[n] * (1 + moved_up[n]);
            const eight value = { low, mid, high, high, low, mid, high, high };
            const float *x = c->row_x[n] + 8 * k, *w = c->row_w[n] + 8 * k;
            uint32_t point = lattice_nearest(l, spot, x, w, value);
            place[n] = (int32_t)(point == LATTICE_NONE ? ternary_nearest_of_all(l, x, w, value) : point);
            any[n] = -1;
        }
        for (int v = 0; v < VECTORS; v++)
            c->point[k][v] = vi_load(place + v * LANES);
    }
    for (int v = 0; v < VECTORS; v++)
        moved[v] = vi_load(any + v * LANES);
}

/* The scale that fits the points best, for the cells in `moved`. */
static inline void ternary_refit(struct cells *c, int size, vf shift[CELL_MAX / 8][VECTORS], const vi moved[VECTORS])
{
    for (int v = 0; v < VECTORS; v++) {
        vf qx = { 0 }, q2 = { 0 };

        for (int i = 0; i < size; i++) {
            vf wq, q = lattice_odd(c->point[i / 8][v], 2, i % 8) * 0.5f - 1.5f + shift[i / 8][v];
            wq = c->w[v][i] * q;
            qx += wq * c->x[v][i];
            q2 += wq * q;
        }
        c->scale[v] = pick(moved[v] & (qx > 0) & (q2 > 0), qx / q2, c->scale[v]);
    }
}

#endif
