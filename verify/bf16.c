/* bf16.c - see bf16.h.
 *
 * The multiplier adds, in each of 16 lanes, the products of two neighboring pairs. So tokens and weights are packed in pairs, for
 * blocks of 8 tokens and slivers of 48 rows, whose 8 x 48 sums stay in 24 registers while the row is run through:
 *
 *     tokens   x0[0,1] x1[0,1] ... x7[0,1] | x0[2,3] ...          each handed to all lanes
 *     rows     w0[0,1] w1[0,1] ... w47[0,1] | w0[2,3] ...         three registers at a time
 *
 * A sliver of 4096 weights takes 400 KB: it stays in the second-level cache while all tokens pass. */
#include "verify/bf16.h"

#include "quant/isa.h"

#include <string.h>

#ifdef __x86_64__
#include <immintrin.h>

enum { TOKENS = 8, LANES = 16, REGISTERS = 3, ROWS = LANES * REGISTERS };

#define BF16_UNITS __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))

bool bf16_usable(void)
{
    return __builtin_cpu_supports("avx512bf16") && strcmp(isa_current()->name, "avx512") == 0;
}

static size_t pairs_of(size_t width)
{
    return (width + 1) / 2;
}

/* A row as pairs, every `apart`-th of `to`; what is missing at the end is 0. 16 pairs at a time. */
BF16_UNITS static void pack_floats(const float *x, size_t width, uint32_t *to, size_t apart)
{
    uint32_t pair[LANES];

    for (size_t i = 0; i < width; i += 2 * LANES) {
        size_t left = width - i;
        __mmask16 low = left >= 16 ? 0xffff : (__mmask16)((1u << left) - 1);
        __mmask16 high = left >= 32 ? 0xffff : left <= 16 ? 0 : (__mmask16)((1u << (left - 16)) - 1);
        __m512 a = _mm512_maskz_loadu_ps(low, x + i), b = _mm512_maskz_loadu_ps(high, x + i + (left > 16 ? 16 : 0));
        size_t n = pairs_of(left) < LANES ? pairs_of(left) : LANES;
        _mm512_storeu_si512(pair, (__m512i)_mm512_cvtne2ps_pbh(b, a));
        for (size_t k = 0; k < n; k++)
            to[(i / 2 + k) * apart] = pair[k];
    }
}

static void pack_bf16(const uint8_t *x, size_t width, uint32_t *to, size_t apart)
{
    for (size_t i = 0; i < width / 2; i++)
        memcpy(&to[i * apart], x + 4 * i, 4);
    if (width % 2) {
        uint16_t last;
        memcpy(&last, x + 2 * (width - 1), 2);
        to[width / 2 * apart] = last;
    }
}

/* 8 tokens by 48 rows; live ones are stored. */
BF16_UNITS static void multiply(const uint32_t *x, const uint32_t *w, size_t pairs, float *y, size_t stride, size_t tokens, size_t rows)
{
    __m512 sum[TOKENS][REGISTERS];

#pragma GCC unroll 8
    for (size_t t = 0; t < TOKENS; t++)
#pragma GCC unroll 3
        for (size_t k = 0; k < REGISTERS; k++)
            sum[t][k] = _mm512_setzero_ps();
    for (size_t i = 0; i < pairs; i++, x += TOKENS, w += ROWS) {
        __m512bh w0 = (__m512bh)_mm512_load_si512(w), w1 = (__m512bh)_mm512_load_si512(w + LANES),
                 w2 = (__m512bh)_mm512_load_si512(w + 2 * LANES);
#pragma GCC unroll 8
        for (size_t t = 0; t < TOKENS; t++) {
            __m512bh one = (__m512bh)_mm512_set1_epi32((int)x[t]);
            sum[t][0] = _mm512_dpbf16_ps(sum[t][0], one, w0);
            sum[t][1] = _mm512_dpbf16_ps(sum[t][1], one, w1);
            sum[t][2] = _mm512_dpbf16_ps(sum[t][2], one, w2);
        }
    }
#pragma GCC unroll 8
    for (size_t t = 0; t < TOKENS; t++)
#pragma GCC unroll 3
        for (size_t k = 0; k < REGISTERS; k++) {
            size_t left = rows > k * LANES ? rows - k * LANES : 0;
            __mmask16 mask = left >= LANES ? 0xffff : (__mmask16)((1u << left) - 1);
            if (t < tokens && mask)
                _mm512_mask_storeu_ps(y + t * stride + k * LANES, mask, sum[t][k]);
        }
}

/* Rows [first, first + n) of t, decoded and packed. */
static int pack_rows(struct model *m, const struct tensor *t, uint64_t first, size_t n, uint32_t *to, struct arena *tmp, struct fail *f)
{
    size_t width = tensor_row(t), nbytes = tensor_row_bytes(t);
    const uint8_t *in = model_rows(m, t, first, n, tmp, f);
    float *row;

    if (!in)
        return -1;
    if (n < ROWS)
        memset(to, 0, pairs_of(width) * ROWS * sizeof *to);
    row = arena_raw(tmp, width * sizeof *row);
    for (size_t r = 0; r < n; r++) {
        if (strcmp(t->type->name, "bf16") == 0) {
            pack_bf16(in + r * nbytes, width, to + r, ROWS);
            continue;
        }
        t->type->decode(in + r * nbytes, row, width / (size_t)t->type->block);
        pack_floats(row, width, to + r, ROWS);
    }
    return 0;
}

static uint32_t *pack_tokens(const float *x, size_t n, size_t width, struct arena *a)
{
    size_t pairs = pairs_of(width), blocks = (n + TOKENS - 1) / TOKENS;
    uint32_t *packed = arena_raw(a, blocks * TOKENS * pairs * sizeof *packed);

#pragma omp parallel for schedule(static)
    for (size_t b = 0; b < blocks; b++)
        for (size_t t = 0; t < TOKENS; t++) {
            uint32_t *to = packed + b * TOKENS * pairs + t;
            if (b * TOKENS + t < n)
                pack_floats(x + (b * TOKENS + t) * width, width, to, TOKENS);
            else
                for (size_t i = 0; i < pairs; i++)
                    to[i * TOKENS] = 0;
        }
    return packed;
}

int bf16_product(struct model *m, const struct tensor *w, uint64_t first, size_t rows, const float *x, size_t n, float *y, size_t stride,
                 struct arena *tokens, struct fail *f)
{
    size_t width = tensor_row(w), pairs = pairs_of(width), lowest = SIZE_MAX;
    const uint32_t *packed;

    arena_reset(tokens);
    packed = pack_tokens(x, n, width, tokens);

#pragma omp parallel
    {
        struct arena tmp = {0}, mine = {0};
        uint32_t *sliver = arena_raw(&mine, pairs * ROWS * sizeof *sliver);
#pragma omp for schedule(dynamic)
        for (size_t r = 0; r < rows; r += ROWS) {
            struct fail bad = {0};
            size_t some = rows - r < ROWS ? rows - r : ROWS;
            if (pack_rows(m, w, first + r, some, sliver, &tmp, &bad) == 0) {
                arena_reset(&tmp);
                for (size_t t = 0; t < n; t += TOKENS)
                    multiply(packed + t * pairs, sliver, pairs, y + t * stride + r, stride, n - t < TOKENS ? n - t : TOKENS, some);
                continue;
            }
#pragma omp critical(lowest_failure)
            if (r < lowest) {
                lowest = r;
                *f = bad;
            }
        }
        arena_release(&mine);
        arena_release(&tmp);
    }
    return lowest == SIZE_MAX ? 0 : -1;
}

#else

bool bf16_usable(void)
{
    return false;
}

int bf16_product(struct model *m, const struct tensor *w, uint64_t first, size_t rows, const float *x, size_t n, float *y, size_t stride,
                 struct arena *tokens, struct fail *f)
{
    (void)m, (void)w, (void)first, (void)rows, (void)x, (void)n, (void)y, (void)stride, (void)tokens;
    return fail(f, FAIL_SYSTEM, "this CPU has no bfloat16 units");
}

#endif
