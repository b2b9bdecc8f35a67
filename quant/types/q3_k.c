/* q3_k - 256 weights in 16 groups: w = d * (scale[j] - 32) * (q - 4), scale in 0..63, q in 0..7.
 *
 * Either half of the block has 32 bytes of `low`; byte l holds the low 2 bits of weights l, l + 32, l + 64, l + 96 of
 * that half, the first in the low bits. Bit b of high[l] is the third bit of weight 32 b + l of the block. The 16
 * scales share 12 bytes (bit 7 on the left, j = 0..7, k = 0..3):
 *     byte j        [ scale j+8, low 4 | scale j, low 4 ]
 *     byte 8 + k    [ scale k+12, high 2 | scale k+8, high 2 | scale k+4, high 2 | scale k, high 2 ]
 */
#include "quant/kernel.h"
#include "quant/moves.h"
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
SEARCH void mover_begin(struct mover *m, const struct panel *p, const struct moves *group, const struct likely *likely, int j, int lane)
{
    m->group = j;
    m->lane = lane;
    m->xl = group->sum.xl[lane];
    m->l2 = group->sum.l2[lane];
    m->at = (unsigned)likely->judged[lane];
    for (int i = 0; i < 16; i += LANES) {
        vf x = panel_row(p, lane, 16 * j + i);
        vf_store(m->x + i, x);
        vf_store(m->q + i, level(group->gain[lane] * x, -4, 3));
    }
    if (m->at)
        m->q[m->at - 1] = likely->q[lane];
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
        struct likely likely[ABREAST];
        for (int k = 0; k < ABREAST; k++)
            moves_begin(&group[j + k], p->x + 16 * (j + k), 4);
        for (int k = 0; k < ABREAST; k++)
            moves_round(&group[j + k], p->x + 16 * (j + k), 4, q[k], part[k]);
        for (int k = 0; k < ABREAST; k++)
            likely[k] = moves_first(&group[j + k], p->x + 16 * (j + k), 4, q[k], part[k]);
        for (int k = 0; k < ABREAST; k++)
            for (uint32_t left = vbits(likely[k].lanes); left; left &= left - 1)
                mover_begin(&s->mover[s->nmovers++], p, &group[j + k], &likely[k], j + k, __builtin_ctz(left));
    }
    make_moves(s, group);
    for (int j = 0; j < 16; j++) {
        s->scale[j] = moves_scale(&group[j]);
        s->cut[j] = (struct cut){ pick(group[j].zero, vf_all(-4), (vf){0}), pick(group[j].zero, vf_all(1), group[j].gain) };
    }
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

/* A block as words; d follows. */
enum { HIGH_WORDS = 0, LOW_WORDS = 8, SCALE_WORDS = 24, WORDS = 27 };

SEARCH void pack_scales(const vi q[16], vu word[3])
{
    vi byte[12];

    for (int j = 0; j < 8; j++)
        byte[j] = (q[j] & 15) | (q[j + 8] & 15) << 4;
    for (int k = 0; k < 4; k++)
        byte[8 + k] = q[k] >> 4 | q[k + 4] >> 4 << 2 | q[k + 8] >> 4 << 4 | q[k + 12] >> 4 << 6;
    for (int i = 0; i < 3; i++)
        word[i] = word_of(byte + 4 * i);
}

SEARCH void pack(const struct panel *p, struct final *f, enum how how, vu word[WORDS])
{
    for (int l = 0; l < 32; l += 4) {
        vu high = {0};
        for (int half = 0; half < 2; half++) {
            vu low = {0};
            for (int part = 0; part < 4; part++) {
                int i = 128 * half + 32 * part + l;
                vu q = final_codes(f, how, i / 16, p->x + i, -4, 3);
                low |= (q & 0x03030303) << 2 * part;
                high |= (q >> 2 & 0x01010101) << (4 * half + part);
            }
            word[LOW_WORDS + 8 * half + l / 4] = low;
        }
        word[HIGH_WORDS + l / 4] = high;
    }
}

/* In groups whose scale is 0 weights that were moved stay where they are: `pack` found them where the search began. */
SEARCH void put_moved(const struct panel *p, const struct searched *s, const struct final *f)
{
    for (int k = 0; k < s->nmovers; k++) {
        const struct mover *m = &s->mover[k];
        struct q3_k *y = (struct q3_k *)p->out[m->lane];
        if (f->d[m->group][m->lane] != 0 || m->lane >= p->live)
            continue;
        for (int i = 16 * m->group; i < 16 * m->group + 16; i++) {
            int q = (int)m->q[i % 16] + 4, shift = i / 32 % 4 * 2;
            uint8_t *low = &y->low[i / 128 * 32 + i % 32], *high = &y->high[i % 32];
            *low = (uint8_t)((*low & ~(3 << shift)) | (q & 3) << shift);
            *high = (uint8_t)((*high & ~(1 << i / 32)) | (q >> 2) << i / 32);
        }
    }
}

SEARCH void encode_panel(const struct panel *p, bool weighted)
{
    struct searched s;
    struct final f;
    vu word[WORDS], half;
    vi q[16];
    vf d;

    if (weighted) {
        search_weighted(p, &s);
        d = round_weighted(&s, q);
    } else {
        search_plain(p, &s);
        d = round_plain(&s, q);
    }
    pack_scales(q, word + SCALE_WORDS);
    d = through_half(d, &half);
    for (int j = 0; j < 16; j++) {
        f.d[j] = d * vfloat(q[j] - 32);
        f.cut[j] = s.cut[j];
    }
    enum how how = final_pack(p, &f, 16, pack, word);
    put_words(p, word, WORDS);
    put_half(p, offsetof(struct q3_k, d), half);
    if (how == KEPT)
        put_moved(p, &s, &f);
}

static __attribute__((noinline)) void encode_half(const void *in, enum half_kind half, const float *weight, void *out, size_t nrows,
                                                  size_t row_blocks)
{
    encode_panels(in, half, weight, out, nrows, row_blocks, sizeof(struct q3_k), encode_panel);
}

static void encode(const float *in, const float *weight, void *out, size_t nrows, size_t row_blocks)
{
    encode_half(in, HALF_NONE, weight, out, nrows, row_blocks);
}

QTYPE(q3_k) = {
    .name = "q3_k", .label = "Q3_K", .gguf_id = 11, .block = SUPER, .nbytes = sizeof(struct q3_k),
    .decode = decode, .encode = encode, .encode_half = encode_half,
};
