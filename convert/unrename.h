/* unrename.h - the way back: a canonical model under Hugging Face's names and row order, with its config.json. */
#ifndef BANTAM_UNRENAME_H
#define BANTAM_UNRENAME_H

#include "convert/account.h"
#include "formats/json.h"
#include "formats/model.h"

/* Takes the GGUF model `m` over. Tensors keep their types; *config receives the text of config.json, which lives as long as the
 * result and gives `dtype` as torch_dtype if it is a type that safetensors has (NULL: that of the token embeddings). Every
 * tensor and every key of the family is used or ignored on a list, otherwise FAIL_INPUT; `account` may be NULL. The vocabulary
 * is not turned back into tokenizer files. NULL in, NULL out. */
struct model *model_unrename(struct model *m, const struct qtype *dtype, const char **config, struct account *account,
                             struct fail *);

/* What a family's inverse functions work on: canonical keys on their way back into a config.json. */
struct reversal {
    const char *arch;               /* "llama" */
    struct model *from;             /* the canonical model */
    cJSON *config;
    struct account *account;
    struct arena *arena;
};

/* The canonical value of "{arch}.name", booked as used for `to`; NULL: none. */
const struct meta_value *reversal_use(struct reversal *, const char *name, const char *to);

/* A number that was a float32 as the shortest decimal that gives it back: 1e-05, not 9.99999974737875e-06. */
double reversal_f32(double value);

/* ---- inverses of rows that several families share ---- */
int back_head_dim(struct reversal *, struct fail *);
int back_vocab_size(struct reversal *, struct fail *);  /* where the key is hidden: the number of tokens */
int back_rope(struct reversal *, struct fail *);        /* rope_back.c */

#endif
