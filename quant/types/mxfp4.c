/* mxfp4.c - 32 four-bit floats and a power of two; ggml's block_mxfp4, the MXFP4 of the OCP specification. */
#include "quant/fp4.h"
#include "quant/kernel.h"
#include "quant/turn.h"

#define N 32

struct mxfp4 {
    uint8_t e;              /* E8M0: the scale is 2^(e - 127) */
    uint8_t q[N / 2];       /* code j in the low half of byte j, code j + 16 in the high half */
};
_Static_assert(sizeof(struct mxfp4) == 17, "mxfp4 is 17 bytes on disk");

/* 2^(e - 128): half the scale, for the doubled values. */
static inline float half_scale(uint8_t e)
{
    uint32_t bits = e < 2 ? 0x00200000u << e : (uint32_t)(e - 1) << 23;
    float d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

static void decode(const void *in, float *out, size_t nblocks)
{
    const struct mxfp4 *y = in;

    for (size_t n = 0; n < nblocks; n++) {
        float d = half_scale(y[n].e);
        vi code[N / LANES];
        nibbles_load(y[n].q, code);
        for (int i = 0; i < N / LANES; i++)
            vf_store(out + N * n + LANES * i, vlookup(fp4_value, code[i]) * d);
    }
}

/* floor(log2f(x)), x > 0, where the logarithm is first rounded to a float, as the reference's is: x just below
 * 2^(e + 1) comes out as e + 1. With x = 2^(e + 1) * (1 - missing * 2^-24) the logarithm lacks missing * 2^-24 / ln 2,
 * and half its last place is n * 2^-24, n being the power of two at or below its magnitude: missing <= 0.69 n. */
static inline int floor_log2(float x)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    int e = (int)(bits >> 23) - 127, subnormal = bits < 0x00800000 ? __builtin_clz(bits) - 8 : 0;
    if (subnormal) {
        bits <<= subnormal;
        e = -126 - subnormal;
    }
    uint32_t missing = 0x00800000 - (bits & 0x007fffff), n = (uint32_t)(e < 0 ? ~e : e);
    return e + (n != 0 && missing <= 88u >> (__builtin_clz(n | 1) - 24));
}

static void encode_lanes(const float *x, struct mxfp4 *y, int live)
{
    float top[LANES];

    vf_store(top, vtops(x, N, live));
    for (int k = 0; k < live; k++, x += N) {
        vi code[N / LANES];
        y[k].e = top[k] > 0 ? (uint8_t)(floor_log2(top[k]) - 2 + 127) : 0;  /* wraps below 2^-125, as the reference's */
        fp4_codes(x, N, half_scale(y[k].e), code);
        nibbles_store(y[k].q, code);
    }
}

static void encode(const float *in, const float *weight, void *out, size_t nrows, size_t row_blocks)
{
    struct mxfp4 *y = out;
    size_t nblocks = nrows * row_blocks;

    (void)weight;
    for (size_t n = 0; n < nblocks; n += LANES)
        encode_lanes(in + N * n, y + n, at_most_lanes(nblocks - n));
}

QTYPE(mxfp4) = { .name = "mxfp4", .label = "MXFP4", .gguf_id = 39, .block = N, .nbytes = sizeof(struct mxfp4),
                 .decode = decode, .encode = encode };
