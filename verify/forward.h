/* forward.h - the forward pass, layer by layer, over rows of any encoding.
 *
 * A stream takes the hidden states (states.h) of all tokens of all chunks through one canonical model; stream_layer() takes them one
 * layer further. Two streams of two models advance in step, so memory holds some rows of one weight, the hidden states and
 * the temporaries of a group of chunks (GROUP_* in stream.h), never a model. A group passes through a whole layer before
 * the next one starts; its some 2000 tokens share each decoded weight, which costs a few per cent of the product.
 * Products are made by the CPU's own units (product.h); figures do not depend on the number of threads.
 *
 * Semantics are those of transformers in float32. The attention window is {arch}.attention.sliding_window where a model
 * has that key: a token sees itself and the window - 1 tokens before it. convert_hf_to_gguf.py does not write it for
 * Mistral, and llama.cpp runs such a file without a window; so does this. A directory, of which model.hints knows the window, is
 * run with it. */
#ifndef BANTAM_FORWARD_H
#define BANTAM_FORWARD_H

#include "formats/model.h"

struct stream;
struct tree;

/* Memory of one call, kept for the next: streams that take turns may share one. Released by workspace_release(). */
struct workspace {
    struct arena input;     /* states that were read from a file */
    struct arena work;      /* temporaries of a group */
    struct arena packed;    /* inputs of one product */
};

void workspace_release(struct workspace *);

/* All zeros (or NULL for the whole) is fine. Both are called from the thread that calls stream_layer(). */
struct stream_options {
    /* The inputs of a product with a tensor, before it is computed: n tokens of tensor_row(t) floats, in order. q, k and v get
     * the same ones. `expert` is the matrix of a tensor of rank 3 that these tokens were sent to, otherwise 0. */
    void (*observe)(void *ctx, const struct tensor *t, size_t expert, const float *x, size_t n);
    void (*progress)(void *ctx, size_t tokens);         /* so many more tokens have passed a layer */
    /* The first group has passed a layer: x, the hidden states of its tokens. They are not kept yet, so that what is noted here never
     * lacks. Not 0: a failure. */
    int (*passed)(void *ctx, const float *x, struct fail *f);
    void *ctx;
    bool fast;              /* products with bfloat16 and quantized weights through the CPU's bfloat16 units, if it has them: units.h */
    bool half_cache;        /* keys and values are rounded to half precision, as llama.cpp's cache holds them */
    struct workspace *space;                /* NULL: its own, released after each call */
    const struct tree *tree;                /* of each chunk: its tokens are not one sequence but a tree of them, tree[k].n of `context`; NULL: sequences */
    size_t before;          /* steps that groups of the states may have behind them already: streams that had the same place */
    size_t needed_from;     /* behind the last layer, the states of each chunk before this position are not looked at */
    size_t work_nbytes;     /* for decoded weights and the temporaries of a group, as far as one chunk and one panel allow; 0: enough */
};

/* `tokens`: nchunks sequences of `context` ids each (borrowed). Checks that every tensor the family needs is there with
 * the shape the metadata implies, and that every id has an embedding. The model is borrowed. NULL: see *f. */
struct stream *stream_open(struct model *canonical, const int32_t *tokens, size_t nchunks, size_t context,
                           const struct stream_options *, struct fail *);
void stream_close(struct stream *);                 /* NULL is fine */

/* Hidden states live in the stream, in memory, unless they are given a place among those of several streams: `states` has for
 * stream `index` stream_groups(group) groups of up to stream_group_floats(group) floats. `group` is the number of chunks that
 * pass a layer together, at most stream_group(). Before stream_embed(). */
struct states;
void stream_attach(struct stream *, struct states *, size_t index, size_t group);
size_t stream_group(const struct stream *);
size_t stream_groups(const struct stream *, size_t group);
size_t stream_group_floats(const struct stream *, size_t group);

size_t stream_layers(const struct stream *);
size_t stream_width(const struct stream *);         /* embedding length */
size_t stream_vocabulary(const struct stream *);    /* rows of the output matrix */

/* The hidden states of tokens at[0] ... at[n - 1], counted over all chunks and ascending: n x width. */
int stream_gather(struct stream *, const size_t *at, size_t n, float *out, struct fail *);

/* What states of an earlier run have passed already is not done again. */
int stream_embed(struct stream *, struct fail *);                   /* token embeddings -> hidden */
int stream_layer(struct stream *, size_t layer, struct fail *);     /* one transformer block; not finite: FAIL_INPUT */

/* The final norm of tokens [first, first + n), handed to `observe` as the output product's inputs, which is not computed. */
int stream_observe_output(struct stream *, size_t first, size_t n, struct fail *);

/* Final norm and output product of tokens at[0] ... at[n - 1] (counted over all chunks): n x vocabulary logits. */
int stream_logits(struct stream *, const size_t *at, size_t n, float *logits, struct fail *);

#endif
