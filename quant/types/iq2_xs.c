/* iq2_xs.c - 2.31 bits per weight: points of 512, seven of eight signs, a scale per 16 weights; ggml's block_iq2_xs. */
#include "quant/kernel.h"
#include "quant/lattice_search.h"

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

static const struct lattice_rule rule = { .size = 16, .group = 8, .bits = 2, .steps = 9, .step = 0.1f,
                                          .zero_below = 1e-15f, .even_signs = true, .redo = REDO_MOVED,
                                          .sigma = 1, .flat = 0.25f };

static void search(const struct lattice *l, struct cells *c)
{
    lattice_take_signs(rule, c);
    for (int v = 0; v < VECTORS; v++)
        c->scale[v] = c->max[v] / 5;
    lattice_try_scales(l, rule, c, c->max);
    lattice_refine(l, rule, c);
}

static void pack(const struct lattice *l, const struct cells *c, int first, void *out)
{
    struct iq2_xs *y = out;
    uint8_t scale[N / 16];
    float largest = lattice_scales(c, first, N / 16, 31, 15, scale);

    memset(y, 0, sizeof *y);
    if (largest == 0)
        return;
    y->d = f16_from_f32(largest / 31);
    for (int n = 0; n < N / 16; n++) {
        y->scale[n / 2] |= (uint8_t)(scale[n] << 4 * (n % 2));
        for (int k = 0; k < 2 && !lattice_skipped(c, first + n); k++)
            y->q[2 * n + k] = (uint16_t)(lattice_number(l, 2, c, k, first + n) | lattice_signs(c, k, first + n) << 9);
    }
}

static void encode(const float *in, const float *weight, void *out, size_t nrows, size_t row_blocks)
{
    lattice_encode(rule, lattice_open(LATTICE_IQ2_XS), in, weight, out, nrows, row_blocks, sizeof(struct iq2_xs),
                   search, pack);
}

QTYPE(iq2_xs) = { .name = "iq2_xs", .label = "IQ2_XS", .gguf_id = 17, .block = N, .nbytes = sizeof(struct iq2_xs),
                .needs_weight = true,
                .decode = decode, .encode = encode };
