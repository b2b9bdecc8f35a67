/* iq2_xxs.c - 2.06 bits per weight: points of 256, seven of eight signs, a scale per 32 weights; ggml's block_iq2_xxs. */
#include "quant/half.h"
#include "quant/kernel.h"
#include "quant/lattice.h"

#define N 256

/* Two words for every 32 weights:
 *     [ point 3 | point 2 | point 1 | point 0 ]                                          8 bits each
 *     [ scale, 4 | signs 3 | signs 2 | signs 1 | signs 0 ]                               7 bits each */
struct iq2_xxs {
    uint16_t d;             /* f16 */
    uint16_t q[N / 8];
};
_Static_assert(sizeof(struct iq2_xxs) == 66, "iq2_xxs is 66 bytes on disk");

static void decode(const void *in, float *out, size_t nblocks)
{
    const struct iq2_xxs *y = in;

    for (size_t n = 0; n < nblocks; n++) {
        float d = f32_from_f16(y[n].d);

        for (int ib = 0; ib < N / 32; ib++) {
            uint32_t word[2];
            memcpy(word, y[n].q + 4 * ib, sizeof word);
            float db = d * (0.5f + (float)(word[1] >> 28)) * 0.25f;
            const float level[8] = { db * 8, db * 25, db * 43 };

            for (int k = 0; k < 4; k++, out += 8)
                lattice_expand(out, lattice_iq2_xxs[word[0] >> 8 * k & 255], 2, level,
                               lattice_eighth_sign(word[1] >> 7 * k & 127));
        }
    }
}

QTYPE(iq2_xxs) = { .name = "iq2_xxs", .label = "IQ2_XXS", .gguf_id = 16, .block = N, .nbytes = sizeof(struct iq2_xxs),
                .needs_weight = true,
                .decode = decode };
