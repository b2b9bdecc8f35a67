/* arch.h - all that is known about a model family, as one table row: names, shapes and layout for convert/, the shape of
 * a block for verify/. One file per family under arch/, one ROW in archs.def. */
#ifndef BANTAM_ARCH_H
#define BANTAM_ARCH_H

#include "formats/fail.h"
#include "formats/meta.h"
#include "formats/model.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conversion;              /* convert/config.h: a config.json on its way into canonical keys ... */
struct reversal;                /* ... and canonical keys on their way back */

enum layout {                   /* how the rows of an output tensor derive from the source's */
    LAYOUT_SAME,
    LAYOUT_ROPE_Q, LAYOUT_ROPE_K,       /* rows of each head regrouped: halves to pairs, for attention.head_count(_kv) heads */
};

/* A dimension of a weight, as the canonical metadata implies it (arch_dim). */
enum dim {
    DIM_NONE,                   /* as the second dimension: the tensor is a vector */
    DIM_VOCAB,                  /* {arch}.vocab_size */
    DIM_EMBD,                   /* {arch}.embedding_length */
    DIM_FF,                     /* {arch}.feed_forward_length */
    DIM_Q, DIM_KV,              /* attention.head_count(_kv) * attention.key_length */
};

/* config.json key -> canonical key, in the order in which they are written. `{arch}` in `to` stands for the
 * architecture's GGUF name. First `from` that is there (null counts as absent) wins; alternatives are separated by '|',
 * nesting by '.'. `put`, if not NULL, does the row's work instead: what a type cannot say; `back` is its inverse (NULL: nothing
 * to do on the way back). */
struct key_map {
    const char *from, *to;
    enum meta_type type;        /* META_UINT32, META_FLOAT32, META_BOOL or META_STRING */
    unsigned flags;
    int (*put)(struct conversion *, const struct key_map *, struct fail *);
    int (*back)(struct reversal *, struct fail *);
};
enum { KEY_OPTIONAL = 1 };

/* Config keys that have just one value that this family can carry: `values` separated by '|', as JSON spells them but
 * without quotes; of a list, every item must be one of them. Absent or null keys pass. */
struct key_demand {
    const char *key, *values;
};

/* Their name, our name (both without ".weight"/".bias"; {L} stands for the layer), layout fix, shape in the source
 * (outermost first). `bias` names the config key that, when true, says that a ".bias" of `rows` items exists; NULL: never.
 * `tied` names the config key that, when true, makes the tensor optional; NULL: it must be there. */
struct name_map {
    const char *theirs, *ours;
    enum layout layout;
    enum dim rows, cols;
    const char *bias, *tied;
};

enum norm_kind { NORM_RMS, NORM_LAYER };
enum rope_kind { ROPE_NONE, ROPE_PAIRS, ROPE_HALVES };          /* (2i, 2i+1) or (i, i + n/2) turn together */
enum act_kind { ACT_SILU, ACT_GELU, ACT_GELU_TANH, ACT_RELU };
enum mlp_kind { MLP_GATED, MLP_PLAIN };

/* All that verify/forward.c switches on; numbers (heads, eps, rope base) come from the canonical metadata. */
struct block_shape {
    enum norm_kind norm;
    enum rope_kind rope;
    enum act_kind act;
    enum mlp_kind mlp;
};

struct arch {
    const char *name;                   /* general.architecture: "llama" */
    const char *const *hf_classes;      /* config.json "architectures"[0]; NULL-terminated */
    const struct key_map *keys;         /* ends with {0} */
    const struct key_demand *demands;   /* ends with {0} */
    const struct name_map *tensors;     /* ends with {0} */
    const char *const *ignored_keys;    /* config keys of this family that change nothing in the result; NULL-terminated */
    const char *const *ignored_tensors; /* endings of source tensors that carry nothing; NULL-terminated */
    struct block_shape block;
    /* What a table cannot say: refusals that look at several canonical keys at once. May be NULL. */
    int (*check)(const struct meta *canonical, struct fail *);
};

const struct arch *arch_of_class(const char *hf_class);        /* NULL: none */
const struct arch *arch_named(const char *gguf_name);          /* NULL: none */
size_t arch_count(void);
const struct arch *arch_at(size_t i);

/* The Hugging Face classes of all families, "A, B, C", for messages. */
void arch_classes(char *out, size_t nbytes);

/* What a dimension is in a canonical model of family `name`; 0 when the keys are not there, and for DIM_NONE. As in
 * llama.cpp, a missing head_count_kv is head_count and a missing key_length the width divided by the heads. */
uint64_t arch_dim(const struct meta *canonical, const char *name, enum dim);

/* How many heads a tensor's rows are regrouped for; 0: they are not. */
uint64_t arch_heads(const struct meta *canonical, const char *name, enum layout);

/* The layer of a name of n characters (without ".weight") that follows the pattern; false: another name. */
bool arch_match(const char *pattern, const char *name, size_t n, uint64_t *layer);

/* The name for a layer, with ".weight" or ".bias". */
const char *arch_spell(struct arena *, const char *pattern, uint64_t layer, bool bias);

/* Has `t` the shape that the canonical keys imply? -1: FAIL_INPUT with both shapes; `implied_by` names where they stand. */
int arch_check_shape(const struct meta *canonical, const char *name, const struct name_map *, const struct tensor *t, bool bias,
                     const char *implied_by, struct fail *);

#endif
