/* verify_static.h - `verify OUT --against SRC --static`: is OUT what SRC converts to? */
#ifndef BANTAM_VERIFY_STATIC_H
#define BANTAM_VERIFY_STATIC_H

#include "formats/json.h"
#include "tools/args.h"
#include "verify/static.h"

/* What was found out, for whoever shows it. */
struct static_result {
    const struct args *args;            /* the original is args->against */
    const char *out;
    const struct model *found, *expected;       /* expected: after the chain */
    const struct account *account;
    const struct static_check *check;
    double seconds;
};

/* The one operand against --against: the table, the JSON document, the page, and FAIL_NO when anything is damaged. */
int verify_static(struct args *, struct fail *);

cJSON *static_json(const struct static_result *);
void static_print(const struct static_result *);       /* a table for people */

/* How many are damaged, missing, extra or of another shape; how many keys differ in what the model does. */
size_t static_damaged_tensors(const struct static_check *);
size_t static_damaged_keys(const struct static_check *);

bool static_is_damage(enum static_state);
const char *static_state_text(enum static_state);       /* "equal byte for byte" */
/* "is missing", "is damaged: rows stand in another order ..." */
const char *static_finding_text(const struct static_tensor *, struct arena *);
/* "is 500000 instead of 10000" */
const char *static_key_text(const struct key_difference *, struct arena *);
const char *static_tokenizer_text(const struct static_check *);

/* report_static.c: the page, to args->report. */
int report_static(const struct static_result *, struct fail *);

#endif
