/* q8_0.c - 32 signed bytes and a scale; ggml's block_q8_0. */
#include "quant/half.h"
#include "quant/kernel.h"
#include "quant/turn.h"

struct q8_0 {
    uint16_t d;         /* f16: the largest magnitude over 127 */
    int8_t q[32];
};
_Static_assert(sizeof(struct q8_0) == 34, "q8_0 is 34 bytes on disk");

#define N 32
#define STEPS (N / LANES)       /* vectors in a block */

static void decode(const void *in, float *restrict out, size_t nblocks)
{
    const struct q8_0 *restrict y = in;

    for (size_t n = 0; n < nblocks; n++) {
        float d = f32_from_f16(y[n].d);
        for (int i = 0; i < N; i++)
            out[N * n + i] = (float)y[n].q[i] * d;
    }
}

/* LANES blocks side by side: only the scales need lanes, the weights stay where they lie. */
static inline __attribute__((always_inline)) void encode_lanes(const float *x, struct q8_0 *y, int live)
{
    float inverse[LANES];
    vf d = vtops(x, N, live) / 127;
    vu half = vf16_from_f32(d);
    vf_store(inverse, pick(d > 0, 1 / d, d));
    for (int k = 0; k < live; k++) {
        uint8_t *byte = (uint8_t *)y[k].q;
        vi q[STEPS];

        for (int i = 0; i < STEPS; i++)
            q[i] = vround(vf_load(x + N * k + LANES * i) * inverse[k]);
        bytes_store(byte, q);
        bytes_store(byte + 16, q + STEPS / 2);
        y[k].d = (uint16_t)half[k];
    }
}

static void encode(const float *in, const float *weight, void *out, size_t nrows, size_t row_blocks)
{
    struct q8_0 *y = out;
    size_t nblocks = nrows * row_blocks;

    (void)weight;               /* plain rounding has no use for importance */
    for (size_t n = 0; n < nblocks; n += LANES)
        if (nblocks - n >= LANES)
            encode_lanes(in + N * n, y + n, LANES);     /* a constant: compilers unroll its loops */
        else
            encode_lanes(in + N * n, y + n, (int)(nblocks - n));
}

QTYPE(q8_0) = { .name = "q8_0", .label = "Q8_0", .gguf_id = 8, .block = N, .nbytes = sizeof(struct q8_0),
                .decode = decode, .encode = encode };
