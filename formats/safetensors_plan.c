/* safetensors_plan.c - safetensors out: headers, offsets, and the index of shards. The rules are told in safetensors.c. */
#include "formats/plan.h"
#include "formats/safetensors.h"
#include "formats/text.h"

#include <inttypes.h>
#include <string.h>

static int check_text(const char *kind, const char *name, const char *s, uint64_t n, struct fail *f)
{
    if (!utf8_valid(s, n) || memchr(s, 0, n))
        return fail(f, FAIL_INPUT, "%s '%s' is no UTF-8 text, which safetensors asks for", kind, name);
    return 0;
}

static int check_tensor(const struct tensor *t, struct fail *f)
{
    if (!t->type->safetensors) {
        fail(f, FAIL_INPUT, "tensor '%s' is of type %s, which safetensors cannot hold", t->name, t->type->label);
        return fail_hint(f, "choose a plain type, such as --type BF16");
    }
    if (strcmp(t->name, SAFETENSORS_METADATA) == 0)
        return fail(f, FAIL_INPUT, "a tensor cannot be named '%s' in safetensors", t->name);
    return check_text("tensor", t->name, t->name, strlen(t->name), f) || tensor_check(t, f) ? -1 : 0;
}

/* Values other than text have no place in a safetensors header. "format" is ours to say. */
static bool is_carried(const struct meta_entry *e)
{
    return e->value.type == META_STRING && strcmp(e->key, "format") != 0;
}

static int check_model(const struct model *m, struct fail *f)
{
    for (size_t i = 0; i < m->ntensors; i++)
        if (check_tensor(&m->tensor[i], f))
            return -1;
    for (size_t i = 0; i < m->meta.n; i++) {
        const struct meta_entry *e = &m->meta.entry[i];

        if (is_carried(e) && (check_text("key", e->key, e->key, strlen(e->key), f)
                              || check_text("the value of key", e->key, e->value.s.s, e->value.s.n, f)))
            return -1;
    }
    return 0;
}

/* "format": "pt" is what transformers asks for before it loads a file. */
static void put_metadata(struct buffer *b, const struct meta *meta)
{
    put_text(b, "{\"__metadata__\":{\"format\":\"pt\"");
    for (size_t i = 0; i < meta->n; i++)
        if (is_carried(&meta->entry[i])) {
            put_text(b, ",");
            put_json_string(b, meta->entry[i].key, strlen(meta->entry[i].key));
            put_text(b, ":");
            put_json_string(b, meta->entry[i].value.s.s, meta->entry[i].value.s.n);
        }
    put_text(b, "}");
}

static void put_tensor(struct buffer *b, const struct tensor *t, uint64_t begin)
{
    put_text(b, ",");
    put_json_string(b, t->name, strlen(t->name));
    put_format(b, ":{\"dtype\":\"%s\",\"shape\":[", t->type->safetensors);
    for (int i = 0; i < t->rank; i++)
        put_format(b, "%s%" PRIu64, i ? "," : "", t->shape[i]);
    put_format(b, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", begin, begin + tensor_bytes(t));
}

/* Widest elements first, as the reference serializer does: without padding, every tensor is then aligned. Among equals
 * the model's order stays, so that what is read in order is written in order. Returns the bytes of data. */
static uint64_t put_tensors(struct buffer *b, const struct model *m, struct plan *p, unsigned no)
{
    uint64_t at = 0;

    for (int width = 8; width; width /= 2)
        for (size_t i = 0; i < m->ntensors; i++)
            if (p->tensor[i].file == no && m->tensor[i].type->nbytes == width) {
                put_tensor(b, &m->tensor[i], at);
                p->tensor[i].offset = at;
                at += tensor_bytes(&m->tensor[i]);
            }
    return at;
}

/* Blanks at a header's end are the format's own way to leave room. */
static void put_room(struct buffer *b, unsigned no, const struct plan_options *options)
{
    uint64_t wanted = options && options->head_nbytes ? options->head_nbytes : no == 0 ? b->n + PLAN_ROOM : b->n;

    while (b->n < wanted || b->n % 8)
        put_text(b, " ");
}

static int plan_one(const struct model *m, struct plan *p, unsigned no, const struct plan_options *options, struct fail *f)
{
    struct buffer b = { .arena = &p->arena };
    uint64_t ndata, n;

    put_u64(&b, 0);
    put_metadata(&b, &m->meta);
    ndata = put_tensors(&b, m, p, no);
    put_text(&b, "}");
    put_room(&b, no, options);
    n = b.n - 8;
    if (n > SAFETENSORS_MAX_HEADER)
        return fail(f, FAIL_INPUT, "the model needs a header of %" PRIu64 " bytes; safetensors allows %" PRIu64, n, SAFETENSORS_MAX_HEADER);
    memcpy(b.bytes, &n, sizeof n);
    for (size_t i = 0; i < m->ntensors; i++)
        if (p->tensor[i].file == no)
            p->tensor[i].offset += b.n;
    p->file[no] = (struct plan_file){ p->file[no].path, b.bytes, b.n, b.n + ndata };
    p->nbytes += b.n + ndata;
    return 0;
}

/* The index is a file whose head is all of it. */
static void plan_index(const struct model *m, struct plan *p, const char *path)
{
    struct buffer b = { .arena = &p->arena };
    uint64_t total = 0;

    for (size_t i = 0; i < m->ntensors; i++)
        total += tensor_bytes(&m->tensor[i]);
    put_format(&b, "{\n  \"metadata\": {\n    \"total_size\": %" PRIu64 "\n  },\n  \"weight_map\": {", total);
    for (size_t i = 0; i < m->ntensors; i++) {
        const char *file = path_base(p->file[p->tensor[i].file].path);

        put_text(&b, i ? ",\n    " : "\n    ");
        put_json_string(&b, m->tensor[i].name, strlen(m->tensor[i].name));
        put_text(&b, ": ");
        put_json_string(&b, file, strlen(file));
    }
    put_text(&b, "\n  }\n}\n");
    p->file = memcpy(arena_array(&p->arena, struct plan_file, p->nfiles + 1), p->file, p->nfiles * sizeof *p->file);
    p->file[p->nfiles++] = (struct plan_file){ path, b.bytes, b.n, b.n };
    p->nbytes += b.n;
}

/* OUT is a file NAME.safetensors, or else a directory, whose file is model.safetensors. The shards of either are named
 * after it: model-00001-of-00002.safetensors, model.safetensors.index.json. Returns the index's path. */
static const char *name_files(struct plan *p, const char *out)
{
    static const char suffix[] = ".safetensors";
    const char *whole = p->out;

    p->out_is_dir = !ends_with(out, suffix);
    if (p->out_is_dir)
        whole = path_join(&p->arena, out, "model.safetensors");
    for (unsigned no = 0; no < p->nfiles; no++)
        p->file[no].path = p->nfiles == 1 ? whole
                           : shard_path(&p->arena, whole, strlen(whole) - strlen(suffix), no + 1, (unsigned)p->nfiles, suffix);
    return arena_printf(&p->arena, "%s.index.json", whole);
}

int safetensors_plan(const struct model *m, const char *out, const struct plan_options *options, struct plan *p,
                     struct fail *f)
{
    const char *index;

    *p = (struct plan){0};
    if (check_model(m, f))
        return -1;
    plan_shards(p, m, out, options, 1);
    index = name_files(p, out);
    for (unsigned no = 0; no < p->nfiles; no++)
        if (plan_one(m, p, no, options, f)) {
            plan_release(p);
            return -1;
        }
    if (p->nfiles > 1)
        plan_index(m, p, index);
    return 0;
}
