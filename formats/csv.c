/* csv.c - see csv.h. */
#include "formats/csv.h"

int csv_open(struct csv *c, const char *text, size_t n, struct arena *a, struct fail *f)
{
    c->arena = a;
    if (lines_open(&c->rest, text, n, f) != 0)
        return -1;
    c->out = arena_raw(a, n + 1);
    return 0;
}

static bool at_line_end(const struct lines *l)
{
    return !l->left || *l->at == '\n' || *l->at == '\r';
}

/* A line ends with LF, CR LF or CR alone. */
static char take(struct lines *l)
{
    char c = *l->at++;

    l->left--;
    l->no += c == '\n' || (c == '\r' && !(l->left && *l->at == '\n'));
    return c;
}

/* From behind the opening quote to behind the closing one. */
static int read_quoted(struct csv *c, struct fail *f)
{
    struct lines *l = &c->rest;
    size_t opened = l->no + 1;

    while (l->left) {
        char next = take(l);

        if (next != '"' || (l->left && *l->at == '"' && take(l)))
            *c->out++ = next;
        else if (at_line_end(l) || *l->at == ',')
            return 0;
        else {
            fail(f, FAIL_INPUT, "line %zu: text behind the quote that closes a field", l->no + 1);
            return fail_hint(f, "a quote inside a quoted field is written twice");
        }
    }
    return fail(f, FAIL_INPUT, "line %zu: a quote is opened here and never closed", opened);
}

static const char *read_field(struct csv *c, struct fail *f)
{
    const char *start = c->out;
    struct lines *l = &c->rest;

    if (l->left && *l->at == '"') {
        take(l);
        if (read_quoted(c, f) != 0)
            return NULL;
    }
    while (!at_line_end(l) && *l->at != ',')
        *c->out++ = take(l);
    *c->out++ = '\0';
    return start;
}

static void skip_line_end(struct lines *l)
{
    if (l->left && take(l) == '\r' && l->left && *l->at == '\n')
        take(l);
}

int csv_next(struct csv *c, struct csv_row *row, struct fail *f)
{
    struct lines *l = &c->rest;
    size_t cap = 0;

    *row = (struct csv_row){0};
    while (l->left && at_line_end(l))
        skip_line_end(l);
    if (!l->left)
        return 0;
    for (row->line = l->no + 1;; take(l)) {
        row->field = arena_grow(c->arena, row->field, &cap, row->n + 1, sizeof *row->field);
        if (!(row->field[row->n++] = read_field(c, f)))
            return -1;
        if (at_line_end(l))
            break;
    }
    skip_line_end(l);
    return 1;
}
