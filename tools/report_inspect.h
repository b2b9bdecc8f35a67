/* report_inspect.h - what `inspect` found in a model, and the page it can be shown on: `--report out.html`. */
#ifndef BANTAM_REPORT_INSPECT_H
#define BANTAM_REPORT_INSPECT_H

#include "tokenizer/vocab.h"
#include "tools/hashes.h"
#include "tools/html.h"
#include "tools/report.h"
#include "tools/report_license.h"

/* What the table, the JSON document and the page show. */
struct summary {
    const char *architecture, *name;
    struct amount all;
    uint64_t context, width, layers, vocabulary;
    struct vocab_summary tokenizer;
    const struct meta *meta;
    struct licensing license;
    XXH128_hash_t *hash;                /* of every tensor; NULL: not asked for */
    char (*sha256)[SHA256_TEXT];        /* of every file; NULL: not asked for */
};

/* The shape in the file's own order: GGUF writes the row's length first. */
uint64_t shape_in_file(const struct model *, const struct tensor *, int i);

/* Writes the page to args->report. */
int report_inspect(const struct args *, const struct model *, const struct summary *, struct fail *);

#endif
