/* superblock.h - what the K encodings share: blocks of 256 weights in groups of 16 or 32.
 *
 * A K block holds its groups' scales as small integers under one f16. Encoding therefore has three parts: a search
 * per group (search.h), rounding the groups' scales, and rounding the weights again under the rounded scales.
 * All of it runs with one super-block per lane: lane k adds its numbers in the order scalar code would. */
#ifndef BANTAM_SUPERBLOCK_H
#define BANTAM_SUPERBLOCK_H

#include "quant/half.h"
#include "quant/search.h"
#include "quant/turn.h"
#include "quant/type.h"

#define SUPER 256

/* Up to LANES super-blocks side by side. Idle lanes repeat the first one; nothing of them is stored. */
struct panel {
    vf x[SUPER];                            /* weight i of each super-block */
    const void *row[LANES];                 /* where each one's weights come from: floats of this kind */
    enum half_kind half;
    const float *importance[LANES];         /* of the same columns, if there is one */
    uint8_t *out[LANES];                    /* where each super-block goes */
    int live;
};

/* n columns from `first` on: out[i] lane k = row[k][first + i]. n is a multiple of 16. */
SEARCH void gather(const float *const row[LANES], int first, int n, vf *out)
{
    for (int i = 0; i < n; i += LANES) {
        for (int k = 0; k < LANES; k++)
            out[i + k] = vf_load(row[k] + first + i);
        vtranspose(out + i);
    }
}

/* The two floats of each word: the first in its low half. */
SEARCH void halves(vu word, enum half_kind half, vf *first, vf *second)
{
    *first = half == HALF_BF16 ? (vf)(word << 16) : vf32_from_f16(word & 0xffff);
    *second = half == HALF_BF16 ? (vf)(word & 0xffff0000) : vf32_from_f16(word >> 16);
}

/* gather() for the weights of a panel. 16-bit floats are turned around in pairs. */
SEARCH void gather_pairs(const void *const row[LANES], enum half_kind half, vf x[SUPER])
{
    for (int i = 0; i < SUPER / 2; i += LANES) {
        vf word[LANES];
        for (int k = 0; k < LANES; k++)
            word[k] = vf_load((const float *)row[k] + i);
        vtranspose(word);
        for (int k = 0; k < LANES; k++)
            halves((vu)word[k], half, &x[2 * (i + k)], &x[2 * (i + k) + 1]);
    }
}

SEARCH void panel_fill(struct panel *p)
{
    if (p->half == HALF_BF16)
        gather_pairs(p->row, HALF_BF16, p->x);
    else if (p->half == HALF_F16)
        gather_pairs(p->row, HALF_F16, p->x);
    else
        gather((const float *const *)p->row, 0, SUPER, p->x);
}

/* Weights [first, first + LANES) of the super-block in a lane. */
SEARCH vf panel_row(const struct panel *p, int lane, int first)
{
    uint16_t __attribute__((vector_size(2 * LANES))) word;
    vf even, odd;

    if (!p->half)
        return vf_load((const float *)p->row[lane] + first);
    memcpy(&word, (const uint8_t *)p->row[lane] + 2 * first, sizeof word);
    halves(__builtin_convertvector(word, vu), p->half, &even, &odd);
    return even;
}

/* Mean square of each super-block, times `factor`: 1 or 2. */
SEARCH vf panel_variance(const struct panel *p, float factor)
{
    vf sum = {0};

    for (int i = 0; i < SUPER; i++)
        sum += p->x[i] * p->x[i];
    return factor * sum / SUPER;
}

/* Search weights of the n columns from `first` on: importance * sqrt(variance + x^2). Returns their sum. */
SEARCH vf panel_weights(const struct panel *p, vf variance, int first, int n, vf *w)
{
    vf sum = {0};

    gather(p->importance, first, n, w);
    for (int i = 0; i < n; i++) {
        w[i] *= vsqrt(variance + p->x[first + i] * p->x[first + i]);
        sum += w[i];
    }
    return sum;
}

/* Four bytes, each in a lane of its own as 0..255, as one word per lane. */
SEARCH vu word_of(const vi *byte)
{
    return (vu)byte[0] | (vu)byte[1] << 8 | (vu)byte[2] << 16 | (vu)byte[3] << 24;
}

SEARCH void put_square(const struct panel *p, size_t at, const vu *word, int n)
{
    vf square[LANES];

    for (int k = 0; k < LANES; k++)
        square[k] = (vf)word[k < n ? k : 0];
    vtranspose(square);
    for (int k = 0; k < p->live; k++)
        memcpy(p->out[k] + at, &square[k], 4 * (size_t)n);
}

/* word[0..n) lane k to the start of the live blocks: turned around LANES words at a time, each block gets its bytes in few
 * pieces. */
SEARCH void put_words(const struct panel *p, const vu *word, int n)
{
    int i = 0;

    for (; i + LANES <= n; i += LANES)
        put_square(p, 4 * (size_t)i, word + i, LANES);
    if (n % LANES)
        put_square(p, 4 * (size_t)i, word + i, n % LANES);
}

/* What a reader will find of x stored as f16. */
SEARCH vf through_half(vf x, vu *half)
{
    *half = vf16_from_f32(x);
    return vf32_from_f16(*half);
}

/* The live lanes' f16 at offset `at` of each block. */
SEARCH void put_half(const struct panel *p, size_t at, vu half)
{
    uint32_t lane[LANES];

    memcpy(lane, &half, sizeof lane);
    for (int k = 0; k < p->live; k++) {
        uint16_t h = (uint16_t)lane[k];
        memcpy(p->out[k] + at, &h, sizeof h);
    }
}

/* The encode_half() of every K encoding, which encode() calls, too: panel by panel through encode_panel, once for each case of `weighted`. */
SEARCH void encode_panels(const void *in, enum half_kind half, const float *importance, void *out, size_t nrows, size_t row_blocks,
                          size_t nbytes, void (*encode_panel)(const struct panel *, bool weighted))
{
    size_t nblocks = nrows * row_blocks, stride = SUPER * (half ? sizeof(uint16_t) : sizeof(float));

    for (size_t first = 0; first < nblocks; first += LANES) {
        struct panel p;
        p.half = half;
        p.live = nblocks - first < LANES ? (int)(nblocks - first) : LANES;
        for (int k = 0; k < LANES; k++) {
            size_t block = first + (k < p.live ? (size_t)k : 0);
            p.row[k] = (const uint8_t *)in + stride * block;
            p.importance[k] = importance ? importance + SUPER * (block % row_blocks) : NULL;
            p.out[k] = (uint8_t *)out + nbytes * block;
        }
        panel_fill(&p);
        if (importance)
            encode_panel(&p, true);
        else
            encode_panel(&p, false);
    }
}

/* The groups' scales (or minimums) as bytes under one float: the largest becomes nmax. The reference way when
 * there is no importance. A negative one wraps, as it does there. */
SEARCH vf spread(const vf *x, int n, float nmax, vi *q)
{
    vf top = {0};

    for (int j = 0; j < n; j++)
        top = vmax(top, x[j]);
    vf gain = pick(top > 0, nmax / top, (vf){0});
    for (int j = 0; j < n; j++)
        q[j] = vnearest(gain * x[j]) & 0xff;
    return top / nmax;
}

/* How an encoding with a minimum searches its groups. */
struct affine_kind {
    int n;                          /* weights per group: 16 or 32 */
    float nmax;                     /* levels 0..nmax */
    bool mean;                      /* without importance a weight counts |x| + root mean square of its group, or |x| */
    float variance;                 /* with it, importance * sqrt(variance * mean square of the super-block + x^2) */
    struct ladder plain, weighted;
};

struct groups {
    vf scale[16], min[16], weight[16];      /* weight: sum of the search weights, if there is an importance */
    struct cut cut[16];
};

SEARCH void plain_weights(const vf *x, int n, bool mean, vf *w)
{
    vf sum = {0};

    for (int i = 0; i < n; i++)
        sum += x[i] * x[i];
    vf base = vsqrt(sum / (float)n);
    for (int i = 0; i < n; i++)
        w[i] = mean ? base + vabs(x[i]) : vabs(x[i]);
}

SEARCH void fit_groups(const struct panel *p, struct affine_kind kind, bool weighted, struct groups *g)
{
    vf variance = weighted ? panel_variance(p, kind.variance) : (vf){0};

    for (int j = 0; j < SUPER / kind.n; j += AFFINE_ABREAST) {
        vf weights[AFFINE_ABREAST][32];
        const vf *x[AFFINE_ABREAST], *w[AFFINE_ABREAST];
        struct affine fit[AFFINE_ABREAST];
        for (int k = 0; k < AFFINE_ABREAST; k++) {
            x[k] = p->x + kind.n * (j + k);
            w[k] = weights[k];
            if (weighted)
                g->weight[j + k] = panel_weights(p, variance, kind.n * (j + k), kind.n, weights[k]);
            else
                plain_weights(x[k], kind.n, kind.mean, weights[k]);
        }
        fit_affine_groups(AFFINE_ABREAST, x, w, kind.n, kind.nmax, weighted ? kind.weighted : kind.plain, fit);
        for (int k = 0; k < AFFINE_ABREAST; k++) {
            g->scale[j + k] = fit[k].scale;
            g->min[j + k] = fit[k].min;
            g->cut[j + k] = fit[k].cut;
        }
    }
}

/* What a reader will multiply and subtract, per group, and how the search left groups whose scale became 0. */
struct final {
    vf d[16], m[16];                /* m: where levels are not below 0 */
    struct cut cut[16];
    vf inverse[16];                 /* for QUICK: of d; the farthest that a weight was from its level; bits that only */
    vf farthest;                    /* numbers have which are too large */
    vu strange;
};

/* How weights are rounded to their final levels: by a product in place of the quotient, by the quotient, or as the search left
 * them where a group's scale became 0. */
enum how { QUICK, EXACT, KEPT };

/* The product (x + m) * (1 / d) is off from the rounded quotient by less than 2^-22 of itself: if no weight is farther than
 * 0.49998 from its level, and none but those beyond all levels is above 64, levels are the same. Almost always that is so. */
SEARCH bool final_held(const struct final *f)
{
    return !vany((f->farthest > 0.49998f) | ((vi)(f->strange & 0xff800000) != 0));
}

/* Codes (level - low) of weights x[0..4) of group j, as bytes. */
SEARCH vu final_codes(struct final *f, enum how how, int j, const vf *x, float low, float high)
{
    vi code[4];

    for (int i = 0; i < 4; i++) {
        vf y = low < 0 ? x[i] : x[i] + f->m[j];        /* levels on both sides of 0: there is no minimum */
        if (how == QUICK) {
            vf t = y * f->inverse[j], near = t + (ROUNDER - low);
            f->farthest = vfarther(f->farthest, vrest(t));
            f->strange |= (vu)near ^ ROUNDER_BITS;
            code[i] = (vi)near - ROUNDER_BITS;
        } else {
            vf t = y / f->d[j];
            if (how == KEPT)
                t = pick(f->d[j] == 0, (x[i] + f->cut[j].shift) * f->cut[j].gain, t);
            code[i] = level_int(t, low, high) - (int)low;
        }
    }
    return vbytes(code[0], code[1], code[2], code[3], (uint8_t)(high - low));
}

/* Has `pack` make the words of the weights of n groups, in the quickest way that gives the right ones. Returns which. */
SEARCH enum how final_pack(const struct panel *p, struct final *f, int n, void (*pack)(const struct panel *, struct final *, enum how, vu *), vu *word)
{
    vi zero = {0};

    for (int j = 0; j < n; j++)
        zero |= f->d[j] == 0;
    if (vany(zero)) {
        pack(p, f, KEPT, word);
        return KEPT;
    }
    f->farthest = (vf){0};
    f->strange = (vu){0};
    for (int j = 0; j < n; j++)
        f->inverse[j] = 1 / f->d[j];
    pack(p, f, QUICK, word);
    if (final_held(f))
        return QUICK;
    pack(p, f, EXACT, word);
    return EXACT;
}

/* Scales and minimums of the 8 groups of q4_k and q5_k have six bits each and share 12 bytes. Groups 0..3 sit
 * whole in the low bits of bytes 0..7; the two bits to spare there and the nibbles of bytes 8..11 hold groups
 * 4..7 (bit 7 on the left, g = 0..3):
 *     byte g        [ scale g+4, high 2 | scale g          ]
 *     byte 4 + g    [ min   g+4, high 2 | min   g          ]
 *     byte 8 + g    [ min   g+4, low 4  | scale g+4, low 4 ]
 */
struct six_bits {
    uint16_t d, dmin;               /* of the scales, of the minimums */
    uint8_t byte[12];
};

static inline void read_six_bits(const uint8_t byte[12], uint8_t scale[8], uint8_t min[8])
{
    for (int g = 0; g < 4; g++) {
        scale[g] = byte[g] & 63;
        min[g] = byte[4 + g] & 63;
        scale[g + 4] = (uint8_t)((byte[8 + g] & 15) | byte[g] >> 6 << 4);
        min[g + 4] = (uint8_t)(byte[8 + g] >> 4 | byte[4 + g] >> 6 << 4);
    }
}

/* The same with a super-block per lane. Bytes above 63 spill into their neighbor's bits, as they do in the reference. */
SEARCH void pack_six_bits(const vi scale[8], const vi min[8], vi byte[12])
{
    for (int g = 0; g < 4; g++) {
        byte[g] = (scale[g] | scale[g + 4] >> 4 << 6) & 0xff;
        byte[4 + g] = (min[g] | min[g + 4] >> 4 << 6) & 0xff;
        byte[8 + g] = (scale[g + 4] & 15) | (min[g + 4] & 15) << 4;
    }
}

SEARCH void unpack_six_bits(const vi byte[12], vi scale[8], vi min[8])
{
    for (int g = 0; g < 4; g++) {
        scale[g] = byte[g] & 63;
        min[g] = byte[4 + g] & 63;
        scale[g + 4] = (byte[8 + g] & 15) | byte[g] >> 6 << 4;
        min[g + 4] = byte[8 + g] >> 4 | byte[4 + g] >> 6 << 4;
    }
}

/* Rounds the scales and minimums of q4_k and q5_k and makes the struct six_bits at the start of each block: four words. */
SEARCH void finish_six_bits(const struct groups *g, bool weighted, bool clamp, struct final *f, vu word[4])
{
    vi scale[8], min[8], byte[12];
    vu half_d, half_min;
    vf d = weighted ? fit_positive(g->scale, g->weight, 8, 63, scale) : spread(g->scale, 8, 63, scale);
    vf dmin = weighted ? fit_positive(g->min, g->weight, 8, 63, min) : spread(g->min, 8, 63, min);

    for (int j = 0; clamp && j < 8; j++) {
        scale[j] = vimin(scale[j], vi_all(63));
        min[j] = vimin(min[j], vi_all(63));
    }
    pack_six_bits(scale, min, byte);
    unpack_six_bits(byte, scale, min);
    d = through_half(d, &half_d);
    dmin = through_half(dmin, &half_min);
    word[0] = half_d | half_min << 16;
    for (int i = 0; i < 3; i++)
        word[1 + i] = word_of(byte + 4 * i);
    for (int j = 0; j < 8; j++) {
        f->d[j] = d * vfloat(scale[j]);
        f->m[j] = dmin * vfloat(min[j]);
        f->cut[j] = g->cut[j];
    }
}

#endif
