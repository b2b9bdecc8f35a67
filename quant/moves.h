/* moves.h - the search of Q3_K without importance (make_q3_quants of ggml-quants.c): it rounds under the obvious scale, then
 * moves one weight at a time as long as the fit improves. */
#ifndef BANTAM_MOVES_H
#define BANTAM_MOVES_H

#include "quant/search.h"

/* Where it begins, with a group per lane. */
struct moves {
    vf top, gain;
    vi zero;                        /* groups that count as zero: scale 0, levels -nmax */
    struct products sum;
};

SEARCH void moves_begin(struct moves *m, const vf *x, float nmax)
{
    m->top = extreme_finite(x, 16);
    m->gain = -nmax / m->top;
    m->zero = vabs(m->top) < GROUP_EPSILON;
}

/* Levels q and what each weight adds to sum.xl; |gain * x| is at most nmax, but for groups that count as zero. */
SEARCH void moves_round(struct moves *m, const vf *x, float nmax, vf *q, vf *part)
{
    m->sum = (struct products){ {0}, {0} };
    for (int i = 0; i < 16; i++) {
        vf l = q[i] = level_near(m->gain * x[i], false, -nmax, true, nmax - 1), w = x[i] * x[i];
        part[i] = w * x[i] * l;
        m->sum.xl += part[i];
        m->sum.l2 += w * l * l;
    }
}

/* Which weights may want another level, the others staying where they are.
 *
 * A weight wants the level nearest to x * l2 / xl, with the sums of the other weights, if that xl is above 0. With those of
 * all weights, the difference to its own level q times that xl is the same: x * l2 - q * xl, as what it adds itself,
 * x * w q q - q * w x q, is nothing. So it stays if |x * l2 - q * xl| is at most (xl - part) / 2, part = w x q; x * l2 is
 * clamped as levels are. What the reference's sums and quotients are off by rounding (2^-24 of the terms, 2^-22 of the
 * quotient) is less than the 10^-4 that are given away here, if the group is `regular`: x * l2 is not above 256 xl, and
 * cubes stay within the range of a float. In other groups any weight may. */
struct doubt {
    vf l2, minus_xl, low, high, most;       /* sums of the groups, scaled */
    vi positive, regular;
};

SEARCH struct doubt doubt_of(vf top, struct products sum, float nmax)
{
    vf xl = sum.xl * 2.0004f;

    top = vabs(top);
    return (struct doubt){ sum.l2 * 2.0004f, -xl, xl * -nmax, xl * (nmax - 1), sum.xl * 0.9999f, sum.xl > 0,
                           (top > 0x1p-30f) & (top < 0x1p30f) & (top * sum.l2 < 256 * sum.xl) };
}

SEARCH vsome may_move(const struct doubt *d, vf x, vf q, vf part)
{
    return vgreater(vabs(vabout(q, d->minus_xl, vmin(vmax(x * d->l2, d->low), d->high))) + part, d->most);
}

/* What a weight x of level q would make of its level and of the sums if it moved, and whether the fit improves by that. */
struct step {
    vf q, xl, l2;
    vsome better;
};

SEARCH struct step step_of(vf x, vf q, vf all_xl, vf all_l2, float nmax)
{
    vf w = x * x, wx = w * x, xl = all_xl - wx * q, l2 = all_l2 - w * q * q, l = level(x * l2 / xl, -nmax, nmax - 1);
    struct step to = { .q = l, .xl = xl + wx * l, .l2 = l2 + w * l * l };
    vf least = vmin(xl, to.l2);     /* both have to be above 0; if to.l2 is NaN, the last comparison fails */

    to.better = vdiffer(l, q) & vgreater(least, (vf){0}) & vgreater(to.xl * to.xl * all_l2, all_xl * all_xl * to.l2);
    return to;
}

/* Lanes in which some weight may move; in the rest nothing ever will: four groups of five of a trained model. The first that
 * may was tried, and moved if that was better: for all lanes at once that costs less than a try of one group's 16. */
struct likely {
    vi lanes;
    vf judged, q;                   /* how many weights were, and the level of the last of them */
};

SEARCH struct likely moves_first(struct moves *m, const vf *x, float nmax, const vf *q, const vf *part)
{
    struct doubt d = doubt_of(m->top, m->sum, nmax);
    vf first = {0}, judged = {0};

    for (int i = 15; i >= 0; i--) {
        vsome may = may_move(&d, x[i], q[i], part[i]);
        first = vsome_pick(may, x[i], first);
        judged = vsome_pick(may, vf_all((float)(i + 1)), judged);
    }
    vf now = level_near(m->gain * first, false, -nmax, true, nmax - 1);
    struct step to = step_of(first, now, m->sum.xl, m->sum.l2, nmax);
    vi open = ~m->zero & d.positive, known = open & d.regular & (judged > 0), moves = known & vsome_lanes(to.better);
    m->sum.xl = pick(moves, to.xl, m->sum.xl);
    m->sum.l2 = pick(moves, to.l2, m->sum.l2);
    return (struct likely){ known | (open & ~d.regular), pick(known, judged, (vf){0}), pick(moves, to.q, now) };
}

SEARCH vf moves_scale(const struct moves *m)
{
    return pick(~m->zero & (m->sum.l2 > 0), m->sum.xl / m->sum.l2, (vf){0});
}

/* A group whose weights may move, its 16 weights side by side. */
struct mover {
    _Alignas(4 * LANES) float x[16], q[16];     /* weights, levels */
    float q_to[16], xl_to[16], l2_to[16];       /* what each weight would make of it and the sums if it moved next... */
    uint32_t better;                            /* ...and whether the fit improves by that, a bit for each */
    float xl, l2;                               /* sums of the fit */
    unsigned at;                    /* the next weight to be judged, 16 more for each pass before this one */
    int group, lane;                /* for the caller */
};

SEARCH void mover_try(struct mover *m, float nmax)
{
    m->better = 0;
    for (int i = 0; i < 16; i += LANES) {
        struct step to = step_of(vf_load(m->x + i), vf_load(m->q + i), vf_all(m->xl), vf_all(m->l2), nmax);
        m->better |= vsome_bits(to.better) << i;
        vf_store(m->q_to + i, to.q);
        vf_store(m->xl_to + i, to.xl);
        vf_store(m->l2_to + i, to.l2);
    }
}

/* *to = *from if `go`, without a branch, which compilers make of ?: here. */
SEARCH void move_if(bool go, float *to, const float *from)
{
    uint32_t old, new, mask = 0 - (uint32_t)go;

    memcpy(&old, to, sizeof old);
    memcpy(&new, from, sizeof new);
    old ^= (old ^ new) & mask;
    memcpy(to, &old, sizeof old);
}

/* Takes the next move of the group, if there is one. All 16 weights were tried under the sums as they are: by these all
 * are judged up to the first that moves, and on into the next pass. When none of 16 moves, none will; so a pass that
 * moved nothing is the last. There are no branches here: which weight moves is nobody's guess. */
SEARCH bool mover_step(struct mover *m)
{
    unsigned stay = (unsigned)__builtin_ctz((m->better | m->better << 16) >> m->at % 16 | 1 << 16);
    bool go = (stay < 16) & (m->at + stay < 5 * 16);
    unsigned i = (m->at + stay) % 16;

    m->at += stay + 1;
    move_if(go, &m->xl, &m->xl_to[i]);
    move_if(go, &m->l2, &m->l2_to[i]);
    move_if(go, &m->q[i], &m->q_to[i]);
    return go;
}

#endif
