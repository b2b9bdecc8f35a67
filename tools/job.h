/* job.h - the chain that convert and quantize share: open, rename, choose encodings, quantize, write, report. */
#ifndef BANTAM_JOB_H
#define BANTAM_JOB_H

#include "convert/account.h"
#include "convert/carry.h"
#include "convert/imatrix.h"
#include "convert/recipe.h"
#include "convert/write.h"
#include "formats/model.h"
#include "tokenizer/vocab.h"
#include "tools/args.h"

/* Everything of one run. Zero it before job_open(), release it in any case. */
struct job {
    const struct args *args;
    const char *source;
    const struct format *sink;
    const struct recipe *recipe;
    struct model *model;                /* becomes each adapter in turn */
    struct vocab *vocab;                /* the source's, in the model's arena; NULL: none */
    struct account account;
    const struct qtype **from;          /* per tensor: the encoding before, and what was chosen */
    struct recipe_choice *choice;
    const struct plan_extra *extra;     /* files that come along to a directory */
    size_t nextra;
    struct imatrix *imatrix;            /* NULL: none */
    struct imatrix_match match;
    struct licensing license;           /* of the source */
    const char *source_dir;             /* where its license files lie */
    const char **carried;               /* license files written beside OUT; NULL-terminated */
    const struct meta *unpruned;        /* the keys, and the tensors' names, before layers were pruned; NULL: none were */
    const char *const *before;
    struct plan_options split;
    struct plan plan;                   /* what a dry run shows */
    struct arena arena;
};

/* Opens the MODEL and runs the chain up to the plan: nothing is written and no weight read. `as_converted`: types as
 * convert_hf_to_gguf.py gives them, otherwise as llama-quantize does. */
int job_open(struct job *, const struct args *, bool as_converted, struct fail *);
/* The model is what a bad input is about, where nothing more exact was said. Returns -1. */
int job_blame(const struct job *, struct fail *);
int job_show_plan(struct job *, struct fail *);         /* --dry-run, as text or JSON */
int job_write(struct job *, struct fail *);             /* with progress; then the table or JSON document */
void job_release(struct job *);

#endif
