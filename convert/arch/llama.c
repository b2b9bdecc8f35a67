/* llama.c - Llama 1 to 3.3 and Mistral: RMS norm, rotary positions, SwiGLU, shared key-value heads.
 *
 * Published by Meta with the two halves of a head interleaved and by Hugging Face with them one behind the other; GGUF
 * keeps Meta's order, hence the row layouts of q and k. Names and keys: llama.cpp's conversion/llama.py and
 * gguf-py/gguf/constants.py. */
#include "convert/arch/rows.h"

#include <string.h>

static const char *const hf_classes[] = { "LlamaForCausalLM", "LLaMAForCausalLM", "MistralForCausalLM", NULL };

/* Of Mistral's; where a Llama's config has the key, nothing reads it. */
static int put_mistral_window(struct conversion *c, const struct key_map *k, struct fail *f)
{
    const cJSON *type = config_find(c, "model_type");

    if (cJSON_IsString(type) && strcmp(type->valuestring, "mistral") == 0)
        return put_window(c, k, f);
    if (config_find(c, k->from))
        account_ignored(c->account, ACCOUNT_KEY, k->from, "only Mistral's layers have windows");
    return 0;
}

static const struct key_map keys[] = {
    SIZE_KEYS,
    { .put = put_rope, .back = back_rope },
    { .from = "rms_norm_eps", .to = "{arch}.attention.layer_norm_rms_epsilon", .type = META_FLOAT32 },
    { .put = put_head_dim, .back = back_head_dim },
    { .put = put_file_type },
    { .from = "vocab_size", .to = "{arch}.vocab_size", .type = META_UINT32 },
    { .put = put_rope_dims },
    { .from = "sliding_window", .put = put_mistral_window, .flags = KEY_DEFAULT, .fallback = 4096 },
    {0}
};

static const struct key_demand demands[] = {
    { "model_type", "llama|mistral" },
    { "hidden_act", "silu|swish" },
    { "partial_rotary_factor", "1" },
    { "rope_interleaved", "false" },
    { "layer_types", "full_attention" },
    { "bias", "false" },
    { "use_qk_norm", "false" },
    { "qk_layernorm", "false" },
    { "is_causal", "true" },
    {0}
};

static const struct name_map tensors[] = {
    ENDS_ROWS(LAYOUT_SAME, "tie_word_embeddings"),
    NORM_ROWS(LAYOUT_SAME),
    ATTENTION_ROWS(LAYOUT_ROPE_Q, LAYOUT_ROPE_K, "attention_bias", "attention_bias"),
    MLP_ROWS("mlp_bias"),
    {0}
};

static const char *const ignored_keys[] = { "is_llama_config", NULL };

static const char *const ignored_tensors[] = { SAVED_TABLES, NULL };

extern const struct arch arch_llama;
const struct arch arch_llama = {
    .name = "llama",
    .hf_classes = hf_classes,
    .keys = keys,
    .demands = demands,
    .tensors = tensors,
    .ignored_keys = ignored_keys,
    .ignored_tensors = ignored_tensors,
    .block = { .norm = NORM_RMS, .rope = ROPE_PAIRS, .act = ACT_SILU, .mlp = MLP_GATED, .has = HAS_EXPERT_SHARES },
    .check = arch_check_heads,
};
