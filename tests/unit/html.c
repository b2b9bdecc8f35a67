/* html.c - what comes from files cannot become markup, and drawings stay within their axes. */
#include "tools/html.h"
#include "tools/plot.h"

#include "tests/unit/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

TEST(html_escapes_text)
{
    static const struct {
        const char *text, *html;
    } cases[] = {
        { "plain", "plain" }, { "<script>alert(\"1\")</script>", "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;" },
        { "a & b 'c'", "a &amp; b &#39;c&#39;" }, { "\x1b[31mred\x07", "\xEF\xBF\xBD[31mred\xEF\xBF\xBD" },
        { "caf\xC3\xA9 \xE2\x9C\x93", "caf\xC3\xA9 \xE2\x9C\x93" },
        { "cut \xE2\x9C", "cut \xEF\xBF\xBD\xEF\xBF\xBD" }, { "\xFF", "\xEF\xBF\xBD" },
        { "\xE2\x80\xAE" "fugg", "\xEF\xBF\xBD" "fugg" },   /* U+202E: text from here on is read backwards */
        { "\xE2\x81\xA6", "\xEF\xBF\xBD" }, { "\xC2\x85", "\xEF\xBF\xBD" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena a = {0};
        struct html h = { .arena = &a };
        html_text(&h, cases[i].text);
        CHECK_STR(h.text, cases[i].html);
        arena_release(&a);
    }
}

/* Nothing of a name opens an element or an attribute, wherever it is put. */
TEST(html_keeps_names_inside)
{
    static const struct html_head head[] = { { "<b>name", HTML_NAME }, { "\"><i>", HTML_NUMBER } };
    static const char evil[] = "\"><script>x</script><img src=x onerror=x>";
    const char *const cells[] = { evil, evil };
    struct arena a = {0};
    struct html h = { .arena = &a };

    html_page_begin(&h, evil, evil);
    html_section_begin(&h, "one", evil);
    html_table_begin(&h, evil, head, 2);
    html_row(&h, head, cells, 2);
    html_table_end(&h);
    html_figure_begin(&h, evil);
    plot_legend(&h, cells, 2);
    html_figure_end(&h);
    html_list_begin(&h);
    html_list_item(&h, evil, evil, true);
    html_list_end(&h);
    html_details_begin(&h, evil);
    html_details_end(&h);
    html_section_end(&h);
    html_page_end(&h, evil);
    CHECK(!strstr(h.text, "<script") && !strstr(h.text, "<img") && !strstr(h.text, "<b>") && !strstr(h.text, "<i>"));
    CHECK(strstr(h.text, "&lt;script&gt;") != NULL);
    arena_release(&a);
}

TEST(plot_axes_have_round_ends)
{
    static const struct {
        double values[3];
        bool log;
        double low, high;
    } cases[] = {
        { { 0.3, 4.6, 16.1 }, false, 0, 20 }, { { 0.0031, 0.2, 0.5 }, true, 0.001, 1 }, { { 0, 0, 0 }, true, 0.1, 1 },
        { { 5, 5, 5 }, false, 0, 5 }, { { NAN, INFINITY, 2 }, false, 0, 2 }, { { 1, 1, 1 }, true, 1, 10 }, { { -3, 0, 7 }, false, -4, 8 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct plot_axis a = plot_axis_of(cases[i].values, 3, sizeof(double), cases[i].log, "x");
        if (fabs(a.low - cases[i].low) > 1e-12 || fabs(a.high - cases[i].high) > 1e-9)
            test_failed(__FILE__, __LINE__, "case %zu: %g to %g", i, a.low, a.high);
    }
}

/* Numbers that are none, or far outside, do not get into coordinates. */
static void draw_odd(struct plot *p, const void *ctx)
{
    const struct plot_axis x = { 0, 0, false, "same ends", false }, y = { 1e-3, 10, true, "log", false };
    const double at[] = { 0, 0 }, values[] = { 0, 1e300 };

    (void)ctx;
    plot_axes(p, &x, &y);
    plot_line(p, at, values, 2, 0);
    plot_point(p, 0, 0, 1, 0, "zero on a log axis");
    plot_bar(p, 0, 0, "name", 0, 0, 0, 0, 0, "none");
}

TEST(plot_survives_odd_numbers)
{
    static const double none[] = { NAN, NAN };
    static const char *const names[] = { "a" }, *const titles[] = { NULL, NULL };
    const struct plot_grid g = { 1, 2, names, none, titles, "row", "column", true };
    struct arena a = {0};
    struct html h = { .arena = &a };

    plot_figure(&h, "odd", 100, draw_odd, NULL);
    plot_grid(&h, "empty", &g);
    CHECK(!strstr(h.text, "nan") && !strstr(h.text, "inf"));
    arena_release(&a);
}
