/* iq1_s.c - 1.56 bits per weight: points of 2048 with levels -1, 0, 1, a scale and a shift per 32 weights;
 * ggml's block_iq1_s. */
#include "quant/kernel.h"
#include "quant/ternary_search.h"

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

static const struct lattice_rule rule = { .size = 32, .group = 8, .bits = 2, .zero_below = 1e-12f, .redo = REDO_ALL,
                                          .sigma = 2 };

#define SIZE 32                 /* weights per cell */
#define LOW (-1 + TERNARY_SHIFT)        /* levels shifted up; shifted down they are the negatives, in reverse */
#define HIGH (1 + TERNARY_SHIFT)

/* What the sums of a split owe to the weights before its first border and after its second one, when shifted up
 * (index 0) or down. */
struct parts {
    vf x[SIZE + 1], w[SIZE + 1];                        /* sums of w * x and of w over the first weights */
    vf low_x[2][SIZE + 1], low_w[2][SIZE + 1], high_x[2][SIZE + 1], high_w[2][SIZE + 1];
};

static void sum_parts(struct parts *p, const struct sorted *s)
{
    const float low[2] = { LOW, -HIGH }, high[2] = { HIGH, -LOW };

    p->x[0] = p->w[0] = (vf){ 0 };
    for (int j = 0; j < SIZE; j++) {
        p->x[j + 1] = p->x[j] + s->w[j] * s->x[j];
        p->w[j + 1] = p->w[j] + s->w[j];
    }
    for (int h = 0; h < 2; h++)
        for (int j = 0; j <= SIZE; j++) {
            p->low_x[h][j] = p->x[j] * low[h];
            p->low_w[h][j] = p->w[j] * low[h] * low[h];
            p->high_x[h][j] = (p->x[SIZE] - p->x[j]) * high[h];
            p->high_w[h][j] = (p->w[SIZE] - p->w[j]) * high[h] * high[h];
        }
}

struct sums { vf up_x, up_w, down_x, down_w; };

static inline struct sums split_sums(const struct parts *p, int i, int j)
{
    vf mid_x = (p->x[j] - p->x[i]) * TERNARY_SHIFT, mid_w = (p->w[j] - p->w[i]) * TERNARY_SHIFT * TERNARY_SHIFT;

    return (struct sums){ p->low_x[0][i] + mid_x + p->high_x[0][j], p->low_w[0][i] + mid_w + p->high_w[0][j],
                          p->low_x[1][i] - mid_x + p->high_x[1][j], p->low_w[1][i] + mid_w + p->high_w[1][j] };
}

/* shift: 1 up, -1 down. */
static struct split search_splits(const struct parts *p, vf max, vf floor)
{
    struct split b = ternary_no_split(max, floor);

    for (int i = 0; i <= SIZE; i++)
        for (int j = i; j <= SIZE; j++) {
            struct sums s = split_sums(p, i, j);
            if (!vsome_any(vgreater(s.up_x * s.up_x, b.best * s.up_w) |
                           vgreater(s.down_x * s.down_x, b.best * s.down_w)))
                continue;
            ternary_keep(&b, s.up_x, s.up_w, i, j, 1);
            ternary_keep(&b, s.down_x, s.down_w, i, j, -1);
        }
    return b;
}

static struct split best_split(const struct parts *p, const struct sorted *s, vf max)
{
    vf score = { 0 };

    for (int i = 3; i <= 13; i += 2)    /* about where the borders lie */
        for (int j = SIZE - 2 - i; j <= SIZE + 2 - i; j += 2) {
            struct sums sum = split_sums(p, i, j);
            score = ternary_score(ternary_score(score, sum.up_x, sum.up_w), sum.down_x, sum.down_w);
        }
    struct split b = search_splits(p, max, ternary_floor(score, s, SIZE));
    return ternary_in_doubt(&b) ? search_splits(p, max, vf_all(-FLT_MAX)) : b;
}

/* c->sign[0] takes the shift, -1 or 1. */
static void search(const struct lattice *l, struct cells *c)
{
    vf shift[CELL_MAX / 8][VECTORS];
    vi moved[VECTORS];
    struct sorted s;
    struct parts p;

    for (int v = 0; v < VECTORS; v++) {
        for (int i = 0; i < SIZE; i++)
            c->max[v] = vmax(c->max[v], vabs(c->x[v][i]));
        c->skip[v] = c->max[v] < rule.zero_below;
        ternary_sort(&s, SIZE, c->x[v], c->w[v]);
        sum_parts(&p, &s);
        struct split b = best_split(&p, &s, c->max[v]);
        ternary_take_split(c, v, SIZE, &s, &b, 0);
        c->sign[0][v] = b.shift;
        for (int k = 0; k < SIZE / 8; k++)
            shift[k][v] = vfloat(b.shift) * TERNARY_SHIFT;
    }
    ternary_settle(l, c, SIZE, shift, moved);
    ternary_refit(c, SIZE, shift, moved);
}

static void pack(const struct lattice *l, const struct cells *c, int first, void *out)
{
    struct iq1_s *y = out;
    uint8_t scale[N / SIZE];
    float largest = lattice_scales(c, first, N / SIZE, 15, 7, scale);

    memset(y, 0, sizeof *y);
    y->d = f16_from_f32(largest / 15 * 1.125f);
    for (int n = 0; n < N / SIZE; n++) {
        bool skipped = lattice_skipped(c, first + n);
        bool down = !skipped && c->sign[0][(first + n) / LANES][(first + n) % LANES] < 0;
        unsigned high = largest == 0 ? 0 : (unsigned)(scale[n] | down << 3) << 12;

        for (int k = 0; k < 4 && !skipped; k++) {
            uint32_t number = lattice_number(l, 2, c, k, first + n);
            y->q[4 * n + k] = (uint8_t)number;
            high |= number >> 8 << 3 * k;
        }
        y->high[n] = (uint16_t)high;
    }
}

static void encode(const float *in, const float *weight, void *out, size_t nrows, size_t row_blocks)
{
    lattice_encode(rule, lattice_open(LATTICE_IQ1), in, weight, out, nrows, row_blocks, sizeof(struct iq1_s),
                   search, pack);
}

QTYPE(iq1_s) = { .name = "iq1_s", .label = "IQ1_S", .gguf_id = 19, .block = N, .nbytes = sizeof(struct iq1_s),
                .needs_weight = true,
                .decode = decode, .encode = encode };
