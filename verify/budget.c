/* budget.c - see budget.h. */
#include "verify/budget.h"

#include "formats/file.h"

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

/* The least that `file` says in the directory of a group, "/a/b" from `base` on, and in those above it: all of them hold. */
static uint64_t climb(const char *base, char *group, const char *file)
{
    uint64_t limit = UINT64_MAX;

    for (char *end = group; end; ) {
        char *name;
        if (asprintf(&name, "%s%s/%s", base, group, file) < 0)
            return limit;
        limit = min_u64(limit, number_in(name));
        free(name);
        end = strrchr(group, '/');
        if (end)
            *end = '\0';
    }
    return limit;
}

/* Is it among names that commas separate? */
static bool listed(const char *name, const char *names)
{
    size_t n = strlen(name);

    for (; names; names = strchr(names, ',')) {
        names += *names == ',';
        if (strncmp(names, name, n) == 0 && (names[n] == ',' || !names[n]))
            return true;
    }
    return false;
}

/* What a line of /proc/PID/cgroup, "ID:CONTROLLERS:PATH", leads to. Version 2 has no controllers there, and lies in `unified` where
 * version 1 is used for the rest; a container may see its own group at the top instead of under its path. */
static uint64_t line_limit(const char *root, char *line)
{
    static const struct {
        const char *dir, *file;
        bool unified;
    } places[] = {
        { "", "memory.max", true }, { "", "memory.high", true }, { "/unified", "memory.max", true }, { "/unified", "memory.high", true },
        { "/memory", "memory.limit_in_bytes", false },
    };
    char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;
    uint64_t limit = UINT64_MAX;

    if (!path)
        return limit;
    *controllers++ = *path++ = '\0';
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char *base = NULL, *group = NULL;
        if (places[i].unified ? !*controllers : listed("memory", controllers)) {
            if (asprintf(&base, "%s%s", root, places[i].dir) >= 0 && (group = strdup(path)))
                limit = min_u64(limit, climb(base, group, places[i].file));
            free(group);
            free(base);
        }
    }
    return limit;
}

uint64_t budget_group_limit(const char *root, const char *groups)
{
    uint64_t limit = UINT64_MAX;
    char *line = NULL;
    size_t cap = 0;
    FILE *file = fopen(groups, "r");

    while (file && getline(&line, &cap, file) > 0) {
        line[strcspn(line, "\n")] = '\0';
        limit = min_u64(limit, line_limit(root, line));
    }
    free(line);
    if (file)
        fclose(file);
    return limit;
}

static uint64_t default_nbytes(void)
{
    uint64_t all = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    struct rlimit limit;

    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        all = min_u64(all, limit.rlim_cur);
    return min_u64(all, budget_group_limit("/sys/fs/cgroup", "/proc/self/cgroup")) / 4;
}

struct budget budget_of(uint64_t nbytes)
{
    struct budget b = { .nbytes = nbytes ? nbytes : default_nbytes() };
    uint64_t n = b.nbytes < LEAST_NBYTES ? LEAST_NBYTES : b.nbytes;

    b.work = min_u64(n / 4, MOST_WORK_NBYTES);
    b.logits = min_u64(n / 8, MOST_LOGITS_NBYTES);
    b.states = b.nbytes / 2;
    return b;
}
