/* encoder.h - the forward pass of encoders (BERT): texts in, hidden states and sentence vectors out.
 *
 * Every token of a text sees all others of it, and no other text; texts of different length lie one behind the other without
 * padding. A layer is norm(x + attention(x)), then norm(x + mlp(x)) (arXiv 1810.04805). Semantics are those of transformers in
 * float32, with all tokens of the first type. Products are those of the decoders (stream.h). */
#ifndef BANTAM_ENCODER_H
#define BANTAM_ENCODER_H

#include "formats/model.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Text t is token[start[t]] ... token[start[t + 1] - 1]. */
struct sentences {
    const int32_t *token;
    const size_t *start;                /* n + 1 */
    size_t n;
};

enum pooling { POOLING_MEAN = 1, POOLING_CLS, POOLING_LAST };    /* the numbers of {arch}.pooling_type */

struct encoder;

/* Is this canonical model one? */
bool encoder_is(const struct model *canonical);

/* The most tokens that a text may have: one for each position. 0: the metadata does not say. */
size_t encoder_positions(const struct model *canonical);

/* For texts of at most `longest` tokens. Checks that every tensor is there with the shape that the metadata imply. The model is
 * borrowed. NULL: see *f. */
struct encoder *encoder_open(struct model *canonical, size_t longest, struct fail *);
void encoder_close(struct encoder *);               /* NULL is fine */

size_t encoder_layers(const struct encoder *);
size_t encoder_width(const struct encoder *);

/* Embeddings of all tokens; the texts are borrowed until the next call. -1: FAIL_INPUT, an id that has no embedding. */
int encoder_embed(struct encoder *, const struct sentences *, struct fail *);
int encoder_layer(struct encoder *, size_t layer, struct fail *);       /* not finite: FAIL_INPUT */

/* All tokens' hidden states, tokens x width, until the next encoder_embed(). */
const float *encoder_hidden(const struct encoder *);

/* A vector for each text, n x width: mean, first or last token, divided by its length. A text without tokens gets zeros. */
void encoder_pool(const struct encoder *, float *out);

#endif
