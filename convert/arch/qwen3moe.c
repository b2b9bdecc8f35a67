/* qwen3moe.c - Qwen 3 as a mixture of experts, of which each token's weights sum to one. Names and keys: llama.cpp's conversion/qwen.py. */
#include "convert/arch/rows.h"

static const char *const hf_classes[] = { "Qwen3MoeForCausalLM", NULL };

/* GGUF has no key for it in this family; absent it would mean that weights stay as the softmax over all experts has them. */
static int check_shares(struct conversion *c, const struct key_map *k, struct fail *f)
{
    const cJSON *item = config_use(c, k->from, "a check", "the value this family has");

    if (cJSON_IsTrue(item))
        return 0;
    return fail(f, FAIL_INPUT, "'%s' in config.json is not true, and GGUF has no key for it in this model family", k->from);
}

static const struct key_map keys[] = {
    SIZE_KEYS,
    { .put = put_rope, .back = back_rope },
    { .from = "rms_norm_eps", .to = "{arch}.attention.layer_norm_rms_epsilon", .type = META_FLOAT32 },
    EXPERT_KEYS,
    { .from = "norm_topk_prob", .put = check_shares },
    { .put = put_head_dim, .flags = KEY_OPTIONAL },
    { .put = put_file_type },
    { .from = "moe_intermediate_size", .to = "{arch}.expert_feed_forward_length", .type = META_UINT32 },
    HIDDEN_VOCABULARY_KEY,
    { .put = put_dense_layers },
    {0}
};

static const struct key_demand demands[] = {
    { "model_type", "qwen3_moe" },
    { "hidden_act", "silu|swish" },
    { "use_sliding_window", "false" },
    { "layer_types", "full_attention" },
    { "use_mrope", "false" },
    { "is_causal", "true" },
    {0}
};

static const struct name_map tensors[] = {
    ENDS_ROWS(LAYOUT_SAME, "tie_word_embeddings"),
    NORM_ROWS(LAYOUT_SAME),
    ATTENTION_ROWS(LAYOUT_SAME, LAYOUT_SAME, "attention_bias", "attention_bias"),
    QK_NORM_ROWS(LAYOUT_SAME),
    QWEN_EXPERT_ROWS,
    {0}
};

/* Without use_sliding_window they have no effect. */
static const char *const ignored_keys[] = { "sliding_window", "max_window_layers", ROUTER_TRAINING, NULL };

static const char *const ignored_tensors[] = { SAVED_TABLES, NULL };

extern const struct arch arch_qwen3moe;
const struct arch arch_qwen3moe = {
    .name = "qwen3moe",
    .hf_classes = hf_classes,
    .keys = keys,
    .demands = demands,
    .tensors = tensors,
    .ignored_keys = ignored_keys,
    .ignored_tensors = ignored_tensors,
    .block = { .norm = NORM_RMS, .rope = ROPE_HALVES, .act = ACT_SILU, .mlp = MLP_GATED, .has = HAS_QK_NORM | HAS_EXPERT_SHARES },
    .one_way = true,
    .check = arch_check_heads,
};
