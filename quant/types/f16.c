/* f16.c - IEEE half precision. */
#include "quant/half.h"
#include "quant/kernel.h"

typedef uint16_t halves __attribute__((vector_size(2 * LANES)));

static void decode(const void *in, float *out, size_t n)
{
    const uint16_t *half = in;
    size_t i = 0;

    for (; i + LANES <= n; i += LANES) {
        halves h;
        memcpy(&h, half + i, sizeof h);
        vf_store(out + i, vf32_from_f16(__builtin_convertvector(h, vu)));
    }
    for (; i < n; i++)
        out[i] = f32_from_f16(half[i]);
}

static void encode(const float *in, const float *weight, void *out, size_t nrows, size_t row_blocks)
{
    uint16_t *half = out;
    size_t i = 0, n = nrows * row_blocks;

    (void)weight;
    for (; i + LANES <= n; i += LANES) {
        halves h = __builtin_convertvector(vf16_from_f32(vf_load(in + i)), halves);
        memcpy(half + i, &h, sizeof h);
    }
    for (; i < n; i++)
        half[i] = f16_from_f32(in[i]);
}

QTYPE(f16) = { .name = "f16", .label = "F16", .safetensors = "F16", .gguf_id = 1, .half = HALF_F16,
               .block = 1, .nbytes = sizeof(uint16_t), .decode = decode, .encode = encode };
