/* keys.c - see keys.h. */
#include "verify/keys.h"

#include "convert/arch.h"
#include "formats/text.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { SHOWN = 60 };            /* characters of a value */

struct comparison {
    const struct key_pair *pair;
    struct arena *arena;
    struct key_list *list;
    const char *architecture;
};

/* ---- what a key is about ---- */
static const struct key_class {
    const char *start;          /* of the key; the first that fits counts */
    bool damage;
    const char *why;
} classes[] = {
    { "general.architecture", true, "decides how the weights are used" },
    { "general.", false, "describes the model" },
    { "split.", false, "how the model is spread over files" },
    { "quantize.", false, "how the file was made" },
    { "tokenizer.ggml.padding_token_id", false, "padding is not used when text is generated" },
    { "tokenizer.source.", false, "a remark on the source's tokenizer" },
    { "tokenizer.chat_template", true, "how prompts are spelled" },
    { "tokenizer.", true, "how text becomes tokens" },
};

/* The type of the tensors tells what these tell, and it is compared tensor by tensor. */
static const char *const about_encoding[] = { "general.file_type", "general.quantization_version", "general.alignment" };

static bool is_listed(const char *const *list, const char *key)
{
    for (; list && *list; list++)
        if (strcmp(*list, key) == 0)
            return true;
    return false;
}

static bool is_passed(const struct comparison *c, const char *key)
{
    for (size_t i = 0; !c->pair->every && i < sizeof about_encoding / sizeof *about_encoding; i++)
        if (strcmp(about_encoding[i], key) == 0)
            return true;
    if (c->pair->no_description && starts_with(key, "general.") && strcmp(key, "general.architecture") != 0)
        return true;
    return is_listed(c->pair->ignore, key) || (c->pair->no_vocabulary && starts_with(key, "tokenizer."));
}

static struct key_class class_of(const struct comparison *c, const char *key)
{
    size_t n = strlen(c->architecture);

    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (starts_with(key, classes[i].start))
            return classes[i];
    if (n && strncmp(key, c->architecture, n) == 0 && key[n] == '.')
        return (struct key_class){ key, true, "what the weights compute" };
    return (struct key_class){ key, false, "not a key of this family" };
}

static void add(struct comparison *c, struct key_difference d)
{
    struct key_list *l = c->list;

    l->item = arena_grow(c->arena, l->item, &l->cap, l->n + 1, sizeof *l->item);
    d.key = arena_strdup(c->arena, d.key);
    l->item[l->n++] = d;
}

/* ---- values as text ---- */
static const char *quoted(struct arena *a, const char *s, uint64_t n)
{
    size_t some = n < SHOWN ? (size_t)n : SHOWN;

    while (some < n && some && ((unsigned char)s[some] & 0xc0) == 0x80)
        some--;                 /* not in the middle of a character */
    return arena_printf(a, "'%.*s%s'", (int)some, s, some < n ? "..." : "");
}

static const char *item_text(struct arena *a, const struct meta_array *array, uint64_t i);

static const char *value_text(struct arena *a, const struct meta_value *v)
{
    switch (v->type) {
    case META_STRING: return quoted(a, v->s.s, v->s.n);
    case META_BOOL: return v->u ? "true" : "false";
    case META_FLOAT32: return arena_printf(a, "%.9g", v->f);
    case META_FLOAT64: return arena_printf(a, "%.17g", v->f);
    case META_INT8: case META_INT16: case META_INT32: case META_INT64: return arena_printf(a, "%" PRId64, v->i);
    case META_ARRAY: return arena_printf(a, "%" PRIu64 " items of type %s", v->a.n, meta_type_name(v->a.type));
    default: return arena_printf(a, "%" PRIu64, v->u);
    }
}

static const char *item_text(struct arena *a, const struct meta_array *array, uint64_t i)
{
    const struct meta_string *s = (const struct meta_string *)array->items + i;

    if (array->type == META_STRING)
        return arena_printf(a, "%s at %" PRIu64, quoted(a, s->s, s->n), i);
    if (array->type == META_ARRAY)
        return arena_printf(a, "another list at %" PRIu64, i);
    return arena_printf(a, "%.9g at %" PRIu64, meta_array_f64(array, i), i);
}

/* ---- values ---- */
static bool same_item(const struct meta_array *x, const struct meta_array *y, uint64_t i);

static bool same_array(const struct meta_array *x, const struct meta_array *y, uint64_t *at, uint64_t *differing)
{
    *at = *differing = 0;
    if (x->type != y->type || x->n != y->n)
        return false;
    for (uint64_t i = x->n; i-- > 0;)
        if (!same_item(x, y, i)) {
            *at = i;
            ++*differing;
        }
    return !*differing;
}

static bool same_item(const struct meta_array *x, const struct meta_array *y, uint64_t i)
{
    size_t n = meta_type_bytes(x->type);
    uint64_t at, differing;

    if (x->type == META_STRING) {
        const struct meta_string *s = (const struct meta_string *)x->items + i, *t = (const struct meta_string *)y->items + i;
        return s->n == t->n && memcmp(s->s, t->s, s->n) == 0;
    }
    if (x->type == META_ARRAY)
        return same_array((const struct meta_array *)x->items + i, (const struct meta_array *)y->items + i, &at, &differing);
    return memcmp((const char *)x->items + i * n, (const char *)y->items + i * n, n) == 0;
}

static bool is_real(enum meta_type t)
{
    return t == META_FLOAT32 || t == META_FLOAT64;
}

/* The same number, or the same bits, whatever the width. */
static bool same_number(const struct meta_value *x, const struct meta_value *y)
{
    if (x->type == META_STRING || y->type == META_STRING || x->type == META_ARRAY || y->type == META_ARRAY)
        return false;
    if (is_real(x->type) || is_real(y->type))
        return is_real(x->type) && is_real(y->type) && (x->f == y->f || (isnan(x->f) && isnan(y->f)));
    return x->u == y->u;
}

static void add_array(struct comparison *c, const char *key, struct key_class class, const struct meta_array *x, const struct meta_array *y)
{
    uint64_t at, differing;
    struct key_difference d = { .key = key, .damage = class.damage, .why = class.why };
    struct meta_value left = { .type = META_ARRAY, .a = *x }, right = { .type = META_ARRAY, .a = *y };

    if (same_array(x, y, &at, &differing)) {
        c->list->equal++;
        return;
    }
    d.expected = differing ? item_text(c->arena, x, at) : value_text(c->arena, &left);
    d.found = differing ? item_text(c->arena, y, at) : value_text(c->arena, &right);
    if (differing > 1)
        d.why = arena_printf(c->arena, "%s; %" PRIu64 " of %" PRIu64 " items differ, the first is shown", class.why, differing, x->n);
    add(c, d);
}

static void compare_values(struct comparison *c, const char *key, const struct meta_value *x, const struct meta_value *y)
{
    struct key_class class = class_of(c, key);
    struct key_difference d = { .key = key, .damage = class.damage, .why = class.why };

    if (x->type == META_ARRAY && y->type == META_ARRAY) {
        add_array(c, key, class, &x->a, &y->a);
        return;
    }
    if (x->type == y->type && (x->type == META_STRING ? x->s.n == y->s.n && memcmp(x->s.s, y->s.s, x->s.n) == 0 : same_number(x, y))) {
        c->list->equal++;
        return;
    }
    d.expected = value_text(c->arena, x);
    d.found = value_text(c->arena, y);
    if (same_number(x, y))
        d.why = arena_printf(c->arena, "of type %s instead of %s, which readers may refuse", meta_type_name(y->type), meta_type_name(x->type));
    add(c, d);
}

/* ---- keys that one side leaves out ---- */
/* What llama.cpp takes a missing key of the family to be; NAN: it has to be there. */
static double assumed(const struct meta *m, const char *arch, const char *key)
{
    const struct meta_value *tokens = meta_get(m, "tokenizer.ggml.tokens");
    double heads = (double)arch_heads(m, arch, false), width = (double)arch_dim(m, arch, DIM_EMBD);
    const struct {
        const char *key;
        double value;
    } rows[] = {
        { "attention.head_count_kv", heads }, { "attention.key_length", width / heads }, { "attention.value_length", width / heads },
        { "rope.dimension_count", width / heads }, { "rope.freq_base", 10000 }, { "rope.scaling.factor", 1 },
        { "attention.causal", 1 }, { "expert_count", 0 }, { "expert_used_count", 0 },
        { "vocab_size", tokens && tokens->type == META_ARRAY ? (double)tokens->a.n : NAN },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].key, key) == 0)
            return rows[i].value;
    return NAN;
}

static bool is_implied(const struct comparison *c, const struct meta *m, const char *key, const struct meta_value *v)
{
    size_t n = strlen(c->architecture);
    double value = is_real(v->type) ? v->f : (double)v->u;

    if (!n || strncmp(key, c->architecture, n) != 0 || key[n] != '.' || v->type == META_STRING || v->type == META_ARRAY)
        return false;
    return value == assumed(m, c->architecture, key + n + 1);
}

/* llama.cpp's converter writes yarn_attn_factor and leaves out the key that most of llama.cpp's families read instead. */
static bool is_left_out(const struct comparison *c, const char *key)
{
    const char *other = arena_printf(c->arena, "%s.rope.scaling.yarn_attn_factor", c->architecture);

    return ends_with(key, ".rope.scaling.attn_factor") && meta_get(c->pair->found_meta, other);
}

/* `m` has the key, the other side has not. */
static void add_absent(struct comparison *c, const struct meta *m, const char *key, const struct meta_value *v, bool extra)
{
    struct key_class class = class_of(c, key);
    const char *text = value_text(c->arena, v);

    if (is_implied(c, m, key, v))
        c->list->implied++;
    else if (!extra && is_left_out(c, key))
        add(c, (struct key_difference){ key, text, NULL, false, "llama.cpp's converter leaves it out, and its readers take another temperature" });
    else
        add(c, (struct key_difference){ key, extra ? NULL : text, extra ? text : NULL, class.damage, class.why });
}

static void compare_meta(struct comparison *c)
{
    const struct meta *x = c->pair->expected_meta, *y = c->pair->found_meta;

    c->architecture = meta_str(x, "general.architecture", "");
    for (size_t i = 0; i < x->n; i++) {
        const struct meta_entry *e = &x->entry[i];
        const struct meta_value *v = meta_get(y, e->key);
        if (is_passed(c, e->key))
            continue;
        c->list->expected++;
        if (v)
            compare_values(c, e->key, &e->value, v);
        else
            add_absent(c, x, e->key, &e->value, false);
    }
    for (size_t i = 0; i < y->n; i++)
        if (!is_passed(c, y->entry[i].key) && !meta_get(x, y->entry[i].key))
            add_absent(c, y, y->entry[i].key, &y->entry[i].value, true);
}

/* ---- config.json ---- */
static const char *const describing[] = {
    "torch_dtype", "dtype", "transformers_version", "_name_or_path", "use_cache", "auto_map", "pad_token_id", NULL
};

static const char *config_text(struct comparison *c, const cJSON *v)
{
    char *text = v ? cJSON_PrintUnformatted(v) : NULL;
    const char *cut = text ? arena_printf(c->arena, "%.*s%s", SHOWN, text, strlen(text) > SHOWN ? "..." : "") : NULL;

    cJSON_free(text);
    return cut;
}

static bool same_config(const cJSON *x, const cJSON *y)
{
    if (!x || !y)
        return cJSON_IsNull(x ? x : y);                     /* null says as much as nothing */
    if (cJSON_IsNumber(x) && cJSON_IsNumber(y))
        return x->valuedouble == y->valuedouble || (float)x->valuedouble == (float)y->valuedouble;
    return cJSON_Compare(x, y, true);
}

static void compare_config(struct comparison *c, const cJSON *x, const cJSON *y, const char *path);

static void compare_member(struct comparison *c, const char *name, const cJSON *x, const cJSON *y, const char *path)
{
    const char *key = *path ? arena_printf(c->arena, "%s.%s", path, name) : name;
    bool describes = is_listed(describing, name);

    if (is_listed(c->pair->ignore, key))
        return;
    c->list->expected += x != NULL;
    if (cJSON_IsObject(x) && cJSON_IsObject(y)) {
        c->list->expected--;
        compare_config(c, x, y, key);
    } else if (same_config(x, y)) {
        c->list->equal += x != NULL;
    } else {
        add(c, (struct key_difference){ key, config_text(c, x), config_text(c, y), !describes && (x || !c->pair->partial),
                                        describes ? "describes the files" : !x && c->pair->partial ? "the source does not say" : "what the weights compute" });
    }
}

static void compare_config(struct comparison *c, const cJSON *x, const cJSON *y, const char *path)
{
    const cJSON *e;

    cJSON_ArrayForEach(e, x)
        compare_member(c, e->string, e, cJSON_GetObjectItemCaseSensitive(y, e->string), path);
    cJSON_ArrayForEach(e, y)
        if (!cJSON_GetObjectItemCaseSensitive(x, e->string))
            compare_member(c, e->string, NULL, e, path);
}

void keys_compare(const struct key_pair *pair, struct arena *a, struct key_list *list)
{
    struct comparison c = { pair, a, list, "" };

    *list = (struct key_list){0};
    if (pair->expected_meta && pair->found_meta)
        compare_meta(&c);
    if (cJSON_IsObject(pair->expected_config) && cJSON_IsObject(pair->found_config))
        compare_config(&c, pair->expected_config, pair->found_config, "");
}
