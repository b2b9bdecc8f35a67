/* main.c - runs the registered tests whose file or name contains the argument (none: all), one line per failure, and
 * closes with 'N passed, N failed, N skipped'. */
#include "tests/unit/test.h"

#include <stdarg.h>
#include <stdlib.h>

static struct test *first, **last = &first;
static bool now_failed;
static const char *now_skipped;

void test_register(struct test *t)
{
    *last = t;
    last = &t->next;
}

void test_failed(const char *file, int line, const char *format, ...)
{
    va_list ap;

    now_failed = true;
    printf("%s:%d: ", file, line);
    va_start(ap, format);
    vprintf(format, ap);
    va_end(ap);
    putchar('\n');
}

void test_skip(const char *why)
{
    now_skipped = why;
}

int main(int argc, char **argv)
{
    const char *match = argc > 1 ? argv[1] : "";
    int passed = 0, bad = 0, skipped = 0;

    for (struct test *t = first; t; t = t->next) {
        if (!strstr(t->name, match) && !strstr(t->file, match))
            continue;
        now_failed = false;
        now_skipped = NULL;
        t->run();
        if (now_failed)
            printf("FAIL %s (%s)\n", t->name, t->file), bad++;
        else if (now_skipped)
            printf("skip %s: %s\n", t->name, now_skipped), skipped++;
        else
            passed++;
        fflush(stdout);
    }
    printf("unit: %d passed, %d failed, %d skipped\n", passed, bad, skipped);
    return bad ? 1 : 0;
}
