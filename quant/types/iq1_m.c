/* iq1_m.c - 1.75 bits per weight: points of 2048 with levels -1, 0, 1, a scale per 16 weights, a shift per 8;
 * ggml's block_iq1_m. */
#include "quant/half.h"
#include "quant/kernel.h"
#include "quant/lattice.h"

#define N 256

/* The f16 scale of the block has no field of its own: its four nibbles, the lowest first, are the high bits of the
 * four scale words, whose low 12 bits hold the scales of four times 16 weights, 3 bits each. */
struct iq1_m {
    uint8_t q[N / 8];       /* low 8 bits of the points */
    uint8_t high[N / 16];   /* two nibbles [ shift is negative, 1 | high 3 bits of the point ], the first one low */
    uint8_t scale[N / 32];  /* four little-endian words */
};
_Static_assert(sizeof(struct iq1_m) == 56, "iq1_m is 56 bytes on disk");

static void decode(const void *in, float *out, size_t nblocks)
{
    const struct iq1_m *y = in;

    for (size_t n = 0; n < nblocks; n++) {
        uint16_t word[4];
        memcpy(word, y[n].scale, sizeof word);
        float d = f32_from_f16((uint16_t)(word[0] >> 12 | (word[1] >> 8 & 0xf0) | (word[2] >> 4 & 0xf00) |
                                          (word[3] & 0xf000)));

        for (int g = 0; g < N / 8; g++, out += 8) {
            float dl = d * (float)(2 * (word[g / 8] >> 3 * (g / 2 % 4) & 7) + 1);
            unsigned nibble = y[n].high[g / 2] >> 4 * (g % 2);
            float shift = nibble & 8 ? -0.125f : 0.125f;
            const float level[8] = { dl * (-1 + shift), dl * shift, dl * (1 + shift) };

            lattice_expand(out, lattice_iq1[(nibble & 7) << 8 | y[n].q[g]], 2, level, 0);
        }
    }
}

QTYPE(iq1_m) = { .name = "iq1_m", .label = "IQ1_M", .gguf_id = 29, .block = N, .nbytes = sizeof(struct iq1_m),
                .needs_weight = true,
                .decode = decode };
