/* iq2_xs.c - 2.31 bits per weight: points of 512, seven of eight signs, a scale per 16 weights; ggml's block_iq2_xs. */
#include "quant/half.h"
#include "quant/kernel.h"
#include "quant/lattice.h"

#define N 256

struct iq2_xs {
    uint16_t d;             /* f16 */
    uint16_t q[N / 8];      /* [ signs, 7 | point, 9 ] */
    uint8_t scale[N / 32];  /* [ second 16 weights, 4 | first 16 weights, 4 ] */
};
_Static_assert(sizeof(struct iq2_xs) == 74, "iq2_xs is 74 bytes on disk");

static void decode(const void *in, float *out, size_t nblocks)
{
    const struct iq2_xs *y = in;

    for (size_t n = 0; n < nblocks; n++) {
        float d = f32_from_f16(y[n].d);

        for (int ib = 0; ib < N / 16; ib++) {
            float db = d * (0.5f + (float)(y[n].scale[ib / 2] >> 4 * (ib % 2) & 15)) * 0.25f;
            const float level[8] = { db * 8, db * 25, db * 43 };

            for (int k = 0; k < 2; k++, out += 8) {
                unsigned q = y[n].q[2 * ib + k];
                lattice_expand(out, lattice_iq2_xs[q & 511], 2, level, lattice_eighth_sign(q >> 9));
            }
        }
    }
}

QTYPE(iq2_xs) = { .name = "iq2_xs", .label = "IQ2_XS", .gguf_id = 17, .block = N, .nbytes = sizeof(struct iq2_xs),
                .needs_weight = true,
                .decode = decode };
