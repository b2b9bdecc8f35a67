/* safetensors.c - safetensors in: one file, or shards with an index; safetensors_plan.c is the way out. Source of the rules: the format's README
 * and safetensors/src/tensor.rs (huggingface/safetensors).
 *
 *     u64 N, little-endian | N bytes of JSON, starting with '{', at most 100 MB, spaces allowed behind | data
 *     {"NAME": {"dtype": "BF16", "shape": [4096, 4096], "data_offsets": [begin, end]}, ...,
 *      "__metadata__": {"KEY": "text", ...}}
 * Offsets count from the first byte of data. Sorted by offset, each tensor begins where the one before it ends, the first
 * at 0, the last ends with the file: no holes, no overlaps, nothing behind. Data need not be aligned.
 * Shards come with an index, *.safetensors.index.json: {"weight_map": {"NAME": "FILE", ...}, "metadata": {...}}. */
#include "formats/json.h"
#include "formats/plan.h"
#include "formats/safetensors.h"
#include "formats/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAX_INDEX UINT64_C(500000000)
static const char AGAIN[] = "the download is incomplete, or the file damaged: download it again";

static bool probe(const uint8_t *head, size_t n)
{
    return n >= 9 && head[8] == '{' && head[4] == 0 && head[5] == 0 && head[6] == 0 && head[7] == 0;
}

/* ---- the header of one file ---- */

struct reader {
    struct model *m;
    const struct file *file;
    const char *header;
    uint64_t nheader, ndata;
    struct arena tmp;
    struct fail *f;
};

static int find_header(struct reader *r)
{
    struct cursor c = cursor_at(r->file->data, r->file->mapped);
    uint64_t n = cursor_u64(&c);

    if (!cursor_ok(&c)) {
        fail(r->f, FAIL_INPUT, "has only %" PRIu64 " bytes, less than the 8 that a safetensors file starts with", c.nbytes);
        return fail_hint(r->f, "%s", AGAIN);
    }
    if (n > SAFETENSORS_MAX_HEADER)
        return fail(r->f, FAIL_INPUT, "announces a header of %" PRIu64 " bytes; at most %" PRIu64 " are allowed", n, SAFETENSORS_MAX_HEADER);
    r->header = (const char *)cursor_bytes(&c, n);
    if (!r->header && n <= r->file->nbytes - 8)
        return fail(r->f, FAIL_SYSTEM, "has a header of %" PRIu64 " bytes, more than a limit on address space leaves for it", n);
    if (!r->header) {
        fail(r->f, FAIL_INPUT, "announces a header of %" PRIu64 " bytes, but only %" PRIu64 " follow", n, r->file->nbytes - 8);
        return fail_hint(r->f, "%s", AGAIN);
    }
    if (n == 0 || r->header[0] != '{')
        return fail(r->f, FAIL_INPUT, "has a header that does not start with '{'");
    r->nheader = n;
    r->ndata = r->file->nbytes - 8 - n;
    return 0;
}

/* FP4 and its relatives are not whole bytes: their shapes count what no row here could. */
static const struct qtype *read_dtype(struct reader *r, const cJSON *entry, const char *name)
{
    static const char *const below_a_byte[] = { "F4", "F6_E2M3", "F6_E3M2", "I4", "U4" };
    const char *dtype = json_str(entry, "dtype", NULL);
    const struct qtype *type = dtype ? qtype_of_safetensors(dtype) : NULL;

    for (size_t i = 0; dtype && i < sizeof below_a_byte / sizeof *below_a_byte; i++)
        if (strcmp(dtype, below_a_byte[i]) == 0)
            fail(r->f, FAIL_INPUT, "tensor '%s' is of dtype %s, whose weights are less than a byte: not supported", name, dtype);
    if (!dtype)
        fail(r->f, FAIL_INPUT, "tensor '%s' has no dtype", name);
    else if (!type)
        fail(r->f, FAIL_INPUT, "tensor '%s' is of dtype %s, which is not known", name, dtype);
    return type;
}

static int read_shape(struct reader *r, const cJSON *entry, struct tensor *t)
{
    const cJSON *shape = cJSON_GetObjectItemCaseSensitive(entry, "shape"), *dim;

    if (!cJSON_IsArray(shape))
        return fail(r->f, FAIL_INPUT, "tensor '%s' has no shape", t->name);
    cJSON_ArrayForEach(dim, shape) {
        if (t->rank == TENSOR_MAX_RANK)
            return fail(r->f, FAIL_INPUT, "tensor '%s' has more than %d dimensions", t->name, TENSOR_MAX_RANK);
        if (!json_u64(dim, &t->shape[t->rank++]))
            return fail(r->f, FAIL_INPUT, "tensor '%s' has a dimension that is no whole number", t->name);
    }
    return 0;
}

static int read_offsets(struct reader *r, const cJSON *entry, const struct tensor *t, uint64_t *begin, uint64_t *end)
{
    const cJSON *pair = cJSON_GetObjectItemCaseSensitive(entry, "data_offsets");

    if (!cJSON_IsArray(pair) || cJSON_GetArraySize(pair) != 2 || !json_u64(pair->child, begin)
        || !json_u64(pair->child->next, end) || *begin > *end)
        return fail(r->f, FAIL_INPUT, "tensor '%s' has no data_offsets of the form [begin, end]", t->name);
    return 0;
}

static int read_tensor(struct reader *r, const cJSON *entry, struct tensor *t)
{
    uint64_t begin = 0, end = 0;

    *t = (struct tensor){ .name = arena_strdup(&r->m->arena, entry->string), .file = (unsigned)r->m->nfiles - 1 };
    if (!cJSON_IsObject(entry))
        return fail(r->f, FAIL_INPUT, "tensor '%s' is described by something else than a JSON object", t->name);
    t->type = read_dtype(r, entry, t->name);
    if (!t->type || read_shape(r, entry, t) || read_offsets(r, entry, t, &begin, &end) || tensor_check(t, r->f))
        return -1;
    if (tensor_bytes(t) != end - begin)
        return fail(r->f, FAIL_INPUT, "tensor '%s' has %" PRIu64 " bytes of data, but its shape and dtype make %" PRIu64, t->name,
                    end - begin, tensor_bytes(t));
    t->offset = begin;
    return 0;
}

/* ---- the order of the data ---- */

static int by_offset(const void *a, const void *b)
{
    const struct tensor *s = a, *t = b;

    if (s->offset != t->offset)
        return s->offset < t->offset ? -1 : 1;
    return tensor_bytes(s) != tensor_bytes(t) ? (tensor_bytes(s) < tensor_bytes(t) ? -1 : 1) : strcmp(s->name, t->name);
}

static int check_end(struct reader *r, uint64_t end, const struct tensor *last)
{
    if (end > r->ndata) {
        fail(r->f, FAIL_INPUT, "is %" PRIu64 " bytes too short: tensor '%s' runs past its end at %" PRIu64, end - r->ndata,
             last->name, r->file->nbytes);
        return fail_hint(r->f, "%s", AGAIN);
    }
    if (end < r->ndata)
        return fail(r->f, FAIL_INPUT, "has %" PRIu64 " bytes at its end that belong to no tensor", r->ndata - end);
    return 0;
}

/* Sorts by offset, checks that there are neither holes nor overlaps, and adds the tensors to the model. */
static int place_tensors(struct reader *r, struct tensor *t, size_t n)
{
    uint64_t at = 0;

    if (n)
        qsort(t, n, sizeof *t, by_offset);
    for (size_t i = 0; i < n; i++) {
        if (t[i].offset < at)
            return fail(r->f, FAIL_INPUT, "tensors '%s' and '%s' overlap by %" PRIu64 " bytes", t[i - 1].name, t[i].name,
                        at - t[i].offset);
        if (t[i].offset > at)
            return fail(r->f, FAIL_INPUT, "there is a hole of %" PRIu64 " bytes before tensor '%s'", t[i].offset - at, t[i].name);
        at = t[i].offset + tensor_bytes(&t[i]);
    }
    if (check_end(r, at, n ? &t[n - 1] : NULL))
        return -1;
    for (size_t i = 0; i < n; i++) {
        t[i].offset += 8 + r->nheader;
        if (mapped_model_tensor(r->m, &t[i], r->f))
            return -1;
    }
    return 0;
}

static int read_metadata(struct reader *r, const cJSON *map)
{
    const cJSON *c;

    if (!cJSON_IsObject(map) && !cJSON_IsNull(map))
        return fail(r->f, FAIL_INPUT, "%s is no JSON object", SAFETENSORS_METADATA);
    cJSON_ArrayForEach(c, map) {
        struct meta_value v = { .type = META_STRING };

        if (!cJSON_IsString(c))
            return fail(r->f, FAIL_INPUT, "%s '%s' is no text", SAFETENSORS_METADATA, c->string);
        if (r->m->nfiles > 1)
            continue;                   /* shards repeat what the first one says */
        v.s = (struct meta_string){ arena_strdup(&r->m->arena, c->valuestring), strlen(c->valuestring) };
        meta_append(&r->m->meta, &r->m->arena, arena_strdup(&r->m->arena, c->string), v);
    }
    return 0;
}

static int read_entries(struct reader *r, const cJSON *tree)
{
    struct tensor *t = NULL;
    size_t n = 0, cap = 0;
    const cJSON *c;

    cJSON_ArrayForEach(c, tree) {
        if (strcmp(c->string, SAFETENSORS_METADATA) == 0) {
            if (read_metadata(r, c))
                return -1;
            continue;
        }
        t = arena_grow(&r->tmp, t, &cap, n + 1, sizeof *t);
        if (read_tensor(r, c, &t[n++]))
            return -1;
    }
    return place_tensors(r, t, n);
}

/* Maps and parses one file into m. */
static int read_file(struct model *m, const char *path, struct fail *f)
{
    struct reader r = { .m = m, .file = mapped_model_add(m, path, f), .f = f };
    const cJSON *tree;
    int bad = -1;

    if (!r.file)
        return -1;
    if (find_header(&r) == 0) {
        tree = json_parse(r.header, r.nheader, path, &r.tmp, f);
        bad = tree ? read_entries(&r, tree) : -1;
    }
    arena_release(&r.tmp);
    return bad ? fail_in(f, path) : 0;
}

/* ---- shards ---- */

/* An index: which shards there are, sorted by name, and which of them holds each tensor. */
struct shard_index {
    const char *path, *dir;
    struct name_index tensors;
    const char **file;          /* of each tensor */
    size_t files_cap;
    const char **shard;
    size_t nshards;
    struct arena arena;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* One entry of the weight map. A shard lies beside its index: a path that leads elsewhere is not followed. */
static int read_entry(struct shard_index *x, const cJSON *c, struct name_index *shards, struct fail *f)
{
    if (!cJSON_IsString(c) || !c->valuestring[0] || strchr(c->valuestring, '/'))
        return fail(f, FAIL_INPUT, "tensor '%s' is not in a file beside the index", c->string);
    name_index_add(&x->tensors, &x->arena, c->string);
    x->file = arena_grow(&x->arena, x->file, &x->files_cap, x->tensors.n, sizeof *x->file);
    x->file[x->tensors.n - 1] = c->valuestring;
    name_index_add(shards, &x->arena, c->valuestring);
    return 0;
}

static int read_index(struct shard_index *x, struct fail *f)
{
    cJSON *tree = json_read(x->path, MAX_INDEX, &x->arena, f), *map, *c;
    struct name_index shards = {0};

    if (!tree)
        return -1;
    map = cJSON_GetObjectItemCaseSensitive(tree, "weight_map");
    if (!cJSON_IsObject(map) || !map->child)
        return fail(f, FAIL_INPUT, "has no 'weight_map' that says which file holds which tensor");
    cJSON_ArrayForEach(c, map)
        if (read_entry(x, c, &shards, f))
            return -1;
    x->shard = shards.name;
    x->nshards = shards.n;
    if (x->nshards)
        qsort(x->shard, x->nshards, sizeof *x->shard, by_name);
    return 0;
}

/* Every shard is there before the first is read. */
static int check_present(struct shard_index *x, struct fail *f)
{
    const char *missing = NULL;
    size_t nmissing = 0;

    for (size_t i = 0; i < x->nshards; i++)
        if (!path_exists(path_join(&x->arena, x->dir, x->shard[i])) && nmissing++ == 0)
            missing = x->shard[i];
    if (!missing)
        return 0;
    fail(f, FAIL_INPUT, "%zu of the model's %zu files are missing, the first is '%s'", nmissing, x->nshards, missing);
    return fail_hint(f, "download the missing files into the same directory");
}

/* The index and the headers must agree: a tensor that only one of them knows may be stale in the other. */
static int compare(const struct shard_index *x, const struct model *m, struct fail *f)
{
    for (size_t i = 0; i < m->ntensors; i++) {
        const char *file = path_base(m->file[m->tensor[i].file].path);
        int64_t at = name_index_find(&x->tensors, m->tensor[i].name);

        if (at < 0)
            return fail(f, FAIL_INPUT, "tensor '%s' is in '%s', but the index does not name it", m->tensor[i].name, file);
        if (strcmp(x->file[at], file) != 0)
            return fail(f, FAIL_INPUT, "tensor '%s' is in '%s', but the index says '%s'", m->tensor[i].name, file, x->file[at]);
    }
    for (size_t i = 0; i < x->tensors.n; i++)
        if (!model_tensor(m, x->tensors.name[i]))
            return fail(f, FAIL_INPUT, "tensor '%s' is not in '%s', where the index says it is", x->tensors.name[i], x->file[i]);
    return 0;
}

static int read_shards(struct model *m, struct shard_index *x, struct fail *f)
{
    if (read_index(x, f) || check_present(x, f))
        return -1;
    for (size_t i = 0; i < x->nshards; i++)
        if (read_file(m, path_join(&x->arena, x->dir, x->shard[i]), f))
            return -1;
    return compare(x, m, f);
}

static int open_index(struct model *m, struct fail *f)
{
    struct shard_index x = { .path = m->path };
    int bad;

    m->dir = x.dir = path_dir(&m->arena, m->path);
    bad = read_shards(m, &x, f);
    arena_release(&x.arena);
    return bad ? fail_in(f, m->path) : 0;
}

struct model *safetensors_open_shards(const char *first, struct fail *f)
{
    struct model *m = mapped_model_new(&format_safetensors, first);
    struct shard_name s = shard_name(first, ".safetensors");
    struct arena tmp = {0};
    bool bad = false;

    for (unsigned no = 1; no <= s.count && !bad; no++)
        bad = read_file(m, shard_path(&tmp, first, s.stem, no, s.count, ".safetensors"), f) != 0;
    arena_release(&tmp);
    if (!bad)
        return m;
    model_close(m);
    return NULL;
}

static struct model *open_safetensors(const char *path, struct fail *f)
{
    struct model *m = mapped_model_new(&format_safetensors, path);

    if (ends_with(path, ".json") ? open_index(m, f) : read_file(m, path, f)) {
        model_close(m);
        return NULL;
    }
    return m;
}

const struct format format_safetensors = { .name = "safetensors", .suffix = ".safetensors", .probe = probe,
                                           .open = open_safetensors, .plan = safetensors_plan };
