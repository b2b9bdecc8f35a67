/* encoder.h - what the tables of encoders share. */
#ifndef BANTAM_ARCH_ENCODER_H
#define BANTAM_ARCH_ENCODER_H

#include "convert/arch/rows.h"

/* See encoder.c. The first also says {arch}.attention.causal; the second sets {arch}.label_count (the row's key, hidden) as well. */
int put_pooling(struct conversion *, const struct key_map *, struct fail *);
int put_labels(struct conversion *, const struct key_map *, struct fail *);

#define ENCODER_KEYS \
    { .put = put_pooling }, \
    { .to = "{arch}.label_count", .flags = KEY_HIDDEN, .put = put_labels }

/* What put_labels adds to the config of a classifier, for these rows. Named labels go with an output matrix; two labels without
 * names of their own are taken for none, and the matrix for a layer in front of it, as convert_hf_to_gguf.py does. */
#define NAMED_LABELS "has_named_labels"
#define PLAIN_LABELS "has_plain_labels"
#define CLASSIFIER_ROWS \
    { "classifier", "cls.output", .layout = LAYOUT_SAME, DIM_LABELS, DIM_EMBD, .bias = ALWAYS, .when = NAMED_LABELS }, \
    { "classifier", "cls", .layout = LAYOUT_SAME, DIM_LABELS, DIM_EMBD, .bias = ALWAYS, .when = PLAIN_LABELS }

#define ENCODER_BLOCK { .norm = NORM_LAYER, .rope = ROPE_NONE, .act = ACT_GELU, .mlp = MLP_PLAIN, \
                        .has = HAS_POSITIONS | HAS_TOKEN_TYPES | HAS_EMBEDDING_NORM | HAS_SUM_NORMS }

#endif
