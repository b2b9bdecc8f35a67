/* iq3_xxs.c - 3.06 bits per weight: points of 256, seven of eight signs, a scale per 32 weights;
 * ggml's block_iq3_xxs. */
#include "quant/kernel.h"
#include "quant/lattice_search.h"

#define N 256

struct iq3_xxs {
    uint16_t d;             /* f16 */
    uint8_t q[N / 4];       /* points */
    uint16_t word[N / 16];  /* 32 bits for 32 weights: [ scale, 4 | signs 3, 7 | signs 2 | signs 1 | signs 0 ] */
};
_Static_assert(sizeof(struct iq3_xxs) == 98, "iq3_xxs is 98 bytes on disk");

static void decode(const void *in, float *out, size_t nblocks)
{
    const struct iq3_xxs *y = in;

    for (size_t n = 0; n < nblocks; n++) {
        float d = f32_from_f16(y[n].d);

        for (int ib = 0; ib < N / 32; ib++) {
            uint32_t word;
            memcpy(&word, y[n].word + 2 * ib, sizeof word);
            float db = d * (0.5f + (float)(word >> 28)) * 0.5f;
            const float level[8] = { db * 4, db * 12, db * 20, db * 28, db * 36, db * 44, db * 52, db * 62 };

            for (int k = 0; k < 4; k++, out += 8) {
                const uint8_t *q = y[n].q + 8 * ib + 2 * k;
                uint32_t pair = lattice_iq3_xxs[q[0]] | (uint32_t)lattice_iq3_xxs[q[1]] << 12;
                lattice_expand(out, pair, 3, level, lattice_eighth_sign(word >> 7 * k & 127));
            }
        }
    }
}

static const struct lattice_rule rule = { .size = 32, .group = 4, .bits = 3, .steps = 15, .step = 0.2f,
                                          .zero_below = 1e-8f, .even_signs = true, .redo = REDO_MOVED, .sigma = 2 };

static void search(const struct lattice *l, struct cells *c)
{
    lattice_take_signs(rule, c);
    for (int v = 0; v < VECTORS; v++)
        c->scale[v] = c->max[v] / 15;
    lattice_try_scales(l, rule, c, c->max);
    lattice_refine(l, rule, c);
}

static void pack(const struct lattice *l, const struct cells *c, int first, void *out)
{
    struct iq3_xxs *y = out;
    uint8_t scale[N / 32];
    float largest = lattice_scales(c, first, N / 32, 31, 15, scale);

    memset(y, 0, sizeof *y);
    if (largest == 0)
        return;
    y->d = f16_from_f32(largest / 31 * 1.0125f);
    for (int n = 0; n < N / 32; n++) {
        uint32_t word = (uint32_t)scale[n] << 28;
        for (int k = 0; k < 8 && !lattice_skipped(c, first + n); k++) {
            y->q[8 * n + k] = (uint8_t)lattice_number(l, 3, c, k, first + n);
            word |= k < 4 ? lattice_signs(c, k, first + n) << 7 * k : 0;
        }
        memcpy(y->word + 2 * n, &word, sizeof word);
    }
}

static void encode(const float *in, const float *weight, void *out, size_t nrows, size_t row_blocks)
{
    lattice_encode(rule, lattice_open(LATTICE_IQ3_XXS), in, weight, out, nrows, row_blocks, sizeof(struct iq3_xxs),
                   search, pack);
}

QTYPE(iq3_xxs) = { .name = "iq3_xxs", .label = "IQ3_XXS", .gguf_id = 18, .block = N, .nbytes = sizeof(struct iq3_xxs),
                .decode = decode, .encode = encode };
