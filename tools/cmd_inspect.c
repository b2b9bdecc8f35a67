/* cmd_inspect.c - what is in a model, without running it: format, family, sizes, encodings, tokenizer, keys, tensors. */
#include "convert/rename.h"
#include "formats/file.h"
#include "formats/model.h"
#include "tokenizer/vocab.h"
#include "tools/bom.h"
#include "tools/commands.h"
#include "tools/hashes.h"
#include "tools/report_inspect.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* "llama.context_length": a key of the model's own family. */
static uint64_t family_u64(const struct meta *m, const char *architecture, const char *key)
{
    char full[128];

    snprintf(full, sizeof full, "%s.%s", architecture, key);
    return meta_u64(m, full, 0);
}

static uint64_t vocabulary_size(const struct model *m, const struct meta *meta, const char *architecture)
{
    const struct meta_value *tokens = meta_get(meta, "tokenizer.ggml.tokens");
    const struct tensor *embedding = model_tensor(m, "token_embd.weight");
    uint64_t n = family_u64(meta, architecture, "vocab_size");

    if (n)
        return n;
    if (tokens && tokens->type == META_ARRAY)
        return tokens->a.n;
    return embedding ? tensor_rows(embedding) : 0;
}

/* Fills s from keys under GGUF's names, whether they came from a GGUF header or from a config.json. */
static void summarize(struct summary *s, const struct model *m, const struct meta *meta, struct arena *a)
{
    const struct meta_value *template = meta_get(meta, "tokenizer.chat_template");

    s->meta = meta;
    s->architecture = meta_str(meta, "general.architecture", NULL);
    s->name = meta_str(meta, "general.name", NULL);
    s->all = amount_of(m, NULL);
    if (s->architecture) {
        s->context = family_u64(meta, s->architecture, "context_length");
        s->width = family_u64(meta, s->architecture, "embedding_length");
        s->layers = family_u64(meta, s->architecture, "block_count");
        s->vocabulary = vocabulary_size(m, meta, s->architecture);
    }
    if (m->dir)
        s->tokenizer = vocab_summary_dir(m->dir, a);
    else
        s->tokenizer = (struct vocab_summary){ meta_str(meta, "tokenizer.ggml.model", NULL),
                                               meta_str(meta, "tokenizer.ggml.pre", NULL), template != NULL };
}

/* ---- JSON ---- */

/* Zero means that the file does not say. */
static void add_known(cJSON *root, const char *name, uint64_t value)
{
    cJSON_AddItemToObject(root, name, value ? json_whole(value) : cJSON_CreateNull());
}

static cJSON *files_json(const struct model *m, char (*sha256)[SHA256_TEXT])
{
    cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; i < m->nfiles; i++) {
        cJSON *item = cJSON_CreateObject();

        json_add_text(item, "path", m->file[i].path);
        cJSON_AddItemToObject(item, "bytes", json_whole(m->file[i].nbytes));
        if (sha256)
            cJSON_AddStringToObject(item, "sha256", sha256[i]);
        cJSON_AddItemToArray(list, item);
    }
    return list;
}

static cJSON *types_json(const struct model *m)
{
    cJSON *root = cJSON_CreateObject();

    for (size_t k = 0; k < qtype_count(); k++) {
        struct amount a = amount_of(m, qtype_at(k));

        if (a.tensors) {
            cJSON *item = cJSON_AddObjectToObject(root, qtype_at(k)->label);

            cJSON_AddItemToObject(item, "tensors", json_whole(a.tensors));
            cJSON_AddItemToObject(item, "bytes", json_whole(a.nbytes));
        }
    }
    return root;
}

/* The shape in the file's own order: GGUF writes the row's length first. */
uint64_t shape_in_file(const struct model *m, const struct tensor *t, int i)
{
    return strcmp(m->format->name, "gguf") == 0 ? t->shape[t->rank - 1 - i] : t->shape[i];
}

static cJSON *tensors_json(const struct model *m, const XXH128_hash_t *hash)
{
    cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; i < m->ntensors; i++) {
        const struct tensor *t = &m->tensor[i];
        cJSON *item = cJSON_CreateObject(), *shape;
        char text[XXH3_TEXT];

        json_add_text(item, "name", t->name);
        json_add_text(item, "type", t->type->label);
        shape = cJSON_AddArrayToObject(item, "shape");
        for (int k = 0; k < t->rank; k++)
            cJSON_AddItemToArray(shape, json_whole(shape_in_file(m, t, k)));
        cJSON_AddItemToObject(item, "bytes", json_whole(tensor_bytes(t)));
        json_add_text(item, "file", m->file[t->file].path);
        cJSON_AddItemToObject(item, "offset", json_whole(t->offset));
        if (hash) {
            xxh3_text(text, hash[i]);
            cJSON_AddStringToObject(item, "xxh3", text);
        }
        cJSON_AddItemToArray(list, item);
    }
    return list;
}

static cJSON *summary_json(const struct model *m, const struct summary *s)
{
    cJSON *root = cJSON_CreateObject(), *item;

    json_add_text(root, "format", m->format->name);
    cJSON_AddItemToObject(root, "files", files_json(m, s->sha256));
    if (m->aside)
        json_add_text(root, "left_aside", m->aside);
    json_add_text(root, "architecture", s->architecture);
    json_add_text(root, "name", s->name);
    cJSON_AddItemToObject(root, "parameters", json_whole(s->all.weights));
    cJSON_AddItemToObject(root, "bytes", json_whole(s->all.nbytes));
    cJSON_AddNumberToObject(root, "bits_per_weight", amount_bits(s->all));
    cJSON_AddItemToObject(root, "types", types_json(m));
    add_known(root, "context_length", s->context);
    add_known(root, "embedding_length", s->width);
    add_known(root, "block_count", s->layers);
    add_known(root, "vocabulary_size", s->vocabulary);
    item = cJSON_AddObjectToObject(root, "tokenizer");
    json_add_text(item, "model", s->tokenizer.model);
    json_add_text(item, "pre", s->tokenizer.pre);
    cJSON_AddBoolToObject(root, "chat_template", s->tokenizer.chat_template);
    cJSON_AddItemToObject(root, "license", license_json(&s->license));
    cJSON_AddItemToObject(root, "base_models", base_models_json(&s->license));
    item = cJSON_AddObjectToObject(root, "metadata");
    for (size_t i = 0; i < s->meta->n; i++)
        cJSON_AddItemToObject(item, s->meta->entry[i].key, json_meta(&s->meta->entry[i].value));
    return root;
}

/* ---- text ---- */

static void print_line(const char *what, const char *value)
{
    printf("  %-14s", what);
    print_last(value ? value : "not said", terminal_columns() - 18);
    putchar('\n');
}

static void print_number(const char *what, uint64_t value)
{
    if (value)
        printf("  %-14s%" PRIu64 "\n", what, value);
}

static void print_meta(const struct meta *meta)
{
    printf("\n  keys\n");
    for (size_t i = 0; i < meta->n; i++) {
        cJSON *item = json_meta(&meta->entry[i].value);
        char *text = cJSON_PrintUnformatted(item);

        fputs("  ", stdout);
        print_cell(meta->entry[i].key, 42);
        putchar(' ');
        print_last(text ? text : "", terminal_columns() - 46);
        putchar('\n');
        free(text);
        cJSON_Delete(item);
    }
}

static void print_tensors(const struct model *m, const XXH128_hash_t *hash)
{
    printf("\n  tensor                                     type    shape                    bytes%s\n", hash ? "  xxh3-128" : "");
    for (size_t i = 0; i < m->ntensors; i++) {
        const struct tensor *t = &m->tensor[i];
        char shape[128] = "", text[XXH3_TEXT], size[SIZE_TEXT];

        for (int k = 0; k < t->rank; k++)
            snprintf(shape + strlen(shape), sizeof shape - strlen(shape), "%s%" PRIu64, k ? " x " : "", shape_in_file(m, t, k));
        fputs("  ", stdout);
        print_cell(t->name, 42);
        printf(" %-7s %-18s %11s", t->type->label, shape, size_text(size, tensor_bytes(t)));
        if (hash) {
            xxh3_text(text, hash[i]);
            printf("  %s", text);
        }
        putchar('\n');
    }
}

static void print_summary(const struct model *m, const struct summary *s, struct arena *a)
{
    char weights[SIZE_TEXT], size[SIZE_TEXT], line[128];

    printf("%s\n", m->path);
    snprintf(line, sizeof line, "%s, %zu file%s, %zu tensors", m->format->name, m->nfiles, m->nfiles == 1 ? "" : "s", m->ntensors);
    print_line("format", line);
    print_line("name", s->name);
    print_line("architecture", s->architecture);
    snprintf(line, sizeof line, "%s, %.2f bits each, %s", count_text(weights, s->all.weights), amount_bits(s->all), size_text(size, s->all.nbytes));
    print_line("weights", line);
    print_number("context", s->context);
    print_number("width", s->width);
    print_number("layers", s->layers);
    print_number("vocabulary", s->vocabulary);
    snprintf(line, sizeof line, "%s%s%s%s", s->tokenizer.model ? s->tokenizer.model : "none", s->tokenizer.pre ? ", " : "",
             s->tokenizer.pre ? s->tokenizer.pre : "", s->tokenizer.chat_template ? ", with a chat template" : "");
    print_line("tokenizer", line);
    if (m->aside)
        print_line("left aside", m->aside);
    print_license_lines(&s->license, a);
    putchar('\n');
    print_types(m);
}

/* What takes reading the whole model; only when asked for. */
static int hash_all(struct summary *s, struct args *a, struct model *m, struct fail *f)
{
    if ((a->hashes || a->fingerprint) && !(s->hash = hash_tensors(m, a, f)))
        return -1;
    return a->sha256 && !(s->sha256 = hash_files(m, a, f)) ? -1 : 0;
}

static int show_json(struct args *a, struct model *m, const struct summary *s, struct fail *f)
{
    cJSON *root = summary_json(m, s);
    char text[XXH3_TEXT];

    if (a->fingerprint) {
        xxh3_text(text, fingerprint_of(m, s->hash));
        cJSON_AddStringToObject(root, "fingerprint", text);
    }
    if (a->tensors || a->hashes)
        cJSON_AddItemToObject(root, "tensors", tensors_json(m, a->hashes ? s->hash : NULL));
    return json_print(root, f);
}

static void print_hashes(const struct args *a, const struct model *m, const struct summary *s)
{
    char text[XXH3_TEXT];

    if (a->fingerprint) {
        xxh3_text(text, fingerprint_of(m, s->hash));
        print_line("fingerprint", text);
    }
    for (size_t i = 0; s->sha256 && i < m->nfiles; i++)
        printf("%s  %s\n", s->sha256[i], m->file[i].path);
}

static int show_bom(struct args *a, const struct model *m, const struct summary *s, struct fail *f)
{
    static const struct { const char *name; cJSON *(*make)(const struct bom_facts *, struct arena *); } kinds[] = {
        { "cyclonedx", bom_cyclonedx }, { "spdx", bom_spdx }
    };
    struct bom_facts facts;

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, a->bom) == 0)
            return bom_gather(m, s->meta, &s->license, a, &facts, f) ? -1 : json_print(kinds[i].make(&facts, &a->arena), f);
    return fail(f, FAIL_USAGE, "--bom takes cyclonedx or spdx, not '%s'", a->bom);
}

/* Are there matrices of words, each of which holds several weights (convert/packed.h)? */
static bool has_words(const struct model *m)
{
    for (size_t i = 0; i < m->ntensors; i++)
        if (m->tensor[i].rank > 1 && strcmp(m->tensor[i].type->name, "i32") == 0)
            return true;
    return false;
}

/* `canonical`: the same under GGUF's names, NULL: not known. */
static int show(struct args *a, struct model *m, const struct model *canonical, struct fail *f)
{
    const struct meta *meta = canonical ? &canonical->meta : &m->meta;
    struct summary s = {0};

    if (hash_all(&s, a, m, f))
        return -1;
    summarize(&s, m, meta, &a->arena);
    if (canonical && has_words(m))
        s.all.weights = amount_of(canonical, NULL).weights;
    license_of_model(m, a->operand.item[0], s.name, &s.license, &a->arena);
    if (a->report && report_inspect(a, m, &s, f))
        return -1;
    if (a->bom)
        return show_bom(a, m, &s, f);
    if (a->json)
        return show_json(a, m, &s, f);
    if (a->license) {
        printf("%s\n", m->path);
        print_license(&s.license, &a->arena);
        return stdout_done(f);
    }
    print_summary(m, &s, &a->arena);
    if (a->verbose)
        print_meta(meta);
    if (a->tensors || a->hashes)
        print_tensors(m, a->hashes ? s.hash : NULL);
    print_hashes(a, m, &s);
    return stdout_done(f);
}

/* A directory's keys are shown under GGUF's names where the family is known; an unknown one is shown as its files say. */
static struct model *renamed(const char *path)
{
    struct rename_options options = { .no_vocabulary = true, .rounded = true };
    struct fail unknown = {0};

    return model_rename(model_open(path, &unknown), &options, NULL, NULL, &unknown);
}

static int run_inspect(struct args *a, struct fail *f)
{
    const char *path = a->operand.item[0];
    struct model *m = model_open(path, f), *canonical = m && m->dir && !a->check ? renamed(path) : NULL;
    int bad = -1;

    if (m && (!a->report || (html_may_write(a->report, a->force, f) == 0 && model_spared(m, a->report, f) == 0)))
        bad = a->check ? hashes_check(m, a, f) : show(a, m, canonical, f);
    model_close(canonical);
    model_close(m);
    return bad && f->kind != FAIL_USAGE ? fail_in(f, path) : bad;
}

static const char *const inspect_options[] = {
    "tensors", "hashes", "sha256", "fingerprint", "check", "license", "bom", "report", "force", "verbose", NULL
};

const struct command command_inspect = {
    .name = "inspect", .operands = "MODEL", .about = "what is in a model: family, sizes, encodings, tokenizer, keys, tensors",
    .detail = "Reads headers only, so it takes milliseconds; --hashes reads everything. --verbose lists the keys, --json gives all.\n\n"
              "The license is read from every place that speaks of one: GGUF keys, the model card, license, notice and policy files,\n"
              "safetensors headers. Texts are recognized word for word, else by their phrases; the text decides, a tag is only\n"
              "declared, and contradictions are told first. --license shows the evidence, the terms with how well each is known,\n"
              "the base models' terms, and what is missing beside the model. These are facts, not legal advice.",
    .options = inspect_options, .min_operands = 1, .max_operands = 1, .run = run_inspect
};
