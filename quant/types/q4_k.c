/* q4_k - 256 weights in 8 groups: w = d * scale[j] * q - dmin * min[j], q in 0..15.
 *
 * Scales and minimums are packed as superblock.h draws it. Bytes 32 c to 32 c + 31 of `q` hold groups 2 c (low
 * nibbles) and 2 c + 1 (high nibbles).
 */
#include "quant/kernel.h"
#include "quant/superblock.h"

struct q4_k {
    struct six_bits scale;
    uint8_t q[128];
};
_Static_assert(sizeof(struct q4_k) == 144, "q4_k is 144 bytes on disk");

static const struct affine_kind kind = {
    .n = 32, .nmax = 15, .mean = true, .variance = 2,
    .plain = { -1, 0.1f, 20, false }, .weighted = { -0.9f, 0.05f, 36, false },
};

static void decode(const void *in, float *out, size_t nblocks)
{
    const struct q4_k *y = in;

    for (size_t n = 0; n < nblocks; n++) {
        float d = f32_from_f16(y[n].scale.d), dmin = f32_from_f16(y[n].scale.dmin);
        uint8_t scale[8], min[8];
        read_six_bits(y[n].scale.byte, scale, min);
        for (int j = 0; j < 8; j++, out += 32) {
            float s = d * scale[j], m = dmin * min[j];
            const uint8_t *q = y[n].q + 32 * (j / 2);
            for (int i = 0; i < 32; i++)
                out[i] = s * (float)(q[i] >> 4 * (j & 1) & 15) - m;
        }
    }
}

/* A block as words. */
enum { SCALE_WORDS = 0, Q_WORDS = 4, WORDS = 36 };

SEARCH void pack(const struct panel *p, struct final *f, enum how how, vu word[WORDS])
{
    for (int c = 0; c < 4; c++)
        for (int i = 0; i < 32; i += 4) {
            const vf *x = p->x + 64 * c + i;
            word[Q_WORDS + 8 * c + i / 4] = final_codes(f, how, 2 * c, x, 0, 15) | final_codes(f, how, 2 * c + 1, x + 32, 0, 15) << 4;
        }
}

SEARCH void encode_panel(const struct panel *p, bool weighted)
{
    struct groups g;
    struct final f;
    vu word[WORDS];

    fit_groups(p, kind, weighted, &g);
    finish_six_bits(&g, weighted, !weighted, &f, word + SCALE_WORDS);
    final_pack(p, &f, 8, pack, word);
    put_words(p, word, WORDS);
}

static __attribute__((noinline)) void encode_half(const void *in, enum half_kind half, const float *weight, void *out, size_t nrows,
                                                  size_t row_blocks)
{
    encode_panels(in, half, weight, out, nrows, row_blocks, sizeof(struct q4_k), encode_panel);
}

static void encode(const float *in, const float *weight, void *out, size_t nrows, size_t row_blocks)
{
    encode_half(in, HALF_NONE, weight, out, nrows, row_blocks);
}

QTYPE(q4_k) = {
    .name = "q4_k", .label = "Q4_K", .gguf_id = 12, .block = SUPER, .nbytes = sizeof(struct q4_k),
    .decode = decode, .encode = encode, .encode_half = encode_half,
};
