/* lattice_search.h - finding scales and points for the iq2 and iq3 encodings; lanes are cells.
 *
 * For each of a range of scales, every group of 8 or 4 weights of a cell (lattice_cells.h) is rounded to a place of the
 * lattice and from there moved to the best point of the codebook (lattice_nearest.h); the scale whose points fit best
 * stays. What belongs to all weights of a cell in order (rounding, sums, choice of the scale) has a cell in each lane. */
#ifndef BANTAM_LATTICE_SEARCH_H
#define BANTAM_LATTICE_SEARCH_H

#include "quant/lattice_cells.h"
#include "quant/lattice_nearest.h"

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

#endif
