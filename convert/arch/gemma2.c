/* gemma2.c - Gemma 2: Gemma with norms before and behind both halves of a layer, soft caps, and a window in every other layer.
 * Names and keys: llama.cpp's conversion/gemma.py; what its readers assume: src/models/gemma2.cpp. */
#include "convert/arch/rows.h"

static const char *const hf_classes[] = { "Gemma2ForCausalLM", NULL };

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
    { .from = "attn_logit_softcapping", .to = "{arch}.attn_logit_softcapping", .type = META_FLOAT32 },
    { .from = "final_logit_softcapping", .to = "{arch}.final_logit_softcapping", .type = META_FLOAT32 },
    { .from = "sliding_window", .to = "{arch}.attention.sliding_window", .type = META_UINT32,
      .flags = KEY_DEFAULT, .fallback = 4096 },
    { .from = "query_pre_attn_scalar", .put = check_query_scale, .fallback = 256 },
    { .from = "layer_types", .put = check_layer_types },
    HIDDEN_VOCABULARY_KEY,
    {0}
};

static const struct key_demand demands[] = {
    { "model_type", "gemma2" },
    { "hidden_act", "gelu_pytorch_tanh" },
    { "hidden_activation", "gelu_pytorch_tanh" },
    { "attention_bias", "false" },
    { "tie_word_embeddings", "true" },
    { "use_bidirectional_attention", "false" },
    {0}
};

static const struct name_map tensors[] = {
    { "model.embed_tokens", "token_embd", .layout = LAYOUT_SAME, DIM_VOCAB, DIM_EMBD },
    { "model.norm", "output_norm", .layout = LAYOUT_PLUS_ONE, DIM_EMBD, DIM_NONE },
    FOUR_NORM_ROWS(LAYOUT_PLUS_ONE),
    ATTENTION_ROWS(LAYOUT_SAME, LAYOUT_SAME, NULL, NULL),
    MLP_ROWS(NULL),
    {0}
};

static const char *const ignored_keys[] = { "cache_implementation", NULL };

static const struct spelling key_spellings[] = { { "sliding_window_size", "sliding_window" }, {0} };

/* The output matrix is the embeddings': what some tools save beside them is a copy. */
static const char *const ignored_tensors[] = { SAVED_TABLES, "lm_head.weight", NULL };

extern const struct arch arch_gemma2;
const struct arch arch_gemma2 = {
    .name = "gemma2",
    .hf_classes = hf_classes,
    .keys = keys,
    .demands = demands,
    .tensors = tensors,
    .ignored_keys = ignored_keys,
    .ignored_tensors = ignored_tensors,
    .key_spellings = key_spellings,
    .no_space_prefix = true,
    .block = { .norm = NORM_RMS, .rope = ROPE_HALVES, .act = ACT_GELU_TANH, .mlp = MLP_GATED,
               .has = HAS_EMBEDDING_SCALE | HAS_POST_NORMS, .window_period = 2, .window = 4096, .wide_scale_layers = 46 },
    .one_way = true,
    .check = arch_check_heads,
};
