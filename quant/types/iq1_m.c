/* iq1_m.c - 1.75 bits per weight: points of 2048 with levels -1, 0, 1, a scale per 16 weights, a shift per 8;
 * ggml's block_iq1_m. */
#include "quant/kernel.h"
#include "quant/ternary_search.h"

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

static const struct lattice_rule rule = { .size = 16, .group = 8, .bits = 2, .zero_below = 1e-7f, .redo = REDO_ALL,
                                          .sigma = 2 };

#define SIZE 16                 /* weights per cell */

/* Of the weights of one half of a cell (8 of them, wherever they come in the order): sums of w * x, and what the sum
 * of w * q * q owes to the first and to the second border, when the half is shifted up (index 0) or down. */
struct half {
    vf x[SIZE + 1], low[2][SIZE + 1], high[2][SIZE + 1];
    vf all[2];                          /* sum of w * x * q before the borders take their part */
};

/* Levels shifted by s have the squares (-1 + s)^2, s^2, (1 + s)^2; the last is for all, the borders correct it. */
static void sum_half(struct half *h, const struct sorted *s, int which)
{
    vf w[SIZE + 1] = { { 0 } };

    h->x[0] = (vf){ 0 };
    for (int j = 0; j < SIZE; j++) {
        vi mine = (s->place[j] < SIZE / 2) == (which ? (vi){ 0 } : ~(vi){ 0 });
        h->x[j + 1] = pick(mine, h->x[j] + s->w[j] * s->x[j], h->x[j]);
        w[j + 1] = pick(mine, w[j] + s->w[j], w[j]);
    }
    for (int down = 0; down < 2; down++) {
        const float shift = down ? -TERNARY_SHIFT : TERNARY_SHIFT, top = 1 + shift;
        const float low = (-1 + shift) * (-1 + shift) - shift * shift, high = shift * shift - top * top;

        h->all[down] = h->x[SIZE] * top;
        for (int j = 0; j <= SIZE; j++) {
            h->low[down][j] = w[SIZE] * top * top + w[j] * low;
            h->high[down][j] = w[j] * high;
        }
    }
}

struct sums { vf qx[4], q2[4]; };       /* by shifts: bit 1 the first half's, bit 0 the second's; 1 is down */

static inline struct sums split_sums(const struct half h[2], int i, int j)
{
    vf x0 = h[0].x[i] + h[0].x[j], x1 = h[1].x[i] + h[1].x[j];
    struct sums s;

    for (int k = 0; k < 4; k++) {
        s.qx[k] = h[0].all[k / 2] - x0 + (h[1].all[k % 2] - x1);
        s.q2[k] = h[0].low[k / 2][i] + h[0].high[k / 2][j] + (h[1].low[k % 2][i] + h[1].high[k % 2][j]);
    }
    return s;
}

static struct split search_splits(const struct half h[2], vf max, vf floor)
{
    struct split b = ternary_no_split(max, floor);

    for (int i = 0; i <= SIZE; i++)
        for (int j = i; j <= SIZE; j++) {
            struct sums s = split_sums(h, i, j);
            vsome better = { 0 };

            for (int k = 0; k < 4; k++)
                better |= vgreater(s.qx[k] * s.qx[k], b.best * s.q2[k]);
            for (int k = 0; k < 4 && vsome_any(better); k++)
                ternary_keep(&b, s.qx[k], s.q2[k], i, j, k);
        }
    return b;
}

static struct split best_split(const struct half h[2], const struct sorted *s, vf max)
{
    vf score = { 0 };

    for (int i = 2; i <= 6; i++)        /* about where the borders lie */
        for (int j = SIZE - 1 - i; j <= SIZE + 1 - i; j++) {
            struct sums sum = split_sums(h, i, j);
            for (int k = 0; k < 4; k++)
                score = ternary_score(score, sum.qx[k], sum.q2[k]);
        }
    struct split b = search_splits(h, max, ternary_floor(score, s, SIZE));
    return ternary_in_doubt(&b) ? search_splits(h, max, vf_all(-FLT_MAX)) : b;
}

/* c->sign[0] takes the shifts. */
static void search(const struct lattice *l, struct cells *c)
{
    vf shift[CELL_MAX / 8][VECTORS];
    vi moved[VECTORS];
    struct sorted s;
    struct half h[2];

    for (int v = 0; v < VECTORS; v++) {
        for (int i = 0; i < SIZE; i++)
            c->max[v] = vmax(c->max[v], vabs(c->x[v][i]));
        c->skip[v] = c->max[v] < rule.zero_below;
        ternary_sort(&s, SIZE, c->x[v], c->w[v]);
        sum_half(&h[0], &s, 0);
        sum_half(&h[1], &s, 1);
        struct split b = best_split(h, &s, c->max[v]);
        ternary_take_split(c, v, SIZE, &s, &b, 3);
        c->sign[0][v] = picki(c->skip[v], (vi){ 0 }, b.shift);
        shift[0][v] = vfloat(1 - (b.shift & 2)) * TERNARY_SHIFT;
        shift[1][v] = vfloat(1 - 2 * (b.shift & 1)) * TERNARY_SHIFT;
    }
    ternary_settle(l, c, SIZE, shift, moved);
    ternary_refit(c, SIZE, shift, moved);
}

/* The block's scale that fits what has been written best. Cells that were skipped count with point 0. */
static float fit_block(const struct iq1_m *y, const struct cells *c, int first, const uint8_t *scale, float d)
{
    float qx = 0, q2 = 0;

    for (int g = 0; g < N / 8; g++) {
        const float *x = c->row_x[first + g / 2] + 8 * (g % 2), *w = c->row_w[first + g / 2] + 8 * (g % 2);
        unsigned nibble = y->high[g / 2] >> 4 * (g % 2), point = lattice_iq1[(nibble & 7) << 8 | y->q[g]];
        float shift = nibble & 8 ? -TERNARY_SHIFT : TERNARY_SHIFT, worth = (float)(2 * scale[g / 2] + 1);

        for (int i = 0; i < 8; i++) {
            float wq, q = ((float)(point >> 2 * i & 3) - 1 + shift) * worth;
            wq = w[i] * q;
            qx += wq * x[i];
            q2 += wq * q;
        }
    }
    return q2 > 0 ? qx / q2 : d;
}

static void pack(const struct lattice *l, const struct cells *c, int first, void *out)
{
    static const uint8_t shift_bits[4] = { 0x00, 0x80, 0x08, 0x88 };
    struct iq1_m *y = out;
    uint8_t scale[N / SIZE];
    uint16_t word[4] = { 0 };
    float largest = lattice_scales(c, first, N / SIZE, 15, 7, scale);

    memset(y, 0, sizeof *y);
    for (int n = 0; n < N / SIZE; n++)
        for (int k = 0; k < 2 && !lattice_skipped(c, first + n); k++) {
            uint32_t number = lattice_number(l, 2, c, k, first + n);
            y->q[2 * n + k] = (uint8_t)number;
            y->high[n] |= (uint8_t)(number >> 8 << 4 * k);
        }
    if (largest == 0)
        return;
    for (int n = 0; n < N / SIZE; n++) {
        word[n / 4] |= (uint16_t)(scale[n] << 3 * (n % 4));
        y->high[n] |= shift_bits[c->sign[0][(first + n) / LANES][(first + n) % LANES]];
    }
    unsigned half = f16_from_f32(fit_block(y, c, first, scale, largest / 15) * 1.1125f);
    for (int i = 0; i < 4; i++)
        word[i] |= (uint16_t)((half >> 4 * i & 15) << 12);
    memcpy(y->scale, word, sizeof word);
}

static void encode(const float *in, const float *weight, void *out, size_t nrows, size_t row_blocks)
{
    lattice_encode(rule, lattice_open(LATTICE_IQ1), in, weight, out, nrows, row_blocks, sizeof(struct iq1_m),
                   search, pack);
}

QTYPE(iq1_m) = { .name = "iq1_m", .label = "IQ1_M", .gguf_id = 29, .block = N, .nbytes = sizeof(struct iq1_m),
                .decode = decode, .encode = encode };
