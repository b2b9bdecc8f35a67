/* qwen2.c - Qwen 1.5, 2 and 2.5: Llama's layers with biases on q, k and v. Names and keys: llama.cpp's conversion/qwen.py. */
#include "convert/arch/rows.h"

static const char *const hf_classes[] = { "Qwen2ForCausalLM", NULL };

static const struct key_map keys[] = {
    SIZE_KEYS,
    { .put = put_rope, .back = back_rope },
    { .from = "rms_norm_eps", .to = "{arch}.attention.layer_norm_rms_epsilon", .type = META_FLOAT32 },
    { .put = put_head_dim, .back = back_head_dim, .flags = KEY_OPTIONAL },
    { .put = put_file_type },
    { .from = "sliding_window", .put = put_switched_window, .flags = KEY_DEFAULT, .fallback = 4096 },
    HIDDEN_VOCABULARY_KEY,
    {0}
};

static const struct key_demand demands[] = {
    { "model_type", "qwen2" },
    { "hidden_act", "silu|swish" },
    { "use_mrope", "false" },
    { "is_causal", "true" },
    {0}
};

static const struct name_map tensors[] = {
    ENDS_ROWS(LAYOUT_SAME, "tie_word_embeddings"),
    NORM_ROWS(LAYOUT_SAME),
    ATTENTION_ROWS(LAYOUT_SAME, LAYOUT_SAME, ALWAYS, NULL),
    MLP_ROWS(NULL),
    {0}
};

static const char *const ignored_keys[] = { NULL };

static const char *const ignored_tensors[] = { SAVED_TABLES, NULL };

extern const struct arch arch_qwen2;
const struct arch arch_qwen2 = {
    .name = "qwen2",
    .hf_classes = hf_classes,
    .keys = keys,
    .demands = demands,
    .tensors = tensors,
    .ignored_keys = ignored_keys,
    .ignored_tensors = ignored_tensors,
    .block = { .norm = NORM_RMS, .rope = ROPE_HALVES, .act = ACT_SILU, .mlp = MLP_GATED },
    .check = arch_check_heads,
};
