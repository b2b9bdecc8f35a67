/* gguf.c - GGUF versions 2 and 3 in, whole or split; gguf_plan.c is the way out. Source of the layout: ggml docs/gguf.md.
 *
 * All numbers little-endian; a string is a u64 count and its bytes:
 *     "GGUF" | u32 version | u64 tensors | u64 keys
 *     keys:     string name | u32 type | value; an array is u32 type | u64 count | items
 *     tensors:  string name | u32 rank | u64 dims, innermost first | u32 type | u64 offset
 *     zeros up to a multiple of the alignment (key general.alignment, otherwise 32)
 *     data: each tensor at its offset from here, a multiple of the alignment
 * A split model is NAME-00001-of-0000N.gguf and so on; the first file has all metadata, every file its own tensors and
 * the keys split.no (from 0), split.count and split.tensors.count.
 * The format has no place for spare bytes: data starts at the first aligned byte behind the tensor list. Room for later edits of
 * keys is therefore a key of its own, the last one: bantam.padding, an array of so many zero bytes. It is no part of the model's
 * metadata, neither when read nor when written. */
#include "formats/gguf.h"
#include "formats/plan.h"
#include "formats/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool probe(const uint8_t *head, size_t n)
{
    return n >= 4 && memcmp(head, "GGUF", 4) == 0;
}

enum {
    MAX_KEY = 65535, MAX_NESTING = 8,
    MAX_ALIGNMENT = 1 << 20,                    /* ours: padding must not dwarf what it pads */
    LEAST_KEY = 8 + 1 + 4 + 1, LEAST_TENSOR = 8 + 1 + 4 + 4 + 8,
};

/* ---- reading one file ---- */

struct reader {
    struct cursor c;
    struct model *m;
    struct meta meta;               /* of this file */
    unsigned file;
    uint64_t ntensors, nkeys;
    size_t first;                   /* this file's first tensor in m->tensor */
    uint64_t alignment, data;       /* where tensor data starts */
    struct fail *f;
};

static int fail_cut(struct reader *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int fail_cut(struct reader *r, const char *format, ...)
{
    char inside[200];
    va_list ap;

    va_start(ap, format);
    vsnprintf(inside, sizeof inside, format, ap);
    va_end(ap);
    if (r->c.nbytes < r->m->file[r->file].nbytes)
        return fail(r->f, FAIL_SYSTEM, "has a header of more than the %" PRIu64 " bytes that a limit on address space leaves for it",
                    r->c.nbytes);
    fail(r->f, FAIL_INPUT, "ends after %" PRIu64 " bytes inside %s", r->c.nbytes, inside);
    return fail_hint(r->f, "the download is incomplete, or the header damaged: download the file again");
}

static int read_version(struct reader *r)
{
    const uint8_t *magic = cursor_bytes(&r->c, 4);
    uint32_t version = cursor_u32(&r->c);

    if (magic && memcmp(magic, "GGUF", 4) != 0)
        return fail(r->f, FAIL_INPUT, "does not start with the letters GGUF");
    if (!cursor_ok(&r->c))
        return fail_cut(r, "the header");
    if (version == 1)
        return fail(r->f, FAIL_INPUT, "is GGUF version 1, of 2023; versions 2 and 3 are read");
    if (version >> 16 && !(version & 0xffff))
        return fail(r->f, FAIL_INPUT, "is a big-endian GGUF file; little-endian ones are read");
    if (version != 2 && version != 3)
        return fail(r->f, FAIL_INPUT, "is GGUF version %" PRIu32 "; versions 2 and 3 are read", version);
    return 0;
}

static int read_counts(struct reader *r)
{
    r->ntensors = cursor_u64(&r->c);
    r->nkeys = cursor_u64(&r->c);
    if (!cursor_ok(&r->c))
        return fail_cut(r, "the header");
    if (r->nkeys > cursor_left(&r->c) / LEAST_KEY)
        return fail(r->f, FAIL_INPUT, "announces %" PRIu64 " keys, but only %" PRIu64 " bytes follow", r->nkeys,
                    cursor_left(&r->c));
    if (r->ntensors > cursor_left(&r->c) / LEAST_TENSOR)
        return fail(r->f, FAIL_INPUT, "announces %" PRIu64 " tensors, but only %" PRIu64 " bytes follow", r->ntensors,
                    cursor_left(&r->c));
    return 0;
}

/* The name of key or tensor number i; NULL: told. */
static const char *read_name(struct reader *r, const char *kind, uint64_t i)
{
    uint64_t n = cursor_u64(&r->c);
    const uint8_t *s = cursor_bytes(&r->c, n);

    if (!s) {
        fail_cut(r, "the name of %s %" PRIu64, kind, i);
        return NULL;
    }
    if (n == 0 || n > MAX_KEY || memchr(s, 0, n)) {
        fail(r->f, FAIL_INPUT, "%s %" PRIu64 " has a name that is empty, longer than %d bytes or contains a zero byte", kind,
             i, MAX_KEY);
        return NULL;
    }
    return arena_copy(&r->m->arena, s, n);
}

/* ---- values ---- */

static int read_string(struct reader *r, struct meta_string *s, const char *key)
{
    uint64_t n = cursor_u64(&r->c);
    const uint8_t *p = cursor_bytes(&r->c, n);

    if (!p)
        return fail_cut(r, "the value of key '%s'", key);
    *s = (struct meta_string){ arena_copy(&r->m->arena, p, n), n };
    return 0;
}

/* Twice over the strings: their bytes on disk, less eight of count each, with a NUL each, are what the copies need. */
static int read_strings(struct reader *r, struct meta_array *a, const char *key)
{
    struct cursor start = r->c;
    struct meta_string *s;
    char *pool;

    if (a->n > cursor_left(&r->c) / sizeof(uint64_t))
        return fail_cut(r, "the value of key '%s'", key);
    for (uint64_t i = 0; i < a->n; i++)
        cursor_bytes(&r->c, cursor_u64(&r->c));
    if (!cursor_ok(&r->c))
        return fail_cut(r, "the value of key '%s'", key);
    pool = arena_raw(&r->m->arena, r->c.at - start.at);
    a->items = s = arena_raw(&r->m->arena, a->n * sizeof *s);      /* fits: see above */
    for (uint64_t i = 0; i < a->n; i++) {
        s[i].n = cursor_u64(&start);
        s[i].s = memcpy(pool, cursor_bytes(&start, s[i].n), s[i].n);
        pool[s[i].n] = 0;
        pool += s[i].n + 1;
    }
    return 0;
}

static bool all_bools(const uint8_t *p, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        if (p[i] > 1)
            return false;
    return true;
}

/* Copied, because on disk they are not aligned. */
static int read_numbers(struct reader *r, struct meta_array *a, const char *key)
{
    uint64_t nbytes;
    const uint8_t *p = NULL;

    if (mul_u64(a->n, meta_type_bytes(a->type), &nbytes))
        p = cursor_bytes(&r->c, nbytes);
    if (!p)
        return fail_cut(r, "the value of key '%s'", key);
    if (a->type == META_BOOL && !all_bools(p, nbytes))
        return fail(r->f, FAIL_INPUT, "key '%s' holds a bool that is neither 0 nor 1", key);
    a->items = memcpy(arena_raw(&r->m->arena, nbytes), p, nbytes);
    return 0;
}

static int read_array(struct reader *r, struct meta_array *a, const char *key, int depth);

static int read_arrays(struct reader *r, struct meta_array *a, const char *key, int depth)
{
    struct meta_array *item;

    if (depth == MAX_NESTING)
        return fail(r->f, FAIL_INPUT, "key '%s' holds arrays nested more than %d deep", key, MAX_NESTING);
    if (a->n > cursor_left(&r->c) / (sizeof(uint32_t) + sizeof(uint64_t)))
        return fail_cut(r, "the value of key '%s'", key);
    a->items = item = arena_array(&r->m->arena, struct meta_array, a->n);
    for (uint64_t i = 0; i < a->n; i++)
        if (read_array(r, &item[i], key, depth + 1))
            return -1;
    return 0;
}

static int read_array(struct reader *r, struct meta_array *a, const char *key, int depth)
{
    uint32_t type = cursor_u32(&r->c);

    a->n = cursor_u64(&r->c);
    if (!cursor_ok(&r->c))
        return fail_cut(r, "the value of key '%s'", key);
    if (type >= META_TYPES)
        return fail(r->f, FAIL_INPUT, "key '%s' is an array of unknown type %" PRIu32, key, type);
    a->type = (enum meta_type)type;
    if (a->type == META_STRING)
        return read_strings(r, a, key);
    return a->type == META_ARRAY ? read_arrays(r, a, key, depth) : read_numbers(r, a, key);
}

static int read_scalar(struct reader *r, struct meta_value *v, const char *key)
{
    const uint8_t *p = cursor_bytes(&r->c, meta_type_bytes(v->type));

    if (!p)
        return fail_cut(r, "the value of key '%s'", key);
    if (v->type == META_BOOL && *p > 1)
        return fail(r->f, FAIL_INPUT, "key '%s' is a bool that is neither 0 nor 1", key);
    *v = meta_scalar(v->type, p);
    return 0;
}

static int read_value(struct reader *r, struct meta_value *v, const char *key)
{
    uint32_t type = cursor_u32(&r->c);

    if (!cursor_ok(&r->c))
        return fail_cut(r, "the value of key '%s'", key);
    if (type >= META_TYPES)
        return fail(r->f, FAIL_INPUT, "key '%s' has unknown type %" PRIu32, key, type);
    v->type = (enum meta_type)type;
    if (v->type == META_STRING)
        return read_string(r, &v->s, key);
    return v->type == META_ARRAY ? read_array(r, &v->a, key, 1) : read_scalar(r, v, key);
}

static int read_keys(struct reader *r)
{
    struct name_index seen = {0};

    for (uint64_t i = 0; i < r->nkeys; i++) {
        const char *key = read_name(r, "key", i);
        struct meta_value v = {0};

        if (!key)
            return -1;
        if (!name_index_add(&seen, &r->m->arena, key))
            return fail(r->f, FAIL_INPUT, "key '%s' stands twice in the header", key);
        if (read_value(r, &v, key))
            return -1;
        if (strcmp(key, GGUF_KEY_PADDING) != 0)
            meta_append(&r->meta, &r->m->arena, key, v);
    }
    return 0;
}

uint64_t gguf_alignment(const struct meta *meta, struct fail *f)
{
    const struct meta_value *v = meta_get(meta, GGUF_KEY_ALIGNMENT);

    if (!v)
        return GGUF_ALIGNMENT;
    if (v->type != META_UINT32) {
        fail(f, FAIL_INPUT, "key '%s' is of type %s, not uint32", GGUF_KEY_ALIGNMENT, meta_type_name(v->type));
        return 0;
    }
    if (v->u == 0 || v->u > MAX_ALIGNMENT || (v->u % 8 && v->u & (v->u - 1))) {
        fail(f, FAIL_INPUT, "key '%s' is %" PRIu64 ", which is no power of two or multiple of eight up to %d", GGUF_KEY_ALIGNMENT,
             v->u, MAX_ALIGNMENT);
        return 0;
    }
    return v->u;
}

/* ---- tensors ---- */

static int read_shape(struct reader *r, struct tensor *t)
{
    uint32_t rank = cursor_u32(&r->c);

    if (cursor_ok(&r->c) && rank > GGUF_MAX_RANK)
        return fail(r->f, FAIL_INPUT, "tensor '%s' has %" PRIu32 " dimensions; GGUF has at most %d", t->name, rank, GGUF_MAX_RANK);
    t->rank = (int)rank;
    for (int i = t->rank; i-- > 0; )
        t->shape[i] = cursor_u64(&r->c);
    return 0;
}

static int read_tensor(struct reader *r, uint64_t i)
{
    struct tensor t = { .name = read_name(r, "tensor", i), .file = r->file };
    uint32_t type;

    if (!t.name || read_shape(r, &t))
        return -1;
    type = cursor_u32(&r->c);
    t.offset = cursor_u64(&r->c);
    if (!cursor_ok(&r->c))
        return fail_cut(r, "the description of tensor '%s'", t.name);
    t.type = qtype_of_gguf(type);
    if (!t.type)
        return fail(r->f, FAIL_INPUT, "tensor '%s' has type number %" PRIu32 ", which is not known", t.name, type);
    return mapped_model_tensor(r->m, &t, r->f);
}

/* Offsets become those in the file. What runs past its end is summed up over all tensors: that is how much is missing. */
static int place_tensors(struct reader *r)
{
    const struct tensor *outside = NULL;
    uint64_t size = r->m->file[r->file].nbytes, missing = 0;
    size_t noutside = 0;

    r->data = round_up(r->c.at, r->alignment);
    for (size_t i = r->first; i < r->m->ntensors; i++) {
        struct tensor *t = &r->m->tensor[i];
        uint64_t end;

        if (t->offset % r->alignment)
            return fail(r->f, FAIL_INPUT, "tensor '%s' is at offset %" PRIu64 ", no multiple of the alignment %" PRIu64, t->name,
                        t->offset, r->alignment);
        if (!add_u64(t->offset, r->data, &t->offset) || !add_u64(t->offset, tensor_bytes(t), &end))
            return fail(r->f, FAIL_INPUT, "tensor '%s' is at an offset that no file could have", t->name);
        if (end <= size)
            continue;
        if (noutside++ == 0)
            outside = t;
        if (end - size > missing)
            missing = end - size;
    }
    if (!noutside)
        return 0;
    fail(r->f, FAIL_INPUT, "is %" PRIu64 " bytes too short: %zu tensors run past its end at %" PRIu64 ", the first is '%s'",
         missing, noutside, size, outside->name);
    return fail_hint(r->f, "the download is incomplete: download the file again");
}

static int by_offset(const void *a, const void *b)
{
    const struct tensor *s = *(const struct tensor *const *)a, *t = *(const struct tensor *const *)b;

    if (s->offset != t->offset)
        return s->offset < t->offset ? -1 : 1;
    return tensor_bytes(s) < tensor_bytes(t) ? -1 : tensor_bytes(s) > tensor_bytes(t);
}

static int check_overlaps(struct reader *r)
{
    struct arena tmp = {0};
    size_t n = r->m->ntensors - r->first;
    const struct tensor **t = arena_array(&tmp, const struct tensor *, n);

    for (size_t i = 0; i < n; i++)
        t[i] = &r->m->tensor[r->first + i];
    qsort(t, n, sizeof *t, by_offset);
    for (size_t i = 1; i < n; i++)
        if (t[i]->offset < t[i - 1]->offset + tensor_bytes(t[i - 1]))
            fail(r->f, FAIL_INPUT, "tensors '%s' and '%s' overlap at byte %" PRIu64, t[i - 1]->name, t[i]->name, t[i]->offset);
    arena_release(&tmp);
    return failed(r->f) ? -1 : 0;
}

static int read_tensors(struct reader *r)
{
    r->first = r->m->ntensors;
    for (uint64_t i = 0; i < r->ntensors; i++)
        if (read_tensor(r, i))
            return -1;
    return place_tensors(r) || check_overlaps(r) ? -1 : 0;
}

/* Maps and parses one file into m; its keys go to *meta. */
static int read_file(struct model *m, const char *path, struct meta *meta, struct fail *f)
{
    const struct file *file = mapped_model_add(m, path, f);
    struct reader r = { .m = m, .file = (unsigned)m->nfiles - 1, .f = f };

    if (!file)
        return -1;
    r.c = cursor_at(file->data, file->mapped);
    if (read_version(&r) || read_counts(&r) || read_keys(&r) || !(r.alignment = gguf_alignment(&r.meta, f))
        || read_tensors(&r))
        return fail_in(f, path);
    *meta = r.meta;
    return 0;
}

/* ---- split models ---- */

static int check_first(const char *path, const struct meta *meta, struct shard_name name, struct fail *f)
{
    uint64_t no = meta_u64(meta, GGUF_KEY_NO, UINT64_MAX), count = meta_u64(meta, GGUF_KEY_COUNT, 0);

    if (no != 0) {
        struct arena a = {0};

        fail(f, FAIL_INPUT, "is file %" PRIu64 " of a model split into %" PRIu64 ", not the first", no + 1, count);
        if (name.count)
            fail_hint(f, "open '%s'", shard_path(&a, path, name.stem, 1, name.count, ".gguf"));
        arena_release(&a);
    } else if (name.no != 1 || name.count != count) {
        fail(f, FAIL_INPUT, "is the first of %" PRIu64 " files, but its name does not end in -00001-of-%05" PRIu64 ".gguf", count,
             count);
        fail_hint(f, "give all files of the model back the names under which they were published");
    }
    return fail_in(f, path), failed(f) ? -1 : 0;
}

/* All files are there before the first is read. */
static int check_present(struct model *m, const char *path, struct shard_name name, struct fail *f)
{
    const char *missing = NULL;
    unsigned nmissing = 0;

    for (unsigned no = 2; no <= name.count; no++) {
        const char *shard = shard_path(&m->arena, path, name.stem, no, name.count, ".gguf");

        if (!path_exists(shard) && nmissing++ == 0)
            missing = shard;
    }
    if (!missing)
        return 0;
    fail(f, FAIL_INPUT, "%u of the model's %u files are missing, the first is '%s'", nmissing, name.count, path_base(missing));
    fail_hint(f, "download the missing files into the same directory");
    return fail_in(f, path);
}

static int read_shard(struct model *m, const char *path, struct shard_name name, unsigned no, struct fail *f)
{
    const char *shard = shard_path(&m->arena, path, name.stem, no, name.count, ".gguf");
    struct meta meta = {0};

    if (read_file(m, shard, &meta, f))
        return -1;
    if (meta_u64(&meta, GGUF_KEY_NO, 0) == no - 1 && meta_u64(&meta, GGUF_KEY_COUNT, 0) == name.count)
        return 0;
    fail(f, FAIL_INPUT, "says it is file %" PRIu64 " of %" PRIu64 ", but its name says %u of %u",
         meta_u64(&meta, GGUF_KEY_NO, 0) + 1, meta_u64(&meta, GGUF_KEY_COUNT, 0), no, name.count);
    return fail_in(f, shard);
}

static int read_split(struct model *m, const char *path, struct fail *f)
{
    struct shard_name name = shard_name(path, ".gguf");
    uint64_t ntensors = meta_u64(&m->meta, GGUF_KEY_TENSORS, UINT64_MAX);

    if (check_first(path, &m->meta, name, f) || check_present(m, path, name, f))
        return -1;
    for (unsigned no = 2; no <= name.count; no++)
        if (read_shard(m, path, name, no, f))
            return -1;
    if (ntensors != UINT64_MAX && ntensors != m->ntensors) {
        fail(f, FAIL_INPUT, "announces %" PRIu64 " tensors in its %u files, but they hold %zu", ntensors, name.count, m->ntensors);
        return fail_in(f, path);
    }
    return 0;
}

/* The keys about splitting describe the files, not the model: they are not passed on. */
static struct model *open_gguf(const char *path, struct fail *f)
{
    struct model *m = mapped_model_new(&format_gguf, path);

    if (read_file(m, path, &m->meta, f) || (meta_u64(&m->meta, GGUF_KEY_COUNT, 0) > 1 && read_split(m, path, f))) {
        model_close(m);
        return NULL;
    }
    meta_remove(&m->meta, GGUF_KEY_NO);
    meta_remove(&m->meta, GGUF_KEY_COUNT);
    meta_remove(&m->meta, GGUF_KEY_TENSORS);
    return m;
}

const struct format format_gguf = { .name = "gguf", .suffix = ".gguf", .probe = probe, .open = open_gguf, .plan = gguf_plan };
