/* arch.h - all that is known about a model family, as one table row: names and layout for convert/, the shape of a
 * block for verify/. One file per family under arch/, one ROW in archs.def. */
#ifndef BANTAM_ARCH_H
#define BANTAM_ARCH_H

#include "convert/account.h"
#include "formats/json.h"
#include "formats/model.h"

enum layout {                   /* how the rows of an output tensor derive from the source's */
    LAYOUT_SAME,
    LAYOUT_ROPE_Q, LAYOUT_ROPE_K,       /* rows of each head regrouped: halves to pairs, for attention.head_count(_kv) heads */
};

/* config.json key -> canonical key. `{arch}` in `to` stands for the architecture's GGUF name. First `from` that exists
 * wins; alternatives are separated by '|', nesting by '.'. */
struct key_map {
    const char *from, *to;
    enum meta_type type;
    unsigned flags;
};
enum { KEY_OPTIONAL = 1 };

/* Their name, our name (both without ".weight"/".bias"; {L} stands for the layer), layout fix. */
struct name_map {
    const char *theirs, *ours;
    enum layout layout;
    unsigned flags;
};
enum { NAME_OPTIONAL = 1 };

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
    const struct name_map *tensors;     /* ends with {0} */
    const char *const *ignored_keys;    /* config keys that change nothing in the result; NULL-terminated */
    struct block_shape block;
    /* What a table cannot say: derived keys and tensors (rope_freqs), refusals. May be NULL. */
    int (*finish)(struct model *canonical, const cJSON *config, struct account *, struct fail *);
};

const struct arch *arch_of_class(const char *hf_class);        /* NULL: none */
const struct arch *arch_named(const char *gguf_name);          /* NULL: none */
size_t arch_count(void);
const struct arch *arch_at(size_t i);

#endif
