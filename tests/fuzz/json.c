/* json.c - any bytes as JSON. */
#include "formats/json.h"

#include <stddef.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena a = {0};
    struct fail f = {0};

    json_parse((const char *)data, n, "input", &a, &f);
    arena_release(&a);
    return 0;
}
