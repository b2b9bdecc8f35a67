/* i32.c - 32-bit integers. */
#include "quant/number.h"

NUMBER(i32, 26, "I32", int32_t);
