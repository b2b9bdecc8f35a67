/* keys.h - the keys of a converted file beside those that its source implies: which differences change what the model
 * does, and which only describe it. */
#ifndef BANTAM_KEYS_H
#define BANTAM_KEYS_H

#include "formats/json.h"
#include "formats/meta.h"

/* What is compared: the metadata of two GGUF models, or two texts of config.json. */
struct key_pair {
    const struct meta *expected_meta, *found_meta;      /* NULL: not these */
    const cJSON *expected_config, *found_config;
    const char *const *ignore;          /* keys that the user lets pass, NULL-terminated; NULL: none */
    bool no_vocabulary;                 /* the source has no tokenizer: what the file says of one is not compared */
    bool no_description;                /* general.* keys come of where the files lie, and are not compared either */
    bool every;                         /* keys about the encoding too, which differ wherever types do */
    bool partial;                       /* expected_config is only what could be derived: more in the file is no damage */
};

struct key_difference {
    const char *key;
    const char *expected, *found;       /* as text, cut to a line; NULL: not there */
    bool damage;                        /* changes what the model computes or which tokens it sees */
    const char *why;                    /* what kind of key it is, or what follows */
};

struct key_list {
    struct key_difference *item;
    size_t n, cap;
    size_t expected, equal, implied;    /* implied: missing or extra keys whose value readers assume anyway */
};

/* Everything hangs on `a`. */
void keys_compare(const struct key_pair *, struct arena *a, struct key_list *);

#endif
