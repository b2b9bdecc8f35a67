/* lines.c - line ends, and JSON a line. */
#include "formats/lines.h"

#include "tests/unit/test.h"

TEST(lines_end_with_lf_crlf_or_nothing)
{
    static const char text[] = "\xef\xbb\xbf" "one\r\n\ntwo\rtwo\nlast";
    static const struct { const char *line; size_t n; } want[] = { { "one", 3 }, { "", 0 }, { "two\rtwo", 7 }, { "last", 4 } };
    struct fail f = {0};
    struct lines l;
    const char *line;
    size_t n;

    CHECK(lines_open(&l, text, strlen(text), &f) == 0);
    for (size_t i = 0; i < 4; i++) {
        CHECK(lines_next(&l, &line, &n) && n == want[i].n && memcmp(line, want[i].line, n) == 0);
        CHECK_U64(l.no, i + 1);
    }
    CHECK(!lines_next(&l, &line, &n));
    CHECK(lines_open(&l, "", 0, &f) == 0 && !lines_next(&l, &line, &n));
}

TEST(lines_of_json_name_the_line_that_is_wrong)
{
    static const struct { const char *text, *want; } cases[] = {
        { "{}\n\n  \n{\"a\":1}\r\n", "" },
        { "{}\n{\"a\":}\n", "line 2: JSON is malformed, column 6" },
        { "{}\n[1]\n", "line 2: a JSON object is wanted" },
        { "3", "line 1: a JSON object is wanted" },
        { "{\"a\":1} {}", "line 1: " },
        { "\n{\"a\":1,\"a\":2}", "line 2: key 'a' stands twice in one object" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena a = {0};
        struct fail f = {0};
        struct lines l;

        CHECK(lines_open(&l, cases[i].text, strlen(cases[i].text), &f) == 0);
        while (lines_next_json(&l, &a, &f))
            continue;
        if (strncmp(f.text, cases[i].want, strlen(cases[i].want)) != 0 || (!*cases[i].want && *f.text))
            test_failed(__FILE__, __LINE__, "'%s' gives '%s'", cases[i].text, f.text);
        arena_release(&a);
    }
}
