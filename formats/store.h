/* store.h - models in the stores of local runtimes: hf:, ollama:, lmstudio: and jan: names, and what each store holds.
 *
 * Nothing is downloaded and nothing is written here (store_put.h writes). Layouts: Hugging Face hub cache
 * (huggingface_hub, docs/hub/local-cache.md), Ollama (manifest/paths.go, types/model/name.go), LM Studio
 * (lms-common-server findLMStudioHome.ts; docs import-model), Jan (tauri core/app/commands.rs, llamacpp-extension). */
#ifndef BANTAM_STORE_H
#define BANTAM_STORE_H

#include "formats/arena.h"
#include "formats/fail.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store_item {
    const char *name;               /* as a MODEL argument takes it: "ollama:llama3.1:8b" */
    const char *path;               /* what opens: a GGUF file, a directory; NULL: see problem */
    const char *sha256;             /* 64 hex digits of the file at `path` where the store records them; NULL: it does not */
    const char *const *license;     /* paths of Ollama's license layers, in order: plain text each */
    size_t nlicenses;
    const char *problem;            /* what is wrong with it, though `path` may open; NULL: nothing known */
};

struct store_items {
    struct store_item *item;
    size_t n, cap;
};

/* One row of stores.def. */
struct store {
    const char *name, *label;       /* "ollama" as in "ollama:NAME"; "Ollama" */
    const char *form;               /* what stands behind the colon, for messages: "NAME[:TAG]" */
    /* The model called `name` (without the prefix). FAIL_INPUT says where it was looked for. */
    int (*find)(const char *name, struct arena *, struct store_item *, struct fail *);
    /* Everything in the store, in a fixed order; no store there: nothing. */
    void (*list)(struct store_items *, struct arena *);
    /* Folders that the store was looked for in, the first one is where new models go; n of them. */
    const char *const *(*roots)(struct arena *, size_t *n);
};

size_t store_count(void);
const struct store *store_at(size_t i);

/* The store that a MODEL argument names; *rest is what stands behind the colon. NULL: it is a path. A file or directory
 * of that very name goes first. */
const struct store *store_of(const char *model, const char **rest);

/* By a MODEL argument that store_of() knows. Everything hangs on the arena. */
int store_find(const char *model, struct arena *, struct store_item *, struct fail *);

/* ---- for the stores themselves ---- */
struct store_item *store_add(struct store_items *, struct arena *, const char *name);

char *home_path(struct arena *, const char *path);              /* "~/x" and "~" expanded ($HOME, otherwise the user's entry, "." when neither is known), otherwise as it is */
const char *env_path(const char *variable, struct arena *);     /* its value, expanded; NULL: unset or empty */

/* May `name` be a chain of names below a folder: no empty part, no part that starts with a dot, no control characters, no backslash? */
bool name_is_below(const char *name);

/* ---- Ollama's names, for finding and for writing ---- */
struct ollama_name {
    const char *host, *space, *model, *tag;     /* with the defaults filled in */
};

int ollama_parse(const char *name, struct arena *, struct ollama_name *, struct fail *);
char *ollama_short(const struct ollama_name *, struct arena *);         /* "llama3.1:8b", "USER/NAME:TAG", "HOST/..." */
char *ollama_manifest(const char *root, const struct ollama_name *, struct arena *);   /* its path, in the letter case it has there */
char *ollama_blob(const char *root, const char *digest, struct arena *);               /* NULL: no digest */

#endif
