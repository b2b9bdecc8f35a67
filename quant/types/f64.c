/* f64.c - double precision; what a float cannot hold becomes Inf. */
#include "quant/number.h"

NUMBER(f64, 28, "F64", double);
