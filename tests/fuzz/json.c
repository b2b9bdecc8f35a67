/* json.c - any bytes as JSON: parsed, and one member looked up by scanning. */
#include "formats/json.h"

#include <stddef.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena a = {0};
    struct fail f = {0};
    size_t nmember;

    json_parse((const char *)data, n, "input", &a, &f);
    json_member((const char *)data, n, "model", &nmember);
    arena_release(&a);
    return 0;
}
