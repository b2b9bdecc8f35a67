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

/* The lowest limit of the control groups that a process is in, version 1 or 2, and of all groups above them; UINT64_MAX: none. `root`:
 * where they are mounted; `groups`: the process's /proc/PID/cgroup. */
uint64_t budget_group_limit(const char *root, const char *groups);

/* nbytes 0: a quarter of the machine's memory, or of what `ulimit -v` or the control groups leave of it. */
struct budget budget_of(uint64_t nbytes);

#endif
