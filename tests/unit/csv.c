/* csv.c - fields in and out of quotes, line ends of all kinds, and what is refused. */
#include "formats/csv.h"

#include "tests/unit/test.h"

static struct fail f;
static struct arena a;

/* All fields, rows apart by '|' and fields by ';', behind each row its line. */
static const char *rows(const char *text, size_t n)
{
    struct csv c;
    struct csv_row row;
    char *out = arena_strdup(&a, "");
    int more;

    f = (struct fail){0};
    if (csv_open(&c, text, n, &a, &f) != 0)
        return f.text;
    while ((more = csv_next(&c, &row, &f)) > 0) {
        for (size_t i = 0; i < row.n; i++)
            out = arena_printf(&a, "%s%s;", out, row.field[i]);
        out = arena_printf(&a, "%s%zu|", out, row.line);
    }
    return more < 0 ? f.text : out;
}

TEST(csv_reads_quotes_commas_and_line_ends)
{
    static const struct { const char *text, *want; } cases[] = {
        { "", "" },
        { "\n\r\n\n", "" },
        { "a", "a;1|" },
        { "a,b\nc,d\n", "a;b;1|c;d;2|" },
        { "a,b\r\nc,d\r\n", "a;b;1|c;d;2|" },
        { "a,,\n,\n", "a;;;1|;;2|" },
        { "\"x, y\",\"say \"\"hi\"\"\",\"two\nlines\"\nnext,1,2", "x, y;say \"hi\";two\nlines;1|next;1;2;3|" },
        { "\"\",\"\"\"\"\n", ";\";1|" },
        { "5\" pipe,a\"b\"\n", "5\" pipe;a\"b\";1|" },
        { "\xef\xbb\xbf" "a\n\n\nb", "a;1|b;4|" },
        { "a\rb,c\r\r\"d\re\"\rf", "a;1|b;c;2|d\re;4|f;6|" },
        { "a,\"b\"\r", "a;b;1|" },
        { "\"a\r\nb\"\r\nc", "a\r\nb;1|c;3|" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_STR(rows(cases[i].text, strlen(cases[i].text)), cases[i].want);
    arena_release(&a);
}

TEST(csv_refuses_quotes_that_do_not_close_and_what_is_no_text)
{
    CHECK_STR(rows("a\nb,\"c\nd\n", 9), "line 2: a quote is opened here and never closed");
    CHECK_STR(rows("a\n\"b\nc\"d\n", 9), "line 3: text behind the quote that closes a field");
    CHECK_STR(rows("a\n\"", 3), "line 2: a quote is opened here and never closed");
    CHECK_STR(rows("a\nb\0c\n", 6), "line 2 holds a NUL byte at offset 3: this is no text");
    CHECK_STR(rows("a\nb\nsm\xf8r\n", 9), "line 3 is not UTF-8: byte 0xf8 at offset 6");
    CHECK_STR(f.hint, "if it is Latin-1: iconv -f latin1 -t utf-8");
    arena_release(&a);
}

/* Whatever the quotes, fields never outgrow the room for them (the sanitizers look on). */
TEST(csv_takes_any_cut)
{
    static const char text[] = "\"a\"\"b\",c\r\n\"\n\",\"x,y\"\r\nlast,\"z\"";

    for (size_t n = 0; n < sizeof text; n++)
        CHECK(rows(text, n));
    arena_release(&a);
}
