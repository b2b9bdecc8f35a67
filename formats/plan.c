/* plan.c - see plan.h. */
#include "formats/plan.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void plan_release(struct plan *p)
{
    arena_release(&p->arena);
    *p = (struct plan){0};
}

struct buffer buffer_of(struct arena *a, size_t n)
{
    return (struct buffer){ .arena = a, .bytes = arena_raw(a, n), .cap = n };
}

char *buffer_more(struct buffer *b, size_t n)
{
    if (b->arena)
        b->bytes = arena_grow(b->arena, b->bytes, &b->cap, b->n + n, 1);
    b->n += n;
    return b->arena ? b->bytes + b->n - n : NULL;
}

void put(struct buffer *b, const void *bytes, size_t n)
{
    char *to = buffer_more(b, n);

    if (to && n)
        memcpy(to, bytes, n);
}

void put_zeros(struct buffer *b, size_t n)
{
    char *to = buffer_more(b, n);

    if (to)
        memset(to, 0, n);
}

void put_u32(struct buffer *b, uint32_t u)
{
    put(b, &u, sizeof u);
}

void put_u64(struct buffer *b, uint64_t u)
{
    put(b, &u, sizeof u);
}

void put_text(struct buffer *b, const char *s)
{
    put(b, s, strlen(s));
}

void put_format(struct buffer *b, const char *format, ...)
{
    char text[256];
    va_list ap;
    int n;

    va_start(ap, format);
    n = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    assert(n >= 0 && n < (int)sizeof text);
    put(b, text, (size_t)n);
}

void put_json_string(struct buffer *b, const char *s, size_t n)
{
    put_text(b, "\"");
    for (size_t i = 0; i < n; i++)
        if (s[i] == '"' || s[i] == '\\')
            put_format(b, "\\%c", s[i]);
        else if ((unsigned char)s[i] < 0x20)
            put_format(b, "\\u%04x", (unsigned)s[i]);
        else
            put(b, s + i, 1);
    put_text(b, "\"");
}

static size_t assign_files(struct plan *p, const struct model *m, uint64_t limit, uint64_t alignment)
{
    uint64_t nbytes = 0;
    unsigned file = 0;

    for (size_t i = 0; i < m->ntensors; i++) {
        uint64_t more = round_up(tensor_bytes(&m->tensor[i]), alignment);

        if (limit && nbytes && nbytes + more > limit) {
            file++;
            nbytes = 0;
        }
        nbytes += more;
        p->tensor[i].file = file;
    }
    return file + 1;
}

/* The files of the source, less those that nothing comes from any more. */
static size_t keep_files(struct plan *p, const struct model *m)
{
    unsigned *number = arena_array(&p->arena, unsigned, m->nfiles + 1), n = 0;

    for (size_t i = 0; i < m->ntensors; i++)
        number[m->tensor[i].file] = 1;
    for (size_t k = 0; k < m->nfiles; k++)
        number[k] = number[k] ? n++ : 0;
    for (size_t i = 0; i < m->ntensors; i++)
        p->tensor[i].file = number[m->tensor[i].file];
    return n ? n : 1;
}

void plan_shards(struct plan *p, const struct model *m, const char *out, const struct plan_options *options,
                 uint64_t alignment)
{
    *p = (struct plan){0};
    p->out = arena_strdup(&p->arena, out);
    p->tensor = arena_array(&p->arena, struct plan_tensor, m->ntensors);
    p->nfiles = options && options->keep_files ? keep_files(p, m)
                : assign_files(p, m, options ? options->split_nbytes : 0, alignment);
    p->file = arena_array(&p->arena, struct plan_file, p->nfiles);
}
