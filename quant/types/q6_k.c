/* q6_k - 256 weights in 16 groups: w = d * scale[j] * (q - 32), q in 0..63.
 *
 * The 6 bits of a level are split: low 4 in `low`, high 2 in `high`. Either half of the block is laid out by
 * itself (l = 0..31):
 *     low[l]        [ weight l + 64 | weight l      ]
 *     low[32 + l]   [ weight l + 96 | weight l + 32 ]
 *     high[l]       [ l + 96 | l + 64 | l + 32 | l  ]
 */
#include "quant/kernel.h"
#include "quant/superblock.h"

struct q6_k {
    uint8_t low[128], high[64];
    int8_t scale[16];
    uint16_t d;
};
_Static_assert(sizeof(struct q6_k) == 210, "q6_k is 210 bytes on disk");

static void decode(const void *in, float *out, size_t nblocks)
{
    const struct q6_k *y = in;

    for (size_t n = 0; n < nblocks; n++)
        for (int half = 0; half < 2; half++) {
            const uint8_t *low = y[n].low + 64 * half, *high = y[n].high + 32 * half;
            for (int part = 0; part < 4; part++, out += 32) {
                const uint8_t *nibble = low + 32 * (part & 1);
                for (int g = 0; g < 32; g += 16) {
                    float d = f32_from_f16(y[n].d) * y[n].scale[8 * half + 2 * part + g / 16];
                    for (int l = g; l < g + 16; l++) {
                        int q = (nibble[l] >> 4 * (part / 2) & 15) | (high[l] >> 2 * part & 3) << 4;
                        out[l] = d * (float)(q - 32);
                    }
                }
            }
        }
}

/* A block as words; d follows. */
enum { LOW_WORDS = 0, HIGH_WORDS = 32, SCALE_WORDS = 48, WORDS = 52 };

SEARCH void pack(const struct panel *p, struct final *f, enum how how, vu word[WORDS])
{
    for (int half = 0; half < 2; half++)
        for (int l = 0; l < 32; l += 4) {
            vu low[4], high = {0}, *to = word + LOW_WORDS + 16 * half + l / 4;
            for (int part = 0; part < 4; part++) {
                int i = 128 * half + 32 * part + l;
                vu q = final_codes(f, how, i / 16, p->x + i, -32, 31);
                low[part] = q & 0x0f0f0f0f;
                high |= (q >> 4 & 0x03030303) << 2 * part;
            }
            to[0] = low[0] | low[2] << 4;
            to[8] = low[1] | low[3] << 4;
            word[HIGH_WORDS + 8 * half + l / 4] = high;
        }
}

/* Groups j, j + 1...: their scales, and how the search left them. */
SEARCH void search(const struct panel *p, bool weighted, int j, vf *scale, struct final *f)
{
    vf weights[SYMMETRIC_ABREAST][16];
    const vf *x[SYMMETRIC_ABREAST], *w[SYMMETRIC_ABREAST];
    struct symmetric fit[SYMMETRIC_ABREAST];

    for (int k = 0; k < SYMMETRIC_ABREAST; k++) {
        x[k] = p->x + 16 * (j + k);
        w[k] = weights[k];
        if (weighted)
            gather(p->importance, 16 * (j + k), 16, weights[k]);
        else
            for (int i = 0; i < 16; i++)
                weights[k][i] = x[k][i] * x[k][i];
    }
    fit_symmetric_groups(x, w, 16, 32, true, fit);
    for (int k = 0; k < SYMMETRIC_ABREAST; k++) {
        scale[j + k] = fit[k].scale;
        f->cut[j + k] = fit[k].cut;
    }
}

SEARCH void encode_panel(const struct panel *p, bool weighted)
{
    struct final f;
    vf scale[16];
    vi byte[16];
    vu word[WORDS], half;

    for (int j = 0; j < 16; j += SYMMETRIC_ABREAST)
        search(p, weighted, j, scale, &f);

    vf top = extreme(scale, 16);
    vi filled = ~(vabs(top) < GROUP_EPSILON);
    vf gain = -128 / top;
    vf d = through_half(pick(filled, 1 / gain, (vf){0}), &half);
    for (int j = 0; j < 16; j++) {
        vi s = vnearest(gain * scale[j]);
        s = filled & picki(s > 127, vi_all(127), s);
        byte[j] = s & 0xff;
        f.d[j] = d * vfloat((vi)((vu)s << 24) >> 24);
    }
    for (int j = 0; j < 4; j++)
        word[SCALE_WORDS + j] = word_of(byte + 4 * j);
    final_pack(p, &f, 16, pack, word);
    for (int i = 0; i < SCALE_WORDS; i++)
        word[i] &= (vu)filled;
    put_words(p, word, WORDS);
    put_half(p, offsetof(struct q6_k, d), half);
}

static __attribute__((noinline)) void encode_half(const void *in, enum half_kind half, const float *weight, void *out, size_t nrows,
                                                  size_t row_blocks)
{
    encode_panels(in, half, weight, out, nrows, row_blocks, sizeof(struct q6_k), encode_panel);
}

static void encode(const float *in, const float *weight, void *out, size_t nrows, size_t row_blocks)
{
    encode_half(in, HALF_NONE, weight, out, nrows, row_blocks);
}

QTYPE(q6_k) = {
    .name = "q6_k", .label = "Q6_K", .gguf_id = 14, .block = SUPER, .nbytes = sizeof(struct q6_k),
    .decode = decode, .encode = encode, .encode_half = encode_half,
};
