/* opening.h - a vocabulary on its way from the tokenizer files of a directory to the keys it becomes.
 *
 * The steps, each in a file of its own: the files are read (vocab_dir.c), pieces get their spelling, kind and score
 * (vocab_pieces.c), and the keys are written (vocab_keys.c). Internal to tokenizer/; the way in is vocab_open_dir(). */
#ifndef BANTAM_OPENING_H
#define BANTAM_OPENING_H

#include "formats/json.h"
#include "tokenizer/rules.h"
#include "tokenizer/vocab.h"

struct opening {
    const char *dir, *pre;
    uint64_t nrows;
    struct source s;
    struct arena tmp;
    const cJSON *config, *tokenizer_config;
    const struct hf_outline *json;
    const char *native;             /* the tokenizer is Mistral's own file of this name; NULL: Hugging Face's files */
    struct mistral mistral;         /* ... and this is known of it */
    bool spm;                       /* it is a SentencePiece model */
    bool fairseq;                   /* ... whose ids fairseq has moved: sentencepiece.bpe.model of XLM-RoBERTa (vocab_fairseq.c) */
    bool pair;                      /* it is vocab.json and merges.txt */
    struct vocab *v;
    struct pool pool;               /* in the vocabulary's arena */
    struct fail *f;
};

/* NAME in the directory as JSON, in o->tmp; *out stays as it is where there is no such file. FAIL_INPUT: malformed. */
int opening_read_json(struct opening *o, const char *name, const cJSON **out);

/* Types, spells and scores all pieces as convert_hf_to_gguf.py does and takes in what the companion files add; v->model is set. FAIL_INPUT
 * for what GGUF cannot carry. */
int opening_complete(struct opening *o);

/* What opening_complete() does for o->fairseq: ids of transformers' XLMRobertaTokenizer, and the rules of tokenizer.json if there is one. */
int opening_complete_fairseq(struct opening *o);

/* Fills in v from what is complete: arrays, keys and rules. FAIL_INPUT: no such pre-tokenizer, malformed files. */
int opening_write_keys(struct opening *o);

/* Gives every id without a piece, up to the rows of the embeddings, a name of its own, "[PAD7]" or one lower by `shift`; ids beyond are left
 * out. */
void opening_pad(struct opening *o, uint64_t shift);

/* The id of the first piece with this text; -1: none. */
int32_t opening_find_piece(const struct source *, const char *text);

#endif
