/* fail.c - see fail.h. */
#include "formats/fail.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Names in messages come from files: nothing in them may steer a terminal. */
static void disarm(char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            *s = '?';
}

/* A cut must not leave half a UTF-8 sequence behind. */
static void print_into(char *to, size_t size, const char *format, va_list ap)
{
    int n = vsnprintf(to, size, format, ap);

    if (n >= (int)size) {
        size_t end = size - 4;

        while (end > 0 && ((unsigned char)to[end] & 0xc0) == 0x80)
            end--;
        memcpy(to + end, "...", 4);
    }
    disarm(to);
}

static void set(char *to, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void set(char *to, size_t size, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    print_into(to, size, format, ap);
    va_end(ap);
}

int fail(struct fail *f, enum fail_kind kind, const char *format, ...)
{
    va_list ap;

    if (failed(f))
        return -1;
    f->kind = kind;
    va_start(ap, format);
    print_into(f->text, sizeof f->text, format, ap);
    va_end(ap);
    return -1;
}

int fail_errno(struct fail *f, const char *format, ...)
{
    const char *reason = strerror(errno);
    char what[400];
    va_list ap;

    if (failed(f))
        return -1;
    va_start(ap, format);
    print_into(what, sizeof what, format, ap);
    va_end(ap);
    return fail(f, FAIL_SYSTEM, "%s: %s", what, reason);
}

int fail_in(struct fail *f, const char *path)
{
    if (failed(f) && !f->where[0])
        set(f->where, sizeof f->where, "%s", path);
    return -1;
}

int fail_hint(struct fail *f, const char *format, ...)
{
    va_list ap;

    if (!failed(f) || f->hint[0])
        return -1;
    va_start(ap, format);
    print_into(f->hint, sizeof f->hint, format, ap);
    va_end(ap);
    return -1;
}

void fail_lowest(struct fail *f, uint64_t *lowest, uint64_t i, const struct fail *mine)
{
    if (!failed(mine))
        return;
#pragma omp critical(lowest_failure)
    if (i < *lowest) {
        *f = *mine;
        __atomic_store_n(lowest, i, __ATOMIC_RELAXED);
    }
}
