/* prompts.h - questions as sequences of tokens: layout, tokenization, and which tokens' likelihoods make up an option's. */
#ifndef BANTAM_PROMPTS_H
#define BANTAM_PROMPTS_H

#include "tokenizer/tokenizer.h"
#include "verify/choices.h"

/* Some tokens whose probabilities are wanted: token[i] at place `at` + i + 1 of a sequence that holds all of them but the last, which
 * is why the letters of a question, each a token, share one sequence. */
struct span {
    size_t sequence, at;
    const int32_t *token;
    size_t n;                   /* 0: an option without any */
};

struct sequence {
    const int32_t *token;
    size_t n;
};

/* A question's sequences, none the beginning of another, and its spans: of option k by rule r, span[r * nchoices + k]. */
struct prompt {
    struct sequence sequence[RULES * CHOICES_MOST];
    size_t nsequences, longest;
    struct span span[RULES * CHOICES_MOST];
};

/* The first `shots` worked examples, then the question: the text up to "Answer:", in `a`. */
char *prompt_text(const struct questions *, const struct question *, size_t shots, struct arena *a, size_t *n);

int prompt_build(struct prompt *, struct tokenizer *, const struct vocab *, const struct questions *, const struct question *,
                 size_t shots, struct arena *a, struct fail *f);

#endif
