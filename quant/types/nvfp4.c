/* nvfp4.c - 64 four-bit floats in groups of 16 with an eight-bit float as scale; ggml's block_nvfp4. */
#include "quant/fp4.h"
#include "quant/kernel.h"
#include "quant/turn.h"

#define N 64
#define GROUP 16
#define GROUPS (N / GROUP)

struct nvfp4 {
    uint8_t d[GROUPS];      /* UE4M3: exponent (bias 7) and three bits of mantissa, no sign */
    uint8_t q[N / 2];       /* 8 bytes per group: code j in the low half of byte j, code j + 8 in the high half */
};
_Static_assert(sizeof(struct nvfp4) == 36, "nvfp4 is 36 bytes on disk");

/* Half the scales, for the doubled values. Code 0x7f, NaN in the standard, counts as 0. */
static inline vf half_scales(vi code)
{
    vi exponent = code >> 3 & 15, mantissa = code & 7;
    vf normal = (vf)((exponent + 119) << 23 | mantissa << 20), subnormal = vfloat(mantissa) * 0x1p-10f;

    return pick(code == 0x7f, (vf){0}, pick(exponent == 0, subnormal, normal));
}

static inline float half_scale(uint8_t code)
{
    return half_scales(vi_all(code))[0];
}

/* The UE4M3 at x >= 0, halves up; from 256 on the largest, 448. */
static inline vi scale_codes(vf x)
{
    vi subnormal = vimin(vtrunc(x * 512 + 0.5f), vi_all(7)), normal = (((vi)x + 0x80000) >> 20) - (120 << 3);

    normal = picki(normal >= 0x78, vi_all(0x7e), normal);
    return picki(x < 0x1p-6f, subnormal, normal);
}

/* 16 bytes: two groups. Vectors of 16 hold both, the others a part of one. */
static inline void decode_pair(const uint8_t q[16], const float d[2], float *out)
{
    vi byte[16 / LANES];

    bytes_load(q, byte);
    for (int i = 0; i < 16 / LANES; i++) {
        vf scale = pick(vlane() + LANES * i < 8, vf_all(d[0]), vf_all(d[1]));
        vf low = vlookup(fp4_value, byte[i] & 15) * scale, high = vlookup(fp4_value, byte[i] >> 4) * scale;
        for (int j = 0; j < LANES; j += 8) {
            int at = LANES * i + j, run = LANES < 8 ? LANES : 8;
            float *group = out + at / 8 * GROUP + at % 8;
            memcpy(group, (const float *)&low + j, (size_t)run * sizeof *out);
            memcpy(group + 8, (const float *)&high + j, (size_t)run * sizeof *out);
        }
    }
}

static void decode(const void *in, float *out, size_t nblocks)
{
    const struct nvfp4 *y = in;

    for (size_t n = 0; n < nblocks; n++)
        for (int g = 0; g < GROUPS; g += 2) {
            float d[2] = { half_scale(y[n].d[g]), half_scale(y[n].d[g + 1]) };
            decode_pair(y[n].q + 8 * g, d, out + N * n + GROUP * g);
        }
}

/* The code of a weight far outside the range of its scale: differences to several values may round to one number, and
 * the first of those wins. */
static int far_code(float x, float d)
{
    int best = 0;

    for (int i = 1; i < 16; i++)
        if (__builtin_fabsf(fp4_value[i] * d - x) < __builtin_fabsf(fp4_value[best] * d - x))
            best = i;
    return best;
}

static void group_codes(const float *x, float top, float d, uint8_t byte[GROUP])
{
    vi code[GROUP / LANES] = { 0 };

    if (top > 0x1p20f * d && d > 0) {
        for (int i = 0; i < GROUP; i++)
            byte[i] = (uint8_t)far_code(x[i], d);
        return;
    }
    if (d > 0)
        fp4_codes(x, GROUP, d, code);
    bytes_store(byte, code);
}

/* LANES groups, whose blocks start at y. */
static void encode_lanes(const float *x, struct nvfp4 *y, int live)
{
    float top[LANES], d[LANES];
    vf largest = vtops(x, GROUP, live);
    vi scale = scale_codes(largest / 6);

    vf_store(top, largest);
    vf_store(d, half_scales(scale));
    for (int k = 0; k < live; k++, x += GROUP) {
        uint8_t byte[GROUP];
        uint64_t low, high;

        group_codes(x, top[k], d[k], byte);
        memcpy(&low, byte, sizeof low);
        memcpy(&high, byte + 8, sizeof high);
        low |= high << 4;
        memcpy(y[k / GROUPS].q + 8 * (k % GROUPS), &low, sizeof low);
        y[k / GROUPS].d[k % GROUPS] = (uint8_t)scale[k];
    }
}

static void encode(const float *in, const float *weight, void *out, size_t nrows, size_t row_blocks)
{
    struct nvfp4 *y = out;
    size_t ngroups = nrows * row_blocks * GROUPS;

    (void)weight;
    for (size_t n = 0; n < ngroups; n += LANES)
        encode_lanes(in + GROUP * n, y + n / GROUPS, at_most_lanes(ngroups - n));
}

QTYPE(nvfp4) = { .name = "nvfp4", .label = "NVFP4", .gguf_id = 40, .block = N, .nbytes = sizeof(struct nvfp4),
                 .decode = decode, .encode = encode };
