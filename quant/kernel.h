/* kernel.h - what a file under quant/types starts with: the descriptor's name for the ISA it is compiled for. */
#ifndef BANTAM_KERNEL_H
#define BANTAM_KERNEL_H

#include "quant/type.h"

#ifndef ISA
#error "kernel files are compiled once per instruction set: -DISA=base, avx2 or avx512"
#endif

#define QTYPE_PASTE2(t, isa) t##_##isa
#define QTYPE_PASTE(t, isa) QTYPE_PASTE2(t, isa)
#define QTYPE_SYMBOL(t) QTYPE_PASTE(t, ISA)     /* q8_0 -> q8_0_avx2 */

/* The one symbol a kernel file exports: QTYPE(q8_0) = { .name = "q8_0", ... }; */
#define QTYPE(t) extern const struct qtype QTYPE_SYMBOL(t); const struct qtype QTYPE_SYMBOL(t)

#endif
