/* mixtral.c - Mixtral: Llama's layers with experts in the mlp's place; GGUF calls it llama too, and the number of experts tells the
 * two apart. Names and keys: llama.cpp's conversion/llama.py. */
#include "convert/arch/rows.h"

static const char *const hf_classes[] = { "MixtralForCausalLM", NULL };

static const struct key_map keys[] = {
    SIZE_KEYS,
    { .put = put_rope },
    { .from = "rms_norm_eps", .to = "{arch}.attention.layer_norm_rms_epsilon", .type = META_FLOAT32 },
    EXPERT_KEYS,
    { .put = put_head_dim, .flags = KEY_OPTIONAL },
    { .put = put_file_type },
    { .from = "vocab_size", .to = "{arch}.vocab_size", .type = META_UINT32 },
    { .put = put_rope_dims },
    { .from = "sliding_window", .put = put_window },
    {0}
};

static const struct key_demand demands[] = {
    { "model_type", "mixtral" },
    { "hidden_act", "silu|swish" },
    { "partial_rotary_factor", "1" },
    { "rope_interleaved", "false" },
    { "layer_types", "full_attention" },
    { "is_causal", "true" },
    {0}
};

static const struct name_map tensors[] = {
    ENDS_ROWS(LAYOUT_SAME, "tie_word_embeddings"),
    NORM_ROWS(LAYOUT_SAME),
    ATTENTION_ROWS(LAYOUT_ROPE_Q, LAYOUT_ROPE_K, NULL, NULL),
    { "model.layers.{L}.block_sparse_moe.gate", "blk.{L}.ffn_gate_inp", .layout = LAYOUT_SAME, DIM_EXPERTS, DIM_EMBD, .when = NOT_FUSED },
    { "model.layers.{L}.block_sparse_moe.experts.{E}.w1", "blk.{L}.ffn_gate_exps", .layout = LAYOUT_SAME, DIM_FF, DIM_EMBD, .when = NOT_FUSED },
    { "model.layers.{L}.block_sparse_moe.experts.{E}.w2", "blk.{L}.ffn_down_exps", .layout = LAYOUT_SAME, DIM_EMBD, DIM_FF, .when = NOT_FUSED },
    { "model.layers.{L}.block_sparse_moe.experts.{E}.w3", "blk.{L}.ffn_up_exps", .layout = LAYOUT_SAME, DIM_FF, DIM_EMBD, .when = NOT_FUSED },
    { "model.layers.{L}.mlp.gate", "blk.{L}.ffn_gate_inp", .layout = LAYOUT_SAME, DIM_EXPERTS, DIM_EMBD, .when = FUSED },
    FUSED_EXPERT_ROWS(DIM_FF),
    {0}
};

static const char *const ignored_keys[] = { ROUTER_TRAINING, NULL };

static const char *const ignored_tensors[] = { SAVED_TABLES, NULL };

extern const struct arch arch_mixtral;
const struct arch arch_mixtral = {
    .name = "llama",
    .hf_classes = hf_classes,
    .keys = keys,
    .demands = demands,
    .tensors = tensors,
    .ignored_keys = ignored_keys,
    .ignored_tensors = ignored_tensors,
    .block = { .norm = NORM_RMS, .rope = ROPE_PAIRS, .act = ACT_SILU, .mlp = MLP_GATED, .has = HAS_EXPERT_SHARES },
    .one_way = true,
    .check = arch_check_heads,
};
