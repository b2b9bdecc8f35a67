/* stream.h - what a stream consists of, and the steps that the files of the forward pass share: for them alone, others include
 * forward.h. In the order in which a pass uses them: hyper.c reads the metadata, parts.c finds the tensors, stream.c opens, keeps hidden
 * states and multiplies, mlp.c is the second half of a layer, forward.c the network. Failures do not name the model yet: the
 * functions of forward.h do, as they return. */
#ifndef BANTAM_STREAM_H
#define BANTAM_STREAM_H

#include "convert/arch.h"
#include "verify/forward.h"
#include "verify/ops.h"
#include "verify/states.h"
#include "verify/tree.h"

enum {
    GROUP_TOKENS = 2048,            /* tokens that pass a layer together: whole chunks, at least one ... */
    GROUP_NBYTES = 256 << 20,       /* ... and no more than have room for their temporaries here, or in what the options leave for them */
    MAX_LENGTH = 1 << 24,           /* of any vector: far beyond any model, and products of two fit easily */
};

/* y = w x + b, or a norm's gain w and bias b; of a matrix that is several in one, rows [first, first + rows). */
struct affine {
    const struct tensor *w, *b;     /* b: NULL if there is none */
    size_t first, rows;
    size_t expert;                  /* the matrix of a tensor of rank 3 */
};

/* Of experts, tensors of rank 3. */
struct mlp {
    struct affine gate, up, down;
};

struct layer {
    struct affine attn_norm, attn_norm_2, q, k, v, q_norm, k_norm, o, attn_post_norm;
    struct affine ffn_norm, ffn_post_norm, router, shared_gate;
    struct mlp mlp, experts, shared;
};

/* MIXED: what attention hands to o. */
enum length { NONE, ONE, WIDTH, QUERY, KEY, VALUE, QUERY_KEY, QKV, HEAD, MIXED, HIDDEN, HIDDEN_2, EXPERTS, EXPERT_HIDDEN, SHARED_HIDDEN,
              LENGTHS };

struct stream {
    struct model *model;
    const char *family;             /* general.architecture */
    bool encoder;                   /* what is wanted: a family of encoders */
    struct block_shape block;
    struct attention attention;
    size_t window;                  /* of the layers that have one; 0: none */
    const uint8_t *windowed;        /* which layers those are; NULL: by block.window_period */
    float eps, softcap;             /* softcap: of the logits; 0: none */
    float clamp;                    /* of queries, keys and values; 0: none */
    float embedding_scale, logit_scale;
    size_t experts_used;            /* for each token */
    size_t length[LENGTHS], layers, vocabulary;
    struct affine embedding, embedding_norm, positions, token_types, output_norm, output;
    struct layer *layer;
    struct rope rope, window_rope;  /* of layers without and with a window */
    float *rope_table, *window_rope_table;  /* op_rope_table's */
    float *temperature;             /* factors of the queries at each position of a sequence; NULL: all 1 */

    const int32_t *tokens;
    size_t nchunks, context, group; /* group: chunks that pass a layer together */
    size_t longest;                 /* positions that a sequence has at most: `context`, unless chunks are trees */
    struct states *states;          /* hidden states; borrowed, unless own_states is the same */
    struct states *own_states;
    size_t index;                   /* of this stream among the states' */
    struct stream_options options;

    struct arena arena;             /* owns all of the above but the model and the tokens */
    struct workspace own_space, *space;     /* what calls work in: its own, or shared */
};

/* ---- opening ---- */

/* Hyperparameters, from the metadata. */
int stream_read_hyperparameters(struct stream *, struct fail *);

/* Every tensor, checked against the hyperparameters; the tables that turn positions. */
int stream_find_tensors(struct stream *, struct fail *);

/* Floats that a token needs while it passes a layer: see attention_block(), stream_mlp() and mixture(). */
size_t stream_temporaries(const struct stream *);

/* ---- hidden states ---- */

/* States of its own, unless it was given a place among others. */
int stream_own_states(struct stream *, struct fail *);

/* The states from `token` on that lie together, at most `most` tokens, in memory or in `tmp`; *n receives how many. NULL: see *f. */
const float *stream_range(struct stream *, size_t token, size_t most, size_t *n, struct arena *tmp, struct fail *);

/* ---- steps ---- */

/* n x width floats in `work`. */
float *stream_buffer(struct stream *, size_t n, size_t width);

/* A vector of the model; absent: NULL in *out. */
int stream_vector(struct stream *, const struct tensor *, const float **out, struct fail *);

void stream_observe(struct stream *, const struct tensor *, size_t expert, const float *x, size_t n);

/* y (n x a->rows) = a->w x + a->b. The weight is decoded sliver by sliver, each once for all n tokens. The observer hears of
 * several in one matrix once. */
int stream_product(struct stream *, const struct affine *a, const float *x, size_t n, float *y, struct fail *);

/* Rows of the norm's own width; an absent norm changes nothing. y may be x. */
int stream_norm(struct stream *, const struct affine *, const float *x, size_t n, float *y, struct fail *);

/* x += mlp(norm(in)): n rows, dense or a mixture of experts. */
int stream_mlp(struct stream *, const struct layer *, const float *in, float *x, size_t n, struct fail *);

/* At the end of a call: of a workspace of its own nothing is kept, since it may be another model's turn to use the memory. */
void stream_release_buffers(struct stream *);

#endif
