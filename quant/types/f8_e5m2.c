/* f8_e5m2.c - one sign, five exponent (bias 15), two mantissa bits: the upper byte of a half. */
#include "quant/float8.h"
#include "quant/kernel.h"

static void decode(const void *in, float *out, size_t n)
{
    decode_float8(in, out, n, 8, 1, -1);
}

QTYPE(f8_e5m2) = { .name = "f8_e5m2", .label = "F8_E5M2", .safetensors = "F8_E5M2", .gguf_id = -1,
                   .block = 1, .nbytes = 1, .decode = decode };
