/* number.h - C numbers as encodings, to read only: what a source file may hold besides weights. A number becomes
 * the nearest float, so integers are exact up to 2^24; whoever needs more takes the rows as they are. */
#ifndef BANTAM_NUMBER_H
#define BANTAM_NUMBER_H

#include "quant/kernel.h"

/* id, label: GGUF's (-1 if it has none) and safetensors' name of the type, which is the label too. */
#define NUMBER(t, id, text, type)                                                       \
    static void decode(const void *in, float *restrict out, size_t n)                   \
    {                                                                                   \
        const type *restrict number = in;                                               \
        for (size_t i = 0; i < n; i++)                                                  \
            out[i] = (float)number[i];                                                  \
    }                                                                                   \
    QTYPE(t) = { .name = #t, .label = text, .safetensors = text, .gguf_id = id,         \
                 .block = 1, .nbytes = sizeof(type), .decode = decode }

#endif
