/* gpt2.c - GPT-2, Cerebras-GPT, Palmyra: learned positions, layer norms, matrices that multiply from the other side. Names and
 * keys: llama.cpp's conversion/gpt2.py. */
#include "convert/arch/rows.h"

static const char *const hf_classes[] = { "GPT2LMHeadModel", NULL };

static const struct key_map keys[] = {
    { .from = "n_layer", .to = "{arch}.block_count", .type = META_UINT32 },
    { .from = "n_positions", .to = "{arch}.context_length", .type = META_UINT32 },
    { .from = "n_embd", .to = "{arch}.embedding_length", .type = META_UINT32 },
    { .from = "n_inner", .put = put_inner },
    { .from = "n_head", .to = "{arch}.attention.head_count", .type = META_UINT32 },
    { .from = "layer_norm_epsilon", .to = "{arch}.attention.layer_norm_epsilon", .type = META_FLOAT32,
      .flags = KEY_DEFAULT, .fallback = 1e-5 },
    { .put = put_file_type },
    { .from = "activation_function", .put = put_activation },
    HIDDEN_VOCABULARY_KEY,
    {0}
};

static const struct key_demand demands[] = {
    { "model_type", "gpt2" },
    { "scale_attn_weights", "true" },
    { "scale_attn_by_inverse_layer_idx", "false" },
    {0}
};

static const struct name_map tensors[] = {
    { "transformer.wte", "token_embd", .layout = LAYOUT_SAME, DIM_VOCAB, DIM_EMBD },
    { "transformer.wpe", "position_embd", .layout = LAYOUT_SAME, DIM_CONTEXT, DIM_EMBD },
    { "transformer.ln_f", "output_norm", .layout = LAYOUT_SAME, DIM_EMBD, DIM_NONE, .bias = ALWAYS },
    { "lm_head", "output", .layout = LAYOUT_SAME, DIM_VOCAB, DIM_EMBD, .tied = "tie_word_embeddings=true" },
    { "transformer.h.{L}.ln_1", "blk.{L}.attn_norm", .layout = LAYOUT_SAME, DIM_EMBD, DIM_NONE, .bias = ALWAYS },
    { "transformer.h.{L}.attn.c_attn", "blk.{L}.attn_qkv", .layout = LAYOUT_TRANSPOSED, DIM_QKV, DIM_EMBD, .bias = ALWAYS },
    { "transformer.h.{L}.attn.c_proj", "blk.{L}.attn_output", .layout = LAYOUT_TRANSPOSED, DIM_EMBD, DIM_Q, .bias = ALWAYS },
    { "transformer.h.{L}.ln_2", "blk.{L}.ffn_norm", .layout = LAYOUT_SAME, DIM_EMBD, DIM_NONE, .bias = ALWAYS },
    { "transformer.h.{L}.mlp.c_fc", "blk.{L}.ffn_up", .layout = LAYOUT_TRANSPOSED, DIM_FF, DIM_EMBD, .bias = ALWAYS },
    { "transformer.h.{L}.mlp.c_proj", "blk.{L}.ffn_down", .layout = LAYOUT_TRANSPOSED, DIM_EMBD, DIM_FF, .bias = ALWAYS },
    {0}
};

static const char *const ignored_keys[] = { "reorder_and_upcast_attn", "n_special", "predict_special_tokens", "afn", NULL };

static const struct spelling key_spellings[] = {
    { "num_hidden_layers", "n_layer" }, { "num_attention_heads", "n_head" }, { "hidden_size", "n_embd" }, { "n_ctx", "n_positions" },
    { "max_position_embeddings", "n_positions" }, {0}
};

/* Published without the prefix of today's transformers. */
static const struct spelling tensor_spellings[] = {
    { "h.", "transformer.h." }, { "wte.", "transformer.wte." }, { "wpe.", "transformer.wpe." }, { "ln_f.", "transformer.ln_f." }, {0}
};

static const char *const ignored_tensors[] = { ".attn.bias", ".attn.masked_bias", NULL };

extern const struct arch arch_gpt2;
const struct arch arch_gpt2 = {
    .name = "gpt2",
    .hf_classes = hf_classes,
    .keys = keys,
    .demands = demands,
    .tensors = tensors,
    .ignored_keys = ignored_keys,
    .ignored_tensors = ignored_tensors,
    .key_spellings = key_spellings,
    .tensor_spellings = tensor_spellings,
    .block = { .norm = NORM_LAYER, .rope = ROPE_NONE, .act = ACT_GELU_TANH, .mlp = MLP_PLAIN, .has = HAS_POSITIONS | HAS_FUSED_QKV },
    .one_way = true,
    .check = arch_check_heads,
};
