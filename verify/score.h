/* score.h - what did quantizing cost? Perplexity, KL divergence, agreement, as llama-perplexity defines them
 * (llama.cpp tools/perplexity/README.md), in double and without clipping. */
#ifndef BANTAM_SCORE_H
#define BANTAM_SCORE_H

#include "formats/model.h"
#include "tokenizer/tokenizer.h"

struct score_options {
    size_t context;                     /* tokens per chunk; 0: 512 */
    size_t chunks;                      /* at most; 0: all */
    void (*progress)(void *ctx, const char *what, uint64_t done, uint64_t total);   /* may be NULL */
    void *ctx;
};

struct perplexity {
    double value, stderr_;
};

struct tensor_error {
    const char *name;
    const char *type;                   /* the candidate's encoding, label */
    double rmse, nmse, cosine;
};

struct score {
    size_t tokens, context, chunks;     /* tokens: scored ones */
    struct perplexity original, candidate;
    double ratio, ratio_stderr;
    struct {
        double mean, stderr_, median, p90, p99, p999, max;
    } kld;
    double top1, rms_delta_p;           /* shares, 0..1 */
    struct tensor_error *tensor;        /* tensors that both have, in the original's order */
    size_t ntensors;
    double *layer_nmse;                 /* of the hidden state behind each layer */
    size_t nlayers;
    double seconds;
    uint64_t peak_nbytes;               /* resident, as getrusage has it */
};

/* Both canonical models over `text` (tokenized by the original's vocabulary `v`). Different vocabulary sizes or layer
 * counts are FAIL_INPUT. The arrays hang on `a`. */
int score_pair(struct model *candidate, struct model *original, const struct vocab *v, const char *text, size_t nbytes,
               const struct score_options *, struct arena *a, struct score *, struct fail *);

/* One model alone: only tokens, context, chunks, original, seconds and peak are filled. */
int score_one(struct model *, const struct vocab *v, const char *text, size_t nbytes, const struct score_options *,
              struct arena *a, struct score *, struct fail *);

/* n rows of logits of one sequence of n tokens, in `a`; *width is the vocabulary size. NULL: see *f. */
float *score_logits(struct model *, const int32_t *tokens, size_t n, struct arena *a, size_t *width, struct fail *);

#endif
