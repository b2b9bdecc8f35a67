/* license_prints.c - makes formats/license_prints.def out of license texts, which are not part of the product.
 *
 * Standard input: a line per text, with tabs between ID PART REVISION PATH [FROM [TO]]. FROM and TO are phrases that
 * begin and end what counts: titles, copyright lines and instructions on how to apply a license do not. Build and run:
 *     make build/gcc/license_prints && build/gcc/license_prints < tests/gen/license_prints.tsv > formats/license_prints.def */
#include "formats/file.h"
#include "formats/license_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static void print_list(const uint32_t *x, size_t n)
{
    printf(" (");
    for (size_t i = 0; i < n; i++)
        printf(i ? ",%s0x%" PRIx32 : "%s0x%" PRIx32, i && i % 13 == 0 ? "\n  " : "", x[i]);
    printf(")");
}

static void print_samples(const struct license_words *w, size_t first, size_t end, struct arena *a)
{
    unsigned shift = license_sample_shift(end - first);
    uint32_t *x = arena_array(a, uint32_t, end - first);
    size_t n = 0, kept = 0;

    for (size_t i = first; i + LICENSE_SHINGLE <= end; i++)
        n += license_sample_of(w, i, shift, &x[n]);
    qsort(x, n, sizeof *x, by_number);
    for (size_t i = 0; i < n; i++)
        if (!kept || x[kept - 1] != x[i])
            x[kept++] = x[i];
    printf(" %u,", shift);
    print_list(x, kept);
    printf(",\n ");
}

static void print_clauses(struct license_words *w, size_t first, size_t end, struct arena *a)
{
    uint32_t *x = arena_array(a, uint32_t, end - first);
    size_t n = 0;

    w->n = end;
    for (size_t i = first, next; i < end; i = next, n++) {
        next = license_clause_end(w, i);
        x[n] = (uint32_t)(license_words_hash(w, i, next - i) >> 32);
    }
    print_list(x, n);
}

static int print_text(char *line, struct arena *a, struct fail *f)
{
    char *field[6] = {0};
    struct license_words w;
    size_t n, first, end;
    const char *text;
    uint8_t sha[32];

    for (int i = 0; i < 6 && line; i++)
        field[i] = strsep(&line, "\t");
    text = file_read_text(field[3], LICENSE_TEXT_MAX, a, &n, f);
    if (!text)
        return -1;
    license_words_of(&w, text, n, a);
    first = field[4] && *field[4] ? license_words_find(&w, field[4], 0) : 0;
    end = w.n;
    if (first != SIZE_MAX && field[5]) {
        struct license_words last;

        license_words_of(&last, field[5], strlen(field[5]), a);
        end = license_words_find(&w, field[5], first);
        end = end == SIZE_MAX ? end : end + last.n;
    }
    if (first == SIZE_MAX || end == SIZE_MAX)
        return fail(f, FAIL_INPUT, "'%s' does not hold its phrases", field[3]);
    license_words_sha256(&w, first, end - first, sha);
    printf("PRINT(\"%s\", \"%s\", \"%s\", %zu, 0x%" PRIx64 "u, 0x%" PRIx64 "u,\n (", field[0], field[1], field[2], end - first,
           license_words_hash(&w, first, LICENSE_HEAD), license_words_hash(&w, first, end - first));
    for (int i = 0; i < 32; i++)
        printf(i ? ",%u" : "%u", sha[i]);
    printf("),");
    print_samples(&w, first, end, a);
    print_clauses(&w, first, end, a);
    printf(")\n");
    return 0;
}

int main(void)
{
    char line[1000];
    struct arena a = {0};
    struct fail f = {0};

    printf("/* Made by tests/gen/license_prints.c: see there. */\n");
    while (!failed(&f) && fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        if (*line && *line != '#')
            print_text(line, &a, &f);
        arena_reset(&a);
    }
    if (failed(&f))
        fprintf(stderr, "%s: %s\n", f.where, f.text);
    arena_release(&a);
    return failed(&f);
}
