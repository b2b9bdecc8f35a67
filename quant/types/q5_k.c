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

/* A block as words. */
enum { SCALE_WORDS = 0, HIGH_WORDS = 4, LOW_WORDS = 12, WORDS = 44 };

SEARCH void pack(const struct panel *p, struct final *f, enum how how, vu word[WORDS])
{
    for (int i = 0; i < 32; i += 4) {
        vu high = {0};
        for (int c = 0; c < 4; c++) {
            const vf *x = p->x + 64 * c + i;
            vu a = final_codes(f, how, 2 * c, x, 0, 31), b = final_codes(f, how, 2 * c + 1, x + 32, 0, 31);
            word[LOW_WORDS + 8 * c + i / 4] = (a & 0x0f0f0f0f) | (b & 0x0f0f0f0f) << 4;
            high |= (a >> 4 & 0x01010101) << 2 * c | (b >> 4 & 0x01010101) << (2 * c + 1);
        }
        word[HIGH_WORDS + i / 4] = high;
    }
}

SEARCH void encode_panel(const struct panel *p, bool weighted)
{
    struct groups g;
    struct final f;
    vu word[WORDS];

    fit_groups(p, kind, weighted, &g);
    finish_six_bits(&g, weighted, true, &f, word + SCALE_WORDS);
    final_pack(p, &f, 8, pack, word);
    put_words(p, word, WORDS);
}

static __attribute__((noinline)) void encode_half(const void *in, enum half_kind half, const float *weight, void *out, size_t nrows,
                                                  size_t row_blocks)
{
    encode_panels(in, half, weight, out, nrows, row_blocks, sizeof(struct q5_k), encode_panel);
}

static void encode(const float *in, const float *weight, void *out, size_t nrows, size_t row_blocks)
{
    encode_half(in, HALF_NONE, weight, out, nrows, row_blocks);
}

QTYPE(q5_k) = {
    .name = "q5_k", .label = "Q5_K", .gguf_id = 13, .block = SUPER, .nbytes = sizeof(struct q5_k),
    .decode = decode, .encode = encode, .encode_half = encode_half,
};
