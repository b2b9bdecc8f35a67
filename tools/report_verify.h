/* report_verify.h - verify's result as a page for people: `--report out.html`. */
#ifndef BANTAM_REPORT_VERIFY_H
#define BANTAM_REPORT_VERIFY_H

#include "tools/verify_result.h"

/* Before any long work: may PATH be written? FAIL_USAGE: it exists and --force is not there, or it belongs to a model. */
int report_check(const struct args *, const struct score_models *, struct fail *);

/* Writes the page to args->report. With SOURCE_DATE_EPOCH set, its date is that and what a run cost is left out: the same inputs give
 * the same bytes. */
int report_verify(const struct verify_result *, struct fail *);

#endif
