/* score.h - what did quantizing cost? An original and its candidates through the network in step, a layer at a time: perplexity,
 * KL divergence, agreement, as llama-perplexity defines them (llama.cpp tools/perplexity/README.md), in double and without
 * clipping. The losses of single tokens stay, so that they can be summed up by category or by how sure the original was. */
#ifndef BANTAM_SCORE_H
#define BANTAM_SCORE_H

#include "formats/model.h"
#include "tokenizer/tokenizer.h"
#include "verify/figures.h"
#include "verify/weights.h"

struct score_options {
    size_t context;                     /* tokens per chunk; 0: 512 */
    size_t chunks;                      /* at most; 0: all */
    bool exact;                         /* float32 products throughout: see score_is_fast() */
    uint64_t memory;                    /* bytes to get by with; 0: as budget_of() says */
    const char *beside;                 /* hidden states that do not fit, and those of long runs, are kept in a file whose name begins so, and
                                         * the next run of the same kind goes on with them; NULL: nothing is kept */
    void (*progress)(void *ctx, const char *what, uint64_t done, uint64_t total);   /* may be NULL */
    void *ctx;
};

/* Canonical models. Without candidates the original is measured alone. */
struct score_models {
    struct model *original, *const *candidate;
    size_t n;
};

/* Do products go through the CPU's bfloat16 units? Their rounding moves a perplexity by some 0.01 % and adds some 1e-5 to a KL
 * divergence (measured: Q6_K 4e-4, Q4_K_M 4e-3). So only where that is small beside what is measured: a bfloat16 or quantized model
 * alone, or candidates of less than 7 bits per weight. A conversion among bfloat16, float16 and float32 is found to be exactly equal.
 * All models of a run are treated alike. */
bool score_is_fast(const struct score_models *);

/* What the models read, and the places where what they say is scored: behind token at[i], of all chunks, next[i] follows. Every
 * chunk has `context` tokens and sees no other; attention is causal, so a short one may be filled up with any tokens. */
struct score_input {
    const int32_t *token;               /* nchunks * context */
    size_t nchunks, context;
    const size_t *at;                   /* n places in `token`, ascending */
    const int32_t *next;
    size_t n;
};

/* The text as llama-perplexity cuts and scores it: whole chunks, of each the second half. Arrays hang on `a`. FAIL_INPUT: less
 * than two chunks; FAIL_USAGE: a context that leaves nothing to score. */
int score_input_of(struct score_input *, const struct vocab *, const char *text, size_t nbytes, const struct score_options *,
                   struct arena *a, struct fail *);

struct candidate_score {
    const char *path;                   /* the model's */
    struct figures figures;             /* over all tokens */
    struct tensor_errors tensors;
    double *layer_nmse;                 /* of the hidden states of scored tokens behind each layer */
    struct token_loss *token;           /* one for each of the input's places */
};

struct score {
    size_t tokens, context, chunks;     /* tokens: scored ones */
    struct perplexity original;
    struct token_said *token;           /* one for each of the input's places */
    size_t nlayers;
    struct candidate_score *candidate;
    size_t ncandidates;
    uint64_t spilled_nbytes;            /* of hidden states in a file; 0: they were in memory */
    bool fast;                          /* bfloat16 units were used */
    bool resumed;                       /* from what an earlier run had done */
    double seconds;
    uint64_t peak_nbytes;               /* resident, as getrusage has it */
};

/* Opens every model for a moment: can it be run, and beside the original? Cheap; what score_run() refuses, before any long work. */
int score_check(const struct score_models *, struct fail *);

/* Different vocabulary sizes, widths, layer counts or tensor shapes are FAIL_INPUT. The arrays hang on `a`. */
int score_run(const struct score_models *, const struct score_input *, const struct score_options *, struct arena *a,
              struct score *, struct fail *);

/* score_input_of() and score_run(). */
int score_text(const struct score_models *, const struct vocab *, const char *text, size_t nbytes, const struct score_options *,
               struct arena *a, struct score *, struct fail *);

/* n rows of logits of one sequence of n tokens, in `a`; *width is the vocabulary size. NULL: see *f. */
float *score_logits(struct model *, const int32_t *tokens, size_t n, struct arena *a, size_t *width, struct fail *);

#endif
