/* companions.h - the files beside the weights that make a directory a Hugging Face model. */
#ifndef BANTAM_COMPANIONS_H
#define BANTAM_COMPANIONS_H

#include "convert/write.h"

/* The configuration, tokenizer, card and license files of `dir`, sorted by name, as an output directory gets them: config.json
 * with its "torch_dtype" or "dtype" set to `type` (NULL: as it is), and if matrices were decoded (dequantize.h) without what says how they
 * were stored; the others byte for byte. Weights and their index are left out. At most 256 files of 64 MB. Everything hangs on `a`. -1: see *f. */
int companions_of(const char *dir, const struct qtype *type, bool decoded, struct arena *a, const struct plan_extra **list, size_t *n,
                  struct fail *f);

#endif
