/* companions.c - which files of a Hugging Face directory travel with converted weights. */
#include "convert/companions.h"

#include "convert/dequantize.h"
#include "formats/file.h"
#include "formats/json.h"

#include <dirent.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_FILES = 256, MOST_BYTES = 64 << 20 };

static const char *const travel[] = {
    "*.json", "*.jinja", "*.model", "*.txt", "*.md", "LICENSE*", "LICENCE*", "NOTICE*", "COPYING*", "*USE_POLICY*", NULL
};
static const char *const stay[] = { "*.index.json", ".*", NULL };

static bool matches(const char *const *patterns, const char *name)
{
    for (; *patterns; patterns++)
        if (fnmatch(*patterns, name, 0) == 0)
            return true;
    return false;
}

/* transformers' word for an encoding, as config.json spells it. */
static const char *torch_name(const struct qtype *type)
{
    static const char *const words[][2] = { { "f32", "float32" }, { "f16", "float16" }, { "bf16", "bfloat16" } };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(type->name, words[i][0]) == 0)
            return words[i][1];
    return NULL;
}

/* A config again, with the dtype of the new weights under the name it had. */
static int edit_config(struct plan_extra *config, const struct qtype *type, bool decoded, const char *path, struct arena *a, struct fail *f)
{
    static const char *const keys[] = { "torch_dtype", "dtype" };
    struct arena scratch = {0};
    cJSON *root = json_parse(config->bytes, config->n, path, &scratch, f);
    const char *word = torch_name(type);
    char *text;

    for (size_t i = 0; root && word && i < sizeof keys / sizeof *keys; i++)
        if (cJSON_GetObjectItemCaseSensitive(root, keys[i]))
            cJSON_ReplaceItemInObjectCaseSensitive(root, keys[i], cJSON_CreateString(word));
    if (root && decoded)
        dequantize_unsay(root);
    text = root ? cJSON_Print(root) : NULL;
    if (text) {
        config->n = strlen(text);
        config->bytes = arena_copy(a, text, config->n);
    }
    free(text);
    arena_release(&scratch);
    return root ? 0 : -1;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct plan_extra *)a)->name, ((const struct plan_extra *)b)->name);
}

static bool is_config(const char *name, bool decoded)
{
    return strcmp(name, "config.json") == 0 || (decoded && strcmp(name, "params.json") == 0);
}

static int add(struct plan_extra *e, const char *dir, const char *name, struct arena *a, struct fail *f)
{
    e->name = arena_strdup(a, name);
    e->bytes = file_read_text(path_join(a, dir, name), MOST_BYTES, a, &e->n, f);
    return e->bytes ? 0 : -1;
}

int companions_of(const char *dir, const struct qtype *type, bool decoded, struct arena *a, const struct plan_extra **list, size_t *n,
                  struct fail *f)
{
    struct plan_extra *extra = arena_array(a, struct plan_extra, MOST_FILES);
    DIR *d = opendir(dir);
    struct dirent *entry;
    int bad = 0;

    *n = 0;
    *list = extra;
    if (!d)
        return fail_errno(f, "directory '%s' cannot be read", dir);
    while (!bad && *n < MOST_FILES && (entry = readdir(d)))
        if (matches(travel, entry->d_name) && !matches(stay, entry->d_name) && !(decoded && dequantize_is_file(entry->d_name)) &&
            !path_is_dir(path_join(a, dir, entry->d_name)))
            bad = add(&extra[(*n)++], dir, entry->d_name, a, f);
    closedir(d);
    qsort(extra, *n, sizeof *extra, by_name);
    for (size_t i = 0; !bad && type && i < *n; i++)
        if (is_config(extra[i].name, decoded))
            bad = edit_config(&extra[i], type, decoded, path_join(a, dir, extra[i].name), a, f);
    return bad;
}
