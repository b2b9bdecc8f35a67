/* tq2_0.c - 256 ternary weights of two bits each; ggml's block_tq2_0. */
#include "quant/kernel.h"
#include "quant/ternary.h"

struct tq2_0 {
    uint8_t q[N / 4];       /* weight 128a + 32b + c, plus one, at bits 2b of byte 32a + c */
    uint16_t d;             /* f16: the largest magnitude */
};
_Static_assert(sizeof(struct tq2_0) == 66, "tq2_0 is 66 bytes on disk");

static void decode(const void *in, float *restrict out, size_t nblocks)
{
    const struct tq2_0 *restrict y = in;

    for (size_t n = 0; n < nblocks; n++) {
        float d = f32_from_f16(y[n].d);
        for (int a = 0; a < N / 4; a += 32)
            for (int b = 0; b < 4; b++, out += 32)
                for (int c = 0; c < 32; c++)
                    out[c] = (float)((y[n].q[a + c] >> 2 * b & 3) - 1) * d;
    }
}

static void encode_lanes(const float *x, struct tq2_0 *y, int live)
{
    uint16_t half[LANES];
    float inverse[LANES];

    ternary_scales(x, live, half, inverse);
    for (int k = 0; k < live; k++, x += N) {
        for (int i = 0; i < N / 4; i += 16) {       /* 16 bytes from four stretches of 16 weights */
            const float *from = x + i / 32 * 128 + i % 32;
            vi q[16 / LANES] = { 0 }, trit[16 / LANES];
            for (int b = 0; b < 4; b++) {
                trits(from + 32 * b, inverse[k], trit);
                for (int j = 0; j < 16 / LANES; j++)
                    q[j] |= trit[j] << 2 * b;
            }
            bytes_store(y[k].q + i, q);
        }
        y[k].d = half[k];
    }
}

static void encode(const float *in, const float *weight, void *out, size_t nrows, size_t row_blocks)
{
    struct tq2_0 *y = out;
    size_t nblocks = nrows * row_blocks;

    (void)weight;
    for (size_t n = 0; n < nblocks; n += LANES)
        encode_lanes(in + N * n, y + n, at_most_lanes(nblocks - n));
}

QTYPE(tq2_0) = { .name = "tq2_0", .label = "TQ2_0", .gguf_id = 35, .block = N, .nbytes = sizeof(struct tq2_0),
                 .decode = decode, .encode = encode };
