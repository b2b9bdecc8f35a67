/* units.h - the multipliers of this CPU, for tiles of tokens by rows whose sums stay in registers.
 *
 * Both factors are packed in words of 32 bits, a float or two neighboring bfloat16 numbers, for blocks of some tokens and slivers of
 * three registers of rows. With lanes of 16 a block has 8 tokens and a sliver 48 rows, and a tile of 8 x 48 sums takes 24 registers:
 *
 *     tokens   x0[0] x1[0] ... x7[0] | x0[1] ...          each handed to all lanes
 *     rows     w0[0] w1[0] ... w47[0] | w0[1] ...         three registers at a time
 *
 * CPUs with 16 registers have blocks of 4 tokens, whose sums take 12. */
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
    size_t lanes;               /* rows, or tokens, that are packed at a time */
    size_t tokens, rows;        /* of a block, half of the lanes or a multiple of them; of a sliver, three times the lanes */
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

/* Multiplication and addition of floats; fused, to the same results, on AVX2, AVX-512 and AArch64. */
const struct units *units_f32(void);

/* Of a row, or a token, of `width` numbers. */
size_t units_words(const struct units *, size_t width);

/* n tokens of `width` floats, `stride` apart, packed in blocks: token t starts at word units_token(). Those from `first` on are packed,
 * as many as there are lanes, of which `first` is a multiple; `packed` has room for units_room(). */
size_t units_room(const struct units *, size_t n, size_t width);        /* bytes */
size_t units_token(const struct units *, size_t words, size_t t);
void units_pack_tokens(const struct units *, const float *x, size_t stride, size_t n, size_t width, size_t first, uint32_t *packed);

#endif
