/* dequantize.c - see dequantize.h. Rows are decoded when they are asked for; nothing holds a tensor. */
#include "convert/dequantize.h"

#include "convert/scaled.h"
#include "formats/file.h"
#include "formats/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { CONFIG_NBYTES = 64 << 20 };

/* ---- what the config says ---- */
static int refuse(const char *key, const char *name, const char *value, struct fail *f)
{
    fail(f, FAIL_INPUT, "the weights are quantized already (%s%s, %s '%s'), and there is no decoder for that", key,
         strcmp(key, DEQUANTIZE_FILE) == 0 ? "" : " in config.json", name, value);
    return fail_hint(f, "convert the model it was made from");
}

/* [rows, columns], as a list or as "128x128"; absent or null: none. */
static int read_block(const cJSON *item, struct stored_as *s, struct fail *f)
{
    unsigned rows = 0, columns = 0;
    char end;

    if (!item || cJSON_IsNull(item))
        return 0;
    if (cJSON_IsArray(item) && cJSON_GetArraySize(item) == 2 && json_u64(cJSON_GetArrayItem(item, 0), &s->block[0]) &&
        json_u64(cJSON_GetArrayItem(item, 1), &s->block[1]) && s->block[0] && s->block[1])
        return 0;
    if (cJSON_IsString(item) && sscanf(item->valuestring, "%5ux%5u%c", &rows, &columns, &end) == 2 && rows && columns) {
        s->block[0] = rows;
        s->block[1] = columns;
        return 0;
    }
    return fail(f, FAIL_INPUT, "'%s' in config.json gives no numbers of rows and columns", item->string);
}

static int read_fp8(const char *key, const cJSON *q, struct stored_as *s, struct arena *a, struct fail *f)
{
    (void)key;
    (void)a;
    return read_block(cJSON_GetObjectItemCaseSensitive(q, "weight_block_size"), s, f);
}

static int read_plain(const char *key, const cJSON *q, struct stored_as *s, struct arena *a, struct fail *f)
{
    (void)key, (void)q, (void)s, (void)a, (void)f;
    return 0;
}

/* NVIDIA's ModelOpt: one number each, or one a row. */
static int read_modelopt(const char *key, const cJSON *q, struct stored_as *s, struct arena *a, struct fail *f)
{
    const char *algorithm = json_str(q, "quant_algo", "unknown");

    (void)s, (void)a;
    if (strcmp(algorithm, "FP8") == 0 || strcmp(algorithm, "FP8_PER_CHANNEL_PER_TOKEN") == 0)
        return 0;
    return refuse(key, "quant_algo", algorithm, f);
}

/* One group of compressed-tensors: {"weights": {"num_bits", "strategy", "block_structure", "group_size", "symmetric"}}. */
static int read_group(const cJSON *group, struct stored_as *s, struct fail *f)
{
    const cJSON *weights = cJSON_GetObjectItemCaseSensitive(group, "weights");
    const char *strategy = json_str(weights, "strategy", "tensor");
    struct stored_as mine = {0};

    if (read_block(cJSON_GetObjectItemCaseSensitive(weights, "block_structure"), &mine, f))
        return -1;
    if (strcmp(strategy, "group") == 0) {
        mine.block[0] = 1;
        if (!json_u64(cJSON_GetObjectItemCaseSensitive(weights, "group_size"), &mine.block[1]) || !mine.block[1])
            return fail(f, FAIL_INPUT, "quantization_config in config.json groups weights, but has no group_size");
    }
    if (cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(weights, "symmetric")))
        return fail(f, FAIL_INPUT, "quantization_config in config.json has weights that are not symmetric, and there is no decoder for that");
    if (s->block[0] && memcmp(s->block, mine.block, sizeof mine.block) != 0)
        return fail(f, FAIL_INPUT, "quantization_config in config.json has groups of weights with different blocks");
    memcpy(s->block, mine.block, sizeof mine.block);
    return 0;
}

/* Whole numbers of a few bits; all groups alike. */
static int read_packed(const char *key, const cJSON *q, struct stored_as *s, struct fail *f)
{
    const cJSON *groups = cJSON_GetObjectItemCaseSensitive(q, "config_groups"), *weights;
    uint64_t bits, size = 0;

    weights = groups && groups->child ? cJSON_GetObjectItemCaseSensitive(groups->child, "weights") : NULL;
    if (!weights || cJSON_GetArraySize(groups) != 1)
        return refuse(key, "config_groups", "more than one", f);
    if (strcmp(json_str(weights, "type", "int"), "int") != 0 || !json_u64(cJSON_GetObjectItemCaseSensitive(weights, "num_bits"), &bits) || !bits || bits > 8)
        return refuse(key, "format", "pack-quantized of other numbers than integers of 1 to 8 bits", f);
    json_u64(cJSON_GetObjectItemCaseSensitive(weights, "group_size"), &size);
    s->packing = (struct packing){ .bits = (unsigned)bits, .group = size };
    return 0;
}

static int read_compressed(const char *key, const cJSON *q, struct stored_as *s, struct arena *a, struct fail *f)
{
    static const char *const known[] = { "float-quantized", "int-quantized", "naive-quantized", "pack-quantized" };
    const char *format = json_str(q, "format", "unknown"),
               *sparsity = json_str(cJSON_GetObjectItemCaseSensitive(q, "sparsity_config"), "format", "dense");
    const cJSON *group;
    size_t i = 0, n = sizeof known / sizeof *known;

    while (i < n && strcmp(format, known[i]) != 0)
        i++;
    if (i == n)
        return refuse(key, "format", format, f);
    if (strcmp(sparsity, "dense") != 0)
        return refuse(key, "sparsity_config.format", sparsity, f);
    s->name = arena_printf(a, "%s %s", s->name, format);
    if (strcmp(format, "pack-quantized") == 0)
        return read_packed(key, q, s, f);
    cJSON_ArrayForEach(group, cJSON_GetObjectItemCaseSensitive(q, "config_groups"))
        if (read_group(group, s, f))
            return -1;
    return 0;
}

/* {"bits", "group_size", ...}: -1 is one group for all columns. */
static int read_words(const char *key, const cJSON *q, struct stored_as *s, struct fail *f)
{
    const cJSON *bits = cJSON_GetObjectItemCaseSensitive(q, "bits");
    uint64_t n, size = 0;

    if (!json_u64(bits ? bits : cJSON_GetObjectItemCaseSensitive(q, "w_bit"), &n) || (n != 2 && n != 4 && n != 8))
        return refuse(key, "bits", cJSON_GetNumberValue(bits) == 3 ? "3" : "unknown", f);
    json_u64(cJSON_GetObjectItemCaseSensitive(q, cJSON_GetObjectItemCaseSensitive(q, "group_size") ? "group_size" : "q_group_size"), &size);
    s->packing = (struct packing){ .bits = (unsigned)n, .group = size, .turned = true };
    return 0;
}

static int read_gptq(const char *key, const cJSON *q, struct stored_as *s, struct arena *a, struct fail *f)
{
    const char *format = json_str(q, "checkpoint_format", "gptq");

    (void)a;
    if (strcmp(format, "gptq") != 0 && strcmp(format, "gptq_v2") != 0)
        return refuse(key, "checkpoint_format", format, f);
    if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(q, "is_marlin_format")))
        return refuse(key, "checkpoint_format", "marlin", f);
    if (read_words(key, q, s, f))
        return -1;
    s->packing.zero_less = strcmp(format, "gptq") == 0;
    return 0;
}

static int read_awq(const char *key, const cJSON *q, struct stored_as *s, struct arena *a, struct fail *f)
{
    const char *version = json_str(q, "version", "gemm");

    (void)a;
    if (strcasecmp(version, "gemm") != 0)
        return refuse(key, "version", version, f);
    if (read_words(key, q, s, f))
        return -1;
    if (s->packing.bits != 4)
        return refuse(key, "bits", "other than 4", f);
    s->packing.interleaved = true;
    return 0;
}

/* `method` is what quant_method says, or Mistral's qformat_weight. */
static const struct {
    const char *method;
    int (*read)(const char *key, const cJSON *q, struct stored_as *, struct arena *, struct fail *);
} methods[] = {
    { "fp8", read_fp8 }, { "fbgemm_fp8", read_plain }, { "compressed-tensors", read_compressed }, { "modelopt", read_modelopt },
    { "fp8_e4m3", read_plain }, { "gptq", read_gptq }, { "awq", read_awq },
};

/* The names that the object goes by in a config. */
static const char *const keys[] = { "quantization_config", "compression_config", "quantization" };

static const cJSON *find_key(const cJSON *config, const char **key)
{
    for (size_t i = 0; config && i < sizeof keys / sizeof *keys; i++) {
        const cJSON *q = cJSON_GetObjectItemCaseSensitive(config, keys[i]);
        *key = keys[i];
        if (q && !cJSON_IsNull(q) && !(cJSON_IsObject(q) && !q->child))
            return q;
    }
    return NULL;
}

static const cJSON *find_object(const cJSON *config, const char *dir, const char **key, struct arena *a, struct fail *f)
{
    const char *path = path_join(a, dir, DEQUANTIZE_FILE);
    const cJSON *q = find_key(config, key), *root;

    if (!q)
        q = find_key(cJSON_GetObjectItemCaseSensitive(config, "text_config"), key);
    if (q)
        return q;
    root = path_exists(path) ? json_read(path, CONFIG_NBYTES, a, f) : NULL;
    *key = root ? DEQUANTIZE_FILE : NULL;
    return cJSON_GetObjectItemCaseSensitive(root, "quantization");
}

/* Who writes such an object without a quant_method. */
static const char *method_unsaid(const cJSON *q)
{
    if (cJSON_GetObjectItemCaseSensitive(q, "quant_algo"))
        return "modelopt";
    return cJSON_GetObjectItemCaseSensitive(q, "bits") && cJSON_GetObjectItemCaseSensitive(q, "group_size") ? "mlx" : "unknown";
}

int dequantize_scheme(const cJSON *config, const char *dir, const char **key, struct stored_as *out, struct arena *a, struct fail *f)
{
    const cJSON *q = find_object(config, dir, key, a, f);
    const char *name = cJSON_GetObjectItemCaseSensitive(q, "qformat_weight") ? "qformat_weight" : "quant_method",
               *method = json_str(q, name, method_unsaid(q));

    *out = (struct stored_as){0};
    if (!q)
        return failed(f) ? -1 : 0;
    out->name = arena_strdup(a, method);
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (strcmp(method, methods[i].method) == 0)
            return methods[i].read(*key, q, out, a, f);
    return refuse(*key, name, method, f);
}

int dequantize_scheme_of(const struct model *m, struct stored_as *out, struct arena *a, struct fail *f)
{
    const char *path = m->dir && m->config ? path_join(a, m->dir, m->config) : NULL, *key;
    const cJSON *config = path ? json_read(path, CONFIG_NBYTES, a, f) : NULL;

    *out = (struct stored_as){0};
    if (!config)
        return path ? -1 : 0;
    return dequantize_scheme(config, m->dir, &key, out, a, f) ? fail_in(f, path) : 0;
}

void dequantize_unsay(cJSON *config)
{
    cJSON *text = cJSON_GetObjectItemCaseSensitive(config, "text_config");

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        cJSON_DeleteItemFromObjectCaseSensitive(config, keys[i]);
        cJSON_DeleteItemFromObjectCaseSensitive(text, keys[i]);
    }
}

/* ---- which tensors belong together ---- */
/* Endings of scales, and what the name of their matrix ends with instead. */
static const struct {
    const char *ending, *weight;
} scales[] = {
    { ".qscale_weight", ".weight" }, { ".weight_scale", ".weight" }, { "_scale_inv", "" },
};

/* Endings of what a packed matrix consists of; all but the first two may be missing. */
static const struct names {
    const char *word, *scale, *zero, *group_of, *shape;
} packed_names[] = {
    { ".weight_packed", ".weight_scale", ".weight_zero_point", ".weight_g_idx", ".weight_shape" },
    { ".qweight", ".scales", ".qzeros", ".g_idx", NULL },
};

/* Scales of what goes into a matrix or comes out of it: for those who compute in few bits. */
static const char *const unused[] = {
    ".input_scale", "activation_scale", ".qscale_act", ".input_scale_ub", ".output_scale", ".input_zero_point", ".output_zero_point",
    ".q_scale", ".k_scale", ".v_scale", ".prob_scale",
};

/* What becomes of a tensor of the inner model. */
struct part {
    struct scaled scaled;       /* .weight is the tensor */
    struct packed *packed;      /* it is the words of these; NULL: it is not */
    bool gone;                  /* it belongs to another */
};

struct dequantized {
    struct model base;
    struct model *inner;
    struct part *part;          /* one per tensor; tensor.offset is its index */
    struct packed_turners turners;
    struct account *account;
};

static bool is_unused(const char *name)
{
    for (size_t i = 0; i < sizeof unused / sizeof *unused; i++)
        if (ends_with(name, unused[i]))
            return true;
    return false;
}

/* A name with another ending than the one it has. */
static const char *with_ending(const char *name, const char *ending, const char *instead, struct arena *a)
{
    return arena_printf(a, "%.*s%s", (int)(strlen(name) - strlen(ending)), name, instead);
}

/* The name of the matrix that a tensor of scales belongs to; NULL: it is none. */
static const char *name_of_weight(const char *name, struct arena *a)
{
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++)
        if (ends_with(name, scales[i].ending))
            return with_ending(name, scales[i].ending, scales[i].weight, a);
    return NULL;
}

/* Numbers that are no weights by themselves. */
static bool needs_scale(const struct qtype *type)
{
    return strcmp(type->name, "f8_e4m3") == 0 || strcmp(type->name, "f8_e5m2") == 0 || strcmp(type->name, "i8") == 0;
}

/* ---- packed matrices ---- */
/* The tensor beside `word` with another ending, which is booked and gone; NULL: there is none. */
static const struct tensor *take(struct dequantized *d, const char *word, const char *ending, const char *other, const char *as, const char *how)
{
    struct arena *a = &d->base.arena;
    const struct tensor *t = other ? model_tensor(d->inner, with_ending(word, ending, other, a)) : NULL;

    if (!t)
        return NULL;
    d->part[t - d->inner->tensor].gone = true;
    account_used(d->account, ACCOUNT_TENSOR, t->name, as, how);
    return t;
}

static int add_packed(struct dequantized *d, const struct tensor *word, const struct names *n, const struct packing *how, struct fail *f)
{
    struct arena *a = &d->base.arena;
    const char *as = with_ending(word->name, n->word, ".weight", a);
    struct packed *p = arena_new(a, struct packed);
    const struct tensor *shape = take(d, word->name, n->word, n->shape, as, "shape");

    *p = (struct packed){ .how = *how, .word = word, .scale = take(d, word->name, n->word, n->scale, as, "scales"),
                          .zero = take(d, word->name, n->word, n->zero, as, "zero points"),
                          .group_of = take(d, word->name, n->word, n->group_of, as, "which columns share a scale") };
    if (!p->scale)
        return fail(f, FAIL_INPUT, "tensor '%s' has no scales", word->name);
    if (model_tensor(d->inner, as))
        return fail(f, FAIL_INPUT, "tensor '%s' is there twice, in '%s' too", as, word->name);
    if (packed_init(p, d->inner, shape, f))
        return -1;
    account_used(d->account, ACCOUNT_TENSOR, word->name, as, arena_printf(a, "numbers of %u bits in groups of %" PRIu64, how->bits, p->how.group));
    d->part[word - d->inner->tensor].packed = p;
    return 0;
}

static int add_all_packed(struct dequantized *d, const struct packing *how, struct fail *f)
{
    for (size_t i = 0; i < d->inner->ntensors; i++)
        for (size_t k = 0; k < sizeof packed_names / sizeof *packed_names; k++) {
            const struct tensor *t = &d->inner->tensor[i];
            if (ends_with(t->name, packed_names[k].word) && add_packed(d, t, &packed_names[k], how, f))
                return -1;
        }
    return 0;
}

/* ---- matrices and their scales ---- */
static int add_scale(struct dequantized *d, const struct tensor *scale, const char *name, struct fail *f)
{
    const struct tensor *weight = model_tensor(d->inner, name);
    struct scaled *s = weight ? &d->part[weight - d->inner->tensor].scaled : NULL;

    if (!weight)
        return fail(f, FAIL_INPUT, "the scales '%s' are there, but not their tensor '%s'", scale->name, name);
    if (s->scale)
        return fail(f, FAIL_INPUT, "tensor '%s' has two tensors of scales, '%s' and '%s'", name, s->scale->name, scale->name);
    if (scale->type->block != 1 || !scale->type->decode || !weight->type->decode)
        return fail(f, FAIL_INPUT, "the scales '%s' are of type %s and their tensor of type %s, which no scale has", scale->name,
                    scale->type->label, weight->type->label);
    s->scale = scale;
    return 0;
}

static int add_all_scales(struct dequantized *d, struct fail *f)
{
    for (size_t i = 0; i < d->inner->ntensors; i++) {
        const struct tensor *t = &d->inner->tensor[i];
        bool ignored = is_unused(t->name);
        const char *name = ignored ? NULL : name_of_weight(t->name, &d->base.arena);

        d->part[i].scaled.weight = t;
        if (d->part[i].gone)
            continue;
        d->part[i].gone = ignored || name;
        if (name && add_scale(d, t, name, f))
            return -1;
        if (ignored)
            account_ignored(d->account, ACCOUNT_TENSOR, t->name, "scales what goes through a matrix, not the matrix");
    }
    return 0;
}

static int pair_tensors(struct dequantized *d, const struct stored_as *how, struct fail *f)
{
    if ((how->packing.bits && add_all_packed(d, &how->packing, f)) || add_all_scales(d, f))
        return -1;
    for (size_t i = 0; i < d->inner->ntensors; i++) {
        struct scaled *s = &d->part[i].scaled;
        if (!s->scale && !d->part[i].gone && needs_scale(s->weight->type))
            return fail(f, FAIL_INPUT, "tensor '%s' is of type %s, but has no scales", s->weight->name, s->weight->type->label);
        if (!s->scale)
            continue;
        if (scaled_init(s, how->block, f))
            return -1;
        account_used(d->account, ACCOUNT_TENSOR, s->scale->name, s->weight->name, scaled_how(s, &d->base.arena));
    }
    return 0;
}

/* ---- the adapter ---- */
static const void *dequantized_rows(struct model *m, const struct tensor *t, uint64_t first, uint64_t n, struct arena *tmp, struct fail *f)
{
    struct dequantized *d = (struct dequantized *)m;
    const struct part *p = &d->part[t->offset];
    const float *x;
    void *out;

    if (!p->scaled.scale && !p->packed)
        return model_rows(d->inner, p->scaled.weight, first, n, tmp, f);
    x = p->packed ? packed_rows(p->packed, &d->turners, d->inner, first, n, tmp, f) : scaled_rows(&p->scaled, d->inner, first, n, tmp, f);
    if (!x || strcmp(t->type->name, "f32") == 0)
        return x;
    out = arena_raw(tmp, n * tensor_row_bytes(t));
    t->type->encode(x, NULL, out, n, tensor_row(t));
    return out;
}

static void dequantized_close(struct model *m)
{
    struct model *inner = ((struct dequantized *)m)->inner;

    arena_release(&m->arena);
    model_close(inner);
}

static const struct model_ops dequantized_ops = { dequantized_rows, dequantized_close };

static void add_tensor(struct dequantized *d, size_t i, const struct qtype *as)
{
    struct tensor *t = &d->base.tensor[d->base.ntensors++];
    const struct packed *p = d->part[i].packed;

    *t = d->inner->tensor[i];
    t->offset = i;
    if (d->part[i].scaled.scale || p)
        t->type = as;
    if (!p)
        return;
    for (size_t k = 0; k < sizeof packed_names / sizeof *packed_names; k++)
        if (ends_with(p->word->name, packed_names[k].word))
            t->name = with_ending(p->word->name, packed_names[k].word, ".weight", &d->base.arena);
    t->shape[0] = p->rows;
    t->shape[1] = p->columns;
}

int model_dequantize(struct model **m, const struct stored_as *how, const struct qtype *as, struct account *account, struct fail *f)
{
    struct model *inner = *m;
    struct dequantized *d = model_adapter(sizeof *d, &dequantized_ops, inner);
    struct arena *a = &d->base.arena;

    d->inner = inner;
    d->account = account;
    d->part = arena_array(a, struct part, inner->ntensors);
    d->turners = packed_turners_new(a);
    if (pair_tensors(d, how, f)) {
        arena_release(a);
        return -1;
    }
    meta_copy(&d->base.meta, a, &inner->meta);
    d->base.tensor = arena_array(a, struct tensor, inner->ntensors);
    for (size_t i = 0; i < inner->ntensors; i++)
        if (!d->part[i].gone)
            add_tensor(d, i, as);
    *m = &d->base;
    return 0;
}
