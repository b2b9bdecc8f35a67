/* edit.c - see edit.h. */
#include "convert/edit.h"

#include "formats/patch.h"
#include "formats/text.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

/* One file of a model, with the keys about splitting back in their place. */
static const void *file_rows(struct model *m, const struct tensor *t, uint64_t first, uint64_t n, struct arena *tmp, struct fail *f);
static void file_close_model(struct model *m);

struct one_file {
    struct model base;
    struct model *inner;
};

static const struct model_ops one_file_ops = { file_rows, file_close_model };

static const void *file_rows(struct model *m, const struct tensor *t, uint64_t first, uint64_t n, struct arena *tmp, struct fail *f)
{
    struct model *inner = ((struct one_file *)m)->inner;

    return model_rows(inner, &inner->tensor[t->offset], first, n, tmp, f);
}

static void file_close_model(struct model *m)
{
    struct model *inner = ((struct one_file *)m)->inner;

    arena_release(&m->arena);
    model_close(inner);
}

static void put_split_keys(struct model *m, const struct model *inner)
{
    meta_set(&m->meta, &m->arena, "split.no", (struct meta_value){ .type = META_UINT16 });
    meta_set(&m->meta, &m->arena, "split.tensors.count", (struct meta_value){ .type = META_INT32, .i = (int64_t)inner->ntensors });
    meta_set(&m->meta, &m->arena, "split.count", (struct meta_value){ .type = META_UINT16, .u = inner->nfiles });
}

static struct model *first_file(struct model *inner)
{
    struct one_file *o = model_adapter(sizeof *o, &one_file_ops, inner);
    struct model *m = &o->base;

    o->inner = inner;
    m->nfiles = 1;
    m->tensor = arena_array(&m->arena, struct tensor, inner->ntensors);
    for (size_t i = 0; i < inner->ntensors; i++)
        if (inner->tensor[i].file == 0) {
            m->tensor[m->ntensors] = inner->tensor[i];
            m->tensor[m->ntensors++].offset = i;
        }
    meta_copy(&m->meta, &m->arena, &inner->meta);
    if (inner->nfiles > 1)
        put_split_keys(m, inner);
    return m;
}

static int refuse_link(const char *path, struct fail *f)
{
    struct stat st;

    if (lstat(path, &st) || !S_ISLNK(st.st_mode))
        return 0;
    fail(f, FAIL_INPUT, "is a link: what it leads to may be known by its hash, and is not changed");
    fail_hint(f, "make a copy with other keys: bantam convert %s -o OUT --metadata KEY=TYPE:VALUE", path);
    return fail_in(f, path);
}

int edit_open(struct edit *e, const char *path, struct fail *f)
{
    struct model *inner;

    *e = (struct edit){ .path = path };
    if (path_is_dir(path) || ends_with(path, ".json")) {
        fail(f, FAIL_INPUT, "is no single file of weights, which is what metadata is kept in");
        return fail_hint(f, "name the .gguf file, or one of the .safetensors files"), fail_in(f, path);
    }
    if (refuse_link(path, f) || patch_recover(path, f) || !(inner = model_open(path, f)))
        return -1;
    if (!path_same(inner->file[0].path, path) || (inner->nfiles > 1 && strcmp(inner->format->name, "gguf") != 0)) {
        fail(f, FAIL_INPUT, "is not the file that holds the model's keys, which is '%s'", inner->file[0].path);
        model_close(inner);
        return fail_in(f, path);
    }
    e->model = first_file(inner);
    e->head_nbytes = inner->file[0].nbytes;
    for (size_t i = 0; i < inner->ntensors; i++)
        if (inner->tensor[i].file == 0 && inner->tensor[i].offset < e->head_nbytes)
            e->head_nbytes = inner->tensor[i].offset;
    return 0;
}

/* The header that would be written, and whether every tensor would stay where it is. */
static bool plan_in_place(const struct edit *e, struct plan *p)
{
    const struct model *m = e->model, *inner = ((const struct one_file *)m)->inner;
    struct plan_options options = { .head_nbytes = e->head_nbytes };
    struct fail unfit = {0};
    bool same;

    if (m->ntensors == 0 || m->format->plan(m, e->path, &options, p, &unfit))
        return false;
    same = p->nfiles == 1 && p->file[0].head_nbytes == e->head_nbytes;
    for (size_t i = 0; same && i < m->ntensors; i++)
        same = p->tensor[i].offset == inner->tensor[m->tensor[i].offset].offset;
    if (!same)
        plan_release(p);
    return same;
}

static bool has_other_names(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && st.st_nlink > 1;
}

bool edit_fits(const struct edit *e)
{
    struct plan p;

    if (has_other_names(e->path) || !plan_in_place(e, &p))
        return false;
    plan_release(&p);
    return true;
}

int edit_commit(struct edit *e, const struct progress *progress, struct fail *f)
{
    const struct write_options options = { .force = true, .over_source = true, .progress = *progress };
    struct plan p;
    int bad;

    if (edit_fits(e) && plan_in_place(e, &p))
        bad = patch_head(e->path, p.file[0].head, p.file[0].head_nbytes, f);
    else if (e->model->format->plan(e->model, e->path, &(struct plan_options){0}, &p, f))
        return -1;
    else
        bad = model_write(e->model, &p, &options, NULL, f);
    plan_release(&p);
    return bad;
}

void edit_close(struct edit *e)
{
    model_close(e->model);
    e->model = NULL;
}
