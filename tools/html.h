/* html.h - one self-contained page: text from outside escaped, one style sheet for screen, phone, dark and paper, no script
 * and no network (the page itself forbids both). Sections, tables and figures in a form that screen readers can walk.
 *
 * What comes from files (names, values, paths) goes through html_text(), html_name() or a table cell; html_raw() is for
 * markup that stands in this program. Everything hangs on the arena. */
#ifndef BANTAM_HTML_H
#define BANTAM_HTML_H

#include "formats/arena.h"
#include "formats/fail.h"

#include <stdbool.h>
#include <stddef.h>

struct html {
    struct arena *arena;
    char *text;
    size_t n, cap;
};

void html_raw(struct html *, const char *markup);
/* Markup with numbers in it; %s only for what stands in this program. */
void html_rawf(struct html *, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Escaped. Bytes that are not UTF-8, control characters and those that change the direction of text become U+FFFD. */
void html_text(struct html *, const char *);
void html_textf(struct html *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A name from a file: escaped, set as code, kept apart from the text around it, and allowed to break anywhere. */
void html_name(struct html *, const char *);

/* <!doctype> to the beginning of <main>; `lead` stands under the heading, NULL: nothing. */
void html_page_begin(struct html *, const char *title, const char *lead);
void html_page_end(struct html *, const char *footer);
/* Before any long work: may a page be written there? FAIL_USAGE: it exists, and `force` is not set; FAIL_SYSTEM: no such directory,
 * no permission. */
int html_may_write(const char *path, bool force, struct fail *);
/* The finished page to `path` (file.h: PATH.part, then renamed). */
int html_write(const struct html *, const char *path, struct fail *);

/* `id` is a word of this program; the heading's level is 2. */
void html_section_begin(struct html *, const char *id, const char *title);
void html_section_end(struct html *);
void html_heading(struct html *, const char *title);            /* level 3 */
void html_paragraph(struct html *, const char *text);
void html_details_begin(struct html *, const char *summary);    /* closed until somebody opens it */
void html_details_end(struct html *);

/* ---- tables ---- */
/* A column's head; a name or text goes to the left, numbers to the right. */
enum html_column { HTML_TEXT, HTML_NAME, HTML_NUMBER };
struct html_head {
    const char *title;
    enum html_column kind;
};

/* Rows follow as html_row() with one string for each column (NULL: an empty cell); the first cell is the row's head. */
void html_table_begin(struct html *, const char *caption, const struct html_head *, size_t n);
void html_row(struct html *, const struct html_head *, const char *const *cell, size_t n);
void html_table_end(struct html *);

/* ---- names and values ---- */
void html_list_begin(struct html *);                            /* a description list */
void html_list_item(struct html *, const char *term, const char *text, bool name);
void html_list_end(struct html *);

/* ---- figures ---- */
void html_figure_begin(struct html *, const char *caption);
/* The same figures in words or as a table may follow the drawing, before the end. */
void html_figure_end(struct html *);

#endif
