/* quantize.h - an adapter: a model whose rows are encoded when asked for. */
#ifndef BANTAM_QUANTIZE_H
#define BANTAM_QUANTIZE_H

#include "convert/recipe.h"
#include "formats/model.h"

/* Takes `inner` over; its tensors get the types of choice[] (copied), and general.file_type and
 * general.quantization_version are set. Rows that keep their type pass through untouched. NaN or Inf in a weight that is
 * to be encoded, and an f16 overflow, is FAIL_INPUT naming tensor and index. weights[i] is the importance of tensor i's
 * columns (or NULL; `weights` itself may be NULL), living as long as the result. NULL in, NULL out. */
struct model *model_quantize(struct model *inner, const struct recipe *, const struct recipe_choice *choice,
                             const float *const *weights, struct fail *);

#endif
