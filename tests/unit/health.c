/* health.c - every code has a word of its own and a remedy, and docs/doctor.md lists it. */
#include "verify/health.h"

#include "formats/file.h"
#include "tests/unit/test.h"

#include <stdlib.h>

TEST(health_codes_are_distinct_and_documented)
{
    const char *golden = getenv("BANTAM_GOLDEN");
    struct arena a = {0};
    struct fail f = {0};
    const char *doc = file_read_text(arena_printf(&a, "%s/../../docs/doctor.md", golden ? golden : "tests/golden"), 1 << 20, &a, NULL, &f);

    CHECK(doc);
    for (int i = 0; i < HEALTH_CODES; i++) {
        const char *row = strstr(doc, arena_printf(&a, "| `%s` | %s | ", health_word(i), health_level_word(health_level(i))));

        CHECK(*health_remedy(i));
        CHECK(row);
        for (int k = 0; k < i; k++)
            CHECK(strcmp(health_word(i), health_word(k)) != 0);
    }
    arena_release(&a);
}
