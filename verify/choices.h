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
    uint64_t memory;            /* bytes to get by with; 0: as budget_of() says */
    const char *beside;         /* what a killed run has found out is kept in a file whose name begins so, and the next one goes on with it;
                                 * hidden states that do not fit too; NULL: nothing is kept */
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
    struct model *const *model;
    size_t nmodels;
    struct picks (*said)[RULES];        /* of each model */
    size_t tokens, written_out;         /* that pass each model; as many as all prompts with their options, one by one, would be */
    uint64_t spilled_nbytes;            /* of hidden states in a file; 0: they were in memory */
    bool resumed;
    double seconds;

    struct packs *packs;                /* the tokens */
    struct choices_sizes *sizes;
    struct states *states;
};

/* How the work is cut: private, and for forecasts. */
struct choices_sizes {
    size_t token_nbytes;                /* what a token needs while it passes a layer of the model that needs most */
    size_t width, vocabulary;           /* the largest */
    size_t *layers;                     /* of each model */
    size_t round_most;                  /* tokens that wait between two layers together, at least one tree */
    size_t nrounds, groups, group;      /* in the largest round: trees, and tokens of a tree */
};

/* A round: trees [first, first + n), the largest of which has `context` tokens. */
struct choices_round {
    size_t first, n, context;
};

/* FAIL_INPUT: a subject has fewer worked examples than `shots`. Cheap, for before any long work. */
int choices_check(const struct questions *, const struct choices_options *, struct fail *f);

/* The questions as tokens for n models with the vocabulary v, the first of which is the original and says how long a prompt may be.
 * Questions and models are borrowed, arrays hang on `a`. Tokens that sequences have in common at the beginning pass the network once:
 * packs.h. FAIL_INPUT: what choices_check() refuses; every prompt too long; what stream_open() refuses. */
int choices_plan(struct choices *, const struct questions *, struct model *const *model, size_t n, const struct vocab *v,
                 const struct choices_options *, struct arena *a, struct fail *f);

/* Puts them to the models, with the same options. Log-likelihoods of short options differ from those of single sequences by the
 * rounding of float32 sums, and depend on no number of threads. Trees go through a layer together, round after round, model after model. */
int choices_run(struct choices *, const struct choices_options *, struct arena *a, struct fail *f);

/* What was found out lies beside the candidate until then, if the run was a long one; `keep`: for the next run. */
void choices_close(struct choices *, bool keep);

/* For asking.c and forecasts: the round that begins with tree `first`; hidden states of the largest; picks from log-likelihoods. */
struct choices_round choices_round(const struct choices *, size_t first);
uint64_t choices_states_nbytes(const struct choices *);
void choices_pick(struct choices *);

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
