/* rows.h - rows of tables that many families share: the tensors of a layer as transformers' Llama names them. */
#ifndef BANTAM_ARCH_ROWS_H
#define BANTAM_ARCH_ROWS_H

#include "convert/arch.h"
#include "convert/config.h"
#include "convert/unrename.h"

/* Conditions as in struct name_map; `norm` is the layout of norms. */
#define ENDS_ROWS(norm, tie) \
    { "model.embed_tokens", "token_embd", .layout = LAYOUT_SAME, DIM_VOCAB, DIM_EMBD }, \
    { "model.norm", "output_norm", .layout = norm, DIM_EMBD, DIM_NONE }, \
    { "lm_head", "output", .layout = LAYOUT_SAME, DIM_VOCAB, DIM_EMBD, .tied = tie }
#define ATTENTION_ROWS(q, k, qkv_bias, o_bias) \
    { "model.layers.{L}.self_attn.q_proj", "blk.{L}.attn_q", .layout = q, DIM_Q, DIM_EMBD, .bias = qkv_bias }, \
    { "model.layers.{L}.self_attn.k_proj", "blk.{L}.attn_k", .layout = k, DIM_KV, DIM_EMBD, .bias = qkv_bias }, \
    { "model.layers.{L}.self_attn.v_proj", "blk.{L}.attn_v", .layout = LAYOUT_SAME, DIM_KV, DIM_EMBD, .bias = qkv_bias }, \
    { "model.layers.{L}.self_attn.o_proj", "blk.{L}.attn_output", .layout = LAYOUT_SAME, DIM_EMBD, DIM_Q, .bias = o_bias }
#define QK_NORM_ROWS(norm) \
    { "model.layers.{L}.self_attn.q_norm", "blk.{L}.attn_q_norm", .layout = norm, DIM_HEAD, DIM_NONE }, \
    { "model.layers.{L}.self_attn.k_norm", "blk.{L}.attn_k_norm", .layout = norm, DIM_HEAD, DIM_NONE }
#define NORM_ROWS(norm) \
    { "model.layers.{L}.input_layernorm", "blk.{L}.attn_norm", .layout = norm, DIM_EMBD, DIM_NONE }, \
    { "model.layers.{L}.post_attention_layernorm", "blk.{L}.ffn_norm", .layout = norm, DIM_EMBD, DIM_NONE }
/* Gemma 2 and 3: a norm on either side of both halves, and post_attention_layernorm is another one. */
#define FOUR_NORM_ROWS(norm) \
    { "model.layers.{L}.input_layernorm", "blk.{L}.attn_norm", .layout = norm, DIM_EMBD, DIM_NONE }, \
    { "model.layers.{L}.post_attention_layernorm", "blk.{L}.post_attention_norm", .layout = norm, DIM_EMBD, DIM_NONE }, \
    { "model.layers.{L}.pre_feedforward_layernorm", "blk.{L}.ffn_norm", .layout = norm, DIM_EMBD, DIM_NONE }, \
    { "model.layers.{L}.post_feedforward_layernorm", "blk.{L}.post_ffw_norm", .layout = norm, DIM_EMBD, DIM_NONE }
#define MLP_ROWS(mlp_bias) \
    { "model.layers.{L}.mlp.gate_proj", "blk.{L}.ffn_gate", .layout = LAYOUT_SAME, DIM_FF, DIM_EMBD, .bias = mlp_bias }, \
    { "model.layers.{L}.mlp.up_proj", "blk.{L}.ffn_up", .layout = LAYOUT_SAME, DIM_FF, DIM_EMBD, .bias = mlp_bias }, \
    { "model.layers.{L}.mlp.down_proj", "blk.{L}.ffn_down", .layout = LAYOUT_SAME, DIM_EMBD, DIM_FF, .bias = mlp_bias }

/* A router and experts in the place of MLP_ROWS; the order of the last three is that in which converters write them. */
#define QWEN_EXPERT_ROWS \
    { "model.layers.{L}.mlp.gate", "blk.{L}.ffn_gate_inp", .layout = LAYOUT_SAME, DIM_EXPERTS, DIM_EMBD, .layers = LAYERS_SPARSE }, \
    { "model.layers.{L}.mlp.experts.{E}.down_proj", "blk.{L}.ffn_down_exps", .layout = LAYOUT_SAME, DIM_EMBD, DIM_FF_EXPERT, \
      .when = NOT_FUSED, .layers = LAYERS_SPARSE }, \
    { "model.layers.{L}.mlp.experts.{E}.gate_proj", "blk.{L}.ffn_gate_exps", .layout = LAYOUT_SAME, DIM_FF_EXPERT, DIM_EMBD, \
      .when = NOT_FUSED, .layers = LAYERS_SPARSE }, \
    { "model.layers.{L}.mlp.experts.{E}.up_proj", "blk.{L}.ffn_up_exps", .layout = LAYOUT_SAME, DIM_FF_EXPERT, DIM_EMBD, \
      .when = NOT_FUSED, .layers = LAYERS_SPARSE }, \
    FUSED_EXPERT_ROWS(DIM_FF_EXPERT), \
    DENSE_LAYER_ROWS
/* The experts of a layer in two tensors. */
#define FUSED_EXPERT_ROWS(ff) \
    { "model.layers.{L}.mlp.experts.down_proj", "blk.{L}.ffn_down_exps", .layout = LAYOUT_STACKED, DIM_EMBD, ff, .bare = true, \
      .when = FUSED, .layers = LAYERS_SPARSE }, \
    { "model.layers.{L}.mlp.experts.gate_up_proj", "blk.{L}.ffn_gate_exps", .layout = LAYOUT_STACKED_FIRST, ff, DIM_EMBD, .bare = true, \
      .when = FUSED, .layers = LAYERS_SPARSE }, \
    { "model.layers.{L}.mlp.experts.gate_up_proj", "blk.{L}.ffn_up_exps", .layout = LAYOUT_STACKED_SECOND, ff, DIM_EMBD, .bare = true, \
      .when = FUSED, .layers = LAYERS_SPARSE }
/* Layers of such a model that have no experts. */
#define DENSE_LAYER_ROWS \
    { "model.layers.{L}.mlp.gate_proj", "blk.{L}.ffn_gate", .layout = LAYOUT_SAME, DIM_FF, DIM_EMBD, .layers = LAYERS_DENSE }, \
    { "model.layers.{L}.mlp.up_proj", "blk.{L}.ffn_up", .layout = LAYOUT_SAME, DIM_FF, DIM_EMBD, .layers = LAYERS_DENSE }, \
    { "model.layers.{L}.mlp.down_proj", "blk.{L}.ffn_down", .layout = LAYOUT_SAME, DIM_EMBD, DIM_FF, .layers = LAYERS_DENSE }

/* The sizes that most families write first, in this order. */
#define SIZE_KEYS \
    { .from = "num_hidden_layers", .to = "{arch}.block_count", .type = META_UINT32 }, \
    { .from = "max_position_embeddings|max_sequence_length", .to = "{arch}.context_length", .type = META_UINT32 }, \
    { .from = "hidden_size", .to = "{arch}.embedding_length", .type = META_UINT32 }, \
    { .from = "intermediate_size", .to = "{arch}.feed_forward_length", .type = META_UINT32 }, \
    { .from = "num_attention_heads", .to = "{arch}.attention.head_count", .type = META_UINT32 }, \
    { .from = "num_key_value_heads|num_attention_heads", .to = "{arch}.attention.head_count_kv", .type = META_UINT32 }
#define EXPERT_KEYS \
    { .from = "num_local_experts|num_experts", .to = "{arch}.expert_count", .type = META_UINT32 }, \
    { .from = "num_experts_per_tok", .to = "{arch}.expert_used_count", .type = META_UINT32 }
/* Of the training of routers. */
#define ROUTER_TRAINING "router_aux_loss_coef", "output_router_logits", "router_jitter_noise"
/* For shapes only: the header of these families does not say it. */
#define HIDDEN_VOCABULARY_KEY \
    { .from = "vocab_size", .to = "{arch}.vocab_size", .type = META_UINT32, .flags = KEY_HIDDEN, .back = back_vocab_size }

/* Tables and masks that old versions of transformers saved; they follow from the config. */
#define SAVED_TABLES ".rotary_emb.inv_freq", ".attention.masked_bias", ".attention.bias"

/* A text model inside a multimodal one, as transformers 4 and 5 name it, and the rest of it. */
#define TEXT_SPELLINGS \
    { "language_model.model.", "model." }, { "model.language_model.", "model." }, { "language_model.lm_head.", "lm_head." }
#define VISION_TENSORS "vision_tower.*", "multi_modal_projector.*", "model.vision_tower.*", "model.multi_modal_projector.*"

#endif
