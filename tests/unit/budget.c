/* budget.c - the limit of control groups, in trees of files like those of a kernel. */
#include "verify/budget.h"

#include "formats/arena.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];

static void put(const char *name, const char *text)
{
    char path[200];

    snprintf(path, sizeof path, "%s/%s", root, name);
    for (char *p = path + strlen(root) + 1; (p = strchr(p, '/')); *p++ = '/') {
        *p = '\0';
        mkdir(path, 0777);
    }
    FILE *file = fopen(path, "w");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0)
        test_failed(__FILE__, __LINE__, "%s cannot be written", path);
}

static uint64_t limit_of(const char *groups)
{
    char path[80];

    put("groups", groups);
    snprintf(path, sizeof path, "%s/groups", root);
    return budget_group_limit(root, path);
}

static void enter(void)
{
    strcpy(root, "/tmp/bantam-budget-XXXXXX");
    if (!mkdtemp(root))
        test_failed(__FILE__, __LINE__, "no directory");
}

static void leave(void)
{
    char command[100];

    snprintf(command, sizeof command, "rm -r %s", root);
    CHECK(system(command) == 0);
}

TEST(limit_of_version_2_is_the_least_of_all_groups_above)
{
    enter();
    put("user.slice/a.scope/memory.max", "800\n");
    put("user.slice/memory.max", "max\n");
    CHECK_U64(limit_of("0::/user.slice/a.scope\n"), 800);
    put("user.slice/memory.max", "500\n");
    CHECK_U64(limit_of("0::/user.slice/a.scope\n"), 500);
    put("user.slice/a.scope/memory.high", "300\n");
    CHECK_U64(limit_of("0::/user.slice/a.scope\n"), 300);
    CHECK_U64(limit_of("0::/user.slice/b.scope\n"), 500);
    CHECK_U64(limit_of("0::/other\n"), UINT64_MAX);
    put("memory.max", "200\n");                     /* what a container sees at the top is its own */
    CHECK_U64(limit_of("0::/docker/0123\n"), 200);
    CHECK_U64(limit_of("0::/\n"), 200);
    leave();
}

TEST(limit_of_version_1_and_of_both)
{
    enter();
    put("memory/a/b/memory.limit_in_bytes", "9223372036854771712\n");
    put("memory/a/memory.limit_in_bytes", "700\n");
    CHECK_U64(limit_of("9:name=systemd:/x\n4:cpu,memory:/a/b\n3:cpuset:/\n0::/\n"), 700);
    CHECK_U64(limit_of("4:memory:/a/b\n"), 700);
    CHECK_U64(limit_of("4:memoryx:/a/b\n"), UINT64_MAX);
    put("unified/s/memory.max", "600\n");
    CHECK_U64(limit_of("4:memory:/a/b\n0::/s\n"), 600);
    CHECK_U64(limit_of(""), UINT64_MAX);
    CHECK_U64(limit_of("nonsense\n::\n0:\n"), UINT64_MAX);
    CHECK_U64(budget_group_limit(root, "/nonexistent"), UINT64_MAX);
    leave();
}
