/* dequantize.h - an adapter: a Hugging Face checkpoint whose matrices are stored in few bits, beside tensors of scales, as one of
 * plain floats. How they are stored is what quantization_config says; layouts and formulas are those of llama.cpp's conversion/base.py
 * (dequant_model) and of the libraries that write such files: transformers' fine-grained FP8 and FBGEMM, compressed-tensors,
 * NVIDIA's ModelOpt, Mistral's own qscale_weight, GPTQ and AWQ. A weight is its stored number, less its zero point where there are such, times
 * its scale, in float32 (scaled.h, packed.h). */
#ifndef BANTAM_DEQUANTIZE_H
#define BANTAM_DEQUANTIZE_H

#include "convert/account.h"
#include "convert/packed.h"
#include "formats/json.h"
#include "formats/model.h"

/* A checkpoint's way of storing matrices, as its config says. */
struct stored_as {
    const char *name;           /* for messages and the account: "fp8", "compressed-tensors float-quantized" */
    uint64_t block[2];          /* so many rows and columns share a scale; 0: the shape of the scales tells */
    struct packing packing;     /* .bits 0: numbers are not packed into words */
};

/* Reads what says how matrices are stored: quantization_config in config.json, quantization in params.json, or a file beside
 * it, as ModelOpt, and AutoGPTQ and AutoAWQ of 2023 write them. *key is the name of the object in `config`, or of that file; NULL, and *out zeros, if nothing is said and all are as they seem.
 * FAIL_INPUT: a way that there is no decoder for. The names live in `a`. */
int dequantize_scheme(const cJSON *config, const char *dir, const char **key, struct stored_as *out, struct arena *a, struct fail *);

/* The same from the files of a directory; zeros for a model that is none, or has no config. */
int dequantize_scheme_of(const struct model *, struct stored_as *out, struct arena *a, struct fail *);

/* Takes out of a config what dequantize_scheme() reads there. */
void dequantize_unsay(cJSON *config);
/* Is it the name of such a file? */
bool dequantize_is_file(const char *name);

/* Replaces *m by a model without tensors of scales, which owns it and in which each matrix that has one is of the type `as`: float32, or
 * another float that its weights are then rounded to. Tensors of scales are booked in the account, which expects every tensor of *m.
 * -1: FAIL_INPUT, and *m is as it was: a scale without its matrix, a matrix of numbers that cannot be weights without a scale, a
 * shape of scales that does not go with the matrix. */
int model_dequantize(struct model **m, const struct stored_as *, const struct qtype *as, struct account *, struct fail *);

#endif
