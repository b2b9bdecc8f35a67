/* vocab.h - a vocabulary as GGUF can carry it, together with the rules by which its source splits text.
 *
 * Two sources fill it: the tokenizer files of a Hugging Face directory, and the tokenizer.* keys of a GGUF file. From
 * a directory the rules (normalizer steps, split regexes, flags) are what the files say; from GGUF they are looked up
 * by the name in tokenizer.ggml.pre. One engine (tokenizer.h) runs either, which is how a conversion proves that what
 * it wrote splits text as the source does. */
#ifndef BANTAM_VOCAB_H
#define BANTAM_VOCAB_H

#include "formats/fail.h"
#include "formats/meta.h"

#include <stdbool.h>
#include <stdint.h>

enum piece_type {               /* the numbers are tokenizer.ggml.token_type's */
    PIECE_NORMAL = 1, PIECE_UNKNOWN, PIECE_CONTROL, PIECE_USER_DEFINED, PIECE_UNUSED, PIECE_BYTE
};

enum vocab_model { VOCAB_SPM, VOCAB_BPE, VOCAB_UNIGRAM, VOCAB_WORDPIECE };   /* "llama", "gpt2", "t5", "bert" */

/* llama.cpp's converter writes some keys by the family and not by the tokenizer (pre: "falcon", add_space_prefix: false for every
 * Gemma). The file then says the same, and where the source's tokenizer does something else, here what that is: read before
 * the keys that they correct. */
#define VOCAB_SOURCE_PRE "tokenizer.source.pre"
#define VOCAB_SOURCE_PREFIX "tokenizer.source.add_space_prefix"

struct vocab_rules;             /* private to tokenizer/: normalizer, split regexes, flags */

struct vocab {
    enum vocab_model model;
    const char *pre;            /* tokenizer.ggml.pre: "default", "llama-bpe", ... */
    uint64_t n;
    struct meta_string *piece;  /* n, as GGUF spells them (BPE: byte-level alphabet) */
    float *score;               /* n; NULL for BPE */
    int32_t *type;              /* n, enum piece_type */
    struct meta_string *merge;  /* nmerges, "left right" */
    uint64_t nmerges;
    int32_t bos, eos, unk, sep, pad, mask, cls, eot;            /* -1: none */
    bool add_bos, add_eos, add_space_prefix;
    const struct vocab_rules *rules;
    struct meta meta;           /* every tokenizer.* key as GGUF gets it, in convert_hf_to_gguf.py's order */
};

/* From the tokenizer files in `dir` (tokenizer.model, tokenizer.json, tokenizer_config.json, special_tokens_map.json,
 * added_tokens.json, chat_template.jinja, chat_template.json; either of the first two is enough, and without them Mistral's
 * tekken.json or tokenizer.model.v3, or vocab.json with merges.txt). `nrows` is the number
 * of embedding rows (config.json's vocab_size), to which the list of pieces is padded; 0: unknown. `pre` overrides the
 * recognized pre-tokenizer (--pre-tokenizer); NULL: recognize it by structure. Everything hangs on `a`; NULL: see *f. */
struct vocab *vocab_open_dir(const char *dir, uint64_t nrows, const char *pre, struct arena *a, struct fail *f);

/* From tokenizer.* keys; NULL: see *f (a missing tokenizer.ggml.model says so). */
struct vocab *vocab_open_meta(const struct meta *, struct arena *, struct fail *);

/* Does the directory hold any tokenizer file? */
bool vocab_dir_has_one(const char *dir);

/* For `inspect`, without building the vocabulary (milliseconds even for a 20 MB tokenizer.json): GGUF's names of model
 * and pre-tokenizer, and whether a chat template exists. Unknown parts stay NULL. */
struct vocab_summary {
    const char *model, *pre;
    bool chat_template;
};
struct vocab_summary vocab_summary_dir(const char *dir, struct arena *);

#endif
