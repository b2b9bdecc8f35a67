/* iq2_s.c - 2.56 bits per weight: points of 1024, all signs, a scale per 16 weights; ggml's block_iq2_s. */
#include "quant/kernel.h"
#include "quant/lattice_search.h"

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

static const struct lattice_rule rule = { .size = 16, .group = 8, .bits = 2, .steps = 9, .step = 0.1f,
                                          .zero_below = 1e-8f, .redo = REDO_MOVED, .sigma = 2, .flat = 0.25f };

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
    struct iq2_s *y = out;
    uint8_t scale[N / 16];
    float largest = lattice_scales(c, first, N / 16, 31, 15, scale);

    memset(y, 0, sizeof *y);
    y->d = f16_from_f32(largest / 31 * 0.9875f);
    for (int n = 0; n < N / 16; n++) {
        if (largest > 0)
            y->scale[n / 2] |= (uint8_t)(scale[n] << 4 * (n % 2));
        for (int g = 2 * n; g < 2 * n + 2 && !lattice_skipped(c, first + n); g++) {
            uint32_t number = lattice_number(l, 2, c, g % 2, first + n);
            y->q[g] = (uint8_t)number;
            y->high[g / 4] |= (uint8_t)(number >> 8 << 2 * (g % 4));
            y->sign[g] = (uint8_t)lattice_signs(c, g % 2, first + n);
        }
    }
}

static void encode(const float *in, const float *weight, void *out, size_t nrows, size_t row_blocks)
{
    lattice_encode(rule, lattice_open(LATTICE_IQ2_S), in, weight, out, nrows, row_blocks, sizeof(struct iq2_s),
                   search, pack);
}

QTYPE(iq2_s) = { .name = "iq2_s", .label = "IQ2_S", .gguf_id = 22, .block = N, .nbytes = sizeof(struct iq2_s),
                .decode = decode, .encode = encode };
