/* recipe.h - which encoding each tensor gets: llama-quantize's mixes as tables of {name pattern, which layers, encoding},
 * first match wins: Q4_K_M is data. */
#ifndef BANTAM_RECIPE_H
#define BANTAM_RECIPE_H

#include "formats/model.h"

/* One name that --type takes. `file_type` is general.file_type (LLAMA_FTYPE of llama.h). Encodings are named, not pointed
 * to: a recipe may stand in the table before its encodings are built, and recipe_choose() then says which one is missing. */
struct recipe {
    const char *name;                   /* "Q4_K_M"; AUTO and COPY too */
    const char *base;                   /* what a tensor gets when no rule says otherwise; NULL: each as its source */
    uint32_t file_type;                 /* without meaning when base is NULL */
    unsigned traits;                    /* mixes.h, as are the rules */
    const struct recipe_rule *rules;
    const char *about;                  /* one line for the help: "4.9 bits: ..." */
};

struct recipe_override {                /* --tensor-type REGEX=TYPE */
    const char *pattern;
    const struct qtype *type;
};

struct recipe_options {
    bool pure;                          /* --pure: base for every tensor that is quantized at all */
    bool as_converted;                  /* AUTO, F32, F16, BF16, Q8_0: the types of convert_hf_to_gguf.py --outtype instead
                                         * of llama-quantize's; other recipes do not care */
    bool allow_requantize;
    bool leave_output;                  /* output.weight keeps its type */
    bool dry_run;                       /* a missing importance matrix is no failure: nothing will be encoded */
    bool has_imatrix;
    bool in_file_order;                 /* rules that count meet the tensors of a GGUF file in its order, which is llama-quantize's
                                         * with --keep-split; otherwise layer by layer */
    const struct meta *meta;            /* of the model before layers were pruned, which is what llama-quantize's mixes go by;
                                         * NULL: its own */
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
const struct recipe *recipe_of_file_type(uint64_t id);          /* of aliases the longest name: Q4_K_M, not Q4_K; NULL: none */
/* A type that convert_hf_to_gguf.py writes itself, from the numbers of the source: F32, F16, BF16, Q8_0 (others are made of a file that has
 * the source's types). */
bool recipe_is_outtype(const struct recipe *);
bool recipe_is_general(const struct recipe *);      /* a mix for any model: not AUTO, F16, an alias, an older one, ternary ... */

/* The type of every tensor of a canonical model, in its order: choice[ntensors]. Equal to llama-quantize's, and from a
 * model that is not GGUF to convert_hf_to_gguf.py's (outtype: as the source) followed by llama-quantize's. The result does
 * not depend on the order of the tensors, unless in_file_order is set. FAIL_USAGE: a type needs an importance matrix that is not there, a bad pattern;
 * FAIL_INPUT: requantizing is not allowed, a row that nothing fits. */
int recipe_choose(const struct recipe *, const struct model *, const struct recipe_options *, struct recipe_choice *choice,
                  struct fail *);

/* Does llama-quantize refuse to make `type` of this tensor without an importance matrix? */
bool recipe_needs_weight(const struct recipe *, const char *tensor_name, const struct qtype *type);

/* general.file_type of a model whose tensors got choice[]: the recipe's own; for AUTO and COPY the key the model has, or
 * what the first matrix that is not F32 says. */
uint32_t recipe_file_type(const struct recipe *, const struct model *, const struct recipe_choice *choice);

#endif
