/* lines.c - any bytes as a CSV and as JSON lines. */
#include "formats/csv.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena a = {0};
    struct fail f = {0};
    struct csv csv;
    struct csv_row row;
    struct lines lines;

    if (csv_open(&csv, (const char *)data, n, &a, &f) == 0)
        while (csv_next(&csv, &row, &f) > 0)
            continue;
    f = (struct fail){0};
    if (lines_open(&lines, (const char *)data, n, &f) == 0)
        while (lines_next_json(&lines, &a, &f))
            continue;
    arena_release(&a);
    return 0;
}
