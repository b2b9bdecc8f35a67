/* boolean.c - a byte per truth value: 0 is 0, everything else 1. */
#include "quant/kernel.h"

static void decode(const void *in, float *restrict out, size_t n)
{
    const uint8_t *restrict byte = in;

    for (size_t i = 0; i < n; i++)
        out[i] = byte[i] ? 1 : 0;
}

QTYPE(boolean) = { .name = "bool", .label = "BOOL", .safetensors = "BOOL", .gguf_id = -1, .block = 1, .nbytes = 1,
                   .decode = decode };
