/* stats.h - losses of single tokens from logits, and what is told of many of them, in double.
 *
 * Definitions: llama.cpp tools/perplexity/perplexity.cpp and its README. Nothing is clipped or left out: the whole
 * vocabulary counts, and equal logits give a divergence of exactly 0. */
#ifndef BANTAM_STATS_H
#define BANTAM_STATS_H

#include <stddef.h>

/* A distribution over n pieces: that of i has the probability term[i] / sum, whose logarithm is x[i] - total. */
struct distribution {
    const float *x;
    const double *term;
    size_t n, top;                      /* top: the most likely one; ties: the lowest id */
    double sum, total;
};

/* Of n > 0 finite logits, borrowed. term: n doubles, filled and borrowed. */
struct distribution distribution_of(const float *logits, size_t n, double *term);

/* What the original said about one token. */
struct token_said {
    double loss;                        /* -log of the probability given to the token that follows */
    double top;                         /* the probability of the most likely one: how sure it was */
    double entropy;                     /* in nats */
};

/* What a candidate made of it. */
struct token_loss {
    double loss;
    double kld;                         /* divergence of the candidate's distribution from the original's */
    double delta_p;                     /* candidate's probability of the token that follows minus the original's */
    int same_top;                       /* do both hold the same token most likely? */
};

/* 0 <= next < n. */
struct token_said said_of(const struct distribution *original, size_t next);

/* Both over the same pieces. */
struct token_loss loss_of(const struct distribution *original, const struct distribution *candidate, size_t next);

struct estimate {
    double mean, stderr_;               /* of the mean: root of (population variance / (n - 1)); 0 for n < 2 */
};

/* Of n doubles that lie `stride` bytes apart, in order; n > 0. */
struct estimate estimate_of(const double *first, size_t n, size_t stride);

void sort_doubles(double *, size_t n);

/* The value below which a share q of n > 0 ascending numbers lies, interpolated between neighbors. */
double quantile_of(const double *ascending, size_t n, double q);

/* Sums over pairs of numbers, from which the errors of a tensor or a hidden state follow. */
struct moments {
    double original, candidate, cross, difference;      /* of o*o, c*c, o*c, (o-c)*(o-c) */
    double n;
};

struct moments moments_of(const float *original, const float *candidate, size_t n);
void moments_add(struct moments *, const struct moments *);
double moments_rmse(const struct moments *);
double moments_nmse(const struct moments *);    /* share of the original's energy; all-zero original: 0 if equal, else 1 */
double moments_cosine(const struct moments *);  /* 1 for two zero vectors, 0 for one */

#endif
