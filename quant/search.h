/* search.h - scale searches of the K encodings: one small group of weights per lane.
 *
 * A search tries a ladder of scales, counts each one's error and keeps the best. The steps, their order and the
 * order of every sum are those of llama.cpp's ggml-quants.c (make_qkx2_quants and its siblings): its bytes are what
 * people compare with. All searches take n weights as n vectors (x[i] holds weight i of LANES groups) and
 * importances w[i] >= 0 in the same form.
 *
 * Nothing here needs numbers in range. Levels are rounded on the bits of a float, as the reference does, and
 * that is defined for every float, so huge and denormal groups take the same path as all others. */
#ifndef BANTAM_SEARCH_H
#define BANTAM_SEARCH_H

#include "quant/lanes.h"

#include <stdbool.h>

/* Loops over a group must know n when compiled: inlining is part of the algorithm's speed. */
#define SEARCH static inline __attribute__((always_inline))

#define ROUNDER 12582912.0f         /* 1.5 * 2^23: a float this size has no fraction bits */
#define ROUNDER_BITS 0x4b400000

/* Below this a group counts as zero. */
#define GROUP_EPSILON 1e-15f

/* The level nearest to t, clamped to [low, high], as a float ROUNDER + level. The mask does nothing to |t| < 2^22;
 * beyond that it picks the same bits the reference picks (and 0 for NaN). */
SEARCH vf rounded(vf t, float low, float high)
{
    return vwithin(vmasked(t + ROUNDER, 0x007fffff, 0x4b000000), ROUNDER + low, ROUNDER + high);
}

SEARCH vf level(vf t, float low, float high)
{
    return rounded(t, low, high) - ROUNDER;
}

/* level() for |t| < 2^22 only, and clamped only where that can be needed; low <= 0, high > 0. May be -0. */
SEARCH vf level_near(vf t, bool clamp_low, float low, bool clamp_high, float high)
{
    t = vrint(t);
    if (low < 0) {
        t = clamp_low ? vmax(t, vf_all(low)) : t;
        return clamp_high ? vmin(t, vf_all(high)) : t;
    }
    t = clamp_low ? vleast0(t) : t;
    return clamp_high ? vmost(t, high) : t;
}

SEARCH vi level_int(vf t, float low, float high)
{
    return (vi)rounded(t, low, high) - ROUNDER_BITS;
}

/* Where a search left its group: weight x sits at level nearest((x + shift) * gain). The encodings need that again
 * for groups whose final scale came out as 0: they keep the levels of the search. */
struct cut {
    vf shift, gain;
};

/* Scales to try: gain = (first + step * i + nmax) / range, i = 0..last. */
struct ladder {
    float first, step;
    int last;
    bool absolute;                  /* count |error|, not its square */
};

/* x ~ scale * level - min, level in 0..nmax, min >= 0. */
struct affine {
    vf scale, min;
    struct cut cut;
};

SEARCH vf error_of(vf diff, vf w, bool absolute)
{
    return w * (absolute ? vabs(diff) : diff * diff);
}

/* Sums over a group: of w, w*x, and in one step of w*l, w*l*l, w*l*x. */
struct moments {
    vf w, x, l, l2, xl;
};

/* Groups per lane that are searched side by side: the divisions of one hide behind the sums of the others. */
enum { AFFINE_ABREAST = 4 };

/* A search under way. */
struct affine_search {
    const vf *x, *w;
    struct moments s;
    vf low, high, shift, gain;      /* gain, shift: of the step, level = (x + shift) * gain, shift = -minimum */
    vf q[32], det;                  /* what it made: levels, determinant of the fit, and the fit */
    vf new_scale, new_min;
    vf scale, best;                 /* of the best step, whose minimum is -shift and whose levels are cut */
    struct cut cut;
    vi live, odd;                   /* odd: level_near() was not good enough */
};

/* With `near`, levels are rounded by level_near(). That takes a gain above 0 and (x + shift) * gain from -2^21 to
 * `most` for the lowest and the highest weight, between which all others are: then lanes are not odd. Levels below 0
 * come of a minimum that has moved up, levels above nmax of rungs that aim at nmax + 1/2 or more. */
SEARCH vi not_near(const struct affine_search *a, float most)
{
    vi near = (a->gain > 0) & (a->gain * (a->low + a->shift) > -0x1p21f) & (a->gain * (a->high + a->shift) < most);

    return a->live & ~near;
}

SEARCH void affine_begin(struct affine_search *a, const vf *x, const vf *w, int n, float nmax, bool absolute, bool near)
{
    *a = (struct affine_search){ .x = x, .w = w, .low = x[0], .high = x[0], .s = { .w = w[0], .x = w[0] * x[0] } };
    for (int i = 1; i < n; i++) {
        a->low = vmin(a->low, x[i]);
        a->high = vmax(a->high, x[i]);
        a->s.w += w[i];
        a->s.x += w[i] * x[i];
    }
    a->low = vmin(a->low, (vf){0});
    a->live = a->high > a->low;     /* the others have one value: no scale, only a minimum */
    a->shift = a->cut.shift = -a->low;
    a->gain = a->cut.gain = nmax / (a->high - a->low);
    a->scale = 1 / a->gain;
    a->odd = not_near(a, nmax + 0.25f);
    for (int i = 0; i < n; i++) {
        vf t = a->gain * (x[i] + a->shift), l = near ? level_near(t, false, 0, false, nmax) : level(t, 0, nmax);
        a->best += error_of(a->scale * l - a->shift - x[i], w[i], absolute);
    }
}

SEARCH void affine_levels(struct affine_search *a, int n, float nmax, bool near, bool clamp_high)
{
    a->s.l = a->s.l2 = a->s.xl = (vf){0};
    for (int i = 0; i < n; i++) {
        vf t = a->gain * (a->x[i] + a->shift);
        vf l = a->q[i] = near ? level_near(t, true, 0, clamp_high, nmax) : level(t, 0, nmax), wl = a->w[i] * l;
        a->s.l += wl;
        a->s.l2 += wl * l;
        a->s.xl += wl * a->x[i];
    }
}

/* The scale and minimum that fit best once the levels are fixed: weighted least squares, minimum not above 0. */
SEARCH void affine_solve(struct affine_search *a)
{
    const struct moments *s = &a->s;

    a->det = s->w * s->l2 - s->l * s->l;
    a->new_scale = (s->w * s->xl - s->x * s->l) / a->det;
    a->new_min = (s->l2 * s->x - s->l * s->xl) / a->det;
    vi above = a->new_min > 0;
    if (vany(above)) {
        a->new_scale = pick(above, s->xl / s->l2, a->new_scale);
        a->new_min = pick(above, (vf){0}, a->new_min);
    }
}

SEARCH void affine_keep(struct affine_search *a, int n, bool absolute)
{
    vf error = {0};

    for (int i = 0; i < n; i++)
        error += error_of(a->new_scale * a->q[i] + a->new_min - a->x[i], a->w[i], absolute);

    vi better = a->live & (a->det > 0) & (error < a->best);
    a->best = pick(better, error, a->best);
    a->scale = pick(better, a->new_scale, a->scale);
    a->cut.shift = pick(better, a->shift, a->cut.shift);
    a->cut.gain = pick(better, a->gain, a->cut.gain);
    a->shift = pick(better, -a->new_min, a->shift);
}

/* One rung of the ladder for each of the groups. */
SEARCH void affine_step(struct affine_search *a, int ngroups, int n, float nmax, float rung, bool absolute, bool near,
                        bool clamp_high)
{
    for (int g = 0; g < ngroups; g++) {
        a[g].gain = (rung + nmax) / (a[g].high + a[g].shift);
        a[g].odd |= not_near(&a[g], rung + nmax + 0.04f);
        affine_levels(&a[g], n, nmax, near, clamp_high);
    }
    for (int g = 0; g < ngroups; g++)
        affine_solve(&a[g]);
    for (int g = 0; g < ngroups; g++)
        affine_keep(&a[g], n, absolute);
}

/* Returns the lanes for which the result is worth nothing, none of them if not `near`. */
SEARCH vi affine_climb(int ngroups, const vf *const x[], const vf *const w[], int n, float nmax, struct ladder ladder,
                       bool near, struct affine fit[])
{
    struct affine_search a[AFFINE_ABREAST];
    vi odd = {0};

    for (int g = 0; g < ngroups; g++)
        affine_begin(&a[g], x[g], w[g], n, nmax, ladder.absolute, near);
    for (int step = 0; step <= ladder.last; step++) {
        float rung = ladder.first + ladder.step * (float)step;
        if (near && rung < 0.45f)
            affine_step(a, ngroups, n, nmax, rung, ladder.absolute, near, false);
        else
            affine_step(a, ngroups, n, nmax, rung, ladder.absolute, near, true);
    }
    for (int g = 0; g < ngroups; g++) {
        a[g].cut.gain = pick(a[g].live, a[g].cut.gain, (vf){0});
        fit[g] = (struct affine){ pick(a[g].live, a[g].scale, (vf){0}), a[g].shift, a[g].cut };
        odd |= a[g].odd;
    }
    return near ? odd : (vi){0};
}

/* The same for numbers of any size. */
static __attribute__((noinline, unused)) void affine_climb_far(int ngroups, const vf *const x[], const vf *const w[],
                                                                 int n, float nmax, struct ladder ladder, struct affine fit[])
{
    affine_climb(ngroups, x, w, n, nmax, ladder, false, fit);
}

/* Search with a minimum (make_qkx2_quants, make_qkx3_quants) in 1..AFFINE_ABREAST groups per lane. A better step moves the
 * minimum, and later steps start from the moved one: the ladder is not fixed beforehand. */
SEARCH void fit_affine_groups(int ngroups, const vf *const x[], const vf *const w[], int n, float nmax,
                              struct ladder ladder, struct affine fit[])
{
    if (vany(affine_climb(ngroups, x, w, n, nmax, ladder, true, fit)))
        affine_climb_far(ngroups, x, w, n, nmax, ladder, fit);
}

SEARCH struct affine fit_affine(const vf *x, const vf *w, int n, float nmax, struct ladder ladder)
{
    struct affine fit;

    fit_affine_groups(1, &x, &w, n, nmax, ladder, &fit);
    return fit;
}

/* x ~ scale * level, level in -nmax..nmax-1. Zero groups have scale 0 and level -nmax. */
struct symmetric {
    vf scale;
    struct cut cut;
};

/* The weight of largest magnitude, with its sign; the first one if several are as large. */
SEARCH vf extreme(const vf *x, int n)
{
    vf top = {0}, magnitude = {0};

    for (int i = 0; i < n; i++) {
        vi more = vabs(x[i]) > magnitude;
        magnitude = pick(more, vabs(x[i]), magnitude);
        top = pick(more, x[i], top);
    }
    return top;
}

/* The same of finite numbers. The largest and the smallest tell, but where they are as large. */
SEARCH vf extreme_finite(const vf *x, int n)
{
    vf high = x[0], low = x[0];

    for (int i = 1; i < n; i++) {
        high = vmax(high, x[i]);
        low = vmin(low, x[i]);
    }
    if (vany((high == -low) & (high != 0)))
        return extreme(x, n);
    return pick(high > -low, high, low);
}

/* Sums of a fit without minimum: of w*l*x and w*l*l over the group. */
struct products {
    vf xl, l2;
};

/* The search without a minimum tries gains of -(nmax + rung / 10) / top, rungs -9..9, counted from 0 here. */
enum { RUNGS = 19, MIDDLE = 9 };

/* Groups per lane that are searched side by side: looking for one's largest weight and choosing among its rungs are
 * long chains, which hide behind the other's. */
enum { SYMMETRIC_ABREAST = 2 };

struct symmetric_search {
    vf top, wx[32], gain[RUNGS];    /* wx[i]: w[i] * x[i] */
    struct products sum[RUNGS];
};

/* The sums of rungs [first, last), `abreast` at a time: their chains hide behind each other. `finite`: x holds weights,
 * not scales another search may have left as NaN; |gain * x| then stays within nmax + rung / 10, unless top is next to
 * nothing and the group counts as zero: the rung says whether levels may have to be clamped. */
SEARCH void symmetric_climb(struct symmetric_search *s, const vf *x, const vf *w, int n, float nmax, bool finite,
                            int first, int last, int abreast, bool clamp_low, bool clamp_high)
{
    for (int rung = first; rung < last; rung += abreast) {
        struct products sum[3] = { { {0}, {0} } };
        for (int i = 0; i < n; i++)
            for (int k = 0; k < abreast; k++) {
                vf t = s->gain[rung + k] * x[i];
                vf l = finite ? level_near(t, clamp_low, -nmax, clamp_high, nmax - 1) : level(t, -nmax, nmax - 1);
                sum[k].xl += s->wx[i] * l;
                sum[k].l2 += w[i] * l * l;
            }
        for (int k = 0; k < abreast; k++)
            s->sum[rung + k] = sum[k];
    }
}

SEARCH void symmetric_begin(struct symmetric_search *s, const vf *x, const vf *w, int n, float nmax, bool finite)
{
    s->top = finite ? extreme_finite(x, n) : extreme(x, n);
    for (int i = 0; i < n; i++)
        s->wx[i] = w[i] * x[i];
    for (int k = 0; k < RUNGS; k++)
        s->gain[k] = -(nmax + 0.1f * (float)(k - MIDDLE)) / s->top;
}

SEARCH void symmetric_sums(struct symmetric_search *s, const vf *x, const vf *w, int n, float nmax, bool finite)
{
    symmetric_climb(s, x, w, n, nmax, finite, 0, 4, 2, false, false);       /* up to -0.6: below nmax - 1/2 */
    symmetric_climb(s, x, w, n, nmax, finite, 4, 14, 2, false, true);       /* up to 0.4: below nmax + 1/2 */
    symmetric_climb(s, x, w, n, nmax, finite, 14, 16, 2, true, true);
    symmetric_climb(s, x, w, n, nmax, finite, 16, RUNGS, 3, true, true);
}

/* The best rung of each of the groups. */
SEARCH void symmetric_choose(const struct symmetric_search *s, int ngroups, float nmax, struct symmetric fit[])
{
    vf scale[SYMMETRIC_ABREAST], best[SYMMETRIC_ABREAST], gain[SYMMETRIC_ABREAST];

    for (int g = 0; g < ngroups; g++) {
        const struct products *p = &s[g].sum[MIDDLE];
        gain[g] = s[g].gain[MIDDLE];
        scale[g] = pick(p->l2 != 0, p->xl / p->l2, (vf){0});
        best[g] = scale[g] * p->xl;
    }
    for (int k = 0; k < RUNGS; k++)
        for (int g = 0; g < ngroups && k != MIDDLE; g++) {
            vf xl = s[g].sum[k].xl, l2 = s[g].sum[k].l2, new_scale = xl / l2;
            vi better = (l2 > 0) & (xl * xl > best[g] * l2);
            scale[g] = pick(better, new_scale, scale[g]);
            best[g] = pick(better, new_scale * xl, best[g]);
            gain[g] = pick(better, s[g].gain[k], gain[g]);
        }
    for (int g = 0; g < ngroups; g++) {
        vi zero = vabs(s[g].top) < GROUP_EPSILON;
        fit[g].cut = (struct cut){ pick(zero, vf_all(-nmax), (vf){0}), pick(zero, vf_all(1), gain[g]) };
        fit[g].scale = pick(zero, (vf){0}, scale[g]);
    }
}

/* Search without a minimum (make_qx_quants with rmse_type 1). */
SEARCH struct symmetric fit_symmetric(const vf *x, const vf *w, int n, float nmax, bool finite)
{
    struct symmetric_search s;
    struct symmetric fit;

    symmetric_begin(&s, x, w, n, nmax, finite);
    symmetric_sums(&s, x, w, n, nmax, finite);
    symmetric_choose(&s, 1, nmax, &fit);
    return fit;
}

/* The same in SYMMETRIC_ABREAST groups per lane. */
SEARCH void fit_symmetric_groups(const vf *const x[], const vf *const w[], int n, float nmax, bool finite,
                                 struct symmetric fit[])
{
    struct symmetric_search s[SYMMETRIC_ABREAST];

    for (int g = 0; g < SYMMETRIC_ABREAST; g++)
        symmetric_begin(&s[g], x[g], w[g], n, nmax, finite);
    for (int g = 0; g < SYMMETRIC_ABREAST; g++)
        symmetric_sums(&s[g], x[g], w[g], n, nmax, finite);
    symmetric_choose(s, SYMMETRIC_ABREAST, nmax, fit);
}

/* Integer levels of n numbers of one sign under one scale (make_qp_quants): the scales and minimums of a
 * super-block. Returns the scale; q[i] gets the levels as bytes, which is how the reference keeps them: a negative
 * level wraps. */
SEARCH vf fit_positive(const vf *x, const vf *w, int n, float nmax, vi *q)
{
    vf top = {0}, xl = {0}, l2 = {0}, best = {0};

    for (int i = 0; i < n; i++)
        top = pick(top > x[i], top, x[i]);

    vi zero = top < GROUP_EPSILON;
    vf gain = nmax / top, scale = 1 / gain;
    for (int i = 0; i < n; i++) {
        vf diff = x[i] - scale * vfloat(vnearest(gain * x[i]) & 0xff);
        best += w[i] * diff * diff;
    }
    for (int rung = -4; rung <= 4; rung++) {
        if (rung == 0)
            continue;
        vf new_gain = (0.1f * (float)rung + nmax) / top, new_scale = 1 / new_gain, error = {0};
        for (int i = 0; i < n; i++) {
            vf diff = x[i] - new_scale * level(new_gain * x[i], -0x1p22f, nmax);
            error += w[i] * diff * diff;
        }
        vi better = error < best;
        best = pick(better, error, best);
        gain = pick(better, new_gain, gain);
    }
    for (int i = 0; i < n; i++) {
        vi l = vnearest(gain * x[i]);
        l = picki(l > (int)nmax, vi_all((int)nmax), l);
        q[i] = l & 0xff;
        xl += w[i] * x[i] * vfloat(l);
        l2 += w[i] * vfloat(l) * vfloat(l);
    }
    /* Move one level at a time as long as that helps. A lane that did not change in a pass would not in the
     * next either, so lanes may run on while others still move. */
    for (int pass = 0; pass < 5; pass++) {
        vi changed = {0};
        for (int i = 0; i < n; i++) {
            vf old = vfloat(q[i]), wx = w[i] * x[i];
            vf new_xl = xl - wx * old, new_l2 = l2 - w[i] * old * old;
            vi open = (new_xl > 0) & (new_l2 > 0);
            vf l = level(x[i] * new_l2 / new_xl, -0x1p22f, nmax);
            open &= l != old;
            new_xl += wx * l;
            new_l2 += w[i] * l * l;
            open &= new_xl * new_xl * l2 > xl * xl * new_l2;
            q[i] = picki(open, vtrunc(l) & 0xff, q[i]);
            xl = pick(open, new_xl, xl);
            l2 = pick(open, new_l2, l2);
            changed |= open;
        }
        if (!vany(changed))
            break;
    }
    for (int i = 0; i < n; i++)
        q[i] = ~zero & q[i];
    return pick(~zero & (l2 > 0), xl / l2, (vf){0});
}

#endif
