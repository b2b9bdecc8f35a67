/* meta_word.c - see meta_word.h. */
#include "tools/meta_word.h"

#include "formats/file.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct scalar_name {
    const char *name;
    enum meta_type type;
    double least, most;
} scalar_names[] = {
    { "u8", META_UINT8, 0, UINT8_MAX }, { "i8", META_INT8, INT8_MIN, INT8_MAX },
    { "u16", META_UINT16, 0, UINT16_MAX }, { "i16", META_INT16, INT16_MIN, INT16_MAX },
    { "u32", META_UINT32, 0, UINT32_MAX }, { "i32", META_INT32, INT32_MIN, INT32_MAX },
    { "u64", META_UINT64, 0, 0x1p64 }, { "i64", META_INT64, -0x1p63, 0x1p63 },
    { "f32", META_FLOAT32, -3.4028235e38, 3.4028235e38 }, { "f64", META_FLOAT64, -HUGE_VAL, HUGE_VAL },
    { "bool", META_BOOL, 0, 1 }, { "str", META_STRING, 0, 0 },
};

static int parse_bool(const char *text, uint64_t *out)
{
    *out = strcmp(text, "true") == 0;
    return *out || strcmp(text, "false") == 0 ? 0 : -1;
}

/* The text as a value of that type; -1 when it is none, or does not fit. */
static int parse_value(const char *text, const struct scalar_name *s, struct meta_value *v)
{
    char *end = NULL;
    double number = strtod(text, &end);
    bool fits = *text && !*end && number >= s->least && number <= s->most;

    v->type = s->type;
    errno = 0;
    switch (s->type) {
    case META_STRING:
        v->s = (struct meta_string){ text, strlen(text) };
        return 0;
    case META_BOOL:
        return parse_bool(text, &v->u);
    case META_FLOAT32: case META_FLOAT64:
        v->f = s->type == META_FLOAT32 ? (double)(float)number : number;
        return fits ? 0 : -1;
    case META_INT8: case META_INT16: case META_INT32: case META_INT64:
        v->i = strtoll(text, &end, 0);
        return fits && !*end && !errno ? 0 : -1;
    default:
        v->u = strtoull(text, &end, 0);
        return fits && !*end && !errno ? 0 : -1;
    }
}

enum { MOST_TEXT = 16 << 20 };

static int set_value(struct meta *m, struct arena *a, const char *key, const struct scalar_name *s, const char *text, struct fail *f)
{
    struct meta_value value;

    if (parse_value(text, s, &value))
        return fail(f, FAIL_USAGE, "key '%s': '%s' is no %s", key, text, s->name);
    meta_set(m, a, key, value);
    return 0;
}

static int set_file(struct meta *m, struct arena *a, const char *key, const char *path, struct fail *f)
{
    char *text = file_read_text(path, MOST_TEXT, a, NULL, f);

    if (text)
        meta_set_str(m, a, key, text);
    return text ? 0 : -1;
}

int meta_word_set(struct meta *m, struct arena *a, const char *word, struct fail *f)
{
    const char *equals = strchr(word, '='), *colon = equals ? strchr(equals, ':') : NULL, *key, *type;

    if (!colon || equals == word)
        return fail(f, FAIL_USAGE, "'%s' is not of the form KEY=TYPE:VALUE", word), fail_hint(f, "for example general.name=str:My model");
    key = arena_copy(a, word, (size_t)(equals - word));
    type = arena_copy(a, equals + 1, (size_t)(colon - equals) - 1);
    if (strcmp(type, "file") == 0)
        return set_file(m, a, key, colon + 1, f);
    for (size_t i = 0; i < sizeof scalar_names / sizeof *scalar_names; i++)
        if (strcmp(scalar_names[i].name, type) == 0)
            return set_value(m, a, key, &scalar_names[i], colon + 1, f);
    return fail(f, FAIL_USAGE, "key '%s': there is no type '%s'", key, type), fail_hint(f, "str, file, bool, u8 .. u64, i8 .. i64, f32 or f64");
}
