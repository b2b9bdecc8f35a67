/* regex.c - the regexes of tokenizer.json, which are Oniguruma's (Ruby syntax), run by PCRE2 with its JIT. See rules.h.
 *
 * What differs is respelled: \s and \w by Unicode's own definition, \h, \uHHHH, "{,n}", "X{n,m}+" (repeated, not
 * possessive), (?m) that lets the dot match newlines, and character classes that nest or intersect. */
#include "tokenizer/rules.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PATTERN = 1 << 15, MAX_NESTED_CLASSES = 16, JIT_STACK = 4 << 20, MAX_MATCH_STEPS = 10000000 };

/* ---- buffer (also used by steps.c) ---- */

void buffer_put(struct buffer *b, const void *bytes, size_t n)
{
    if (n > b->cap - b->n) {
        b->cap = 2 * b->cap + n + 64;
        b->s = heap_grow(b->s, b->cap, 1);
    }
    if (n)
        memcpy(b->s + b->n, bytes, n);
    b->n += n;
}

void buffer_release(struct buffer *b)
{
    free(b->s);
    *b = (struct buffer){0};
}

static void put(struct buffer *b, const char *s)
{
    buffer_put(b, s, strlen(s));
}

/* ---- respelling ---- */

struct translation {
    const char *at;
    struct buffer out;
    const char *problem;
    int depth;
};

/* White_Space: PCRE2's \s has U+180E besides. */
#define SPACE_SET "\\t-\\r\\x85\\p{Z}"
/* Letters, marks, digits, connectors, and the enclosed letters, which are symbols that count as alphabetic. */
#define WORD_SET "\\p{L}\\p{M}\\p{Nl}\\p{Nd}\\p{Pc}\\x{24b6}-\\x{24e9}\\x{1f130}-\\x{1f149}\\x{1f150}-\\x{1f169}\\x{1f170}-\\x{1f189}"

#define EDGE "(?<=[" WORD_SET "])(?![" WORD_SET "])|(?<![" WORD_SET "])(?=[" WORD_SET "])"

/* What an escape stands for; `set` goes inside brackets. "not" has no spelling inside a class that holds more. */
static const struct {
    char c;
    const char *set;
    bool inverted;
} escapes[] = {
    { 's', SPACE_SET, false }, { 'S', SPACE_SET, true }, { 'w', WORD_SET, false }, { 'W', WORD_SET, true },
    { 'd', "\\p{Nd}", false }, { 'D', "\\p{Nd}", true }, { 'h', "0-9a-fA-F", false }, { 'H', "0-9a-fA-F", true },
};

/* At a backslash. */
static void translate_escape(struct translation *t, bool in_class)
{
    char c = t->at[1];

    for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++) {
        if (escapes[i].c != c || (in_class && escapes[i].inverted && c != 'H'))
            continue;
        if (in_class && escapes[i].inverted)
            t->problem = "a class with \\H";
        put(&t->out, in_class ? "" : escapes[i].inverted ? "[^" : "[");
        put(&t->out, escapes[i].set);
        put(&t->out, in_class ? "" : "]");
        t->at += 2;
        return;
    }
    if (c == 0) {
        t->problem = "a backslash at the end";
        return;
    }
    if ((c == 'b' || c == 'B') && !in_class) {
        put(&t->out, c == 'b' ? "(?:" EDGE ")" : "(?!" EDGE ")");
        t->at += 2;
        return;
    }
    if (c == 'u' && strspn(t->at + 2, "0123456789abcdefABCDEF") >= 4) {
        put(&t->out, "\\x{");
        buffer_put(&t->out, t->at + 2, 4);
        put(&t->out, "}");
        t->at += 6;
        return;
    }
    buffer_put(&t->out, t->at, 2);
    t->at += 2;
    if ((c == 'p' || c == 'P' || c == 'x') && *t->at == '{') {
        const char *end = strchr(t->at, '}');

        if (!end) {
            t->problem = "a brace without an end";
            return;
        }
        buffer_put(&t->out, t->at, (size_t)(end + 1 - t->at));
        t->at = end + 1;
    }
}

static void translate_class_items(struct translation *t);

/* A class inside a class: its items join the outer one, which only a class that is not negated can. */
static void translate_nested(struct translation *t)
{
    const char *posix;

    if (t->at[1] == ':' && (posix = strstr(t->at, ":]"))) {
        buffer_put(&t->out, t->at, (size_t)(posix + 2 - t->at));
        t->at = posix + 2;
        return;
    }
    if (t->at[1] == '^' || ++t->depth > MAX_NESTED_CLASSES) {
        t->problem = "a negated class inside a class";
        return;
    }
    t->at++;
    translate_class_items(t);
    t->depth--;
    if (*t->at == ']')
        t->at++;
}

/* Up to the closing bracket or "&&", which stay. */
static void translate_class_items(struct translation *t)
{
    bool first = true;

    for (; *t->at && !t->problem && (*t->at != ']' || first); first = false) {
        if (t->at[0] == '&' && t->at[1] == '&')
            return;
        if (*t->at == '\\')
            translate_escape(t, true);
        else if (*t->at == '[')
            translate_nested(t);
        else
            buffer_put(&t->out, t->at++, 1);
    }
    if (!*t->at && !t->problem)
        t->problem = "a class without an end";
}

/* Behind "&&": one more set that a character must be in, as a lookahead in front of the others. */
static void translate_intersection(struct translation *t, size_t start)
{
    struct buffer left = {0};

    buffer_put(&left, t->out.s + start, t->out.n - start);
    t->out.n = start;
    t->at += 2;
    put(&t->out, "(?:(?=[");
    if (*t->at == '[') {
        t->at++;
        if (*t->at == '^')
            buffer_put(&t->out, t->at++, 1);
        translate_class_items(t);
        if (*t->at == ']')
            t->at++;
    } else {
        translate_class_items(t);
    }
    put(&t->out, "])");
    buffer_put(&t->out, left.s, left.n);
    put(&t->out, "])");
    buffer_release(&left);
    if (*t->at != ']' && !t->problem)
        t->problem = "an intersection of more than two classes";
    else if (!t->problem)
        t->at++;
}

static void translate_class(struct translation *t)
{
    size_t start = t->out.n;
    bool negated = t->at[1] == '^';

    put(&t->out, negated ? "[^" : "[");
    t->at += negated ? 2 : 1;
    translate_class_items(t);
    if (t->problem)
        return;
    if (*t->at == '&' && negated)
        t->problem = "a negated intersection of classes";
    else if (*t->at == '&')
        translate_intersection(t, start);
    else
        buffer_put(&t->out, t->at++, 1);
}

/* "{n,m}" behind an atom that starts at out.s[atom]. A literal brace stays one. */
static void translate_interval(struct translation *t, size_t atom)
{
    size_t n = strspn(t->at + 1, "0123456789,");
    bool interval = n > 0 && t->at[1 + n] == '}' && strcspn(t->at + 1, "0123456789") < n;

    if (!interval) {
        buffer_put(&t->out, t->at++, 1);
        return;
    }
    put(&t->out, t->at[1] == ',' ? "{0" : "{");
    buffer_put(&t->out, t->at + 1, n + 1);
    t->at += n + 2;
    if (*t->at == '+') {
        struct buffer whole = {0};

        buffer_put(&whole, t->out.s + atom, t->out.n - atom);
        t->out.n = atom;
        put(&t->out, "(?:");
        buffer_put(&t->out, whole.s, whole.n);
        put(&t->out, ")");
        buffer_release(&whole);
    }
}

/* "(?" and its flags: Ruby's m is PCRE2's s. */
static void translate_group(struct translation *t)
{
    buffer_put(&t->out, t->at++, 1);
    if (*t->at != '?')
        return;
    buffer_put(&t->out, t->at++, 1);
    for (size_t n = strspn(t->at, "imx-"); n > 0; n--, t->at++)
        put(&t->out, *t->at == 'm' ? "s" : (char[2]){ *t->at, 0 });
}

static void translate(struct translation *t)
{
    size_t atom = 0, open[256], nopen = 0;

    while (*t->at && !t->problem) {
        size_t start = t->out.n;

        switch (*t->at) {
        case '\\':
            translate_escape(t, false);
            break;
        case '[':
            translate_class(t);
            break;
        case '{':
            translate_interval(t, atom);
            continue;
        case '(':
            if (nopen == sizeof open / sizeof *open)
                t->problem = "more than 256 nested groups";
            else
                open[nopen++] = start;
            translate_group(t);
            break;
        case ')':
            start = nopen ? open[--nopen] : start;
            buffer_put(&t->out, t->at++, 1);
            break;
        case '?': case '*': case '+':
            buffer_put(&t->out, t->at++, 1);
            continue;
        default: {
            size_t step = utf8_length(t->at, 4);

            buffer_put(&t->out, t->at, step ? step : 1);
            t->at += step ? step : 1;
        }
        }
        atom = start;
    }
}

char *regex_translate(const char *pattern, struct arena *a, struct fail *f)
{
    struct translation t = { .at = pattern };
    char *s = NULL;

    if (strlen(pattern) > MAX_PATTERN)
        t.problem = "more than 32768 bytes";
    translate(&t);
    if (t.problem)
        fail(f, FAIL_INPUT, "regex '%.300s' has %s, which is not supported", pattern, t.problem);
    else
        s = arena_copy(a, t.out.s ? t.out.s : "", t.out.n);
    buffer_release(&t.out);
    return s;
}

/* ---- running ---- */

struct regex {
    const char *pattern;
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
};

static void close_regex(void *p, size_t n)
{
    struct regex *r = p;

    (void)n;
    pcre2_match_data_free(r->data);
    pcre2_match_context_free(r->context);
    pcre2_jit_stack_free(r->stack);
    pcre2_code_free(r->code);
}

/* ^ and $ look at lines, as they always do in Ruby's syntax. */
static pcre2_code *compile(const char *translated, const char *pattern, struct fail *f)
{
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    pcre2_code *code;
    PCRE2_UCHAR why[200];
    PCRE2_SIZE at;
    int error;

    if (!context)
        arena_exhausted(strlen(translated));
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    code = pcre2_compile((PCRE2_SPTR)translated, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C,
                         &error, &at, context);
    pcre2_compile_context_free(context);
    if (!code) {
        pcre2_get_error_message(error, why, sizeof why);
        fail(f, FAIL_INPUT, "regex '%.300s' cannot be used: %s", pattern, (char *)why);
    }
    return code;
}

struct regex *regex_open(const char *pattern, struct arena *a, struct fail *f)
{
    char *translated = regex_translate(pattern, a, f);
    struct regex *r = arena_new(a, struct regex);

    if (!translated || !(r->code = compile(translated, pattern, f)))
        return NULL;
    r->pattern = arena_strdup(a, pattern);
    r->data = pcre2_match_data_create(1, NULL);
    r->context = pcre2_match_context_create(NULL);
    if (!r->data || !r->context)
        arena_exhausted(sizeof *r);
    pcre2_set_match_limit(r->context, MAX_MATCH_STEPS);
    if (pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE) == 0) {
        r->stack = pcre2_jit_stack_create(64 << 10, JIT_STACK, NULL);
        if (r->stack)
            pcre2_jit_stack_assign(r->context, NULL, r->stack);
    }
    arena_on_reset(a, close_regex, r, 0);
    return r;
}

static int match(struct regex *r, const char *text, size_t n, size_t from, uint32_t options)
{
    return pcre2_match(r->code, (PCRE2_SPTR)text, n, from, PCRE2_NO_UTF_CHECK | options, r->data, r->context);
}

int regex_next(struct regex *r, const char *text, size_t n, size_t from, size_t *start, size_t *end, struct fail *f)
{
    int found = match(r, text, n, from, 0);
    PCRE2_SIZE *at = pcre2_get_ovector_pointer(r->data);

    if (found == PCRE2_ERROR_JIT_STACKLIMIT)        /* the interpreter keeps its states on the heap */
        found = match(r, text, n, from, PCRE2_NO_JIT);
    if (found == PCRE2_ERROR_NOMATCH)
        return 0;
    if (found < 0) {
        PCRE2_UCHAR why[200];

        pcre2_get_error_message(found, why, sizeof why);
        return fail(f, FAIL_INPUT, "regex '%.300s' gave up on the text: %s", r->pattern, (char *)why);
    }
    *start = at[0];                                 /* \K could put the start behind the end */
    *end = at[1] < at[0] ? at[0] : at[1];
    return 1;
}
