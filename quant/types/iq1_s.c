/* iq1_s.c - 1.56 bits per weight: points of 2048 with levels -1, 0, 1, a scale and a shift per 32 weights;
 * ggml's block_iq1_s. */
#include "quant/half.h"
#include "quant/kernel.h"
#include "quant/lattice.h"

#define N 256

struct iq1_s {
    uint16_t d;             /* f16 */
    uint8_t q[N / 8];       /* low 8 bits of the points */
    uint16_t high[N / 32];  /* [ shift is negative, 1 | scale, 3 | high 3 bits of point 3, of 2, of 1, of 0 ] */
};
_Static_assert(sizeof(struct iq1_s) == 50, "iq1_s is 50 bytes on disk");

static void decode(const void *in, float *out, size_t nblocks)
{
    const struct iq1_s *y = in;

    for (size_t n = 0; n < nblocks; n++) {
        float d = f32_from_f16(y[n].d);

        for (int ib = 0; ib < N / 32; ib++) {
            unsigned high = y[n].high[ib];
            float dl = d * (float)(2 * (high >> 12 & 7) + 1), shift = high & 0x8000 ? -0.125f : 0.125f;
            const float level[8] = { dl * (-1 + shift), dl * shift, dl * (1 + shift) };

            for (int k = 0; k < 4; k++, out += 8)
                lattice_expand(out, lattice_iq1[(high >> 3 * k & 7) << 8 | y[n].q[4 * ib + k]], 2, level, 0);
        }
    }
}

QTYPE(iq1_s) = { .name = "iq1_s", .label = "IQ1_S", .gguf_id = 19, .block = N, .nbytes = sizeof(struct iq1_s),
                .needs_weight = true,
                .decode = decode };
