/* verify_encoders.h - what `verify` found out about encoders, for whoever shows it. */
#ifndef BANTAM_VERIFY_ENCODERS_H
#define BANTAM_VERIFY_ENCODERS_H

#include "formats/json.h"
#include "tools/args.h"
#include "verify/embed.h"
#include "verify/score.h"

struct encoders_result {
    const struct args *args;
    const struct score_models *models;
    struct sentences texts;
    size_t longest;
    bool builtin;                       /* the program's own texts */
    struct embedded *embedded;          /* of the original, then of each candidate */
    struct likeness *likeness;          /* of each candidate */
    struct tensor_errors *tensors;
    double seconds;
};

cJSON *encoders_json(const struct encoders_result *);

/* Writes the page to args->report, as report_verify() does. */
int report_encoders(const struct encoders_result *, struct fail *);

#endif
