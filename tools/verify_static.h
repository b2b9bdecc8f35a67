/* verify_static.h - `verify OUT --against SRC --static`: is OUT what SRC converts to? */
#ifndef BANTAM_VERIFY_STATIC_H
#define BANTAM_VERIFY_STATIC_H

#include "tools/args.h"

/* The one operand against --against: the table or the JSON document, and FAIL_NO when anything is damaged. */
int verify_static(struct args *, struct fail *);

#endif
