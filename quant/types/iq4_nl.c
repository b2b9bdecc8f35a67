/* iq4_nl.c - 32 indexes into 16 uneven values and a scale; ggml's block_iq4_nl. */
#include "quant/iq4.h"
#include "quant/kernel.h"

struct iq4_nl {
    uint16_t d;             /* f16 */
    uint8_t q[16];          /* index j in the low half of byte j, index j + 16 in the high half */
};
_Static_assert(sizeof(struct iq4_nl) == 18, "iq4_nl is 18 bytes on disk");

static void decode(const void *in, float *out, size_t nblocks)
{
    const struct iq4_nl *y = in;

    for (size_t n = 0; n < nblocks; n++)
        iq4_decode(y[n].q, f32_from_f16(y[n].d), out + GROUP * n);
}

static void encode_lanes(const float *in, const float *importance, struct iq4_nl *y, int live)
{
    vf x[GROUP], w[GROUP], sum = {0};
    uint8_t *out[LANES];

    columns(in, GROUP, GROUP, live, x);
    for (int i = 0; importance && i < GROUP; i++)
        sum += x[i] * x[i];
    iq4_weights(x, importance, sum * (2.0f / GROUP), live, w);
    vf scale = iq4_search(x, w);
    vu half = vf16_from_f32(scale);
    for (int k = 0; k < live; k++) {
        y[k].d = (uint16_t)half[k];
        out[k] = y[k].q;
    }
    iq4_store(x, scale, out, live);
}

static void encode(const float *in, const float *weight, void *out, size_t nrows, size_t row_blocks)
{
    struct iq4_nl *y = out;

    if (!weight) {          /* then rows mean nothing */
        row_blocks *= nrows;
        nrows = 1;
    }
    for (size_t row = 0; row < nrows; row++, in += GROUP * row_blocks, y += row_blocks)
        for (size_t n = 0; n < row_blocks; n += LANES)
            encode_lanes(in + GROUP * n, weight ? weight + GROUP * n : NULL, y + n, at_most_lanes(row_blocks - n));
}

QTYPE(iq4_nl) = { .name = "iq4_nl", .label = "IQ4_NL", .gguf_id = 20, .block = GROUP,
                  .nbytes = sizeof(struct iq4_nl), .decode = decode, .encode = encode };
