/* units_isa.c - see units.h: float32, compiled once per instruction set. */
#include "verify/units.h"

#include "quant/turn.h"

#define PASTE2(name, isa) name##_##isa
#define PASTE(name, isa) PASTE2(name, isa)
#define TEXT2(isa) #isa
#define TEXT(isa) TEXT2(isa)

#ifdef __aarch64__
#include <arm_neon.h>
#endif

enum {
#if LANES == 16 || defined __aarch64__
    TOKENS = 8,
#else
    TOKENS = 4,
#endif
    REGISTERS = 3, ROWS = REGISTERS * LANES,
    DEPTH = 1024,               /* products in a sum before it is added to the others: long sums in float32 lose digits */
    AHEAD = 128,                /* words of tokens that are fetched before their turn: they come from afar */
};

typedef float vhalf __attribute__((vector_size(2 * LANES)));
typedef uint16_t vnarrow __attribute__((vector_size(2 * LANES)));

#if LANES == 16
#define FUSED
#define LOW(v) __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7)
#define HIGH(v) __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15)
#elif LANES == 8
#define FUSED __attribute__((target("fma")))
#define LOW(v) __builtin_shufflevector(v, v, 0, 1, 2, 3)
#define HIGH(v) __builtin_shufflevector(v, v, 4, 5, 6, 7)
#else
#define FUSED
#define LOW(v) __builtin_shufflevector(v, v, 0, 1)
#define HIGH(v) __builtin_shufflevector(v, v, 2, 3)
#endif

/* a * b + c, rounded once where the CPU can: the one place where that is wanted. */
FUSED static inline vf fused(vf a, vf b, vf c)
{
#if LANES == 16
    return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif LANES == 8
    return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined __aarch64__
    return (vf)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
    return a * b + c;
#endif
}

/* The next numbers of a row of which `left` are left, 0 behind them. */
static inline vf floats_at(const uint8_t *row, size_t left)
{
    vf v = {0};

    memcpy(&v, row, left < LANES ? left * sizeof(float) : sizeof v);
    return v;
}

static inline vf narrow_at(const uint8_t *row, size_t left)
{
    vnarrow v = {0};

    memcpy(&v, row, left < LANES ? left * sizeof(uint16_t) : sizeof v);
    return (vf)(__builtin_convertvector(v, vu) << 16);
}

static inline void pack_step(const uint8_t *row, size_t apart, size_t live, size_t left, bool narrow, struct target out)
{
    vf v[LANES];

    for (size_t r = 0; r < LANES; r++)
        v[r] = r >= live ? (vf){0} : narrow ? narrow_at(row + r * apart, left) : floats_at(row + r * apart, left);
    vtranspose(v);
    for (size_t k = 0; k < LANES && k < left; k++) {
        vhalf low = LOW(v[k]), high = HIGH(v[k]);
        memcpy(out.to + k * out.step, &low, sizeof low);
        memcpy(out.to + k * out.step + out.high, &high, sizeof high);
    }
}

static void pack(const uint8_t *row, size_t apart, size_t live, size_t width, bool narrow, struct target out)
{
    size_t whole = live < LANES ? 0 : width / LANES * LANES, nbytes = narrow ? sizeof(uint16_t) : sizeof(float);

    for (size_t i = 0; i < width; i += LANES, out.to += LANES * out.step)
        if (i >= whole)
            pack_step(row + i * nbytes, apart, live, width - i, narrow, out);
        else if (narrow)
            pack_step(row + i * nbytes, apart, LANES, LANES, true, out);
        else
            pack_step(row + i * nbytes, apart, LANES, LANES, false, out);
}

/* The sums, or with `more` added to those before. */
static inline void store_tile(const vf sum[TOKENS][REGISTERS], size_t registers, bool more, float *y, size_t stride, size_t tokens, size_t rows)
{
    float edge[ROWS];

    for (size_t t = 0; t < TOKENS && t < tokens; t++, y += stride) {
        if (rows == registers * LANES) {
#pragma GCC unroll 3
            for (size_t k = 0; k < registers; k++)
                vf_store(y + k * LANES, more ? vf_load(y + k * LANES) + sum[t][k] : sum[t][k]);
            continue;
        }
        memcpy(edge, sum[t], sizeof edge);
        for (size_t r = 0; r < rows; r++)
            y[r] = more ? y[r] + edge[r] : edge[r];
    }
}

/* The first `registers` of a sliver: a constant, so that all sums are registers. */
FUSED __attribute__((always_inline))
static inline void multiply_some(size_t registers, const uint32_t *x, const uint32_t *w, size_t words, float *y, size_t stride, size_t tokens,
                                 size_t rows)
{
    const float *token = (const float *)x, *row = (const float *)w;

    for (size_t i = 0; i < words; ) {
        size_t end = words - i < DEPTH ? words : i + DEPTH;
        bool more = i > 0;
        vf sum[TOKENS][REGISTERS] = {0};
        for (; i < end; i++, token += TOKENS, row += ROWS) {
            vf w0 = vf_load(row), w1 = vf_load(row + LANES), w2 = vf_load(row + 2 * LANES);
            __builtin_prefetch(token + AHEAD * TOKENS);
#pragma GCC unroll 8
            for (size_t t = 0; t < TOKENS; t++) {
                vf one = vf_all(token[t]);
                sum[t][0] = fused(one, w0, sum[t][0]);
                if (registers > 1)
                    sum[t][1] = fused(one, w1, sum[t][1]);
                if (registers > 2)
                    sum[t][2] = fused(one, w2, sum[t][2]);
            }
        }
        store_tile(sum, registers, more, y, stride, tokens, rows);
    }
}

FUSED static void multiply(const uint32_t *x, const uint32_t *w, size_t words, float *y, size_t stride, size_t tokens, size_t rows)
{
    if (rows <= LANES)
        multiply_some(1, x, w, words, y, stride, tokens, rows);
    else if (rows <= 2 * LANES)
        multiply_some(2, x, w, words, y, stride, tokens, rows);
    else
        multiply_some(3, x, w, words, y, stride, tokens, rows);
}

extern const struct units PASTE(units, ISA);
const struct units PASTE(units, ISA) = { .isa = TEXT(ISA), .lanes = LANES, .tokens = TOKENS, .rows = ROWS, .per_word = 1, .pack = pack,
                                         .multiply = multiply };
