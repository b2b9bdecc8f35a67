/* qtype_table.c - types.def as an array of one instruction set; compiled once per ISA like the kernels. */
#include "quant/kernel.h"

#define ROW(t) extern const struct qtype QTYPE_SYMBOL(t);
#include "quant/types.def"
#undef ROW

extern const struct qtype *const QTYPE_SYMBOL(qtypes)[];
const struct qtype *const QTYPE_SYMBOL(qtypes)[] = {
#define ROW(t) &QTYPE_SYMBOL(t),
#include "quant/types.def"
#undef ROW
};
