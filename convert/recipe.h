/* recipe.h - which encoding each tensor gets: llama-quantize's mixes as tables of {name pattern, which layers, encoding},
 * first match wins: Q4_K_M is data. */
#ifndef BANTAM_RECIPE_H
#define BANTAM_RECIPE_H

#include "formats/model.h"

/* One name that --type takes. `file_type` is general.file_type (LLAMA_FTYPE of llama.h). */
struct recipe {
    const char *name;                   /* "Q4_K_M" */
    const struct qtype *base;           /* what a tensor gets when no rule says otherwise */
    uint32_t file_type;
    const struct recipe_rule *rules;    /* private to recipe.c */
    const char *about;                  /* one line for the help: "4.9 bits: ..." */
};

struct recipe_override {                /* --tensor-type REGEX=TYPE */
    const char *pattern;
    const struct qtype *type;
};

struct recipe_options {
    bool pure;                          /* --pure: base for every tensor that is quantized at all */
    bool as_converted;                  /* types of convert_hf_to_gguf.py --outtype instead of llama-quantize's */
    bool allow_requantize;
    bool has_imatrix;
    const struct qtype *output_type, *embedding_type;       /* NULL: by the recipe */
    const struct recipe_override *override;
    size_t noverrides;
};

struct recipe_choice {
    const struct qtype *type;
    const struct qtype *instead_of;     /* row length did not fit: what the recipe wanted; NULL otherwise */
};

const struct recipe *recipe_named(const char *name);            /* any letter case; NULL: none */
size_t recipe_count(void);
const struct recipe *recipe_at(size_t i);

/* The type of every tensor of a canonical model, in its order: choice[ntensors]. Equal to llama-quantize's. Fails when
 * requantizing is not allowed or a type needs an importance matrix that is not there. */
int recipe_choose(const struct recipe *, const struct model *, const struct recipe_options *, struct recipe_choice *choice,
                  struct fail *);

#endif
