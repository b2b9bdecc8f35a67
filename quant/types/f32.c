/* f32.c - plain floats. */
#include "quant/kernel.h"

#include <string.h>

static void decode(const void *in, float *out, size_t n)
{
    memcpy(out, in, n * sizeof *out);
}

static void encode(const float *in, const float *weight, void *out, size_t nrows, size_t row_blocks)
{
    (void)weight;
    memcpy(out, in, nrows * row_blocks * sizeof *in);
}

QTYPE(f32) = { .name = "f32", .label = "F32", .safetensors = "F32", .gguf_id = 0,
               .block = 1, .nbytes = sizeof(float), .decode = decode, .encode = encode };
