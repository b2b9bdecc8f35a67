/* roberta.c - RoBERTa: BERT with a byte-level vocabulary, or one of SentencePiece (XLM-RoBERTa), and positions that are counted from
 * behind the padding token's id. Their first rows stand for no token and are left out. To readers it is a BERT. Names and keys:
 * llama.cpp's conversion/bert.py; defaults are those of transformers' RobertaConfig. */
#include "convert/arch/encoder.h"

#include <inttypes.h>

static const char *const hf_classes[] = {
    "RobertaModel", "RobertaForMaskedLM", "RobertaForSequenceClassification",
    "XLMRobertaModel", "XLMRobertaForMaskedLM", "XLMRobertaForSequenceClassification", NULL
};

static int put_positions(struct conversion *c, const struct key_map *k, struct fail *f)
{
    uint32_t n = 512, pad = 1;
    bool found;

    if (config_u32(c, k->from, "{arch}.context_length", &n, &found, f) || config_u32(c, "pad_token_id", k->to, &pad, &found, f))
        return -1;
    if (n <= (uint64_t)pad + 1)
        return fail(f, FAIL_INPUT, "of %" PRIu32 " positions in config.json none is left behind the padding token's id %" PRIu32, n, pad);
    meta_set_u32(&c->meta, c->arena, config_key(c, "{arch}.context_length"), n - pad - 1);
    meta_set_u32(&c->meta, c->arena, config_key(c, k->to), pad + 1);
    return 0;
}

static const struct key_map keys[] = {
    { .from = "num_hidden_layers", .to = "{arch}.block_count", .type = META_UINT32, .flags = KEY_DEFAULT, .fallback = 12 },
    { .from = "max_position_embeddings", .to = "{arch}.position_offset", .flags = KEY_HIDDEN, .put = put_positions },
    { .from = "hidden_size", .to = "{arch}.embedding_length", .type = META_UINT32, .flags = KEY_DEFAULT, .fallback = 768 },
    { .from = "intermediate_size", .to = "{arch}.feed_forward_length", .type = META_UINT32, .flags = KEY_DEFAULT, .fallback = 3072 },
    { .from = "num_attention_heads", .to = "{arch}.attention.head_count", .type = META_UINT32, .flags = KEY_DEFAULT, .fallback = 12 },
    { .from = "layer_norm_eps|layer_norm_epsilon", .to = "{arch}.attention.layer_norm_epsilon", .type = META_FLOAT32,
      .flags = KEY_DEFAULT, .fallback = 1e-12 },
    { .put = put_file_type },
    { .from = "hidden_act", .put = put_activation },
    ENCODER_KEYS,
    { .from = "type_vocab_size", .to = "tokenizer.ggml.token_type_count", .type = META_UINT32, .flags = KEY_DEFAULT, .fallback = 2 },
    { .from = "vocab_size", .to = "{arch}.vocab_size", .type = META_UINT32, .flags = KEY_HIDDEN | KEY_DEFAULT, .fallback = 50265 },
    {0}
};

static const struct key_demand demands[] = {
    { "model_type", "roberta|xlm-roberta" },
    { "position_embedding_type", "absolute" },
    { "is_decoder", "false" },
    {0}
};

static const struct name_map tensors[] = {
    { "embeddings.word_embeddings", "token_embd", .layout = LAYOUT_SAME, DIM_VOCAB, DIM_EMBD },
    { "embeddings.position_embeddings", "position_embd", .layout = LAYOUT_BEHIND_PADDING, DIM_CONTEXT, DIM_EMBD },
    { "embeddings.token_type_embeddings", "token_types", .layout = LAYOUT_SAME, DIM_TOKEN_TYPES, DIM_EMBD },
    BERT_ROWS,
    { "classifier.dense", "cls", .layout = LAYOUT_SAME, DIM_EMBD, DIM_EMBD, .bias = ALWAYS, .when = CLASSIFIES },
    { "classifier.out_proj", "cls.output", .layout = LAYOUT_SAME, DIM_LABELS, DIM_EMBD, .bias = ALWAYS, .when = CLASSIFIES },
    {0}
};

static const char *const ignored_keys[] = { "tie_word_embeddings", NULL };
static const struct spelling tensor_spellings[] = { { "roberta.", "" }, {0} };
static const char *const ignored_tensors[] = { "embeddings.position_ids", "embeddings.token_type_ids", "pooler.dense.*", "lm_head.*", NULL };

extern const struct arch arch_roberta;
const struct arch arch_roberta = {
    .name = "bert",
    .hf_classes = hf_classes,
    .keys = keys,
    .demands = demands,
    .tensors = tensors,
    .ignored_keys = ignored_keys,
    .ignored_tensors = ignored_tensors,
    .tensor_spellings = tensor_spellings,
    .block = ENCODER_BLOCK,
    .one_way = true,
    .encoder = true,
    .check = arch_check_heads,
};
