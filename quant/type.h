/* type.h - the encodings a weight can have, as one table of functions.
 *
 * An encoding packs `block` consecutive weights of a row into `nbytes` bytes. The table is compiled once per
 * instruction set (isa.h); every set holds the same rows in the same order and writes the same bytes.
 * Nothing here opens files, allocates or fails. */
#ifndef BANTAM_TYPE_H
#define BANTAM_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Floats of 16 bits, as checkpoints store them. */
enum half_kind { HALF_NONE, HALF_BF16, HALF_F16 };

/* One row of types.def. Sizes come from sizeof, never from a hand-typed number. */
struct qtype {
    const char *name;           /* "q4_k": lower case, as files and identifiers here spell it */
    const char *label;          /* "Q4_K": as GGUF tools and people spell it */
    const char *safetensors;    /* dtype in a safetensors header; NULL: that format cannot carry it */
    int gguf_id;                /* ggml_type in a GGUF file; -1: that format cannot carry it */
    int block, nbytes;          /* weights and bytes per block */
    enum half_kind half;             /* is it one of those? */
    bool needs_weight;          /* ggml cannot encode it without importance; what llama-quantize refuses: recipe.h */

    /* nblocks blocks to floats. `in` needs no more than the alignment of the block's largest field. */
    void (*decode)(const void *in, float *out, size_t nblocks);

    /* nrows rows of row_blocks blocks each, one after another, all finite. `weight`, if not NULL, is the
     * importance of each column (row_blocks * block floats), shared by all rows; encodings that have no use for
     * it ignore it. A row is encoded without regard to its neighbors, so rows may come in any portions.
     * NULL: read-only encoding. */
    void (*encode)(const float *in, const float *weight, void *out, size_t nrows, size_t row_blocks);

    /* The same from floats of 16 bits (HALF_NONE: of 32), which need no alignment: the bytes that encode() makes of them when
     * they were decoded, which is what this saves. NULL: not for this encoding. */
    void (*encode_half)(const void *in, enum half_kind, const float *weight, void *out, size_t nrows, size_t row_blocks);
};

/* All lookups use the table of the instruction set in force (isa.h) and return NULL when there is no such row. */
size_t qtype_count(void);
const struct qtype *qtype_at(size_t i);
const struct qtype *qtype_named(const char *name);          /* any letter case: "q4_k", "Q4_K" */
const struct qtype *qtype_of_gguf(uint32_t gguf_id);
const struct qtype *qtype_of_safetensors(const char *dtype);

/* Bytes of a row of n weights; 0 if n is no multiple of the block. No overflow below 2^56 weights. */
uint64_t qtype_row_bytes(const struct qtype *, uint64_t n);

#endif
