/* usage.h - the clock and the memory of this process. */
#ifndef BANTAM_USAGE_H
#define BANTAM_USAGE_H

#include <stdint.h>

double seconds_now(void);       /* monotonic */
uint64_t peak_nbytes(void);     /* resident memory at its largest so far */
uint64_t address_space_left(void);      /* by `ulimit -v`; UINT64_MAX: no limit */

/* For tests: with BANTAM_TEST_KILL=POINT:N in the environment, raises SIGKILL the N-th time (from 1) this process reaches that point. */
void reach(const char *point);

#endif
