/* tq1_0.c - 256 ternary weights, five to a byte; ggml's block_tq1_0.
 *
 * Five trits make a number below 243, most significant first. It is stored as the upper byte of number * 256 / 243,
 * rounded up: multiplying the byte by 3 then carries the first trit out at the top and leaves the others as the
 * next such fraction. */
#include "quant/kernel.h"
#include "quant/ternary.h"

struct tq1_0 {
    uint8_t q[48];          /* bytes 0..31: weights c + 32b of the first 160; bytes 32..47: c + 16b of the next 80 */
    uint8_t last[4];        /* weights c + 4b of the last 16, b = 0..3; the fifth trit is 0 */
    uint16_t d;             /* f16: the largest magnitude */
};
_Static_assert(sizeof(struct tq1_0) == 54, "tq1_0 is 54 bytes on disk");

/* Trit b of each of n bytes. */
static inline void decode_trits(const uint8_t *restrict q, int n, int b, float d, float *restrict out)
{
    static const uint8_t power[5] = { 1, 3, 9, 27, 81 };

    for (int c = 0; c < n; c++)
        out[c] = (float)(((uint8_t)(q[c] * power[b]) * 3 >> 8) - 1) * d;
}

static void decode(const void *in, float *out, size_t nblocks)
{
    const struct tq1_0 *y = in;

    for (size_t n = 0; n < nblocks; n++, out += N) {
        float d = f32_from_f16(y[n].d);
        for (int b = 0; b < 5; b++) {
            decode_trits(y[n].q, 32, b, d, out + 32 * b);
            decode_trits(y[n].q + 32, 16, b, d, out + 160 + 16 * b);
        }
        for (int b = 0; b < 4; b++)
            decode_trits(y[n].last, 4, b, d, out + 240 + 4 * b);
    }
}

/* ceil(q * 256 / 243) for q < 243, in numbers a small multiplication holds: q + ceil(13 q / 243). */
static inline vi fraction(vi q)
{
    return q + ((13 * q + 242) * 270 >> 16);
}

/* 16 bytes of five trits each; the weights of a trit stand `stride` after those of the one before. */
static inline void encode_trits(const float *x, int stride, float inverse, uint8_t out[16])
{
    vi q[16 / LANES] = { 0 }, trit[16 / LANES];

    for (int b = 0; b < 5; b++) {
        trits(x + stride * b, inverse, trit);
        for (int i = 0; i < 16 / LANES; i++)
            q[i] = 3 * q[i] + trit[i];
    }
    for (int i = 0; i < 16 / LANES; i++)
        q[i] = fraction(q[i]);
    bytes_store(out, q);
}

/* The last 16 weights: byte c takes weights c, c + 4, c + 8, c + 12. */
static inline void encode_last(const float *x, float inverse, uint8_t out[4])
{
    vi trit[16 / LANES];
    uint8_t t[16];

    trits(x, inverse, trit);
    bytes_store(t, trit);
    for (int c = 0; c < 4; c++) {
        int q = ((t[c] * 3 + t[c + 4]) * 3 + t[c + 8]) * 9 + t[c + 12] * 3;
        out[c] = (uint8_t)((q * 256 + 242) / 243);
    }
}

static void encode_lanes(const float *x, struct tq1_0 *y, int live)
{
    uint16_t half[LANES];
    float inverse[LANES];

    ternary_scales(x, live, half, inverse);
    for (int k = 0; k < live; k++, x += N) {
        encode_trits(x, 32, inverse[k], y[k].q);
        encode_trits(x + 16, 32, inverse[k], y[k].q + 16);
        encode_trits(x + 160, 16, inverse[k], y[k].q + 32);
        encode_last(x + 240, inverse[k], y[k].last);
        y[k].d = half[k];
    }
}

static void encode(const float *in, const float *weight, void *out, size_t nrows, size_t row_blocks)
{
    struct tq1_0 *y = out;
    size_t nblocks = nrows * row_blocks;

    (void)weight;
    for (size_t n = 0; n < nblocks; n += LANES)
        encode_lanes(in + N * n, y + n, at_most_lanes(nblocks - n));
}

QTYPE(tq1_0) = { .name = "tq1_0", .label = "TQ1_0", .gguf_id = 34, .block = N, .nbytes = sizeof(struct tq1_0),
                 .decode = decode, .encode = encode };
