/* usage.c - see usage.h. */
#include "formats/usage.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

double seconds_now(void)
{
    struct timespec t = {0};

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* What getrusage has begins with what the parent held when it started this process: Linux keeps the maximum across exec. The kernel's
 * page about the process knows this program's alone. */
uint64_t peak_nbytes(void)
{
    static const char key[] = "VmHWM:";
    FILE *status = fopen("/proc/self/status", "re");
    struct rusage u = {0};
    uint64_t kilobytes = 0;
    char line[256];

    while (!kilobytes && status && fgets(line, sizeof line, status))
        if (strncmp(line, key, strlen(key)) == 0)
            kilobytes = strtoull(line + strlen(key), NULL, 10);
    if (status)
        fclose(status);
    if (!kilobytes && getrusage(RUSAGE_SELF, &u) == 0)
        kilobytes = (uint64_t)u.ru_maxrss;
    return 1024 * kilobytes;
}

uint64_t address_space_left(void)
{
    struct rlimit limit;
    unsigned long pages = 0;
    FILE *file;

    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return UINT64_MAX;
    if ((file = fopen("/proc/self/statm", "r"))) {
        if (fscanf(file, "%lu", &pages) != 1)
            pages = 0;
        fclose(file);
    }
    uint64_t taken = pages * (uint64_t)sysconf(_SC_PAGESIZE);
    return limit.rlim_cur > taken ? limit.rlim_cur - taken : 0;
}

void reach(const char *point)
{
    static uint64_t times;
    const char *wish = getenv("BANTAM_TEST_KILL");
    size_t n = strlen(point);

    if (wish && strncmp(wish, point, n) == 0 && wish[n] == ':' &&
        __atomic_add_fetch(&times, 1, __ATOMIC_RELAXED) == strtoull(wish + n + 1, NULL, 10))
        raise(SIGKILL);
}
