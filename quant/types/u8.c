/* u8.c - bytes. */
#include "quant/number.h"

NUMBER(u8, -1, "U8", uint8_t);
