/* iq3_s.c - 3.44 bits per weight: points of 512, all signs, a scale per 32 weights; ggml's block_iq3_s. */
#include "quant/half.h"
#include "quant/kernel.h"
#include "quant/lattice.h"

#define N 256

struct iq3_s {
    uint16_t d;             /* f16 */
    uint8_t q[N / 4];       /* low 8 bits of the points */
    uint8_t high[N / 32];   /* bit 8 of eight points, the first one lowest */
    uint8_t sign[N / 8];
    uint8_t scale[N / 64];  /* [ second 32 weights, 4 | first 32 weights, 4 ] */
};
_Static_assert(sizeof(struct iq3_s) == 110, "iq3_s is 110 bytes on disk");

static void decode(const void *in, float *out, size_t nblocks)
{
    const struct iq3_s *y = in;

    for (size_t n = 0; n < nblocks; n++) {
        float d = f32_from_f16(y[n].d);

        for (int ib = 0; ib < N / 32; ib++) {
            float db = d * (float)(1 + 2 * (y[n].scale[ib / 2] >> 4 * (ib % 2) & 15));
            const float level[8] = { db, db * 3, db * 5, db * 7, db * 9, db * 11, db * 13, db * 15 };

            for (int k = 0; k < 4; k++, out += 8) {
                const uint8_t *q = y[n].q + 8 * ib + 2 * k;
                unsigned high = y[n].high[ib] >> 2 * k;
                uint32_t first = lattice_iq3_s[(high & 1) << 8 | q[0]], second = lattice_iq3_s[(high & 2) << 7 | q[1]];
                lattice_expand(out, first | second << 12, 3, level, y[n].sign[4 * ib + k]);
            }
        }
    }
}

QTYPE(iq3_s) = { .name = "iq3_s", .label = "IQ3_S", .gguf_id = 21, .block = N, .nbytes = sizeof(struct iq3_s),
                .decode = decode };
