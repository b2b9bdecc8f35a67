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

SEARCH void pack(const struct panel *p, const struct final *f, bool kept, vi filled)
{
    vi high[64];

    for (int half = 0; half < 2; half++) {
        vi low[64];
        for (int l = 0; l < 32; l++) {
            vi q[4];
            for (int part = 0; part < 4; part++) {
                int i = 128 * half + 32 * part + l;
                q[part] = filled & (final_level(f, kept, i / 16, p->x[i], -32, 31) + 32);
            }
            low[l] = (q[0] & 15) | (q[2] & 15) << 4;
            low[32 + l] = (q[1] & 15) | (q[3] & 15) << 4;
            high[32 * half + l] = q[0] >> 4 | q[1] >> 4 << 2 | q[2] >> 4 << 4 | q[3] >> 4 << 6;
        }
        put_bytes(p, offsetof(struct q6_k, low) + 64 * (size_t)half, low, 64);
    }
    put_bytes(p, offsetof(struct q6_k, high), high, 64);
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
        f->m[j + k] = (vf){0};
    }
}

SEARCH void encode_panel(const struct panel *p, bool weighted)
{
    struct final f;
    vf scale[16];
    vi byte[16];

    for (int j = 0; j < 16; j += SYMMETRIC_ABREAST)
        search(p, weighted, j, scale, &f);

    vf top = extreme(scale, 16);
    vi filled = ~(vabs(top) < GROUP_EPSILON);
    vf gain = -128 / top;
    vf d = put_half(p, offsetof(struct q6_k, d), pick(filled, 1 / gain, (vf){0}));
    for (int j = 0; j < 16; j++) {
        vi s = vnearest(gain * scale[j]);
        s = filled & picki(s > 127, vi_all(127), s);
        byte[j] = s & 0xff;
        f.d[j] = d * vfloat((vi)((vu)s << 24) >> 24);
    }
    put_bytes(p, offsetof(struct q6_k, scale), byte, 16);
    if (final_kept(&f, 16))
        pack(p, &f, true, filled);
    else
        pack(p, &f, false, filled);
}

static void encode(const float *in, const float *weight, void *out, size_t nrows, size_t row_blocks)
{
    encode_panels(in, weight, out, nrows, row_blocks, sizeof(struct q6_k), encode_panel);
}

QTYPE(q6_k) = {
    .name = "q6_k", .label = "Q6_K", .gguf_id = 14, .block = SUPER, .nbytes = sizeof(struct q6_k),
    .decode = decode, .encode = encode,
};
