/* isa.c - picks the instruction set at the first use. */
#include "quant/isa.h"

#include <stdlib.h>
#include <string.h>

#ifdef __x86_64__
#include <cpuid.h>
#endif

static bool always(void)
{
    return true;
}

extern const struct qtype *const qtypes_base[];
bool any_from_base(uint32_t, const float *, size_t);
bool any_half_from_base(uint16_t, const void *, size_t);
#ifdef __x86_64__
extern const struct qtype *const qtypes_avx2[];
extern const struct qtype *const qtypes_avx512[];
bool any_from_avx2(uint32_t, const float *, size_t);
bool any_from_avx512(uint32_t, const float *, size_t);
bool any_half_from_avx2(uint16_t, const void *, size_t);
bool any_half_from_avx512(uint16_t, const void *, size_t);

static bool has_avx2(void)
{
    unsigned a, b, c = 0, d;

    /* clang 14 cannot name F16C; that the OS keeps the wide registers is part of "avx2" */
    return __get_cpuid(1, &a, &b, &c, &d) && c & bit_F16C && __builtin_cpu_supports("avx2");
}

static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif

static const struct isa all[] = {
    { "base", always, qtypes_base, any_from_base, any_half_from_base },
#ifdef __x86_64__
    { "avx2", has_avx2, qtypes_avx2, any_from_avx2, any_half_from_avx2 },
    { "avx512", has_avx512, qtypes_avx512, any_from_avx512, any_half_from_avx512 },
#endif
};

const struct isa *isa_all(size_t *n)
{
    *n = sizeof all / sizeof *all;
    return all;
}

static const struct isa *choose(void)
{
    const char *wish = getenv("BANTAM_ISA");
    const struct isa *widest = all;

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (!all[i].usable())
            continue;
        widest = &all[i];
        if (wish && strcmp(wish, all[i].name) == 0)
            return widest;
    }
    return widest;
}

const struct isa *isa_current(void)
{
    static const struct isa *chosen;    /* every thread computes the same value, so the race is harmless */
    const struct isa *isa = __atomic_load_n(&chosen, __ATOMIC_RELAXED);

    if (!isa) {
        isa = choose();
        __atomic_store_n(&chosen, isa, __ATOMIC_RELAXED);
    }
    return isa;
}
