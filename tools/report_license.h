/* report_license.h - what a model's license comes to, for people and for scripts. */
#ifndef BANTAM_REPORT_LICENSE_H
#define BANTAM_REPORT_LICENSE_H

#include "convert/licensing.h"
#include "formats/model.h"
#include "tools/report.h"

/* The license of an open model and of the files beside it. `argument` is the MODEL as given, `name` what it calls itself; NULL:
 * nothing. */
void license_of_model(const struct model *, const char *argument, const char *name, struct licensing *, struct arena *);

/* Three lines that come first: what it is, what it may be used for, what is left to do. */
struct license_lines {
    const char *verdict, *use, *todo;
    enum paint paint;           /* of the verdict */
};

struct license_lines license_lines_of(const struct licensing *, struct arena *);

void print_license_lines(const struct licensing *, struct arena *);
void print_license(const struct licensing *, struct arena *);          /* the lines, then everything */

/* {"id","name","spdx","link","verdict","evidence_level","evidence":[],"terms":{},"obligations":[],"conflicts":[],"missing":[]} */
cJSON *license_json(const struct licensing *);
cJSON *base_models_json(const struct licensing *);

#endif
