/* window.c - attention that ends a number of tokens back, in all layers or in some.
 *
 * GGUF has a key for it in some families only; what others are trained with becomes a hint, so that a directory is run as
 * transformers runs it, while its GGUF attends to all of the context, as llama.cpp does: the same up to the window's length.
 * Which layers: transformers' configuration_*.py. */
#include "convert/config.h"

#include <inttypes.h>
#include <string.h>

enum { MAX_LAYERS = 1 << 16 };          /* beyond any model; bounds what a number in the config makes us allocate */

static const char pattern_key[] = "{arch}.attention.sliding_window_pattern";

int check_layer_types(struct conversion *c, const struct key_map *k, struct fail *f)
{
    const cJSON *list = config_use(c, k->from, "a check", "the pattern this family has"), *item;
    unsigned period = c->arch->block.window_period, i = 0;

    cJSON_ArrayForEach(item, list) {
        const char *want = i % period < period - 1 ? "sliding_attention" : "full_attention";
        if (!cJSON_IsString(item) || strcmp(item->valuestring, want) != 0)
            return fail(f, FAIL_INPUT, "layer %u of '%s' in config.json is not '%s', and GGUF has no key for that in this model family",
                        i, k->from, want);
        i++;
    }
    return 0;
}

/* The hint that layers have a window of `window` tokens; with[layer] NULL: all. */
static void hint(struct conversion *c, uint32_t window, const uint8_t *with, uint64_t layers)
{
    meta_set_u32(&c->hints, c->arena, config_key(c, "{arch}.attention.sliding_window"), window);
    if (with)
        meta_set_array(&c->hints, c->arena, config_key(c, pattern_key), META_BOOL, layers, with);
}

static int find_window(struct conversion *c, const struct key_map *k, uint32_t *window, struct fail *f)
{
    static const char how[] = "how far a run of this directory looks back: GGUF has no key for it in this family";
    const cJSON *item = config_find(c, k->from);
    bool found;

    *window = k->flags & KEY_DEFAULT && !cJSON_HasObjectItem(c->config, k->from) ? (uint32_t)k->fallback : 0;
    if (!item)
        return 0;
    if (config_u32(c, k->from, how, window, &found, f))
        return -1;
    return *window ? 0 : fail(f, FAIL_INPUT, "'%s' in config.json is 0", k->from);
}

int put_window(struct conversion *c, const struct key_map *k, struct fail *f)
{
    uint32_t window;

    if (find_window(c, k, &window, f))
        return -1;
    if (window)
        hint(c, window, NULL, 0);
    return 0;
}

/* A list of names for each layer, as the config has it. */
static int read_layer_types(struct conversion *c, const cJSON *list, uint8_t *with, uint64_t layers, struct fail *f)
{
    const cJSON *item;
    uint64_t i = 0;

    if (!cJSON_IsArray(list) || (uint64_t)cJSON_GetArraySize(list) != layers)
        return fail(f, FAIL_INPUT, "'layer_types' in config.json is no list of %" PRIu64 " layers", layers);
    cJSON_ArrayForEach(item, list) {
        const char *name = cJSON_IsString(item) ? item->valuestring : "";
        with[i] = strcmp(name, "sliding_attention") == 0;
        if (!with[i] && strcmp(name, "full_attention") != 0)
            return fail(f, FAIL_INPUT, "layer %" PRIu64 " of 'layer_types' in config.json is neither 'full_attention' nor "
                        "'sliding_attention'", i);
        i++;
    }
    config_use(c, "layer_types", "how far each layer of a run of this directory looks back", NULL);
    return 0;
}

int put_switched_window(struct conversion *c, const struct key_map *k, struct fail *f)
{
    uint64_t layers = meta_u64(&c->meta, config_key(c, "{arch}.block_count"), 0);
    const cJSON *list = config_find(c, "layer_types");
    uint32_t window = 0, rest = 28;     /* what transformers takes max_window_layers to be */
    bool on = config_true(c, "use_sliding_window"), found, any = false;
    uint8_t *with;

    config_use(c, "use_sliding_window", "whether a run of this directory has a window", NULL);
    if (config_u32(c, "max_window_layers", "which layers of a run of this directory have a window", &rest, &found, f) ||
        (on ? find_window(c, k, &window, f) : 0))
        return -1;
    if (!on && config_find(c, k->from))
        account_ignored(c->account, ACCOUNT_KEY, k->from, "without use_sliding_window it has no effect");
    if (layers > MAX_LAYERS)
        return fail(f, FAIL_INPUT, "num_hidden_layers in config.json is %" PRIu64, layers);
    with = arena_array(c->arena, uint8_t, layers);
    for (uint64_t i = 0; i < layers; i++)
        with[i] = i >= rest;
    if (list && read_layer_types(c, list, with, layers, f))
        return -1;
    for (uint64_t i = 0; i < layers; i++)
        any = any || with[i];
    if (list && any && !window)
        return fail(f, FAIL_INPUT, "'layer_types' in config.json has layers of 'sliding_attention', but there is no window");
    if (window && any)
        hint(c, window, with, layers);
    return 0;
}
