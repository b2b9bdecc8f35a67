/* bert.c - BERT and what is made like it (MiniLM, BGE, E5, GTE): encoders whose norms stand behind the sums. Names and keys:
 * llama.cpp's conversion/bert.py; defaults are those of transformers' BertConfig. How token vectors become a sentence's is
 * not in config.json but beside it, in sentence-transformers' modules.json. */
#include "convert/arch/encoder.h"

static const char *const hf_classes[] = { "BertModel", "BertForMaskedLM", "BertForSequenceClassification", "BertForPreTraining", NULL };

static const struct key_map keys[] = {
    { .from = "num_hidden_layers", .to = "{arch}.block_count", .type = META_UINT32, .flags = KEY_DEFAULT, .fallback = 12 },
    { .from = "max_position_embeddings", .to = "{arch}.context_length", .type = META_UINT32, .flags = KEY_DEFAULT, .fallback = 512 },
    { .from = "hidden_size", .to = "{arch}.embedding_length", .type = META_UINT32, .flags = KEY_DEFAULT, .fallback = 768 },
    { .from = "intermediate_size", .to = "{arch}.feed_forward_length", .type = META_UINT32, .flags = KEY_DEFAULT, .fallback = 3072 },
    { .from = "num_attention_heads", .to = "{arch}.attention.head_count", .type = META_UINT32, .flags = KEY_DEFAULT, .fallback = 12 },
    { .from = "layer_norm_eps|layer_norm_epsilon", .to = "{arch}.attention.layer_norm_epsilon", .type = META_FLOAT32,
      .flags = KEY_DEFAULT, .fallback = 1e-12 },
    { .put = put_file_type },
    { .from = "hidden_act", .put = put_activation },
    ENCODER_KEYS,
    { .from = "type_vocab_size", .to = "tokenizer.ggml.token_type_count", .type = META_UINT32, .flags = KEY_DEFAULT, .fallback = 2 },
    { .from = "vocab_size", .to = "{arch}.vocab_size", .type = META_UINT32, .flags = KEY_HIDDEN | KEY_DEFAULT, .fallback = 30522 },
    {0}
};

static const struct key_demand demands[] = {
    { "model_type", "bert" },
    { "position_embedding_type", "absolute" },
    { "is_decoder", "false" },
    {0}
};

static const struct name_map tensors[] = {
    { "embeddings.word_embeddings", "token_embd", .layout = LAYOUT_SAME, DIM_VOCAB, DIM_EMBD },
    { "embeddings.position_embeddings", "position_embd", .layout = LAYOUT_SAME, DIM_CONTEXT, DIM_EMBD },
    { "embeddings.token_type_embeddings", "token_types", .layout = LAYOUT_SAME, DIM_TOKEN_TYPES, DIM_EMBD },
    BERT_ROWS,
    CLASSIFIER_ROWS,
    {0}
};

static const char *const ignored_keys[] = { "directionality", "tie_word_embeddings", "pooler_fc_size", "pooler_num_attention_heads",
                                            "pooler_num_fc_layers", "pooler_size_per_head", "pooler_type", NULL };

/* Checkpoints of models with a head have the prefix; the first ones, from TensorFlow, have other endings. */
static const struct spelling tensor_spellings[] = { { "bert.", "" }, {0} };
static const struct spelling tensor_endings[] = { { ".gamma", ".weight" }, { ".beta", ".bias" }, {0} };

static const char *const ignored_tensors[] = { "embeddings.position_ids", "embeddings.token_type_ids", "pooler.dense.*", "cls.predictions.*",
                                               "cls.seq_relationship.*", NULL };

extern const struct arch arch_bert;
const struct arch arch_bert = {
    .name = "bert",
    .hf_classes = hf_classes,
    .keys = keys,
    .demands = demands,
    .tensors = tensors,
    .ignored_keys = ignored_keys,
    .ignored_tensors = ignored_tensors,
    .tensor_spellings = tensor_spellings,
    .tensor_endings = tensor_endings,
    .block = ENCODER_BLOCK,
    .one_way = true,
    .encoder = true,
    .check = arch_check_heads,
};
