/* encoder.c - keys that encoders share: what lies beside config.json in sentence-transformers' layout, and labels.
 *
 * modules.json lists the steps from text to vector, each with a folder; the folder of the one whose type ends with "Pooling"
 * has a config.json that says how. A final step "Normalize" has no place in GGUF: readers normalize. */
#include "convert/arch/encoder.h"

#include "formats/file.h"
#include "formats/text.h"

#include <string.h>

enum { MODULES_NBYTES = 1 << 20, LABELS_MAX = 1 << 16 };

static const struct {
    const char *flag, *mode;        /* of older and of newer files */
    uint32_t type;                  /* llama.cpp's enum llama_pooling_type */
} poolings[] = {
    { "pooling_mode_mean_tokens", "mean", 1 }, { "pooling_mode_cls_token", "cls", 2 }, { "pooling_mode_lasttoken", "lasttoken", 3 },
};

/* The folder of the pooling step, NULL if there is none. */
static const char *pooling_folder(const cJSON *modules)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, modules)
        if (ends_with(json_str(item, "type", ""), "Pooling"))
            return json_str(item, "path", "");
    return NULL;
}

static int read_pooling(struct conversion *c, const char *folder, struct fail *f)
{
    const char *path = path_join(c->arena, path_join(c->arena, c->dir, folder), "config.json"), *mode;
    const cJSON *config;
    size_t i = 0, n = sizeof poolings / sizeof *poolings;

    if (strstr(folder, "..") || *folder == '/')
        return fail(f, FAIL_INPUT, "modules.json names the folder '%.100s', which is not below it", folder);
    if (!(config = json_read(path, MODULES_NBYTES, c->arena, f)))
        return -1;
    mode = json_str(config, "pooling_mode", "");
    while (i < n && !cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(config, poolings[i].flag)))
        i++;
    for (size_t k = 0; k < n && i == n; k++)
        if (strcmp(mode, poolings[k].mode) == 0)
            i = k;
    if (i == n)
        return fail(f, FAIL_INPUT, "the way of pooling is not known: only mean, cls and lasttoken are"), fail_in(f, path);
    meta_set_u32(&c->meta, c->arena, config_key(c, "{arch}.pooling_type"), poolings[i].type);
    return 0;
}

int put_pooling(struct conversion *c, const struct key_map *k, struct fail *f)
{
    const char *path = c->dir ? path_join(c->arena, c->dir, "modules.json") : NULL, *folder;
    const cJSON *modules;

    (void)k;
    meta_set_bool(&c->meta, c->arena, config_key(c, "{arch}.attention.causal"), false);
    if (!path || !path_exists(path))
        return 0;
    if (!(modules = json_read(path, MODULES_NBYTES, c->arena, f)))
        return -1;
    folder = pooling_folder(modules);
    return folder ? read_pooling(c, folder, f) : 0;
}

/* {"0": "name", ...} by number; NULL: a number is missing. */
static struct meta_string *read_labels(const cJSON *map, size_t n, struct arena *a)
{
    struct meta_string *label = arena_array(a, struct meta_string, n);

    for (size_t i = 0; i < n; i++) {
        const char *text = json_str(map, arena_printf(a, "%zu", i), NULL);

        if (!text)
            return NULL;
        label[i] = (struct meta_string){ arena_strdup(a, text), strlen(text) };
    }
    return label;
}

int put_labels(struct conversion *c, const struct key_map *k, struct fail *f)
{
    const cJSON *map = config_find(c, "id2label"),
                *class = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(c->config, "architectures"), 0);
    bool classifies = cJSON_IsString(class) && ends_with(class->valuestring, "ForSequenceClassification"), found;
    size_t n = cJSON_IsObject(map) ? (size_t)cJSON_GetArraySize(map) : 0;
    uint32_t count = 2;

    if (n > LABELS_MAX)
        return fail(f, FAIL_INPUT, "'id2label' in config.json has %zu labels", n);
    if (config_u32(c, "num_labels", k->to, &count, &found, f))
        return -1;
    struct meta_string *label = n && !(n == 2 && strcmp(json_str(map, "0", ""), "LABEL_0") == 0) ? read_labels(map, n, c->arena) : NULL;
    if (label)
        meta_set_array(&c->meta, c->arena, config_key(c, "{arch}.classifier.output_labels"), META_STRING, n, label);
    meta_set_u32(&c->meta, c->arena, config_key(c, k->to), n ? (uint32_t)n : count);
    if (classifies) {
        cJSON_AddTrueToObject(c->config, label ? NAMED_LABELS : PLAIN_LABELS);
        cJSON_AddTrueToObject(c->config, CLASSIFIES);
    }
    return 0;
}
