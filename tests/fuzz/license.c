/* license.c - any bytes as a license text: at most 64 KB of them, since the work grows with the length. */
#include "formats/license_text.h"

#include <stddef.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena a = {0};

    license_text_recognize((const char *)data, n < 65536 ? n : 65536, &a);
    arena_release(&a);
    return 0;
}
