/* cmd_audit.c - the licenses of all models below some directories or in the stores, held against a policy. */
#include "convert/carry.h"
#include "formats/file.h"
#include "formats/model.h"
#include "formats/store.h"
#include "formats/text.h"
#include "tools/audit_policy.h"
#include "tools/commands.h"
#include "tools/report_license.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST_DEPTH = 24, MOST_MODELS = 100000 };

struct audited {
    const char *name, *path;            /* as shown; what opens */
    const char *ollama;                 /* the root of the Ollama store that `path` is a name in; NULL: as the environment says */
    const char *problem;                /* why it could not be opened; NULL: it was */
    const char *license, *verdict, *level, *summary;
    const char **reason;
    size_t nreasons;
    enum paint paint;
};

struct audit {
    const struct args *args;
    struct audit_policy policy;
    bool has_policy;
    struct audited *model;
    size_t n, cap, broken;
    struct arena *a;
};

/* ---- which models there are ---- */

static void add(struct audit *t, const char *name, const char *path, const char *problem)
{
    if (t->n == MOST_MODELS)
        return;
    t->model = arena_grow(t->a, t->model, &t->cap, t->n + 1, sizeof *t->model);
    t->model[t->n++] = (struct audited){ .name = name, .path = path, .problem = problem };
}

static bool is_weights(const char *name)
{
    return ends_with(name, ".safetensors") || ends_with(name, ".safetensors.index.json") || ends_with(name, ".bin") || ends_with(name, ".pth");
}

static bool is_gguf_model(const char *name)
{
    return ends_with(name, ".gguf") && !starts_with(name, "mmproj") && shard_name(name, ".gguf").no < 2;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names in a directory, sorted. */
static size_t names_in(const char *dir, const char ***names, struct arena *a)
{
    DIR *d = opendir(dir);
    const struct dirent *e;
    size_t n = 0, cap = 0;

    *names = NULL;
    while (d && (e = readdir(d)))
        if (e->d_name[0] != '.') {
            *names = arena_grow(a, *names, &cap, n + 1, sizeof **names);
            (*names)[n++] = arena_strdup(a, e->d_name);
        }
    if (d)
        closedir(d);
    if (n)
        qsort(*names, n, sizeof **names, by_name);
    return n;
}

static bool is_real_dir(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static void set_ollama(const char *root)
{
    if (root)
        setenv("OLLAMA_MODELS", root, 1);
    else
        unsetenv("OLLAMA_MODELS");
}

static void add_store(struct audit *t, const struct store *s)
{
    struct store_items items = {0};

    s->list(&items, t->a);
    for (size_t i = 0; i < items.n; i++)
        add(t, items.item[i].name, items.item[i].path ? items.item[i].name : NULL, items.item[i].path ? NULL : items.item[i].problem);
}

/* An Ollama store somewhere else: its blobs have no names of their own. */
static bool walk_ollama(struct audit *t, const char *dir)
{
    const char *before = getenv("OLLAMA_MODELS");
    size_t first = t->n;

    if (!path_is_dir(path_join(t->a, dir, "manifests")) || !path_is_dir(path_join(t->a, dir, "blobs")))
        return false;
    before = before ? arena_strdup(t->a, before) : NULL;
    set_ollama(dir);
    for (size_t i = 0; i < store_count(); i++)
        if (strcmp(store_at(i)->name, "ollama") == 0)
            add_store(t, store_at(i));
    for (size_t i = first; i < t->n; i++)
        t->model[i].ollama = dir;
    set_ollama(before);
    return true;
}

/* A directory with config.json or an adapter's configuration and weights is a model, and so is every GGUF file; links to
 * directories are not followed. */
static void walk(struct audit *t, const char *dir, int depth)
{
    const char **name;
    size_t n = names_in(dir, &name, t->a);
    bool weights = false, config = path_exists(path_join(t->a, dir, "config.json")) || path_exists(path_join(t->a, dir, "params.json")) ||
                           path_exists(path_join(t->a, dir, "adapter_config.json"));

    if (walk_ollama(t, dir))
        return;
    for (size_t i = 0; i < n; i++)
        weights |= is_weights(name[i]);
    if (config && weights)
        add(t, dir, dir, NULL);
    for (size_t i = 0; i < n && depth < MOST_DEPTH; i++) {
        const char *path = path_join(t->a, dir, name[i]);

        if (is_real_dir(path))
            walk(t, path, depth + 1);
        else if (is_gguf_model(name[i]) || (!config && ends_with(name[i], ".safetensors")))
            add(t, path, path, NULL);
    }
}

/* "ollama:" is all of that store. */
static const struct store *whole_store(const char *word)
{
    for (size_t i = 0; i < store_count(); i++)
        if (starts_with(word, store_at(i)->name) && strcmp(word + strlen(store_at(i)->name), ":") == 0)
            return store_at(i);
    return NULL;
}

static int find_models(struct audit *t, struct fail *f)
{
    const struct arg_list *paths = &t->args->operand;

    for (size_t i = 0; !paths->n && i < store_count(); i++)
        add_store(t, store_at(i));
    for (size_t i = 0; i < paths->n; i++) {
        const char *path = paths->item[i], *rest;
        const struct store *s = whole_store(path);

        if (s)
            add_store(t, s);
        else if (store_of(path, &rest))
            add(t, path, path, NULL);
        else if (path_is_dir(path))
            walk(t, path, 0);
        else if (path_exists(path))
            add(t, path, path, NULL);
        else
            return fail(f, FAIL_INPUT, "does not exist"), fail_in(f, path);
    }
    return 0;
}

/* ---- one model ---- */

/* A model that does not open still has files beside it that speak of its license. */
static void read_closed(struct audited *m, const char *why, struct licensing *l, struct arena *a)
{
    struct evidence_source s = { .path = m->path };
    const char *names[1] = { NULL };

    m->problem = why;
    licensing_of(&s, names, 1, l, a);
}

static void judge(struct audit *t, struct audited *m)
{
    struct arena tmp = {0};
    struct licensing l = {0};
    struct license_lines lines;
    struct fail unopened = {0};
    struct model *model;
    const char *before = getenv("OLLAMA_MODELS");

    before = before ? arena_strdup(&tmp, before) : NULL;
    if (m->ollama)
        set_ollama(m->ollama);
    model = m->path ? model_open(m->path, &unopened) : NULL;
    if (model)
        license_of_model(model, m->path, meta_str(&model->meta, "general.name", NULL), &l, &tmp);
    else if (m->path)
        read_closed(m, arena_strdup(t->a, unopened.text), &l, &tmp);
    if (m->ollama)
        set_ollama(before);
    lines = license_lines_of(&l, &tmp);
    m->license = l.license ? l.license->id : NULL;
    m->verdict = m->path ? verdict_word(l.verdict) : "not determined";
    m->level = evidence_level_word(l.level);
    m->summary = arena_strdup(t->a, lines.verdict);
    m->paint = lines.paint;
    if (t->has_policy) {
        const char **reason = audit_reasons(&t->policy, &l, &m->nreasons, &tmp);

        m->reason = arena_array(t->a, const char *, m->nreasons + 1);
        for (size_t i = 0; i < m->nreasons; i++)
            m->reason[i] = arena_strdup(t->a, reason[i]);
        if (m->problem)
            m->reason[m->nreasons++] = arena_printf(t->a, "it cannot be opened: %s", m->problem);
        t->broken += m->nreasons > 0;
    }
    model_close(model);
    arena_release(&tmp);
}

/* ---- what is shown ---- */

static int show_json(const struct audit *t, struct fail *f)
{
    cJSON *root = cJSON_CreateObject(), *list;

    json_add_text(root, "policy", t->args->policy);
    json_add_text(root, "policy_name", t->policy.name);
    list = cJSON_AddArrayToObject(root, "models");
    for (size_t i = 0; i < t->n; i++) {
        const struct audited *m = &t->model[i];
        cJSON *o = cJSON_CreateObject(), *reasons;

        json_add_text(o, "model", m->name);
        json_add_text(o, "license", m->license);
        json_add_text(o, "verdict", m->verdict);
        json_add_text(o, "evidence_level", m->level);
        json_add_text(o, "summary", m->summary);
        json_add_text(o, "problem", m->problem);
        cJSON_AddItemToObject(o, "ok", t->has_policy ? cJSON_CreateBool(m->nreasons == 0) : cJSON_CreateNull());
        reasons = cJSON_AddArrayToObject(o, "reasons");
        for (size_t k = 0; k < m->nreasons; k++)
            cJSON_AddItemToArray(reasons, json_text(m->reason[k], strlen(m->reason[k])));
        cJSON_AddItemToArray(list, o);
    }
    cJSON_AddItemToObject(root, "broken", json_whole(t->broken));
    return json_print(root, f);
}

static void show_model(const struct audit *t, const struct audited *m)
{
    const char *mark = !t->has_policy ? "" : m->nreasons ? "BREAKS" : "keeps";

    if (t->has_policy) {
        paint(m->nreasons ? PAINT_BAD : PAINT_GOOD);
        print_cell(mark, 7);
        paint(PAINT_NONE);
    }
    print_cell(m->license ? m->license : "not determined", 26);
    putchar(' ');
    print_cell(m->verdict, 15);
    print_last(m->name, terminal_columns() - (t->has_policy ? 49 : 42));
    putchar('\n');
    if (!t->has_policy && (!m->license || strcmp(m->verdict, "conflict") == 0)) {
        printf("  ");
        print_wrapped(m->summary, 2, 4);
    }
    for (size_t i = 0; i < m->nreasons; i++) {
        printf("       ");
        print_wrapped(m->reason[i], 7, 9);
    }
}

static int show_text(const struct audit *t, struct fail *f)
{
    paint(PAINT_BOLD);
    printf("%slicense                    evidence       model\n", t->has_policy ? "policy " : "");
    paint(PAINT_NONE);
    for (size_t i = 0; i < t->n; i++)
        show_model(t, &t->model[i]);
    printf("\n%zu model%s", t->n, t->n == 1 ? "" : "s");
    if (t->has_policy)
        printf(", %zu break%s the policy%s%s", t->broken, t->broken == 1 ? "s" : "", t->policy.name ? ": " : "", t->policy.name ? t->policy.name : "");
    putchar('\n');
    return stdout_done(f);
}

static int run_audit(struct args *a, struct fail *f)
{
    struct audit t = { .args = a, .has_policy = a->policy != NULL, .a = &a->arena };

    if (a->policy && audit_policy_read(a->policy, &t.policy, &a->arena, f))
        return -1;
    if (find_models(&t, f))
        return -1;
    for (size_t i = 0; i < t.n; i++)
        judge(&t, &t.model[i]);
    if (a->json ? show_json(&t, f) : a->quiet ? 0 : show_text(&t, f))
        return -1;
    return t.broken ? fail(f, FAIL_NO, "%zu of %zu models break the policy", t.broken, t.n) : 0;
}

static const char *const audit_options[] = { "policy", NULL };

const struct command command_audit = {
    .name = "audit", .operands = "[PATH]...", .about = "the licenses of many models, held against a policy",
    .detail = "Finds every model below each PATH, a directory, or in a store ('ollama:' is all of it; without PATH all stores), and lists\n"
              "license and evidence. With --policy FILE each is held against a JSON file that says what is needed: commercial use, a\n"
              "region, how many users, which evidence, which licenses. Exit status 1 when a model breaks it, with every reason.\n"
              "docs/audit.md explains the keys; docs/policy-eu-commercial.json is a sample for commercial use in the EU.",
    .options = audit_options, .min_operands = 0, .max_operands = 100000, .run = run_audit
};
