/* units.c - picks the copy of units_isa.c that goes with the encodings. */
#include "verify/units.h"

#include "quant/isa.h"

#include <string.h>

#ifdef __x86_64__
extern const struct units units_avx2, units_avx512;
static const struct units *const all[] = { &units_avx2, &units_avx512 };

const struct units *units_f32(void)
{
    const char *name = isa_current()->name;

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(all[i]->isa, name) == 0 && __builtin_cpu_supports("fma"))
            return all[i];
    return NULL;
}

#else

const struct units *units_f32(void)
{
    return NULL;
}

#endif
