/* html.c - see html.h. */
#include "tools/html.h"

#include "formats/file.h"
#include "formats/output.h"
#include "formats/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char style[] =
    ":root{color-scheme:light dark;--bg:#fff;--text:#1b1f23;--soft:#56606a;--line:#c9d0d7;--panel:#f4f6f8;--link:#1f5fa8;"
    "--s0:#1f5fa8;--s1:#b3470b;--s2:#1b7a3d;--s3:#7a3e9d;--s4:#7d6200;--s5:#a3195b;"
    "--h0:#edf3fa;--h1:#d3e3f3;--h2:#b0cdea;--h3:#86b2de;--h4:#5b94cf;--h5:#3876bb;--h6:#1f5a9f;--h7:#123f77;--h8:#08284f;"
    "--good:#1b7a3d;--bad:#b00020}"
    "@media (prefers-color-scheme:dark){:root{--bg:#13171b;--text:#e7eaed;--soft:#a8b1ba;--line:#3d454d;--panel:#1c2228;--link:#86bbf2;"
    "--s0:#7ab3ef;--s1:#f0a06a;--s2:#7fd09a;--s3:#cda3ec;--s4:#dcc25a;--s5:#f48fbf;"
    "--h0:#1a2530;--h1:#20364b;--h2:#274a6b;--h3:#2f5f8c;--h4:#3d78b0;--h5:#5b96cd;--h6:#86b6e3;--h7:#b3d3f1;--h8:#e2effb;"
    "--good:#7fd09a;--bad:#ff8f8f}}"
    "*{box-sizing:border-box}"
    "html{font:100%/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',sans-serif;-webkit-text-size-adjust:100%}"
    "body{margin:0;background:var(--bg);color:var(--text)}"
    "header,main,footer{max-width:64rem;margin:0 auto;padding:0 1rem}"
    "header{padding-top:1.5rem}footer{padding-bottom:2rem;color:var(--soft);font-size:.875rem;border-top:1px solid var(--line);"
    "padding-top:1rem;margin-top:2rem}"
    "h1{font-size:1.6rem;line-height:1.25;margin:0 0 .5rem;overflow-wrap:anywhere}"
    "h2{font-size:1.25rem;margin:2.25rem 0 .5rem;padding-bottom:.25rem;border-bottom:1px solid var(--line)}"
    "h3{font-size:1.05rem;margin:1.5rem 0 .5rem;overflow-wrap:anywhere}p{margin:.5rem 0;max-width:46rem}"
    ".lead{color:var(--soft);overflow-wrap:anywhere}"
    ".verdict{font-size:1.2rem;line-height:1.45;background:var(--panel);border-left:.3rem solid var(--link);padding:.75rem 1rem;"
    "margin:1rem 0;border-radius:.25rem;max-width:none;overflow-wrap:anywhere}"
    ".note{color:var(--soft);font-size:.9rem}.good{color:var(--good)}.bad{color:var(--bad);font-weight:600}"
    "a{color:var(--link)}:focus-visible{outline:3px solid var(--link);outline-offset:2px}"
    ".skip{position:absolute;left:-99rem}.skip:focus{position:static}"
    "code{font-family:ui-monospace,'Cascadia Mono','DejaVu Sans Mono',Menlo,Consolas,monospace;font-size:.9em;overflow-wrap:anywhere}"
    ".scroll{overflow-x:auto;margin:.75rem 0}"
    "table{border-collapse:collapse;font-size:.9rem;min-width:50%}caption{text-align:left;color:var(--soft);padding:.25rem 0;font-size:.9rem}"
    "th,td{padding:.3rem .6rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}"
    "thead th{border-bottom:2px solid var(--line);vertical-align:bottom}tbody th{font-weight:400}"
    ".n{text-align:right;font-variant-numeric:tabular-nums}td.n{white-space:pre}"
    "dl{display:grid;grid-template-columns:minmax(7rem,max-content) 1fr;gap:.25rem 1rem;margin:.75rem 0}dt{color:var(--soft)}"
    "dd{margin:0;overflow-wrap:anywhere}"
    "figure{margin:1rem 0}figcaption{color:var(--soft);font-size:.9rem;margin-bottom:.35rem;max-width:46rem}"
    "svg{display:block;max-width:100%;height:auto;font:12px system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',sans-serif}"
    ".narrow{display:none}"
    "@media screen and (max-width:47rem){.wide{display:none}.narrow{display:block}h1{font-size:1.35rem}.verdict{font-size:1.05rem}"
    "th,td{padding:.3rem .4rem}dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.4rem}"
    ".cards,.cards tbody,.cards caption{display:block}.cards thead{position:absolute;left:-999rem}"
    ".cards tr{display:block;border-bottom:1px solid var(--line);padding:.4rem 0}.cards th,.cards td{border:0;padding:.05rem 0}"
    ".cards th{display:block;font-weight:600}.cards td{display:flex;justify-content:space-between;gap:1rem;text-align:right}"
    ".cards td::before{content:attr(data-label);color:var(--soft);text-align:left;white-space:normal}.cards td:empty{display:none}}"
    "svg text{fill:var(--text)}svg .soft{fill:var(--soft)}svg .axis{stroke:var(--soft);fill:none}svg .grid{stroke:var(--line);fill:none}"
    "svg .mark{stroke-width:2;fill:none}svg .on{fill:var(--bg);font-weight:700}"
    ".s0{stroke:var(--s0);fill:var(--s0)}.s1{stroke:var(--s1);fill:var(--s1);stroke-dasharray:7 3}"
    ".s2{stroke:var(--s2);fill:var(--s2);stroke-dasharray:2 3}.s3{stroke:var(--s3);fill:var(--s3);stroke-dasharray:9 3 2 3}"
    ".s4{stroke:var(--s4);fill:var(--s4);stroke-dasharray:14 4}.s5{stroke:var(--s5);fill:var(--s5);stroke-dasharray:1 4}.s6{fill:var(--soft)}"
    "svg .dot{stroke-dasharray:none;stroke:var(--bg);stroke-width:1.5}svg .area{stroke-dasharray:none;stroke:none}"
    "svg .h0,svg .h1{stroke:var(--line)}.h0{fill:var(--h0)}.h1{fill:var(--h1)}.h2{fill:var(--h2)}.h3{fill:var(--h3)}.h4{fill:var(--h4)}.h5{fill:var(--h5)}"
    ".h6{fill:var(--h6)}.h7{fill:var(--h7)}.h8{fill:var(--h8)}"
    ".legend{list-style:none;padding:0;margin:.4rem 0;display:flex;flex-wrap:wrap;gap:.2rem 1.25rem;font-size:.9rem}"
    ".legend li{display:flex;align-items:center;gap:.4rem;overflow-wrap:anywhere}.legend svg{flex:none}"
    ".multiples{display:grid;grid-template-columns:repeat(auto-fit,minmax(18rem,1fr));gap:1rem}.multiples figure{margin:.25rem 0}"
    "details{margin:.75rem 0;border:1px solid var(--line);border-radius:.25rem;padding:.4rem .75rem}summary{cursor:pointer}"
    "pre{overflow:auto;font-size:.8rem;background:var(--panel);padding:.75rem;max-height:30rem;white-space:pre-wrap;overflow-wrap:anywhere}"
    "@media print{:root{--bg:#fff;--text:#000;--soft:#444;--line:#bbb;--panel:#fff}html{font-size:10pt}table{font-size:.75rem}th,td{padding:.2rem .35rem}.skip{display:none}"
    "figure,tr,.verdict{break-inside:avoid}h2,h3{break-after:avoid}.scroll{overflow:visible}pre{max-height:none}"
    "*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}";

/* ---- text ---- */
static void put(struct html *h, const char *s, size_t n)
{
    h->text = arena_grow(h->arena, h->text, &h->cap, h->n + n + 1, 1);
    memcpy(h->text + h->n, s, n);
    h->n += n;
    h->text[h->n] = '\0';
}

void html_raw(struct html *h, const char *markup)
{
    put(h, markup, strlen(markup));
}

static char *formatted(struct html *h, const char *format, va_list ap)
{
    va_list again;
    char *s;
    int n;

    va_copy(again, ap);
    n = vsnprintf(NULL, 0, format, ap);
    s = arena_raw(h->arena, (size_t)n + 1);
    vsnprintf(s, (size_t)n + 1, format, again);
    va_end(again);
    return s;
}

void html_rawf(struct html *h, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    html_raw(h, formatted(h, format, ap));
    va_end(ap);
}

/* U+202A..U+202E, U+2066..U+2069, U+200E, U+200F, U+061C turn text around and could make a name read as another. */
static bool turns_text(const unsigned char *s, size_t n)
{
    if (n == 2)
        return s[0] == 0xd8 && s[1] == 0x9c;
    if (n != 3 || s[0] != 0xe2)
        return false;
    return (s[1] == 0x80 && ((s[2] >= 0xaa && s[2] <= 0xae) || s[2] == 0x8e || s[2] == 0x8f)) ||
           (s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9);
}

static const char *entity(char c)
{
    switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    default: return NULL;
    }
}

void html_text(struct html *h, const char *s)
{
    for (size_t left = s ? strlen(s) : 0; left;) {
        size_t n = utf8_length(s, left);
        const char *special = n == 1 ? entity(*s) : NULL;
        bool control = n == 1 && (unsigned char)*s < 32 && *s != '\n' && *s != '\t';
        /* the C1 controls are two bytes, c2 80 to c2 9f */
        bool bad = !n || control || (n == 1 && *s == 127) || (n == 2 && (unsigned char)s[0] == 0xc2 && (unsigned char)s[1] < 0xa0) ||
                   turns_text((const unsigned char *)s, n);
        if (special)
            html_raw(h, special);
        else if (bad)
            html_raw(h, "\xEF\xBF\xBD");
        else
            put(h, s, n);
        n = n ? n : 1;
        s += n;
        left -= n;
    }
}

void html_textf(struct html *h, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    html_text(h, formatted(h, format, ap));
    va_end(ap);
}

void html_name(struct html *h, const char *name)
{
    html_raw(h, "<bdi><code>");
    html_text(h, name);
    html_raw(h, "</code></bdi>");
}

static void element(struct html *h, const char *tag, const char *text)
{
    html_rawf(h, "<%s>", tag);
    html_text(h, text);
    html_rawf(h, "</%s>\n", tag);
}

/* ---- the page ---- */
void html_page_begin(struct html *h, const char *title, const char *lead)
{
    html_raw(h, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
                "<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"generator\" content=\"bantam " BANTAM_VERSION "\">\n");
    element(h, "title", title);
    html_raw(h, "<style>");
    html_raw(h, style);
    html_raw(h, "</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#main\">Skip to the content</a>\n<header>\n");
    element(h, "h1", title);
    if (lead) {
        html_raw(h, "<p class=\"lead\">");
        html_text(h, lead);
        html_raw(h, "</p>\n");
    }
    html_raw(h, "</header>\n<main id=\"main\">\n");
}

void html_page_end(struct html *h, const char *footer)
{
    html_raw(h, "</main>\n<footer>\n");
    element(h, "p", footer);
    html_raw(h, "</footer>\n</body>\n</html>\n");
}

int html_may_write(const char *path, bool force, struct fail *f)
{
    struct arena tmp = {0};

    if (!force && path_exists(path))
        return fail(f, FAIL_USAGE, "'%s' exists already", path), fail_hint(f, "--force replaces it");
    if (access(path_dir(&tmp, path), W_OK) != 0)
        fail_errno(f, "'%s' cannot be written", path);
    arena_release(&tmp);
    return failed(f) ? -1 : 0;
}

int html_write(const struct html *h, const char *path, struct fail *f)
{
    return file_write(path, h->text, h->n, f);
}

void html_section_begin(struct html *h, const char *id, const char *title)
{
    html_rawf(h, "<section aria-labelledby=\"%s\">\n<h2 id=\"%s\">", id, id);
    html_text(h, title);
    html_raw(h, "</h2>\n");
}

void html_section_end(struct html *h)
{
    html_raw(h, "</section>\n");
}

void html_heading(struct html *h, const char *title)
{
    element(h, "h3", title);
}

void html_paragraph(struct html *h, const char *text)
{
    element(h, "p", text);
}

void html_details_begin(struct html *h, const char *summary)
{
    html_raw(h, "<details>\n");
    element(h, "summary", summary);
}

void html_details_end(struct html *h)
{
    html_raw(h, "</details>\n");
}

/* ---- tables ---- */
void html_table_begin(struct html *h, const char *caption, const struct html_head *head, size_t n)
{
    html_raw(h, "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"");
    html_text(h, caption);
    html_rawf(h, "\">\n<table role=\"table\"%s>\n", n > 3 ? " class=\"cards\"" : "");
    element(h, "caption", caption);
    html_raw(h, "<thead role=\"rowgroup\"><tr role=\"row\">");
    for (size_t i = 0; i < n; i++) {
        html_rawf(h, "<th role=\"columnheader\" scope=\"col\"%s>", head[i].kind == HTML_NUMBER ? " class=\"n\"" : "");
        html_text(h, head[i].title);
        html_raw(h, "</th>");
    }
    html_raw(h, "</tr></thead>\n<tbody role=\"rowgroup\">\n");
}

static void cell_begin(struct html *h, const struct html_head *head, bool first)
{
    html_raw(h, first ? "<th role=\"rowheader\" scope=\"row\"" : "<td role=\"cell\" data-label=\"");
    if (!first) {
        html_text(h, head->title);
        html_raw(h, "\"");
    }
    html_raw(h, head->kind == HTML_NUMBER ? " class=\"n\">" : ">");
}

/* On phones a row stands as a card, so each cell brings its column's title; roles keep it a table for screen readers. */
void html_row(struct html *h, const struct html_head *head, const char *const *cell, size_t n)
{
    html_raw(h, "<tr role=\"row\">");
    for (size_t i = 0; i < n; i++) {
        cell_begin(h, &head[i], i == 0);
        if (cell[i] && *cell[i])
            (head[i].kind == HTML_NAME ? html_name : html_text)(h, cell[i]);
        html_raw(h, i ? "</td>" : "</th>");
    }
    html_raw(h, "</tr>\n");
}

void html_table_end(struct html *h)
{
    html_raw(h, "</tbody>\n</table>\n</div>\n");
}

void html_list_begin(struct html *h)
{
    html_raw(h, "<dl>\n");
}

void html_list_item(struct html *h, const char *term, const char *text, bool name)
{
    html_raw(h, "<dt>");
    html_text(h, term);
    html_raw(h, "</dt><dd>");
    (name ? html_name : html_text)(h, text);
    html_raw(h, "</dd>\n");
}

void html_list_end(struct html *h)
{
    html_raw(h, "</dl>\n");
}

void html_figure_begin(struct html *h, const char *caption)
{
    html_raw(h, "<figure>\n");
    element(h, "figcaption", caption);
}

void html_figure_end(struct html *h)
{
    html_raw(h, "</figure>\n");
}
