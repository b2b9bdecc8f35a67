/* starcoder2.c - StarCoder 2: layer norms with biases, rotary positions, a plain mlp. Names and keys: llama.cpp's
 * conversion/starcoder.py and base.py. */
#include "convert/arch/rows.h"

static const char *const hf_classes[] = { "Starcoder2ForCausalLM", NULL };

static const struct key_map keys[] = {
    SIZE_KEYS,
    { .put = put_rope },
    { .from = "norm_epsilon", .to = "{arch}.attention.layer_norm_epsilon", .type = META_FLOAT32,
      .flags = KEY_DEFAULT, .fallback = 1e-5 },
    { .put = put_head_dim, .flags = KEY_OPTIONAL },
    { .put = put_file_type },
    { .from = "hidden_act", .put = put_activation },
    HIDDEN_VOCABULARY_KEY,
    { .from = "sliding_window", .put = put_window },
    {0}
};

static const struct key_demand demands[] = {
    { "model_type", "starcoder2" },
    { "norm_type", "layer_norm" },
    { "mlp_type", "default" },
    { "layer_types", "full_attention|sliding_attention" },
    {0}
};

static const struct name_map tensors[] = {
    { "model.embed_tokens", "token_embd", .layout = LAYOUT_SAME, DIM_VOCAB, DIM_EMBD },
    { "model.norm", "output_norm", .layout = LAYOUT_SAME, DIM_EMBD, DIM_NONE, .bias = ALWAYS },
    { "lm_head", "output", .layout = LAYOUT_SAME, DIM_VOCAB, DIM_EMBD, .tied = "tie_word_embeddings=true" },
    { "model.layers.{L}.input_layernorm", "blk.{L}.attn_norm", .layout = LAYOUT_SAME, DIM_EMBD, DIM_NONE, .bias = ALWAYS },
    { "model.layers.{L}.post_attention_layernorm", "blk.{L}.ffn_norm", .layout = LAYOUT_SAME, DIM_EMBD, DIM_NONE,
      .bias = ALWAYS },
    ATTENTION_ROWS(LAYOUT_SAME, LAYOUT_SAME, "use_bias=true", "use_bias=true"),
    { "model.layers.{L}.mlp.c_fc", "blk.{L}.ffn_up", .layout = LAYOUT_SAME, DIM_FF, DIM_EMBD, .bias = "use_bias=true" },
    { "model.layers.{L}.mlp.c_proj", "blk.{L}.ffn_down", .layout = LAYOUT_SAME, DIM_EMBD, DIM_FF, .bias = "use_bias=true" },
    {0}
};

static const char *const ignored_keys[] = { "embedding_dropout", "residual_dropout", NULL };

static const char *const ignored_tensors[] = { SAVED_TABLES, NULL };

extern const struct arch arch_starcoder2;
const struct arch arch_starcoder2 = {
    .name = "starcoder2",
    .hf_classes = hf_classes,
    .keys = keys,
    .demands = demands,
    .tensors = tensors,
    .ignored_keys = ignored_keys,
    .ignored_tensors = ignored_tensors,
    .block = { .norm = NORM_LAYER, .rope = ROPE_HALVES, .act = ACT_GELU_TANH, .mlp = MLP_PLAIN },
    .one_way = true,
    .check = arch_check_heads,
};
