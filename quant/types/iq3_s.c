/* iq3_s.c - 3.44 bits per weight: points of 512, all signs, a scale per 32 weights; ggml's block_iq3_s. */
#include "quant/kernel.h"
#include "quant/lattice_search.h"

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

static const struct lattice_rule rule = { .size = 32, .group = 4, .bits = 3, .steps = 9, .step = 0.2f,
                                          .zero_below = 0x1p-149f, .redo = REDO_ALL_IF_MOVED, .sigma = 2 };

static void search(const struct lattice *l, struct cells *c)
{
    lattice_take_signs(rule, c);
    for (int v = 0; v < VECTORS; v++)
        c->scale[v] = c->max[v] / 15;
    lattice_try_scales(l, rule, c, c->max);
    lattice_refine(l, rule, c);
}

/* After 32 zeros ggml forgets to move on: the points and signs that follow stand one place too early, though not bit 8
 * of the points and not the scales. So do ours, for the same bytes. */
static void pack(const struct lattice *l, const struct cells *c, int first, void *out)
{
    struct iq3_s *y = out;
    uint8_t scale[N / 32];
    float largest = lattice_scales(c, first, N / 32, 31, 15, scale);

    memset(y, 0, sizeof *y);
    y->d = f16_from_f32(largest / 31 * 1.033f);
    for (int n = 0, place = 0; n < N / 32; n++) {
        if (largest > 0)
            y->scale[n / 2] |= (uint8_t)(scale[n] << 4 * (n % 2));
        if (lattice_skipped(c, first + n))
            continue;
        for (int k = 0; k < 8; k++) {
            uint32_t number = lattice_number(l, 3, c, k, first + n);
            y->q[8 * place + k] = (uint8_t)number;
            y->high[n] |= (uint8_t)(number >> 8 << k);
        }
        for (int k = 0; k < 4; k++)
            y->sign[4 * place + k] = (uint8_t)lattice_signs(c, k, first + n);
        place++;
    }
}

static void encode(const float *in, const float *weight, void *out, size_t nrows, size_t row_blocks)
{
    lattice_encode(rule, lattice_open(LATTICE_IQ3_S), in, weight, out, nrows, row_blocks, sizeof(struct iq3_s),
                   search, pack);
}

QTYPE(iq3_s) = { .name = "iq3_s", .label = "IQ3_S", .gguf_id = 21, .block = N, .nbytes = sizeof(struct iq3_s),
                .decode = decode, .encode = encode };
