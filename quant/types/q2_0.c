/* q2_0.c - 64 levels -1, 0, 1, 2 and a scale; ggml's block_q2_0. */
#include "quant/half.h"
#include "quant/kernel.h"
#include "quant/turn.h"

#define N 64

struct q2_0 {
    uint16_t d;             /* f16: the largest magnitude, so that 2 does not occur here */
    uint8_t q[N / 4];       /* level j + 1 at bits 2 * (j % 4) of byte j / 4 */
};
_Static_assert(sizeof(struct q2_0) == 18, "q2_0 is 18 bytes on disk");

/* LANES codes from the low bits of a word. Without shifts per lane the codes stay where they are: as floats they are
 * too large by powers of two. */
static inline vf codes(uint32_t word)
{
#if LANES == 4
    const vi mask = { 3, 3 << 2, 3 << 4, 3 << 6 };
    const vf unit = { 1, 0x1p-2f, 0x1p-4f, 0x1p-6f };
    return vfloat(vi_all((int32_t)word) & mask) * unit;
#else
    return vfloat(vi_all((int32_t)word) >> 2 * vlane() & 3);
#endif
}

static void decode(const void *in, float *out, size_t nblocks)
{
    const struct q2_0 *y = in;

    for (size_t n = 0; n < nblocks; n++) {
        float d = f32_from_f16(y[n].d);
        for (int i = 0; i < N; i += 16) {
            uint32_t word;
            memcpy(&word, y[n].q + i / 4, sizeof word);
            for (int j = 0; j < 16; j += LANES)
                vf_store(out + N * n + i + j, (codes(word >> 2 * j) - 1) * d);
        }
    }
}

/* 16 codes of two bits, one per byte, to 4 bytes: code j of a byte is b[j] << 2j. Done on 32-bit words. */
static inline uint32_t pairs_pack(const uint8_t code[16])
{
    uint32_t word[4], packed = 0;

    memcpy(word, code, sizeof word);
    for (int i = 0; i < 4; i++)
        packed |= (word[i] * 0x01041040u >> 24) << 8 * i;
    return packed;
}

static void encode_lanes(const float *x, struct q2_0 *y, int live)
{
    float inverse[LANES];
    vf d = vtops(x, N, live);
    vu half = vf16_from_f32(d);

    vf_store(inverse, pick(d > 0, 1 / d, (vf){0}));
    for (int k = 0; k < live; k++, x += N) {
        for (int i = 0; i < N; i += 16) {
            vi q[16 / LANES];
            uint8_t code[16];
            for (int j = 0; j < 16 / LANES; j++) {
                vi level = vround(vf_load(x + i + LANES * j) * inverse[k]) + 1;
                q[j] = vimax(vimin(level, vi_all(3)), vi_all(0));
            }
            bytes_store(code, q);
            uint32_t packed = pairs_pack(code);
            memcpy(y[k].q + i / 4, &packed, sizeof packed);
        }
        y[k].d = (uint16_t)half[k];
    }
}

static void encode(const float *in, const float *weight, void *out, size_t nrows, size_t row_blocks)
{
    struct q2_0 *y = out;
    size_t nblocks = nrows * row_blocks;

    (void)weight;
    for (size_t n = 0; n < nblocks; n += LANES)
        encode_lanes(in + N * n, y + n, at_most_lanes(nblocks - n));
}

QTYPE(q2_0) = { .name = "q2_0", .label = "Q2_0", .gguf_id = 42, .block = N, .nbytes = sizeof(struct q2_0),
                .decode = decode, .encode = encode };
