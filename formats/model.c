/* model.c - sizes of tensors, formats, models whose rows lie in mapped files, and what all models share. */
#include "formats/model.h"
#include "formats/file.h"
#include "formats/patch.h"
#include "formats/store.h"
#include "formats/text.h"
#include "formats/usage.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

static int leading_ones(const struct tensor *t)
{
    int n = 0;

    while (n < t->rank && t->shape[n] == 1)
        n++;
    return n;
}

bool tensor_same_shape(const struct tensor *a, const struct tensor *b)
{
    int i = leading_ones(a), k = leading_ones(b);

    return a->rank - i == b->rank - k && memcmp(a->shape + i, b->shape + k, (size_t)(a->rank - i) * sizeof *a->shape) == 0;
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

const struct format *format_of_file(const struct file *file)
{
    size_t n = file->nbytes < 16 ? (size_t)file->nbytes : 16;

    if (ends_with(file->path, ".safetensors.index.json"))
        return format_named("safetensors");
    for (size_t i = 0; i < NFORMATS; i++)
        if (formats[i]->probe(file->data, n) || ends_with(file->path, formats[i]->suffix))
            return formats[i];
    return NULL;
}

/* ---- models in mapped files ---- */

struct mapped_model {
    struct model base;
    const struct file **map;
    size_t maps_cap, files_cap, tensors_cap;
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

const struct file *mapped_model_add(struct model *m, const char *path, struct fail *f)
{
    struct mapped_model *mm = (struct mapped_model *)m;
    struct arena *a = &m->arena;
    struct file *file = arena_new(a, struct file);

    if (file_open_weights(file, path, f))
        return NULL;
    arena_on_reset(a, close_map, file, 0);
    if (file_refuse_empty(file, f))
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

double model_read_rate(const struct model *m)
{
    enum { PLACES = 8, PIECE = 1 << 20 };
    struct arena tmp = {0};
    void *piece = arena_raw(&tmp, PIECE);
    uint64_t done = 0;
    double seconds = 0;

    memset(piece, 0, PIECE);        /* its pages are no part of what is measured */
    for (size_t i = 0; i < PLACES && m->nfiles; i++) {
        const struct model_file *file = &m->file[i * m->nfiles / PLACES];
        int fd = open(file->path, O_RDONLY | O_CLOEXEC);
        double began = seconds_now(), within = fmod(began * 1e6, 1000) / 1000;

        if (fd < 0)
            continue;
        done += fd_read(fd, piece, PIECE, (uint64_t)((double)file->nbytes / PLACES * ((double)i + within)));
        seconds += seconds_now() - began;
        close(fd);
    }
    arena_release(&tmp);
    return seconds > 0 ? (double)done / seconds : 0;
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
    m->panel_nbytes = inner->panel_nbytes;
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
