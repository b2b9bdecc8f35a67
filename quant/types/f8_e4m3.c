/* f8_e4m3.c - one sign, four exponent (bias 7), three mantissa bits; no infinities, 0x7f and 0xff are NaN. As a half,
 * whose bias is 15, it is 2^8 times too small. */
#include "quant/float8.h"
#include "quant/kernel.h"

static void decode(const void *in, float *out, size_t n)
{
    decode_float8(in, out, n, 7, 0x1p8f, 0x7f);
}

QTYPE(f8_e4m3) = { .name = "f8_e4m3", .label = "F8_E4M3", .safetensors = "F8_E4M3", .gguf_id = -1,
                   .block = 1, .nbytes = 1, .decode = decode };
