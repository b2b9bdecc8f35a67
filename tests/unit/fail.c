#include "formats/fail.h"
#include "tests/unit/test.h"

#include <errno.h>

TEST(fail_first_one_stays)
{
    struct fail f = {0};

    CHECK(fail_in(&f, "early") == -1 && !f.where[0]);
    CHECK(fail(&f, FAIL_INPUT, "tensor '%s' is short", "a") == -1);
    fail(&f, FAIL_SYSTEM, "second");
    fail_in(&f, "inner");
    fail_in(&f, "outer");
    fail_hint(&f, "do %d", 1);
    fail_hint(&f, "do 2");
    CHECK(f.kind == FAIL_INPUT);
    CHECK_STR(f.text, "tensor 'a' is short");
    CHECK_STR(f.where, "inner");
    CHECK_STR(f.hint, "do 1");
}

TEST(fail_errno_names_the_reason)
{
    struct fail f = {0};

    errno = ENOSPC;
    CHECK(fail_errno(&f, "cannot be %s", "written") == -1);
    CHECK(f.kind == FAIL_SYSTEM);
    CHECK_STR(f.text, "cannot be written: No space left on device");
}

TEST(fail_disarms_escape_sequences_and_cuts_at_a_character)
{
    struct fail f = {0};
    char longest[2000];

    fail(&f, FAIL_INPUT, "%s", "a\x1b[2Jb\n\xc3\xa4");
    CHECK_STR(f.text, "a?[2Jb?\xc3\xa4");
    f = (struct fail){0};
    for (size_t i = 0; i + 2 < sizeof longest; i += 2)
        memcpy(longest + i, "\xc3\xa4", 3);
    fail(&f, FAIL_INPUT, "x%s", longest);
    CHECK(strlen(f.text) < sizeof f.text);
    CHECK(strlen(f.text) % 2 == 0);         /* x, whole characters, three dots */
    CHECK_STR(f.text + strlen(f.text) - 5, "\xc3\xa4...");
    f = (struct fail){0};
    fail(&f, FAIL_INPUT, "%s", longest);
    CHECK_STR(f.text + strlen(f.text) - 5, "\xc3\xa4...");
}
