/* bom.h - bills of materials: CycloneDX 1.6 (a machine-learning-model component) and SPDX 3.0.1 (AI profile).
 *
 * Both are made of the same facts and are deterministic: identifiers come from the files' hashes, the time from
 * SOURCE_DATE_EPOCH, or else from the newest file. What is not known is left out, or said to be not asserted.
 * Schemas: CycloneDX/specification bom-1.6.schema.json, spdx/spdx-3-model 3.0.1. */
#ifndef BANTAM_BOM_H
#define BANTAM_BOM_H

#include "convert/licensing.h"
#include "formats/json.h"
#include "formats/model.h"
#include "formats/sha256.h"
#include "tools/args.h"

struct bom_file {
    const char *name;               /* relative to the model's directory, or the file's own name */
    uint64_t nbytes;
    char sha256[SHA256_TEXT];
};

struct bom_facts {
    const struct meta *meta;        /* under GGUF's names where the family is known */
    const char *name, *organization, *version, *architecture, *hf_class;
    const char *url;                /* where it was published; NULL: not known */
    const char *type;               /* general.file_type as --type names it, or the encoding of most bytes; NULL: nothing */
    double bits;                    /* per weight */
    uint64_t weights;
    const struct licensing *license;
    struct bom_file *file;          /* weights first, then what lies beside them, by name */
    size_t nfiles;
    const char *const *dataset;     /* names */
    size_t ndatasets;
    char time[24];                  /* "2026-11-21T00:00:00Z" */
    char id[SHA256_TEXT];           /* over all names and hashes */
};

/* Hashes every file: --progress shows it. Everything hangs on args' arena. */
int bom_gather(const struct model *, const struct meta *meta, const struct licensing *, struct args *, struct bom_facts *, struct fail *);

/* "3e671687-395b-841f-...": of the facts and a word, version 8 of RFC 9562. */
const char *bom_uuid(const struct bom_facts *, const char *word, struct arena *);

cJSON *bom_cyclonedx(const struct bom_facts *, struct arena *);
cJSON *bom_spdx(const struct bom_facts *, struct arena *);

#endif
