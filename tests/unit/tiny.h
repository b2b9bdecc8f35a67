/* tiny.h - a small model of the llama family in memory, with random weights, for the tests of verify/. */
#ifndef BANTAM_TESTS_TINY_H
#define BANTAM_TESTS_TINY_H

#include "formats/model.h"
#include "tokenizer/vocab.h"

struct tiny {
    size_t layers, width, heads, kv_heads, key, value, ff, vocabulary;
    bool bias, tied;
    size_t window;              /* 0: none */
    const char *scaling;        /* rope scaling type; NULL: none */
    double factor;              /* of that scaling */
    bool factors;               /* rope_freqs.weight */
    size_t experts, used;       /* a mixture, if not 0: `used` of `experts` mlps for each token, without biases */
    const char *type;           /* of the matrices; NULL: f32 */
    unsigned seed;
};

#define TINY { .layers = 2, .width = 32, .heads = 4, .kv_heads = 2, .key = 8, .value = 8, .ff = 48, .vocabulary = 61 }

/* Closed by model_close(); its meta and tensors may be changed before use. */
struct model *tiny_model(const struct tiny *);

/* Weight data of a tensor of a tiny model, to be looked at or spoilt: float32 if the tensor is. */
void *tiny_data(const struct model *, const char *name);

/* Ids drawn at random below `vocabulary`; freed by the caller. */
int32_t *tiny_tokens(size_t n, size_t vocabulary, unsigned seed);

/* Floats between -1 and 1; freed by the caller. */
float *tiny_floats(size_t n, unsigned seed);

/* A SentencePiece vocabulary of nothing but bytes, with BOS, in `a`. */
enum { TINY_BYTES_AT = 3, TINY_PIECES = TINY_BYTES_AT + 256 };
struct vocab *tiny_vocab(struct arena *a, struct fail *);

/* Logits of one sequence, computed one number at a time in double from the rows the model hands out: the formulas of the
 * papers and nothing else. n * vocabulary doubles, freed by the caller. */
double *tiny_reference(struct model *, const struct tiny *, const int32_t *tokens, size_t n);

#endif
