/* i16.c - 16-bit integers. */
#include "quant/number.h"

NUMBER(i16, 25, "I16", int16_t);
