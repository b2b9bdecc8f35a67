/* units.h - the multipliers of this CPU, for tiles of tokens by rows whose sums stay in registers.
 *
 * Both factors are packed in words of 32 bits, a float or two neighboring bfloat16 numbers, for blocks of TOKENS tokens and slivers of
 * ROWS rows. With lanes of 16, TOKENS is 8 and ROWS 48, and a tile of 8 x 48 sums takes 24 registers:
 *
 *     tokens   x0[0] x1[0] ... x7[0] | x0[1] ...          each handed to all lanes
 *     rows     w0[0] w1[0] ... w47[0] | w0[1] ...         three registers at a time
 *
 * With lanes of 8 it is half of that: 4 x 24 sums in 12 of 16 registers. */
#ifndef BANTAM_UNITS_H
#define BANTAM_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where the words of `lanes` rows go: word i of the first half of them to to[i * step], of the others `high` words behind. */
struct target {
    uint32_t *to;
    size_t step, high;
};

struct units {
    const char *isa;            /* its name in quant/isa.h */
    size_t lanes;               /* 2 TOKENS, or a third of ROWS */
    size_t per_word;            /* numbers */

    /* `lanes` rows of `width` numbers, bfloat16 (narrow) or floats, `apart` bytes from each other; those from `live` on are 0, and so
     * is what a last word lacks. No alignment is needed. */
    void (*pack)(const uint8_t *row, size_t apart, size_t live, size_t width, bool narrow, struct target out);

    /* y[t][r] = the product of token t of a block and row r of a sliver, `words` long, in float32; rows of y lie `stride` floats apart.
     * Only those up to `tokens` and `rows` are stored. The order of the sum depends on nothing but `words`. */
    void (*multiply)(const uint32_t *x, const uint32_t *w, size_t words, float *y, size_t stride, size_t tokens, size_t rows);
};

/* The bfloat16 units (AVX-512 BF16), twice as fast as float32. Both factors are rounded to 8 significant bits, sums are float32: what
 * llama.cpp does with weights of that type. A weight that is bfloat16 loses nothing; activations do, by one part in 500 each at
 * most, at random. NULL: this CPU has none, or BANTAM_ISA forbids them. */
const struct units *units_bf16(void);

/* Fused multiplication and addition of floats, by the same instructions' results on AVX2 and AVX-512. NULL: OpenBLAS is left. */
const struct units *units_f32(void);

#endif
