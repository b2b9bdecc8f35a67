/* vector.c - picks the copy of vector_isa.c that goes with the encodings. */
#include "verify/vector.h"

#include "quant/isa.h"

#include <string.h>

extern const struct vector vector_base;
#ifdef __x86_64__
extern const struct vector vector_avx2, vector_avx512;
#endif

static const struct vector *const all[] = {
    &vector_base,
#ifdef __x86_64__
    &vector_avx2, &vector_avx512,
#endif
};

const struct vector *vector_current(void)
{
    const char *name = isa_current()->name;

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(all[i]->isa, name) == 0)
            return all[i];
    return all[0];
}
