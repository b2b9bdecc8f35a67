/* float8.h - 8-bit floats of the OCP specification "8-bit Floating Point (OFP8)", to read only. Both formats are
 * made halves by shifting, which the CPU or half.h turns into floats. */
#ifndef BANTAM_FLOAT8_H
#define BANTAM_FLOAT8_H

#include "quant/half.h"
#include "quant/turn.h"

/* LANES bytes' bits as halves, times scale; the lanes that equal nan under the mask 0x7f become NaN. */
static inline vf float8(vi byte, int shift, float scale, int nan)
{
    vi half = (byte & 0x80) << 8 | (byte & 0x7f) << shift;
    vf x = vf32_from_f16((vu)half) * scale;
    return (vf)((vi)x | (((byte & 0x7f) == nan) & 0x7fc00000));
}

static inline void decode16_float8(const uint8_t byte[16], float out[16], int shift, float scale, int nan)
{
    vi code[16 / LANES];

    bytes_load(byte, code);
    for (int k = 0; k < 16 / LANES; k++)
        vf_store(out + LANES * k, float8(code[k], shift, scale, nan));
}

static inline void decode_float8(const void *in, float *out, size_t n, int shift, float scale, int nan)
{
    const uint8_t *byte = in;
    uint8_t last[16] = { 0 };
    float x[16];
    size_t i = 0;

    for (; i + 16 <= n; i += 16)
        decode16_float8(byte + i, out + i, shift, scale, nan);
    if (i < n) {
        memcpy(last, byte + i, n - i);
        decode16_float8(last, x, shift, scale, nan);
        memcpy(out + i, x, (n - i) * sizeof *x);
    }
}

#endif
