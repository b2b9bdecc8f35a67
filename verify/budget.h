/* budget.h - how much memory a run may use, and what it is used for. */
#ifndef BANTAM_BUDGET_H
#define BANTAM_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct budget {
    uint64_t nbytes;                    /* all that the run may use */
    size_t work, logits, states;        /* its shares: temporaries and decoded weights; logits of a batch; hidden states in memory */
};

/* nbytes 0: a quarter of the machine's memory, or of what `ulimit -v` or the control group leaves of it. */
struct budget budget_of(uint64_t nbytes);

#endif
