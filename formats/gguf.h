/* gguf.h - what reading and writing GGUF share. The layout is told in gguf.c. */
#ifndef BANTAM_GGUF_H
#define BANTAM_GGUF_H

#include "formats/model.h"

enum { GGUF_ALIGNMENT = 32, GGUF_MAX_RANK = 4 };        /* without the key; ggml's GGML_MAX_DIMS */

#define GGUF_KEY_ALIGNMENT "general.alignment"
#define GGUF_KEY_NO "split.no"
#define GGUF_KEY_COUNT "split.count"
#define GGUF_KEY_TENSORS "split.tensors.count"
#define GGUF_KEY_PADDING "bantam.padding"

/* Of the tensor data: the specification asks for a multiple of eight, ggml for a power of two, and either will do. 0: see *f. */
uint64_t gguf_alignment(const struct meta *, struct fail *);

/* The plan of format_gguf (model.h). */
int gguf_plan(const struct model *, const char *out, const struct plan_options *, struct plan *, struct fail *);

#endif
