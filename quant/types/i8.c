/* i8.c - signed bytes. */
#include "quant/number.h"

NUMBER(i8, 24, "I8", int8_t);
