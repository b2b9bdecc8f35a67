/* config.c - config.json into canonical keys; lists of the keys that change nothing. */
#include "convert/config.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* What transformers 4.30 to 5.23 and common training tools write into any config.json without changing what the weights
 * compute. Words separated by spaces. */
static const struct {
    const char *why, *keys;
} ignored[] = {
    { "says how the file was made", "transformers_version torch_dtype dtype _commit_hash _from_model_config name_or_path "
      "unsloth_version unsloth_fixed unsloth_optimized use_bfloat16 pruned_heads auto_map transformers.js_config "
      "trl_version axolotl_config model_name finetuning_task task_specific_params" },
    { "read with the tokenizer", "bos_token_id eos_token_id pad_token_id sep_token_id unk_token_id cls_token_id mask_token_id "
      "tokenizer_class prefix vocab_file" },
    { "only matters to training", "initializer_range attention_dropout hidden_dropout hidden_dropout_prob "
      "attention_probs_dropout_prob resid_pdrop embd_pdrop attn_pdrop resid_dropout classifier_dropout layerdrop "
      "gradient_checkpointing neftune_noise_alpha label_smoothing z_loss use_liger_kernel" },
    { "only matters to a classifier head", "id2label label2id num_labels problem_type summary_type summary_use_proj "
      "summary_activation summary_proj_to_labels summary_first_dropout" },
    { "says how a program runs it, not what it computes", "use_cache pretraining_tp output_attentions output_hidden_states "
      "output_scores return_dict return_dict_in_generate use_return_dict torchscript chunk_size_feed_forward "
      "_attn_implementation _attn_implementation_autoset attn_implementation _flash_attn_2_enabled use_flash_attn "
      "flash_attention use_flash_attention use_flash_attention_2 experts_implementation _experts_implementation "
      "keys_to_ignore_at_inference base_model_tp_plan base_model_pp_plan model_max_length tokenizer_model_max_length "
      "xla_device tf_legacy_loss output_past is_decoder tie_encoder_decoder cross_attention_hidden_size tie_last_hidden_states" },
    { "a setting of text generation", "max_length min_length do_sample early_stopping num_beams num_beam_groups "
      "diversity_penalty temperature top_k top_p typical_p repetition_penalty length_penalty no_repeat_ngram_size "
      "encoder_no_repeat_ngram_size bad_words_ids num_return_sequences remove_invalid_values forced_bos_token_id "
      "forced_eos_token_id decoder_start_token_id exponential_decay_length_penalty suppress_tokens "
      "begin_suppress_tokens generation_config max_new_tokens" },
};

enum { MAX_LAYERS = 1 << 20 };

/* Asked of every family. */
static const struct key_demand common_demands[] = {
    { "is_encoder_decoder", "false" },
    { "add_cross_attention", "false" },
    {0}
};

/* ---- finding ---- */
static const cJSON *find_path(const cJSON *object, const char *path, size_t n)
{
    while (object && n) {
        const char *dot = memchr(path, '.', n);
        size_t part = dot ? (size_t)(dot - path) : n;
        const cJSON *item = NULL;

        cJSON_ArrayForEach(item, object)
            if (item->string && strlen(item->string) == part && memcmp(item->string, path, part) == 0)
                break;
        object = item;
        n -= part + (dot != NULL);
        path += part + (dot != NULL);
    }
    return object && !cJSON_IsNull(object) ? object : NULL;
}

/* The item, and where in `from` its alternative stands: *n characters at *name. */
static const cJSON *find(const struct conversion *c, const char *from, const char **name, size_t *n)
{
    for (const char *p = from;; p += *n + 1) {
        const cJSON *item;
        *name = p;
        *n = strcspn(p, "|");
        if ((item = find_path(c->config, p, *n)) != NULL)
            return item;
        if (!p[*n])
            return NULL;
    }
}

const cJSON *config_find(const struct conversion *c, const char *from)
{
    const char *name;
    size_t n;

    return find(c, from, &name, &n);
}

const cJSON *config_use(struct conversion *c, const char *from, const char *to, const char *how)
{
    const char *name;
    size_t n;
    const cJSON *item = find(c, from, &name, &n);

    if (item)
        account_used(c->account, ACCOUNT_KEY, arena_copy(c->arena, name, n), config_key(c, to), how);
    return item;
}

int config_missing(const char *from, struct fail *f)
{
    size_t n = strcspn(from, "|");

    return fail(f, FAIL_INPUT, "config.json lacks '%.*s'", (int)n, from);
}

int config_f64(struct conversion *c, const char *from, const char *to, double *out, bool *found, struct fail *f)
{
    const cJSON *item = config_use(c, from, to, NULL);

    *found = item != NULL;
    if (!item)
        return 0;
    if (!cJSON_IsNumber(item) || !isfinite(item->valuedouble))
        return fail(f, FAIL_INPUT, "'%s' in config.json is not a number", item->string);
    *out = item->valuedouble;
    return 0;
}

int config_u32(struct conversion *c, const char *from, const char *to, uint32_t *out, bool *found, struct fail *f)
{
    double d = 0;

    if (config_f64(c, from, to, &d, found, f))
        return -1;
    if (!*found)
        return 0;
    if (d < 0 || d > UINT32_MAX || d != floor(d))
        return fail(f, FAIL_INPUT, "'%.*s' in config.json is %g, no whole number of 32 bits", (int)strcspn(from, "|"), from, d);
    *out = (uint32_t)d;
    return 0;
}

const char *config_key(struct conversion *c, const char *to)
{
    const char *mark = strstr(to, "{arch}");

    if (!mark)
        return to;
    return arena_printf(c->arena, "%.*s%s%s", (int)(mark - to), to, c->arch->name, mark + strlen("{arch}"));
}

/* ---- the account of keys ---- */
static void expect_keys(struct account *a, struct arena *scratch, const cJSON *object, const char *prefix)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, object) {
        const char *name = arena_printf(scratch, "%s%s%s", prefix, *prefix ? "." : "", item->string);
        if (cJSON_IsObject(item) && item->child)
            expect_keys(a, scratch, item, name);
        else
            account_expect(a, ACCOUNT_KEY, name);
        if (cJSON_IsNull(item))
            account_ignored(a, ACCOUNT_KEY, name, "null");
    }
}

static void ignore_words(struct conversion *c, const char *words, const char *why)
{
    for (const char *w = words + strspn(words, " "); *w; w += strspn(w, " ")) {
        size_t n = strcspn(w, " ");
        const char *name = arena_copy(c->arena, w, n);
        if (find_path(c->config, name, n))
            account_ignored(c->account, ACCOUNT_KEY, name, why);
        w += n;
    }
}

/* The items of the text object take the places of those beside it, under the same names. Either may say that the output matrix is
 * the embeddings': of two that differ it is the outer model's class that ties them, but published checkpoints have it inside. */
static void merge_text(struct conversion *c)
{
    static const char tie[] = "tie_word_embeddings";
    bool tied = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(c->config, tie));
    cJSON *text = c->arch->text ? cJSON_DetachItemFromObjectCaseSensitive(c->config, c->arch->text) : NULL;

    while (text && text->child) {
        cJSON *item = cJSON_DetachItemViaPointer(text, text->child);
        if (strcmp(item->string, "architectures") == 0) {
            cJSON_Delete(item);
            continue;
        }
        cJSON_DeleteItemFromObjectCaseSensitive(c->config, item->string);
        cJSON_AddItemToArray(c->config, item);      /* keeps its name */
    }
    if (text && tied && cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(c->config, tie)))
        cJSON_ReplaceItemInObjectCaseSensitive(c->config, tie, cJSON_CreateTrue());
    cJSON_Delete(text);
}

static int replace_spellings(struct conversion *c, struct fail *f)
{
    for (const struct spelling *s = c->arch->key_spellings; s && s->from; s++) {
        const cJSON *old = cJSON_GetObjectItemCaseSensitive(c->config, s->from),
                    *now = cJSON_GetObjectItemCaseSensitive(c->config, s->to);
        if (!old || cJSON_IsNull(old))
            continue;
        if (now && !cJSON_IsNull(now) && !cJSON_Compare(old, now, true))
            return fail(f, FAIL_INPUT, "'%s' and '%s' in config.json are the same setting, but differ", s->from, s->to);
        account_used(c->account, ACCOUNT_KEY, s->from, s->to, "another name of the key");
        if (now && !cJSON_IsNull(now))
            continue;
        cJSON_DeleteItemFromObjectCaseSensitive(c->config, s->to);
        cJSON_AddItemToObject(c->config, s->to, cJSON_Duplicate(old, true));
    }
    return 0;
}

int config_begin(struct conversion *c, const char *const *ignore, struct fail *f)
{
    merge_text(c);
    expect_keys(c->account, c->arena, c->config, "");
    if (replace_spellings(c, f))
        return -1;
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        ignore_words(c, ignored[i].keys, ignored[i].why);
    for (const char *const *k = c->arch->ignored_keys; *k; k++)
        ignore_words(c, *k, "this family's GGUF has no place for it");
    for (; ignore && *ignore; ignore++)
        account_ignored(c->account, ACCOUNT_KEY, *ignore, "by --ignore-key");
    return 0;
}

/* ---- conditions ---- */
/* Where the key of "[!]KEY[=true]" begins, and its length. */
static const char *condition_key(const char *condition, size_t *n)
{
    condition += *condition == '!';
    *n = strcspn(condition, "=");
    return condition;
}

bool config_true(const struct conversion *c, const char *condition)
{
    const cJSON *item;
    const char *key;
    size_t n;

    if (!condition)
        return false;
    key = condition_key(condition, &n);
    if (*key == '@')
        return c->fused == (*condition != '!');
    item = n ? find_path(c->config, key, n) : NULL;
    return (item ? cJSON_IsTrue(item) : key[n] == '=') == (*condition != '!');
}

void config_condition(struct conversion *c, const char *condition, const char *to)
{
    size_t n = 0;
    const char *key = condition ? condition_key(condition, &n) : NULL;

    if (n && *key != '@')
        config_use(c, arena_copy(c->arena, key, n), to, NULL);
}

/* ---- demands ---- */
static bool is_one_of(const char *value, const char *values)
{
    for (const char *v = values;; v += strcspn(v, "|") + 1) {
        size_t n = strcspn(v, "|");
        if (strlen(value) == n && memcmp(value, v, n) == 0)
            return true;
        if (!v[n])
            return false;
    }
}

static int demand_value(const struct key_demand *d, const cJSON *item, struct fail *f)
{
    char text[100];

    if (cJSON_IsArray(item)) {
        const cJSON *one;
        cJSON_ArrayForEach(one, item)
            if (cJSON_IsArray(one) || demand_value(d, one, f))
                return fail(f, FAIL_INPUT, "'%s' in config.json is a list of lists", d->key);
        return 0;
    }
    if (cJSON_IsString(item))
        snprintf(text, sizeof text, "%s", item->valuestring);
    else if (cJSON_IsBool(item))
        snprintf(text, sizeof text, "%s", cJSON_IsTrue(item) ? "true" : "false");
    else if (cJSON_IsNumber(item))
        snprintf(text, sizeof text, "%.9g", item->valuedouble);
    else
        return fail(f, FAIL_INPUT, "'%s' in config.json is no plain value", d->key);
    if (!is_one_of(text, d->values))
        return fail(f, FAIL_INPUT, "'%s' in config.json is '%s', and this model family is only known with '%s'", d->key, text,
                    d->values);
    return 0;
}

static int check_demands(struct conversion *c, const struct key_demand *d, struct fail *f)
{
    for (; d->key; d++) {
        const cJSON *item = config_use(c, d->key, "a check", "the value this family has");
        if (item && demand_value(d, item, f))
            return -1;
    }
    return 0;
}

/* ---- keys ---- */
static int put_typed(struct conversion *c, const struct key_map *k, struct fail *f)
{
    const char *to = config_key(c, k->to);
    const cJSON *item = config_find(c, k->from);
    uint32_t u = 0;
    double d = 0;
    bool found;

    if (!item && !(k->flags & KEY_DEFAULT && (k->type == META_UINT32 || k->type == META_FLOAT32)))     /* defaults are numbers */
        return k->flags & KEY_OPTIONAL ? 0 : config_missing(k->from, f);
    switch (k->type) {
    case META_UINT32:
        u = (uint32_t)k->fallback;
        if (config_u32(c, k->from, to, &u, &found, f))
            return -1;
        meta_set_u32(&c->meta, c->arena, to, u);
        return 0;
    case META_FLOAT32:
        d = k->fallback;
        if (config_f64(c, k->from, to, &d, &found, f))
            return -1;
        meta_set_f32(&c->meta, c->arena, to, (float)d);
        return 0;
    case META_BOOL:
        if (!cJSON_IsBool(item))
            return fail(f, FAIL_INPUT, "'%s' in config.json is neither true nor false", item->string);
        meta_set_bool(&c->meta, c->arena, to, cJSON_IsTrue(config_use(c, k->from, to, NULL)));
        return 0;
    default:
        if (!cJSON_IsString(item))
            return fail(f, FAIL_INPUT, "'%s' in config.json is no string", item->string);
        meta_set_str(&c->meta, c->arena, to, config_use(c, k->from, to, NULL)->valuestring);
        return 0;
    }
}

int config_keys(struct conversion *c, struct fail *f)
{
    if (check_demands(c, common_demands, f) || check_demands(c, c->arch->demands, f))
        return -1;
    for (const struct key_map *k = c->arch->keys; k->to || k->put; k++)
        if ((k->put ? k->put : put_typed)(c, k, f))
            return -1;
    return c->arch->check ? c->arch->check(&c->meta, c->arch->name, f) : 0;
}

/* ---- shared rows ---- */
int put_head_dim(struct conversion *c, const struct key_map *k, struct fail *f)
{
    uint64_t width = meta_u64(&c->meta, config_key(c, "{arch}.embedding_length"), 0),
             heads = meta_u64(&c->meta, config_key(c, "{arch}.attention.head_count"), 0);
    uint32_t dim = 0;
    bool found;

    if (config_u32(c, "head_dim", "{arch}.attention.key_length", &dim, &found, f))
        return -1;
    if (!found && k->flags & KEY_OPTIONAL)
        return 0;
    if (!found && k->flags & KEY_DEFAULT)
        dim = (uint32_t)k->fallback;
    else if (!found) {
        if (!heads || width % heads)
            return fail(f, FAIL_INPUT, "hidden_size %" PRIu64 " is no multiple of num_attention_heads %" PRIu64
                        ", and config.json gives no head_dim", width, heads);
        dim = (uint32_t)(width / heads);
    }
    meta_set_u32(&c->meta, c->arena, config_key(c, "{arch}.attention.key_length"), dim);
    meta_set_u32(&c->meta, c->arena, config_key(c, "{arch}.attention.value_length"), dim);
    return 0;
}

int put_rope_dims(struct conversion *c, const struct key_map *k, struct fail *f)
{
    uint64_t dim = arch_dim(&c->meta, c->arch->name, DIM_HEAD);

    (void)k;
    (void)f;
    meta_set_u32(&c->meta, c->arena, config_key(c, "{arch}.rope.dimension_count"), (uint32_t)dim);
    return 0;
}

int put_dense_layers(struct conversion *c, const struct key_map *k, struct fail *f)
{
    static const char to[] = "which layers have experts", how[] = "llama.cpp's programs only open models in which all have";
    uint64_t layers = meta_u64(&c->meta, config_key(c, "{arch}.block_count"), 0), index;
    const cJSON *list = config_use(c, "mlp_only_layers", to, how), *item;
    uint32_t step = 1;
    bool found;

    (void)k;
    if (config_u32(c, "decoder_sparse_step", to, &step, &found, f))
        return -1;
    if (!step || (list && !cJSON_IsArray(list)))
        return fail(f, FAIL_INPUT, step ? "'mlp_only_layers' in config.json is no list" : "'decoder_sparse_step' in config.json is 0");
    if ((step == 1 && !cJSON_GetArraySize(list)) || layers > MAX_LAYERS)         /* too many are refused with the tensors */
        return 0;
    c->dense = arena_array(c->arena, uint8_t, layers);
    for (uint64_t i = 0; i < layers; i++)
        c->dense[i] = (i + 1) % step != 0;
    cJSON_ArrayForEach(item, list) {
        if (!json_u64(item, &index) || index >= layers)
            return fail(f, FAIL_INPUT, "'mlp_only_layers' in config.json names a layer that there is not");
        c->dense[index] = 1;
    }
    return 0;
}

int put_file_type(struct conversion *c, const struct key_map *k, struct fail *f)
{
    (void)k;
    (void)f;
    meta_set_u32(&c->meta, c->arena, "general.file_type", 0);
    return 0;
}

int put_inner(struct conversion *c, const struct key_map *k, struct fail *f)
{
    uint64_t width = meta_u64(&c->meta, config_key(c, "{arch}.embedding_length"), 0);
    uint32_t n = 0;
    bool found;

    if (config_u32(c, k->from, "{arch}.feed_forward_length", &n, &found, f))
        return -1;
    if (!found && width > UINT32_MAX / 4)
        return fail(f, FAIL_INPUT, "a width of %" PRIu64 " in config.json is too large", width);
    meta_set_u32(&c->meta, c->arena, config_key(c, "{arch}.feed_forward_length"), found ? n : (uint32_t)(4 * width));
    return 0;
}

int put_activation(struct conversion *c, const struct key_map *k, struct fail *f)
{
    const cJSON *item = config_use(c, k->from, "{arch}.hidden_activation", NULL);
    int act = item && cJSON_IsString(item) ? act_named(item->valuestring) : -1;

    if (!item)
        return 0;
    if (act < 0)
        return fail(f, FAIL_INPUT, "'%s' in config.json is '%s', which is not known", k->from,
                    cJSON_IsString(item) ? item->valuestring : "no string");
    if (act != (int)c->arch->block.act)
        meta_set_str(&c->meta, c->arena, config_key(c, "{arch}.hidden_activation"), item->valuestring);
    return 0;
}

int check_query_scale(struct conversion *c, const struct key_map *k, struct fail *f)
{
    const char *name = c->arch->name;
    uint64_t heads = arch_heads(&c->meta, name, false), layers = meta_u64(&c->meta, config_key(c, "{arch}.block_count"), 0), want;
    double scale = k->fallback;
    bool found;

    if (config_f64(c, k->from, "a check", &scale, &found, f))
        return -1;
    want = layers == c->arch->block.wide_scale_layers && heads ? arch_dim(&c->meta, name, DIM_EMBD) / heads
                                                               : arch_dim(&c->meta, name, DIM_HEAD);
    if (scale != (double)want)
        return fail(f, FAIL_INPUT, "'%s' in config.json is %g, and GGUF has no key for it in this model family, which is read with %"
                    PRIu64, k->from, scale, want);
    return 0;
}
