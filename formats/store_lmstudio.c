/* store_lmstudio.c - LM Studio's tree: HOME/models/PUBLISHER/REPO/FILE.gguf. HOME is what ~/.lmstudio-home-pointer holds, otherwise
 * ~/.cache/lm-studio when it exists, otherwise ~/.lmstudio (lmstudio-js, lms-common-server findLMStudioHome.ts). */
#include "formats/store.h"

#include "formats/file.h"
#include "formats/text.h"

#include <string.h>

static const char *const *roots(struct arena *a, size_t *n)
{
    const char **root = arena_array(a, const char *, 3);
    struct fail missing = {0};
    char *pointer = file_read_text(home_path(a, "~/.lmstudio-home-pointer"), 4096, a, NULL, &missing);

    *n = 0;
    if (pointer) {
        pointer[strcspn(pointer, "\r\n")] = 0;
        if (*pointer)
            root[(*n)++] = path_join(a, home_path(a, pointer), "models");
    }
    if (path_is_dir(home_path(a, "~/.cache/lm-studio")))
        root[(*n)++] = home_path(a, "~/.cache/lm-studio/models");
    root[(*n)++] = home_path(a, "~/.lmstudio/models");
    if (*n > 1 && strcmp(root[0], root[*n - 1]) == 0)
        --*n;
    return root;
}

/* The model files of a repository's folder: first shards, no projectors. */
static const char **models_in(const char *dir, struct arena *a, size_t *n)
{
    size_t all;
    const char **name = dir_names(dir, a, &all);
    const char **model = arena_array(a, const char *, all);

    *n = 0;
    for (size_t i = 0; i < all; i++)
        if (ends_with(name[i], ".gguf") && !starts_with(name[i], "mmproj") && shard_name(name[i], ".gguf").no <= 1)
            model[(*n)++] = name[i];
    return model;
}

/* A folder that holds one GGUF model, or a directory model. */
static int find_in(const char *dir, struct arena *a, struct store_item *item, struct fail *f)
{
    size_t n;
    const char **model = models_in(dir, a, &n);

    if (n == 1)
        item->path = path_join(a, dir, model[0]);
    else if (n == 0)
        item->path = dir;
    else
        return fail(f, FAIL_INPUT, "holds %zu models: it is not clear which to open", n), fail_hint(f, "add the file, such as /%s", model[0]);
    return 0;
}

static int find(const char *name, struct arena *a, struct store_item *item, struct fail *f)
{
    size_t n;
    const char *const *root = roots(a, &n);

    if (!name_is_below(name) || !strchr(name, '/')) {
        fail(f, FAIL_INPUT, "is no name of the form lmstudio:PUBLISHER/REPO[/FILE]");
        return fail_hint(f, "'bantam list lmstudio:' shows what is there");
    }
    for (size_t i = 0; i < n; i++) {
        const char *path = path_join(a, root[i], name);

        if (path_is_dir(path))
            return find_in(path, a, item, f);
        if (path_exists(path)) {
            item->path = path;
            return 0;
        }
    }
    fail(f, FAIL_INPUT, "is not in LM Studio's folder '%s'", root[0]);
    return fail_hint(f, "'bantam list lmstudio:' shows what is there");
}

/* ---- listing ---- */

static void list_repo(struct store_items *to, struct arena *a, const char *dir, const char *repo)
{
    size_t n;
    const char **model = models_in(dir, a, &n);

    for (size_t i = 0; i < n; i++)
        store_add(to, a, arena_printf(a, n == 1 ? "lmstudio:%s" : "lmstudio:%s/%s", repo, model[i]))->path = path_join(a, dir, model[i]);
    if (n == 0 && path_exists(path_join(a, dir, "config.json")))
        store_add(to, a, arena_printf(a, "lmstudio:%s", repo))->path = dir;
}

static void list(struct store_items *to, struct arena *a)
{
    size_t nroots, npublishers, nrepos;
    const char *const *root = roots(a, &nroots);

    for (size_t i = 0; i < nroots; i++) {
        const char **publisher = dir_names(root[i], a, &npublishers);

        for (size_t k = 0; k < npublishers; k++) {
            const char *dir = path_join(a, root[i], publisher[k]);
            const char **repo = dir_names(dir, a, &nrepos);

            for (size_t r = 0; r < nrepos; r++)
                list_repo(to, a, path_join(a, dir, repo[r]), path_join(a, publisher[k], repo[r]));
        }
    }
}

const struct store store_lmstudio = { "lmstudio", "LM Studio", "PUBLISHER/REPO[/FILE]", find, list, roots };
