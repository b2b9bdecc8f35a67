/* unrename.c - the way back: a canonical model under Hugging Face's names and row order, with its config.json. */
#include "convert/unrename.h"

#include "convert/arch.h"
#include "convert/regroup.h"
#include "formats/index.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unnamed {
    struct model base;
    struct model *inner;
    struct origin {
        const struct tensor *ours;
        struct regroup regroup;
    } *origin;                          /* one per tensor; tensor.offset is its index */
    struct transposer *transposer;
};

static const void *unname_rows(struct model *m, const struct tensor *t, uint64_t first, uint64_t n, struct arena *tmp,
                               struct fail *f)
{
    struct unnamed *u = (struct unnamed *)m;
    const struct origin *o = &u->origin[t->offset];

    return regroup_rows(&o->regroup, u->inner, o->ours, first, n, tmp, f);
}

static void unname_close(struct model *m)
{
    struct unnamed *u = (struct unnamed *)m;
    struct model *inner = u->inner;

    arena_release(&m->arena);
    model_close(inner);
}

static const struct model_ops unname_ops = { unname_rows, unname_close };

/* ---- tensors ---- */
static int place(struct unnamed *u, struct reversal *r, const struct arch *arch, const struct tensor *t, struct fail *f)
{
    const char *dot = strrchr(t->name, '.');
    bool bias = dot && strcmp(dot, ".bias") == 0;
    struct place at;
    uint64_t layers = meta_u64(&r->from->meta, arena_printf(r->arena, "%s.block_count", arch->name), 0);

    if (!bias && !(dot && strcmp(dot, ".weight") == 0))
        return 0;                                           /* stays pending */
    for (const struct name_map *map = arch->tensors; map->ours; map++) {
        struct tensor *out = &u->base.tensor[u->base.ntensors];
        if (!arch_match(map->ours, t->name, (size_t)(dot - t->name), &at))
            continue;
        if (at.layer >= layers)
            return fail(f, FAIL_INPUT, "tensor '%s' belongs to layer %" PRIu64 ", but block_count is %" PRIu64, t->name, at.layer, layers);
        if (bias && !map->bias)
            return 0;
        struct origin *o = &u->origin[u->base.ntensors];
        *o = (struct origin){ t, regroup_of(&r->from->meta, arch->name, map->layout, bias, true, u->transposer) };
        if (arch_check_shape(&r->from->meta, arch->name, map, t, bias, false, "the metadata", f) ||
            regroup_tensor(&o->regroup, t, out, f))
            return -1;
        out->name = arch_spell(r->arena, map->theirs, at, bias ? ".bias" : ".weight");
        out->file = 0;
        out->offset = u->base.ntensors++;
        account_used(r->account, ACCOUNT_TENSOR, t->name, out->name, regroup_how(&o->regroup, r->arena));
        return 0;
    }
    return 0;
}

/* The key of a condition of the tables, "" for ALWAYS. */
static const char *condition_key(struct reversal *r, const char *condition)
{
    return condition ? arena_copy(r->arena, condition, strcspn(condition, "=")) : NULL;
}

/* Every layer has every weight; a bias that one has, all have; keys say which biases and whether there is an output. */
static int check_present(const struct unnamed *u, struct reversal *r, const struct arch *arch, struct fail *f)
{
    struct name_index have = {0};
    uint64_t layers = meta_u64(&r->from->meta, arena_printf(r->arena, "%s.block_count", arch->name), 0);

    for (size_t i = 0; i < u->base.ntensors; i++)
        name_index_add(&have, r->arena, u->base.tensor[i].name);
    for (const struct name_map *map = arch->tensors; map->theirs; map++) {
        const char *bias = condition_key(r, map->bias), *tied = condition_key(r, map->tied);
        bool biased = bias && name_index_find(&have, arch_spell(r->arena, map->theirs, (struct place){0}, ".bias")) >= 0,
             present = name_index_find(&have, arch_spell(r->arena, map->theirs, (struct place){0}, ".weight")) >= 0;
        if (bias && *bias && !cJSON_GetObjectItemCaseSensitive(r->config, bias))
            cJSON_AddBoolToObject(r->config, bias, biased);
        if (tied)
            cJSON_AddBoolToObject(r->config, tied, !present);
        for (uint64_t layer = 0; layer < (strstr(map->ours, "{L}") ? layers : 1); layer++)
            for (int ending = 0; ending < 2; ending++) {
                bool wanted = ending ? bias && (!*bias || cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(r->config, bias))) : !tied;
                const char *name = arch_spell(r->arena, map->theirs, (struct place){ .layer = layer }, ending ? ".bias" : ".weight");
                if (wanted && name_index_find(&have, name) < 0)
                    return fail(f, FAIL_INPUT, "tensor '%s' is missing", arch_spell(r->arena, map->ours, (struct place){ .layer = layer }, ending ? ".bias" : ".weight"));
            }
    }
    return 0;
}

/* ---- keys ---- */
const struct meta_value *reversal_use(struct reversal *r, const char *name, const char *to)
{
    const char *key = arena_printf(r->arena, "%s.%s", r->arch, name);
    const struct meta_value *v = meta_get(&r->from->meta, key);

    if (v)
        account_used(r->account, ACCOUNT_KEY, key, to, NULL);
    return v;
}

double reversal_f32(double value)
{
    char text[40] = "";

    for (int digits = 1; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtof(text, NULL) == (float)value)
            break;
    }
    return strtod(text, NULL);
}

static int back_typed(struct reversal *r, const struct key_map *k, struct fail *f)
{
    const char *name = arena_copy(r->arena, k->from, strcspn(k->from, "|")), *other = strchr(k->from, '|');
    const struct meta_value *v = reversal_use(r, k->to + strlen("{arch}."), name);

    if (!v) {       /* what stands in for it is in config.json already */
        if (k->flags & KEY_OPTIONAL || (other && cJSON_GetObjectItemCaseSensitive(r->config, other + 1)))
            return 0;
        return fail(f, FAIL_INPUT, "key '%s%s' is missing", r->arch, k->to + strlen("{arch}"));
    }
    if (v->type != k->type)
        return fail(f, FAIL_INPUT, "key '%s%s' is of type %s where %s is expected", r->arch, k->to + strlen("{arch}"),
                    meta_type_name(v->type), meta_type_name(k->type));
    switch (k->type) {
    case META_UINT32:  cJSON_AddNumberToObject(r->config, name, (double)v->u); break;
    case META_FLOAT32: cJSON_AddNumberToObject(r->config, name, reversal_f32(v->f)); break;
    case META_BOOL:    cJSON_AddBoolToObject(r->config, name, v->u != 0); break;
    default:           cJSON_AddStringToObject(r->config, name, v->s.s); break;
    }
    return 0;
}

int back_head_dim(struct reversal *r, struct fail *f)
{
    uint64_t heads = arch_heads(&r->from->meta, r->arch, false),
             dim = heads ? arch_dim(&r->from->meta, r->arch, DIM_Q) / heads : 0;
    static const char *const same[] = { "attention.key_length", "attention.value_length", "rope.dimension_count" };

    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        const struct meta_value *v = reversal_use(r, same[i], "head_dim");
        if (v && (v->type != META_UINT32 || v->u != dim))
            return fail(f, FAIL_INPUT, "key '%s.%s' differs from the width of a head, %" PRIu64, r->arch, same[i], dim);
    }
    cJSON_AddNumberToObject(r->config, "head_dim", (double)dim);
    return 0;
}

int back_vocab_size(struct reversal *r, struct fail *f)
{
    uint64_t n = arch_dim(&r->from->meta, r->arch, DIM_VOCAB);

    cJSON_AddNumberToObject(r->config, "vocab_size", (double)n);
    return n ? 0 : fail(f, FAIL_INPUT, "key 'tokenizer.ggml.tokens' is missing");
}

/* The first value that the family demands of a key of the config. */
static void put_demanded(struct reversal *r, const struct arch *arch, const char *key)
{
    for (const struct key_demand *d = arch->demands; d->key; d++)
        if (strcmp(d->key, key) == 0)
            cJSON_AddStringToObject(r->config, key, arena_copy(r->arena, d->values, strcspn(d->values, "|")));
}

static void put_token_ids(struct reversal *r)
{
    static const char *const kinds[] = { "bos", "eos", "pad" };

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const char *canonical = i == 2 ? "padding" : kinds[i];
        uint64_t id = meta_u64(&r->from->meta, arena_printf(r->arena, "tokenizer.ggml.%s_token_id", canonical), UINT64_MAX);
        if (id != UINT64_MAX)
            cJSON_AddNumberToObject(r->config, arena_printf(r->arena, "%s_token_id", kinds[i]), (double)id);
    }
}

static void put_dtype(struct reversal *r, const struct qtype *type)
{
    static const char *const names[][2] = { { "f32", "float32" }, { "f16", "float16" }, { "bf16", "bfloat16" } };
    const struct tensor *t = model_tensor(r->from, "token_embd.weight");

    if (!type && t)
        type = t->type;
    for (size_t i = 0; type && i < sizeof names / sizeof *names; i++)
        if (strcmp(type->name, names[i][0]) == 0)
            cJSON_AddStringToObject(r->config, "torch_dtype", names[i][1]);
}

static int fill_config(struct reversal *r, const struct arch *arch, const struct qtype *dtype, struct fail *f)
{
    cJSON *classes = cJSON_AddArrayToObject(r->config, "architectures");

    cJSON_AddItemToArray(classes, cJSON_CreateString(arch->hf_classes[0]));
    put_demanded(r, arch, "model_type");
    put_demanded(r, arch, "hidden_act");
    put_dtype(r, dtype);
    put_token_ids(r);
    for (const struct key_map *k = arch->keys; k->to || k->put; k++)
        if (k->put || k->back ? k->back && k->back(r, f) : back_typed(r, k, f))
            return -1;
    return arch->check ? arch->check(&r->from->meta, arch->name, f) : 0;
}

/* Keys of the family must all be used; the rest describes the file or the vocabulary. */
static void expect_all(struct reversal *r)
{
    size_t n = strlen(r->arch);

    for (size_t i = 0; i < r->from->meta.n; i++) {
        const char *key = r->from->meta.entry[i].key;
        account_expect(r->account, ACCOUNT_KEY, key);
        if (strncmp(key, r->arch, n) != 0 || key[n] != '.')
            account_ignored(r->account, ACCOUNT_KEY, key, "about the file or its vocabulary");
    }
    for (size_t i = 0; i < r->from->ntensors; i++)
        account_expect(r->account, ACCOUNT_TENSOR, r->from->tensor[i].name);
}

static void delete_tree(void *tree, size_t n)
{
    (void)n;
    cJSON_Delete(tree);
}

static void free_text(void *text, size_t n)
{
    (void)n;
    cJSON_free(text);
}

static int reverse(struct unnamed *u, const struct qtype *dtype, const char **config, struct account *account, struct fail *f)
{
    const char *name = meta_str(&u->inner->meta, "general.architecture", "");
    const struct arch *arch = arch_named(name);
    struct reversal r = { name, u->inner, cJSON_CreateObject(), account, &u->base.arena };
    char *text;

    arena_on_reset(r.arena, delete_tree, r.config, 0);
    if (!arch)
        return fail(f, FAIL_INPUT, "architecture '%s' is not known", name);
    if (arch->one_way)
        return fail(f, FAIL_INPUT, "models of architecture '%s' cannot be turned back into Hugging Face's names", name);
    u->base.tensor = arena_array(r.arena, struct tensor, u->inner->ntensors);
    u->origin = arena_array(r.arena, struct origin, u->inner->ntensors);
    expect_all(&r);
    if (fill_config(&r, arch, dtype, f))
        return -1;
    for (size_t i = 0; i < u->inner->ntensors; i++)
        if (place(u, &r, arch, &u->inner->tensor[i], f))
            return -1;
    if (check_present(u, &r, arch, f) || account_check(account, f))
        return -1;
    text = cJSON_Print(r.config);
    arena_on_reset(r.arena, free_text, text, 0);
    *config = text;
    return 0;
}

struct model *model_unrename(struct model *m, const struct qtype *dtype, const char **config, struct account *account,
                             struct fail *f)
{
    struct account own = {0};
    struct unnamed *u;
    int bad;

    if (!m)
        return NULL;
    u = model_adapter(sizeof *u, &unname_ops, m);
    u->inner = m;
    u->transposer = transposer_new(&u->base.arena, TRANSPOSE_PANEL);
    bad = reverse(u, dtype, config, account ? account : &own, f);
    account_release(&own);
    if (!bad)
        return &u->base;
    fail_in(f, m->path);
    model_close(&u->base);
    return NULL;
}
