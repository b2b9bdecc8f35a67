/* model.c - sizes of tensors, opening a MODEL, and models whose rows lie in mapped files. */
#include "formats/model.h"
#include "formats/patch.h"
#include "formats/store.h"
#include "formats/text.h"

#include <assert.h>
#include <dirent.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

/* ---- tensors ---- */

uint64_t tensor_row(const struct tensor *t)
{
    return t->rank ? t->shape[t->rank - 1] : 1;
}

uint64_t tensor_rows(const struct tensor *t)
{
    uint64_t n = tensor_row(t) ? 1 : 0;     /* [2^50, 0] must not keep a loop over rows busy */

    for (int i = 0; i + 1 < t->rank; i++)
        n *= t->shape[i];
    return n;
}

uint64_t tensor_weights(const struct tensor *t)
{
    return tensor_row(t) * tensor_rows(t);
}

uint64_t tensor_row_bytes(const struct tensor *t)
{
    return qtype_row_bytes(t->type, tensor_row(t));
}

uint64_t tensor_bytes(const struct tensor *t)
{
    return tensor_row_bytes(t) * tensor_rows(t);
}

bool tensor_same_shape(const struct tensor *a, const struct tensor *b)
{
    return a->rank == b->rank && memcmp(a->shape, b->shape, (size_t)a->rank * sizeof *a->shape) == 0;
}

int tensor_check(const struct tensor *t, struct fail *f)
{
    uint64_t weights = 1;

    for (int i = 0; i < t->rank; i++)
        if (!mul_u64(weights, t->shape[i], &weights) || weights > UINT64_C(1) << 56)
            return fail(f, FAIL_INPUT, "tensor '%s' has a shape that no file could hold", t->name);
    if (tensor_row(t) % (uint64_t)t->type->block)
        return fail(f, FAIL_INPUT, "tensor '%s' has rows of %" PRIu64 " weights, which is no multiple of the %d in a block of %s",
                    t->name, tensor_row(t), t->type->block, t->type->label);
    return 0;
}

/* ---- formats ---- */

static const struct format *const formats[] = {
#define ROW(name) &format_##name,
#include "formats/formats.def"
#undef ROW
};
enum { NFORMATS = sizeof formats / sizeof *formats };

const struct format *format_named(const char *name)
{
    for (size_t i = 0; i < NFORMATS; i++)
        if (strcmp(formats[i]->name, name) == 0)
            return formats[i];
    return NULL;
}

const struct format *format_of_output(const char *out)
{
    static const char *const foreign[] = { ".bin", ".pt", ".pth", ".ckpt", ".npz", ".onnx", ".json" };
    struct stat st;

    for (size_t i = 0; i < NFORMATS; i++)
        if (formats[i]->plan && ends_with(out, formats[i]->suffix))
            return formats[i];
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if (ends_with(out, foreign[i]))
            return NULL;
    bool device = stat(out, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
    return format_named(device ? "gguf" : "safetensors");
}

/* ---- models in mapped files ---- */

struct mapped_model {
    struct model base;
    const struct file **map;
    size_t nmaps, maps_cap, files_cap, tensors_cap;
    struct name_index seen;
};

/* The largest alignment that blocks of n bytes can ask for: sizeof is a multiple of it. */
static uintptr_t alignment_of(int nbytes)
{
    return (uintptr_t)(nbytes & -nbytes);
}

/* safetensors data may start anywhere: what lies badly is copied. */
static const void *mapped_rows(struct model *m, const struct tensor *t, uint64_t first, uint64_t n, struct arena *tmp,
                               struct fail *f)
{
    const struct mapped_model *mm = (const struct mapped_model *)m;
    uint64_t row = tensor_row_bytes(t);
    const uint8_t *p;

    (void)f;
    assert(first <= tensor_rows(t) && n <= tensor_rows(t) - first);
    p = file_range(mm->map[t->file], t->offset + first * row, n * row, tmp);
    if ((uintptr_t)p % alignment_of(t->type->nbytes))
        p = memcpy(arena_raw(tmp, n * row), p, n * row);
    return p;
}

static void mapped_close(struct model *m)
{
    arena_release(&m->arena);       /* its cleanups close the maps */
}

static const struct model_ops mapped_ops = { mapped_rows, mapped_close };

struct model *mapped_model_new(const struct format *format, const char *path)
{
    struct arena a = {0};
    struct mapped_model *mm = arena_new(&a, struct mapped_model);

    mm->base = (struct model){ .ops = &mapped_ops, .format = format, .path = arena_strdup(&a, path), .arena = a };
    return &mm->base;
}

static void close_map(void *file, size_t n)
{
    (void)n;
    file_close(file);
}

static int refuse_empty(const struct file *file, struct fail *f)
{
    if (file->nbytes == 0) {
        fail(f, FAIL_INPUT, "is empty");
        fail_hint(f, "download the file again");
    }
    return fail_in(f, file->path), failed(f) ? -1 : 0;
}

const struct file *mapped_model_add(struct model *m, const char *path, struct fail *f)
{
    struct mapped_model *mm = (struct mapped_model *)m;
    struct arena *a = &m->arena;
    struct file *file = arena_new(a, struct file);

    if (file_open_weights(file, path, f))
        return NULL;
    arena_on_reset(a, close_map, file, 0);
    if (refuse_empty(file, f))
        return NULL;
    mm->map = arena_grow(a, mm->map, &mm->maps_cap, m->nfiles + 1, sizeof *mm->map);
    m->file = arena_grow(a, m->file, &mm->files_cap, m->nfiles + 1, sizeof *m->file);
    mm->map[m->nfiles] = file;
    m->file[m->nfiles++] = (struct model_file){ .path = arena_strdup(a, path), .nbytes = file->nbytes };
    return file;
}

int mapped_model_tensor(struct model *m, const struct tensor *t, struct fail *f)
{
    struct mapped_model *mm = (struct mapped_model *)m;

    if (tensor_check(t, f))
        return -1;
    if (!name_index_add(&mm->seen, &m->arena, t->name)) {
        const struct tensor *other = &m->tensor[name_index_find(&mm->seen, t->name)];

        return fail(f, FAIL_INPUT, "tensor '%s' stands twice in the model, first in '%s'", t->name,
                    path_base(m->file[other->file].path));
    }
    m->tensor = arena_grow(&m->arena, m->tensor, &mm->tensors_cap, m->ntensors + 1, sizeof *m->tensor);
    m->tensor[m->ntensors++] = *t;
    return 0;
}

/* ---- any model ---- */

/* The model's directory also holds what conversions have put there, and a new .gguf may replace an old one. */
static bool is_companion(const struct model *m, const char *out)
{
    struct arena tmp = {0};
    size_t n = strlen(out);
    bool yes = m->dir && path_exists(out) && !(n > 5 && strcmp(out + n - 5, ".gguf") == 0) && path_same(m->dir, path_dir(&tmp, out));

    arena_release(&tmp);
    return yes;
}

int model_spared(const struct model *m, const char *out, struct fail *f)
{
    bool mine = (m->dir && path_same(m->dir, out)) || is_companion(m, out);

    for (size_t i = 0; i < m->nfiles && !mine; i++)
        mine = path_same(m->file[i].path, out);
    if (!mine)
        return 0;
    fail(f, FAIL_USAGE, "belongs to the model that is read, and is never replaced");
    fail_hint(f, "write to another name");
    return fail_in(f, out);
}

void model_close(struct model *m)
{
    if (m)
        m->ops->close(m);
}

void *model_adapter(size_t size, const struct model_ops *ops, struct model *inner)
{
    struct arena a = {0};
    struct model *m = arena_alloc(&a, size);

    assert(size >= sizeof *m);
    m->ops = ops;
    m->format = inner->format;
    m->path = inner->path;
    m->dir = inner->dir;
    m->config = inner->config;
    m->aside = inner->aside;
    m->file = inner->file;
    m->nfiles = inner->nfiles;
    m->hints = inner->hints;
    m->arena = a;
    return m;
}

const float *model_rows_f32(struct model *m, const struct tensor *t, uint64_t first, uint64_t n, struct arena *tmp,
                            struct fail *f)
{
    const void *rows = model_rows(m, t, first, n, tmp, f);
    uint64_t weights = n * tensor_row(t);
    float *out;

    if (!rows || strcmp(t->type->name, "f32") == 0)
        return rows;
    out = arena_raw(tmp, weights * sizeof *out);
    t->type->decode(rows, out, weights / (uint64_t)t->type->block);
    return out;
}

/* The index is made by the first question and brought up to date by later ones: adapters append tensors. */
const struct tensor *model_tensor(const struct model *m, const char *name)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    struct model *own = (struct model *)m;
    int64_t i;

    pthread_mutex_lock(&lock);
    if (own->names.n > m->ntensors)
        own->names = (struct name_index){0};
    while (own->names.n < m->ntensors) {
        bool added = name_index_add(&own->names, &own->arena, m->tensor[own->names.n].name);

        assert(added);
        (void)added;
    }
    i = name_index_find(&m->names, name);
    pthread_mutex_unlock(&lock);
    return i < 0 ? NULL : &m->tensor[i];
}

/* ---- opening ---- */

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

static const struct format *format_of_file(const struct file *file)
{
    size_t n = file->nbytes < 16 ? (size_t)file->nbytes : 16;

    if (ends_with(file->path, ".safetensors.index.json"))
        return format_named("safetensors");
    for (size_t i = 0; i < NFORMATS; i++)
        if (formats[i]->probe(file->data, n) || ends_with(file->path, formats[i]->suffix))
            return formats[i];
    return NULL;
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
    format = refuse_empty(&file, f) ? NULL : format_of_file(&file);
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
