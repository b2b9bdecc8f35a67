/* i64.c - 64-bit integers. */
#include "quant/number.h"

NUMBER(i64, 27, "I64", int64_t);
