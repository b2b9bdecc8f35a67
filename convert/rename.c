/* rename.c - an adapter: a Hugging Face model under GGUF's names, keys, row orders and vocabulary. */
#include "convert/rename.h"

#include "convert/arch.h"
#include "convert/card.h"
#include "convert/config.h"
#include "convert/dequantize.h"
#include "convert/general.h"
#include "convert/renamed.h"
#include "formats/file.h"
#include "formats/text.h"

#include <assert.h>
#include <string.h>

enum { CONFIG_MAX_BYTES = 64 << 20 };

/* ---- rows ---- */
/* Rows that may lie in several of the matrices; those of one are handed on as they are. */
static const void *stacked_rows(struct model *inner, const struct tensor *const *part, uint64_t first, uint64_t n, struct arena *tmp,
                                struct fail *f)
{
    uint64_t height = tensor_rows(part[0]);
    size_t nbytes = tensor_row_bytes(part[0]);
    uint8_t *out;

    if (n == 0 || first / height == (first + n - 1) / height)
        return model_rows(inner, part[first / height], first % height, n, tmp, f);
    out = arena_raw(tmp, n * nbytes);
    for (uint64_t done = 0, some; done < n; done += some) {
        uint64_t row = first + done, left = height - row % height;
        some = left < n - done ? left : n - done;
        const void *in = model_rows(inner, part[row / height], row % height, some, tmp, f);
        if (!in)
            return NULL;
        memcpy(out + done * nbytes, in, some * nbytes);
    }
    return out;
}

static const void *rename_rows(struct model *m, const struct tensor *t, uint64_t first, uint64_t n, struct arena *tmp,
                               struct fail *f)
{
    struct renamed *r = (struct renamed *)m;
    const struct source *s = &r->source[t->offset];

    if (s->data)
        return s->data + first * tensor_row(t);
    if (s->part)
        return stacked_rows(r->inner, s->part, first, n, tmp, f);
    return regroup_rows(&s->regroup, r->inner, s->theirs, first, n, tmp, f);
}

static void rename_close(struct model *m)
{
    struct renamed *r = (struct renamed *)m;
    struct model *inner = r->inner;

    arena_release(&m->arena);
    model_close(inner);
}

static const struct model_ops rename_ops = { rename_rows, rename_close };

/* ---- config and keys ---- */
/* What convert_hf_to_gguf.py takes for the type of the whole: that of the first matrix of 16 bits. */
static const struct qtype *type_of_matrices(const struct ordered *o, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (o[i].t->rank > 1 && (strcmp(o[i].t->type->name, "bf16") == 0 || strcmp(o[i].t->type->name, "f16") == 0))
            return o[i].t->type;
    return qtype_named("f16");
}

/* Every tensor of the source is to be accounted for; those that are stored in few bits are floats from here on. */
static int decode_matrices(struct renamed *r, struct conversion *c, const struct stored_as *how, bool rounded, struct fail *f)
{
    const struct ordered *o = renamed_order(r->inner, c->arena);
    size_t n = r->inner->ntensors;

    for (size_t i = 0; i < n; i++)
        account_expect(c->account, ACCOUNT_TENSOR, o[i].t->name);
    return how->name ? model_dequantize(&r->inner, how, rounded ? type_of_matrices(o, n) : qtype_named("f32"), c->account, f) : 0;
}

/* Mistral's params.json names no class: a key tells. */
static const struct arch *find_native(const cJSON *params)
{
    for (size_t i = 0; i < arch_count(); i++) {
        const char *key = arch_at(i)->native;
        const cJSON *item = key ? cJSON_GetObjectItemCaseSensitive(params, key) : NULL;

        if (key && (!*key || (item && !cJSON_IsNull(item))))
            return arch_at(i);
    }
    return NULL;
}

static const struct arch *find_arch(const cJSON *config, struct fail *f)
{
    const cJSON *first = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(config, "architectures"), 0);
    const struct arch *arch;
    char known[300];

    if (!cJSON_IsString(first)) {
        fail(f, FAIL_INPUT, "config.json does not name the model's class ('architectures')");
        return NULL;
    }
    arch = arch_of_class(first->valuestring);
    if (!arch) {
        arch_names(known, sizeof known);
        fail(f, FAIL_INPUT, "model class '%s' is not known (known: %s)", first->valuestring, known);
    }
    return arch;
}

/* "general.file_type" of LLAMA_FTYPE for weights that stay as they are. */
static uint32_t file_type(const struct model *m)
{
    static const struct {
        const char *type;
        uint32_t number;
    } table[] = { { "f32", 0 }, { "f16", 1 }, { "bf16", 32 } };

    for (size_t i = 0; i < m->ntensors; i++)
        for (size_t k = 0; m->tensor[i].rank > 1 && k < sizeof table / sizeof *table; k++)
            if (strcmp(m->tensor[i].type->name, table[k].type) == 0)
                return table[k].number;
    return 0;
}

static int set_general(struct renamed *r, struct conversion *c, struct fail *f)
{
    struct arena *a = c->arena;
    struct fail broken = {0};
    const char *generation = path_join(a, r->base.dir, "generation_config.json");
    struct general_source s = { .dir = r->base.dir, .name_or_path = json_str(c->config, "_name_or_path", NULL) };

    s.card = card_read(path_join(a, r->base.dir, "README.md"), a, f);
    if (failed(f))
        return -1;
    /* Only advice to samplers, and known to be malformed in published models: then there is none. */
    s.generation = path_exists(generation) ? json_read(generation, CONFIG_MAX_BYTES, a, &broken) : NULL;
    for (size_t i = 0; i < r->base.ntensors; i++)
        s.weights += tensor_weights(&r->base.tensor[i]);
    for (size_t i = 0; i < r->base.ntensors; i++)
        if (r->base.tensor[i].rank == 3) {
            s.experts = r->base.tensor[i].shape[0];
            s.expert_weights += tensor_weights(&r->base.tensor[i]) / s.experts;
        }
    meta_set_str(&r->base.meta, a, "general.architecture", c->arch->name);
    meta_copy(&r->base.meta, a, &c->early);
    general_keys(&s, &r->base.meta, a);
    return 0;
}

static int set_vocabulary(struct renamed *r, struct conversion *c, const struct rename_options *o, struct vocab **vocab,
                          struct fail *f)
{
    uint64_t rows = arch_dim(&c->meta, c->arch->name, DIM_VOCAB);
    struct vocab *v;

    if (o->no_vocabulary)
        return 0;
    if (!vocab_dir_has_one(r->base.dir)) {
        fail(f, FAIL_INPUT, "there is no tokenizer in the directory: no tokenizer.json, tokenizer.model, tekken.json or vocab.json");
        fail_hint(f, "copy the tokenizer files of the base model there");
        return fail_in(f, r->base.dir);
    }
    v = vocab_open_dir(r->base.dir, rows, o->pre_tokenizer, c->arena, f);
    if (!v)
        return -1;
    meta_copy(&r->base.meta, c->arena, &v->meta);
    if (c->arch->eot)
        meta_set_u32(&r->base.meta, c->arena, "tokenizer.ggml.eot_token_id", c->arch->eot);
    if (c->arch->no_space_prefix)
        meta_set_bool(&r->base.meta, c->arena, "tokenizer.ggml.add_space_prefix", false);
    if (c->arch->no_space_prefix && v->add_space_prefix)
        meta_set_bool(&r->base.meta, c->arena, VOCAB_SOURCE_PREFIX, true);
    if (vocab)
        *vocab = v;
    return 0;
}

/* Does the source keep the experts of a layer in two tensors? */
static bool is_fused(const struct model *m)
{
    for (size_t i = 0; i < m->ntensors; i++)
        if (ends_with(m->tensor[i].name, ".experts.gate_up_proj"))
            return true;
    return false;
}

/* The keys on which the presence of tensors depends. */
static void use_conditions(struct conversion *c)
{
    for (const struct name_map *map = c->arch->tensors; map->theirs; map++) {
        config_condition(c, map->bias, "the tensors *.bias");
        config_condition(c, map->tied, "whether there is an output matrix");
        config_condition(c, map->when, "which tensors there are");
    }
}

/* Those of the tokenizer that follow from config.json come with the rest of the vocabulary's. */
static void copy_keys(struct meta *to, struct arena *a, const struct meta *from, bool vocabulary)
{
    for (size_t i = 0; i < from->n; i++)
        if ((strncmp(from->entry[i].key, "tokenizer.", 10) == 0) == vocabulary)
            meta_set(to, a, from->entry[i].key, from->entry[i].value);
}

static int convert(struct renamed *r, const struct rename_options *o, struct account *account, struct vocab **vocab,
                   struct fail *f)
{
    struct conversion c = { .account = account, .arena = &r->base.arena, .dir = r->base.dir };
    const char *path = path_join(c.arena, r->base.dir, r->base.config);
    bool native = strcmp(r->base.config, "params.json") == 0;
    struct stored_as how;
    const char *key;

    c.config = (cJSON *)json_read(path, CONFIG_MAX_BYTES, c.arena, f);
    if (!c.config)
        return -1;
    if (!cJSON_IsObject(c.config))
        return fail(f, FAIL_INPUT, "%s is no object", r->base.config), fail_in(f, path);
    c.arch = native ? find_native(c.config) : find_arch(c.config, f);
    if (c.arch == NULL || config_begin(&c, o->ignore_keys, f))
        return fail_in(f, path);
    if (dequantize_scheme(c.config, c.dir, &key, &how, c.arena, f))
        return fail_in(f, path);
    if (how.name)
        account_used(account, ACCOUNT_KEY, key, "the weights", how.name);
    config_use(&c, "architectures", "general.architecture", NULL);
    config_use(&c, "_name_or_path", "general.name", "where no model card or other source says more");
    if (config_keys(&c, f))
        return fail_in(f, path);
    use_conditions(&c);
    if (account_check(account, f))
        return fail_in(f, path);
    if (decode_matrices(r, &c, &how, o->rounded, f))
        return fail_in(f, r->base.path);
    c.fused = is_fused(r->inner);
    if (renamed_map(r, &c, f))
        return fail_in(f, r->base.path);
    if (set_general(r, &c, f))
        return -1;
    copy_keys(&r->base.meta, c.arena, &c.meta, false);
    meta_copy(&r->base.hints, c.arena, &c.hints);
    for (const struct key_map *k = c.arch->keys; k->to || k->put; k++)
        if (k->flags & KEY_HIDDEN)
            meta_remove(&r->base.meta, config_key(&c, k->to));
    meta_set_u32(&r->base.meta, c.arena, "general.file_type", file_type(&r->base));
    meta_set_u32(&r->base.meta, c.arena, "general.quantization_version", 2);
    copy_keys(&r->base.meta, c.arena, &c.meta, true);
    return set_vocabulary(r, &c, o, vocab, f);
}

/* The sentences of config.c speak of config.json. */
static void name_config(const char *config, struct fail *f)
{
    static const char usual[] = "config.json";
    char *at = strstr(f->text, usual);

    assert(strlen(config) == strlen(usual));
    for (; at && config[0] != usual[0]; at = strstr(at, usual))
        memcpy(at, config, strlen(config));
}

/* A GGUF file has its names already; m, if it is a model at all. */
static struct model *check_model(struct model *m, struct fail *f)
{
    if (strcmp(meta_str(&m->meta, "general.type", "model"), "imatrix") != 0)
        return m;
    fail(f, FAIL_INPUT, "is an importance matrix, no model");
    fail_in(f, m->path);
    fail_hint(f, "'quantize MODEL --imatrix FILE' uses it, 'imatrix --show FILE' tells what is in it");
    model_close(m);
    return NULL;
}

struct model *model_rename(struct model *m, const struct rename_options *o, struct account *account, struct vocab **vocab,
                           struct fail *f)
{
    struct account own = {0};
    struct renamed *r;
    int bad;

    if (vocab)
        *vocab = NULL;
    if (!m || strcmp(m->format->name, "gguf") == 0)
        return m ? check_model(m, f) : NULL;
    if (!m->dir || !m->config) {
        fail(f, FAIL_INPUT, "there is no config.json and no params.json, so the model's family is not known");
        fail_in(f, m->path);
        fail_hint(f, "give the directory that holds config.json and the weights");
        model_close(m);
        return NULL;
    }
    r = model_adapter(sizeof *r, &rename_ops, m);
    r->inner = m;
    r->transposer = transposer_new(&r->base.arena, TRANSPOSE_PANEL);
    bad = convert(r, o, account ? account : &own, vocab, f);
    account_release(&own);
    if (!bad)
        return &r->base;
    name_config(m->config, f);
    if (vocab)
        *vocab = NULL;
    model_close(&r->base);
    return NULL;
}
