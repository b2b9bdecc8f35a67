/* config.h - config.json on its way into canonical keys, every key of it accounted for.
 *
 * A value is taken with config_use(), which books the key as used; what nobody took, no list ignores and no demand checked
 * is pending in the account, and account_check() refuses it by name. null counts as absent everywhere. */
#ifndef BANTAM_CONFIG_H
#define BANTAM_CONFIG_H

#include "convert/account.h"
#include "convert/arch.h"
#include "formats/json.h"
#include "formats/meta.h"

/* A tensor that the source does not hold: computed from the config. Comes before all others, in this order. */
struct generated {
    const char *name;
    uint64_t n;                 /* one dimension, float32 */
    const float *data;
};

enum { GENERATED_MAX = 4 };

struct conversion {
    const struct arch *arch;
    const char *dir;            /* of config.json, for what some families keep beside it; NULL: nothing lies there */
    cJSON *config;              /* one object: what describes the text model, under the names of today */
    struct account *account;
    struct arena *arena;        /* of the canonical model: owns keys and generated data */
    uint8_t *dense;             /* of each layer of a mixture: it has no experts; NULL: all have */
    bool fused;                 /* the condition @fused: how the source keeps its experts */
    struct meta meta;           /* canonical keys so far */
    struct meta early;          /* those that come before all but general.architecture */
    struct meta hints;          /* model.hints */
    struct generated generated[GENERATED_MAX];
    size_t ngenerated;
};

/* Every key of the config becomes an account entry, nested ones joined with '.'; the ignored lists are booked at once. `ignore`
 * (NULL, or NULL-terminated) are further keys that the user declared to change nothing. What the family's text object holds
 * replaces what stands beside it, and old spellings are replaced; two spellings that differ: FAIL_INPUT. */
int config_begin(struct conversion *, const char *const *ignore, struct fail *);

/* Checks the family's demands, then fills meta by its key table. -1: see *f. */
int config_keys(struct conversion *, struct fail *);

/* The item at 'a.b' ('|' separates alternatives, the first that is there and not null wins), NULL if none. Books nothing. */
const cJSON *config_find(const struct conversion *, const char *from);

/* As config_find, and books the key found as used for `to` in the manner of `how` (may be NULL). */
const cJSON *config_use(struct conversion *, const char *from, const char *to, const char *how);

/* Is a condition of the tables (arch.h) met? NULL is not. */
bool config_true(const struct conversion *, const char *condition);
/* Books its key as used for `to`; NULL is fine. */
void config_condition(struct conversion *, const char *condition, const char *to);

/* Numbers taken with config_use: *found tells whether the key is there. -1: there, but no such number. */
int config_u32(struct conversion *, const char *from, const char *to, uint32_t *out, bool *found, struct fail *);
int config_f64(struct conversion *, const char *from, const char *to, double *out, bool *found, struct fail *);

/* 'from' is missing or null although the family cannot do without it: FAIL_INPUT, -1. */
int config_missing(const char *from, struct fail *);

/* `to` with {arch} replaced, in the conversion's arena. */
const char *config_key(struct conversion *, const char *to);

/* ---- rows of key tables that several families share ---- */
/* attention.key_length and .value_length from 'head_dim', the row's fallback, or the width divided by the heads; with KEY_OPTIONAL
 * only from 'head_dim'. Wants embedding_length and attention.head_count before it. */
int put_head_dim(struct conversion *, const struct key_map *, struct fail *);
/* rope.dimension_count = attention.key_length. */
int put_rope_dims(struct conversion *, const struct key_map *, struct fail *);
/* {arch}.feed_forward_length from the row's key, or four times embedding_length, which comes before it. */
int put_inner(struct conversion *, const struct key_map *, struct fail *);
/* The row's key names the activation; where it is not the family's own, {arch}.hidden_activation says so: llama.cpp's converter
 * loses it, and its programs always take the family's. */
int put_activation(struct conversion *, const struct key_map *, struct fail *);
/* What GGUF takes for granted, checked: scores are divided by the root of key_length (block.wide_scale_layers apart), whose
 * square the row's key or fallback is; every block.window_period-th layer has no window. */
int check_query_scale(struct conversion *, const struct key_map *, struct fail *);
int check_layer_types(struct conversion *, const struct key_map *, struct fail *);
/* window.c: what GGUF cannot say becomes a hint (struct model). The row's key is the window of all layers; with KEY_DEFAULT the row's
 * fallback is what a missing key means, while null is no window. */
int put_window(struct conversion *, const struct key_map *, struct fail *);
/* ... only with 'use_sliding_window', of the layers that 'layer_types' names, or those from 'max_window_layers' on. */
int put_switched_window(struct conversion *, const struct key_map *, struct fail *);
/* 'mlp_only_layers' and 'decoder_sparse_step' of Qwen's mixtures: which layers have no experts. Wants block_count before it. */
int put_dense_layers(struct conversion *, const struct key_map *, struct fail *);
/* general.file_type: holds the place, model_quantize sets the value. */
int put_file_type(struct conversion *, const struct key_map *, struct fail *);

/* rope.c: rope.scaling.*, rope.freq_base and the tensors of factors, from 'rope_parameters' of today's transformers or
 * 'rope_scaling' and 'rope_theta' of yesterday's. */
int put_rope(struct conversion *, const struct key_map *, struct fail *);
/* For families whose converters write nothing about positions: neither does this, where the base is the row's fallback, unscaled. All
 * readers of GGUF understand the keys that say otherwise. */
int put_silent_rope(struct conversion *, const struct key_map *, struct fail *);
/* Phi-3's: rope.dimension_count, rope.freq_base and factors. Wants embedding_length and head_count before it. */
int put_partial_rope(struct conversion *, const struct key_map *, struct fail *);

/* By how much Llama 3's scaling stretches the wavelength of pair `pair` of a head of `dims`. */
float rope_llama3_factor(uint32_t pair, uint32_t dims, double theta, double factor, double low, double high, double old);

#endif
