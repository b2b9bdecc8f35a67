/* lines.h - text from outside, line by line: checked once as a whole, then plain lines, or JSONL, one JSON value a line.
 *
 * Line numbers count from 1, as editors do. Lines are views into the text, which must outlive them. */
#ifndef BANTAM_LINES_H
#define BANTAM_LINES_H

#include "formats/arena.h"
#include "formats/fail.h"
#include "formats/json.h"

#include <stdbool.h>
#include <stddef.h>

struct lines {
    const char *at;             /* of what is left */
    size_t left;
    size_t no;                  /* of the line handed out last */
};

/* From n bytes, past a byte-order mark. Bytes that are not UTF-8, and NUL: FAIL_INPUT naming the line. */
int lines_open(struct lines *, const char *text, size_t n, struct fail *);

/* The next line without its end, LF or CR LF; false: there is none. */
bool lines_next(struct lines *, const char **line, size_t *n);

/* The next line that is not blank, as a JSON object whose tree hangs on `owner`. NULL: the end, or FAIL_INPUT naming the line. */
cJSON *lines_next_json(struct lines *, struct arena *owner, struct fail *);

#endif
