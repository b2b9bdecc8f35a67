/* rope.c - rotary positions: the base frequency, and the ways of stretching them beyond the trained length.
 *
 * Where transformers keeps them: up to 4.x 'rope_theta' at the top of config.json and an object 'rope_scaling' with 'type'
 * (later 'rope_type'), 'factor' ...; from 5.x one object 'rope_parameters' that holds all of them. What GGUF makes of
 * them: conversion/base.py (set_gguf_parameters) and conversion/llama.py (generate_extra_tensors) of llama.cpp; the
 * formulas: transformers' modeling_rope_utils.py. */
#include "convert/config.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct rope {
    const char *object;         /* "rope_parameters", "rope_scaling"; NULL: config.json has neither */
    const char *type;
    double theta;
    uint32_t dims;              /* of a head, that turn */
    bool log_multiplier;        /* the family has keys for YaRN's mscale_all_dim */
};

/* One way of stretching: its names in config.json, the name in rope.scaling.type (NULL: the key is not written). */
struct rope_type {
    const char *names, *gguf;
    int (*put)(struct conversion *, const struct rope *, struct fail *);
};

/* Parameters that some type of scaling reads; under another type they have no effect. */
static const char *const parameters[] = {
    "factor", "original_max_position_embeddings", "attention_factor", "beta_fast", "beta_slow", "short_factor",
    "long_factor", "low_freq_factor", "high_freq_factor", "finetuned", NULL
};

/* "object.name", the path of a parameter. */
static const char *path(struct conversion *c, const struct rope *r, const char *name)
{
    return arena_printf(c->arena, "%s.%s", r->object, name);
}

/* A parameter that the scaling cannot do without, as a double. */
static int want(struct conversion *c, const struct rope *r, const char *name, const char *to, double *out, struct fail *f)
{
    bool found;

    if (config_f64(c, path(c, r, name), to, out, &found, f))
        return -1;
    if (!found)
        return fail(f, FAIL_INPUT, "'%s' in config.json is of type '%s' but lacks '%s'", r->object, r->type, name);
    return 0;
}

/* A parameter that becomes a float key if it is there; `names` may hold alternatives. */
static int put_optional(struct conversion *c, const struct rope *r, const char *names, const char *to, struct fail *f)
{
    char *list = arena_strdup(c->arena, names), *rest = list;

    for (char *name; (name = strsep(&rest, "|")) != NULL;) {
        double d = 0;
        bool found;
        if (config_f64(c, path(c, r, name), to, &d, &found, f))
            return -1;
        if (found) {
            meta_set_f32(&c->meta, c->arena, config_key(c, to), (float)d);
            return 0;
        }
    }
    return 0;
}

/* The trained length before stretching. transformers gives the top-level key priority and falls back to the context. */
static int original_length(struct conversion *c, const struct rope *r, const char *to, uint32_t *out, struct fail *f)
{
    const char *nested = path(c, r, "original_max_position_embeddings");
    bool found = false;

    if (config_find(c, "original_max_position_embeddings") && config_find(c, nested))
        account_ignored(c->account, ACCOUNT_KEY, nested, "the same key at the top level goes first");
    if (config_u32(c, arena_printf(c->arena, "original_max_position_embeddings|%s", nested), to, out, &found, f))
        return -1;
    if (!found)
        *out = (uint32_t)meta_u64(&c->meta, config_key(c, "{arch}.context_length"), 0);
    if (!*out)
        return fail(f, FAIL_INPUT, "original_max_position_embeddings in config.json is 0");
    return 0;
}

static int put_factor(struct conversion *c, const struct rope *r, struct fail *f)
{
    double factor = 0;

    if (want(c, r, "factor", "{arch}.rope.scaling.factor", &factor, f))
        return -1;
    meta_set_f32(&c->meta, c->arena, config_key(c, "{arch}.rope.scaling.factor"), (float)factor);
    return 0;
}

/* ---- the types ---- */
static int put_default(struct conversion *c, const struct rope *r, struct fail *f)
{
    (void)c, (void)r, (void)f;
    return 0;
}

/* Changes the base only beyond max_position_embeddings, at run time. GGUF has no key for it: it is for runs of the directory. */
static int put_dynamic(struct conversion *c, const struct rope *r, struct fail *f)
{
    double factor = 0;

    if (want(c, r, "factor", "how positions beyond max_position_embeddings turn in runs of this directory", &factor, f))
        return -1;
    if (!(factor > 0))
        return fail(f, FAIL_INPUT, "'%s.factor' in config.json is %g", r->object, factor);
    meta_set_f32(&c->hints, c->arena, config_key(c, "{arch}.rope.scaling.dynamic_factor"), (float)factor);
    return 0;
}

/* llama.cpp's converter writes yarn_attn_factor, which most of llama.cpp's families do not read: they multiply YaRN's own temperature
 * by attn_factor. So both are there. */
static void put_attention_factor(struct conversion *c)
{
    double attention = meta_f64(&c->meta, config_key(c, "{arch}.rope.scaling.yarn_attn_factor"), 0),
           factor = meta_f64(&c->meta, config_key(c, "{arch}.rope.scaling.factor"), 1);

    if (attention > 0)
        meta_set_f32(&c->meta, c->arena, config_key(c, "{arch}.rope.scaling.attn_factor"),
                     (float)(attention / (1 + 0.1 * log(fmax(factor, 1)))));
}

static int put_yarn(struct conversion *c, const struct rope *r, struct fail *f)
{
    static const char *const unsayable[] = { "mscale", "mscale_all_dim", NULL };
    uint32_t length = 0;

    for (const char *const *name = unsayable; *name && !r->log_multiplier; name++)
        if (config_find(c, path(c, r, *name)))
            return fail(f, FAIL_INPUT, "'%s.%s' in config.json has no key in GGUF for this model family", r->object, *name);
    if (cJSON_IsFalse(config_use(c, path(c, r, "truncate"), "a check", "the value this family has")))
        return fail(f, FAIL_INPUT, "'%s.truncate' in config.json is false, which GGUF cannot say", r->object);
    if (put_factor(c, r, f) || original_length(c, r, "{arch}.rope.scaling.original_context_length", &length, f))
        return -1;
    meta_set_u32(&c->meta, c->arena, config_key(c, "{arch}.rope.scaling.original_context_length"), length);
    if (put_optional(c, r, "extrapolation_factor", "{arch}.rope.scaling.yarn_ext_factor", f) ||
        put_optional(c, r, "attention_factor|attn_factor", "{arch}.rope.scaling.yarn_attn_factor", f) ||
        put_optional(c, r, "beta_fast", "{arch}.rope.scaling.yarn_beta_fast", f) ||
        put_optional(c, r, "beta_slow", "{arch}.rope.scaling.yarn_beta_slow", f))
        return -1;
    put_attention_factor(c);
    return 0;
}

static void generate(struct conversion *c, const char *name, uint64_t n, const float *data)
{
    c->generated[c->ngenerated++] = (struct generated){ name, n, data };
}

/* A list of one factor for each pair of a head, as a tensor. */
static int generate_list(struct conversion *c, const struct rope *r, const char *key, const char *tensor, struct fail *f)
{
    const cJSON *list = config_use(c, path(c, r, key), tensor, NULL), *item;
    uint32_t n = 0, pairs = r->dims / 2;
    float *data;

    if (!list || !cJSON_IsArray(list) || (uint32_t)cJSON_GetArraySize(list) != pairs)
        return fail(f, FAIL_INPUT, "'%s.%s' in config.json must be a list of %" PRIu32 " numbers, half of head_dim", r->object,
                    key, pairs);
    data = arena_array(c->arena, float, pairs);
    cJSON_ArrayForEach(item, list) {
        if (!cJSON_IsNumber(item))
            return fail(f, FAIL_INPUT, "item %" PRIu32 " of '%s.%s' in config.json is not a number", n, r->object, key);
        data[n++] = (float)item->valuedouble;
    }
    generate(c, tensor, pairs, data);
    return 0;
}

/* The two lists as tensors, and the attention factor into `m`. */
static int put_long_factors(struct conversion *c, const struct rope *r, struct meta *m, struct fail *f)
{
    uint64_t context = meta_u64(&c->meta, config_key(c, "{arch}.context_length"), 0);
    uint32_t length = 0;
    double factor = 0, attention = 1;
    bool found;

    if (original_length(c, r, "{arch}.rope.scaling.original_context_length", &length, f) ||
        config_f64(c, path(c, r, "factor"), "{arch}.rope.scaling.attn_factor", &factor, &found, f))
        return -1;
    if (!found || config_find(c, "original_max_position_embeddings"))
        factor = (double)context / length;
    if (config_f64(c, path(c, r, "attention_factor"), "{arch}.rope.scaling.attn_factor", &attention, &found, f))
        return -1;
    if (!found && factor > 1 && length > 1)
        attention = sqrt(1 + log(factor) / log(length));
    meta_set_f32(m, c->arena, config_key(c, "{arch}.rope.scaling.attn_factor"), (float)attention);
    if (generate_list(c, r, "long_factor", "rope_factors_long.weight", f) ||
        generate_list(c, r, "short_factor", "rope_factors_short.weight", f))
        return -1;
    return 0;
}

/* llama.cpp's converter writes only the type for this family and loses the factors; its loader takes them as tensors and
 * wants the length and the attention factor that it writes for Phi-3: so they are written here. */
static int put_longrope(struct conversion *c, const struct rope *r, struct fail *f)
{
    uint32_t length = 0;

    if (original_length(c, r, "{arch}.rope.scaling.original_context_length", &length, f))
        return -1;
    meta_set_u32(&c->meta, c->arena, config_key(c, "{arch}.rope.scaling.original_context_length"), length);
    return put_long_factors(c, r, &c->meta, f);
}

/* Wavelengths of up to old / high tokens stay, those beyond old / low are stretched by `factor`, those between partly. All in float32
 * in the order in which PyTorch computes the reference (number / tensor is reciprocal, then product), but with a power that
 * is rounded correctly, where PyTorch's is off by one in the last place for one value in a hundred. */
float rope_llama3_factor(uint32_t pair, uint32_t dims, double theta, double factor, double low, double high, double old)
{
    float exponent = (float)(2 * pair) / (float)dims, freq = 1.0f / (float)pow((double)(float)theta, (double)exponent);
    float wavelength = 1.0f / freq * (float)(2 * M_PI), smooth;

    if (wavelength < (float)(old / high))
        return 1.0f;
    if (wavelength > (float)(old / low))
        return (float)factor;
    smooth = (1.0f / wavelength * (float)old - (float)low) / (float)(high - low);
    return 1.0f / ((1.0f - smooth) / (float)factor + smooth);
}

static int put_llama3(struct conversion *c, const struct rope *r, struct fail *f)
{
    double factor = 0, low = 0, high = 0;
    uint32_t old = 0;
    float *data;

    if (want(c, r, "factor", "rope_freqs.weight", &factor, f) || want(c, r, "low_freq_factor", "rope_freqs.weight", &low, f) ||
        want(c, r, "high_freq_factor", "rope_freqs.weight", &high, f) ||
        original_length(c, r, "rope_freqs.weight", &old, f))
        return -1;
    if (!(factor > 0) || !(low > 0) || !(high > low))
        return fail(f, FAIL_INPUT, "'%s' in config.json has factor %g, low_freq_factor %g and high_freq_factor %g, where 0 < low "
                    "< high and 0 < factor are needed", r->object, factor, low, high);
    data = arena_array(c->arena, float, (r->dims + 1) / 2);
    for (uint32_t i = 0; i < (r->dims + 1) / 2; i++)
        data[i] = rope_llama3_factor(i, r->dims, r->theta, factor, low, high, old);
    generate(c, "rope_freqs.weight", (r->dims + 1) / 2, data);
    return 0;
}

static const struct rope_type types[] = {
    { "default", NULL, put_default },
    { "linear", "linear", put_factor },
    { "dynamic", NULL, put_dynamic },
    { "yarn", "yarn", put_yarn },
    { "longrope|su", "longrope", put_longrope },
    { "llama3|LLAMA3|Llama3", NULL, put_llama3 },
};

/* ---- reading ---- */
static const struct rope_type *type_named(const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        for (const char *p = types[i].names; *p; p += strcspn(p, "|"), p += *p == '|')
            if (strcspn(p, "|") == n && memcmp(p, name, n) == 0)
                return &types[i];
    return NULL;
}

/* Which object holds the parameters. transformers 5 lets a non-empty 'rope_scaling' win over 'rope_parameters', version 4
 * knows only the former: two that differ are two models. */
static int find_object(struct conversion *c, struct rope *r, struct fail *f)
{
    const cJSON *whole = config_find(c, "rope_parameters.full_attention"), *yesterday = config_find(c, "rope_scaling"),
                *today = whole ? whole : config_find(c, "rope_parameters");

    if (yesterday && !yesterday->child && !cJSON_IsString(yesterday)) {
        config_use(c, "rope_scaling", "a check", "empty: no scaling");
        yesterday = NULL;
    }
    if ((today && !cJSON_IsObject(today)) || (yesterday && !cJSON_IsObject(yesterday)))
        return fail(f, FAIL_INPUT, "'%s' in config.json is no object",
                    today && !cJSON_IsObject(today) ? "rope_parameters" : "rope_scaling");
    if (today && yesterday && !cJSON_Compare(today, yesterday, true))
        return fail(f, FAIL_INPUT, "'rope_scaling' and 'rope_parameters' in config.json differ");
    if (today && yesterday)
        config_use(c, "rope_scaling", "a check", "says the same as 'rope_parameters'");
    r->object = whole ? "rope_parameters.full_attention" : today ? "rope_parameters" : yesterday ? "rope_scaling" : NULL;
    return 0;
}

static int find_theta(struct conversion *c, const struct key_map *k, struct rope *r, struct fail *f)
{
    double outer = 0, inner = 0;
    bool has_outer, has_inner = false;

    if (config_f64(c, "rope_theta", "{arch}.rope.freq_base", &outer, &has_outer, f) ||
        (r->object && config_f64(c, path(c, r, "rope_theta"), "{arch}.rope.freq_base", &inner, &has_inner, f)))
        return -1;
    if (has_outer && has_inner && outer != inner)
        return fail(f, FAIL_INPUT, "'rope_theta' in config.json is %.9g, but %.9g in '%s'", outer, inner, r->object);
    /* Llama 1 and 2 were published without the key; 10000 is what every version of transformers takes then. */
    r->theta = has_inner ? inner : has_outer ? outer : k->flags & KEY_DEFAULT ? k->fallback : 10000.0;
    return r->theta > 0 ? 0 : fail(f, FAIL_INPUT, "'rope_theta' in config.json is %g", r->theta);
}

static const struct rope_type *find_type(struct conversion *c, struct rope *r, struct fail *f)
{
    const char *both = r->object ? arena_printf(c->arena, "%s.rope_type|%s.type", r->object, r->object) : NULL;
    const cJSON *item = both ? config_use(c, both, "how positions are scaled", NULL) : NULL,
                *old = both ? config_use(c, path(c, r, "type"), "how positions are scaled", NULL) : NULL;
    const struct rope_type *type = NULL;

    r->type = item ? item->valuestring : "default";
    if (item && !cJSON_IsString(item))
        fail(f, FAIL_INPUT, "'%s.%s' in config.json is no string", r->object, item->string);
    else if (old && !cJSON_Compare(item, old, true))
        fail(f, FAIL_INPUT, "'rope_type' and 'type' in '%s' of config.json differ", r->object);
    else if ((type = type_named(r->type)) == NULL)
        fail(f, FAIL_INPUT, "'%s.rope_type' in config.json is '%s', which is not known (known: default, linear, dynamic, yarn, "
             "longrope, llama3)", r->object, r->type);
    return type;
}

/* The head's width, before put_head_dim() writes its keys: the order of keys is the reference's. */
static int find_dims(struct conversion *c, struct rope *r, struct fail *f)
{
    uint64_t width = meta_u64(&c->meta, config_key(c, "{arch}.embedding_length"), 0),
             heads = meta_u64(&c->meta, config_key(c, "{arch}.attention.head_count"), 0);
    bool found;

    if (config_u32(c, "head_dim", "{arch}.attention.key_length", &r->dims, &found, f))
        return -1;
    if (!found)
        r->dims = heads ? (uint32_t)(width / heads) : 0;
    if (r->dims == 0 || r->dims > 65536)
        return fail(f, FAIL_INPUT, "head_dim in config.json is %" PRIu32, r->dims);
    return 0;
}

static int whole_heads(struct conversion *c, const struct rope *r, struct fail *f)
{
    const cJSON *partial = r->object ? config_use(c, path(c, r, "partial_rotary_factor"), "a check", NULL) : NULL;

    if (partial && (!cJSON_IsNumber(partial) || partial->valuedouble != 1.0))
        return fail(f, FAIL_INPUT, "'%s.partial_rotary_factor' in config.json is not 1, and this model family turns whole heads",
                    r->object);
    return 0;
}

static void ignore_parameters(struct conversion *c, const struct rope *r)
{
    for (const char *const *p = parameters; r->object && *p; p++)
        if (config_find(c, path(c, r, *p)))
            account_ignored(c->account, ACCOUNT_KEY, path(c, r, *p), "has no effect with this type of scaling");
    if (config_find(c, "original_max_position_embeddings"))
        account_ignored(c->account, ACCOUNT_KEY, "original_max_position_embeddings", "has no effect with this type of scaling");
}

/* Phi-3's own keys: a part of each head turns, and the factors of longrope come without a type, their attention factor before all
 * other keys (conversion/phi.py). */
int put_partial_rope(struct conversion *c, const struct key_map *k, struct fail *f)
{
    uint64_t width = meta_u64(&c->meta, config_key(c, "{arch}.embedding_length"), 0),
             heads = meta_u64(&c->meta, config_key(c, "{arch}.attention.head_count"), 0);
    struct rope r = {0};
    double part = 1;
    bool found;

    if (find_object(c, &r, f) || find_theta(c, k, &r, f) || find_type(c, &r, f) == NULL)
        return -1;
    if (config_f64(c, "partial_rotary_factor", "{arch}.rope.dimension_count", &part, &found, f) ||
        (r.object && config_f64(c, path(c, &r, "partial_rotary_factor"), "{arch}.rope.dimension_count", &part, &found, f)))
        return -1;
    if (!(part > 0 && part <= 1) || !heads || width > UINT32_MAX)
        return fail(f, FAIL_INPUT, "partial_rotary_factor in config.json is %g, with %" PRIu64 " heads", part, heads);
    r.dims = (uint32_t)((double)width * part) / (uint32_t)heads;
    if (strcmp(r.type, "longrope") == 0 || strcmp(r.type, "su") == 0) {
        if (put_long_factors(c, &r, &c->early, f))
            return -1;
    } else if (strcmp(r.type, "default") != 0)
        return fail(f, FAIL_INPUT, "'%s.rope_type' in config.json is '%s', and GGUF has no key for it in this model family", r.object,
                    r.type);
    ignore_parameters(c, &r);
    meta_set_u32(&c->meta, c->arena, config_key(c, "{arch}.rope.dimension_count"), r.dims);
    meta_set_f32(&c->meta, c->arena, config_key(c, "{arch}.rope.freq_base"), (float)r.theta);
    return 0;
}

int put_rope(struct conversion *c, const struct key_map *k, struct fail *f)
{
    struct rope r = { .log_multiplier = k->flags & KEY_LOG_MULTIPLIER };
    const struct rope_type *type;

    if (find_object(c, &r, f) || find_theta(c, k, &r, f) || (type = find_type(c, &r, f)) == NULL || find_dims(c, &r, f) ||
        whole_heads(c, &r, f))
        return -1;
    if (type->gguf)
        meta_set_str(&c->meta, c->arena, config_key(c, "{arch}.rope.scaling.type"), type->gguf);
    if (type->put(c, &r, f))
        return -1;
    ignore_parameters(c, &r);
    meta_set_f32(&c->meta, c->arena, config_key(c, "{arch}.rope.freq_base"), (float)r.theta);
    return 0;
}

int put_silent_rope(struct conversion *c, const struct key_map *k, struct fail *f)
{
    const char *base = config_key(c, "{arch}.rope.freq_base");
    size_t before = c->meta.n;

    if (put_rope(c, k, f))
        return -1;
    if (c->meta.n == before + 1 && meta_f64(&c->meta, base, 0) == k->fallback)
        meta_remove(&c->meta, base);
    return 0;
}
