/* units.c - picks the copy of units_isa.c that goes with the encodings, and packs tokens for any. */
#include "verify/units.h"

#include "formats/file.h"
#include "quant/isa.h"

#include <string.h>

extern const struct units units_base;

#ifdef __x86_64__
extern const struct units units_avx2, units_avx512;
static const struct units *const all[] = { &units_avx2, &units_avx512 };

const struct units *units_f32(void)
{
    const char *name = isa_current()->name;

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(all[i]->isa, name) == 0 && __builtin_cpu_supports("fma"))
            return all[i];
    return &units_base;
}

#else

const struct units *units_f32(void)
{
    return &units_base;
}

#endif

size_t units_words(const struct units *u, size_t width)
{
    return (width + u->per_word - 1) / u->per_word;
}

size_t units_room(const struct units *u, size_t n, size_t width)
{
    size_t some = max_u64(u->tokens, u->lanes);

    return (n + some - 1) / some * some * units_words(u, width) * sizeof(uint32_t);
}

size_t units_token(const struct units *u, size_t words, size_t t)
{
    return t / u->tokens * u->tokens * words + t % u->tokens;
}

void units_pack_tokens(const struct units *u, const float *x, size_t stride, size_t n, size_t width, size_t first, uint32_t *packed)
{
    size_t words = units_words(u, width), at = units_token(u, words, first), half = units_token(u, words, first + u->lanes / 2);
    struct target out = { packed + at, u->tokens, half - at };

    u->pack((const uint8_t *)(x + first * stride), stride * sizeof *x, min_u64(n - first, u->lanes), width, false, out);
}
