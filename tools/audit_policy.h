/* audit_policy.h - what a policy asks of a model's license. The file is JSON; docs/audit.md explains every key. */
#ifndef BANTAM_AUDIT_POLICY_H
#define BANTAM_AUDIT_POLICY_H

#include "convert/licensing.h"
#include "formats/json.h"

struct audit_policy {
    const char *name;
    bool commercial, train_on_outputs;          /* is that use needed? */
    unsigned regions;                           /* REGION_* where the model is used */
    bool has[3];                                /* are the figures given: by enum license_measure, from MEASURE_MONTHLY_USERS */
    uint64_t figure[3];
    enum evidence_level evidence;               /* the least that is accepted */
    const cJSON *allowed, *denied;              /* lists of ids; NULL: none */
    bool allow_conflicts, need_files, need_names, need_base_models, allow_unknown_parents;
};

/* FAIL_INPUT names a key that is none, or a value that does not fit. The tree hangs on the arena. */
int audit_policy_read(const char *path, struct audit_policy *, struct arena *, struct fail *);

/* Sentences, each a reason why the model breaks the policy; *n is 0 when it keeps it. */
const char **audit_reasons(const struct audit_policy *, const struct licensing *, size_t *n, struct arena *);

#endif
