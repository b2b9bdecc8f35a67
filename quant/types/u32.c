/* u32.c - unsigned 32-bit integers. */
#include "quant/number.h"

NUMBER(u32, -1, "U32", uint32_t);
