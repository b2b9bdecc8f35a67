/* lattice_questions.h - the best candidates for many groups of weights at once; lanes are groups.
 *
 * The places that groups are rounded to have lists of candidates (struct lattice). A question is a group, such a place, and
 * the scales for which the candidate that costs least is wanted. Questions are collected, those with equally many
 * candidates are put together, and LANES of them (a batch) are answered at a time. Costs add in the order of ggml's iq2_
 * and iq3_find_best_neighbour, so the choice is ggml's. */
#ifndef BANTAM_LATTICE_QUESTIONS_H
#define BANTAM_LATTICE_QUESTIONS_H

#include "quant/lattice_cells.h"

#include <float.h>

#define TRIALS_MAX 32           /* 31, and a multiple of LANES */
#define QUESTIONS_MAX (CELLS * GROUPS_MAX * TRIALS_MAX)

/* A question is two words: an element of struct lattice's spot or few, and what it is asked about: scales of a cell that
 * were tried in a row (they fall) and led a group to one place, as
 *     [ code of the place, 13 | last trial, 5 | first trial, 5 | first weight of the group, 5 | cell, 4 ] */
#define QUESTION_GROUP 511u     /* the last two of them */
#define QUESTION_FIRST 9
#define QUESTION_LAST 14
#define QUESTION_CODE 19

static inline uint32_t question_cell(uint32_t at)
{
    return at & 15;
}

static inline uint32_t question_weight(uint32_t at)
{
    return at >> 4 & 31;
}

/* The places of answers: groups of all cells. */
static inline uint32_t question_row(struct lattice_rule r, uint32_t at)
{
    return question_cell(at) * GROUPS_MAX + question_weight(at) / (uint32_t)r.group;
}

/* Numbers of questions by how many candidates these have. */
#define BINS 20

struct bins {
    uint32_t n[BINS];
    uint16_t number[BINS][QUESTIONS_MAX];
};

static inline void bins_add(struct bins *b, struct lattice_rule r, uint32_t spot, uint32_t number)
{
    uint32_t n = ((spot & 1023) + 1) / (r.bits == 3 ? 2 : 8) + 1;
    uint32_t bin = spot & (LATTICE_ON | LATTICE_ONLY) ? 0 : n < BINS ? n : BINS - 1;
    b->number[bin][b->n[bin]++] = (uint16_t)number;
}

/* Questions are answered LANES at a time: the last of n stands for those that are missing. */
static inline void numbers_fill(uint16_t *number, uint32_t n)
{
    for (int k = 0; n && k < LANES; k++)
        number[n + (uint32_t)k] = number[n - 1];
}

/* Bins one after the other, but for the first, of which nothing is asked; returns how many questions there are. */
static inline uint32_t bins_list(const struct bins *b, uint16_t *number)
{
    uint32_t n = 0;

    for (int i = 1; i < BINS; i++) {
        memcpy(number + n, b->number[i], b->n[i] * sizeof *number);
        n += b->n[i];
    }
    numbers_fill(number, n);
    return n;
}

/* ---- LANES questions ---- */

struct batch {
    vf x[8], w[8];                      /* of the groups; w are square roots of importance, as ggml has them */
    vf high, low;                       /* the first and the last scale */
    vf per_high, per_low;               /* 1 over them, but for rounding */
    vi at;
    vi n;                               /* candidates */
    int most;                           /* of them in any lane */
    const void *list[LANES];
};

static inline void batch_read(struct batch *b, const struct lattice *l, struct lattice_rule r, const struct cells *c,
                              const uint32_t *spot, const uint32_t *at, const uint16_t *number)
{
    const void *x[LANES], *w[LANES];
    int32_t spots[LANES], ats[LANES];

    b->most = 0;
    for (int k = 0; k < LANES; k++) {
        uint32_t s = spot[number[k]], a = at[number[k]];
        int here = (int)(s & 1023);
        spots[k] = (int32_t)s;
        ats[k] = (int32_t)a;
        b->list[k] = l->near + 8 * (s >> 10);
        b->most = b->most < here ? here : b->most;
        x[k] = c->row_x[question_cell(a)] + question_weight(a);
        w[k] = c->row_w[question_cell(a)] + question_weight(a);
    }
    b->n = vi_load(spots) & 1023;
    b->at = vi_load(ats);
    for (int i = 0; i < r.group; i += 4) {
        vquads(x, (size_t)i * sizeof(float), b->x + i);
        vquads(w, (size_t)i * sizeof(float), b->w + i);
    }
}

/* What is divided by to have the scale of trial i of a cell whose weights are thought to reach `largest`. */
static inline vf trial_inverse(struct lattice_rule r, vi i, vf largest)
{
    const float top = r.bits == 3 ? 15 : 5;
    return (top + vfloat(i - r.steps) * r.step) / largest;
}

static inline void batch_scales(struct batch *b, struct lattice_rule r, const float largest[CELLS])
{
    vf here = vlookup(largest, b->at & 15);

    b->per_high = trial_inverse(r, b->at >> QUESTION_FIRST & 31, here);
    b->per_low = trial_inverse(r, b->at >> QUESTION_LAST & 31, here);
    b->high = 1 / b->per_high;
    b->low = 1 / b->per_low;
}

/* Candidates j and j + 1 of each list, for even j one after the other, in the halves of words. Past the end of a list come
 * those of others. pair keeps those that are read ahead. */
static inline vi batch_candidates(const struct batch *b, int j, vf pair[4])
{
    if (j % 8 == 0)
        vquads(b->list, (size_t)j * sizeof(uint16_t), pair);
    return (vi)pair[j % 8 / 2];
}

/* One of them; above its coordinates there may be other bits. */
static inline vi batch_candidate(vi both, int i)
{
    return i ? (vi)((vu)both >> 16) : both;
}

/* Whether the weights are well inside the place at both scales, and so at those between: then struct lattice's few
 * candidates are enough. At a scale of 0 (an inverse that is infinite) zeros are no numbers and pass, but then all candidates
 * cost the same, and the first of them is always among the few. */
static inline vi batch_inside(const struct batch *b, struct lattice_rule r)
{
    vf high = 0.5f * b->per_high, low = 0.5f * b->per_low, most = { 0 }, largest = { 0 };

    for (int k = 0; k < r.group; k++) {
        vf from = vabout(high, b->x[k], vf_all(-0.5f)), to = vabout(low, b->x[k], vf_all(-0.5f));
        most = vmax(most, vfarther(vrest(from), vrest(to)));
        largest = vmax(largest, vfarther(from, to));
    }
    return (most < 0.4999f) & (largest < 0x1p20f);
}

/* The candidates with the smallest costs proper at the first scale, the first of equals. Where none is less than FLT_MAX,
 * which takes weights above about 1e15, ggml ends the program; here the first candidate is taken. */
static inline vi batch_exact(const struct batch *b, struct lattice_rule r)
{
    vf pair[4], least = vf_all(FLT_MAX);
    vi best = { 0 };

    for (int j = 0; j < b->most; j += 2) {
        vi both = batch_candidates(b, j, pair);
        best = j ? best : both;
        for (int i = 0; i < 2; i++) {
            vi point = batch_candidate(both, i);
            vf cost = { 0 };
            for (int k = 0; k < r.group; k++) {
                vf off = b->high * lattice_odd(point, r.bits, k) - b->x[k], one = b->w[k] * off * off;
                cost = k ? cost + one : one;
            }
            cost = vwhere_below(vi_all(j + i), b->n, cost, vf_all(FLT_MAX));
            best = vwhere_less(cost, least, point, best);
            least = vmin(least, cost);
        }
    }
    return best & 0xffff;
}

/* ---- one answer for many scales ----
 *
 * At scale s a candidate with the odd numbers q costs the sum of w * (s * q - x)^2. Less the sum of w * x^2, which all
 * candidates share, and over s, that is s * a - b with a = sum of w * q^2, b = 2 * sum of w * q * x: a line. It rounds
 * otherwise than the cost proper, whose rounding decides what ggml writes. With u = 2^-24 and
 * m = sum of w * (s * largest q)^2 + sum of w * x^2, both ways together err by less than 48 * u * m for a candidate; so
 * the winner is certain where the others are worse by 128 * u * m (and by something above the smallest floats). As costs
 * are linear in s, who wins at two scales by what is asked for at any scale between, wins there too. */
struct line { vf a, less_b; };          /* less_b is -b */

static inline struct line batch_line(const struct batch *b, struct lattice_rule r, const vf *less_wx2, vi point)
{
    struct line l;

    for (int k = 0; k < r.group; k++) {
        vf q = lattice_odd(point, r.bits, k), wq = b->w[k] * q;
        l.a = k ? vabout(wq, q, l.a) : wq * q;
        l.less_b = k ? vabout(less_wx2[k], q, l.less_b) : less_wx2[k] * q;
    }
    return l;
}

static inline vf line_at(struct line l, vf scale)
{
    return vabout(scale, l.a, l.less_b);
}

struct winner {
    vf least, second;
    vi point;
};

static inline void winner_meets(struct winner *w, vf cost, vi point)
{
    w->second = vmin(w->second, vmax(w->least, cost));
    w->point = vwhere_less(cost, w->least, point, w->point);
    w->least = vmin(w->least, cost);
}

#define TURN_NEVER 32

/* What wins in LANES questions: `first` from the first scale on, `last` from trial `turn` on; which of them at trials from
 * `turn` to before `sure` has yet to be asked. */
struct answers {
    vi first, last, turn, sure;
    vi inside, clear;                   /* whether few candidates were enough; elsewhere nothing is known */
};

/* Where one line wins at the high and another at the low end, they cross; whether nothing else is near there, and which
 * trial is the first past it. Inverse scales have equal distances, but for rounding: the number of a trial follows from
 * its scale up to 0.001, and so does whether one is so near to the crossing that it is not certain which line wins. */
static inline void batch_cross(const struct batch *b, struct lattice_rule r, const vf *less_wx2, const struct line *lines,
                               vf margin, struct answers *a)
{
    struct line high = batch_line(b, r, less_wx2, a->first), low = batch_line(b, r, less_wx2, a->last);
    vf per_a = 1 / (low.a - high.a), cross = (high.less_b - low.less_b) * per_a, off = margin * per_a;
    vf limit = line_at(high, cross) + 2 * margin;
    vi first = b->at >> QUESTION_FIRST & 31, last = b->at >> QUESTION_LAST & 31, near = { 0 };

    for (int j = 0; j < b->most; j++)
        near += line_at(lines[j], cross) <= limit;
    vf per_trial = b->low * vfloat(last - first) / (b->high - b->low);
    vi from = vtrunc(per_trial * (b->high / (cross + off) - 1) - 0.01f);
    vi to = vtrunc(per_trial * (b->high / (cross - off) - 1) + 0.01f);
    vi clear = (near == -2) & (from >= 0) & (from <= to) & (to < last - first);
    a->clear &= clear | (a->first == a->last);
    clear &= a->first != a->last;
    a->turn = picki(clear, first + from + 1, a->turn);
    a->sure = picki(clear, first + to + 1, a->turn);
}

static inline struct answers batch_answer(const struct batch *b, struct lattice_rule r)
{
    const float top = r.bits == 3 ? 15 : 5;
    struct winner high = { vf_all(INFINITY), vf_all(INFINITY), { 0 } }, low = high;
    struct line lines[LATTICE_NEAR_MAX];
    vf pair[4], less_wx2[8], sum_w = { 0 }, sum_wx2 = { 0 };
    struct answers a;

    for (int k = 0; k < r.group; k++) {
        vf wx = b->w[k] * b->x[k];
        sum_w += b->w[k];
        sum_wx2 += wx * b->x[k];
        less_wx2[k] = -(wx + wx);
    }
    for (int j = 0; j < b->most; j += 2) {
        vi both = batch_candidates(b, j, pair);
        for (int i = 0; i < 2; i++) {
            vi point = batch_candidate(both, i);
            struct line line = batch_line(b, r, less_wx2, point);
            line.less_b = vwhere_below(vi_all(j + i), b->n, line.less_b, vf_all(INFINITY)); /* past the end none wins */
            lines[j + i] = line;
            winner_meets(&high, line_at(line, b->high), point);
            winner_meets(&low, line_at(line, b->low), point);
        }
    }
    vf margin = b->high * (0x1p-17f * top * top * sum_w) + (0x1p-17f * sum_wx2 + 1e-30f) * b->per_low + 1e-30f;
    a.first = high.point & 0xffff;
    a.last = low.point & 0xffff;
    a.turn = a.sure = vi_all(TURN_NEVER);
    a.inside = batch_inside(b, r);
    a.clear = (high.second - high.least > margin) & (low.second - low.least > margin);
    if (vany(a.clear & (a.first != a.last)))
        batch_cross(b, r, less_wx2, lines, margin, &a);
    return a;
}

#endif
