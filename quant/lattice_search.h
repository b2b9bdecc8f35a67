/* lattice_search.h - finding scales and points for the iq2 and iq3 encodings; lanes are cells.
 *
 * For each of a range of scales, every group of 8 or 4 weights of a cell (lattice_cells.h) is rounded to a place of the
 * lattice and from there moved to the best point of the codebook (lattice_questions.h); the scale whose points fit best
 * stays. What belongs to all weights of a cell in order (rounding, sums, choice of the scale) has a cell in each lane. */
#ifndef BANTAM_LATTICE_SEARCH_H
#define BANTAM_LATTICE_SEARCH_H

#include "quant/lattice_cells.h"
#include "quant/lattice_questions.h"

/* ---- one scale for each cell ---- */

/* A group's places when weights are multiplied by inverse: level = (inverse * x - 1) / 2, rounded to even, kept among the
 * levels, as digits of a number to this base, which is that of codes or a power of 2 for points. Adding 1.5 * 2^24 to twice
 * the level leaves it in the low mantissa bits, as ggml's nearest_int does with 1.5 * 2^23, whatever comes of numbers that
 * are too large. */
static inline vi lattice_places(struct lattice_rule r, const vf *x, vf inverse, uint32_t base)
{
    const int top = r.bits == 3 ? 7 : 2;
    const uint32_t zero = 0x00400000;
    uint32_t zeros = 0;                 /* the number when all levels are 0 */
    vu place = { 0 };

    for (int i = r.group - 1; i >= 0; i--) {
        vf shifted = inverse * x[i] - 1 + 25165824.0f;
        vi level = vimin(vimax((vi)shifted & 0x007fffff, vi_all((int32_t)zero)), vi_all((int32_t)zero + top));
        place = (base == 3 ? place + place + place : base == 4 ? place << 2 : place << 3) + (vu)level;
        zeros = zeros * base + zero;
    }
    return (vi)(place - zeros);
}

static inline vi lattice_codes(struct lattice_rule r, const vf *x, vf inverse)
{
    return lattice_places(r, x, inverse, r.bits == 3 ? 8 : 3);
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

#define TRIALS_ROOM (2 * TRIALS_MAX)    /* a run of points is stored as TRIALS_MAX of them, wherever it begins */

/* The scales tried for each cell and the points they lead to. */
struct trials {
    float largest[CELLS];
    vf inverse[TRIALS_MAX][VECTORS];
    uint16_t point[CELLS * GROUPS_MAX][TRIALS_ROOM];    /* [question_row()] */
    uint32_t nasked, nexact;
    uint32_t spot[QUESTIONS_MAX + CELLS], at[QUESTIONS_MAX + CELLS];    /* by groups, then by first trials */
    uint32_t answer[QUESTIONS_MAX + CELLS];             /* [ the last point, 16 | the first, 16 ] */
    uint8_t turn[QUESTIONS_MAX + CELLS];
    uint16_t number[QUESTIONS_MAX + LANES];
    struct bins bins;
    uint32_t exact_spot[QUESTIONS_MAX], exact_at[QUESTIONS_MAX];        /* first and last trial are the same */
};

static inline void lattice_set_scales(struct lattice_rule r, struct trials *t, const vf largest[VECTORS])
{
    for (int v = 0; v < VECTORS; v++) {
        vf_store(t->largest + v * LANES, largest[v]);
        for (int i = 0; i < 2 * r.steps + 1; i++)
            t->inverse[i][v] = trial_inverse(r, vi_all(i), largest[v]);
    }
}

/* Finds the runs of trials that lead group k of a vector of cells to one place. Their `at`, without the last trial, are
 * stored at to, in order of the first trial; returns how many they are. Bit i of start is set where trial i begins one. */
static inline int lattice_runs(struct lattice_rule r, const struct cells *c, const struct trials *t, int v, int k,
                               uint32_t *to, vi *start)
{
    vi before = vi_all(-1), starts = { 0 }, fixed = (vlane() + v * LANES) | (r.group * k) << 4;
    int n = 0;

    for (int i = 0; i < 2 * r.steps + 1; i++) {
        vi code = lattice_codes(r, c->x[v] + r.group * k, t->inverse[i][v]), new = (code != before) & ~c->skip[v];
        starts |= new & (1 << i);
        before = code;
        n += vstore_where((int32_t *)to + n, new, code << QUESTION_CODE | (fixed | i << QUESTION_FIRST));
    }
    *start = starts;
    return n;
}

/* The lowest bit that is set; x is not 0. */
static inline vi lattice_lowest_bit(vi x)
{
    return ((vi)vfloat(x & (vi)-(vu)x) >> 23 & 255) - 127;
}

/* Asks about group k of all cells. What is on the codebook, or has but one candidate, answers itself. */
static inline void lattice_ask(const struct lattice *l, struct lattice_rule r, const struct cells *c, struct trials *t, int k)
{
    for (int v = 0; v < VECTORS; v++) {
        float start[16] = { 0 };        /* bits */
        vi starts;
        uint32_t *at = t->at + t->nasked;
        int n = lattice_runs(r, c, t, v, k, at, &starts);

        vf_store(start, (vf)starts);
        for (int i = 0; i < n; i += LANES) {
            vi here = vi_load((int32_t *)at + i), later = (vi)vlookup(start, here & (LANES - 1)) | (int)(2u << 2 * r.steps);
            later &= vi_all(-2) << (here >> QUESTION_FIRST & 31);
            here |= (lattice_lowest_bit(later) - 1) << QUESTION_LAST;
            vi_store((int32_t *)at + i, here);
        }
        for (int i = 0; i < n; i++) {
            uint32_t spot = l->few[at[i] >> QUESTION_CODE], number = t->nasked + (uint32_t)i;
            t->spot[number] = spot;
            t->answer[number] = spot & 0xffff;
            t->turn[number] = TURN_NEVER;
            bins_add(&t->bins, r, spot, number);
        }
        t->nasked += (uint32_t)n;
    }
}

/* Trial by trial, what could not be answered for all of them. */
static inline void lattice_ask_again(struct trials *t, uint32_t number, uint32_t first, uint32_t end)
{
    for (uint32_t i = first; i < end; i++) {
        t->exact_spot[t->nexact] = t->spot[number];
        t->exact_at[t->nexact++] = (t->at[number] & QUESTION_GROUP) | i << QUESTION_FIRST | i << QUESTION_LAST;
    }
}

static inline void lattice_take_answers(struct trials *t, const uint16_t *number, const struct answers *a)
{
    int32_t answer[LANES], turn[LANES];

    vi_store(answer, a->first | a->last << 16);
    vi_store(turn, a->turn);
    for (int k = 0; k < LANES; k++) {
        t->answer[number[k]] = (uint32_t)answer[k];
        t->turn[number[k]] = (uint8_t)turn[k];
    }
}

/* Answers n questions by their numbers. Where few candidates were not enough, number[] gets those that need all of them,
 * and their spots become that; returns how many they are. */
static inline uint32_t lattice_answer(const struct lattice *l, struct lattice_rule r, const struct cells *c, struct trials *t,
                                      uint16_t *number, uint32_t n, bool few)
{
    uint32_t unsure = 0;

    for (uint32_t i = 0; i < n; i += LANES) {
        struct batch b;
        uint32_t live = n - i < LANES ? (1u << (n - i)) - 1 : (1u << LANES) - 1;

        batch_read(&b, l, r, c, t->spot, t->at, number + i);
        batch_scales(&b, r, t->largest);
        struct answers a = batch_answer(&b, r);
        lattice_take_answers(t, number + i, &a);
        uint32_t outside = few ? ~vbits(a.inside) & live : 0;
        for (uint32_t left = (~vbits(a.clear) | vbits(a.turn < a.sure)) & live & ~outside; left; left &= left - 1) {
            int k = __builtin_ctz(left);
            uint32_t here = number[i + (uint32_t)k], at = t->at[here];
            bool clear = a.clear[k];
            lattice_ask_again(t, here, clear ? (uint32_t)a.turn[k] : at >> QUESTION_FIRST & 31,
                              clear ? (uint32_t)a.sure[k] : (at >> QUESTION_LAST & 31) + 1);
        }
        for (; outside; outside &= outside - 1) {
            uint16_t here = number[i + (uint32_t)__builtin_ctz(outside)];
            t->spot[here] = l->spot[t->at[here] >> QUESTION_CODE];
            number[unsure++] = here;
        }
    }
    numbers_fill(number, unsure);
    return unsure;
}

static inline void lattice_repeat(uint16_t to[TRIALS_MAX], uint32_t point)
{
    vi both = vi_all((int32_t)(point * 0x10001u));

    for (int i = 0; i < TRIALS_MAX; i += 2 * LANES)
        memcpy(to + i, &both, sizeof both);
}

/* Writes the answers to the trials. A run writes more than it has: the next one overwrites that. */
static inline void lattice_write_runs(struct lattice_rule r, struct trials *t)
{
    for (uint32_t i = 0; i < t->nasked; i++) {
        uint32_t at = t->at[i];
        uint16_t *row = t->point[question_row(r, at)];

        lattice_repeat(row + (at >> QUESTION_FIRST & 31), t->answer[i] & 0xffff);
        lattice_repeat(row + t->turn[i], t->answer[i] >> 16);
    }
}

static inline void lattice_answer_exactly(const struct lattice *l, struct lattice_rule r, const struct cells *c, struct trials *t)
{
    for (uint32_t n = 0; n < t->nexact; n += LANES) {
        uint16_t number[LANES];
        struct batch b;
        int32_t point[LANES];

        for (uint32_t i = 0; i < LANES; i++)
            number[i] = (uint16_t)(n + i < t->nexact ? n + i : t->nexact - 1);
        batch_read(&b, l, r, c, t->exact_spot, t->exact_at, number);
        batch_scales(&b, r, t->largest);
        vi_store(point, batch_exact(&b, r));
        for (uint32_t i = 0; i < LANES && n + i < t->nexact; i++) {
            uint32_t at = t->exact_at[n + i];
            t->point[question_row(r, at)][at >> QUESTION_FIRST & 31] = (uint16_t)point[i];
        }
    }
}

/* The points of the trial chosen; on the codebook where the place itself is. */
static inline void lattice_take_points(struct lattice_rule r, struct cells *c, const struct trials *t, int v,
                                       const vf largest[VECTORS], vi choice)
{
    vf inverse = trial_inverse(r, choice, largest[v]);

    for (int k = 0; k < r.size / r.group; k++) {
        int32_t point[LANES];
        vi place = lattice_places(r, c->x[v] + r.group * k, inverse, 1u << r.bits);
        for (int n = 0; n < LANES; n++)
            point[n] = t->point[GROUPS_MAX * (v * LANES + n) + k][choice[n] < 0 ? 0 : choice[n]];
        vi new = vi_load(point);
        c->point[k][v] = picki(choice >= 0, new | ((new == place) & INT32_MIN), c->point[k][v]);
    }
}

/* Takes the scale that fits best of those tried, the first of equals, and its points. */
static inline void lattice_choose(struct lattice_rule r, struct cells *c, const struct trials *t, const vf largest[VECTORS])
{
    const int groups = r.size / r.group;

    for (int v = 0; v < VECTORS; v++) {
        vf pair[GROUPS_MAX][TRIALS_MAX / 2], best = { 0 };      /* bits, moved as floats */
        vi choice = vi_all(-1);

        for (int k = 0; k < groups; k++)
            columns((const float *)t->point[GROUPS_MAX * v * LANES + k], GROUPS_MAX * TRIALS_ROOM / 2, TRIALS_MAX / 2, LANES,
                    pair[k]);
        for (int i = 0; i < 2 * r.steps + 1; i++) {
            vi point[GROUPS_MAX];
            for (int k = 0; k < groups; k++)
                point[k] = batch_candidate((vi)pair[k][i / 2], i % 2);
            struct fit f = lattice_fit(r, c, v, point, 1);
            vi better = (f.q2 > 0) & (f.qx * f.qx > best * f.q2);
            vf s = f.qx / f.q2;
            c->scale[v] = pick(better, s, c->scale[v]);
            best = pick(better, s * f.qx, best);
            choice = picki(better, vi_all(i), choice);
        }
        lattice_take_points(r, c, t, v, largest, choice);
    }
}

static inline void lattice_try_scales(const struct lattice *l, struct lattice_rule r, struct cells *c,
                                      const vf largest[VECTORS])
{
    struct trials t;

    t.nasked = t.nexact = 0;
    memset(t.bins.n, 0, sizeof t.bins.n);
    memset(t.point, 0, sizeof t.point);
    lattice_set_scales(r, &t, largest);
    for (int k = 0; k < r.size / r.group; k++)
        lattice_ask(l, r, c, &t, k);
    uint32_t n = bins_list(&t.bins, t.number);
    for (bool few = true; n; few = false)
        n = lattice_answer(l, r, c, &t, t.number, n, few);
    lattice_write_runs(r, &t);
    lattice_answer_exactly(l, r, c, &t);
    lattice_choose(r, c, &t, largest);
}

/* Chooses points of the groups of the cells in `want` for the scale of each cell. */
static inline void lattice_settle_cells(const struct lattice *l, struct lattice_rule r, struct cells *c,
                                        vi want[GROUPS_MAX][VECTORS])
{
    const int groups = r.size / r.group;
    uint32_t spot[CELLS * GROUPS_MAX], at[CELLS * GROUPS_MAX];
    uint16_t number[CELLS * GROUPS_MAX + LANES];
    struct bins bins;
    float scale[16];
    int32_t code[CELLS], point[GROUPS_MAX][CELLS], wanted[CELLS];

    memset(bins.n, 0, sizeof bins.n);
    for (int v = 0; v < VECTORS; v++)
        vf_store(scale + v * LANES, c->scale[v]);
    for (int k = 0; k < groups; k++) {
        for (int v = 0; v < VECTORS; v++) {
            vi_store(code + v * LANES, lattice_codes(r, c->x[v] + r.group * k, 1 / c->scale[v]));
            vi_store(wanted + v * LANES, want[k][v]);
            vi_store(point[k] + v * LANES, c->point[k][v]);
        }
        for (int n = 0; n < CELLS; n++) {
            uint32_t here = wanted[n] ? l->few[code[n]] : LATTICE_ON;
            point[k][n] = wanted[n] ? (int32_t)here : point[k][n];
            spot[CELLS * k + n] = here;
            at[CELLS * k + n] = (uint32_t)code[n] << QUESTION_CODE | (uint32_t)(r.group * k) << 4 | (uint32_t)n;
            bins_add(&bins, r, here, (uint32_t)(CELLS * k + n));
        }
    }
    uint32_t n = bins_list(&bins, number), again = 0;
    for (bool few = true; n; few = false, n = again, again = 0, numbers_fill(number, n))
        for (uint32_t i = 0; i < n; i += LANES) {
            struct batch b;
            int32_t new[LANES];

            batch_read(&b, l, r, c, spot, at, number + i);
            b.high = b.low = vlookup(scale, b.at & 15);
            b.per_high = b.per_low = 1 / b.high;
            vi_store(new, batch_exact(&b, r));
            uint32_t outside = few ? ~vbits(batch_inside(&b, r)) : 0;
            for (uint32_t j = 0; j < LANES && i + j < n; j++) {
                uint16_t here = number[i + j];
                point[here / CELLS][here % CELLS] = new[j];
                if (outside >> j & 1) {
                    spot[here] = l->spot[at[here] >> QUESTION_CODE];
                    number[again++] = here;
                }
            }
        }
    for (int k = 0; k < groups; k++)
        for (int v = 0; v < VECTORS; v++)
            c->point[k][v] = vi_load(point[k] + v * LANES);
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
