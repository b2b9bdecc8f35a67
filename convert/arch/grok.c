/* grok.c - Grok-1 as its PyTorch ports name it: experts, norms on either side of both halves, capped scores, multipliers. Names, keys
 * and what the numbers do: llama.cpp's conversion/grok.py and src/models/grok.cpp, where the cap of the router's numbers has no
 * effect. */
#include "convert/arch/rows.h"

#include <math.h>

static const char *const hf_classes[] = { "Grok1ForCausalLM", "Grok1ModelForCausalLM", "GrokForCausalLM", NULL };

/* By default the root of a head's width divides scores. */
static int put_score_scale(struct conversion *c, const struct key_map *k, struct fail *f)
{
    double scale = 1 / sqrt((double)arch_dim(&c->meta, c->arch->name, DIM_HEAD));
    bool found;

    if (config_f64(c, k->from, k->to, &scale, &found, f))
        return -1;
    meta_set_f32(&c->meta, c->arena, config_key(c, k->to), (float)scale);
    return 0;
}

static const struct key_map keys[] = {
    SIZE_KEYS,
    { .put = put_rope },
    { .from = "rms_norm_eps", .to = "{arch}.attention.layer_norm_rms_epsilon", .type = META_FLOAT32 },
    EXPERT_KEYS,
    { .put = put_head_dim, .flags = KEY_OPTIONAL },
    { .put = put_file_type },
    { .from = "attn_logit_softcapping", .to = "{arch}.attn_logit_softcapping", .type = META_FLOAT32, .flags = KEY_DEFAULT, .fallback = 30 },
    { .from = "router_logit_softcapping", .to = "{arch}.router_logit_softcapping", .type = META_FLOAT32, .flags = KEY_DEFAULT, .fallback = 30 },
    { .from = "final_logit_softcapping", .to = "{arch}.final_logit_softcapping", .type = META_FLOAT32, .flags = KEY_OPTIONAL },
    { .from = "attn_output_multiplier", .to = "{arch}.attention.output_scale", .put = put_score_scale },
    { .from = "embedding_multiplier_scale", .to = "{arch}.embedding_scale", .type = META_FLOAT32 },
    { .from = "output_multiplier_scale", .to = "{arch}.logit_scale", .type = META_FLOAT32 },
    HIDDEN_VOCABULARY_KEY,
    {0}
};

static const struct key_demand demands[] = {
    { "model_type", "grok-1|grok" },
    { "hidden_act", "gelu|gelu_new|gelu_pytorch_tanh" },
    { "max_attn_value", "30" },
    {0}
};

#define LAYER "transformer.decoder_layer.{L}."
static const struct name_map tensors[] = {
    { "transformer.in_out_embed", "token_embd", .layout = LAYOUT_SAME, DIM_VOCAB, DIM_EMBD },
    { "transformer.rms_norm", "output_norm", .layout = LAYOUT_SAME, DIM_EMBD, DIM_NONE },
    { "lm_head", "output", .layout = LAYOUT_SAME, DIM_VOCAB, DIM_EMBD, .tied = "tie_word_embeddings=true" },
    { LAYER "multi_head_attention.query", "blk.{L}.attn_q", .layout = LAYOUT_SAME, DIM_Q, DIM_EMBD },
    { LAYER "multi_head_attention.key", "blk.{L}.attn_k", .layout = LAYOUT_SAME, DIM_KV, DIM_EMBD },
    { LAYER "multi_head_attention.value", "blk.{L}.attn_v", .layout = LAYOUT_SAME, DIM_KV, DIM_EMBD },
    { LAYER "multi_head_attention.linear", "blk.{L}.attn_output", .layout = LAYOUT_SAME, DIM_EMBD, DIM_Q },
    { LAYER "rms_norm", "blk.{L}.attn_norm", .layout = LAYOUT_SAME, DIM_EMBD, DIM_NONE },
    { LAYER "rms_norm_1", "blk.{L}.attn_output_norm", .layout = LAYOUT_SAME, DIM_EMBD, DIM_NONE },
    { LAYER "rms_norm_2", "blk.{L}.ffn_norm", .layout = LAYOUT_SAME, DIM_EMBD, DIM_NONE },
    { LAYER "rms_norm_3", "blk.{L}.layer_output_norm", .layout = LAYOUT_SAME, DIM_EMBD, DIM_NONE },
    { LAYER "router", "blk.{L}.ffn_gate_inp", .layout = LAYOUT_SAME, DIM_EXPERTS, DIM_EMBD },
    { LAYER "moe.{E}.linear", "blk.{L}.ffn_gate_exps", .layout = LAYOUT_SAME, DIM_FF, DIM_EMBD },
    { LAYER "moe.{E}.linear_1", "blk.{L}.ffn_down_exps", .layout = LAYOUT_SAME, DIM_EMBD, DIM_FF },
    { LAYER "moe.{E}.linear_v", "blk.{L}.ffn_up_exps", .layout = LAYOUT_SAME, DIM_FF, DIM_EMBD },
    {0}
};

static const char *const ignored_keys[] = { ROUTER_TRAINING, NULL };

static const char *const ignored_tensors[] = { SAVED_TABLES, NULL };

extern const struct arch arch_grok;
const struct arch arch_grok = {
    .name = "grok",
    .hf_classes = hf_classes,
    .keys = keys,
    .demands = demands,
    .tensors = tensors,
    .ignored_keys = ignored_keys,
    .ignored_tensors = ignored_tensors,
    .block = { .norm = NORM_RMS, .rope = ROPE_HALVES, .act = ACT_GELU_TANH, .mlp = MLP_GATED,
               .has = HAS_OUTPUT_NORMS | HAS_EXPERT_SHARES | HAS_LOOSE_ATTENTION },
    .one_way = true,
    .check = arch_check_heads,
};
