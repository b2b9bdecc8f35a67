/* native.c - Mistral's models as Mistral publishes them: params.json, and consolidated safetensors with the names of its own
 * inference code. Heads are in pairs already, as GGUF keeps them, so no row moves. Keys and names: llama.cpp's
 * conversion/mistral.py and gguf-py/gguf/tensor_mapping.py; mistral-inference's args.py and transformer_layers.py. */
#include "convert/arch/rows.h"

static const char *const no_classes[] = { NULL };

static int put_base(struct conversion *c, const struct key_map *k, struct fail *f)
{
    double theta = 10000;       /* mistral-inference's, and that of GGUF's readers */
    bool found;

    (void)k;
    if (config_f64(c, "rope_theta", "{arch}.rope.freq_base", &theta, &found, f))
        return -1;
    if (!(theta > 0))
        return fail(f, FAIL_INPUT, "'rope_theta' in params.json is %g", theta);
    if (found)
        meta_set_f32(&c->meta, c->arena, config_key(c, "{arch}.rope.freq_base"), (float)theta);
    return 0;
}

/* "yarn": {"factor", "beta", "alpha", "original_max_position_embeddings", "apply_scale"}. */
static int put_yarn_numbers(struct conversion *c, double *original, struct fail *f)
{
    static const struct {
        const char *from, *to;
    } rows[] = {
        { "yarn.factor", "{arch}.rope.scaling.factor" }, { "yarn.beta", "{arch}.rope.scaling.yarn_beta_fast" },
        { "yarn.alpha", "{arch}.rope.scaling.yarn_beta_slow" },
        { "yarn.original_max_position_embeddings", "{arch}.rope.scaling.original_context_length" },
    };
    double value = 0;
    bool found;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (config_f64(c, rows[i].from, rows[i].to, &value, &found, f))
            return -1;
        if (!found || !(value > 0))
            return found ? fail(f, FAIL_INPUT, "'%s' in params.json is %g", rows[i].from, value) : config_missing(rows[i].from, f);
        if (i < 3)
            meta_set_f32(&c->meta, c->arena, config_key(c, rows[i].to), (float)value);
    }
    *original = value;
    return 0;
}

/* apply_scale false: YaRN's temperature is cancelled. */
static int put_native_yarn(struct conversion *c, const struct key_map *k, struct fail *f)
{
    const cJSON *scale;
    double original = 0;

    (void)k;
    if (!config_find(c, "yarn"))
        return 0;
    meta_set_str(&c->meta, c->arena, config_key(c, "{arch}.rope.scaling.type"), "yarn");
    if (put_yarn_numbers(c, &original, f))
        return -1;
    scale = config_use(c, "yarn.apply_scale", "{arch}.rope.scaling.yarn_log_multiplier", NULL);
    if (!cJSON_IsBool(scale))
        return fail(f, FAIL_INPUT, "'yarn.apply_scale' in params.json is neither true nor false");
    meta_set_f32(&c->meta, c->arena, config_key(c, "{arch}.rope.scaling.yarn_log_multiplier"), cJSON_IsTrue(scale) ? 0.0f : 1.0f);
    if (original > UINT32_MAX || original != (double)(uint32_t)original)
        return fail(f, FAIL_INPUT, "'yarn.original_max_position_embeddings' in params.json is %g", original);
    meta_set_u32(&c->meta, c->arena, config_key(c, "{arch}.rope.scaling.original_context_length"), (uint32_t)original);
    return 0;
}

/* Queries grow with the logarithm of how often the trained length fits before them; GGUF takes that length from YaRN. */
static int put_llama_4_scaling(struct conversion *c, const struct key_map *k, struct fail *f)
{
    uint64_t length = meta_u64(&c->meta, config_key(c, "{arch}.rope.scaling.original_context_length"),
                               meta_u64(&c->meta, config_key(c, "{arch}.context_length"), 0));
    uint32_t original = 0;
    double beta = 0;
    bool found;

    (void)k;
    if (config_u32(c, "llama_4_scaling.original_max_position_embeddings", "a check", &original, &found, f))
        return -1;
    if (found && original != length)
        return fail(f, FAIL_INPUT, "'llama_4_scaling.original_max_position_embeddings' in params.json is %u, and GGUF can only say the "
                    "same length as for yarn, %llu", original, (unsigned long long)length);
    if (config_f64(c, "llama_4_scaling.beta", "{arch}.attention.temperature_scale", &beta, &found, f))
        return -1;
    if (!found)
        return config_missing("llama_4_scaling.beta", f);
    meta_set_f32(&c->meta, c->arena, config_key(c, "{arch}.attention.temperature_scale"), (float)beta);
    return 0;
}

/* Models from before 2025 do not say how long their context is, and no reader of GGUF does without: then it is what vLLM takes
 * (vllm/transformers_utils/configs/mistral.py). */
#define NATIVE_SIZE_KEYS \
    { .from = "n_layers", .to = "{arch}.block_count", .type = META_UINT32 }, \
    { .from = "max_position_embeddings|max_seq_len|model_max_length", .to = "{arch}.context_length", .type = META_UINT32, \
      .flags = KEY_DEFAULT, .fallback = 128000 }, \
    { .from = "dim", .to = "{arch}.embedding_length", .type = META_UINT32 }, \
    { .from = "hidden_dim", .to = "{arch}.feed_forward_length", .type = META_UINT32 }, \
    { .from = "n_heads", .to = "{arch}.attention.head_count", .type = META_UINT32 }, \
    { .from = "n_kv_heads|n_heads", .to = "{arch}.attention.head_count_kv", .type = META_UINT32 }, \
    { .put = put_base }, \
    { .from = "norm_eps", .to = "{arch}.attention.layer_norm_rms_epsilon", .type = META_FLOAT32 }
#define NATIVE_REST_KEYS \
    { .put = put_head_dim }, \
    { .put = put_file_type }, \
    { .from = "vocab_size", .to = "{arch}.vocab_size", .type = META_UINT32 }, \
    { .put = put_rope_dims }, \
    { .put = put_native_yarn }

static const struct key_map llama_keys[] = { NATIVE_SIZE_KEYS, NATIVE_REST_KEYS, {0} };

static const struct key_map mistral3_keys[] = { NATIVE_SIZE_KEYS, NATIVE_REST_KEYS, { .put = put_llama_4_scaling }, {0} };

static const struct key_map mixtral_keys[] = {
    NATIVE_SIZE_KEYS,
    { .from = "moe.num_experts", .to = "{arch}.expert_count", .type = META_UINT32 },
    { .from = "moe.num_experts_per_tok", .to = "{arch}.expert_used_count", .type = META_UINT32 },
    NATIVE_REST_KEYS,
    {0}
};

static const struct key_demand demands[] = {
    { "model_type", "transformer" },
    { "activation", "silu" },
    { "causal", "true" },
    { "use_biases", "false" },
    {0}
};

#define NATIVE_ROWS \
    { "tok_embeddings", "token_embd", .layout = LAYOUT_SAME, DIM_VOCAB, DIM_EMBD }, \
    { "norm", "output_norm", .layout = LAYOUT_SAME, DIM_EMBD, DIM_NONE }, \
    { "output", "output", .layout = LAYOUT_SAME, DIM_VOCAB, DIM_EMBD, .tied = "tied_embeddings" }, \
    { "layers.{L}.attention_norm", "blk.{L}.attn_norm", .layout = LAYOUT_SAME, DIM_EMBD, DIM_NONE }, \
    { "layers.{L}.ffn_norm", "blk.{L}.ffn_norm", .layout = LAYOUT_SAME, DIM_EMBD, DIM_NONE }, \
    { "layers.{L}.attention.wq", "blk.{L}.attn_q", .layout = LAYOUT_SAME, DIM_Q, DIM_EMBD }, \
    { "layers.{L}.attention.wk", "blk.{L}.attn_k", .layout = LAYOUT_SAME, DIM_KV, DIM_EMBD }, \
    { "layers.{L}.attention.wv", "blk.{L}.attn_v", .layout = LAYOUT_SAME, DIM_KV, DIM_EMBD }, \
    { "layers.{L}.attention.wo", "blk.{L}.attn_output", .layout = LAYOUT_SAME, DIM_EMBD, DIM_Q }

static const struct name_map dense_tensors[] = {
    NATIVE_ROWS,
    { "layers.{L}.feed_forward.w1", "blk.{L}.ffn_gate", .layout = LAYOUT_SAME, DIM_FF, DIM_EMBD },
    { "layers.{L}.feed_forward.w2", "blk.{L}.ffn_down", .layout = LAYOUT_SAME, DIM_EMBD, DIM_FF },
    { "layers.{L}.feed_forward.w3", "blk.{L}.ffn_up", .layout = LAYOUT_SAME, DIM_FF, DIM_EMBD },
    {0}
};

static const struct name_map mixtral_tensors[] = {
    NATIVE_ROWS,
    { "layers.{L}.feed_forward.gate", "blk.{L}.ffn_gate_inp", .layout = LAYOUT_SAME, DIM_EXPERTS, DIM_EMBD },
    { "layers.{L}.feed_forward.experts.{E}.w1", "blk.{L}.ffn_gate_exps", .layout = LAYOUT_SAME, DIM_FF, DIM_EMBD },
    { "layers.{L}.feed_forward.experts.{E}.w2", "blk.{L}.ffn_down_exps", .layout = LAYOUT_SAME, DIM_EMBD, DIM_FF },
    { "layers.{L}.feed_forward.experts.{E}.w3", "blk.{L}.ffn_up_exps", .layout = LAYOUT_SAME, DIM_FF, DIM_EMBD },
    {0}
};

/* About images, and a window, as in llama.c. */
static const char *const ignored_keys[] = {
    "sliding_window", "_sliding_window", "vision_encoder", "vision_language_adapter", "multimodal", "max_batch_size", NULL
};

static const char *const ignored_tensors[] = {
    "vision_encoder.*", "vision_language_adapter.*", "patch_merger.*", "pre_mm_projector_norm.*", NULL
};

#define NATIVE_ROW(n, key, k, t) { \
    .name = n, .native = key, .hf_classes = no_classes, .keys = k, .demands = demands, .tensors = t, .ignored_keys = ignored_keys, \
    .ignored_tensors = ignored_tensors, .one_way = true, .check = arch_check_heads, \
    .block = { .norm = NORM_RMS, .rope = ROPE_PAIRS, .act = ACT_SILU, .mlp = MLP_GATED, .has = HAS_EXPERT_SHARES } }

extern const struct arch arch_native_mixtral, arch_native_mistral3, arch_native_llama;
const struct arch arch_native_mixtral = NATIVE_ROW("llama", "moe", mixtral_keys, mixtral_tensors);
const struct arch arch_native_mistral3 = NATIVE_ROW("mistral3", "llama_4_scaling", mistral3_keys, dense_tensors);
const struct arch arch_native_llama = NATIVE_ROW("llama", "", llama_keys, dense_tensors);
