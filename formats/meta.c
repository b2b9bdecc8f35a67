/* meta.c - see meta.h. */
#include "formats/meta.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static const struct {
    const char *name;
    uint8_t nbytes;
    char kind;          /* u, i, f, b: how the union holds it; 0: string and array */
} types[META_TYPES] = {
    [META_UINT8] = { "uint8", 1, 'u' },     [META_INT8] = { "int8", 1, 'i' },
    [META_UINT16] = { "uint16", 2, 'u' },   [META_INT16] = { "int16", 2, 'i' },
    [META_UINT32] = { "uint32", 4, 'u' },   [META_INT32] = { "int32", 4, 'i' },
    [META_FLOAT32] = { "float32", 4, 'f' }, [META_BOOL] = { "bool", 1, 'b' },
    [META_STRING] = { "string", 0, 0 },     [META_ARRAY] = { "array", 0, 0 },
    [META_UINT64] = { "uint64", 8, 'u' },   [META_INT64] = { "int64", 8, 'i' },
    [META_FLOAT64] = { "float64", 8, 'f' },
};

size_t meta_type_bytes(enum meta_type t)
{
    return types[t].nbytes;
}

const char *meta_type_name(enum meta_type t)
{
    return types[t].name;
}

struct meta_value meta_scalar(enum meta_type t, const void *bytes)
{
    struct meta_value v = { .type = t };
    uint64_t u = 0;
    unsigned unused = 64 - 8u * types[t].nbytes;

    assert(types[t].nbytes);
    memcpy(&u, bytes, types[t].nbytes);
    if (types[t].kind == 'i') {
        v.i = (int64_t)(u << unused) >> unused;
    } else if (t == META_FLOAT32) {
        float f;

        memcpy(&f, bytes, sizeof f);
        v.f = (double)f;
    } else if (t == META_FLOAT64) {
        memcpy(&v.f, bytes, sizeof v.f);
    } else {
        v.u = t == META_BOOL ? u != 0 : u;
    }
    return v;
}

static struct meta_entry *find(const struct meta *m, const char *key)
{
    for (size_t i = 0; i < m->n; i++)
        if (strcmp(m->entry[i].key, key) == 0)
            return &m->entry[i];
    return NULL;
}

const struct meta_value *meta_get(const struct meta *m, const char *key)
{
    const struct meta_entry *e = find(m, key);

    return e ? &e->value : NULL;
}

uint64_t meta_u64(const struct meta *m, const char *key, uint64_t fallback)
{
    const struct meta_value *v = meta_get(m, key);

    if (!v)
        return fallback;
    switch (types[v->type].kind) {
    case 'u':
        return v->u;
    case 'i':
        return v->i < 0 ? fallback : (uint64_t)v->i;
    case 'f':
        return v->f >= 0 && v->f < 0x1p64 && v->f == floor(v->f) ? (uint64_t)v->f : fallback;
    default:
        return fallback;
    }
}

static double number(const struct meta_value *v)
{
    char kind = types[v->type].kind;

    return kind == 'u' ? (double)v->u : kind == 'i' ? (double)v->i : v->f;
}

static bool is_number(const struct meta_value *v)
{
    return v && types[v->type].kind && types[v->type].kind != 'b';
}

double meta_f64(const struct meta *m, const char *key, double fallback)
{
    const struct meta_value *v = meta_get(m, key);

    return is_number(v) ? number(v) : fallback;
}

bool meta_bool(const struct meta *m, const char *key, bool fallback)
{
    const struct meta_value *v = meta_get(m, key);

    return v && v->type == META_BOOL ? v->u != 0 : fallback;
}

const char *meta_str(const struct meta *m, const char *key, const char *fallback)
{
    const struct meta_value *v = meta_get(m, key);

    return v && v->type == META_STRING ? v->s.s : fallback;
}

static struct meta_value item(const struct meta_array *a, uint64_t i)
{
    assert(types[a->type].nbytes && i < a->n);
    return meta_scalar(a->type, (const uint8_t *)a->items + i * types[a->type].nbytes);
}

double meta_array_f64(const struct meta_array *a, uint64_t i)
{
    struct meta_value v = item(a, i);

    return v.type == META_BOOL ? (double)v.u : number(&v);
}

int64_t meta_array_i64(const struct meta_array *a, uint64_t i)
{
    struct meta_value v = item(a, i);

    if (types[v.type].kind != 'f')
        return types[v.type].kind == 'i' ? v.i : (int64_t)v.u;
    return v.f >= -9223372036854775808.0 && v.f < 9223372036854775808.0 ? (int64_t)v.f : 0;
}

void meta_append(struct meta *m, struct arena *a, const char *key, struct meta_value value)
{
    m->entry = arena_grow(a, m->entry, &m->cap, m->n + 1, sizeof *m->entry);
    m->entry[m->n++] = (struct meta_entry){ key, value };
}

void meta_set(struct meta *m, struct arena *a, const char *key, struct meta_value value)
{
    struct meta_entry *e = find(m, key);

    if (value.type == META_STRING)
        value.s.s = arena_copy(a, value.s.s, value.s.n);
    if (e)
        e->value = value;
    else
        meta_append(m, a, arena_strdup(a, key), value);
}

void meta_set_u32(struct meta *m, struct arena *a, const char *key, uint32_t u)
{
    meta_set(m, a, key, (struct meta_value){ .type = META_UINT32, .u = u });
}

void meta_set_i32(struct meta *m, struct arena *a, const char *key, int32_t i)
{
    meta_set(m, a, key, (struct meta_value){ .type = META_INT32, .i = i });
}

void meta_set_f32(struct meta *m, struct arena *a, const char *key, float f)
{
    meta_set(m, a, key, (struct meta_value){ .type = META_FLOAT32, .f = (double)f });
}

void meta_set_bool(struct meta *m, struct arena *a, const char *key, bool b)
{
    meta_set(m, a, key, (struct meta_value){ .type = META_BOOL, .u = b });
}

void meta_set_str(struct meta *m, struct arena *a, const char *key, const char *s)
{
    meta_set(m, a, key, (struct meta_value){ .type = META_STRING, .s = { s, strlen(s) } });
}

void meta_set_array(struct meta *m, struct arena *a, const char *key, enum meta_type type, uint64_t n, const void *items)
{
    meta_set(m, a, key, (struct meta_value){ .type = META_ARRAY, .a = { type, n, items } });
}

void meta_remove(struct meta *m, const char *key)
{
    struct meta_entry *e = find(m, key);

    if (!e)
        return;
    memmove(e, e + 1, (size_t)(m->entry + m->n - (e + 1)) * sizeof *e);
    m->n--;
}

void meta_copy(struct meta *to, struct arena *a, const struct meta *from)
{
    bool empty = to->n == 0;

    for (size_t i = 0; i < from->n; i++) {
        struct meta_entry *e = empty ? NULL : find(to, from->entry[i].key);

        if (e)
            e->value = from->entry[i].value;
        else
            meta_append(to, a, from->entry[i].key, from->entry[i].value);
    }
}
