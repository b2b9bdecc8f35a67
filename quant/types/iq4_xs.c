/* iq4_xs.c - 8 groups of 32 indexes into 16 uneven values, a 6-bit scale each; ggml's block_iq4_xs. */
#include "quant/iq4.h"
#include "quant/kernel.h"

#define SUPER 256
#define GROUPS 8

struct iq4_xs {
    uint16_t d;             /* f16: group g has the scale d * (its six bits - 32) */
    uint16_t high;          /* bits 4 and 5 of scale g at bit 2 * g */
    uint8_t low[4];         /* bits 0..3: scale 2j in the low half of byte j, scale 2j + 1 in the high half */
    uint8_t q[SUPER / 2];   /* group after group: index j in the low half of byte j, index j + 16 in the high half */
};
_Static_assert(sizeof(struct iq4_xs) == 136, "iq4_xs is 136 bytes on disk");

/* A panel is what one round of the search takes: its groups fill whole vectors. */
#define PANEL (LANES > GROUPS ? LANES / GROUPS : 1)     /* super-blocks */
#define VECTORS (PANEL * GROUPS / LANES)

static void decode(const void *in, float *out, size_t nblocks)
{
    const struct iq4_xs *y = in;

    for (size_t n = 0; n < nblocks; n++) {
        float d = f32_from_f16(y[n].d);
        for (int g = 0; g < GROUPS; g++) {
            int scale = (y[n].low[g / 2] >> 4 * (g % 2) & 15) | (y[n].high >> 2 * g & 3) << 4;
            iq4_decode(y[n].q + 16 * g, d * (float)(scale - 32), out + SUPER * n + GROUP * g);
        }
    }
}

/* The scale of the groups' scales: the one of largest magnitude becomes -32. */
static float common_scale(const float scale[GROUPS])
{
    float top = 0;

    for (int g = 0; g < GROUPS; g++)
        if (__builtin_fabsf(scale[g]) > __builtin_fabsf(top))
            top = scale[g];
    return -top / 32;
}

static void store_scales(struct iq4_xs *y, const int32_t level[GROUPS])
{
    y->high = 0;
    memset(y->low, 0, sizeof y->low);
    for (int g = 0; g < GROUPS; g++) {
        int bits = level[g] + 32;
        y->low[g / 2] |= (uint8_t)((bits & 15) << 4 * (g % 2));
        y->high |= (uint16_t)(bits >> 4 << 2 * g);
    }
}

/* `live` super-blocks, at most PANEL; variance[k] belongs to the k-th. */
static void encode_panel(const float *in, const float *importance, const float *variance, struct iq4_xs *y, int live)
{
    vf x[VECTORS][GROUP];
    float scale[PANEL * GROUPS] = { 0 }, d[PANEL * GROUPS] = { 0 }, v[PANEL * GROUPS] = { 0 };
    int32_t level[PANEL * GROUPS];

    for (int g = 0; importance && g < live * GROUPS; g++)
        v[g] = variance[g / GROUPS];
    for (int i = 0; i < VECTORS; i++) {
        int at = LANES * i, groups = at_most_lanes((size_t)(live * GROUPS - at));
        vf w[GROUP];
        columns(in + GROUP * at, GROUP, GROUP, groups, x[i]);
        iq4_weights(x[i], importance ? importance + GROUP * at : NULL, vf_load(v + at), groups, w);
        vf_store(scale + at, iq4_search(x[i], w));
    }
    for (int k = 0; k < live; k++) {
        float common = common_scale(scale + GROUPS * k);
        y[k].d = f16_from_f32(common);
        for (int g = 0; g < GROUPS; g++)
            d[GROUPS * k + g] = common;
    }
    for (int i = 0; i < VECTORS; i++) {
        int at = LANES * i, groups = at_most_lanes((size_t)(live * GROUPS - at));
        vf dv = vf_load(d + at), gain = pick(dv != 0, 1 / dv, (vf){0});
        vi l = vimax(vimin(vnearest(gain * vf_load(scale + at)), vi_all(31)), vi_all(-32));
        uint8_t *out[LANES];
        for (int k = 0; k < groups; k++)
            out[k] = y[(at + k) / GROUPS].q + 16 * ((at + k) % GROUPS);
        vi_store(level + at, l);
        iq4_store(x[i], dv * vfloat(l), out, groups);
    }
    for (int k = 0; k < live; k++)
        store_scales(y + k, level + GROUPS * k);
}

/* Twice the mean squares of up to LANES super-blocks. */
static void variances(const float *x, int live, float variance[LANES])
{
    vf sum = {0}, col[LANES];

    for (int i = 0; i < SUPER; i += LANES) {
        columns(x + i, SUPER, LANES, live, col);
        for (int k = 0; k < LANES; k++)
            sum += col[k] * col[k];
    }
    vf_store(variance, sum * (2.0f / SUPER));
}

static void encode_lanes(const float *in, const float *importance, struct iq4_xs *y, int live)
{
    float variance[LANES];

    if (importance)
        variances(in, live, variance);
    for (int k = 0; k < live; k += PANEL)
        encode_panel(in + SUPER * k, importance ? importance + SUPER * k : NULL, variance + k, y + k,
                     live - k < PANEL ? live - k : PANEL);
}

static void encode(const float *in, const float *weight, void *out, size_t nrows, size_t row_blocks)
{
    struct iq4_xs *y = out;

    if (!weight) {          /* then rows mean nothing */
        row_blocks *= nrows;
        nrows = 1;
    }
    for (size_t row = 0; row < nrows; row++, in += SUPER * row_blocks, y += row_blocks)
        for (size_t n = 0; n < row_blocks; n += LANES)
            encode_lanes(in + SUPER * n, weight ? weight + SUPER * n : NULL, y + n, at_most_lanes(row_blocks - n));
}

QTYPE(iq4_xs) = { .name = "iq4_xs", .label = "IQ4_XS", .gguf_id = 23, .block = SUPER,
                  .nbytes = sizeof(struct iq4_xs), .decode = decode, .encode = encode };
