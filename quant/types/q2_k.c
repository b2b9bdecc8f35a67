/* q2_k - 256 weights in 16 groups: w = d * (scale[j] & 15) * q - dmin * (scale[j] >> 4), q in 0..3.
 *
 * Either half of the block has 32 bytes of `q`; byte l holds weights l, l + 32, l + 64, l + 96 of that half, the
 * first in the low bits. */
#include "quant/kernel.h"
#include "quant/superblock.h"

struct q2_k {
    uint8_t scale[16], q[64];
    uint16_t d, dmin;
};
_Static_assert(sizeof(struct q2_k) == 84, "q2_k is 84 bytes on disk");

static const struct affine_kind kind = {
    .n = 16, .nmax = 3, .mean = false, .variance = 1,
    .plain = { -0.5f, 0.1f, 15, true }, .weighted = { -0.9f, 0.05f, 36, false },
};

static void decode(const void *in, float *out, size_t nblocks)
{
    const struct q2_k *y = in;

    for (size_t n = 0; n < nblocks; n++) {
        float d = f32_from_f16(y[n].d), dmin = f32_from_f16(y[n].dmin);
        for (int j = 0; j < 16; j++, out += 16) {
            float s = d * (float)(y[n].scale[j] & 15), m = dmin * (float)(y[n].scale[j] >> 4);
            const uint8_t *q = y[n].q + 32 * (j / 8) + 16 * (j & 1);
            int shift = j / 2 % 4 * 2;
            for (int i = 0; i < 16; i++)
                out[i] = s * (float)(q[i] >> shift & 3) - m;
        }
    }
}

/* A block as words. */
enum { SCALE_WORDS = 0, Q_WORDS = 4, D_WORD = 20, WORDS = 21 };

/* Rounds the groups' scales and minimums to four bits each. */
SEARCH void finish(const struct groups *g, bool weighted, struct final *f, vu word[WORDS])
{
    vi scale[16], min[16], byte[16];
    vu half_d, half_min;
    vf d = weighted ? fit_positive(g->scale, g->weight, 16, 15, scale) : spread(g->scale, 16, 15, scale);
    vf dmin = weighted ? fit_positive(g->min, g->weight, 16, 15, min) : spread(g->min, 16, 15, min);

    d = through_half(d, &half_d);
    dmin = through_half(dmin, &half_min);
    word[D_WORD] = half_d | half_min << 16;
    for (int j = 0; j < 16; j++) {
        byte[j] = (scale[j] | min[j] << 4) & 0xff;
        f->d[j] = d * vfloat(byte[j] & 15);
        f->m[j] = dmin * vfloat(byte[j] >> 4);
        f->cut[j] = g->cut[j];
    }
    for (int j = 0; j < 4; j++)
        word[SCALE_WORDS + j] = word_of(byte + 4 * j);
}

SEARCH void pack(const struct panel *p, struct final *f, enum how how, vu word[WORDS])
{
    for (int half = 0; half < 2; half++)
        for (int l = 0; l < 32; l += 4) {
            vu q = {0};
            for (int part = 0; part < 4; part++) {
                int i = 128 * half + 32 * part + l;
                q |= final_codes(f, how, i / 16, p->x + i, 0, 3) << 2 * part;
            }
            word[Q_WORDS + 8 * half + l / 4] = q;
        }
}

SEARCH void encode_panel(const struct panel *p, bool weighted)
{
    struct groups g;
    struct final f;
    vu word[WORDS];

    fit_groups(p, kind, weighted, &g);
    finish(&g, weighted, &f, word);
    final_pack(p, &f, 16, pack, word);
    put_words(p, word, WORDS);
}

static __attribute__((noinline)) void encode_half(const void *in, enum half_kind half, const float *weight, void *out, size_t nrows,
                                                  size_t row_blocks)
{
    encode_panels(in, half, weight, out, nrows, row_blocks, sizeof(struct q2_k), encode_panel);
}

static void encode(const float *in, const float *weight, void *out, size_t nrows, size_t row_blocks)
{
    encode_half(in, HALF_NONE, weight, out, nrows, row_blocks);
}

QTYPE(q2_k) = {
    .name = "q2_k", .label = "Q2_K", .gguf_id = 10, .block = SUPER, .nbytes = sizeof(struct q2_k),
    .decode = decode, .encode = encode, .encode_half = encode_half,
};
