/* qwen2moe.c - Qwen 1.5 and 2 as a mixture of experts, one of them shared by all tokens. Names and keys: llama.cpp's conversion/qwen.py. */
#include "convert/arch/rows.h"

static const char *const hf_classes[] = { "Qwen2MoeForCausalLM", NULL };

static const struct key_map keys[] = {
    SIZE_KEYS,
    { .put = put_rope, .back = back_rope },
    { .from = "rms_norm_eps", .to = "{arch}.attention.layer_norm_rms_epsilon", .type = META_FLOAT32 },
    EXPERT_KEYS,
    { .put = put_head_dim, .flags = KEY_OPTIONAL },
    { .put = put_file_type },
    { .from = "moe_intermediate_size", .to = "{arch}.expert_feed_forward_length", .type = META_UINT32 },
    { .from = "shared_expert_intermediate_size", .to = "{arch}.expert_shared_feed_forward_length", .type = META_UINT32 },
    HIDDEN_VOCABULARY_KEY,
    { .put = put_dense_layers },
    {0}
};

static const struct key_demand demands[] = {
    { "model_type", "qwen2_moe" },
    { "hidden_act", "silu|swish" },
    { "use_sliding_window", "false" },
    { "layer_types", "full_attention" },
    { "use_mrope", "false" },
    { "is_causal", "true" },
    { "norm_topk_prob", "false" },
    {0}
};

static const struct name_map tensors[] = {
    ENDS_ROWS(LAYOUT_SAME, "tie_word_embeddings"),
    NORM_ROWS(LAYOUT_SAME),
    ATTENTION_ROWS(LAYOUT_SAME, LAYOUT_SAME, "qkv_bias=true", NULL),
    QWEN_EXPERT_ROWS,
    { "model.layers.{L}.mlp.shared_expert.gate_proj", "blk.{L}.ffn_gate_shexp", .layout = LAYOUT_SAME, DIM_FF_SHARED, DIM_EMBD,
      .layers = LAYERS_SPARSE },
    { "model.layers.{L}.mlp.shared_expert.up_proj", "blk.{L}.ffn_up_shexp", .layout = LAYOUT_SAME, DIM_FF_SHARED, DIM_EMBD,
      .layers = LAYERS_SPARSE },
    { "model.layers.{L}.mlp.shared_expert.down_proj", "blk.{L}.ffn_down_shexp", .layout = LAYOUT_SAME, DIM_EMBD, DIM_FF_SHARED,
      .layers = LAYERS_SPARSE },
    { "model.layers.{L}.mlp.shared_expert_gate", "blk.{L}.ffn_gate_inp_shexp", .layout = LAYOUT_SAME, DIM_ONE, DIM_EMBD,
      .layers = LAYERS_SPARSE },
    {0}
};

/* Without use_sliding_window they have no effect. */
static const char *const ignored_keys[] = { "sliding_window", "max_window_layers", ROUTER_TRAINING, NULL };

static const char *const ignored_tensors[] = { SAVED_TABLES, NULL };

extern const struct arch arch_qwen2moe;
const struct arch arch_qwen2moe = {
    .name = "qwen2moe",
    .hf_classes = hf_classes,
    .keys = keys,
    .demands = demands,
    .tensors = tensors,
    .ignored_keys = ignored_keys,
    .ignored_tensors = ignored_tensors,
    .block = { .norm = NORM_RMS, .rope = ROPE_HALVES, .act = ACT_SILU, .mlp = MLP_GATED, .has = HAS_SHARED_EXPERT },
    .one_way = true,
    .check = arch_check_heads,
};
