/* rename.c - an adapter: a Hugging Face model under GGUF's names, keys, row orders and vocabulary. */
#include "convert/rename.h"

#include "convert/arch.h"
#include "convert/card.h"
#include "convert/config.h"
#include "convert/dequantize.h"
#include "convert/general.h"
#include "convert/regroup.h"
#include "formats/file.h"
#include "formats/text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { CONFIG_MAX_BYTES = 64 << 20 };

/* Where the rows of a canonical tensor come from: a tensor of the inner model, or data computed from the config. */
struct source {
    const struct tensor *theirs;
    const float *data;
    struct regroup regroup;
    const struct tensor *const *part;   /* LAYOUT_SAME only: the matrices that follow each other in it; NULL: `theirs` is all */
};

struct renamed {
    struct model base;
    struct model *inner;
    struct source *source;      /* one per tensor; tensor.offset is its index */
    struct transposer *transposer;
};

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

/* ---- tensors ---- */
/* What the tables imply and the source must hold: one flag per name, layer and ending. */
struct mapping {
    struct renamed *r;
    struct conversion *c;
    uint64_t layers;
    size_t nnames;
    bool *found;                /* nnames * layers * 2; names without {L} use layer 0 */
    const struct tensor ***part;        /* nnames * layers: of names with {E}, the experts found so far; NULL: none yet */
    uint64_t experts, *waiting; /* of each layer, how many tensors of experts have not been seen */
    size_t ntensors;
};

static struct tensor *add_tensor(struct mapping *g, const char *name, struct source s)
{
    struct tensor *t = &g->r->base.tensor[g->ntensors];

    g->r->source[g->ntensors] = s;
    t->name = name;
    t->offset = g->ntensors++;
    return t;
}

static int map_tensor(struct mapping *g, const struct name_map *map, const struct tensor *t, struct place at, bool bias,
                      struct fail *f)
{
    struct arena *a = g->c->arena;
    struct regroup regroup = regroup_of(&g->c->meta, g->c->arch->name, map->layout, bias, false, g->r->transposer);
    const char *name = arch_spell(a, map->ours, at, bias ? ".bias" : ".weight");
    bool *found = &g->found[((size_t)(map - g->c->arch->tensors) * g->layers + at.layer) * 2 + bias];
    struct tensor view;

    if (bias && !config_true(g->c, map->bias))
        return fail(f, FAIL_INPUT, "tensor '%s' is a bias, but config.json does not say that there are any%s%s%s", t->name,
                    map->bias ? " ('" : "", map->bias ? map->bias : "", map->bias ? "' is not true)" : "");
    if (*found)
        return fail(f, FAIL_INPUT, "tensor '%s' is there under two names", t->name);
    if (arch_check_shape(&g->c->meta, g->c->arch->name, map, t, bias, true, "config.json", f) ||
        regroup_tensor(&regroup, t, &view, f))
        return -1;
    *found = true;
    g->r->base.tensor[g->ntensors] = view;
    add_tensor(g, name, (struct source){ .theirs = t, .regroup = regroup });
    account_used(g->c->account, ACCOUNT_TENSOR, t->name, name, regroup_how(&regroup, a));
    return 0;
}

/* Does the row apply to this layer? */
static bool has_layer(const struct mapping *g, const struct name_map *map, uint64_t layer)
{
    bool dense = g->c->dense && g->c->dense[layer];

    return map->layers == LAYERS_ALL || (map->layers == LAYERS_DENSE) == dense;
}

static bool is_expert(const struct name_map *map)
{
    return strstr(map->theirs, "{E}") != NULL;
}

/* All experts of a layer are there: its stacks take their place in the list. */
static void add_stacks(struct mapping *g, struct place at)
{
    for (size_t i = 0; i < g->nnames; i++) {
        const struct name_map *map = &g->c->arch->tensors[i];
        const struct tensor **part = g->part[i * g->layers + at.layer];
        struct tensor *t;
        if (!part)
            continue;
        g->r->base.tensor[g->ntensors] = *part[0];
        t = add_tensor(g, arch_spell(g->c->arena, map->ours, at, ".weight"), (struct source){ .theirs = part[0], .part = part });
        t->rank = 3;
        t->shape[0] = g->experts;
        t->shape[1] = part[0]->shape[0];
        t->shape[2] = part[0]->shape[1];
    }
}

static int map_expert(struct mapping *g, const struct name_map *map, const struct tensor *t, struct place at, bool bias, struct fail *f)
{
    struct arena *a = g->c->arena;
    const struct tensor ***stack = &g->part[(size_t)(map - g->c->arch->tensors) * g->layers + at.layer], *first = NULL;

    if (bias)
        return 0;                                           /* stays pending */
    if (at.expert >= g->experts)
        return fail(f, FAIL_INPUT, "tensor '%s' belongs to expert %" PRIu64 ", but config.json says that there are %" PRIu64, t->name,
                    at.expert, g->experts);
    if (arch_check_shape(&g->c->meta, g->c->arch->name, map, t, false, true, "config.json", f))
        return -1;
    if (!*stack)
        *stack = arena_array(a, const struct tensor *, g->experts);
    if ((*stack)[at.expert])
        return fail(f, FAIL_INPUT, "tensor '%s' is there under two names", t->name);
    for (uint64_t e = 0; e < g->experts && !first; e++)
        first = (*stack)[e];
    if (first && first->type != t->type)
        return fail(f, FAIL_INPUT, "tensor '%s' is of type %s, but '%s' of type %s, and they become one", t->name, t->type->name,
                    first->name, first->type->name);
    (*stack)[at.expert] = t;
    account_used(g->c->account, ACCOUNT_TENSOR, t->name, arch_spell(a, map->ours, at, ".weight"),
                 arena_printf(a, "matrix %" PRIu64 " of %" PRIu64, at.expert, g->experts));
    if (--g->waiting[at.layer] == 0)
        add_stacks(g, at);
    return 0;
}

static int map_place(struct mapping *g, const struct name_map *map, const struct tensor *t, struct place at, bool bias, struct fail *f)
{
    if (at.layer >= g->layers)
        return fail(f, FAIL_INPUT, "tensor '%s' belongs to layer %" PRIu64 ", but num_hidden_layers is %" PRIu64, t->name, at.layer,
                    g->layers);
    if (!has_layer(g, map, at.layer))
        return 0;                                           /* stays pending */
    return (is_expert(map) ? map_expert : map_tensor)(g, map, t, at, bias, f);
}

/* The name as the table spells it. */
static const char *spelled(struct mapping *g, const char *name)
{
    const struct spelling *s = g->c->arch->tensor_spellings, *e = g->c->arch->tensor_endings;

    while (s && s->from && strncmp(name, s->from, strlen(s->from)) != 0)
        s++;
    if (s && s->from)
        name = arena_printf(g->c->arena, "%s%s", s->to, name + strlen(s->from));
    while (e && e->from && !ends_with(name, e->from))
        e++;
    return e && e->from ? arena_printf(g->c->arena, "%.*s%s", (int)(strlen(name) - strlen(e->from)), name, e->to) : name;
}

/* `pattern` is an ending, or a beginning with '*' behind it. */
static bool is_like(const char *name, const char *pattern)
{
    size_t n = strlen(name), m = strlen(pattern);

    if (m && pattern[m - 1] == '*')
        return strncmp(name, pattern, m - 1) == 0;
    return n >= m && strcmp(name + n - m, pattern) == 0;
}

static int place_tensor(struct mapping *g, const struct tensor *t, struct fail *f)
{
    const char *name = spelled(g, t->name), *dot = strrchr(name, '.');
    bool bias = dot && strcmp(dot, ".bias") == 0, bare = !bias && !(dot && strcmp(dot, ".weight") == 0);
    size_t n = bare ? strlen(name) : (size_t)(dot - name);
    struct place at;

    for (const char *const *e = g->c->arch->ignored_tensors; *e; e++)
        if (is_like(name, *e)) {
            account_ignored(g->c->account, ACCOUNT_TENSOR, t->name, "not part of the text model, or follows from the rest");
            return 0;
        }
    for (const struct name_map *map = g->c->arch->tensors; map->theirs; map++)
        if (map->bare == bare && (!map->when || config_true(g->c, map->when)) && arch_match(map->theirs, name, n, &at) &&
            map_place(g, map, t, at, bias, f))
            return -1;
    return 0;                                               /* what no row took stays pending */
}

/* Of a name with {E}, the first expert of a layer that was not found; g->experts: none is missing. */
static uint64_t missing_expert(const struct mapping *g, size_t name, uint64_t layer)
{
    uint64_t e = 0;

    assert(g->part);            /* before any tensor is placed */
    const struct tensor **part = g->part[name * g->layers + layer];

    while (e < g->experts && part && part[e])
        e++;
    return e;
}

static int check_missing(struct mapping *g, struct fail *f)
{
    assert(g->found);
    for (size_t i = 0; i < g->nnames; i++) {
        const struct name_map *map = &g->c->arch->tensors[i];
        uint64_t layers = strstr(map->theirs, "{L}") ? g->layers : 1;
        for (uint64_t layer = 0; layer < layers; layer++)
            for (int bias = 0; bias < 2; bias++) {
                struct place at = { layer, is_expert(map) && !bias ? missing_expert(g, i, layer) : 0 };
                bool wanted = bias ? config_true(g->c, map->bias) : !config_true(g->c, map->tied);
                if (!wanted || !has_layer(g, map, layer) || (map->when && !config_true(g->c, map->when)) ||
                    (is_expert(map) ? at.expert == g->experts : g->found[(i * g->layers + layer) * 2 + (size_t)bias]))
                    continue;
                fail(f, FAIL_INPUT, "tensor '%s' is missing", arch_spell(g->c->arena, map->theirs, at, bias ? ".bias" : map->bare ? "" : ".weight"));
                if (map->tied && !bias)
                    fail_hint(f, "'%.*s' in config.json would say that the model has none", (int)strcspn(map->tied, "="), map->tied);
                return -1;
            }
    }
    return 0;
}

/* The converter this one is compared with reads shards by name and the tensors of each by name. */
struct ordered {
    const struct tensor *t;
    const char *path;
};

static int by_name(const void *a, const void *b)
{
    const struct ordered *x = a, *y = b;
    int order = strcmp(x->path, y->path);

    return order ? order : strcmp(x->t->name, y->t->name);
}

static struct ordered *order_tensors(const struct model *inner, struct arena *a)
{
    struct ordered *o = arena_array(a, struct ordered, inner->ntensors);

    for (size_t i = 0; i < inner->ntensors; i++) {
        const struct tensor *t = &inner->tensor[i];
        o[i] = (struct ordered){ t, t->file < inner->nfiles ? inner->file[t->file].path : "" };
    }
    if (inner->ntensors)
        qsort(o, inner->ntensors, sizeof *o, by_name);
    return o;
}

static void add_generated(struct mapping *g)
{
    for (size_t i = 0; i < g->c->ngenerated; i++) {
        const struct generated *e = &g->c->generated[i];
        struct tensor *t = add_tensor(g, e->name, (struct source){ .data = e->data });
        t->type = qtype_named("f32");
        t->rank = 1;
        t->shape[0] = e->n;
    }
}

/* Room for what is found. Every layer has all experts, which bounds the stacks by the tensors that there are. */
static int prepare(struct mapping *g, struct fail *f)
{
    uint64_t most = g->r->inner->ntensors, kinds = 0;

    for (const struct name_map *map = g->c->arch->tensors; map->theirs; map++, g->nnames++)
        kinds += is_expert(map) && (!map->when || config_true(g->c, map->when));
    if (g->layers == 0 || g->layers > most)
        return fail(f, FAIL_INPUT, "num_hidden_layers is %" PRIu64 ", and the weight files hold %" PRIu64 " tensors", g->layers, most);
    g->experts = arch_dim(&g->c->meta, g->c->arch->name, DIM_EXPERTS);
    if (kinds && (g->experts == 0 || g->experts > most / g->layers))
        return fail(f, FAIL_INPUT, "config.json says that there are %" PRIu64 " experts in %" PRIu64 " layers, and the weight files hold %"
                    PRIu64 " tensors", g->experts, g->layers, most);
    g->found = arena_array(g->c->arena, bool, g->nnames * g->layers * 2);
    g->part = arena_array(g->c->arena, const struct tensor **, g->nnames * g->layers);
    g->waiting = arena_array(g->c->arena, uint64_t, g->layers);
    for (uint64_t layer = 0; layer < g->layers; layer++)
        g->waiting[layer] = kinds * g->experts;
    return 0;
}

static int map_tensors(struct renamed *r, struct conversion *c, struct fail *f)
{
    struct mapping g = { .r = r, .c = c, .layers = meta_u64(&c->meta, config_key(c, "{arch}.block_count"), 0) };
    size_t most = 2 * r->inner->ntensors + c->ngenerated;       /* at most two come of one */
    struct ordered *o = order_tensors(r->inner, c->arena);

    if (prepare(&g, f))
        return -1;
    r->base.tensor = arena_array(c->arena, struct tensor, most);
    r->source = arena_array(c->arena, struct source, most);
    add_generated(&g);
    for (size_t i = 0; i < r->inner->ntensors; i++)
        if (place_tensor(&g, o[i].t, f))
            return -1;
    r->base.ntensors = g.ntensors;
    return check_missing(&g, f) || account_check(c->account, f) ? -1 : 0;
}

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
    const struct ordered *o = order_tensors(r->inner, c->arena);
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
    static const char name[] = ".experts.gate_up_proj";

    for (size_t i = 0; i < m->ntensors; i++)
        if (is_like(m->tensor[i].name, name))
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
    if (map_tensors(r, &c, f))
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

struct model *model_rename(struct model *m, const struct rename_options *o, struct account *account, struct vocab **vocab,
                           struct fail *f)
{
    struct account own = {0};
    struct renamed *r;
    int bad;

    if (vocab)
        *vocab = NULL;
    if (!m || strcmp(m->format->name, "gguf") == 0)
        return m;
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
