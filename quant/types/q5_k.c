/* q5_k - 256 weights in 8 groups: w = d * scale[j] * q - dmin * min[j], q in 0..31.
 *
 * Scales and minimums are packed as superblock.h draws it. Bytes 32 c to 32 c + 31 of `low` hold the low 4 bits of
 * groups 2 c (low nibbles) and 2 c + 1 (high nibbles); bit j of high[i] is the fifth bit of weight i of group j. */
#include "quant/kernel.h"
#include "quant/superblock.h"

struct q5_k {
    struct six_bits scale;
    uint8_t high[32], low[128];
};
_Static_assert(sizeof(struct q5_k) == 176, "q5_k is 176 bytes on disk");

static const struct affine_kind kind = {
    .n = 32, .nmax = 31, .mean = true, .variance = 2,
    .plain = { -0.5f, 0.1f, 15, false }, .weighted = { -0.9f, 0.05f, 36, false },
};

static void decode(const void *in, float *out, size_t nblocks)
{
    const struct q5_k *y = in;

    for (size_t n = 0; n < nblocks; n++) {
        float d = f32_from_f16(y[n].scale.d), dmin = f32_from_f16(y[n].scale.dmin);
        uint8_t scale[8], min[8];
        read_six_bits(y[n].scale.byte, scale, min);
        for (int j = 0; j < 8; j++, out += 32) {
            float s = d * scale[j], m = dmin * min[j];
            const uint8_t *low = y[n].low + 32 * (j / 2);
            for (int i = 0; i < 32; i++) {
                int q = (low[i] >> 4 * (j & 1) & 15) | (y[n].high[i] >> j & 1) << 4;
                out[i] = s * (float)q - m;
            }
        }
    }
}

SEARCH void pack(const struct panel *p, const struct final *f, bool kept)
{
    vi high[32] = { {0} };

    for (int c = 0; c < 4; c++) {
        const vf *x = p->x + 64 * c;
        vi low[32];
        for (int i = 0; i < 32; i++) {
            vi a = final_level(f, kept, 2 * c, x[i], 0, 31), b = final_level(f, kept, 2 * c + 1, x[32 + i], 0, 31);
            low[i] = (a & 15) | (b & 15) << 4;
            high[i] |= (a >> 4 | b >> 4 << 1) << 2 * c;
        }
        put_bytes(p, offsetof(struct q5_k, low) + 32 * (size_t)c, low, 32);
    }
    put_bytes(p, offsetof(struct q5_k, high), high, 32);
}

SEARCH void encode_panel(const struct panel *p, bool weighted)
{
    struct groups g;
    struct final f;

    fit_groups(p, kind, weighted, &g);
    finish_six_bits(p, &g, weighted, true, &f);
    if (final_kept(&f, 8))
        pack(p, &f, true);
    else
        pack(p, &f, false);
}

static void encode(const float *in, const float *weight, void *out, size_t nrows, size_t row_blocks)
{
    encode_panels(in, weight, out, nrows, row_blocks, sizeof(struct q5_k), encode_panel);
}

QTYPE(q5_k) = {
    .name = "q5_k", .label = "Q5_K", .gguf_id = 13, .block = SUPER, .nbytes = sizeof(struct q5_k),
    .decode = decode, .encode = encode,
};
