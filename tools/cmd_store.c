/* cmd_store.c - registers a finished GGUF with a local runtime, so that Ollama, LM Studio or Jan lists it. */
#include "convert/chat.h"
#include "convert/evidence.h"
#include "convert/recipe.h"
#include "formats/file.h"
#include "formats/output.h"
#include "formats/store.h"
#include "formats/store_put.h"
#include "formats/text.h"
#include "tools/commands.h"
#include "tools/report.h"

#include <inttypes.h>
#include <string.h>

enum { MOST_LICENSES = 32, LICENSE_BYTES = 1 << 20 };

struct storing {
    struct args *args;
    struct model *m;
    const char *in;                     /* what stands behind the colon of --in */
    const char *root;                   /* of the store */
    struct put_options put;
    struct put_list list;
    const char *license[MOST_LICENSES];     /* paths of license files beside the model, sorted */
    size_t nlicenses;
    const char *name;                   /* what MODEL arguments call the result */
    struct meter meter;
    uint64_t done, total;
};

static void count_bytes(void *ctx, uint64_t n)
{
    struct storing *s = ctx;

    s->done += n;
    meter_bytes(&s->meter, s->done, s->total);
}

/* What lies beside the model and speaks of its license. */
static void find_licenses(struct storing *s)
{
    struct arena *a = &s->args->arena;
    const char *dir = path_dir(a, s->m->path), **name;
    size_t n = evidence_files(dir, evidence_stem(s->m->path, a), &name, a);

    for (size_t i = 0; i < n && s->nlicenses < MOST_LICENSES; i++)
        s->license[s->nlicenses++] = path_join(a, dir, name[i]);
}

/* The text that the model carries in a key, where no file beside it does; NULL: none. */
static const char *license_key(const struct storing *s)
{
    return s->nlicenses ? NULL : meta_str(&s->m->meta, "general.license.text", NULL);
}

static int needs_one_file(const struct storing *s, const char *runtime, struct fail *f)
{
    if (s->m->nfiles == 1)
        return 0;
    fail(f, FAIL_INPUT, "is split into %zu files, and %s takes one", s->m->nfiles, runtime);
    fail_hint(f, "join them first: bantam convert %s -o JOINED.gguf", s->m->path);
    return fail_in(f, s->m->path);
}

/* ---- Ollama ---- */

/* "8.0B", "137.02M": format.HumanNumber() of ollama/ollama. */
static const char *human_number(uint64_t n, struct arena *a)
{
    double b = (double)n / 1e9, m = (double)n / 1e6;

    if (n >= UINT64_C(1000000000))
        return n % UINT64_C(1000000000) ? arena_printf(a, "%.1fB", b) : arena_printf(a, "%.0fB", b);
    if (n >= 1000000)
        return n % 1000000 ? arena_printf(a, "%.2fM", m) : arena_printf(a, "%.0fM", m);
    return n >= 1000 ? arena_printf(a, "%.0fK", (double)n / 1e3) : arena_printf(a, "%" PRIu64, n);
}

static const char *type_name(const struct model *m)
{
    const struct recipe *r = recipe_of_file_type(meta_u64(&m->meta, "general.file_type", UINT64_MAX));

    return r ? r->name : "unknown";
}

static void add_layer(struct storing *s, cJSON *layers, const char *kind)
{
    const struct put_file *p = &s->list.file[s->list.n - 1];
    struct arena *a = &s->args->arena;
    cJSON *layer = cJSON_CreateObject();

    cJSON_AddStringToObject(layer, "mediaType", kind);
    cJSON_AddStringToObject(layer, "digest", arena_printf(a, "sha256:%s", p->sha256));
    cJSON_AddItemToObject(layer, "size", json_whole(p->nbytes));
    if (cJSON_IsArray(layers))
        cJSON_AddItemToArray(layers, layer);
    else
        cJSON_AddItemToObject(layers, "config", layer);
}

/* A JSON document as Go's encoder writes it: one line and a newline. The tree is deleted. */
static char *one_line(cJSON *root, struct arena *a)
{
    char *text = cJSON_PrintUnformatted(root), *line = arena_printf(a, "%s\n", text ? text : "");

    cJSON_free(text);
    cJSON_Delete(root);
    return line;
}

static char *config_text(const struct storing *s, const char *model_sha)
{
    const char *family = meta_str(&s->m->meta, "general.architecture", "unknown");
    struct arena *a = &s->args->arena;
    cJSON *root = cJSON_CreateObject(), *rootfs;

    cJSON_AddStringToObject(root, "model_format", "gguf");
    json_add_text(root, "model_family", family);
    cJSON_AddItemToArray(cJSON_AddArrayToObject(root, "model_families"), json_text(family, strlen(family)));
    cJSON_AddStringToObject(root, "model_type", human_number(amount_of(s->m, NULL).weights, a));
    cJSON_AddStringToObject(root, "file_type", type_name(s->m));
    cJSON_AddStringToObject(root, "architecture", "amd64");
    cJSON_AddStringToObject(root, "os", "linux");
    rootfs = cJSON_AddObjectToObject(root, "rootfs");
    cJSON_AddStringToObject(rootfs, "type", "layers");
    cJSON_AddItemToArray(cJSON_AddArrayToObject(rootfs, "diff_ids"), cJSON_CreateString(arena_printf(a, "sha256:%s", model_sha)));
    return one_line(root, a);
}

static char *params_text(const struct chat_format *c, const struct meta *m, struct arena *a)
{
    cJSON *root = cJSON_CreateObject(), *stop = cJSON_AddArrayToObject(root, "stop");
    const char *word;

    for (size_t i = 0; (word = chat_stop(c, m, i, a)); i++)
        cJSON_AddItemToArray(stop, json_text(word, strlen(word)));
    return one_line(root, a);
}

static int put_layer(struct storing *s, cJSON *layers, const char *kind, const char *text, size_t n, struct fail *f)
{
    struct arena *a = &s->args->arena;

    if (put_blob_text(&s->list, text, n, path_join(a, s->root, "blobs"), &s->put, a, f))
        return -1;
    add_layer(s, layers, kind);
    return 0;
}

static int put_layers(struct storing *s, cJSON *layers, struct fail *f)
{
    struct arena *a = &s->args->arena;
    const struct chat_format *chat = chat_format_of(&s->m->meta);
    char *text;
    size_t n;

    if (put_blob(&s->list, s->m->file[0].path, path_join(a, s->root, "blobs"), &s->put, a, f))
        return -1;
    add_layer(s, layers, "application/vnd.ollama.image.model");
    if (chat) {
        text = chat_go_template(chat, &s->m->meta, a);
        if (put_layer(s, layers, "application/vnd.ollama.image.template", text, strlen(text), f))
            return -1;
    }
    for (size_t i = 0; i < s->nlicenses; i++)
        if (!(text = file_read_text(s->license[i], LICENSE_BYTES, a, &n, f)) ||
            put_layer(s, layers, "application/vnd.ollama.image.license", text, n, f))
            return -1;
    if (license_key(s) && put_layer(s, layers, "application/vnd.ollama.image.license", license_key(s), strlen(license_key(s)), f))
        return -1;
    if (chat) {
        text = params_text(chat, &s->m->meta, a);
        return put_layer(s, layers, "application/vnd.ollama.image.params", text, strlen(text), f);
    }
    return 0;
}

static int put_manifest(struct storing *s, cJSON *root, cJSON *layers, const char *path, struct fail *f)
{
    struct arena *a = &s->args->arena;
    char *text = config_text(s, s->list.file[0].sha256);

    if (put_blob_text(&s->list, text, strlen(text), path_join(a, s->root, "blobs"), &s->put, a, f)) {
        cJSON_Delete(layers);
        cJSON_Delete(root);
        return -1;
    }
    add_layer(s, root, "application/vnd.docker.container.image.v1+json");
    cJSON_AddItemToObject(root, "layers", layers);
    text = one_line(root, a);
    return put_visible(&s->list, path, text, strlen(text), &s->put, a, f);
}

static int refuse_taken(const struct storing *s, const char *path, struct fail *f)
{
    if (s->put.replace || !path_exists(path))
        return 0;
    fail(f, FAIL_USAGE, "is there already: '%s'", path);
    fail_hint(f, "choose another name, or replace it with --force (its files stay until the runtime removes them)");
    return fail_in(f, s->name);
}

static int store_in_ollama(struct storing *s, struct fail *f)
{
    struct arena *a = &s->args->arena;
    struct ollama_name name;
    cJSON *root, *layers;
    const char *path;

    if (needs_one_file(s, "Ollama", f) || ollama_parse(s->in, a, &name, f))
        return -1;
    s->name = arena_printf(a, "ollama:%s", ollama_short(&name, a));
    path = ollama_manifest(s->root, &name, a);
    if (refuse_taken(s, path, f))
        return -1;
    root = cJSON_CreateObject();
    layers = cJSON_CreateArray();
    cJSON_AddNumberToObject(root, "schemaVersion", 2);
    cJSON_AddStringToObject(root, "mediaType", "application/vnd.docker.distribution.manifest.v2+json");
    if (put_layers(s, layers, f)) {
        cJSON_Delete(layers);
        cJSON_Delete(root);
        return -1;
    }
    return put_manifest(s, root, layers, path, f);
}

/* ---- LM Studio ---- */

/* Copies, also with --link: whoever edits one there must not edit the source's. */
static int put_licenses(struct storing *s, const char *dir, struct fail *f)
{
    struct put_options copy = s->put;

    copy.link = false;
    for (size_t i = 0; i < s->nlicenses; i++)
        if (put_copy(&s->list, s->license[i], dir, path_base(s->license[i]), &copy, &s->args->arena, f))
            return -1;
    return 0;
}

static int store_in_lmstudio(struct storing *s, struct fail *f)
{
    struct arena *a = &s->args->arena;
    const char *slash = strchr(s->in, '/'), *dir = path_join(a, s->root, s->in);

    if (!name_is_below(s->in) || !slash || strchr(slash + 1, '/'))
        return fail(f, FAIL_USAGE, "--in lmstudio: wants PUBLISHER/REPO, not '%s'", s->in);
    s->name = arena_printf(a, "lmstudio:%s", s->in);
    if (put_licenses(s, dir, f))
        return -1;
    for (size_t i = s->m->nfiles; i-- > 0; )        /* the first shard is what is listed: it comes last */
        if (put_copy(&s->list, s->m->file[i].path, dir, path_base(s->m->file[i].path), &s->put, a, f))
            return -1;
    return 0;
}

/* ---- Jan ---- */

/* JSON's quoted strings are YAML's too. */
static const char *quoted(const char *text, struct arena *a)
{
    cJSON *item = json_text(text, strlen(text));
    char *out = cJSON_PrintUnformatted(item), *copy = arena_strdup(a, out ? out : "\"\"");

    cJSON_free(out);
    cJSON_Delete(item);
    return copy;
}

static int store_in_jan(struct storing *s, struct fail *f)
{
    struct arena *a = &s->args->arena;
    const char *dir = path_join(a, s->root, s->in), *yml = path_join(a, dir, "model.yml"), *text, *family;
    bool embeds;

    if (needs_one_file(s, "Jan", f))
        return -1;
    if (!name_is_below(s->in))
        return fail(f, FAIL_USAGE, "--in jan: wants an ID such as 'llama-3.1-8b', not '%s'", s->in);
    s->name = arena_printf(a, "jan:%s", s->in);
    if (refuse_taken(s, yml, f) || put_copy(&s->list, s->m->file[0].path, dir, "model.gguf", &s->put, a, f))
        return -1;
    family = meta_str(&s->m->meta, "general.architecture", "");
    embeds = meta_get(&s->m->meta, arena_printf(a, "%s.pooling_type", family)) != NULL;
    text = arena_printf(a, "model_path: %s\nname: %s\nsize_bytes: %" PRIu64 "\nsha256: %s\nembedding: %s\n",
                        quoted(arena_printf(a, "llamacpp/models/%s/model.gguf", s->in), a), quoted(s->in, a), s->list.file[0].nbytes,
                        s->list.file[0].sha256, embeds ? "true" : "false");
    if (put_licenses(s, dir, f))
        return -1;
    return put_visible(&s->list, yml, text, strlen(text), &s->put, a, f);
}

/* ---- the Modelfile ---- */

static const char *block(const char *word, const char *text, struct arena *a)
{
    return strstr(text, "\"\"\"") ? arena_printf(a, "# %s holds three quotation marks in a row, which a Modelfile cannot say\n", word)
                                  : arena_printf(a, "%s \"\"\"%s\"\"\"\n", word, text);
}

static int write_modelfile(struct storing *s, struct fail *f)
{
    struct arena *a = &s->args->arena;
    const struct chat_format *chat = chat_format_of(&s->m->meta);
    const char *out = s->args->modelfile, *word, *text;
    bool beside = path_same(path_dir(a, out), path_dir(a, s->m->path));

    if (path_exists(out) && !s->args->force)
        return fail(f, FAIL_USAGE, "'%s' exists already", out), fail_hint(f, "--force replaces it");
    text = arena_printf(a, "FROM %s%s\n", beside ? "./" : "", beside ? path_base(s->m->path) : s->m->path);
    if (chat)
        text = arena_printf(a, "%s%s", text, block("TEMPLATE", chat_go_template(chat, &s->m->meta, a), a));
    for (size_t i = 0; chat && (word = chat_stop(chat, &s->m->meta, i, a)); i++)
        text = arena_printf(a, "%sPARAMETER stop %s\n", text, quoted(word, a));
    for (size_t i = 0; i < s->nlicenses; i++) {
        const char *license = file_read_text(s->license[i], LICENSE_BYTES, a, NULL, f);

        if (!license)
            return -1;
        text = arena_printf(a, "%s%s", text, block("LICENSE", license, a));
    }
    if (license_key(s))
        text = arena_printf(a, "%s%s", text, block("LICENSE", license_key(s), a));
    return file_write(out, text, strlen(text), f);
}

/* ---- the command ---- */

static cJSON *result_json(const struct storing *s)
{
    cJSON *root = cJSON_CreateObject(), *list;

    cJSON_AddItemToObject(root, "name", s->name ? json_text(s->name, strlen(s->name)) : cJSON_CreateNull());
    cJSON_AddBoolToObject(root, "dry_run", s->put.dry_run);
    list = cJSON_AddArrayToObject(root, "files");
    for (size_t i = 0; i < s->list.n; i++) {
        const struct put_file *p = &s->list.file[i];
        cJSON *item = cJSON_CreateObject();

        json_add_text(item, "path", p->path);
        cJSON_AddItemToObject(item, "bytes", json_whole(p->nbytes));
        cJSON_AddStringToObject(item, "sha256", p->sha256);
        cJSON_AddItemToObject(item, "how", p->how ? cJSON_CreateString(p->how) : cJSON_CreateNull());
        cJSON_AddItemToArray(list, item);
    }
    return root;
}

static void print_result(const struct storing *s)
{
    char size[SIZE_TEXT];

    if (s->name)
        printf("%s%s\n", s->name, s->put.dry_run ? " would be made of" : "");
    for (size_t i = 0; i < s->list.n; i++) {
        const struct put_file *p = &s->list.file[i];

        printf("  %10s  %-13s  %s\n", size_text(size, p->nbytes), p->how ? p->how : "to write", p->path);
    }
    if (s->args->modelfile)
        printf("  Modelfile: %s\n", s->args->modelfile);
    if (s->name && !chat_format_of(&s->m->meta))
        printf("  the model has no chat template of a known format: it gets none, and completes text\n");
}

static int put_in_store(struct storing *s, struct fail *f)
{
    static const struct { const char *store; int (*put)(struct storing *, struct fail *); } rows[] = {
        { "ollama", store_in_ollama }, { "lmstudio", store_in_lmstudio }, { "jan", store_in_jan }
    };
    const struct store *store = store_of(s->args->in, &s->in);
    size_t n;

    for (size_t i = 0; store && i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].store, store->name) == 0) {
            s->root = store->roots(&s->args->arena, &n)[0];
            return rows[i].put(s, f);
        }
    fail(f, FAIL_USAGE, "--in wants ollama:NAME[:TAG], lmstudio:PUBLISHER/REPO or jan:ID, not '%s'", s->args->in);
    return fail_hint(f, store ? "the Hugging Face cache holds what was downloaded from there, and nothing else" : "");
}

static int store(struct storing *s, struct fail *f)
{
    struct args *a = s->args;
    int bad = 0;

    if (strcmp(s->m->format->name, "gguf") != 0) {
        fail(f, FAIL_INPUT, "is no GGUF file, which is what the runtimes take");
        fail_hint(f, "convert it first: bantam convert %s -o OUT.gguf", s->m->path);
        return fail_in(f, s->m->path);
    }
    find_licenses(s);
    for (size_t i = 0; i < s->m->nfiles; i++)
        s->total += s->m->file[i].nbytes * (s->put.link || s->put.dry_run ? 1 : 2);
    meter_start(&s->meter, a, "storing");
    if (a->in)
        bad = put_in_store(s, f);
    meter_end(&s->meter);
    if (!bad && a->modelfile && !a->dry_run)
        bad = write_modelfile(s, f);
    if (bad || a->quiet)
        return bad;
    if (a->json)
        return json_print(result_json(s), f);
    print_result(s);
    return stdout_done(f);
}

static int run_store(struct args *a, struct fail *f)
{
    struct storing s = { .args = a, .put = { .link = a->link, .replace = a->force, .dry_run = a->dry_run, .progress = count_bytes } };
    int bad;

    s.put.ctx = &s;
    if (!a->in && !a->modelfile)
        return fail(f, FAIL_USAGE, "'store' needs --in ollama:NAME, lmstudio:PUBLISHER/REPO or jan:ID, or --modelfile FILE");
    s.m = model_open(a->operand.item[0], f);
    bad = s.m ? store(&s, f) : -1;
    model_close(s.m);
    return bad;
}

static const char *const store_options[] = { "in", "link", "modelfile", "dry-run", "force", NULL };

const struct command command_store = {
    .name = "store", .operands = "MODEL", .about = "registers a GGUF with Ollama, LM Studio or Jan, so that they list it",
    .detail = "Files are copied (or linked), hashed, and appear under their final names when they are whole; what makes the model visible\n"
              "comes last. Ollama gets the conversation template and stop words that belong to the model's chat template, and the\n"
              "license files beside it. Nothing that is there already is changed; --force replaces a model of the same name.",
    .options = store_options, .min_operands = 1, .max_operands = 1, .run = run_store
};
