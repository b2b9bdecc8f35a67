/* gguf.c - any bytes as a gguf file. */
#include "tests/fuzz/formats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    return open_as(&format_gguf, data, n);
}
