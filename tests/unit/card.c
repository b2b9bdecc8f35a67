/* card.c - front matter as people write it, and as nobody should. */
#include "convert/card.h"
#include "formats/file.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <unistd.h>

/* The tree of a card with this text, printed; "" for none; the failure's text if it failed. */
static const char *read_card(struct arena *a, const char *text)
{
    struct fail f = {0};
    char path[] = "/tmp/bantam-card-XXXXXX";
    int fd = mkstemp(path);
    const cJSON *tree;
    char *printed;

    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        return "no file";
    close(fd);
    tree = card_read(path, a, &f);
    unlink(path);
    if (failed(&f))
        return arena_strdup(a, f.text);
    printed = tree ? cJSON_PrintUnformatted(tree) : NULL;
    text = arena_strdup(a, printed ? printed : "");
    free(printed);
    return text;
}

TEST(card_keeps_scalars_as_written)
{
    struct arena a = {0};

    CHECK_STR(read_card(&a, "---\nlicense: mit\nversion: 1.10\nlanguage: [en, no]\ntags:\n- yes\n- 'a: b'\nempty:\nquoted: \"~\"\n---\nx: y\n"),
              "{\"license\":\"mit\",\"version\":\"1.10\",\"language\":[\"en\",\"no\"],\"tags\":[\"yes\",\"a: b\"],\"empty\":null,"
              "\"quoted\":\"~\"}");
    CHECK_STR(read_card(&a, "---\r\nlicense: mit\r\n---\r\n"), "{\"license\":\"mit\"}");
    CHECK_STR(read_card(&a, "---\na:\n\t- b\n---\n"), "{\"a\":[\"b\"]}");
    CHECK_STR(read_card(&a, "---\na: 1\na: 2"), "{\"a\":\"2\"}");
    arena_release(&a);
}

TEST(card_takes_marks_and_line_ends_as_they_come)
{
    struct arena a = {0};

    CHECK_STR(read_card(&a, "\xEF\xBB\xBF---\nlicense: mit\n---\n"), "{\"license\":\"mit\"}");
    CHECK_STR(read_card(&a, "\n  \r\n---  \r\nlicense: mit\r\n---  \r\n"), "{\"license\":\"mit\"}");
    CHECK_STR(read_card(&a, "---\rlicense: mit\r---\r# Title\r"), "{\"license\":\"mit\"}");
    CHECK_STR(read_card(&a, "---\nx: &k {a: 1}\ny: *k\n---\n"), "{\"x\":{\"a\":\"1\"},\"y\":{\"a\":\"1\"}}");
    CHECK_STR(read_card(&a, "---\na: b\nc: \xff\n---\n"), "the front matter is malformed YAML in line 3: invalid leading UTF-8 octet");
    arena_release(&a);
}

TEST(card_without_front_matter_is_none)
{
    struct arena a = {0};

    CHECK_STR(read_card(&a, ""), "");
    CHECK_STR(read_card(&a, "--"), "");
    CHECK_STR(read_card(&a, "# Title\n---\nlicense: mit\n---\n"), "");
    CHECK_STR(read_card(&a, "---\n---\n"), "");
    CHECK_STR(read_card(&a, "---\n- a list\n---\n"), "");
    arena_release(&a);
}

TEST(card_malformed_names_the_line)
{
    struct arena a = {0};

    CHECK_STR(read_card(&a, "---\nlicense: mit\ntags: [a\n---\n"),
              "the front matter is malformed YAML in line 4: did not find expected ',' or ']'");
    arena_release(&a);
}

TEST(card_survives_bombs_and_cycles)
{
    struct arena a = {0};
    char deep[5000] = "---\na: ";

    CHECK_STR(read_card(&a, "---\na: &x [*x]\n---\n"), "{\"a\":[null]}");
    read_card(&a, "---\na: &a [1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
              "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n---\n");
    CHECK(strstr(read_card(&a, "---\na: &a [1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
              "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nlicense: mit\n---\n"), "\"license\":\"mit\""));
    memset(deep + 7, '[', sizeof deep - 8);
    CHECK_STR(read_card(&a, deep), "the front matter is malformed YAML in line 2: it nests too deep");
    arena_release(&a);
}
