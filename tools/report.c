/* report.c - numbers, JSON items, cells and the progress line. */
#include "tools/report.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <utf8proc.h>

static const char *scaled(char text[SIZE_TEXT], uint64_t n, const char *const *units)
{
    double value = (double)n;
    size_t unit = 0;

    for (; value >= 999.5 && units[unit + 1]; unit++)
        value /= 1000;
    snprintf(text, SIZE_TEXT, unit && value < 99.95 ? "%.3g%s" : "%.0f%s", value, units[unit]);
    return text;
}

const char *size_text(char text[SIZE_TEXT], uint64_t nbytes)
{
    static const char *const units[] = { " bytes", " kB", " MB", " GB", " TB", NULL };

    return scaled(text, nbytes, units);
}

const char *count_text(char text[SIZE_TEXT], uint64_t n)
{
    static const char *const units[] = { "", " K", " M", " B", " T", NULL };

    return scaled(text, n, units);
}

const char *time_text(char text[SIZE_TEXT], double seconds)
{
    long whole = lround(seconds);

    if (seconds < 9.95)
        snprintf(text, SIZE_TEXT, "%.1f s", seconds);
    else if (whole < 60)
        snprintf(text, SIZE_TEXT, "%ld s", whole);
    else if (whole < 3600)
        snprintf(text, SIZE_TEXT, "%ld min %02ld s", whole / 60, whole % 60);
    else
        snprintf(text, SIZE_TEXT, "%ld h %02ld min", whole / 3600, whole / 60 % 60);
    return text;
}

struct amount amount_of(const struct model *m, const struct qtype *only)
{
    struct amount a = {0};

    for (size_t i = 0; i < m->ntensors; i++)
        if (!only || m->tensor[i].type == only) {
            a.tensors++;
            a.weights += tensor_weights(&m->tensor[i]);
            a.nbytes += tensor_bytes(&m->tensor[i]);
        }
    return a;
}

double amount_bits(struct amount a)
{
    return a.weights ? 8 * (double)a.nbytes / (double)a.weights : 0;
}

void print_types(const struct model *m)
{
    char weights[SIZE_TEXT], size[SIZE_TEXT];

    printf("  type       tensors     weights       bytes\n");
    for (size_t k = 0; k < qtype_count(); k++) {
        struct amount a = amount_of(m, qtype_at(k));

        if (a.tensors)
            printf("  %-9s %8" PRIu64 " %11s %11s\n", qtype_at(k)->label, a.tensors, count_text(weights, a.weights),
                   size_text(size, a.nbytes));
    }
}

/* Copies UTF-8, replacing what is not; `out` has room for 3 n + 1 bytes. */
static void repair(char *out, const char *s, uint64_t n)
{
    while (n) {
        utf8proc_int32_t code;
        utf8proc_ssize_t used = utf8proc_iterate((const utf8proc_uint8_t *)s, (utf8proc_ssize_t)n, &code);

        if (used <= 0 || code == 0) {
            memcpy(out, "\xEF\xBF\xBD", 3);
            out += 3;
            used = 1;
        } else {
            memcpy(out, s, (size_t)used);
            out += used;
        }
        s += used;
        n -= (uint64_t)used;
    }
    *out = '\0';
}

cJSON *json_text(const char *s, uint64_t n)
{
    struct arena a = {0};
    char *clean = arena_raw(&a, 3 * n + 1);
    cJSON *item;

    repair(clean, s, n);
    item = cJSON_CreateString(clean);
    arena_release(&a);
    return item;
}

cJSON *json_whole(uint64_t n)
{
    char digits[24];

    snprintf(digits, sizeof digits, "%" PRIu64, n);
    return cJSON_CreateRaw(digits);
}

static cJSON *json_signed(int64_t n)
{
    char digits[24];

    snprintf(digits, sizeof digits, "%" PRId64, n);
    return cJSON_CreateRaw(digits);
}

static cJSON *json_array(const struct meta_array *a)
{
    enum { LISTED = 16 };
    cJSON *item;

    if (a->n > LISTED) {
        item = cJSON_CreateObject();
        cJSON_AddStringToObject(item, "array", meta_type_name(a->type));
        cJSON_AddItemToObject(item, "count", json_whole(a->n));
        return item;
    }
    item = cJSON_CreateArray();
    for (uint64_t i = 0; i < a->n; i++)
        if (a->type == META_STRING)
            cJSON_AddItemToArray(item, json_text(((const struct meta_string *)a->items)[i].s,
                                                 ((const struct meta_string *)a->items)[i].n));
        else if (a->type == META_ARRAY)
            cJSON_AddItemToArray(item, json_array(&((const struct meta_array *)a->items)[i]));
        else if (a->type == META_FLOAT32 || a->type == META_FLOAT64)
            cJSON_AddItemToArray(item, cJSON_CreateNumber(meta_array_f64(a, i)));
        else
            cJSON_AddItemToArray(item, json_signed(meta_array_i64(a, i)));
    return item;
}

void json_add_text(cJSON *object, const char *key, const char *value)
{
    cJSON_AddItemToObject(object, key, value ? json_text(value, strlen(value)) : cJSON_CreateNull());
}

void json_add_text_if(cJSON *object, const char *key, const char *value)
{
    if (value)
        json_add_text(object, key, value);
}

cJSON *json_meta(const struct meta_value *v)
{
    switch (v->type) {
    case META_STRING: return json_text(v->s.s, v->s.n);
    case META_ARRAY: return json_array(&v->a);
    case META_BOOL: return cJSON_CreateBool(v->u != 0);
    case META_FLOAT32: case META_FLOAT64: return cJSON_CreateNumber(v->f);      /* NaN prints as null */
    case META_INT8: case META_INT16: case META_INT32: case META_INT64: return json_signed(v->i);
    default: return json_whole(v->u);
    }
}

int stdout_done(struct fail *f)
{
    return fflush(stdout) || ferror(stdout) ? fail_errno(f, "standard output could not be written") : 0;
}

int json_print(cJSON *root, struct fail *f)
{
    char *text = cJSON_Print(root);

    cJSON_Delete(root);
    puts(text ? text : "null");
    free(text);
    return stdout_done(f);
}

/* Columns that one code point takes; unprintable ones are shown as '?'. */
static int columns_of(utf8proc_int32_t code)
{
    return code < 32 || code == 127 ? 1 : utf8proc_charwidth(code);
}

static int next(const char *s, size_t left, utf8proc_int32_t *code)
{
    utf8proc_ssize_t used = utf8proc_iterate((const utf8proc_uint8_t *)s, (utf8proc_ssize_t)left, code);

    if (used > 0)
        return (int)used;
    *code = '?';
    return 1;
}

static int columns(const char *s)
{
    int n = 0;

    for (size_t left = strlen(s); left;) {
        utf8proc_int32_t code;
        int used = next(s, left, &code);

        n += columns_of(code);
        s += used;
        left -= (size_t)used;
    }
    return n;
}

/* Returns the columns taken. */
static int print_cut(const char *s, int width)
{
    int room = columns(s) > width ? width - 1 : width, at = 0;
    bool cut = room < width;

    for (size_t left = strlen(s); left;) {
        utf8proc_int32_t code;
        int used = next(s, left, &code);

        if (at + columns_of(code) > room)
            break;
        if (code < 32 || code == 127 || (used == 1 && (signed char)*s < 0))
            putchar('?');
        else
            fwrite(s, 1, (size_t)used, stdout);
        at += columns_of(code);
        s += used;
        left -= (size_t)used;
    }
    if (cut)
        fputs("\xE2\x80\xA6", stdout), at++;
    return at;
}

void print_cell(const char *s, int width)
{
    int at = print_cut(s, width);

    printf("%*s", width - at, "");
}

void print_last(const char *s, int width)
{
    print_cut(s, width);
}

/* Control, format (bidi overrides among them) and private characters, and bytes that are no UTF-8. */
static bool is_hidden(utf8proc_int32_t code, const char *s, int used)
{
    utf8proc_category_t c = utf8proc_category(code);

    return (used == 1 && (signed char)*s < 0) || c == UTF8PROC_CATEGORY_CC || c == UTF8PROC_CATEGORY_CF || c == UTF8PROC_CATEGORY_CO ||
           c == UTF8PROC_CATEGORY_CN || c == UTF8PROC_CATEGORY_ZL || c == UTF8PROC_CATEGORY_ZP;
}

/* Bytes up to the next blank; *width: the columns they take. */
static size_t word_of(const char *s, int *width)
{
    size_t n = strcspn(s, " \t\r\n");

    *width = 0;
    for (size_t i = 0; i < n; ) {
        utf8proc_int32_t code;
        int used = next(s + i, n - i, &code);

        *width += is_hidden(code, s + i, used) ? 1 : utf8proc_charwidth(code);
        i += (size_t)used;
    }
    return n;
}

static void put_word(const char *s, size_t n)
{
    for (size_t i = 0; i < n; ) {
        utf8proc_int32_t code;
        int used = next(s + i, n - i, &code);

        if (is_hidden(code, s + i, used))
            putchar('?');
        else
            fwrite(s + i, 1, (size_t)used, stdout);
        i += (size_t)used;
    }
}

/* The most of a word too long for any line that fits. */
static size_t cut_word(const char *s, size_t n, int room)
{
    size_t i = 0;

    for (int at = 0; i < n; ) {
        utf8proc_int32_t code;
        int used = next(s + i, n - i, &code);

        at += utf8proc_charwidth(code) > 1 ? utf8proc_charwidth(code) : 1;
        if (at > room)
            break;
        i += (size_t)used;
    }
    return i ? i : n;
}

void print_wrapped(const char *s, int at, int indent)
{
    int most = terminal_columns(), width;

    for (bool first = true; *(s += strspn(s, " \t\r\n")); first = false) {
        size_t n = word_of(s, &width);

        if (!first && at + 1 + width > most && at > indent) {
            printf("\n%*s", indent, "");
            at = indent;
        } else if (!first) {
            putchar(' ');
            at++;
        }
        if (width > most - indent) {
            n = cut_word(s, n, most - at > 8 ? most - at : 8);
            width = most - at;
        }
        put_word(s, n);
        at += width;
        s += n;
    }
    putchar('\n');
}

void paint(enum paint p)
{
    static const char *const codes[] = { "\033[0m", "\033[1m", "\033[32m", "\033[33m", "\033[1;31m" };
    const char *no = getenv("NO_COLOR");

    if (isatty(STDOUT_FILENO) && !(no && *no))
        fputs(codes[p], stdout);
}

int terminal_columns(void)
{
    struct winsize size;

    return isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40 ? size.ws_col : 80;
}

void meter_start(struct meter *m, const struct args *a, const char *what)
{
    *m = (struct meter){ .what = what, .start = seconds_now() };
    m->on = a->progress == PROGRESS_ALWAYS || (a->progress == PROGRESS_AUTO && !a->quiet && isatty(STDERR_FILENO));
}

/* At most ten times a second; the first line after a tenth of one, so that short work shows nothing. */
static bool due(struct meter *m, uint64_t done, uint64_t total, double *elapsed, char left[SIZE_TEXT])
{
    double now = seconds_now();

    if (!m->on || now - m->start < 0.1 || (now - m->last < 0.1 && done < total))
        return false;
    m->last = now;
    m->shown = true;
    *elapsed = now - m->start;
    if (done)
        time_text(left, *elapsed / (double)done * (double)(total - done));
    else
        snprintf(left, SIZE_TEXT, "some time");
    return true;
}

void meter_bytes(void *meter, uint64_t done, uint64_t total)
{
    struct meter *m = meter;
    char a[SIZE_TEXT], b[SIZE_TEXT], rate[SIZE_TEXT], left[SIZE_TEXT];
    double elapsed;

    if (due(m, done, total, &elapsed, left))
        fprintf(stderr, "\r\033[K%s: %s of %s, %s/s, %s left", m->what, size_text(a, done), size_text(b, total),
                size_text(rate, (uint64_t)((double)done / elapsed)), left);
}

void meter_steps(void *meter, const char *what, uint64_t done, uint64_t total)
{
    struct meter *m = meter;
    char left[SIZE_TEXT];
    double elapsed;

    if (due(m, done, total, &elapsed, left))
        fprintf(stderr, "\r\033[K%s: %s, %.0f %%, %s left", m->what, what, 100 * (double)done / (double)(total ? total : 1), left);
}

void meter_end(struct meter *m)
{
    if (m->shown)
        fputs("\r\033[K", stderr);
}
