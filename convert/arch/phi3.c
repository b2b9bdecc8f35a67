/* phi3.c - Phi-3, Phi-3.5, Phi-4: Llama's layers with q, k and v in one matrix, gate and up in another, and longrope. Names and
 * keys: llama.cpp's conversion/phi.py. */
#include "convert/arch/rows.h"

static const char *const hf_classes[] = { "Phi3ForCausalLM", NULL };

static const struct key_map keys[] = {
    { .from = "max_position_embeddings", .to = "{arch}.context_length", .type = META_UINT32 },
    { .from = "original_max_position_embeddings|rope_parameters.original_max_position_embeddings|"
              "rope_scaling.original_max_position_embeddings", .to = "{arch}.rope.scaling.original_context_length", .type = META_UINT32,
      .flags = KEY_DEFAULT, .fallback = 4096 },
    { .from = "hidden_size", .to = "{arch}.embedding_length", .type = META_UINT32 },
    { .from = "intermediate_size", .to = "{arch}.feed_forward_length", .type = META_UINT32 },
    { .from = "num_hidden_layers", .to = "{arch}.block_count", .type = META_UINT32 },
    { .from = "num_attention_heads", .to = "{arch}.attention.head_count", .type = META_UINT32 },
    { .from = "num_key_value_heads|num_attention_heads", .to = "{arch}.attention.head_count_kv", .type = META_UINT32 },
    { .from = "rms_norm_eps", .to = "{arch}.attention.layer_norm_rms_epsilon", .type = META_FLOAT32,
      .flags = KEY_DEFAULT, .fallback = 1e-5 },
    { .put = put_partial_rope },
    { .put = put_file_type },
    { .from = "sliding_window", .to = "{arch}.attention.sliding_window", .type = META_UINT32,
      .flags = KEY_DEFAULT, .fallback = 0 },
    HIDDEN_VOCABULARY_KEY,
    {0}
};

static const struct key_demand demands[] = {
    { "model_type", "phi3" },
    { "hidden_act", "silu|swish" },
    { "attention_bias", "false" },
    { "layer_types", "full_attention|sliding_attention" },
    { "lm_head_bias", "false" },
    { "mlp_bias", "false" },
    {0}
};

static const struct name_map tensors[] = {
    ENDS_ROWS(LAYOUT_SAME, "tie_word_embeddings"),
    NORM_ROWS(LAYOUT_SAME),
    { "model.layers.{L}.self_attn.qkv_proj", "blk.{L}.attn_qkv", .layout = LAYOUT_SAME, DIM_QKV, DIM_EMBD },
    { "model.layers.{L}.self_attn.o_proj", "blk.{L}.attn_output", .layout = LAYOUT_SAME, DIM_EMBD, DIM_Q },
    { "model.layers.{L}.mlp.gate_up_proj", "blk.{L}.ffn_up", .layout = LAYOUT_SAME, DIM_FF2, DIM_EMBD },
    { "model.layers.{L}.mlp.down_proj", "blk.{L}.ffn_down", .layout = LAYOUT_SAME, DIM_EMBD, DIM_FF },
    {0}
};

static const char *const ignored_keys[] = { "full_attn_mod", "interpolate_factor", NULL };
static const char *const ignored_tensors[] = { SAVED_TABLES, NULL };

extern const struct arch arch_phi3;
const struct arch arch_phi3 = {
    .name = "phi3",
    .hf_classes = hf_classes,
    .keys = keys,
    .demands = demands,
    .tensors = tensors,
    .ignored_keys = ignored_keys,
    .ignored_tensors = ignored_tensors,
    .block = { .norm = NORM_RMS, .rope = ROPE_HALVES, .act = ACT_SILU, .mlp = MLP_GATED, .has = HAS_FUSED_QKV | HAS_FUSED_GATE },
    .one_way = true,
    .check = arch_check_heads,
};
