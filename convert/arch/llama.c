/* llama.c - Llama 1 to 3.3 and Mistral: RMS norm, rotary positions, SwiGLU, shared key-value heads.
 *
 * Published by Meta with the two halves of a head interleaved and by Hugging Face with them one behind the other; GGUF
 * keeps Meta's order, hence the row layouts of q and k. Names and keys: llama.cpp's conversion/llama.py and
 * gguf-py/gguf/constants.py. */
#include "convert/arch.h"
#include "convert/config.h"
#include "convert/unrename.h"

#include <inttypes.h>

static const char *const hf_classes[] = { "LlamaForCausalLM", "LLaMAForCausalLM", "MistralForCausalLM", NULL };

static const struct key_map keys[] = {
    { .from = "num_hidden_layers", .to = "{arch}.block_count", .type = META_UINT32 },
    { .from = "max_position_embeddings|max_sequence_length", .to = "{arch}.context_length", .type = META_UINT32 },
    { .from = "hidden_size", .to = "{arch}.embedding_length", .type = META_UINT32 },
    { .from = "intermediate_size", .to = "{arch}.feed_forward_length", .type = META_UINT32 },
    { .from = "num_attention_heads", .to = "{arch}.attention.head_count", .type = META_UINT32 },
    { .from = "num_key_value_heads|num_attention_heads", .to = "{arch}.attention.head_count_kv", .type = META_UINT32 },
    { .put = put_rope, .back = back_rope },
    { .from = "rms_norm_eps", .to = "{arch}.attention.layer_norm_rms_epsilon", .type = META_FLOAT32 },
    { .put = put_head_dim, .back = back_head_dim },
    { .put = put_file_type },
    { .from = "vocab_size", .to = "{arch}.vocab_size", .type = META_UINT32 },
    { .put = put_rope_dims },
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
    { "model.embed_tokens", "token_embd", LAYOUT_SAME, DIM_VOCAB, DIM_EMBD, NULL, NULL },
    { "model.norm", "output_norm", LAYOUT_SAME, DIM_EMBD, DIM_NONE, NULL, NULL },
    { "lm_head", "output", LAYOUT_SAME, DIM_VOCAB, DIM_EMBD, NULL, "tie_word_embeddings" },
    { "model.layers.{L}.input_layernorm", "blk.{L}.attn_norm", LAYOUT_SAME, DIM_EMBD, DIM_NONE, NULL, NULL },
    { "model.layers.{L}.self_attn.q_proj", "blk.{L}.attn_q", LAYOUT_ROPE_Q, DIM_Q, DIM_EMBD, "attention_bias", NULL },
    { "model.layers.{L}.self_attn.k_proj", "blk.{L}.attn_k", LAYOUT_ROPE_K, DIM_KV, DIM_EMBD, "attention_bias", NULL },
    { "model.layers.{L}.self_attn.v_proj", "blk.{L}.attn_v", LAYOUT_SAME, DIM_KV, DIM_EMBD, "attention_bias", NULL },
    { "model.layers.{L}.self_attn.o_proj", "blk.{L}.attn_output", LAYOUT_SAME, DIM_EMBD, DIM_Q, "attention_bias", NULL },
    { "model.layers.{L}.post_attention_layernorm", "blk.{L}.ffn_norm", LAYOUT_SAME, DIM_EMBD, DIM_NONE, NULL, NULL },
    { "model.layers.{L}.mlp.gate_proj", "blk.{L}.ffn_gate", LAYOUT_SAME, DIM_FF, DIM_EMBD, "mlp_bias", NULL },
    { "model.layers.{L}.mlp.up_proj", "blk.{L}.ffn_up", LAYOUT_SAME, DIM_FF, DIM_EMBD, "mlp_bias", NULL },
    { "model.layers.{L}.mlp.down_proj", "blk.{L}.ffn_down", LAYOUT_SAME, DIM_EMBD, DIM_FF, "mlp_bias", NULL },
    {0}
};

/* A window cannot be said in this architecture's keys: llama.cpp, like the converter it comes with, attends to all of
 * the context. Within sliding_window tokens that is the same. */
static const char *const ignored_keys[] = { "sliding_window", "is_llama_config", NULL };

/* Tables and masks that old versions of transformers saved; they follow from the config. */
static const char *const ignored_tensors[] = {
    ".rotary_emb.inv_freq", ".attention.masked_bias", ".attention.bias", NULL
};

static int check(const struct meta *m, struct fail *f)
{
    uint64_t heads = meta_u64(m, "llama.attention.head_count", 0), kv = meta_u64(m, "llama.attention.head_count_kv", 0),
             dim = meta_u64(m, "llama.attention.key_length", 0);

    if (!heads || !kv || heads % kv)
        return fail(f, FAIL_INPUT, "num_attention_heads is %" PRIu64 ", no multiple of num_key_value_heads (%" PRIu64 ")",
                    heads, kv);
    if (!dim || dim % 2)
        return fail(f, FAIL_INPUT, "head_dim is %" PRIu64 ", but rotary positions turn pairs", dim);
    return 0;
}

extern const struct arch arch_llama;
const struct arch arch_llama = {
    .name = "llama",
    .hf_classes = hf_classes,
    .keys = keys,
    .demands = demands,
    .tensors = tensors,
    .ignored_keys = ignored_keys,
    .ignored_tensors = ignored_tensors,
    .block = { .norm = NORM_RMS, .rope = ROPE_PAIRS, .act = ACT_SILU, .mlp = MLP_GATED },
    .check = check,
};
