/* rename.h - an adapter: a Hugging Face model under GGUF's names, keys, row orders and vocabulary.
 *
 * The result is canonical: its meta is what a GGUF header carries (keys, order, types and values as
 * convert_hf_to_gguf.py writes them, general.file_type aside) and its tensors are in that order, still of the source's
 * type. verify/ and quantize.c read canonical models and cannot tell one from an open GGUF file. */
#ifndef BANTAM_RENAME_H
#define BANTAM_RENAME_H

#include "convert/account.h"
#include "formats/model.h"
#include "tokenizer/vocab.h"

struct rename_options {
    const char *pre_tokenizer;          /* --pre-tokenizer; NULL: recognize */
    const char *const *ignore_keys;     /* --ignore-key: config keys that change nothing, NULL-terminated; NULL: none */
    bool rounded;                       /* weights that are decoded (dequantize.h) have the type that a converted file has for matrices, and
                                         * are rounded to it; false: they are float32 */
    bool no_vocabulary;                 /* leave the tokenizer files unread: keys and tensors in milliseconds */
};

/* Takes `m` over (closed with the result, or at once on failure). A GGUF model, already canonical, is returned as it is.
 * A model that is neither GGUF nor has a config.json, and one without
 * tokenizer files unless no_vocabulary, is FAIL_INPUT. `account` may be NULL. *vocab (may be NULL) receives
 * the source's vocabulary, NULL if it has none; it lives as long as the result. NULL in, NULL out. */
struct model *model_rename(struct model *m, const struct rename_options *, struct account *, struct vocab **vocab,
                           struct fail *);

#endif
