/* q1_0.c - 128 signs and their mean magnitude; ggml's block_q1_0. */
#include "quant/half.h"
#include "quant/kernel.h"
#include "quant/turn.h"

#define N 128

struct q1_0 {
    uint16_t d;             /* f16 */
    uint8_t bit[N / 8];     /* weight j at bit j % 8 of byte j / 8; 1: +d, 0: -d */
};
_Static_assert(sizeof(struct q1_0) == 18, "q1_0 is 18 bytes on disk");

static void decode(const void *in, float *out, size_t nblocks)
{
    const struct q1_0 *y = in;
    vi bit = vi_all(1) << vlane();

    for (size_t n = 0; n < nblocks; n++) {
        vi d = (vi)vf_all(f32_from_f16(y[n].d));
        uint32_t word[N / 32];
        memcpy(word, y[n].bit, sizeof word);
        for (int i = 0; i < N; i += LANES) {
            vi clear = (vi_all((int32_t)(word[i / 32] >> i % 32)) & bit) == 0;
            vf_store(out + N * n + i, (vf)(d ^ (clear & INT32_MIN)));
        }
    }
}

/* Magnitudes are summed from left to right, as the reference does: a block per lane. */
static void encode_lanes(const float *x, struct q1_0 *y, int live)
{
    vf sum = {0}, col[LANES];

    for (int i = 0; i < N; i += LANES) {
        columns(x + i, N, LANES, live, col);
        for (int k = 0; k < LANES; k++)
            sum += vabs(col[k]);
    }
    vu half = vf16_from_f32(sum / N);
    for (int k = 0; k < live; k++, x += N) {
        uint32_t word[N / 32] = { 0 };
        for (int i = 0; i < N; i += LANES)
            word[i / 32] |= vbits(vf_load(x + i) >= 0) << i % 32;
        y[k].d = (uint16_t)half[k];
        memcpy(y[k].bit, word, sizeof word);
    }
}

static void encode(const float *in, const float *weight, void *out, size_t nrows, size_t row_blocks)
{
    struct q1_0 *y = out;
    size_t nblocks = nrows * row_blocks;

    (void)weight;
    for (size_t n = 0; n < nblocks; n += LANES)
        encode_lanes(in + N * n, y + n, at_most_lanes(nblocks - n));
}

QTYPE(q1_0) = { .name = "q1_0", .label = "Q1_0", .gguf_id = 41, .block = N, .nbytes = sizeof(struct q1_0),
                .decode = decode, .encode = encode };
