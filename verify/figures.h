/* figures.h - what is told of a candidate over many tokens, as llama-perplexity defines it. */
#ifndef BANTAM_FIGURES_H
#define BANTAM_FIGURES_H

#include "verify/stats.h"

struct perplexity {
    double value, stderr_;
};

struct divergences {
    double mean, stderr_, median, p90, p99, p999, max;
};

struct figures {
    size_t tokens;
    struct perplexity original, candidate;
    double ratio, ratio_stderr;         /* of the perplexities, candidate over original */
    struct divergences kld;
    double top1, rms_delta_p;           /* shares, 0..1 */
};

/* Over tokens which[0] ... which[n - 1], or with `which` NULL over the first n. No tokens: all zeros. `c` NULL: only the number
 * of tokens and the original's perplexity are filled. */
struct figures figures_of(const struct token_said *o, const struct token_loss *c, const size_t *which, size_t n);

#endif
