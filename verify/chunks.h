/* chunks.h - a text as chunks of tokens, cut as llama-perplexity and llama-imatrix cut it. */
#ifndef BANTAM_CHUNKS_H
#define BANTAM_CHUNKS_H

#include "tokenizer/tokenizer.h"

enum { CHUNK_CONTEXT = 512 };           /* tokens in a chunk unless the user says otherwise */

struct chunk_options {
    size_t context;                     /* tokens in a chunk, at least 1 */
    size_t most;                        /* chunks at most; 0: all */
    bool parse_special;
};

/* Chunk k is token[k * context] and those behind it; what does not fill a chunk at the end is left out. BOS takes the place
 * of each chunk's first token if the vocabulary adds one. One newline at the end of the text does not count. */
struct chunks {
    int32_t *token;                     /* n * context */
    size_t n, context;
};

/* The arrays hang on `a`. FAIL_INPUT: the text has less than two chunks, the least that llama.cpp's tools take. */
int chunks_read(struct chunks *, const struct vocab *, const char *text, size_t nbytes, const struct chunk_options *,
                struct arena *a, struct fail *);

/* How many tokens of chunk k of n chunks, its first ones, llama-imatrix counts for tensors without experts: it cuts chunks that it runs
 * side by side into micro-batches and leaves out those of less than 16 tokens, in which the last tokens of chunks may come to lie. Source:
 * llama.cpp tools/imatrix/imatrix.cpp (compute_imatrix, collect_imatrix), src/llama-batch.cpp (split_equal), with its default sizes. */
size_t chunk_counted(size_t context, size_t n, size_t k);

#endif
