/* choices.h - multiple-choice questions put to models: what each picks, by two rules, and how that changes.
 *
 * Each question becomes a prompt in the layout of MMLU (hendrycks/test, with one blank where that has two before the subject):
 *
 *     The following are multiple choice questions (with answers) about high school physics.
 *
 *     (worked examples: a question with its options, "Answer: C", an empty line)
 *     (the question)
 *     A. (option)
 *     ...
 *     Answer:
 *
 * RULE_LETTER: the letter that is most likely to follow (" A", " B", ...). RULE_OPTION: the option whose text, behind the same
 * prompt, is the most likely per byte (lm-evaluation-harness: acc_bytes; its acc_norm counts characters, the same for ASCII).
 * As there, prompt and continuation are tokenized together, what the tokens of the prompt alone do not cover counts, and of equal
 * ones the first is picked. BOS stands in front if the vocabulary adds one. Log-likelihoods are natural. */
#ifndef BANTAM_CHOICES_H
#define BANTAM_CHOICES_H

#include "formats/model.h"
#include "tokenizer/vocab.h"
#include "verify/questions.h"

enum choices_rule { RULE_LETTER, RULE_OPTION, RULES };

/* For scripts, "letter" and "option_per_byte"; and what it means, in words. */
const char *choices_rule_name(enum choices_rule);
const char *choices_rule_about(enum choices_rule);

enum { SHOTS_DEFAULT = 5 };

struct choices_options {
    size_t shots;               /* worked examples before each question, if `has_shots`; else SHOTS_DEFAULT where there are any */
    bool has_shots;
    void (*progress)(void *ctx, const char *what, uint64_t done, uint64_t total);       /* may be NULL */
    void *ctx;
};

/* What one model said by one rule. */
struct picks {
    double *loglik;             /* of every option of every question: choices.first */
    uint8_t *pick;              /* of each question */
};

struct choices {
    const struct questions *questions;
    size_t n;                   /* questions */
    size_t *first;              /* n + 1: where a question's options start in picks.loglik */
    size_t *shots;              /* of each question; fewer than most where the prompt was too long for the model */
    bool *left_out;             /* too long even without any: counts nowhere */
    size_t asked;               /* questions not left out */
    size_t most_shots, context; /* context: the model's; 0: unknown */
    size_t nmodels;
    struct picks (*said)[RULES];        /* of each model */
};

/* FAIL_INPUT: a subject has fewer worked examples than `shots`. Cheap, for before any long work. */
int choices_check(const struct questions *, const struct choices_options *, struct fail *f);

/* Puts the questions to n models with the vocabulary v, the first of which is the original and says how long a prompt may be. Arrays
 * hang on `a`. FAIL_INPUT: what choices_check() refuses; every prompt too long; what stream_open() refuses. */
int choices_ask(struct choices *, const struct questions *, struct model *const *model, size_t n, const struct vocab *v,
                const struct choices_options *, struct arena *a, struct fail *f);

/* ---- counting ---- */

enum { ALL_SUBJECTS = -1 };

/* A share of n questions with its 95 % interval (Wilson 1927). */
struct share {
    size_t count, n;
    double value, low, high;
};

struct share share_of(size_t count, size_t n);
struct share choices_accuracy(const struct choices *, size_t model, enum choices_rule, long subject);

/* How often two models pick the same, right or wrong. */
struct share choices_agreement(const struct choices *, size_t model, size_t other, enum choices_rule, long subject);

/* Questions on which `model` picks otherwise than model 0. */
struct flips {
    size_t lost, won, other;    /* right before, right now, wrong both times */
};

struct flips choices_flips(const struct choices *, size_t model, enum choices_rule);

#endif
