/* safetensors.h - what reading and writing safetensors share. The rules are told in safetensors.c. */
#ifndef BANTAM_SAFETENSORS_H
#define BANTAM_SAFETENSORS_H

#include "formats/model.h"

#define SAFETENSORS_MAX_HEADER UINT64_C(100000000)      /* the reference's limit */
#define SAFETENSORS_METADATA "__metadata__"

/* The plan of format_safetensors (model.h). */
int safetensors_plan(const struct model *, const char *out, const struct plan_options *, struct plan *, struct fail *);

#endif
