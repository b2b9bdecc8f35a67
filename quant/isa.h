/* isa.h - which compiled copy of the encodings runs on this CPU.
 *
 * The kernel files under quant/types are compiled once per instruction set of the Makefile's ISAS. The widest one
 * the CPU has is chosen at the first use; BANTAM_ISA=base (or avx2, avx512) in the environment overrides that.
 * The choice changes speed only, never a byte. */
#ifndef BANTAM_ISA_H
#define BANTAM_ISA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct qtype;

struct isa {
    const char *name;                       /* "base", "avx2", "avx512" */
    bool (*usable)(void);                   /* does this CPU, and the OS, have it? */
    const struct qtype *const *types;       /* qtype_count() pointers, same order in every isa */
    /* Has one of n floats a magnitude of `bound` or more, given as bits? Infinities and NaN have, whatever it is. */
    bool (*any_from)(uint32_t bound, const float *x, size_t n);
    bool (*any_half_from)(uint16_t bound, const void *x, size_t n);    /* the same for floats of 16 bits of either kind, anywhere in memory */
};

/* All instruction sets compiled in, narrowest first; *n is their number. */
const struct isa *isa_all(size_t *n);

/* The one in force. Thread-safe. An unknown or unusable BANTAM_ISA falls back to the widest usable one. */
const struct isa *isa_current(void);

#endif
