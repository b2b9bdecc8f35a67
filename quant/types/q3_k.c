/* q3_k - 256 weights in 16 groups: w = d * (scale[j] - 32) * (q - 4), scale in 0..63, q in 0..7.
 *
 * Either half of the block has 32 bytes of `low`; byte l holds the low 2 bits of weights l, l + 32, l + 64, l + 96 of
 * that half, the first in the low bits. Bit b of high[l] is the third bit of weight 32 b + l of the block. The 16
 * scales share 12 bytes (bit 7 on the left, j = 0..7, k = 0..3):
 *     byte j        [ scale j+8, low 4 | scale j, low 4 ]
 *     byte 8 + k    [ scale k+12, high 2 | scale k+8, high 2 | scale k+4, high 2 | scale k, high 2 ]
 */
#include "quant/kernel.h"
#include "quant/superblock.h"

struct q3_k {
    uint8_t high[32], low[64], scale[12];
    uint16_t d;
};
_Static_assert(sizeof(struct q3_k) == 110, "q3_k is 110 bytes on disk");

static int scale_of(const struct q3_k *y, int j)
{
    int low = j < 8 ? y->scale[j] & 15 : y->scale[j - 8] >> 4;

    return (low | (y->scale[8 + j % 4] >> 2 * (j / 4) & 3) << 4) - 32;
}

static void decode(const void *in, float *out, size_t nblocks)
{
    const struct q3_k *y = in;

    for (size_t n = 0; n < nblocks; n++) {
        float d = f32_from_f16(y[n].d);
        for (int j = 0; j < 16; j++, out += 16) {
            float s = d * (float)scale_of(y + n, j);
            const uint8_t *low = y[n].low + 32 * (j / 8) + 16 * (j & 1), *high = y[n].high + 16 * (j & 1);
            int shift = j / 2 % 4 * 2;
            for (int i = 0; i < 16; i++)
                out[i] = s * (float)((low[i] >> shift & 3) + (high[i] >> j / 2 & 1) * 4 - 4);
        }
    }
}

/* Groups of a panel: their scales, the sums of their search weights, and how the search left their levels, in -4..3:
 * those stay where the final scale comes out as 0. */
struct searched {
    vf scale[16], weight[16];
    struct cut cut[16];
    struct mover mover[16 * LANES];             /* without importance: groups in which weights were moved after that */
    int nmovers;
};

SEARCH void search_weighted(const struct panel *p, struct searched *s)
{
    vf variance = panel_variance(p, 2);

    s->nmovers = 0;
    for (int j = 0; j < 16; j++) {
        vf w[16];
        s->weight[j] = panel_weights(p, variance, 16 * j, 16, w);
        struct symmetric fit = fit_symmetric(p->x + 16 * j, w, 16, 4, true);
        s->scale[j] = fit.scale;
        s->cut[j] = fit.cut;
    }
}

/* One more group whose weights may move. */
SEARCH void mover_begin(struct mover *m, const struct panel *p, const struct moves *group, int j, int lane)
{
    m->x = p->row[lane] + 16 * j;
    m->group = j;
    m->lane = lane;
    m->xl = group->sum.xl[lane];
    m->l2 = group->sum.l2[lane];
    m->at = 0;
    for (int i = 0; i < 16; i += LANES)
        vf_store(m->q + i, level(group->gain[lane] * vf_load(m->x + i), -4, 3));
}

/* One move in each of the groups at a time: what one computes hides behind another. */
SEARCH void make_moves(struct searched *s, struct moves group[16])
{
    struct mover *open[16 * LANES];
    int n = s->nmovers;

    for (int k = 0; k < n; k++)
        open[k] = &s->mover[k];
    while (n > 0) {
        int left = 0;
        for (int k = 0; k < n; k++)
            mover_try(open[k], 4);
        for (int k = 0; k < n; k++) {
            open[left] = open[k];
            left += mover_step(open[k]);
        }
        n = left;
    }
    for (int k = 0; k < s->nmovers; k++) {
        const struct mover *m = &s->mover[k];
        group[m->group].sum.xl[m->lane] = m->xl;
        group[m->group].sum.l2[m->lane] = m->l2;
    }
}

/* Groups that begin side by side: finding the largest weight and the sums are long chains. */
enum { ABREAST = 4 };

SEARCH void search_plain(const struct panel *p, struct searched *s)
{
    struct moves group[16];

    s->nmovers = 0;
    for (int j = 0; j < 16; j += ABREAST) {
        vf q[ABREAST][16], part[ABREAST][16];
        uint32_t lanes[ABREAST];
        for (int k = 0; k < ABREAST; k++)
            moves_begin(&group[j + k], p->x + 16 * (j + k), 4);
        for (int k = 0; k < ABREAST; k++)
            moves_round(&group[j + k], p->x + 16 * (j + k), 4, q[k], part[k]);
        for (int k = 0; k < ABREAST; k++)
            lanes[k] = vbits(moves_likely(&group[j + k], p->x + 16 * (j + k), 4, q[k], part[k]));
        for (int k = 0; k < ABREAST; k++)
            for (uint32_t left = lanes[k]; left; left &= left - 1)
                mover_begin(&s->mover[s->nmovers++], p, &group[j + k], j + k, __builtin_ctz(left));
    }
    make_moves(s, group);
    for (int j = 0; j < 16; j++) {
        s->scale[j] = moves_scale(&group[j]);
        s->cut[j] = (struct cut){ pick(group[j].zero, vf_all(-4), (vf){0}), pick(group[j].zero, vf_all(1), group[j].gain) };
    }
}

/* The levels that the search left. */
SEARCH void searched_levels(const struct panel *p, const struct searched *s, vf q[SUPER])
{
    for (int i = 0; i < SUPER; i++)
        q[i] = level((p->x[i] + s->cut[i / 16].shift) * s->cut[i / 16].gain, -4, 3);
    for (int k = 0; k < s->nmovers; k++)
        for (int i = 0; i < 16; i++)
            q[16 * s->mover[k].group + i][s->mover[k].lane] = s->mover[k].q[i];
}

/* Scales 0..63 of the groups and the float above them. */
SEARCH vf round_weighted(const struct searched *s, vi q[16])
{
    struct symmetric fit = fit_symmetric(s->scale, s->weight, 16, 32, false);
    vi filled = ~(vabs(extreme(s->scale, 16)) < GROUP_EPSILON);     /* NaN scales beside zeros: not filled */

    for (int j = 0; j < 16; j++)
        q[j] = filled & (level_int(s->scale[j] * fit.cut.gain, -32, 31) + 32);
    return fit.scale;
}

SEARCH vf round_plain(const struct searched *s, vi q[16])
{
    vf top = extreme(s->scale, 16), gain = -32 / top;
    vi filled = top != 0;

    for (int j = 0; j < 16; j++) {
        vi l = (vi)((vu)vnearest(gain * s->scale[j]) << 24) >> 24;      /* the reference keeps a byte */
        q[j] = filled & (vimax(vi_all(-32), vimin(l, vi_all(31))) + 32);
    }
    return pick(filled, 1 / gain, (vf){0});
}

SEARCH void put_scales(const struct panel *p, const vi q[16])
{
    vi byte[12];

    for (int j = 0; j < 8; j++)
        byte[j] = (q[j] & 15) | (q[j + 8] & 15) << 4;
    for (int k = 0; k < 4; k++)
        byte[8 + k] = q[k] >> 4 | q[k + 4] >> 4 << 2 | q[k + 8] >> 4 << 4 | q[k + 12] >> 4 << 6;
    put_bytes(p, offsetof(struct q3_k, scale), byte, 12);
}

/* `some_zero`: for some group and lane d is 0, and there the levels are `kept`. */
SEARCH void pack(const struct panel *p, const vf d[16], bool some_zero, const vf kept[SUPER])
{
    vi high[32] = { {0} };

    for (int half = 0; half < 2; half++) {
        vi low[32];
        for (int l = 0; l < 32; l++) {
            low[l] = (vi){0};
            for (int part = 0; part < 4; part++) {
                int i = 128 * half + 32 * part + l;
                vf t = p->x[i] / d[i / 16];
                vi q = level_int(some_zero ? pick(d[i / 16] == 0, kept[i], t) : t, -4, 3) + 4;
                low[l] |= (q & 3) << 2 * part;
                high[l] |= q >> 2 << (4 * half + part);
            }
        }
        put_bytes(p, offsetof(struct q3_k, low) + 32 * (size_t)half, low, 32);
    }
    put_bytes(p, offsetof(struct q3_k, high), high, 32);
}

SEARCH void encode_panel(const struct panel *p, bool weighted)
{
    struct searched s;
    vi q[16], zero = {0};
    vf d, kept[SUPER];

    if (weighted) {
        search_weighted(p, &s);
        d = round_weighted(&s, q);
    } else {
        search_plain(p, &s);
        d = round_plain(&s, q);
    }
    put_scales(p, q);
    d = put_half(p, offsetof(struct q3_k, d), d);
    for (int j = 0; j < 16; j++) {
        s.scale[j] = d * vfloat(q[j] - 32);
        zero |= s.scale[j] == 0;
    }
    if (vany(zero)) {
        searched_levels(p, &s, kept);
        pack(p, s.scale, true, kept);
    } else {
        pack(p, s.scale, false, p->x);     /* which nothing looks at */
    }
}

static void encode(const float *in, const float *weight, void *out, size_t nrows, size_t row_blocks)
{
    encode_panels(in, weight, out, nrows, row_blocks, sizeof(struct q3_k), encode_panel);
}

QTYPE(q3_k) = {
    .name = "q3_k", .label = "Q3_K", .gguf_id = 11, .block = SUPER, .nbytes = sizeof(struct q3_k),
    .decode = decode, .encode = encode,
};
