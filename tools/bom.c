/* bom.c - the facts that both kinds of bill of materials are made of. */
#include "tools/bom.h"

#include "convert/recipe.h"
#include "formats/file.h"
#include "formats/plan.h"
#include "formats/text.h"
#include "tools/hashes.h"
#include "tools/report.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { MOST_DATASETS = 256, CONFIG_BYTES = 64 << 20 };

struct gathering {
    struct args *args;
    struct bom_facts *facts;
    const char **path;              /* of facts->file */
    size_t cap, path_cap;
    time_t newest;
    uint64_t total;                 /* bytes of all files */
};

static void add_file(struct gathering *g, const char *path, const char *name)
{
    struct arena *a = &g->args->arena;
    struct bom_facts *b = g->facts;
    struct stat st;

    if (stat(path, &st) || !S_ISREG(st.st_mode))
        return;
    b->file = arena_grow(a, b->file, &g->cap, b->nfiles + 1, sizeof *b->file);
    g->path = arena_grow(a, g->path, &g->path_cap, b->nfiles + 1, sizeof *g->path);
    g->path[b->nfiles] = arena_strdup(a, path);
    b->file[b->nfiles++] = (struct bom_file){ .name = arena_strdup(a, name), .nbytes = (uint64_t)st.st_size };
    g->total += (uint64_t)st.st_size;
    g->newest = st.st_mtime > g->newest ? st.st_mtime : g->newest;
}

static bool is_weight_file(const struct model *m, const char *name)
{
    for (size_t i = 0; i < m->nfiles; i++)
        if (strcmp(path_base(m->file[i].path), name) == 0)
            return true;
    return false;
}

/* A directory is a model with all that lies in it; a file, with the license files beside it. */
static void list_files(struct gathering *g, const struct model *m)
{
    struct arena *a = &g->args->arena;
    const char *dir = m->dir ? m->dir : path_dir(a, m->file[0].path), **name;
    size_t n;

    for (size_t i = 0; i < m->nfiles; i++)
        add_file(g, m->file[i].path, path_base(m->file[i].path));
    if (m->dir)
        name = dir_names(dir, a, &n);
    else
        n = evidence_files(dir, evidence_stem(m->file[0].path, a), &name, a);
    for (size_t i = 0; i < n; i++)
        if (!is_weight_file(m, name[i]))
            add_file(g, path_join(a, dir, name[i]), name[i]);
}

static int hash_all(struct gathering *g, struct fail *f)
{
    char (*hex)[SHA256_TEXT] = hash_paths(g->path, g->facts->nfiles, g->total, g->args, f);

    for (size_t i = 0; hex && i < g->facts->nfiles; i++)
        memcpy(g->facts->file[i].sha256, hex[i], SHA256_TEXT);
    return hex ? 0 : -1;
}

static void identify(struct bom_facts *b, struct arena *a)
{
    struct buffer all = { .arena = a };

    for (size_t i = 0; i < b->nfiles; i++) {
        put_text(&all, b->file[i].sha256);
        put_text(&all, " ");
        put_text(&all, b->file[i].name);
        put_text(&all, "\n");
    }
    sha256_bytes(all.bytes, all.n, b->id);
}

static void tell_time(struct gathering *g)
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    time_t when = epoch && *epoch ? (time_t)strtoll(epoch, NULL, 10) : g->newest;
    struct tm utc;

    if (!gmtime_r(&when, &utc) || strftime(g->facts->time, sizeof g->facts->time, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        memcpy(g->facts->time, "1970-01-01T00:00:00Z", 21);
}

/* ---- names ---- */

/* "https://huggingface.co/ORG/NAME" of a key or of a name in the hub's cache; NULL: not known. */
static const char *published_at(const struct model *m, const struct meta *meta, struct arena *a)
{
    static const char *const keys[] = { "general.repo_url", "general.url", "general.source.repo_url", "general.source.url" };
    const char *at = strstr(m->path, "models--"), *url;
    char *id;

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if ((url = meta_str(meta, keys[i], NULL)) && starts_with(url, "https://"))
            return url;
    if (!at || !strstr(at, "/snapshots/"))
        return NULL;
    id = arena_strdup(a, at + strlen("models--"));
    id[strcspn(id, "/")] = 0;
    at = strstr(id, "--");
    return at ? arena_printf(a, "https://huggingface.co/%.*s/%s", (int)(at - id), id, at + 2) : NULL;
}

static const char *hf_class_of(const struct model *m, struct arena *a)
{
    struct fail none = {0};
    const cJSON *config = m->dir ? json_read(path_join(a, m->dir, "config.json"), CONFIG_BYTES, a, &none) : NULL,
                *list = cJSON_GetObjectItemCaseSensitive(config, "architectures"), *first = cJSON_GetArrayItem(list, 0);

    return cJSON_IsString(first) ? first->valuestring : NULL;
}

static const char *type_of(const struct model *m)
{
    const struct recipe *r = recipe_of_file_type(meta_u64(&m->meta, "general.file_type", UINT64_MAX));
    const char *label = NULL;
    uint64_t most = 0;

    for (size_t k = 0; !r && k < qtype_count(); k++)
        if (amount_of(m, qtype_at(k)).nbytes > most) {
            most = amount_of(m, qtype_at(k)).nbytes;
            label = qtype_at(k)->label;
        }
    return r ? r->name : label;
}

/* general.datasets, or general.dataset.N.name. */
static void find_datasets(struct bom_facts *b, struct arena *a)
{
    const char **name = arena_array(a, const char *, MOST_DATASETS);
    const struct meta_value *list = meta_get(b->meta, "general.datasets");
    uint64_t n = meta_u64(b->meta, "general.dataset.count", 0);

    b->dataset = name;
    for (uint64_t i = 0; list && list->type == META_ARRAY && list->a.type == META_STRING && i < list->a.n && i < MOST_DATASETS; i++)
        name[b->ndatasets++] = ((const struct meta_string *)list->a.items)[i].s;
    for (uint64_t i = 0; b->ndatasets == 0 && i < n && i < MOST_DATASETS; i++) {
        const char *found = meta_str(b->meta, arena_printf(a, "general.dataset.%d.name", (int)i), NULL);

        if (found)
            name[b->ndatasets++] = found;
    }
}

int bom_gather(const struct model *m, const struct meta *meta, const struct licensing *license, struct args *args, struct bom_facts *b,
               struct fail *f)
{
    struct gathering g = { .args = args, .facts = b };
    struct arena *a = &args->arena;
    struct amount all = amount_of(m, NULL);

    *b = (struct bom_facts){ .meta = meta, .license = license, .bits = amount_bits(all), .weights = all.weights };
    b->name = meta_str(meta, "general.name", NULL);
    if (!b->name)
        b->name = path_base(m->path);
    b->organization = meta_str(meta, "general.organization", NULL);
    b->version = meta_str(meta, "general.version", NULL);
    b->architecture = meta_str(meta, "general.architecture", NULL);
    b->hf_class = hf_class_of(m, a);
    b->url = published_at(m, meta, a);
    b->type = type_of(m);
    find_datasets(b, a);
    list_files(&g, m);
    if (hash_all(&g, f))
        return -1;
    identify(b, a);
    tell_time(&g);
    return 0;
}

const char *bom_uuid(const struct bom_facts *b, const char *word, struct arena *a)
{
    const char *text = arena_printf(a, "%s %s", b->id, word);
    char hex[SHA256_TEXT];

    sha256_bytes(text, strlen(text), hex);
    return arena_printf(a, "%.8s-%.4s-8%.3s-%c%.3s-%.12s", hex, hex + 8, hex + 13, "89ab"[hex[16] & 3], hex + 17, hex + 20);
}
