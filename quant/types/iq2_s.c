/* iq2_s.c - 2.56 bits per weight: points of 1024, all signs, a scale per 16 weights; ggml's block_iq2_s. */
#include "quant/half.h"
#include "quant/kernel.h"
#include "quant/lattice.h"

#define N 256

struct iq2_s {
    uint16_t d;             /* f16 */
    uint8_t q[N / 8];       /* low 8 bits of the points */
    uint8_t sign[N / 8];
    uint8_t high[N / 32];   /* bits 8 and 9 of four points, the first one lowest */
    uint8_t scale[N / 32];  /* [ second 16 weights, 4 | first 16 weights, 4 ] */
};
_Static_assert(sizeof(struct iq2_s) == 82, "iq2_s is 82 bytes on disk");

static void decode(const void *in, float *out, size_t nblocks)
{
    const struct iq2_s *y = in;

    for (size_t n = 0; n < nblocks; n++) {
        float d = f32_from_f16(y[n].d);

        for (int ib = 0; ib < N / 16; ib++) {
            float db = d * (0.5f + (float)(y[n].scale[ib / 2] >> 4 * (ib % 2) & 15)) * 0.25f;
            const float level[8] = { db * 8, db * 25, db * 43 };

            for (int g = 2 * ib; g < 2 * ib + 2; g++, out += 8) {
                unsigned high = y[n].high[g / 4] >> 2 * (g % 4) & 3;
                lattice_expand(out, lattice_iq2_s[high << 8 | y[n].q[g]], 2, level, y[n].sign[g]);
            }
        }
    }
}

QTYPE(iq2_s) = { .name = "iq2_s", .label = "IQ2_S", .gguf_id = 22, .block = N, .nbytes = sizeof(struct iq2_s),
                .needs_weight = true,
                .decode = decode };
