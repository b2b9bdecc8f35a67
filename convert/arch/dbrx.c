/* dbrx.c - DBRX: experts in one matrix, queries, keys and values clipped, layer norms without biases. Names and keys: llama.cpp's
 * conversion/dbrx.py; the epsilon is a constant there and in transformers. */
#include "convert/arch/rows.h"

#include <inttypes.h>

static const char *const hf_classes[] = { "DbrxForCausalLM", NULL };

/* The config does not say it: transformers' nn.LayerNorm has this one. */
static int put_epsilon(struct conversion *c, const struct key_map *k, struct fail *f)
{
    (void)k, (void)f;
    meta_set_f32(&c->meta, c->arena, "dbrx.attention.layer_norm_epsilon", 1e-5f);
    return 0;
}

/* A size that today's config says twice: beside the one that counts, and the copy must agree. */
static int check_copy(struct conversion *c, const struct key_map *k, struct fail *f)
{
    uint32_t n = 0;
    bool found;

    if (config_u32(c, k->from, k->to, &n, &found, f))
        return -1;
    if (found && n != meta_u64(&c->meta, k->to, 0))
        return fail(f, FAIL_INPUT, "'%s' in config.json is %" PRIu32 ", but '%s' is %" PRIu64, k->from, n, k->to,
                    meta_u64(&c->meta, k->to, 0));
    return 0;
}

static const struct key_map keys[] = {
    { .from = "n_layers", .to = "{arch}.block_count", .type = META_UINT32 },
    { .from = "max_seq_len", .to = "{arch}.context_length", .type = META_UINT32 },
    { .from = "d_model", .to = "{arch}.embedding_length", .type = META_UINT32 },
    { .from = "ffn_config.ffn_hidden_size", .to = "{arch}.feed_forward_length", .type = META_UINT32 },
    { .from = "n_heads", .to = "{arch}.attention.head_count", .type = META_UINT32 },
    { .from = "attn_config.kv_n_heads", .to = "{arch}.attention.head_count_kv", .type = META_UINT32 },
    { .from = "attn_config.rope_theta", .to = "{arch}.rope.freq_base", .type = META_FLOAT32 },
    { .from = "attn_config.clip_qkv", .to = "{arch}.attention.clamp_kqv", .type = META_FLOAT32 },
    { .from = "ffn_config.moe_num_experts", .to = "{arch}.expert_count", .type = META_UINT32 },
    { .from = "ffn_config.moe_top_k", .to = "{arch}.expert_used_count", .type = META_UINT32 },
    { .put = put_epsilon },
    { .put = put_file_type },
    { .from = "ffn_config.hidden_size", .to = "dbrx.embedding_length", .put = check_copy },
    { .from = "num_key_value_heads", .to = "dbrx.attention.head_count_kv", .put = check_copy },
    { .from = "rope_parameters.rope_theta", .to = "dbrx.rope.freq_base", .put = check_copy },
    HIDDEN_VOCABULARY_KEY,
    {0}
};

static const struct key_demand demands[] = {
    { "model_type", "dbrx" },
    { "ffn_config.ffn_act_fn.name", "silu|swish" },
    { "ffn_config.moe_normalize_expert_weights", "1" },
    { "rope_parameters.rope_type", "default" },
    {0}
};

static const struct name_map tensors[] = {
    { "transformer.wte", "token_embd", .layout = LAYOUT_SAME, DIM_VOCAB, DIM_EMBD },
    { "transformer.norm_f", "output_norm", .layout = LAYOUT_SAME, DIM_EMBD, DIM_NONE },
    { "lm_head", "output", .layout = LAYOUT_SAME, DIM_VOCAB, DIM_EMBD, .tied = "tie_word_embeddings" },
    { "transformer.blocks.{L}.norm_attn_norm.norm_1", "blk.{L}.attn_norm", .layout = LAYOUT_SAME, DIM_EMBD, DIM_NONE },
    { "transformer.blocks.{L}.norm_attn_norm.norm_2", "blk.{L}.attn_output_norm", .layout = LAYOUT_SAME, DIM_EMBD, DIM_NONE },
    { "transformer.blocks.{L}.norm_attn_norm.attn.Wqkv", "blk.{L}.attn_qkv", .layout = LAYOUT_SAME, DIM_QKV, DIM_EMBD },
    { "transformer.blocks.{L}.norm_attn_norm.attn.out_proj", "blk.{L}.attn_output", .layout = LAYOUT_SAME, DIM_EMBD, DIM_Q },
    { "transformer.blocks.{L}.ffn.router.layer", "blk.{L}.ffn_gate_inp", .layout = LAYOUT_SAME, DIM_EXPERTS, DIM_EMBD },
    { "transformer.blocks.{L}.ffn.experts.mlp.w1", "blk.{L}.ffn_gate_exps", .layout = LAYOUT_EXPERTS, DIM_FF, DIM_EMBD, .bare = true },
    { "transformer.blocks.{L}.ffn.experts.mlp.v1", "blk.{L}.ffn_up_exps", .layout = LAYOUT_EXPERTS, DIM_FF, DIM_EMBD, .bare = true },
    { "transformer.blocks.{L}.ffn.experts.mlp.w2", "blk.{L}.ffn_down_exps", .layout = LAYOUT_EXPERTS_TRANSPOSED, DIM_FF, DIM_EMBD, .bare = true },
    {0}
};

/* Of training; and what transformers writes into any config object, here into the two inner ones. */
#define INNER(object) \
    object "._name_or_path", object ".architectures", object ".chunk_size_feed_forward", object ".dtype", object ".torch_dtype", \
    object ".id2label", object ".label2id", object ".is_encoder_decoder", object ".model_type", object ".output_attentions", \
    object ".output_hidden_states", object ".problem_type", object ".return_dict", object ".transformers_version"
static const char *const ignored_keys[] = {
    INNER("attn_config"), INNER("ffn_config"), "attn_config.attn_pdrop", "ffn_config.moe_jitter_eps", "ffn_config.moe_loss_weight",
    "ffn_config.uniform_expert_assignment", "emb_pdrop", ROUTER_TRAINING, NULL
};

static const char *const ignored_tensors[] = { ".rotary_emb.inv_freq", NULL };

extern const struct arch arch_dbrx;
const struct arch arch_dbrx = {
    .name = "dbrx",
    .hf_classes = hf_classes,
    .keys = keys,
    .demands = demands,
    .tensors = tensors,
    .ignored_keys = ignored_keys,
    .ignored_tensors = ignored_tensors,
    .block = { .norm = NORM_LAYER, .rope = ROPE_HALVES, .act = ACT_SILU, .mlp = MLP_GATED,
               .has = HAS_FUSED_QKV | HAS_BARE_NORMS | HAS_OUTPUT_NORM_FIRST | HAS_EXPERT_SHARES },
    .typed_router = true,
    .one_way = true,
    .check = arch_check_heads,
};
