/* open.c - from what the user calls a MODEL to its files: model_open() of model.h. */
#include "formats/model.h"
#include "formats/patch.h"
#include "formats/store.h"
#include "formats/text.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

static int refuse_pytorch(const char *path, struct fail *f)
{
    fail(f, FAIL_INPUT, "is a PyTorch checkpoint, which is not read yet");
    fail_hint(f, "use the model's .safetensors files, or make them with transformers: save_pretrained(DIR, safe_serialization=True)");
    return fail_in(f, path);
}

/* Files that we know and do not read, by the ends of their names. */
static bool is_pytorch(const char *name)
{
    return ends_with(name, ".bin") || ends_with(name, ".pt") || ends_with(name, ".pth") || ends_with(name, ".ckpt");
}

static struct model *open_unknown(const char *path, struct fail *f)
{
    if (is_pytorch(path)) {
        refuse_pytorch(path, f);
    } else {
        fail(f, FAIL_INPUT, "is neither GGUF nor safetensors");
        fail_in(f, path);
    }
    return NULL;
}

/* A link into a cache whose file is gone. */
static int refuse_dangling(const char *path, struct fail *f)
{
    struct stat st;

    if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode) && !path_exists(path)) {
        fail(f, FAIL_INPUT, "is a link to a file that does not exist");
        fail_hint(f, "its download is incomplete: download it again");
        return fail_in(f, path);
    }
    return 0;
}

static int refuse_half_edited(const char *path, struct fail *f)
{
    if (!patch_pending(path))
        return 0;
    fail(f, FAIL_INPUT, "has a header that was being edited when the edit was interrupted");
    fail_hint(f, "put the old one back: bantam metadata list %s", path);
    return fail_in(f, path);
}

static struct model *open_file(const char *path, struct fail *f)
{
    const struct format *format;
    struct file file;

    if (refuse_dangling(path, f) || refuse_half_edited(path, f) || file_open_weights(&file, path, f))
        return NULL;
    format = file_refuse_empty(&file, f) ? NULL : format_of_file(&file);
    file_close(&file);
    if (failed(f))
        return NULL;
    return format ? format->open(path, f) : open_unknown(path, f);
}

/* What a directory holds, as far as it matters for finding the weights. */
struct listing {
    char *safetensors, *consolidated, *index, *gguf, *pytorch;     /* one name of each kind; of the first two the least */
    size_t nsafetensors, nindexes, nggufs;
    bool consolidated_index;
};

static void keep_least(char **least, struct arena *a, const char *name)
{
    if (!*least || strcmp(name, *least) < 0)
        *least = arena_strdup(a, name);
}

static bool is_later_shard(const char *name)
{
    struct shard_name s = shard_name(name, ".gguf");

    return s.count && s.no > 1;
}

static void note(struct listing *l, struct arena *a, const char *name)
{
    if (strcmp(name, "consolidated.safetensors.index.json") == 0) {
        l->consolidated_index = true;
    } else if (ends_with(name, ".safetensors.index.json")) {
        l->index = arena_strdup(a, name);
        l->nindexes++;
    } else if (ends_with(name, ".safetensors") && starts_with(name, "consolidated")) {
        keep_least(&l->consolidated, a, name);
    } else if (ends_with(name, ".safetensors")) {
        keep_least(&l->safetensors, a, name);
        l->nsafetensors++;
    } else if (ends_with(name, ".gguf") && !is_later_shard(name)) {
        l->gguf = arena_strdup(a, name);
        l->nggufs++;
    } else if (is_pytorch(name) && !l->pytorch) {
        l->pytorch = arena_strdup(a, name);
    }
}

static int list_dir(const char *dir, struct listing *l, struct arena *a, struct fail *f)
{
    DIR *d = opendir(dir);
    const struct dirent *e;

    if (!d) {
        fail_errno(f, "cannot be listed");
        return fail_in(f, dir);
    }
    while ((e = readdir(d)))
        if (e->d_name[0] != '.')
            note(l, a, e->d_name);
    closedir(d);
    return 0;
}

/* Weights as Mistral publishes them: one file, an index, or the first of shards. */
static char *find_consolidated(const char *dir, const struct listing *l, struct arena *a)
{
    char *single = path_join(a, dir, "consolidated.safetensors");

    if (path_exists(single))
        return single;
    return l->consolidated_index ? path_join(a, dir, "consolidated.safetensors.index.json")
         : l->consolidated ? path_join(a, dir, l->consolidated) : NULL;
}

/* The file in `dir` that leads to its weights. As transformers does, model.safetensors goes before an index: an index
 * left over from an older upload beside a single file is ignored there too. Mistral's consolidated*.safetensors hold
 * the same weights under other names, and are taken when there is nothing else or config.json is missing. */
static char *find_weights(const char *dir, struct listing *listing, struct arena *a, struct fail *f)
{
    char *single = path_join(a, dir, "model.safetensors"), *index = path_join(a, dir, "model.safetensors.index.json"), *consolidated;
    struct listing l;

    if (list_dir(dir, listing, a, f) || refuse_dangling(single, f) || refuse_dangling(index, f))
        return NULL;
    l = *listing;
    consolidated = find_consolidated(dir, &l, a);
    if (consolidated && path_exists(path_join(a, dir, "params.json")) && !path_exists(path_join(a, dir, "config.json")))
        return consolidated;
    if (path_exists(single))
        return single;
    if (path_exists(index))
        return index;
    if (l.nindexes == 1)
        return path_join(a, dir, l.index);
    if (l.nsafetensors == 1 && l.nindexes == 0)
        return path_join(a, dir, l.safetensors);
    if (l.nsafetensors || l.nindexes) {
        fail(f, FAIL_INPUT, "holds %zu .safetensors files and %zu indexes: it is not clear which to open", l.nsafetensors,
             l.nindexes);
        fail_hint(f, "name one file, or download 'model.safetensors.index.json', which lists the shards");
    } else if (consolidated) {
        return consolidated;
    } else if (l.nggufs == 1) {
        return path_join(a, dir, l.gguf);
    } else if (l.nggufs) {
        fail(f, FAIL_INPUT, "holds %zu .gguf models: it is not clear which to open", l.nggufs);
        fail_hint(f, "name one of them, such as '%s'", path_join(a, dir, l.gguf));
    } else if (l.pytorch) {
        refuse_pytorch(path_join(a, dir, l.pytorch), f);
    } else {
        fail(f, FAIL_INPUT, "holds no weights: no .safetensors and no .gguf file");
    }
    fail_in(f, dir);
    return NULL;
}

static struct model *open_dir(const char *dir, struct fail *f)
{
    struct arena a = {0};
    struct listing l = {0};
    const char *weights = find_weights(dir, &l, &a, f);
    bool native = weights && starts_with(path_base(weights), "consolidated");
    struct model *m = !weights ? NULL : native && shard_name(weights, ".safetensors").count ? safetensors_open_shards(weights, f)
                                                                                            : open_file(weights, f);

    if (m) {
        m->path = arena_strdup(&m->arena, dir);
        m->dir = m->path;
        if (native ? l.safetensors : l.consolidated)
            m->aside = arena_strdup(&m->arena, native ? l.safetensors : l.consolidated);
    }
    arena_release(&a);
    return m;
}

/* What describes the weights: of those that Mistral publishes params.json, of others config.json. */
static const char *config_in(struct model *m, const char *dir)
{
    bool native = m->nfiles && starts_with(path_base(m->file[0].path), "consolidated");
    const char *names[] = { native ? "params.json" : "config.json", native ? "config.json" : "params.json" };

    for (int i = 0; i < 2; i++)
        if (path_exists(path_join(&m->arena, dir, names[i])))
            return names[i];
    return NULL;
}

/* A safetensors file belongs to the config.json beside it. */
static void find_config(struct model *m)
{
    char *dir = path_dir(&m->arena, m->path);

    if (m->format != format_named("safetensors"))
        return;
    m->config = config_in(m, m->dir ? m->dir : dir);
    if (!m->dir && m->config)
        m->dir = dir;
}

struct model *model_open(const char *path, struct fail *f)
{
    struct arena a = {0};
    struct store_item item = { .path = path };
    const char *rest;
    struct model *m = NULL;

    if (!store_of(path, &rest) || store_find(path, &a, &item, f) == 0)
        m = path_is_dir(item.path) ? open_dir(item.path, f) : open_file(item.path, f);
    if (m)
        find_config(m);
    arena_release(&a);
    return m;
}
