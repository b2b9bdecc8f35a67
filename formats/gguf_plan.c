/* gguf_plan.c - GGUF version 3 out, whole or split: headers and offsets. The layout is told in gguf.c. */
#include "formats/gguf.h"
#include "formats/plan.h"
#include "formats/text.h"

#include <string.h>

enum { MAX_NAME = 64 };         /* ggml's GGML_MAX_NAME, with its NUL: binding for what we write */

/* ---- values ---- */

static void put_string(struct buffer *b, const char *s, uint64_t n)
{
    put_u64(b, n);
    put(b, s, n);
}

/* A vocabulary has some hundred thousand. */
static void put_strings(struct buffer *b, const struct meta_string *s, uint64_t n)
{
    uint64_t nbytes = n * sizeof s->n;
    char *to;

    for (uint64_t i = 0; i < n; i++)
        nbytes += s[i].n;
    to = buffer_more(b, nbytes);
    for (uint64_t i = 0; to && i < n; i++) {
        memcpy(to, &s[i].n, sizeof s->n);
        memcpy(to + sizeof s->n, s[i].s, s[i].n);
        to += sizeof s->n + s[i].n;
    }
}

static void put_array(struct buffer *b, const struct meta_array *a)
{
    put_u32(b, a->type);
    put_u64(b, a->n);
    if (a->type == META_STRING)
        put_strings(b, a->items, a->n);
    else if (a->type == META_ARRAY)
        for (uint64_t i = 0; i < a->n; i++)
            put_array(b, (const struct meta_array *)a->items + i);
    else
        put(b, a->items, a->n * meta_type_bytes(a->type));
}

static void put_value(struct buffer *b, const struct meta_value *v)
{
    float f = (float)v->f;

    put_u32(b, v->type);
    if (v->type == META_STRING)
        put_string(b, v->s.s, v->s.n);
    else if (v->type == META_ARRAY)
        put_array(b, &v->a);
    else if (v->type == META_FLOAT32)
        put(b, &f, sizeof f);
    else
        put(b, &v->u, meta_type_bytes(v->type));        /* the low bytes of the union, whichever member is set */
}

static void put_key(struct buffer *b, const char *key, const struct meta_value *v)
{
    put_string(b, key, strlen(key));
    put_value(b, v);
}

/* In the order of gguf-split, which sets the count last. */
static void put_split_keys(struct buffer *b, unsigned no, size_t nfiles, size_t ntensors)
{
    put_key(b, GGUF_KEY_NO, &(struct meta_value){ .type = META_UINT16, .u = no });
    put_key(b, GGUF_KEY_TENSORS, &(struct meta_value){ .type = META_INT32, .i = (int64_t)ntensors });
    put_key(b, GGUF_KEY_COUNT, &(struct meta_value){ .type = META_UINT16, .u = nfiles });
}

/* ---- headers ---- */

/* A scalar is written as one weight in one dimension: readers differ about rank 0. */
static void put_tensor(struct buffer *b, const struct tensor *t, uint64_t offset)
{
    put_string(b, t->name, strlen(t->name));
    put_u32(b, t->rank ? (uint32_t)t->rank : 1);
    if (t->rank == 0)
        put_u64(b, 1);
    for (int i = t->rank; i-- > 0; )
        put_u64(b, t->shape[i]);
    put_u32(b, (uint32_t)t->type->gguf_id);
    put_u64(b, offset);
}

static int check_tensor(const struct tensor *t, struct fail *f)
{
    if (t->type->gguf_id < 0)
        return fail(f, FAIL_INPUT, "tensor '%s' is of type %s, which GGUF cannot hold", t->name, t->type->label);
    if (t->rank > GGUF_MAX_RANK)
        return fail(f, FAIL_INPUT, "tensor '%s' has %d dimensions; GGUF has at most %d", t->name, t->rank, GGUF_MAX_RANK);
    if (strlen(t->name) >= MAX_NAME)
        return fail(f, FAIL_INPUT, "tensor '%s' has a name of %zu bytes; GGUF has at most %d", t->name, strlen(t->name),
                    MAX_NAME - 1);
    return tensor_check(t, f);
}

/* The number of file `no`'s tensors, and their offsets from its data's start in plan->tensor[].offset; *nbytes: of them
 * all, padding behind the last one included. */
static uint64_t lay_out(const struct model *m, struct plan *p, unsigned no, uint64_t alignment, uint64_t *nbytes)
{
    uint64_t n = 0, at = 0;

    for (size_t i = 0; i < m->ntensors; i++)
        if (p->tensor[i].file == no) {
            p->tensor[i].offset = at;
            at = round_up(at + tensor_bytes(&m->tensor[i]), alignment);
            n++;
        }
    *nbytes = at;
    return n;
}

/* The first file's key of `room` zero bytes; NO_KEY: none. */
static const uint64_t NO_KEY = UINT64_MAX;
enum { PADDING_KEY = 8 + sizeof GGUF_KEY_PADDING - 1 + 4 + 4 + 8 };      /* bytes of the key but for the zeros */

static void put_padding(struct buffer *b, uint64_t room)
{
    put_string(b, GGUF_KEY_PADDING, sizeof GGUF_KEY_PADDING - 1);
    put_u32(b, META_ARRAY);
    put_u32(b, META_UINT8);
    put_u64(b, room);
    put_zeros(b, room);
}

static void put_header(struct buffer *b, const struct model *m, const struct plan *p, unsigned no, uint64_t ntensors, uint64_t room)
{
    bool split = p->nfiles > 1;

    put(b, "GGUF", 4);
    put_u32(b, 3);
    put_u64(b, ntensors);
    put_u64(b, (no == 0 ? m->meta.n : 0) + (split ? 3 : 0) + (room != NO_KEY));
    for (size_t i = 0; no == 0 && i < m->meta.n; i++)
        put_key(b, m->meta.entry[i].key, &m->meta.entry[i].value);
    if (split)
        put_split_keys(b, no, p->nfiles, m->ntensors);
    if (room != NO_KEY)
        put_padding(b, room);
    for (size_t i = 0; i < m->ntensors; i++)
        if (p->tensor[i].file == no)
            put_tensor(b, &m->tensor[i], p->tensor[i].offset);
}

/* The room that makes a header, which has `bare` bytes without that key, as long as asked for. */
static uint64_t room_for(uint64_t bare, uint64_t alignment, const struct plan_options *options)
{
    uint64_t wanted = options ? options->head_nbytes : 0;

    if (!wanted)
        return PLAN_ROOM;
    if (round_up(bare, alignment) == wanted || bare + PADDING_KEY > wanted)
        return NO_KEY;
    return wanted - bare - PADDING_KEY;
}

/* A header is gone through twice: what it takes is known before its bytes, which then stay where they are put. Only the first file
 * carries general.alignment, so the others are read with the default. */
static void plan_one(const struct model *m, struct plan *p, unsigned no, uint64_t alignment, const struct plan_options *options)
{
    struct buffer bare = {0}, b;
    struct plan_file *file = &p->file[no];
    uint64_t room, nbytes, ntensors = lay_out(m, p, no, alignment, &nbytes);

    put_header(&bare, m, p, no, ntensors, NO_KEY);
    room = no == 0 ? room_for(bare.n, alignment, options) : NO_KEY;
    b = buffer_of(&p->arena, round_up(bare.n + (room == NO_KEY ? 0 : PADDING_KEY + room), alignment));
    put_header(&b, m, p, no, ntensors, room);
    put_zeros(&b, round_up(b.n, alignment) - b.n);
    for (size_t i = 0; i < m->ntensors; i++)
        if (p->tensor[i].file == no)
            p->tensor[i].offset += b.n;
    file->head = b.bytes;
    file->head_nbytes = b.n;
    file->nbytes = b.n + nbytes;
    p->nbytes += file->nbytes;
}

static void name_files(struct plan *p, const char *out)
{
    size_t stem = strlen(out) - (ends_with(out, ".gguf") ? strlen(".gguf") : 0);

    for (unsigned no = 0; no < p->nfiles; no++)
        p->file[no].path = p->nfiles == 1 ? p->out
                           : shard_path(&p->arena, out, stem, no + 1, (unsigned)p->nfiles, ".gguf");
}

int gguf_plan(const struct model *m, const char *out, const struct plan_options *options, struct plan *p,
                     struct fail *f)
{
    uint64_t alignment = gguf_alignment(&m->meta, f);

    *p = (struct plan){0};
    if (!alignment)
        return -1;
    for (size_t i = 0; i < m->ntensors; i++)
        if (check_tensor(&m->tensor[i], f))
            return -1;
    plan_shards(p, m, out, options, GGUF_ALIGNMENT);
    if (p->nfiles > UINT16_MAX) {
        fail(f, FAIL_INPUT, "the model would be split into %zu files; GGUF can count %d", p->nfiles, UINT16_MAX);
        plan_release(p);
        return fail_hint(f, "choose a larger split size");
    }
    name_files(p, out);
    for (unsigned no = 0; no < p->nfiles; no++)
        plan_one(m, p, no, no == 0 ? alignment : GGUF_ALIGNMENT, options);
    return 0;
}
