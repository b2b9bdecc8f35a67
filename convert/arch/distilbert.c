/* distilbert.c - DistilBERT: BERT's layers under other names, without token types. To readers it is a BERT. Names and keys: llama.cpp's
 * conversion/bert.py, which writes the constant of its norms first; defaults are those of transformers' DistilBertConfig. */
#include "convert/arch/encoder.h"

static const char *const hf_classes[] = { "DistilBertModel", "DistilBertForMaskedLM", "DistilBertForSequenceClassification", NULL };

static int put_norm(struct conversion *c, const struct key_map *k, struct fail *f)
{
    (void)f;
    meta_set_f32(&c->meta, c->arena, config_key(c, "{arch}.attention.layer_norm_epsilon"), (float)k->fallback);
    return 0;
}

static int put_one_type(struct conversion *c, const struct key_map *k, struct fail *f)
{
    (void)k, (void)f;
    meta_set_u32(&c->meta, c->arena, "tokenizer.ggml.token_type_count", 1);
    return 0;
}

static const struct key_map keys[] = {
    { .put = put_norm, .fallback = 1e-12 },
    { .from = "n_layers", .to = "{arch}.block_count", .type = META_UINT32, .flags = KEY_DEFAULT, .fallback = 6 },
    { .from = "max_position_embeddings", .to = "{arch}.context_length", .type = META_UINT32, .flags = KEY_DEFAULT, .fallback = 512 },
    { .from = "dim", .to = "{arch}.embedding_length", .type = META_UINT32, .flags = KEY_DEFAULT, .fallback = 768 },
    { .from = "hidden_dim", .to = "{arch}.feed_forward_length", .type = META_UINT32, .flags = KEY_DEFAULT, .fallback = 3072 },
    { .from = "n_heads", .to = "{arch}.attention.head_count", .type = META_UINT32, .flags = KEY_DEFAULT, .fallback = 12 },
    { .put = put_file_type },
    { .from = "activation", .put = put_activation },
    ENCODER_KEYS,
    { .put = put_one_type },
    { .from = "vocab_size", .to = "{arch}.vocab_size", .type = META_UINT32, .flags = KEY_HIDDEN | KEY_DEFAULT, .fallback = 30522 },
    {0}
};

static const struct key_demand demands[] = { { "model_type", "distilbert" }, {0} };

static const struct name_map tensors[] = {
    { "embeddings.word_embeddings", "token_embd", .layout = LAYOUT_SAME, DIM_VOCAB, DIM_EMBD },
    { "embeddings.position_embeddings", "position_embd", .layout = LAYOUT_SAME, DIM_CONTEXT, DIM_EMBD },
    { "embeddings.LayerNorm", "token_embd_norm", .layout = LAYOUT_SAME, DIM_EMBD, DIM_NONE, .bias = ALWAYS },
    { "transformer.layer.{L}.attention.q_lin", "blk.{L}.attn_q", .layout = LAYOUT_SAME, DIM_Q, DIM_EMBD, .bias = ALWAYS },
    { "transformer.layer.{L}.attention.k_lin", "blk.{L}.attn_k", .layout = LAYOUT_SAME, DIM_KV, DIM_EMBD, .bias = ALWAYS },
    { "transformer.layer.{L}.attention.v_lin", "blk.{L}.attn_v", .layout = LAYOUT_SAME, DIM_KV, DIM_EMBD, .bias = ALWAYS },
    { "transformer.layer.{L}.attention.out_lin", "blk.{L}.attn_output", .layout = LAYOUT_SAME, DIM_EMBD, DIM_Q, .bias = ALWAYS },
    { "transformer.layer.{L}.sa_layer_norm", "blk.{L}.attn_output_norm", .layout = LAYOUT_SAME, DIM_EMBD, DIM_NONE, .bias = ALWAYS },
    { "transformer.layer.{L}.ffn.lin1", "blk.{L}.ffn_up", .layout = LAYOUT_SAME, DIM_FF, DIM_EMBD, .bias = ALWAYS },
    { "transformer.layer.{L}.ffn.lin2", "blk.{L}.ffn_down", .layout = LAYOUT_SAME, DIM_EMBD, DIM_FF, .bias = ALWAYS },
    { "transformer.layer.{L}.output_layer_norm", "blk.{L}.layer_output_norm", .layout = LAYOUT_SAME, DIM_EMBD, DIM_NONE, .bias = ALWAYS },
    { "pre_classifier", "cls", .layout = LAYOUT_SAME, DIM_EMBD, DIM_EMBD, .bias = ALWAYS, .when = NAMED_LABELS },
    { "classifier", "cls.output", .layout = LAYOUT_SAME, DIM_LABELS, DIM_EMBD, .bias = ALWAYS, .when = NAMED_LABELS },
    {0}
};

static const char *const ignored_keys[] = { "dropout", "qa_dropout", "seq_classif_dropout", "sinusoidal_pos_embds", "tie_weights_",
                                            "tie_word_embeddings", NULL };

static const struct spelling key_spellings[] = {
    { "num_hidden_layers", "n_layers" }, { "num_attention_heads", "n_heads" }, { "hidden_size", "dim" }, {0}
};

static const struct spelling tensor_spellings[] = { { "distilbert.", "" }, {0} };

static const char *const ignored_tensors[] = { "embeddings.position_ids", "vocab_transform.*", "vocab_layer_norm.*", "vocab_projector.*", NULL };

extern const struct arch arch_distilbert;
const struct arch arch_distilbert = {
    .name = "bert",
    .hf_classes = hf_classes,
    .keys = keys,
    .demands = demands,
    .tensors = tensors,
    .ignored_keys = ignored_keys,
    .ignored_tensors = ignored_tensors,
    .key_spellings = key_spellings,
    .tensor_spellings = tensor_spellings,
    .block = ENCODER_BLOCK,
    .one_way = true,
    .encoder = true,
    .check = arch_check_heads,
};
