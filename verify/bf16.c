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

#include <omp.h>
#include <string.h>

#ifdef __x86_64__
#include <immintrin.h>

enum {
    TOKENS = 8, LANES = 16, REGISTERS = 3, ROWS = LANES * REGISTERS,
    PIECE = 1024,               /* weights of a row decoded at a time: whole blocks of every encoding */
    AHEAD = 128,                /* pairs of tokens that are fetched before their turn: they come from afar */
    SLIVERS = 4,                /* at most, of a share */
    PART = 256,                 /* tokens at least in a part: packing a sliver again costs less than a tenth of their products */
};

#define BF16_UNITS __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))

bool bf16_usable(void)
{
    return __builtin_cpu_supports("avx512bf16") && strcmp(isa_current()->name, "avx512") == 0;
}

static size_t pairs_of(size_t width)
{
    return (width + 1) / 2;
}

/* Which of `left` numbers a register of `most` can hold. */
static uint32_t first_of(size_t left, size_t most)
{
    return left >= most ? UINT32_MAX >> (32 - most) : (1u << left) - 1;
}

/* The next 16 pairs of a row of which `left` numbers are left; what is missing at the end is 0. */
BF16_UNITS static inline __m512i pairs_at(const void *row, size_t left, bool narrow)
{
    const float *x = row;

    if (narrow)
        return _mm512_maskz_loadu_epi16(first_of(left, 2 * LANES), row);
    __m512 low = _mm512_maskz_loadu_ps((__mmask16)first_of(left, LANES), x);
    __m512 high = left > LANES ? _mm512_maskz_loadu_ps((__mmask16)first_of(left - LANES, LANES), x + LANES) : _mm512_setzero_ps();
    return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

/* Word c of v[r] becomes word r of v[c]: within 4 words, then among the quarters of registers. */
BF16_UNITS static inline void transpose(__m512i v[LANES])
{
    __m512i t[LANES];

#pragma GCC unroll 8
    for (size_t i = 0; i < LANES; i += 2) {
        t[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
    }
#pragma GCC unroll 4
    for (size_t i = 0; i < LANES; i += 4) {
        v[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        v[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        v[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        v[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++) {
        __m512i a = _mm512_shuffle_i32x4(v[i], v[i + 4], 0x88), b = _mm512_shuffle_i32x4(v[i], v[i + 4], 0xdd);
        __m512i c = _mm512_shuffle_i32x4(v[i + 8], v[i + 12], 0x88), d = _mm512_shuffle_i32x4(v[i + 8], v[i + 12], 0xdd);
        t[i] = _mm512_shuffle_i32x4(a, c, 0x88);
        t[i + 8] = _mm512_shuffle_i32x4(a, c, 0xdd);
        t[i + 4] = _mm512_shuffle_i32x4(b, d, 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(b, d, 0xdd);
    }
#pragma GCC unroll 16
    for (size_t i = 0; i < LANES; i++)
        v[i] = t[i];
}

/* Where pairs of 16 rows go: pair i of the first 8 to to[i * step], of the others `high` words behind. */
struct target {
    uint32_t *to;
    size_t step, high;
};

/* 16 rows of `width` numbers, bfloat16 (narrow) or floats, `apart` bytes from each other; those from `live` on are 0. */
BF16_UNITS static void pack(const uint8_t *row, size_t apart, size_t live, size_t width, bool narrow, struct target out)
{
    size_t nbytes = narrow ? 2 : sizeof(float);

    for (size_t i = 0; i < width; i += 2 * LANES) {
        size_t left = width - i, n = pairs_of(left) < LANES ? pairs_of(left) : LANES;
        __m512i v[LANES];
#pragma GCC unroll 16
        for (size_t r = 0; r < LANES; r++)
            v[r] = r < live ? pairs_at(row + r * apart + i * nbytes, left, narrow) : _mm512_setzero_si512();
        transpose(v);
#pragma GCC unroll 16
        for (size_t k = 0; k < LANES; k++)
            if (k < n) {
                uint32_t *to = out.to + (i / 2 + k) * out.step;
                _mm256_storeu_si256((__m256i *)to, _mm512_castsi512_si256(v[k]));
                _mm256_storeu_si256((__m256i *)(to + out.high), _mm512_extracti64x4_epi64(v[k], 1));
            }
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
#pragma GCC unroll 8
    for (size_t t = 0; t < TOKENS; t++)
        if (t < tokens)
            for (size_t k = 0; k < rows; k += LANES)
                _mm_prefetch(y + t * stride + k, _MM_HINT_T0);
    for (size_t i = 0; i < pairs; i++, x += TOKENS, w += ROWS) {
        _mm_prefetch(x + AHEAD * TOKENS, _MM_HINT_T0);
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

/* n <= 16 encoded rows, decoded piece by piece. */
static void pack_decoded(const struct qtype *type, const uint8_t *in, size_t nbytes, size_t n, size_t width, struct target out, float *piece)
{
    for (size_t i = 0; i < width; i += PIECE) {
        size_t some = width - i < PIECE ? width - i : PIECE, block = (size_t)type->block;
        for (size_t r = 0; r < n; r++)
            type->decode(in + r * nbytes + i / block * (size_t)type->nbytes, piece + r * PIECE, some / block);
        pack((const uint8_t *)piece, PIECE * sizeof *piece, n, some, false, out);
        out.to += PIECE / 2 * out.step;
    }
}

/* n <= 48 encoded rows as a sliver. */
static void pack_rows(const struct qtype *type, const uint8_t *in, size_t n, size_t width, uint32_t *to, float *piece)
{
    size_t nbytes = width / (size_t)type->block * (size_t)type->nbytes;

    for (size_t r = 0; r < ROWS; r += LANES) {
        size_t live = n <= r ? 0 : n - r < LANES ? n - r : LANES;
        struct target out = { to + r, ROWS, LANES / 2 };
        if (strcmp(type->name, "bf16") == 0)
            pack(in + r * nbytes, nbytes, live, width, true, out);
        else
            pack_decoded(type, in + r * nbytes, nbytes, live, width, out, piece);
    }
}

static uint32_t *pack_tokens(const float *x, size_t n, size_t width, struct arena *a)
{
    size_t pairs = pairs_of(width), blocks = (n + LANES - 1) / LANES;
    uint32_t *packed = arena_raw(a, blocks * LANES * pairs * sizeof *packed);

#pragma omp parallel for schedule(static)
    for (size_t b = 0; b < blocks; b++) {
        size_t t = b * LANES;
        struct target out = { packed + t * pairs, TOKENS, TOKENS * pairs };
        pack((const uint8_t *)(x + t * width), width * sizeof *x, n - t < LANES ? n - t : LANES, width, false, out);
    }
    return packed;
}

/* ---- sharing out ---- */

/* Slivers are taken several at a time (fewer ranges of a file to map), then one by one, and the last ones, one for each thread, in parts of
 * the tokens: so that all threads end at the same time. */
struct shares {
    size_t rows, n;
    size_t threads, parts;      /* parts of the tokens; a sliver is packed again for each */
    size_t whole, next;         /* slivers that are taken whole; how many of these, and of the parts of the others, are taken */
};

struct share {
    size_t row, rows, token, n;
};

static struct shares shares_of(size_t rows, size_t n)
{
    struct shares s = { .rows = rows, .n = n, .threads = (size_t)omp_get_max_threads() };
    size_t slivers = (rows + ROWS - 1) / ROWS;

    s.parts = n / PART < s.threads ? n / PART : s.threads;
    s.whole = s.parts < 2 ? slivers : slivers > s.threads ? slivers - s.threads : 0;
    return s;
}

/* The share at `next`, which moves on; false: all are taken. */
static bool next_share(struct shares *s, struct share *out)
{
    size_t some = 1, tokens = s->n;

    if (s->next < s->whole) {
        some = (s->whole - s->next) / (2 * s->threads);
        some = some < 1 ? 1 : some > SLIVERS ? SLIVERS : some;
        *out = (struct share){ s->next * ROWS, some * ROWS, 0, s->n };
    } else {
        size_t at = s->next - s->whole, parts = s->parts ? s->parts : 1;
        tokens = (s->n + parts - 1) / parts;
        tokens = (tokens + TOKENS - 1) / TOKENS * TOKENS;
        *out = (struct share){ (s->whole + at / parts) * ROWS, ROWS, at % parts * tokens, tokens };
    }
    if (out->row >= s->rows)
        return false;
    out->rows = s->rows - out->row < out->rows ? s->rows - out->row : out->rows;
    out->n = out->token >= s->n ? 0 : s->n - out->token < out->n ? s->n - out->token : out->n;
    s->next += some;
    return true;
}

/* One product, and how it is shared out. */
struct product {
    struct model *model;
    const struct tensor *w;
    uint64_t first;
    const uint32_t *tokens;     /* packed */
    float *y;
    size_t stride;
    struct shares shares;
};

static int do_share(const struct product *p, const struct share *s, uint32_t *sliver, float *piece, struct arena *tmp, struct fail *f)
{
    size_t width = tensor_row(p->w), pairs = pairs_of(width);
    const uint8_t *in = model_rows(p->model, p->w, p->first + s->row, s->rows, tmp, f);

    if (!in)
        return -1;
    for (size_t r = 0; r < s->rows; r += ROWS) {
        size_t rows = s->rows - r < ROWS ? s->rows - r : ROWS;
        float *y = p->y + s->row + r;
        pack_rows(p->w->type, in + r * tensor_row_bytes(p->w), rows, width, sliver, piece);
        for (size_t t = 0; t < s->n; t += TOKENS)
            multiply(p->tokens + (s->token + t) * pairs, sliver, pairs, y + (s->token + t) * p->stride, p->stride,
                     s->n - t < TOKENS ? s->n - t : TOKENS, rows);
    }
    arena_reset(tmp);
    return 0;
}

int bf16_product(struct model *m, const struct tensor *w, uint64_t first, size_t rows, const float *x, size_t n, float *y, size_t stride,
                 struct arena *tokens, struct fail *f)
{
    size_t width = tensor_row(w), lowest = SIZE_MAX;
    struct product p = { .model = m, .w = w, .first = first, .y = y, .stride = stride, .shares = shares_of(rows, n) };

    arena_reset(tokens);
    p.tokens = pack_tokens(x, n, width, tokens);

#pragma omp parallel
    {
        struct arena tmp = {0}, mine = {0};
        uint32_t *sliver = arena_raw(&mine, pairs_of(width) * ROWS * sizeof *sliver);
        float *piece = arena_raw(&mine, LANES * PIECE * sizeof *piece);
        struct share s;
        for (bool more = true; more; ) {
            struct fail bad = {0};
#pragma omp critical(bf16_share)
            more = next_share(&p.shares, &s);
            if (!more || do_share(&p, &s, sliver, piece, &tmp, &bad) == 0)
                continue;
#pragma omp critical(lowest_failure)
            if (s.row < lowest) {
                lowest = s.row;
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
