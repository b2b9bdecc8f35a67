/* bf16.c - the upper half of a float. The loops are plain: compilers vectorize integer work by themselves. */
#include "quant/half.h"
#include "quant/kernel.h"

static void decode(const void *in, float *restrict out, size_t n)
{
    const uint16_t *restrict half = in;

    for (size_t i = 0; i < n; i++)
        out[i] = f32_from_bf16(half[i]);
}

static void encode(const float *restrict in, const float *weight, void *out, size_t nrows, size_t row_blocks)
{
    uint16_t *restrict half = out;

    (void)weight;
    for (size_t i = 0; i < nrows * row_blocks; i++)
        half[i] = bf16_from_f32(in[i]);
}

QTYPE(bf16) = { .name = "bf16", .label = "BF16", .safetensors = "BF16", .gguf_id = 30, .half = HALF_BF16,
                .block = 1, .nbytes = sizeof(uint16_t), .decode = decode, .encode = encode };
