/* static.h - is a converted file what its source converts to? Found out without running either.
 *
 * The source goes once more through the chain that wrote (or should have written) the file: names, keys, permutations,
 * transposes, merges. Every tensor and key of the result is set beside what the file holds (replay.h, keys.h). */
#ifndef BANTAM_STATIC_H
#define BANTAM_STATIC_H

#include "convert/account.h"
#include "verify/keys.h"
#include "verify/replay.h"

enum static_state {
    STATIC_EXACT,               /* byte for byte what the chain gives */
    STATIC_FITS,                /* another search for the same encoding: the error is what the encoding explains */
    STATIC_DAMAGED,
    STATIC_MISSING, STATIC_EXTRA, STATIC_RESHAPED,
    STATIC_REPEATS,             /* an output matrix that the source does not have, equal to the embeddings it is tied to */
    STATIC_STATES
};

struct static_tensor {
    const char *name;
    const char *from, *how;     /* the source's tensor, and what was done to it; NULL: not said */
    size_t more;                /* so many more of the source's tensors are part of it */
    const struct tensor *expected, *found;      /* NULL: missing on that side */
    enum static_state state;
    struct replay_result result;                /* zeros unless both are there and of one shape */
    const char *finding;        /* a sentence about what is wrong, with the place; NULL: nothing */
};

struct static_check {
    struct static_tensor *tensor;               /* in the expected order, extra ones behind */
    size_t ntensors, count[STATIC_STATES];
    struct key_list keys;
    const char *tokenizer;      /* how the two tokenizers differ; NULL: not at all, or not compared */
    bool tokenizers_compared;
    bool tokenizer_meant;       /* they differ as the family's keys in GGUF have it: no damage */
    size_t tensors_used, tensors_ignored, keys_used, keys_ignored;      /* of the source: the account */
    uint64_t nbytes;            /* of the tensors that were compared, in the file */
    bool damaged;               /* any tensor, key or token that is not what it should be */
};

const char *static_state_word(enum static_state);      /* "exact", "fits", "damaged" ... */

struct static_source {
    struct model *model;        /* after the chain: GGUF's names and keys for a GGUF file, the source's own for safetensors */
    const struct account *account;
    const char *const *before;  /* per tensor of `model`, its name before layers were pruned (prune.h); NULL: none were */
    struct key_pair keys;       /* what keys.h compares */
    const float *const *weight; /* per tensor of `model`, the importance of its columns; NULL: none */
};

/* Compares all tensors and keys; everything hangs on `a` but names, which are the models' own. A difference is no failure: it is in the result.
 * FAIL_INPUT, FAIL_SYSTEM: something could not be read. */
int static_compare(const struct static_source *, struct model *found, const struct progress *, struct arena *a,
                   struct static_check *, struct fail *);

#endif
