/* rope_back.c - rope.scaling.*, rope.freq_base and tensors of factors back into 'rope_theta' and 'rope_scaling', the
 * spelling that transformers 4 and 5 both read. */
#include "convert/config.h"
#include "convert/unrename.h"

#include <math.h>
#include <string.h>

/* A scaling parameter: its canonical key behind "rope.scaling.", its name in config.json; NULL: it says again what the row before it says,
 * for readers that do not know that key. */
struct parameter {
    const char *key, *name;
    bool whole, needed;
};

/* One type of scaling, and the tensors whose factors become lists. */
struct back_type {
    const char *gguf;
    struct parameter parameter[7];
    const char *list[2][2];             /* tensor, name in config.json */
};

static const struct back_type types[] = {
    { "linear", { { "factor", "factor", false, true } }, { { NULL } } },
    { "yarn", { { "factor", "factor", false, true },
                { "original_context_length", "original_max_position_embeddings", true, true },
                { "yarn_ext_factor", "extrapolation_factor", false, false },
                { "yarn_attn_factor", "attention_factor", false, false },
                { "attn_factor", NULL, false, false },
                { "yarn_beta_fast", "beta_fast", false, false },
                { "yarn_beta_slow", "beta_slow", false, false } }, { { NULL } } },
    { "longrope", { { "original_context_length", "original_max_position_embeddings", true, true },
                    { "attn_factor", "attention_factor", false, false } },
      { { "rope_factors_long.weight", "long_factor" }, { "rope_factors_short.weight", "short_factor" } } },
};

static const float *factors(struct reversal *r, const char *name, uint64_t *n, struct fail *f)
{
    const struct tensor *t = model_tensor(r->from, name);

    if (!t || t->rank != 1) {
        fail(f, FAIL_INPUT, "tensor '%s' is %s", name, t ? "no vector" : "missing");
        return NULL;
    }
    account_used(r->account, ACCOUNT_TENSOR, name, "rope_scaling", NULL);
    *n = tensor_row(t);
    return model_rows_f32(r->from, t, 0, 1, r->arena, f);
}

static int put_list(struct reversal *r, cJSON *scaling, const char *const list[2], struct fail *f)
{
    uint64_t n;
    const float *data = factors(r, list[0], &n, f);
    cJSON *array = data ? cJSON_AddArrayToObject(scaling, list[1]) : NULL;

    for (uint64_t i = 0; data && i < n; i++)
        cJSON_AddItemToArray(array, cJSON_CreateNumber(reversal_f32((double)data[i])));
    return data ? 0 : -1;
}

static int put_parameter(struct reversal *r, const struct back_type *type, const struct parameter *p, cJSON *scaling, struct fail *f)
{
    const char *key = arena_printf(r->arena, "rope.scaling.%s", p->key);
    const struct meta_value *v = reversal_use(r, key, p->name ? arena_printf(r->arena, "rope_scaling.%s", p->name) : "rope_scaling");

    if (!v && p->needed)
        return fail(f, FAIL_INPUT, "key '%s.%s' is missing, which '%s' scaling needs", r->arch, key, type->gguf);
    if (v && v->type != (p->whole ? META_UINT32 : META_FLOAT32))
        return fail(f, FAIL_INPUT, "key '%s.%s' is of type %s", r->arch, key, meta_type_name(v->type));
    if (v && !p->name)
        return meta_get(&r->from->meta, arena_printf(r->arena, "%s.rope.scaling.%s", r->arch, p[-1].key)) ? 0
               : fail(f, FAIL_INPUT, "key '%s.%s' has no place in config.json without '%s'", r->arch, key, p[-1].key);
    if (v && p->whole)
        cJSON_AddNumberToObject(scaling, p->name, (double)v->u);
    else if (v)
        cJSON_AddNumberToObject(scaling, p->name, reversal_f32(v->f));
    return 0;
}

static int put_type(struct reversal *r, const struct back_type *type, cJSON *scaling, struct fail *f)
{
    for (size_t i = 0; i < sizeof type->parameter / sizeof *type->parameter && type->parameter[i].key; i++)
        if (put_parameter(r, type, &type->parameter[i], scaling, f))
            return -1;
    for (int i = 0; i < 2 && type->list[i][0]; i++)
        if (put_list(r, scaling, type->list[i], f))
            return -1;
    return 0;
}

/* Are these the factors of Llama 3's scaling? A converter with another pow may be off in the last place. */
static bool is_llama3(const float *data, uint64_t n, double theta, double factor, double old)
{
    for (uint64_t i = 0; i < n; i++) {
        float want = rope_llama3_factor((uint32_t)i, (uint32_t)(2 * n), theta, factor, 1, 4, old);
        if (!(fabsf(data[i] - want) <= 1e-6f * want))
            return false;
    }
    return true;
}

/* The file holds the factors, config.json the parameters: the length is searched, with the frequency bounds 1 and 4 that all
 * published models have. Where several lengths give the same factors they are the same model. */
static int put_llama3(struct reversal *r, double theta, cJSON *scaling, struct fail *f)
{
    uint64_t n;
    const float *data = factors(r, "rope_freqs.weight", &n, f);
    float factor = 0;

    for (uint64_t i = 0; data && i < n; i++)
        factor = data[i] > factor ? data[i] : factor;
    for (uint32_t old = 8192, i = 0; data && i < 16; i++, old = i < 8 ? old * 2 : i == 8 ? 4096 : old / 2)
        if (is_llama3(data, n, theta, (double)factor, old)) {
            cJSON_AddStringToObject(scaling, "rope_type", "llama3");
            cJSON_AddNumberToObject(scaling, "factor", reversal_f32((double)factor));
            cJSON_AddNumberToObject(scaling, "low_freq_factor", 1);
            cJSON_AddNumberToObject(scaling, "high_freq_factor", 4);
            cJSON_AddNumberToObject(scaling, "original_max_position_embeddings", old);
            return 0;
        }
    return data ? fail(f, FAIL_INPUT, "tensor 'rope_freqs.weight' holds factors that no setting of 'llama3' scaling gives") : -1;
}

int back_rope(struct reversal *r, struct fail *f)
{
    const struct meta_value *base = reversal_use(r, "rope.freq_base", "rope_theta"),
                            *type = reversal_use(r, "rope.scaling.type", "rope_scaling.rope_type");
    double theta = base && base->type == META_FLOAT32 ? base->f : 10000;
    cJSON *scaling;

    cJSON_AddNumberToObject(r->config, "rope_theta", reversal_f32(theta));
    if (type && type->type != META_STRING)
        return fail(f, FAIL_INPUT, "key '%s.rope.scaling.type' is of type %s", r->arch, meta_type_name(type->type));
    if ((!type || strcmp(type->s.s, "none") == 0) && !model_tensor(r->from, "rope_freqs.weight"))
        return 0;
    scaling = cJSON_AddObjectToObject(r->config, "rope_scaling");
    if (!type || strcmp(type->s.s, "none") == 0)
        return put_llama3(r, theta, scaling, f);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(type->s.s, types[i].gguf) == 0) {
            cJSON_AddStringToObject(scaling, "rope_type", types[i].gguf);
            return put_type(r, &types[i], scaling, f);
        }
    return fail(f, FAIL_INPUT, "key '%s.rope.scaling.type' is '%s', which is not known (known: none, linear, yarn, longrope)", r->arch,
                type->s.s);
}
