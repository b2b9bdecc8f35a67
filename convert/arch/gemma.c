/* gemma.c - Gemma 1 and CodeGemma: norms that multiply by 1 + w, embeddings scaled by the root of the width, heads of their own
 * width. Names and keys: llama.cpp's conversion/gemma.py. */
#include "convert/arch/rows.h"

static const char *const hf_classes[] = { "GemmaForCausalLM", NULL };

static const struct key_map keys[] = {
    { .from = "max_position_embeddings", .to = "{arch}.context_length", .type = META_UINT32 },
    { .from = "hidden_size", .to = "{arch}.embedding_length", .type = META_UINT32 },
    { .from = "num_hidden_layers", .to = "{arch}.block_count", .type = META_UINT32 },
    { .from = "intermediate_size", .to = "{arch}.feed_forward_length", .type = META_UINT32 },
    { .from = "num_attention_heads", .to = "{arch}.attention.head_count", .type = META_UINT32 },
    { .from = "num_key_value_heads|num_attention_heads", .to = "{arch}.attention.head_count_kv", .type = META_UINT32 },
    { .put = put_silent_rope, .fallback = 10000, .flags = KEY_DEFAULT },
    { .from = "rms_norm_eps", .to = "{arch}.attention.layer_norm_rms_epsilon", .type = META_FLOAT32 },
    { .put = put_head_dim, .flags = KEY_DEFAULT, .fallback = 256 },
    { .put = put_file_type },
    HIDDEN_VOCABULARY_KEY,
    {0}
};

static const struct key_demand demands[] = {
    { "model_type", "gemma" },
    { "hidden_act", "gelu|gelu_pytorch_tanh" },
    { "hidden_activation", "gelu_pytorch_tanh" },
    { "attention_bias", "false" },
    { "tie_word_embeddings", "true" },
    { "use_bidirectional_attention", "false" },
    {0}
};

static const struct name_map tensors[] = {
    { "model.embed_tokens", "token_embd", .layout = LAYOUT_SAME, DIM_VOCAB, DIM_EMBD },
    { "model.norm", "output_norm", .layout = LAYOUT_PLUS_ONE, DIM_EMBD, DIM_NONE },
    NORM_ROWS(LAYOUT_PLUS_ONE),
    ATTENTION_ROWS(LAYOUT_SAME, LAYOUT_SAME, NULL, NULL),
    MLP_ROWS(NULL),
    {0}
};

static const char *const ignored_keys[] = { NULL };
/* The output matrix is the embeddings': what some tools save beside them is a copy. */
static const char *const ignored_tensors[] = { SAVED_TABLES, "lm_head.weight", NULL };

extern const struct arch arch_gemma;
const struct arch arch_gemma = {
    .name = "gemma",
    .hf_classes = hf_classes,
    .keys = keys,
    .demands = demands,
    .tensors = tensors,
    .ignored_keys = ignored_keys,
    .ignored_tensors = ignored_tensors,
    .no_space_prefix = true,
    .eot = 107,
    .block = { .norm = NORM_RMS, .rope = ROPE_HALVES, .act = ACT_GELU_TANH, .mlp = MLP_GATED, .has = HAS_EMBEDDING_SCALE },
    .one_way = true,
    .check = arch_check_heads,
};
