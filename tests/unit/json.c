#include "formats/json.h"
#include "tests/unit/test.h"

static struct fail f;

static cJSON *parse(struct arena *a, const char *text)
{
    f = (struct fail){0};
    return json_parse(text, strlen(text), "x.json", a, &f);
}

TEST(json_reads_values)
{
    struct arena a = {0};
    cJSON *t = parse(&a, "\xef\xbb\xbf{\"s\": \"\\u00e4\\n\", \"n\": 12, \"a\": [1, {}], \"big\": 9007199254740993, \"neg\": -1, \"half\": 0.5}\n ");
    uint64_t u;

    CHECK(t);
    CHECK_STR(json_str(t, "s", NULL), "\xc3\xa4\n");
    CHECK_STR(json_str(t, "n", "no"), "no");
    CHECK(json_u64(cJSON_GetObjectItem(t, "n"), &u) && u == 12);
    CHECK(!json_u64(cJSON_GetObjectItem(t, "neg"), &u));
    CHECK(!json_u64(cJSON_GetObjectItem(t, "half"), &u));
    CHECK(!json_u64(NULL, &u));
    arena_release(&a);
}

TEST(json_refusals)
{
    static const struct { const char *text, *sentence; } c[] = {
        { "", "JSON is malformed at line 1, column 1" },
        { "{\"a\": 1", "JSON ends inside an object or array at line 1, column 8" },
        { "{\"a\": 1,\n \"b\" 2}", "JSON is malformed at line 2, column 6" },
        { "{} x", "more text behind the end of the JSON value at line 1, column 4" },
        { "[\"a\nb\"]", "control character inside a string at line 1, column 4" },
        { "[\"a\\u0000\"]", "character U+0000 inside a string at line 1, column 4" },
        { "[\"abc", "string without an end at line 1, column 6" },
        { "[\"abc\\", "string without an end at line 1, column 7" },
        { "[\"\xff\"]", "invalid UTF-8 at line 1, column 3" },
        { "[\"\xc0\x80\"]", "invalid UTF-8 at line 1, column 3" },
        { "[\"\xed\xa0\x80\"]", "invalid UTF-8 at line 1, column 3" },
        { "[\"\xe2\x82", "invalid UTF-8 at line 1, column 3" },
        { "{\"a\": {\"k\": 1, \"j\": 2, \"k\": 3}}", "key 'k' stands twice in one object" },
        { "[{\"a\":1}, {\"a\":1, \"a\":2}]", "key 'a' stands twice in one object" },
    };

    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        struct arena a = {0};

        CHECK(!parse(&a, c[i].text));
        CHECK(f.kind == FAIL_INPUT);
        CHECK_STR(f.text, c[i].sentence);
        CHECK_STR(f.where, "x.json");
        arena_release(&a);
    }
}

TEST(json_depth_is_bounded)
{
    struct arena a = {0};
    char text[2 * 200000 + 1];

    memset(text, '[', 200000);
    memset(text + 200000, ']', 200000);
    text[400000] = 0;
    CHECK(!parse(&a, text));
    CHECK_STR(f.text, "more than 128 levels of nesting at line 1, column 130");
    CHECK(parse(&a, text + 200000 - 128) == NULL);      /* too many closing ones */
    text[200000 + 128] = 0;
    CHECK(parse(&a, text + 200000 - 128));
    arena_release(&a);
}

TEST(json_many_keys_are_compared_fast)
{
    struct arena a = {0};
    size_t n = 0, cap = 4 << 20;
    char *text = arena_raw(&a, cap);

    text[n++] = '{';
    for (int i = 0; i < 100000; i++)
        n += (size_t)snprintf(text + n, cap - n, "\"key%d\":%d,", i, i);
    n += (size_t)snprintf(text + n, cap - n, "\"key5\":0}");
    CHECK(!parse(&a, text));
    CHECK_STR(f.text, "key 'key5' stands twice in one object");
    arena_release(&a);
}

TEST(json_missing_file)
{
    struct arena a = {0};

    f = (struct fail){0};
    CHECK(!json_read("/nonexistent/config.json", 1000, &a, &f));
    CHECK(f.kind == FAIL_INPUT);
    CHECK_STR(f.where, "/nonexistent/config.json");
    CHECK_STR(f.text, "does not exist");
}
