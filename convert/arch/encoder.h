/* encoder.h - what the tables of encoders share. */
#ifndef BANTAM_ARCH_ENCODER_H
#define BANTAM_ARCH_ENCODER_H

#include "convert/arch/rows.h"

/* See encoder.c. The first also says {arch}.attention.causal; the second sets {arch}.label_count (the row's key, hidden) as well. */
int put_pooling(struct conversion *, const struct key_map *, struct fail *);
int put_labels(struct conversion *, const struct key_map *, struct fail *);

#define ENCODER_KEYS \
    { .put = put_pooling }, \
    { .to = "{arch}.label_count", .flags = KEY_HIDDEN, .put = put_labels }

/* What put_labels adds to the config of a classifier, for these rows. Named labels go with an output matrix; two labels without
 * names of their own are taken for none, and the matrix for a layer in front of it, as convert_hf_to_gguf.py does. */
#define NAMED_LABELS "has_named_labels"
#define PLAIN_LABELS "has_plain_labels"
#define CLASSIFIES "has_classifier"         /* either */
#define CLASSIFIER_ROWS \
    { "classifier", "cls.output", .layout = LAYOUT_SAME, DIM_LABELS, DIM_EMBD, .bias = ALWAYS, .when = NAMED_LABELS }, \
    { "classifier", "cls", .layout = LAYOUT_SAME, DIM_LABELS, DIM_EMBD, .bias = ALWAYS, .when = PLAIN_LABELS }

/* The norm behind the embeddings, and a layer, as transformers' Bert and those made after it name them. */
#define BERT_ROWS \
    { "embeddings.LayerNorm", "token_embd_norm", .layout = LAYOUT_SAME, DIM_EMBD, DIM_NONE, .bias = ALWAYS }, \
    { "encoder.layer.{L}.attention.self.query", "blk.{L}.attn_q", .layout = LAYOUT_SAME, DIM_Q, DIM_EMBD, .bias = ALWAYS }, \
    { "encoder.layer.{L}.attention.self.key", "blk.{L}.attn_k", .layout = LAYOUT_SAME, DIM_KV, DIM_EMBD, .bias = ALWAYS }, \
    { "encoder.layer.{L}.attention.self.value", "blk.{L}.attn_v", .layout = LAYOUT_SAME, DIM_KV, DIM_EMBD, .bias = ALWAYS }, \
    { "encoder.layer.{L}.attention.output.dense", "blk.{L}.attn_output", .layout = LAYOUT_SAME, DIM_EMBD, DIM_Q, .bias = ALWAYS }, \
    { "encoder.layer.{L}.attention.output.LayerNorm", "blk.{L}.attn_output_norm", .layout = LAYOUT_SAME, DIM_EMBD, DIM_NONE, \
      .bias = ALWAYS }, \
    { "encoder.layer.{L}.intermediate.dense", "blk.{L}.ffn_up", .layout = LAYOUT_SAME, DIM_FF, DIM_EMBD, .bias = ALWAYS }, \
    { "encoder.layer.{L}.output.dense", "blk.{L}.ffn_down", .layout = LAYOUT_SAME, DIM_EMBD, DIM_FF, .bias = ALWAYS }, \
    { "encoder.layer.{L}.output.LayerNorm", "blk.{L}.layer_output_norm", .layout = LAYOUT_SAME, DIM_EMBD, DIM_NONE, .bias = ALWAYS }

#define ENCODER_BLOCK { .norm = NORM_LAYER, .rope = ROPE_NONE, .act = ACT_GELU, .mlp = MLP_PLAIN, \
                        .has = HAS_POSITIONS | HAS_TOKEN_TYPES | HAS_EMBEDDING_NORM | HAS_SUM_NORMS }

#endif
