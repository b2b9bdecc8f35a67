/* general.h - the general.* keys: name, size, license, origin, recommended sampling.
 *
 * Derived as gguf-py's metadata.py does: first the model card, then the id in config.json's _name_or_path, then the
 * directory's name, each taken apart into organization, base name, size, fine-tune and version. */
#ifndef BANTAM_GENERAL_H
#define BANTAM_GENERAL_H

#include "formats/json.h"
#include "formats/meta.h"

struct general_source {
    const char *dir;                /* the model's directory */
    const cJSON *card;              /* README.md's front matter, NULL: none */
    const cJSON *generation;        /* generation_config.json, NULL: none */
    const char *name_or_path;       /* config.json's _name_or_path, NULL: none */
    uint64_t weights;               /* of all tensors that are written */
    uint64_t experts, expert_weights;   /* number of experts (0: dense), and the weights of one in all layers */
};

/* Appends the keys behind general.architecture: general.type, sampling, name ... languages. */
void general_keys(const struct general_source *, struct meta *, struct arena *);

/* The parts of a model id such as 'mistralai/Mixtral-8x7B-Instruct-v0.1'; NULL where there is none. */
struct model_id {
    const char *organization, *name, *basename, *finetune, *version, *size_label;
};

/* `weights` tells a size label from a context length ("128k"); 0: unknown. */
struct model_id model_id_parse(const char *id, uint64_t weights, struct arena *);

/* "1.4M", "8B", "8x7B": at least two digits. */
const char *size_label(uint64_t weights, uint64_t experts, uint64_t expert_weights, struct arena *);

/* "llama-3.2-1b" -> "Llama 3.2 1b": words in lower case get a capital unless they are versions. */
const char *id_to_title(const char *id, struct arena *);

#endif
