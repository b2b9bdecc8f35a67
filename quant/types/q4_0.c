/* q4_0.c - 32 levels of four bits and a scale; ggml's block_q4_0. A weight is (level - 8) * d. */
#include "quant/kernel.h"
#include "quant/simple.h"

struct q4_0 {
    uint16_t d;         /* f16: the weight of largest magnitude over -8, so that this one is met exactly */
    uint8_t q[N / 2];   /* low four bits: level j in the low half of byte j, level j + 16 in the high half */
};
_Static_assert(sizeof(struct q4_0) == 18, "q4_0 is 18 bytes on disk");

static const struct simple form = {
    .levels = 16, .nbytes = sizeof(struct q4_0), .low = offsetof(struct q4_0, q),
};

static void decode(const void *in, float *out, size_t nblocks)
{
    decode_simple(form, in, out, nblocks);
}

static void encode(const float *in, const float *weight, void *out, size_t nrows, size_t row_blocks)
{
    encode_simple(form, in, weight, out, nrows, row_blocks);
}

QTYPE(q4_0) = { .name = "q4_0", .label = "Q4_0", .gguf_id = 2, .block = N, .nbytes = sizeof(struct q4_0),
                .decode = decode, .encode = encode };
