/* u16.c - unsigned 16-bit integers. */
#include "quant/number.h"

NUMBER(u16, -1, "U16", uint16_t);
