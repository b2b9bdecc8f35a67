/* health_template.c - is a chat template sound Jinja? Blocks that are opened are closed, in order; tags end; braces match;
 * statements are ones that transformers' renderer and llama.cpp's know. Expressions are not evaluated. */
#include "verify/health.h"

#include <ctype.h>
#include <string.h>

enum { MOST_NESTED = 64, WORD = 24 };

/* Statements; `closes` is the block that one ends, `within` the blocks that it may divide. */
static const struct statement {
    const char *name, *closes, *within[2];
    bool opens;
} statements[] = {
    { "if", NULL, { NULL }, true }, { "elif", NULL, { "if", NULL }, false }, { "else", NULL, { "if", "for" }, false },
    { "endif", "if", { NULL }, false }, { "for", NULL, { NULL }, true }, { "endfor", "for", { NULL }, false },
    { "set", NULL, { NULL }, false }, { "endset", "set", { NULL }, false }, { "macro", NULL, { NULL }, true },
    { "endmacro", "macro", { NULL }, false }, { "call", NULL, { NULL }, true }, { "endcall", "call", { NULL }, false },
    { "filter", NULL, { NULL }, true }, { "endfilter", "filter", { NULL }, false }, { "generation", NULL, { NULL }, true },
    { "endgeneration", "generation", { NULL }, false }, { "break", NULL, { NULL }, false }, { "continue", NULL, { NULL }, false },
};

struct scan {
    const char *start, *at;
    const char *open[MOST_NESTED];      /* names of open blocks */
    size_t line[MOST_NESTED];
    int depth;
    struct arena *a;
};

static size_t line_of(const struct scan *s)
{
    size_t n = 1;

    for (const char *p = s->start; p < s->at; p++)
        n += *p == '\n';
    return n;
}

static const char *said(struct scan *s, const char *what, const char *word)
{
    return arena_printf(s->a, "line %zu: %s%s%s", line_of(s), what, word ? " " : "", word ? word : "");
}

/* Past the quoted string at s->at; false: it does not end. */
static bool skip_string(struct scan *s)
{
    char quote = *s->at++;

    while (*s->at && *s->at != quote)
        s->at += *s->at == '\\' && s->at[1] ? 2 : 1;
    if (!*s->at)
        return false;
    s->at++;
    return true;
}

/* The inside of a tag up to its end, e.g. "%}"; a closing brace inside open ones is not the end. NULL and *fault: it is not sound. */
static const char *tag_end(struct scan *s, const char *end, const char **fault)
{
    char stack[MOST_NESTED];
    int depth = 0;

    while (*s->at) {
        char c = *s->at;

        if (depth == 0 && strncmp(s->at, end, 2) == 0)
            return s->at;
        if (c == '"' || c == '\'') {
            if (!skip_string(s)) {
                *fault = said(s, "a quotation mark is not closed", NULL);
                return NULL;
            }
            continue;
        }
        if (strchr("([{", c)) {
            if (depth == MOST_NESTED) {
                *fault = said(s, "brackets nest too deep", NULL);
                return NULL;
            }
            stack[depth++] = c == '(' ? ')' : c == '[' ? ']' : '}';
        } else if (strchr(")]}", c)) {
            if (depth == 0 || stack[depth - 1] != c) {
                *fault = said(s, "a bracket is closed that is not open:", arena_copy(s->a, &c, 1));
                return NULL;
            }
            depth--;
        }
        s->at++;
    }
    *fault = said(s, depth ? "a bracket is not closed before" : "a tag is not closed by", end);
    return NULL;
}

static const struct statement *statement_named(const char *word)
{
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        if (strcmp(statements[i].name, word) == 0)
            return &statements[i];
    return NULL;
}

static const char *open_block(struct scan *s, const char *name)
{
    if (s->depth == MOST_NESTED)
        return said(s, "blocks nest too deep", NULL);
    s->open[s->depth] = name;
    s->line[s->depth++] = line_of(s);
    return NULL;
}

/* Is there an assignment outside brackets and strings? 'set x = 1' is one statement, 'set x' opens a block. */
static bool assigns(const char *from, const char *to)
{
    int depth = 0;

    for (; from < to; from++) {
        if (*from == '"' || *from == '\'') {
            char quote = *from++;

            while (from < to && *from != quote)
                from += *from == '\\' ? 2 : 1;
            continue;
        }
        depth += strchr("([{", *from) != NULL;
        depth -= strchr(")]}", *from) != NULL;
        if (depth == 0 && *from == '=' && from[1] != '=' && !strchr("=!<>", from[-1]))
            return true;
    }
    return false;
}

static const char *do_statement(struct scan *s, const char *from, const char *to)
{
    const struct statement *st;
    char word[WORD] = "";
    size_t n = 0;

    while (from < to && (isspace((unsigned char)*from) || *from == '-' || *from == '+'))
        from++;
    while (from + n < to && isalpha((unsigned char)from[n]) && n < WORD - 1) {
        word[n] = from[n];
        n++;
    }
    if (!(st = statement_named(word)))
        return said(s, "unknown statement", arena_printf(s->a, "'%s'", word));
    if (st->opens || (strcmp(word, "set") == 0 && !assigns(from + n, to)))
        return open_block(s, st->name);
    if (st->closes) {
        if (s->depth == 0 || strcmp(s->open[s->depth - 1], st->closes) != 0)
            return said(s, s->depth ? arena_printf(s->a, "'%s' where '%s' of line %zu is open", word, s->open[s->depth - 1], s->line[s->depth - 1])
                                    : arena_printf(s->a, "'%s' without '%s'", word, st->closes), NULL);
        s->depth--;
        return NULL;
    }
    for (int i = 0; i < 2 && st->within[i]; i++)
        if (s->depth && strcmp(s->open[s->depth - 1], st->within[i]) == 0)
            return NULL;
    return st->within[0] ? said(s, arena_printf(s->a, "'%s' outside of a block that it divides", word), NULL) : NULL;
}

/* {% raw %} ... {% endraw %}: what is between is text. */
static const char *skip_raw(struct scan *s)
{
    const char *end = strstr(s->at, "endraw");

    if (!end)
        return said(s, "'raw' is not closed by 'endraw'", NULL);
    s->at = strstr(end, "%}") ? strstr(end, "%}") + 2 : end + strlen(end);
    return NULL;
}

static bool is_raw(const char *from, const char *to)
{
    while (from < to && (isspace((unsigned char)*from) || *from == '-'))
        from++;
    return to - from >= 3 && strncmp(from, "raw", 3) == 0;
}

static const char *do_tag(struct scan *s)
{
    const char *fault = NULL, *from, *to;
    char kind = s->at[1];

    s->at += 2;
    from = s->at;
    if (kind == '#') {
        const char *end = strstr(s->at, "#}");

        if (!end)
            return said(s, "a comment is not closed by #}", NULL);
        s->at = end + 2;
        return NULL;
    }
    if (!(to = tag_end(s, kind == '%' ? "%}" : "}}", &fault)))
        return fault;
    if (kind == '%' && !is_raw(from, to))
        fault = do_statement(s, from, to);
    s->at = to + 2;
    if (kind == '%' && is_raw(from, to))
        fault = skip_raw(s);
    return fault;
}

const char *template_fault(const char *text, struct arena *a)
{
    struct scan s = { .start = text, .at = text, .a = a };

    while (*s.at) {
        const char *fault = NULL;

        if (*s.at == '{' && (s.at[1] == '%' || s.at[1] == '{' || s.at[1] == '#'))
            fault = do_tag(&s);
        else
            s.at++;
        if (fault)
            return fault;
    }
    if (s.depth)
        return arena_printf(a, "'%s' of line %zu is not closed", s.open[s.depth - 1], s.line[s.depth - 1]);
    return NULL;
}
