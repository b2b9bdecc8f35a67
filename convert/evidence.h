/* evidence.h - what a model and the files beside it say about its license, place by place, and nothing concluded yet.
 *
 * Sources of the places: the Hugging Face hub's documentation of model cards and gated models, ggml's docs/gguf.md, the
 * safetensors convention modelspec.license, Ollama's license layers. A file that cannot be read is evidence with a note, never
 * a failure: an auditor wants to see the rest. */
#ifndef BANTAM_EVIDENCE_H
#define BANTAM_EVIDENCE_H

#include "formats/license_text.h"
#include "formats/meta.h"

enum evidence_place { PLACE_KEYS, PLACE_CARD, PLACE_GATE, PLACE_FILE, PLACE_HEADER, PLACE_LAYER };

/* How much a place is worth, the least first. */
enum evidence_level {
    LEVEL_NONE,                 /* it says nothing that is known */
    LEVEL_DECLARED,             /* a tag or a name: self-declared */
    LEVEL_ALTERED,              /* a known text with changes or additions */
    LEVEL_PHRASES,              /* the phrases of a text that was not at hand to compare */
    LEVEL_EXACT,                /* every word of a known text */
};

struct evidence {
    enum evidence_place place;
    const char *where;          /* the file, relative to the model where it lies beside it */
    const char *field;          /* "general.license", "license", "extra_gated_prompt"; NULL: the whole file */
    const char *says;           /* a value, as written; NULL: a text */
    const char *tag;            /* of it, what names the license: the id, or where that is "other" the name; NULL: nothing does */
    const struct text_report *text;     /* NULL: a value */
    const char *bytes;          /* of the text */
    size_t nbytes;
    enum evidence_level level;
    const struct license *license;      /* what it determines, or what it is an altered copy of; NULL: nothing, or several */
    const char *note;           /* one sentence; NULL: none */
    bool aside;                 /* not about the weights: the license of code, a notice file */
};

struct parent {
    const char *id;             /* "ORG/NAME", or as it is written */
    const char *relation;       /* "quantized", "finetune", "merge", "adapter"; NULL: not said */
    const char *from;           /* where that is said */
    const struct license *license;      /* NULL: not known */
    enum license_sure sure;
    const char *source;
};

enum answer { ANSWER_UNKNOWN, ANSWER_NO, ANSWER_YES };

struct evidence_list {
    struct evidence *item;
    size_t n, cap;
    struct parent *parent;
    size_t nparents, parent_cap;
    bool gate_eu;               /* extra_gated_eu_disallowed */
    enum answer multimodal;     /* does it take more than text? */
    const char *repository;     /* its own, ORG/NAME, by its keys or path; NULL: not known */
    const char *replaced;       /* what an earlier --license took the place of; NULL: nothing */
};

struct evidence_layer {         /* of a store: a text that belongs to the model without lying beside it */
    const char *name, *path;
};

struct evidence_source {
    const char *path;           /* of the model: a file or a directory */
    const char *name;           /* how its header is called in evidence; NULL: the file's name */
    const struct meta *keys;    /* of its header; NULL: none */
    bool gguf;
    const struct evidence_layer *layer;
    size_t nlayers;
};

void evidence_gather(const struct evidence_source *, struct evidence_list *, struct arena *);

void evidence_add_parent(struct evidence_list *, const struct parent *, struct arena *);        /* once each, by id */

/* The names of license, notice and policy files in `dir` that belong to a model: sorted, at most 64, "LICENSES/x" included.
 * `stem` (may be NULL) is the model file's name without its suffix: files that begin with it and a '.' belong to it as well. */
size_t evidence_files(const char *dir, const char *stem, const char ***names, struct arena *);
char *evidence_stem(const char *path, struct arena *);      /* "dir/m-00001-of-00002.gguf" -> "m" */

#endif
