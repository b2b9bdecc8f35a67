/* forward.h - the forward pass, layer by layer, over rows of any encoding.
 *
 * A stream holds the hidden states of all tokens of all chunks for one canonical model; forward_layer() takes them one
 * layer further, decoding each weight row once for all tokens. Two streams of two models advance in step, so memory
 * holds one layer of each and the activations, never a model. Products: single-threaded OpenBLAS calls on panels of
 * fixed shape, panels in parallel: figures do not depend on the number of threads. */
#ifndef BANTAM_FORWARD_H
#define BANTAM_FORWARD_H

#include "convert/arch.h"
#include "formats/model.h"

struct stream;

/* `tokens`: nchunks sequences of `context` ids each (borrowed). Checks that every tensor the family needs is there with
 * the shape the metadata implies. The model is borrowed. NULL: see *f. */
struct stream *stream_open(struct model *canonical, const int32_t *tokens, size_t nchunks, size_t context, struct fail *);
void stream_close(struct stream *);

size_t stream_layers(const struct stream *);
size_t stream_width(const struct stream *);         /* embedding length */
size_t stream_vocabulary(const struct stream *);    /* rows of the output matrix */
const float *stream_hidden(const struct stream *);  /* nchunks * context * width, row-major */

int stream_embed(struct stream *, struct fail *);                   /* token embeddings -> hidden */
int stream_layer(struct stream *, size_t layer, struct fail *);     /* one transformer block */
/* Final norm and output product of tokens [first, first + n) (counted over all chunks): n * vocabulary logits. */
int stream_logits(struct stream *, size_t first, size_t n, float *logits, struct fail *);

#endif
