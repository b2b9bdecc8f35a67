/* dequantize_config.c - what a config says about how matrices are stored. See dequantize.h. */
#include "convert/dequantize.h"

#include "formats/file.h"

#include <stdio.h>
#include <string.h>

enum { CONFIG_NBYTES = 64 << 20 };

static int refuse(const char *key, const char *name, const char *value, struct fail *f)
{
    fail(f, FAIL_INPUT, "the weights are quantized already (%s%s, %s '%s'), and there is no decoder for that", key,
         dequantize_is_file(key) ? "" : " in config.json", name, value);
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

/* The names that the object goes by in a config, and files that have it, or a member that is it, who writes them. */
static const char *const keys[] = { "quantization_config", "compression_config", "quantization" };
static const struct {
    const char *name, *member, *method;
} files[] = {
    { "hf_quant_config.json", "quantization", "modelopt" }, { "quantize_config.json", NULL, "gptq" }, { "quant_config.json", NULL, "awq" },
};

bool dequantize_is_file(const char *name)
{
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (strcmp(name, files[i].name) == 0)
            return true;
    return false;
}

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
    const cJSON *q = find_key(config, key), *root;

    if (!q)
        q = find_key(cJSON_GetObjectItemCaseSensitive(config, "text_config"), key);
    for (size_t i = 0; !q && i < sizeof files / sizeof *files; i++) {
        const char *path = path_join(a, dir, files[i].name);
        if (!path_exists(path))
            continue;
        *key = files[i].name;
        if (!(root = json_read(path, CONFIG_NBYTES, a, f)))
            return NULL;
        q = files[i].member ? cJSON_GetObjectItemCaseSensitive(root, files[i].member) : root;
    }
    return q;
}

/* Who writes such an object without a quant_method. */
static const char *method_unsaid(const char *key, const cJSON *q)
{
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (strcmp(key, files[i].name) == 0)
            return files[i].method;
    if (cJSON_GetObjectItemCaseSensitive(q, "quant_algo"))
        return "modelopt";
    return cJSON_GetObjectItemCaseSensitive(q, "bits") && cJSON_GetObjectItemCaseSensitive(q, "group_size") ? "mlx" : "unknown";
}

int dequantize_scheme(const cJSON *config, const char *dir, const char **key, struct stored_as *out, struct arena *a, struct fail *f)
{
    const cJSON *q = find_object(config, dir, key, a, f);
    const char *name = cJSON_GetObjectItemCaseSensitive(q, "qformat_weight") ? "qformat_weight" : "quant_method",
               *method;

    *out = (struct stored_as){0};
    if (!q) {
        *key = NULL;
        return failed(f) ? -1 : 0;
    }
    method = json_str(q, name, method_unsaid(*key, q));
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
