/* option.h - the option rows, for args.c, which parses by them, and args_print.c, which tells them. */
#ifndef BANTAM_OPTION_H
#define BANTAM_OPTION_H

#include "tools/args.h"

#include <stddef.h>

enum kind { FLAG, STRING, LIST, COUNT, SIZE, REAL, WHEN };

struct option {
    const char *name;
    char letter;
    enum kind kind;
    const char *value;          /* what stands for the value in help; NULL: a flag */
    size_t at, has_at;          /* offsets into struct args; has_at 0: nobody asks whether it was given */
    const char *about;
};

extern const struct option options[];
extern const size_t noptions;

bool option_taken(const struct command *, const struct option *);       /* by this command */

#endif
