/* bloom.c - BLOOM: no positions but slopes (ALiBi), a norm behind the embeddings, q, k and v of each head side by side. Names and
 * keys: llama.cpp's conversion/bloom.py. */
#include "convert/arch/rows.h"

static const char *const hf_classes[] = { "BloomForCausalLM", "BloomModel", NULL };

static const struct key_map keys[] = {
    { .from = "seq_length|hidden_size", .to = "{arch}.context_length", .type = META_UINT32 },
    { .from = "hidden_size", .to = "{arch}.embedding_length", .type = META_UINT32 },
    { .from = "n_inner", .put = put_inner },
    { .from = "n_layer", .to = "{arch}.block_count", .type = META_UINT32 },
    { .from = "n_head", .to = "{arch}.attention.head_count", .type = META_UINT32 },
    { .from = "n_head", .to = "{arch}.attention.head_count_kv", .type = META_UINT32 },
    { .from = "layer_norm_epsilon", .to = "{arch}.attention.layer_norm_epsilon", .type = META_FLOAT32,
      .flags = KEY_DEFAULT, .fallback = 1e-5 },
    { .put = put_file_type },
    HIDDEN_VOCABULARY_KEY,
    {0}
};

static const struct key_demand demands[] = {
    { "model_type", "bloom" },
    { "apply_residual_connection_post_layernorm", "false" },
    {0}
};

static const struct name_map tensors[] = {
    { "transformer.word_embeddings", "token_embd", .layout = LAYOUT_SAME, DIM_VOCAB, DIM_EMBD },
    { "transformer.word_embeddings_layernorm", "token_embd_norm", .layout = LAYOUT_SAME, DIM_EMBD, DIM_NONE, .bias = ALWAYS },
    { "transformer.ln_f", "output_norm", .layout = LAYOUT_SAME, DIM_EMBD, DIM_NONE, .bias = ALWAYS },
    { "lm_head", "output", .layout = LAYOUT_SAME, DIM_VOCAB, DIM_EMBD, .tied = "tie_word_embeddings=true" },
    { "transformer.h.{L}.input_layernorm", "blk.{L}.attn_norm", .layout = LAYOUT_SAME, DIM_EMBD, DIM_NONE, .bias = ALWAYS },
    { "transformer.h.{L}.self_attention.query_key_value", "blk.{L}.attn_qkv", .layout = LAYOUT_GROUPS, DIM_QKV, DIM_EMBD,
      .bias = ALWAYS },
    { "transformer.h.{L}.self_attention.dense", "blk.{L}.attn_output", .layout = LAYOUT_SAME, DIM_EMBD, DIM_Q, .bias = ALWAYS },
    { "transformer.h.{L}.post_attention_layernorm", "blk.{L}.ffn_norm", .layout = LAYOUT_SAME, DIM_EMBD, DIM_NONE,
      .bias = ALWAYS },
    { "transformer.h.{L}.mlp.dense_h_to_4h", "blk.{L}.ffn_up", .layout = LAYOUT_SAME, DIM_FF, DIM_EMBD, .bias = ALWAYS },
    { "transformer.h.{L}.mlp.dense_4h_to_h", "blk.{L}.ffn_down", .layout = LAYOUT_SAME, DIM_EMBD, DIM_FF, .bias = ALWAYS },
    {0}
};

/* How a program computes, or how it was trained. */
static const char *const ignored_keys[] = {
    "slow_but_exact", "offset_alibi", "masked_softmax_fusion", "bias_dropout_fusion", "skip_bias_add", "skip_bias_add_qkv",
    "attention_softmax_in_fp32", NULL
};

static const struct spelling key_spellings[] = {
    { "n_embed", "hidden_size" }, { "num_hidden_layers", "n_layer" }, { "num_attention_heads", "n_head" }, {0}
};

/* Published without the prefix of today's transformers. */
static const struct spelling tensor_spellings[] = {
    { "h.", "transformer.h." }, { "word_embeddings", "transformer.word_embeddings" }, { "ln_f.", "transformer.ln_f." }, {0}
};

static const char *const ignored_tensors[] = { SAVED_TABLES, NULL };

extern const struct arch arch_bloom;
const struct arch arch_bloom = {
    .name = "bloom",
    .hf_classes = hf_classes,
    .keys = keys,
    .demands = demands,
    .tensors = tensors,
    .ignored_keys = ignored_keys,
    .ignored_tensors = ignored_tensors,
    .key_spellings = key_spellings,
    .tensor_spellings = tensor_spellings,
    .block = { .norm = NORM_LAYER, .rope = ROPE_NONE, .act = ACT_GELU_TANH, .mlp = MLP_PLAIN,
               .has = HAS_FUSED_QKV | HAS_EMBEDDING_NORM | HAS_ALIBI },
    .one_way = true,
    .check = arch_check_heads,
};
