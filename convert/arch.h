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

enum layout {                   /* how the rows of an output tensor derive from the source's (regroup.h) */
    LAYOUT_SAME,
    LAYOUT_ROPE_Q, LAYOUT_ROPE_K,       /* rows of each head regrouped: halves to pairs, for attention.head_count(_kv) heads */
    LAYOUT_GROUPS,                      /* queries, key and value of each key-value head -> all queries, all keys, all values */
    LAYOUT_TRANSPOSED,                  /* columns become rows; a bias stays */
    LAYOUT_PLUS_ONE,                    /* 1 is added to each weight */
    LAYOUT_EXPERTS,                     /* experts one below the other -> one matrix behind the other, rank 3 */
    LAYOUT_EXPERTS_TRANSPOSED,          /* ... where columns become rows in each */
    LAYOUT_STACKED,                     /* experts as one matrix behind the other already, rank 3 */
    LAYOUT_STACKED_FIRST, LAYOUT_STACKED_SECOND,        /* ... of whose rows this half is wanted */
    LAYOUT_BEHIND_PADDING,              /* without the first {arch}.position_offset rows, which no token stands at */
};

/* A dimension of a weight, as the canonical metadata implies it (arch_dim). */
enum dim {
    DIM_NONE,                   /* as the second dimension: the tensor is a vector */
    DIM_VOCAB,                  /* {arch}.vocab_size */
    DIM_EMBD,                   /* {arch}.embedding_length */
    DIM_FF,                     /* {arch}.feed_forward_length */
    DIM_Q, DIM_KV,              /* attention.head_count(_kv) * attention.key_length */
    DIM_QKV,                    /* DIM_Q + 2 DIM_KV */
    DIM_HEAD,                   /* attention.key_length */
    DIM_FF2,                    /* 2 DIM_FF: gate and up in one matrix */
    DIM_CONTEXT,                /* {arch}.context_length */
    DIM_ONE,                    /* a matrix of one row */
    DIM_EXPERTS,                /* {arch}.expert_count */
    DIM_FF_EXPERT,              /* {arch}.expert_feed_forward_length, if missing DIM_FF */
    DIM_FF_SHARED,              /* {arch}.expert_shared_feed_forward_length */
    DIM_TOKEN_TYPES,            /* tokenizer.ggml.token_type_count */
    DIM_LABELS,                 /* {arch}.label_count */
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
    double fallback;            /* KEY_DEFAULT: the number that an absent key means */
};
enum {
    KEY_OPTIONAL = 1,           /* absent: nothing is written */
    KEY_DEFAULT = 2,
    KEY_LOG_MULTIPLIER = 8,     /* put_rope: the family has a key for YaRN's mscale_all_dim */
    KEY_HIDDEN = 4,             /* for shapes and checks only: the header does not carry it */
};

/* Config keys that have just one value that this family can carry: `values` separated by '|', as JSON spells them but
 * without quotes; of a list, every item must be one of them. Absent or null keys pass. */
struct key_demand {
    const char *key, *values;
};

/* Their name, our name (both without ".weight"/".bias"; {L} stands for the layer), layout fix, our shape (outermost
 * first). With {E}, the number of an expert, in `theirs`, `rows` x `cols` is one expert's shape, and ours stacks all of a layer in a
 * tensor of rank 3; the stacks of a layer follow each other in the table's order, where the last expert's tensor stands.
 * One of their names may stand in several rows, which each take a part of it. `bare`: theirs has no ".weight". The rest are conditions "[!]KEY[=true]": the config key is true (not true, with '!'); an absent key counts as
 * false, or as true with "=true". `bias`: a ".bias" of `rows` items exists; NULL: never. `tied`: the tensor is
 * optional; NULL: never. `when`: the row applies; NULL: always. `layers`: to which ones. */
enum layer_kind { LAYERS_ALL, LAYERS_SPARSE, LAYERS_DENSE };        /* of a mixture, those with experts and those without */
struct name_map {
    const char *theirs, *ours;
    enum layout layout;
    enum dim rows, cols;
    const char *bias, *tied, *when;
    bool bare;
    enum layer_kind layers;
};
#define ALWAYS "=true"
/* A condition on the tensors instead: experts are fused as transformers 5 does when it is told not to save the original format, or
 * are not. */
#define FUSED "@fused"
#define NOT_FUSED "!@fused"

/* Another spelling of the same thing: of a config key, or of the beginning of tensor names. */
struct spelling {
    const char *from, *to;
};

enum norm_kind { NORM_RMS, NORM_LAYER };
enum rope_kind { ROPE_NONE, ROPE_PAIRS, ROPE_HALVES };          /* (2i, 2i+1) or (i, i + n/2) turn together */
enum act_kind { ACT_SILU, ACT_GELU, ACT_GELU_TANH, ACT_RELU };
/* Of the names in config.json; -1: not known. */
int act_named(const char *);

enum mlp_kind { MLP_GATED, MLP_PLAIN };

enum block_part {               /* what some families have and others do not */
    HAS_QK_NORM = 1 << 0,               /* attn_q_norm and attn_k_norm: heads are normed before they turn */
    HAS_POST_NORMS = 1 << 1,            /* post_attention_norm and post_ffw_norm: before the sum */
    HAS_FUSED_QKV = 1 << 2,             /* attn_qkv: queries, keys and values in one matrix */
    HAS_FUSED_GATE = 1 << 3,            /* ffn_up holds the gate and behind it the rest */
    HAS_PARALLEL_MLP = 1 << 4,          /* the mlp reads what attention reads; attn_norm is its norm, and without attn_norm_2
                                         * attention's as well */
    HAS_POSITIONS = 1 << 5,             /* position_embd is added to the embeddings */
    HAS_EMBEDDING_NORM = 1 << 6,        /* token_embd_norm */
    HAS_EMBEDDING_SCALE = 1 << 7,       /* embeddings are multiplied by the root of the width */
    HAS_ALIBI = 1 << 8,                 /* scores fall with the distance, by a slope for each head (arXiv 2108.12409) */
    HAS_EXPERTS = 1 << 9,               /* ffn_*_exps and a router in the mlp's place: set by {arch}.expert_count, not by families */
    HAS_EXPERT_SHARES = 1 << 10,        /* the weights of the experts chosen for a token are made to sum to one */
    HAS_SHARED_EXPERT = 1 << 11,        /* ffn_*_shexp, weighted by the sigmoid of ffn_gate_inp_shexp, is added for all tokens */
    HAS_BARE_NORMS = 1 << 12,           /* layer norms without biases */
    HAS_OUTPUT_NORM_FIRST = 1 << 13,    /* what others call ffn_norm is attn_output_norm */
    HAS_OUTPUT_NORMS = 1 << 14,         /* HAS_POST_NORMS under the names attn_output_norm and layer_output_norm */
    HAS_SUM_NORMS = 1 << 15,            /* the two of HAS_OUTPUT_NORMS are behind the sums, and there are no others */
    HAS_TOKEN_TYPES = 1 << 16,          /* the first row of token_types, if there is any, is added to the embeddings */
    HAS_LOOSE_ATTENTION = 1 << 17,      /* llama.cpp makes its two products one after the other, never fused: to multiply with a cache in
                                         * half precision it rounds queries and weights to that, too */
};

/* All that the forward pass switches on; numbers (heads, eps, rope base) come from the canonical metadata. */
struct block_shape {
    enum norm_kind norm;
    enum rope_kind rope;
    enum act_kind act;
    enum mlp_kind mlp;
    unsigned has;                       /* of enum block_part */
    unsigned window_period;             /* the last of so many layers looks beyond the window; 0: all have it */
    unsigned window;                    /* if the key is not there; 0: none */
    float window_rope_base;             /* of layers with a window, if the key is not there; 0: as the others */
    unsigned wide_scale_layers;         /* a model of so many layers divides scores by the root of width / heads, others by that of
                                         * key_length: the table that GGUF's readers have in place of a key; 0: none */
};

struct arch {
    const char *name;                   /* general.architecture: "llama" */
    const char *const *hf_classes;      /* config.json "architectures"[0]; NULL-terminated */
    const char *native;                 /* the source is no config.json but Mistral's params.json: the key that tells this row from
                                         * those behind it, "" for the last; NULL: it is a config.json */
    const struct key_map *keys;         /* ends with {0} */
    const struct key_demand *demands;   /* ends with {0} */
    const struct name_map *tensors;     /* ends with {0} */
    const char *const *ignored_keys;    /* config keys of this family that change nothing in the result; NULL-terminated */
    const char *const *ignored_tensors; /* endings of source tensors that carry nothing, or beginnings with '*' behind them;
                                         * NULL-terminated */
    const char *text;                   /* the object of a multimodal config that describes the text model; NULL: none */
    const struct spelling *key_spellings;       /* config keys; ends with {0}, NULL: none */
    const struct spelling *tensor_spellings;    /* the first beginning that fits counts; ends with {0}, NULL: none */
    const struct spelling *tensor_endings;      /* the same for endings */
    bool no_space_prefix;               /* tokenizer.ggml.add_space_prefix is false, whatever the tokenizer says */
    uint32_t eot;                       /* tokenizer.ggml.eot_token_id, a constant of the family; 0: as the tokenizer says */
    struct block_shape block;
    bool typed_router;                  /* ffn_gate_inp is of the type that other matrices get, not float32 */
    bool one_way;                       /* there is no way back to Hugging Face's names yet */
    bool encoder;                       /* every token sees all others, and none is predicted: verify/encoder.c runs it */
    /* What a table cannot say: refusals that look at several canonical keys at once. May be NULL. */
    int (*check)(const struct meta *canonical, const char *name, struct fail *);
};

const struct arch *arch_of_class(const char *hf_class);        /* NULL: none */
const struct arch *arch_named(const char *gguf_name);          /* NULL: none */
size_t arch_count(void);
const struct arch *arch_at(size_t i);

/* The names of all families, "a, b, c", for messages. */
void arch_names(char *out, size_t nbytes);

/* What a dimension is in a canonical model of family `name`; 0 when the keys are not there, and for DIM_NONE. As in
 * llama.cpp, a missing head_count_kv is head_count and a missing key_length the width divided by the heads. */
uint64_t arch_dim(const struct meta *canonical, const char *name, enum dim);

/* attention.head_count, or for `kv` attention.head_count_kv, which if missing is head_count. */
uint64_t arch_heads(const struct meta *canonical, const char *name, bool kv);

/* For `check`: heads divide evenly among key-value heads, and turn in pairs where the family has rotary positions. */
int arch_check_heads(const struct meta *canonical, const char *name, struct fail *);

struct place {                  /* numbers for {L} and {E}; 0 where a pattern has none */
    uint64_t layer, expert;
};

/* Where a name of n characters (without ".weight") that follows the pattern belongs; false: another name. */
bool arch_match(const char *pattern, const char *name, size_t n, struct place *);

/* The name for a place, with `ending`: ".weight", ".bias" or "". */
const char *arch_spell(struct arena *, const char *pattern, struct place, const char *ending);

/* Has `t` the shape that the canonical keys imply, theirs or ours? -1: FAIL_INPUT with both shapes; `implied_by` names where
 * they stand. */
int arch_check_shape(const struct meta *canonical, const char *name, const struct name_map *, const struct tensor *t, bool bias,
                     bool theirs, const char *implied_by, struct fail *);

#endif
