/* safetensors.c - any bytes as a safetensors file. */
#include "tests/fuzz/formats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    return open_as(&format_safetensors, data, n);
}
