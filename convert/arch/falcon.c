/* falcon.c - Falcon: attention and mlp read the same input, groups of queries share a key and a value. The 7B layout has one norm
 * and one group, the 40B layout ("new decoder architecture") two norms and several. Names and keys: llama.cpp's
 * conversion/falcon.py; its context length is a constant. Falcon 2 is the 40B layout with one norm. */
#include "convert/arch/rows.h"

#include <inttypes.h>

static const char *const hf_classes[] = { "FalconForCausalLM", "RWForCausalLM", NULL };

static int put_constants(struct conversion *c, const struct key_map *k, struct fail *f)
{
    (void)k, (void)f;
    meta_set_u32(&c->meta, c->arena, "falcon.context_length", 2048);
    meta_set_str(&c->meta, c->arena, "falcon.tensor_data_layout", "jploski");
    return 0;
}

/* As transformers reads it: the old layout knows one group (multi_query) or one for each head. */
static int put_groups(struct conversion *c, const struct key_map *k, struct fail *f)
{
    bool today = config_true(c, "new_decoder_architecture"), one = config_true(c, "multi_query=true"), found;
    uint32_t n = (uint32_t)meta_u64(&c->meta, "falcon.attention.head_count", 0), groups = n;

    (void)k;
    config_condition(c, "multi_query", "falcon.attention.head_count_kv");
    if (config_u32(c, "num_kv_heads", "falcon.attention.head_count_kv", &groups, &found, f))
        return -1;
    meta_set_u32(&c->meta, c->arena, "falcon.attention.head_count_kv", today ? groups : one ? 1 : n);
    return 0;
}

/* Number of norms before attention and mlp -> whether there are two: the condition of the rows below. */
static int put_norms(struct conversion *c, const struct key_map *k, struct fail *f)
{
    bool today = config_true(c, "new_decoder_architecture"), found;
    uint32_t norms = 2;

    config_condition(c, "new_decoder_architecture", "which tensors there are");
    if (config_u32(c, k->from, "which tensors there are", &norms, &found, f))
        return -1;
    if (today && norms != 1 && norms != 2)
        return fail(f, FAIL_INPUT, "'%s' in config.json is %" PRIu32 ", neither 1 nor 2", k->from, norms);
    cJSON_DeleteItemFromObjectCaseSensitive(c->config, k->from);
    cJSON_AddBoolToObject(c->config, k->from, today && norms == 2);
    return 0;
}

static const struct key_map keys[] = {
    { .put = put_constants },
    { .from = "hidden_size", .to = "{arch}.embedding_length", .type = META_UINT32 },
    { .from = "ffn_hidden_size", .put = put_inner },
    { .from = "num_hidden_layers", .to = "{arch}.block_count", .type = META_UINT32 },
    { .from = "num_attention_heads", .to = "{arch}.attention.head_count", .type = META_UINT32 },
    { .put = put_groups },
    { .from = "num_ln_in_parallel_attn", .put = put_norms },
    { .put = put_silent_rope, .fallback = 10000, .flags = KEY_DEFAULT },
    { .from = "layer_norm_epsilon", .to = "{arch}.attention.layer_norm_epsilon", .type = META_FLOAT32,
      .flags = KEY_DEFAULT, .fallback = 1e-5 },
    { .put = put_file_type },
    { .from = "activation", .put = put_activation },
    HIDDEN_VOCABULARY_KEY,
    {0}
};

static const struct key_demand demands[] = {
    { "model_type", "falcon|RefinedWeb|RefinedWebModel" },
    { "alibi", "false" },
    { "bias", "false" },
    { "parallel_attn", "true" },
    { "ff_factor", "4" },
    { "apply_residual_connection_post_layernorm", "false" },
    {0}
};

static const struct name_map tensors[] = {
    { "transformer.word_embeddings", "token_embd", .layout = LAYOUT_SAME, DIM_VOCAB, DIM_EMBD },
    { "transformer.ln_f", "output_norm", .layout = LAYOUT_SAME, DIM_EMBD, DIM_NONE, .bias = ALWAYS },
    { "lm_head", "output", .layout = LAYOUT_SAME, DIM_VOCAB, DIM_EMBD, .tied = "tie_word_embeddings=true" },
    { "transformer.h.{L}.input_layernorm", "blk.{L}.attn_norm", .layout = LAYOUT_SAME, DIM_EMBD, DIM_NONE, .bias = ALWAYS,
      .when = "!num_ln_in_parallel_attn" },
    { "transformer.h.{L}.ln_mlp", "blk.{L}.attn_norm", .layout = LAYOUT_SAME, DIM_EMBD, DIM_NONE, .bias = ALWAYS,
      .when = "num_ln_in_parallel_attn" },
    { "transformer.h.{L}.ln_attn", "blk.{L}.attn_norm_2", .layout = LAYOUT_SAME, DIM_EMBD, DIM_NONE, .bias = ALWAYS,
      .when = "num_ln_in_parallel_attn" },
    { "transformer.h.{L}.self_attention.query_key_value", "blk.{L}.attn_qkv", .layout = LAYOUT_GROUPS, DIM_QKV, DIM_EMBD },
    { "transformer.h.{L}.self_attention.dense", "blk.{L}.attn_output", .layout = LAYOUT_SAME, DIM_EMBD, DIM_Q },
    { "transformer.h.{L}.mlp.dense_h_to_4h", "blk.{L}.ffn_up", .layout = LAYOUT_SAME, DIM_FF, DIM_EMBD },
    { "transformer.h.{L}.mlp.dense_4h_to_h", "blk.{L}.ffn_down", .layout = LAYOUT_SAME, DIM_EMBD, DIM_FF },
    {0}
};

static const char *const ignored_keys[] = { "max_position_embeddings", NULL };

static const struct spelling key_spellings[] = {
    { "n_layer", "num_hidden_layers" }, { "n_head", "num_attention_heads" }, { "n_embed", "hidden_size" }, { "n_head_kv", "num_kv_heads" },
    {0}
};

static const char *const ignored_tensors[] = { SAVED_TABLES, NULL };

extern const struct arch arch_falcon;
const struct arch arch_falcon = {
    .name = "falcon",
    .hf_classes = hf_classes,
    .keys = keys,
    .demands = demands,
    .tensors = tensors,
    .ignored_keys = ignored_keys,
    .ignored_tensors = ignored_tensors,
    .key_spellings = key_spellings,
    .block = { .norm = NORM_LAYER, .rope = ROPE_HALVES, .act = ACT_GELU, .mlp = MLP_PLAIN, .has = HAS_FUSED_QKV | HAS_PARALLEL_MLP },
    .one_way = true,
    .check = arch_check_heads,
};
