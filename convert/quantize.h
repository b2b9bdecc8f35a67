/* quantize.h - an adapter: a model whose rows are encoded when asked for. */
#ifndef BANTAM_QUANTIZE_H
#define BANTAM_QUANTIZE_H

#include "convert/recipe.h"
#include "formats/model.h"

/* Takes `inner` over; its tensors get the types of choice[] (copied), and general.file_type and
 * general.quantization_version are set (in place, or ahead of the tokenizer.* keys). Rows that keep their type pass through
 * as they are. FAIL_INPUT, naming tensor, value and index (counted over the whole tensor, row by row): NaN or Inf in a
 * weight, also of an F32, F16 or BF16 tensor that passes through, as llama-quantize has it; a value too large for the new
 * type. weights[i] is the importance of tensor i's columns (NULL: none; `weights` itself may be NULL), living as long as
 * the result: a row of floats, and for tensors of rank 3 and more one such row per matrix (expert). NULL in, NULL out. */
struct model *model_quantize(struct model *inner, const struct recipe *, const struct recipe_choice *choice,
                             const float *const *weights, struct fail *);

#endif
