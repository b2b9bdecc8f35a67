/* u64.c - unsigned 64-bit integers. */
#include "quant/number.h"

NUMBER(u64, -1, "U64", uint64_t);
