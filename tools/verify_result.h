/* verify_result.h - what `verify` found out, for whoever shows it: JSON, tables on the terminal, a page. */
#ifndef BANTAM_VERIFY_RESULT_H
#define BANTAM_VERIFY_RESULT_H

#include "tools/args.h"
#include "tools/report.h"
#include "verify/choices.h"
#include "verify/score.h"
#include "verify/texts.h"

/* The text that was measured on; its categories, of which there may be none. */
struct measured {
    struct texts texts;
    struct groups categories;
};

struct verify_result {
    const struct args *args;                /* candidate k is operand k; the original is args->against */
    const struct score_models *models;
    const struct score *score;
    const struct measured *text;
    struct groups confidence;               /* by how sure the original was */
    const struct choices *choices;          /* NULL: no questions were asked; model k + 1 is candidate k */
};

/* Bytes of a model's weight files. */
uint64_t model_nbytes(const struct model *);

/* Names that tell candidates apart in a line: an operand's last part. */
const char *candidate_name(const struct verify_result *, size_t k);

/* One sentence for someone who is no engineer: how often candidate k says the same, and what it saves; "...". */
enum { VERDICT_TEXT = 400 };
const char *verify_verdict(const struct verify_result *, size_t k, char text[VERDICT_TEXT]);

/* The contract's document: the first candidate's figures at the top, so that a script for one candidate reads the report of several;
 * with more than one, all of them in "candidates". */
cJSON *verify_json(const struct verify_result *);

void tensors_json(cJSON *root, const struct tensor_errors *);
void layers_json(cJSON *root, const double *nmse, size_t n);
void blame_json(cJSON *root, const struct tensor_errors *);
void print_blame(const struct tensor_errors *);          /* the tensors that cause most of the error, and what better ones cost */
void print_findings(const struct tensor_errors *);       /* NaN, Inf and rows of zeros */
void print_layers(const double *nmse, size_t n);         /* a bar for each layer */

/* Tables of at most 80 columns, after the verdict. */
void verify_print(const struct verify_result *);

/* FAIL_NO: a figure of some candidate is over a limit that the user set. */
int verify_limits(const struct verify_result *, struct fail *);

/* ---- one model alone ---- */
cJSON *perplexity_json(const struct score *, const struct measured *);
void perplexity_print(const char *model, const struct score *, const struct measured *);

/* ---- multiple choice ---- */
void choices_json(cJSON *candidate, const struct choices *, size_t k);
void choices_print(const struct verify_result *, size_t k);     /* candidate k against the original */

#endif
