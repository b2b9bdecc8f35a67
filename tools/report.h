/* report.h - how results are shown: JSON for scripts, tables that fit a terminal for people, and a line of progress. */
#ifndef BANTAM_REPORT_H
#define BANTAM_REPORT_H

#include "formats/json.h"
#include "formats/meta.h"
#include "formats/model.h"
#include "formats/usage.h"
#include "tools/args.h"

/* ---- numbers as people read them; the buffers are the caller's ---- */
enum { SIZE_TEXT = 32 };
const char *size_text(char text[SIZE_TEXT], uint64_t nbytes);      /* "4.92 GB": powers of 1000 */
const char *count_text(char text[SIZE_TEXT], uint64_t n);          /* "8.03 B", "4.2 M" */
const char *time_text(char text[SIZE_TEXT], double seconds);       /* "1 h 02 min", "3 min 20 s", "0.4 s" */

/* ---- how much of what is in a model ---- */
struct amount {
    uint64_t tensors, weights, nbytes;
};

struct amount amount_of(const struct model *, const struct qtype *only);   /* NULL: of all encodings */
double amount_bits(struct amount);              /* per weight; 0 of nothing */
void print_types(const struct model *);         /* one row per encoding */

/* ---- JSON ---- */
cJSON *json_text(const char *s, uint64_t n);    /* a string item; bytes that are not UTF-8 become U+FFFD */
void json_add_text(cJSON *object, const char *key, const char *value);         /* NULL: null */
void json_add_text_if(cJSON *object, const char *key, const char *value);      /* NULL: nothing */
cJSON *json_meta(const struct meta_value *);    /* an item; arrays of more than 16 become {"array", "count"} */
cJSON *json_whole(uint64_t);                    /* exact, also beyond 2^53 */
int json_print(cJSON *, struct fail *);         /* to stdout, deleted; a failed write is FAIL_SYSTEM */

/* ---- text ---- */
/* Prints s in `width` terminal columns: padded, or cut with an ellipsis; control characters as '?'. print_last is for the
 * end of a line: it does not pad. */
void print_cell(const char *s, int width);
void print_last(const char *s, int width);
int terminal_columns(void);                     /* of stdout; 80 when it is not a terminal */
/* A paragraph whose first line goes on at column `at` and whose others begin at column `indent`, and a line's end. Invisible
 * and control characters are shown as '?'. */
void print_wrapped(const char *s, int at, int indent);
enum paint { PAINT_NONE, PAINT_BOLD, PAINT_GOOD, PAINT_WARN, PAINT_BAD };
/* Bold or colored, only where stdout is a terminal and NO_COLOR (no-color.org) is not set; PAINT_NONE ends it. */
void paint(enum paint);
int stdout_done(struct fail *);                 /* flushes; a failed write is FAIL_SYSTEM */

/* ---- progress on stderr: what, bytes done of total, rate, time left ---- */
struct meter {
    const char *what;
    bool on, shown;
    double start, last;
};

void meter_start(struct meter *, const struct args *, const char *what);
void meter_bytes(void *meter, uint64_t done, uint64_t total);                       /* struct progress's fn */
void meter_steps(void *meter, const char *what, uint64_t done, uint64_t total);     /* struct score_options' */
void meter_end(struct meter *);                                                     /* wipes the line */


#endif
