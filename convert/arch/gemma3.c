/* gemma3.c - Gemma 3, the text model: Gemma 2 without soft caps, with norms on q and k, and with a window and positions of
 * their own in five layers of six. Names and keys: llama.cpp's conversion/gemma.py; what its readers assume:
 * src/models/gemma3.cpp; what a config leaves out: transformers' configuration_gemma3.py. */
#include "convert/arch/rows.h"

static const char *const hf_classes[] = { "Gemma3ForCausalLM", "Gemma3ForConditionalGeneration", NULL };

static const struct key_map keys[] = {
    { .from = "num_hidden_layers", .to = "{arch}.block_count", .type = META_UINT32, .flags = KEY_DEFAULT, .fallback = 26 },
    { .from = "max_position_embeddings", .to = "{arch}.context_length", .type = META_UINT32,
      .flags = KEY_DEFAULT, .fallback = 131072 },
    { .from = "hidden_size", .to = "{arch}.embedding_length", .type = META_UINT32, .flags = KEY_DEFAULT, .fallback = 2304 },
    { .from = "intermediate_size", .to = "{arch}.feed_forward_length", .type = META_UINT32,
      .flags = KEY_DEFAULT, .fallback = 9216 },
    { .from = "num_attention_heads", .to = "{arch}.attention.head_count", .type = META_UINT32,
      .flags = KEY_DEFAULT, .fallback = 8 },
    { .from = "num_key_value_heads", .to = "{arch}.attention.head_count_kv", .type = META_UINT32,
      .flags = KEY_DEFAULT, .fallback = 4 },
    { .put = put_rope, .flags = KEY_DEFAULT, .fallback = 1000000 },
    { .from = "rope_parameters.sliding_attention.rope_theta|rope_local_base_freq", .to = "{arch}.rope.freq_base_swa", .type = META_FLOAT32,
      .flags = KEY_DEFAULT, .fallback = 10000 },
    { .from = "rms_norm_eps", .to = "{arch}.attention.layer_norm_rms_epsilon", .type = META_FLOAT32,
      .flags = KEY_DEFAULT, .fallback = 1e-6 },
    { .put = put_head_dim, .flags = KEY_DEFAULT, .fallback = 256 },
    { .put = put_file_type },
    { .from = "final_logit_softcapping", .to = "{arch}.final_logit_softcapping", .type = META_FLOAT32, .flags = KEY_OPTIONAL },
    { .from = "sliding_window", .to = "{arch}.attention.sliding_window", .type = META_UINT32,
      .flags = KEY_DEFAULT, .fallback = 4096 },
    { .from = "query_pre_attn_scalar", .put = check_query_scale, .fallback = 256 },
    { .from = "layer_types", .put = check_layer_types },
    { .from = "vocab_size", .to = "{arch}.vocab_size", .type = META_UINT32,
      .flags = KEY_HIDDEN | KEY_DEFAULT, .fallback = 262208 },
    {0}
};

static const struct key_demand demands[] = {
    { "model_type", "gemma3|gemma3_text" },
    { "hidden_activation", "gelu_pytorch_tanh" },
    { "attention_bias", "false" },
    { "tie_word_embeddings", "true" },
    { "use_bidirectional_attention", "false" },
    { "rope_parameters.sliding_attention.rope_type", "default" },
    { "sliding_window_pattern", "6" },
    { "_sliding_window_pattern", "6" },
    {0}
};

static const struct name_map tensors[] = {
    { "model.embed_tokens", "token_embd", .layout = LAYOUT_SAME, DIM_VOCAB, DIM_EMBD },
    { "model.norm", "output_norm", .layout = LAYOUT_PLUS_ONE, DIM_EMBD, DIM_NONE },
    FOUR_NORM_ROWS(LAYOUT_PLUS_ONE),
    ATTENTION_ROWS(LAYOUT_SAME, LAYOUT_SAME, NULL, NULL),
    QK_NORM_ROWS(LAYOUT_PLUS_ONE),
    MLP_ROWS(NULL),
    {0}
};

/* About images. */
static const char *const ignored_keys[] = {
    "vision_config", "mm_tokens_per_image", "boi_token_index", "eoi_token_index", "image_token_index", "cache_implementation", NULL
};

static const struct spelling tensor_spellings[] = { TEXT_SPELLINGS, {0} };

/* The output matrix is the embeddings': what some tools save beside them is a copy. */
static const char *const ignored_tensors[] = { SAVED_TABLES, "lm_head.weight", VISION_TENSORS, NULL };

extern const struct arch arch_gemma3;
const struct arch arch_gemma3 = {
    .name = "gemma3",
    .hf_classes = hf_classes,
    .keys = keys,
    .demands = demands,
    .tensors = tensors,
    .ignored_keys = ignored_keys,
    .ignored_tensors = ignored_tensors,
    .text = "text_config",
    .tensor_spellings = tensor_spellings,
    .no_space_prefix = true,
    .block = { .norm = NORM_RMS, .rope = ROPE_HALVES, .act = ACT_GELU_TANH, .mlp = MLP_GATED,
               .has = HAS_EMBEDDING_SCALE | HAS_POST_NORMS | HAS_QK_NORM, .window_period = 6, .window_rope_base = 10000,
               .wide_scale_layers = 62 },
    .one_way = true,
    .check = arch_check_heads,
};
