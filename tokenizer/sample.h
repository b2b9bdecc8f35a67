/* sample.h - private to tokenizer/: the text on which a source and what was written from it must agree. */
#ifndef BANTAM_SAMPLE_H
#define BANTAM_SAMPLE_H

#include <stddef.h>

struct sample_part {
    const char *name, *text;
};

extern const struct sample_part sample_parts[];
extern const size_t sample_parts_n;

#endif
