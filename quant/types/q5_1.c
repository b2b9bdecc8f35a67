/* q5_1.c - 32 levels of five bits and a scale and a minimum; ggml's block_q5_1. A weight is level * d + m. */
#include "quant/kernel.h"
#include "quant/simple.h"

struct q5_1 {
    uint16_t d;         /* f16: the range of the weights over 31 */
    uint16_t m;         /* f16: the minimum */
    uint8_t high[4];    /* bit 4 of level j at bit j */
    uint8_t q[N / 2];   /* low four bits: level j in the low half of byte j, level j + 16 in the high half */
};
_Static_assert(sizeof(struct q5_1) == 24, "q5_1 is 24 bytes on disk");

static const struct simple form = {
    .levels = 32, .nbytes = sizeof(struct q5_1), .m = offsetof(struct q5_1, m), .high = offsetof(struct q5_1, high), .low = offsetof(struct q5_1, q),
};

static void decode(const void *in, float *out, size_t nblocks)
{
    decode_simple(form, in, out, nblocks);
}

static void encode(const float *in, const float *weight, void *out, size_t nrows, size_t row_blocks)
{
    encode_simple(form, in, weight, out, nrows, row_blocks);
}

QTYPE(q5_1) = { .name = "q5_1", .label = "Q5_1", .gguf_id = 7, .block = N, .nbytes = sizeof(struct q5_1),
                .decode = decode, .encode = encode };
