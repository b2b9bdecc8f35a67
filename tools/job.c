/* job.c - the chain of convert and quantize. */
#include "tools/job.h"

#include "convert/companions.h"
#include "convert/quantize.h"
#include "convert/rename.h"
#include "convert/unrename.h"
#include "tokenizer/tokenizer.h"
#include "tools/report.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- --metadata KEY=TYPE:VALUE ---- */

static const struct scalar_name {
    const char *name;
    enum meta_type type;
    double least, most;
} scalar_names[] = {
    { "u8", META_UINT8, 0, UINT8_MAX }, { "i8", META_INT8, INT8_MIN, INT8_MAX },
    { "u16", META_UINT16, 0, UINT16_MAX }, { "i16", META_INT16, INT16_MIN, INT16_MAX },
    { "u32", META_UINT32, 0, UINT32_MAX }, { "i32", META_INT32, INT32_MIN, INT32_MAX },
    { "u64", META_UINT64, 0, 0x1p64 }, { "i64", META_INT64, -0x1p63, 0x1p63 },
    { "f32", META_FLOAT32, -3.4028235e38, 3.4028235e38 }, { "f64", META_FLOAT64, -HUGE_VAL, HUGE_VAL },
    { "bool", META_BOOL, 0, 1 }, { "str", META_STRING, 0, 0 },
};

static int parse_bool(const char *text, uint64_t *out)
{
    *out = strcmp(text, "true") == 0;
    return *out || strcmp(text, "false") == 0 ? 0 : -1;
}

/* The text as a value of that type; -1 when it is none, or does not fit. */
static int parse_value(const char *text, const struct scalar_name *s, struct meta_value *v)
{
    char *end = NULL;
    double number = strtod(text, &end);
    bool fits = *text && !*end && number >= s->least && number <= s->most;

    v->type = s->type;
    errno = 0;
    switch (s->type) {
    case META_STRING:
        v->s = (struct meta_string){ text, strlen(text) };
        return 0;
    case META_BOOL:
        return parse_bool(text, &v->u);
    case META_FLOAT32: case META_FLOAT64:
        v->f = s->type == META_FLOAT32 ? (double)(float)number : number;
        return fits ? 0 : -1;
    case META_INT8: case META_INT16: case META_INT32: case META_INT64:
        v->i = strtoll(text, &end, 0);
        return fits && !*end && !errno ? 0 : -1;
    default:
        v->u = strtoull(text, &end, 0);
        return fits && !*end && !errno ? 0 : -1;
    }
}

static int set_metadata(struct model *m, const char *word, struct fail *f)
{
    const char *equals = strchr(word, '='), *colon = equals ? strchr(equals, ':') : NULL;
    struct meta_value value;

    if (!colon || equals == word)
        return fail(f, FAIL_USAGE, "--metadata wants KEY=TYPE:VALUE, not '%s'", word),
               fail_hint(f, "for example general.name=str:My model");
    for (size_t i = 0; i < sizeof scalar_names / sizeof *scalar_names; i++) {
        const struct scalar_name *s = &scalar_names[i];

        if (strlen(s->name) != (size_t)(colon - equals) - 1 || strncmp(s->name, equals + 1, strlen(s->name)) != 0)
            continue;
        if (parse_value(colon + 1, s, &value))
            return fail(f, FAIL_USAGE, "--metadata: '%s' is no %s", colon + 1, s->name);
        meta_set(&m->meta, &m->arena, arena_copy(&m->arena, word, (size_t)(equals - word)), value);
        return 0;
    }
    return fail(f, FAIL_USAGE, "--metadata: there is no type '%.*s'", (int)(colon - equals) - 1, equals + 1),
           fail_hint(f, "str, bool, u8 .. u64, i8 .. i64, f32 or f64");
}

/* ---- the chain ---- */

static int type_named(const char *option, const char *name, const struct qtype **type, struct fail *f)
{
    if (name && (!(*type = qtype_named(name)) || !(*type)->encode))
        return fail(f, FAIL_USAGE, "--%s: there is no encoding '%s' to write", option, name);
    return 0;
}

static int parse_overrides(struct job *j, struct recipe_options *o, struct fail *f)
{
    const struct arg_list *words = &j->args->tensor_type;
    struct recipe_override *list = arena_array(&j->arena, struct recipe_override, words->n);

    for (size_t i = 0; i < words->n; i++) {
        const char *equals = strrchr(words->item[i], '=');

        if (!equals || equals == words->item[i])
            return fail(f, FAIL_USAGE, "--tensor-type wants REGEX=TYPE, not '%s'", words->item[i]);
        list[i].pattern = arena_copy(&j->arena, words->item[i], (size_t)(equals - words->item[i]));
        if (type_named("tensor-type", equals + 1, &list[i].type, f))
            return -1;
    }
    o->override = list;
    o->noverrides = words->n;
    return 0;
}

/* The encodings before, and room for those chosen. */
static void list_types(struct job *j)
{
    const struct model *m = j->model;

    j->choice = arena_array(&j->arena, struct recipe_choice, m->ntensors);
    j->from = arena_array(&j->arena, const struct qtype *, m->ntensors);
    for (size_t i = 0; i < m->ntensors; i++)
        j->from[i] = m->tensor[i].type;
}

static int choose(struct job *j, bool as_converted, struct fail *f)
{
    const struct args *a = j->args;
    struct recipe_options options = {
        .pure = a->pure, .as_converted = as_converted, .allow_requantize = a->allow_requantize, .dry_run = a->dry_run
    };

    if (type_named("output-type", a->output_type, &options.output_type, f) ||
        type_named("embedding-type", a->embedding_type, &options.embedding_type, f) || parse_overrides(j, &options, f))
        return -1;
    list_types(j);
    return recipe_choose(j->recipe, j->model, &options, j->choice, f);
}

static int find_sink(struct job *j, struct fail *f)
{
    const struct args *a = j->args;

    j->sink = a->to ? format_named(a->to) : a->out ? format_of_output(a->out) : format_named("gguf");
    if (!j->sink || !j->sink->plan)
        return a->to ? fail(f, FAIL_USAGE, "--to: there is no format '%s' to write", a->to), fail_hint(f, "gguf or safetensors")
                     : fail(f, FAIL_USAGE, "'%s' does not say which format to write", a->out),
                       fail_hint(f, "end OUT in .gguf, or name a directory for safetensors, or say --to");
    return 0;
}

/* A tokenizer that splits text in another way is worse than none: told before a weight is read. */
static int check_tokenizer(struct job *j, struct fail *f)
{
    struct arena scratch = {0};
    struct vocab *written;
    int bad = 0;

    if (j->vocab) {
        written = vocab_open_meta(&j->model->meta, &scratch, f);
        bad = written ? tokenizer_compare(j->vocab, written, f) : -1;
    }
    arena_release(&scratch);
    return bad;
}

/* The model is what a bad input is about, where nothing more exact was said; wrong words on the command line are not. */
static int blame(const struct job *j, struct fail *f)
{
    return f->kind == FAIL_INPUT ? fail_in(f, j->source) : -1;
}

/* To GGUF: names, keys and layout of GGUF, then the recipe's encodings. */
static int open_canonical(struct job *j, bool as_converted, struct fail *f)
{
    const struct args *a = j->args;
    struct rename_options rename = { .pre_tokenizer = a->pre_tokenizer, .ignore_keys = a->ignore_key.item };

    j->model = model_rename(model_open(j->source, f), &rename, &j->account, &j->vocab, f);
    if (!j->model)
        return -1;
    for (size_t i = 0; i < a->metadata.n; i++)
        if (set_metadata(j->model, a->metadata.item[i], f))
            return -1;
    return check_tokenizer(j, f) || choose(j, as_converted, f) ? -1 : 0;
}

/* A GGUF model gets Hugging Face's names, row order and config.json; its tokenizer stays behind. */
static int unname(struct job *j, const struct qtype *type, struct fail *f)
{
    struct plan_extra *extra = arena_new(&j->arena, struct plan_extra);
    const char *config = NULL;

    j->model = model_unrename(j->model, type, &config, &j->account, f);
    if (!j->model)
        return -1;
    *extra = (struct plan_extra){ "config.json", config, strlen(config) };
    j->extra = extra;
    j->nextra = 1;
    return 0;
}

/* To safetensors: everything keeps its name; floating-point tensors are cast, and the directory's other files come along. */
static int open_cast(struct job *j, struct fail *f)
{
    const struct qtype *type = j->recipe->base ? qtype_named(j->recipe->base) : NULL;

    if (j->recipe->base && (!type || !type->safetensors))
        return fail(f, FAIL_USAGE, "safetensors cannot hold %s", j->recipe->name), fail_hint(f, "F32, F16, BF16 or auto; or end OUT in .gguf");
    if (!(j->model = model_open(j->source, f)))
        return -1;
    if (strcmp(j->model->format->name, "gguf") == 0 && unname(j, type, f))
        return -1;
    list_types(j);
    for (size_t i = 0; i < j->model->ntensors; i++) {
        const struct qtype *from = j->from[i];
        bool real = from->block > 1 || strcmp(from->name, "f64") == 0 || strcmp(from->name, "f32") == 0 ||
                    strcmp(from->name, "f16") == 0 || strcmp(from->name, "bf16") == 0;

        j->choice[i].type = type && real ? type : from;
    }
    return j->model->dir ? companions_of(j->model->dir, type, &j->arena, &j->extra, &j->nextra, f) : 0;
}

int job_open(struct job *j, const struct args *a, bool as_converted, struct fail *f)
{
    struct plan_options split = { .split_nbytes = a->split_size };

    j->args = a;
    j->source = a->operand.item[0];
    if (!(j->recipe = recipe_named(a->type)))
        return fail(f, FAIL_USAGE, "there is no type '%s'", a->type), fail_hint(f, "'bantam help types' lists them");
    if (find_sink(j, f))
        return -1;
    if (strcmp(j->sink->name, "gguf") == 0 ? open_canonical(j, as_converted, f) : open_cast(j, f))
        return blame(j, f);
    j->model = model_quantize(j->model, j->recipe, j->choice, NULL, f);
    if (!j->model || j->sink->plan(j->model, a->out ? a->out : "out.gguf", &split, &j->plan, f))
        return blame(j, f);
    return 0;
}

void job_release(struct job *j)
{
    plan_release(&j->plan);
    model_close(j->model);
    account_release(&j->account);
    arena_release(&j->arena);
}

/* ---- the plan ---- */

static uint64_t weights_of(const struct model *m)
{
    uint64_t n = 0;

    for (size_t i = 0; i < m->ntensors; i++)
        n += tensor_weights(&m->tensor[i]);
    return n;
}

static uint64_t bytes_of(const struct model *m)
{
    uint64_t n = 0;

    for (size_t i = 0; i < m->ntensors; i++)
        n += tensor_bytes(&m->tensor[i]);
    return n;
}

static double bits_per_weight(const struct model *m)
{
    uint64_t n = weights_of(m);

    return n ? 8 * (double)bytes_of(m) / (double)n : 0;
}

static cJSON *plan_json(const struct job *j)
{
    cJSON *root = cJSON_CreateObject(), *list;

    cJSON_AddStringToObject(root, "type", j->recipe->name);
    cJSON_AddItemToObject(root, "bytes", json_whole(j->plan.nbytes));
    cJSON_AddNumberToObject(root, "bits_per_weight", bits_per_weight(j->model));
    list = cJSON_AddArrayToObject(root, "tensors");
    for (size_t i = 0; i < j->model->ntensors; i++) {
        const struct tensor *t = &j->model->tensor[i];
        cJSON *item = cJSON_CreateObject();

        cJSON_AddItemToObject(item, "name", json_text(t->name, strlen(t->name)));
        cJSON_AddStringToObject(item, "from", j->from[i]->label);
        cJSON_AddStringToObject(item, "to", t->type->label);
        cJSON_AddItemToObject(item, "bytes", json_whole(tensor_bytes(t)));
        if (j->choice[i].instead_of)
            cJSON_AddStringToObject(item, "instead_of", j->choice[i].instead_of->label);
        cJSON_AddItemToArray(list, item);
    }
    return root;
}

/* One row per encoding of the result: what a reader wants to see at a glance. */
static void print_types(const struct model *m)
{
    char bytes[SIZE_TEXT], weights[SIZE_TEXT];

    printf("  type       tensors     weights       bytes\n");
    for (size_t k = 0; k < qtype_count(); k++) {
        uint64_t nbytes = 0, n = 0;
        size_t tensors = 0;

        for (size_t i = 0; i < m->ntensors; i++)
            if (m->tensor[i].type == qtype_at(k)) {
                tensors++;
                nbytes += tensor_bytes(&m->tensor[i]);
                n += tensor_weights(&m->tensor[i]);
            }
        if (tensors)
            printf("  %-9s %8zu %11s %11s\n", qtype_at(k)->label, tensors, count_text(weights, n), size_text(bytes, nbytes));
    }
}

/* Rows that did not fit the recipe's encoding, and the share of the weights that got another one. */
static void print_fallbacks(const struct job *j)
{
    uint64_t n = 0;
    size_t tensors = 0;

    for (size_t i = 0; i < j->model->ntensors; i++)
        if (j->choice[i].instead_of) {
            tensors++;
            n += tensor_weights(&j->model->tensor[i]);
        }
    if (tensors)
        printf("  %zu tensors (%.1f %% of the weights) have rows that %s's encodings do not fit and got wider ones\n", tensors,
               100 * (double)n / (double)weights_of(j->model), j->recipe->name);
}

static void print_plan(const struct job *j)
{
    char size[SIZE_TEXT], weights[SIZE_TEXT];

    for (size_t i = 0; i < j->model->ntensors; i++) {
        const struct tensor *t = &j->model->tensor[i];

        fputs("  ", stdout);
        print_cell(t->name, 40);
        printf(" %-7s -> %-7s %11s%s%s\n", j->from[i]->label, t->type->label, size_text(size, tensor_bytes(t)),
               j->choice[i].instead_of ? "  instead of " : "", j->choice[i].instead_of ? j->choice[i].instead_of->label : "");
    }
    printf("\n%s: %s weights, %.2f bits each, %" PRIu64 " bytes (%s) in %zu file%s; nothing was written\n", j->recipe->name,
           count_text(weights, weights_of(j->model)), bits_per_weight(j->model), j->plan.nbytes, size_text(size, j->plan.nbytes),
           j->plan.nfiles, j->plan.nfiles == 1 ? "" : "s");
    print_types(j->model);
    print_fallbacks(j);
}

int job_show_plan(struct job *j, struct fail *f)
{
    if (j->args->json)
        return json_print(plan_json(j), f);
    print_plan(j);
    return stdout_done(f);
}

/* ---- the account ---- */

static const char *const fate_words[] = { "pending", "used", "ignored" };

static cJSON *account_json(const struct account *a)
{
    cJSON *root = cJSON_CreateObject();
    cJSON *lists[] = { cJSON_AddArrayToObject(root, "tensors"), cJSON_AddArrayToObject(root, "keys") };

    for (size_t i = 0; i < a->n; i++) {
        const struct account_entry *e = &a->entry[i];
        cJSON *item = cJSON_CreateObject();

        cJSON_AddItemToObject(item, "name", json_text(e->name, strlen(e->name)));
        cJSON_AddStringToObject(item, "fate", fate_words[e->fate]);
        if (e->to)
            cJSON_AddItemToObject(item, e->fate == ACCOUNT_USED ? "to" : "why", json_text(e->to, strlen(e->to)));
        if (e->how)
            cJSON_AddStringToObject(item, "how", e->how);
        cJSON_AddItemToArray(lists[e->kind == ACCOUNT_KEY], item);
    }
    return root;
}

static void print_account(const struct job *j)
{
    size_t n[2][3] = {0};

    for (size_t i = 0; i < j->account.n; i++) {
        const struct account_entry *e = &j->account.entry[i];

        n[e->kind][e->fate]++;
        if (j->args->verbose)
            printf("  %-7s %s: %s%s%s%s\n", fate_words[e->fate], e->name, e->to ? e->to : "", e->how ? " (" : "",
                   e->how ? e->how : "", e->how ? ")" : "");
    }
    if (j->account.n)
        printf("  source     %zu tensors used, %zu ignored; %zu config keys used, %zu ignored%s\n",
               n[ACCOUNT_TENSOR][ACCOUNT_USED], n[ACCOUNT_TENSOR][ACCOUNT_IGNORED], n[ACCOUNT_KEY][ACCOUNT_USED],
               n[ACCOUNT_KEY][ACCOUNT_IGNORED], j->args->verbose ? "" : " (--verbose lists them)");
}

/* ---- writing, and what is said afterwards ---- */

static int report_json(const struct job *j, const struct write_result *r, struct fail *f)
{
    cJSON *root = plan_json(j), *files;

    cJSON_AddItemToObject(root, "out", json_text(j->args->out, strlen(j->args->out)));
    files = cJSON_AddArrayToObject(root, "files");
    for (size_t i = 0; i < j->plan.nfiles; i++) {
        cJSON *item = cJSON_CreateObject();

        cJSON_AddItemToObject(item, "path", json_text(j->plan.file[i].path, strlen(j->plan.file[i].path)));
        cJSON_AddItemToObject(item, "bytes", json_whole(j->plan.file[i].nbytes));
        cJSON_AddItemToArray(files, item);
    }
    cJSON_AddItemToObject(root, "account", account_json(&j->account));
    cJSON_AddItemToObject(root, "resumed_bytes", json_whole(r->resumed_nbytes));
    cJSON_AddNumberToObject(root, "seconds", r->seconds);
    return json_print(root, f);
}

static int report_text(const struct job *j, const struct write_result *r, struct fail *f)
{
    char size[SIZE_TEXT], weights[SIZE_TEXT], resumed[SIZE_TEXT], seconds[SIZE_TEXT];
    bool gguf = strcmp(j->sink->name, "gguf") == 0;

    printf("%s: %s weights, %.2f bits each, %s in %zu file%s\n", j->args->out, count_text(weights, weights_of(j->model)),
           bits_per_weight(j->model), size_text(size, r->nbytes), r->nfiles, r->nfiles == 1 ? "" : "s");
    print_types(j->model);
    print_fallbacks(j);
    print_account(j);
    if (j->vocab)
        printf("  tokenizer  %s, %s: the built-in text gives the same tokens by the source's rules and by what was written\n",
               meta_str(&j->model->meta, "tokenizer.ggml.model", "?"), meta_str(&j->model->meta, "tokenizer.ggml.pre", "?"));
    if (r->resumed_nbytes)
        printf("  resumed    %s were complete from an earlier run\n", size_text(resumed, r->resumed_nbytes));
    printf("  done in %s; next: bantam %s\n", time_text(seconds, r->seconds),
           gguf ? "verify OUT --against ORIGINAL --text FILE" : "inspect OUT");
    return stdout_done(f);
}

int job_write(struct job *j, struct fail *f)
{
    struct meter meter;
    struct write_result result = {0};
    struct write_options options = {
        .out = j->args->out, .format = j->sink, .plan.split_nbytes = j->args->split_size, .force = j->args->force,
        .extra = j->extra, .nextra = j->nextra, .progress = { meter_bytes, &meter }
    };
    int bad;

    meter_start(&meter, j->args, "writing");
    bad = model_write(j->model, &options, &result, f);
    meter_end(&meter);
    if (bad)
        return blame(j, f);
    if (j->args->json)
        return report_json(j, &result, f);
    return j->args->quiet ? 0 : report_text(j, &result, f);
}
