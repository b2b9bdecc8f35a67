/* budget.c - see budget.h. */
#include "verify/budget.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    LEAST_NBYTES = 64 << 20,            /* below it blocks would become too small to be fast, and nothing would be won */
    MOST_WORK_NBYTES = 320 << 20,       /* all that stream.h can use */
    MOST_LOGITS_NBYTES = 256 << 20,
};

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t number_in(const char *path)
{
    char text[64] = "";
    FILE *file = fopen(path, "r");
    uint64_t n;

    if (!file)
        return UINT64_MAX;
    if (!fgets(text, sizeof text, file))
        *text = 0;
    fclose(file);
    n = strtoull(text, NULL, 10);       /* "max" gives 0 */
    return n ? n : UINT64_MAX;
}

/* Of the control group, version 2 or 1, as a container sees it, or by the name that it has outside one. */
static uint64_t group_limit(void)
{
    uint64_t limit = least(number_in("/sys/fs/cgroup/memory.max"), number_in("/sys/fs/cgroup/memory/memory.limit_in_bytes"));
    char line[400], path[500];
    FILE *file = fopen("/proc/self/cgroup", "r");

    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        if (strncmp(line, "0::", 3) != 0)
            continue;
        snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.max", line + 3);
        limit = least(limit, number_in(path));
    }
    if (file)
        fclose(file);
    return limit;
}

static uint64_t default_nbytes(void)
{
    uint64_t all = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    struct rlimit limit;

    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        all = least(all, limit.rlim_cur);
    return least(all, group_limit()) / 4;
}

struct budget budget_of(uint64_t nbytes)
{
    struct budget b = { .nbytes = nbytes ? nbytes : default_nbytes() };
    uint64_t n = b.nbytes < LEAST_NBYTES ? LEAST_NBYTES : b.nbytes;

    b.work = least(n / 4, MOST_WORK_NBYTES);
    b.logits = least(n / 8, MOST_LOGITS_NBYTES);
    b.states = b.nbytes / 2;
    return b;
}
