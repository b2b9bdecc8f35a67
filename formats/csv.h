/* csv.h - rows of comma-separated fields (RFC 4180): a field in double quotes may hold commas, line ends and, doubled, quotes.
 *
 * More lenient than the RFC where readers of such files are: a quote inside a field that does not start with one is a
 * character like others, LF or CR alone end a line as CR LF does, empty lines are skipped. */
#ifndef BANTAM_CSV_H
#define BANTAM_CSV_H

#include "formats/lines.h"

struct csv {
    struct lines rest;
    char *out;                  /* room for what is left and a NUL: each field goes where the one before it ended */
    struct arena *arena;
};

struct csv_row {
    const char **field;         /* n, unquoted, NUL-terminated; in the arena */
    size_t n;
    size_t line;                /* where it starts */
};

/* n bytes of text, checked as lines_open() does. */
int csv_open(struct csv *, const char *text, size_t n, struct arena *, struct fail *);

/* 1: there is a row, 0: the end, -1: FAIL_INPUT naming the line: a quote that is never closed, or text behind one. */
int csv_next(struct csv *, struct csv_row *, struct fail *);

#endif
