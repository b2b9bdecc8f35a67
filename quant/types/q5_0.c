/* q5_0.c - 32 levels of five bits and a scale; ggml's block_q5_0. A weight is (level - 16) * d. */
#include "quant/kernel.h"
#include "quant/simple.h"

struct q5_0 {
    uint16_t d;         /* f16: the weight of largest magnitude over -16, so that this one is met exactly */
    uint8_t high[4];    /* bit 4 of level j at bit j */
    uint8_t q[N / 2];   /* low four bits: level j in the low half of byte j, level j + 16 in the high half */
};
_Static_assert(sizeof(struct q5_0) == 22, "q5_0 is 22 bytes on disk");

static const struct simple form = {
    .levels = 32, .nbytes = sizeof(struct q5_0), .high = offsetof(struct q5_0, high), .low = offsetof(struct q5_0, q),
};

static void decode(const void *in, float *out, size_t nblocks)
{
    decode_simple(form, in, out, nblocks);
}

static void encode(const float *in, const float *weight, void *out, size_t nrows, size_t row_blocks)
{
    encode_simple(form, in, weight, out, nrows, row_blocks);
}

QTYPE(q5_0) = { .name = "q5_0", .label = "Q5_0", .gguf_id = 6, .block = N, .nbytes = sizeof(struct q5_0),
                .decode = decode, .encode = encode };
