/* embed.h - sentence vectors of one encoder or of several in step, and how alike those of two are. */
#ifndef BANTAM_EMBED_H
#define BANTAM_EMBED_H

#include "tokenizer/tokenizer.h"
#include "verify/encoder.h"
#include "verify/stats.h"

/* ---- texts ---- */

/* How many tokens of a text an encoder reads: no more than it has positions, and where sentence-transformers' files lie in the
 * model's directory no more than max_seq_length (sentence_bert_config.json) or else model_max_length (tokenizer_config.json).
 * FAIL_INPUT: a file is malformed, or the metadata does not tell the number of positions. */
int sentences_longest(const struct model *canonical, size_t *longest, struct fail *);

/* Every line of the text is one, an empty line too; a newline at the end starts none. Special tokens are added, and those that are
 * spelled out in the text count as such, as in sentence-transformers; what is longer than `longest` tokens is cut in front of
 * the closing token. At most `most` lines (0: all). Arrays hang on `a`. FAIL_INPUT: no line; see *f for the rest. */
int sentences_read(struct sentences *, const struct vocab *, const char *text, size_t nbytes, size_t longest, size_t most, struct arena *a,
               struct fail *);

/* ---- vectors ---- */

struct embed_options {
    void (*progress)(void *ctx, const char *what, uint64_t done, uint64_t total);   /* may be NULL; layers of a wave */
    void *ctx;
};

struct embedded {
    size_t width, layers;
    float *vector;                      /* texts x width, each of length 1 */
    double *layer_nmse;                 /* against the first model, behind each layer; of the first: NULL */
};

/* n canonical models over the same texts, a layer of each after the other; as many texts at a time as have room for their hidden
 * states. FAIL_INPUT: another width or number of layers than the first model's. Arrays hang on `a`. */
int embed_run(struct model *const *model, size_t n, const struct sentences *, const struct embed_options *, struct arena *a,
              struct embedded *out, struct fail *);

/* ---- likeness ---- */

struct likeness {
    double mean, stderr_, least, p01, p10, median;      /* of the cosines of the texts' two vectors; p01: one in a hundred lies below */
    size_t least_text;                  /* the first that has the least */
    size_t pairs;                       /* of texts whose cosines were ranked */
    double rank_correlation;            /* Spearman's, of all pairs' cosines in the two models; 1 for less than two pairs */
    double *cosine;                     /* one for each text */
};

enum { RANKED_TEXTS = 2000 };           /* at most so many, the first ones, are paired: two million pairs */

/* Two times n vectors of length 1. cosine hangs on `a`. */
struct likeness likeness_of(const float *original, const float *candidate, size_t n, size_t width, struct arena *a);

/* Spearman's correlation of n pairs of numbers, equal numbers sharing their mean rank; 1 if either side is all equal. */
double rank_correlation(const double *x, const double *y, size_t n);

#endif
