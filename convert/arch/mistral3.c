/* mistral3.c - Ministral 3, Mistral Small 3.1 and later, the text model: Llama's layers, YaRN, queries that grow far behind the
 * trained context. Names and keys: llama.cpp's conversion/mistral3.py. */
#include "convert/arch/rows.h"

static const char *const hf_classes[] = { "Ministral3ForCausalLM", "Mistral3ForConditionalGeneration", NULL };

/* transformers scales by the quotient of two temperatures, of mscale and mscale_all_dim; GGUF knows the latter and takes the former
 * to be 1. */
static int put_log_multiplier(struct conversion *c, const struct key_map *k, struct fail *f)
{
    double mscale = 0, all = 0;
    bool has_mscale, has_all;

    (void)k;
    if (config_f64(c, "rope_parameters.mscale|rope_scaling.mscale", "mistral3.rope.scaling.yarn_log_multiplier", &mscale, &has_mscale, f) ||
        config_f64(c, "rope_parameters.mscale_all_dim|rope_scaling.mscale_all_dim", "mistral3.rope.scaling.yarn_log_multiplier",
                   &all, &has_all, f))
        return -1;
    if (has_mscale != has_all || (has_all && (mscale != 1 || all == 0)))
        return fail(f, FAIL_INPUT, "mscale %g and mscale_all_dim %g in config.json cannot be said in GGUF, which wants 1 for mscale",
                    mscale, all);
    if (has_all)
        meta_set_f32(&c->meta, c->arena, "mistral3.rope.scaling.yarn_log_multiplier", (float)all);
    return 0;
}

static const struct key_map keys[] = {
    SIZE_KEYS,
    { .put = put_rope, .flags = KEY_LOG_MULTIPLIER },
    { .from = "rms_norm_eps", .to = "{arch}.attention.layer_norm_rms_epsilon", .type = META_FLOAT32 },
    { .put = put_head_dim },
    { .put = put_file_type },
    { .from = "vocab_size", .to = "{arch}.vocab_size", .type = META_UINT32 },
    { .put = put_rope_dims },
    { .put = put_log_multiplier },
    { .from = "rope_parameters.llama_4_scaling_beta|rope_scaling.llama_4_scaling_beta", .to = "{arch}.attention.temperature_scale",
      .type = META_FLOAT32, .flags = KEY_OPTIONAL },
    { .from = "sliding_window", .put = put_window },
    {0}
};

static const struct key_demand demands[] = {
    { "model_type", "ministral3|mistral|mistral3" },
    { "hidden_act", "silu|swish" },
    { "layer_types", "full_attention" },
    { "attention_bias", "false" },
    { "mlp_bias", "false" },
    { "is_causal", "true" },
    {0}
};

static const struct name_map tensors[] = {
    ENDS_ROWS(LAYOUT_SAME, "tie_word_embeddings"),
    NORM_ROWS(LAYOUT_SAME),
    ATTENTION_ROWS(LAYOUT_ROPE_Q, LAYOUT_ROPE_K, NULL, NULL),
    MLP_ROWS(NULL),
    {0}
};

/* About images. */
static const char *const ignored_keys[] = {
    "vision_config", "image_token_index", "image_token_id", "multimodal_projector_bias", "projector_hidden_act",
    "spatial_merge_size", "vision_feature_layer", NULL
};

static const struct spelling tensor_spellings[] = { TEXT_SPELLINGS, {0} };

static const char *const ignored_tensors[] = { SAVED_TABLES, VISION_TENSORS, NULL };

extern const struct arch arch_mistral3;
const struct arch arch_mistral3 = {
    .name = "mistral3",
    .hf_classes = hf_classes,
    .keys = keys,
    .demands = demands,
    .tensors = tensors,
    .ignored_keys = ignored_keys,
    .ignored_tensors = ignored_tensors,
    .text = "text_config",
    .tensor_spellings = tensor_spellings,
    .block = { .norm = NORM_RMS, .rope = ROPE_PAIRS, .act = ACT_SILU, .mlp = MLP_GATED },
    .one_way = true,
    .check = arch_check_heads,
};
