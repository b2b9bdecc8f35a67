/* iq2_xxs.c - 2.06 bits per weight: points of 256, seven of eight signs, a scale per 32 weights;
 * ggml's block_iq2_xxs. */
#include "quant/kernel.h"
#include "quant/lattice_search.h"

#define N 256

/* Two words for every 32 weights:
 *     [ point 3 | point 2 | point 1 | point 0 ]                                          8 bits each
 *     [ scale, 4 | signs 3 | signs 2 | signs 1 | signs 0 ]                               7 bits each */
struct iq2_xxs {
    uint16_t d;             /* f16 */
    uint16_t q[N / 8];
};
_Static_assert(sizeof(struct iq2_xxs) == 66, "iq2_xxs is 66 bytes on disk");

static void decode(const void *in, float *out, size_t nblocks)
{
    const struct iq2_xxs *y = in;

    for (size_t n = 0; n < nblocks; n++) {
        float d = f32_from_f16(y[n].d);

        for (int ib = 0; ib < N / 32; ib++) {
            uint32_t word[2];
            memcpy(word, y[n].q + 4 * ib, sizeof word);
            float db = d * (0.5f + (float)(word[1] >> 28)) * 0.25f;
            const float level[8] = { db * 8, db * 25, db * 43 };

            for (int k = 0; k < 4; k++, out += 8)
                lattice_expand(out, lattice_iq2_xxs[word[0] >> 8 * k & 255], 2, level,
                               lattice_eighth_sign(word[1] >> 7 * k & 127));
        }
    }
}

static const struct lattice_rule rule = { .size = 32, .group = 8, .bits = 2, .steps = 6, .step = 0.1f,
                                          .zero_below = 1e-15f, .even_signs = true, .redo = REDO_ALL,
                                          .sigma = 1, .flat = 0.25f };

#define LEVELS 4                /* 0..LEVELS: the unsigned grid of the first guess */

/* The first guess: x is about scale times 0..LEVELS, as bytes, whatever a turned sign makes of them. After ggml's
 * make_qp_quants, whose rounding of the sums it keeps. */
struct guess {
    const vf *x, *w;
    vi level[CELL_MAX];
    vf qx, q2;
};

static vf squared_error(const struct guess *g, vf inverse, bool bytes)
{
    vf scale = 1 / inverse, sum = { 0 };

    for (int i = 0; i < 32; i++) {
        vi level = vnearest(inverse * g->x[i]);
        level = bytes ? level & 255 : vimin(level, vi_all(LEVELS));
        vf off = g->x[i] - scale * vfloat(level);
        sum += g->w[i] * off * off;
    }
    return sum;
}

static vf best_inverse(const struct guess *g, vf max)
{
    vf inverse = LEVELS / max, best = squared_error(g, inverse, true);

    for (int is = -4; is <= 4; is++) {
        if (is == 0)
            continue;
        vf other = (0.1f * (float)is + LEVELS) / max, error = squared_error(g, other, false);
        vi better = error < best;
        best = pick(better, error, best);
        inverse = pick(better, other, inverse);
    }
    return inverse;
}

/* Moves each weight to the level that is best while the others stay; true where one moved. */
static vi improve(struct guess *g, vi live)
{
    vi moved = { 0 };

    for (int i = 0; i < 32; i++) {
        vf x = g->x[i], w = g->w[i], level = vfloat(g->level[i]);
        vf qx = g->qx - w * x * level, q2 = g->q2 - w * level * level;
        vi next = vimin(vnearest(x * q2 / qx), vi_all(LEVELS));
        vi go = live & (qx > 0) & (q2 > 0) & (next != g->level[i]);
        vf to = vfloat(next);

        qx += w * x * to;
        q2 += w * to * to;
        go &= qx * qx * g->q2 > g->qx * g->qx * q2;
        g->level[i] = picki(go, next & 255, g->level[i]);
        g->qx = pick(go, qx, g->qx);
        g->q2 = pick(go, q2, g->q2);
        moved |= go;
    }
    return moved;
}

static vf guess_scale(const vf *x, const vf *w, vf max)
{
    struct guess g = { .x = x, .w = w };
    vf inverse = best_inverse(&g, max);
    vi live = ~(vi){ 0 };

    for (int i = 0; i < 32; i++) {
        vi level = vimin(vnearest(inverse * x[i]), vi_all(LEVELS));
        g.level[i] = level & 255;
        g.qx += w[i] * x[i] * vfloat(level);
        g.q2 += w[i] * vfloat(level) * vfloat(level);
    }
    for (int turn = 0; turn < 5 && vany(live); turn++)
        live = improve(&g, live);
    return pick(g.q2 > 0, g.qx / g.q2, (vf){ 0 });
}

static void search(const struct lattice *l, struct cells *c)
{
    vf largest[VECTORS];

    lattice_take_signs(rule, c);
    for (int v = 0; v < VECTORS; v++) {
        c->scale[v] = guess_scale(c->x[v], c->w[v], c->max[v]);
        largest[v] = c->scale[v] * 3;
        c->skip[v] |= ~(largest[v] > 0);
    }
    lattice_try_scales(l, rule, c, largest);
    lattice_refine(l, rule, c);
}

static void pack(const struct lattice *l, const struct cells *c, int first, void *out)
{
    struct iq2_xxs *y = out;
    uint8_t scale[N / 32];
    float largest = lattice_scales(c, first, N / 32, 31, 15, scale);

    memset(y, 0, sizeof *y);
    if (largest == 0)
        return;
    y->d = f16_from_f32(largest / 31);
    for (int n = 0; n < N / 32; n++) {
        uint32_t word[2] = { 0, (uint32_t)scale[n] << 28 };
        for (int k = 0; k < 4 && !lattice_skipped(c, first + n); k++) {
            word[0] |= lattice_number(l, 2, c, k, first + n) << 8 * k;
            word[1] |= lattice_signs(c, k, first + n) << 7 * k;
        }
        memcpy(y->q + 4 * n, word, sizeof word);
    }
}

static void encode(const float *in, const float *weight, void *out, size_t nrows, size_t row_blocks)
{
    lattice_encode(rule, lattice_open(LATTICE_IQ2_XXS), in, weight, out, nrows, row_blocks, sizeof(struct iq2_xxs),
                   search, pack);
}

QTYPE(iq2_xxs) = { .name = "iq2_xxs", .label = "IQ2_XXS", .gguf_id = 16, .block = N, .nbytes = sizeof(struct iq2_xxs),
                .needs_weight = true,
                .decode = decode, .encode = encode };
