/* prune.c - see prune.h. What the keys mean is a table: facts from llama.cpp's src/llama-arch.cpp and src/models. */
#include "convert/prune.h"

#include "formats/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct pruned {
    struct model base;
    struct model *inner;
    bool *drop;                 /* per layer */
    uint64_t *number;           /* per layer: its new number; how many are left before it, if it goes */
    uint64_t layers, left;
};

/* How a key depends on layers. */
enum meaning {
    PER_LAYER,                  /* an array with an item per layer; of those layers that it covers */
    FIRST,                      /* a number: of layers at the beginning */
    LAST,                       /* at the end */
    EVERY,                      /* a number N: something is different in every N-th layer */
    NUMBERS,                    /* an array of layer numbers */
    GLOBAL,                     /* an array of as many items as layers by chance */
};

/* Without the architecture's name in front. A key may be an array in one model and a number in another: the row is
 * chosen by what it is. Arrays that are not here and have an item per layer are taken to be PER_LAYER. */
static const struct { const char *key; enum meaning meaning; } keys[] = {
    { "attention.head_count", PER_LAYER }, { "attention.head_count_kv", PER_LAYER }, { "feed_forward_length", PER_LAYER },
    { "expert_feed_forward_length", PER_LAYER }, { "expert_used_count", PER_LAYER }, { "swiglu_clamp_exp", PER_LAYER },
    { "swiglu_clamp_shexp", PER_LAYER }, { "attention.sliding_window_pattern", PER_LAYER },
    { "attention.recurrent_layers", PER_LAYER }, { "attention.indexer.types", PER_LAYER },
    { "attention.compress_ratios", PER_LAYER }, { "attention.rope_pattern", PER_LAYER }, { "deepstack_mapping", PER_LAYER },
    { "xielu.alpha_n", PER_LAYER }, { "xielu.alpha_p", PER_LAYER }, { "xielu.beta", PER_LAYER }, { "xielu.eps", PER_LAYER },
    { "leading_dense_block_count", FIRST }, { "hash_layer_count", FIRST }, { "n_deepstack_layers", FIRST },
    { "nextn_predict_layers", LAST }, { "attention.shared_kv_layers", LAST },
    { "interleave_moe_layer_step", EVERY }, { "full_attention_interval", EVERY }, { "moe_every_n_layers", EVERY },
    { "attention.sliding_window_pattern", EVERY }, { "rescale_every_n_layers", EVERY },
    { "ple.layers", NUMBERS },
    { "rope.dimension_sections", GLOBAL }, { "classifier.output_labels", GLOBAL }, { "target_layers", GLOBAL },
    { "ple.layer_multipliers", GLOBAL }, { "ple.head_offsets", GLOBAL }, { "ple.head_vocab_sizes", GLOBAL },
    { "adapters.token_ids_activate", GLOBAL }, { "adapters.token_ids_substitute", GLOBAL },
};

/* ---- keys ---- */
static bool of_array(enum meaning meaning)
{
    return meaning == PER_LAYER || meaning == NUMBERS || meaning == GLOBAL;
}

/* -1: the key says nothing about layers. */
static int meaning_of(const struct pruned *p, const char *key, const struct meta_value *v)
{
    bool array = v->type == META_ARRAY;

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (of_array(keys[i].meaning) == array && strcmp(keys[i].key, key) == 0)
            return (int)keys[i].meaning;
    return array && v->a.n == p->layers ? PER_LAYER : -1;
}

static struct meta_array kept_items(struct pruned *p, const struct meta_array *a)
{
    size_t nbytes = a->type == META_STRING ? sizeof(struct meta_string)
                    : a->type == META_ARRAY ? sizeof(struct meta_array) : meta_type_bytes(a->type);
    uint8_t *items = arena_raw(&p->base.arena, (size_t)a->n * nbytes);
    uint64_t n = 0;

    for (uint64_t i = 0; i < a->n; i++)
        if (i >= p->layers || !p->drop[i])
            memcpy(items + n++ * nbytes, (const uint8_t *)a->items + i * nbytes, nbytes);
    return (struct meta_array){ a->type, n, items };
}

/* Layer numbers, each as its new one; those of layers that go are left out. */
static struct meta_array kept_numbers(struct pruned *p, const struct meta_array *a)
{
    size_t nbytes = meta_type_bytes(a->type);
    uint8_t *items = arena_raw(&p->base.arena, (size_t)a->n * nbytes);
    uint64_t n = 0;

    for (uint64_t i = 0; i < a->n; i++) {
        uint64_t layer = (uint64_t)meta_array_i64(a, i);

        if (layer >= p->layers || p->drop[layer])
            continue;
        memcpy(items + n++ * nbytes, &p->number[layer], nbytes);        /* little-endian: the low bytes */
    }
    return (struct meta_array){ a->type, n, items };
}

/* Every layer that stays must keep its place in the pattern. */
static int check_pattern(const struct pruned *p, const char *key, uint64_t step, struct fail *f)
{
    for (uint64_t i = 0; step > 1 && i < p->layers; i++)
        if (!p->drop[i] && p->number[i] % step != i % step) {
            fail(f, FAIL_USAGE, "layer %" PRIu64 " would become layer %" PRIu64 ", but '%s' says that the layers repeat every"
                 " %" PRIu64, i, p->number[i], key, step);
            return fail_hint(f, "prune whole groups of %" PRIu64 " layers", step);
        }
    return 0;
}

static int follow(struct pruned *p, const char *key, const char *name, struct meta_value *v, struct fail *f)
{
    uint64_t n = v->u;

    switch (meaning_of(p, name, v)) {
    case PER_LAYER:
        v->a = kept_items(p, &v->a);
        break;
    case NUMBERS:
        if (meta_type_bytes(v->a.type) >= 2 && v->a.type != META_FLOAT32 && v->a.type != META_FLOAT64)
            v->a = kept_numbers(p, &v->a);
        break;
    case FIRST:
        v->u = n < p->layers ? p->number[n] : n == p->layers ? p->left : n;
        break;
    case LAST:
        v->u = n <= p->layers && n > 0 ? p->left - p->number[p->layers - n] : n;
        break;
    case EVERY:
        return check_pattern(p, key, n, f);
    }
    return 0;
}

static int follow_keys(struct pruned *p, const char *arch, struct fail *f)
{
    struct meta *meta = &p->base.meta;
    const char *count = arena_printf(&p->base.arena, "%s.block_count", arch);
    size_t n = strlen(arch);

    for (size_t i = 0; i < meta->n; i++) {
        const char *key = meta->entry[i].key;
        bool ours = strncmp(key, arch, n) == 0 && key[n] == '.', global = starts_with(key, "xielu.");

        if ((ours || global) && follow(p, key, ours ? key + n + 1 : key, &meta->entry[i].value, f))
            return -1;
    }
    meta_set_u32(meta, &p->base.arena, count, (uint32_t)p->left);
    return 0;
}

/* ---- tensors ---- */
/* The layer of "blk.N.REST", and REST; -1: no such name. */
static int64_t layer_of(const char *name, const char **rest)
{
    int64_t layer = 0;
    const char *p = name + 4;

    if (!starts_with(name, "blk.") || *p < '0' || *p > '9')
        return -1;
    for (; *p >= '0' && *p <= '9' && layer < INT32_MAX; p++)
        layer = 10 * layer + (*p - '0');
    *rest = p;
    return *p == '.' ? layer : -1;
}

static int keep_tensors(struct pruned *p, const char *const **before, struct fail *f)
{
    struct model *m = &p->base;
    const char **names = arena_array(&m->arena, const char *, p->inner->ntensors);

    m->tensor = arena_array(&m->arena, struct tensor, p->inner->ntensors);
    for (size_t i = 0; i < p->inner->ntensors; i++) {
        struct tensor t = p->inner->tensor[i];
        const char *rest = NULL;
        int64_t layer = layer_of(t.name, &rest);

        if (layer >= 0 && (uint64_t)layer >= p->layers)
            return fail(f, FAIL_INPUT, "tensor '%s' belongs to none of the model's %" PRIu64 " layers", t.name, p->layers);
        if (layer >= 0 && p->drop[layer])
            continue;
        names[m->ntensors] = t.name;
        if (layer >= 0)
            t.name = arena_printf(&m->arena, "blk.%" PRIu64 "%s", p->number[layer], rest);
        t.offset = i;
        m->tensor[m->ntensors++] = t;
    }
    if (before)
        *before = names;
    return 0;
}

static const void *prune_rows(struct model *m, const struct tensor *t, uint64_t first, uint64_t n, struct arena *tmp,
                              struct fail *f)
{
    struct model *inner = ((struct pruned *)m)->inner;

    return model_rows(inner, &inner->tensor[t->offset], first, n, tmp, f);
}

static void prune_close(struct model *m)
{
    struct model *inner = ((struct pruned *)m)->inner;

    arena_release(&m->arena);
    model_close(inner);
}

static const struct model_ops prune_ops = { prune_rows, prune_close };

int prune_parse(const char *text, struct arena *a, uint64_t **layer, size_t *n, struct fail *f)
{
    const char *p = text;
    bool good;

    *layer = arena_array(a, uint64_t, strlen(text) + 1);
    *n = 0;
    do {
        char *end;

        (*layer)[(*n)++] = strtoul(p, &end, 10);
        good = *p >= '0' && *p <= '9' && end - p < 10 && (*end == ',' || !*end);
        p = end + 1;
    } while (good && p[-1]);
    return good ? 0 : fail(f, FAIL_USAGE, "--prune-layers wants numbers between commas, not '%s'", text);
}

static int mark_layers(struct pruned *p, const uint64_t *layers, size_t n, struct fail *f)
{
    for (size_t i = 0; i < n; i++) {
        if (layers[i] >= p->layers)
            return fail(f, FAIL_USAGE, "there is no layer %" PRIu64 " to prune: the model has %" PRIu64 ", counted from 0",
                        layers[i], p->layers);
        p->drop[layers[i]] = true;
    }
    for (uint64_t i = 0; i < p->layers; i++) {
        p->number[i] = p->left;
        p->left += !p->drop[i];
    }
    return p->left ? 0 : fail(f, FAIL_USAGE, "all %" PRIu64 " layers would be pruned", p->layers);
}

struct model *model_prune(struct model *inner, const uint64_t *layers, size_t n, const char *const **before, struct fail *f)
{
    if (!inner)
        return NULL;
    struct pruned *p = model_adapter(sizeof *p, &prune_ops, inner);
    struct model *m = &p->base;
    const char *arch = meta_str(&inner->meta, "general.architecture", "");

    p->inner = inner;
    p->layers = meta_u64(&inner->meta, arena_printf(&m->arena, "%s.block_count", arch), 0);
    meta_copy(&m->meta, &m->arena, &inner->meta);
    m->hints = (struct meta){0};            /* about layers by number, for runs; what is pruned is written */
    if (p->layers == 0 || p->layers > UINT16_MAX) {
        fail(f, FAIL_INPUT, "the model has %" PRIu64 " layers by its key '%s.block_count', so none can be pruned", p->layers, arch);
    } else {
        p->drop = arena_array(&m->arena, bool, p->layers);
        p->number = arena_array(&m->arena, uint64_t, p->layers);
        if (mark_layers(p, layers, n, f) == 0 && keep_tensors(p, before, f) == 0 && follow_keys(p, arch, f) == 0)
            return m;
    }
    model_close(m);
    return NULL;
}
