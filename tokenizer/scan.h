/* scan.h - private to tokenizer/: JSON read front to back without a tree, for vocabularies of many megabytes.
 *
 *     for (bool more = scan_enter(&s, '{'); more; more = scan_more(&s, '}'))
 *         if (scan_key(&s, &key)) ... exactly one value is read here ...
 *
 * Every function fails softly: after the first thing that is not JSON `bad` is set and all answers are "no". */
#ifndef BANTAM_SCAN_H
#define BANTAM_SCAN_H

#include "formats/meta.h"

#include <stdbool.h>

struct pool;

struct scan {
    const char *at, *end;
    bool bad;
};

char scan_peek(struct scan *);                              /* the first character of the next value; 0: none */
bool scan_enter(struct scan *, char open);                  /* false: empty, or not such a value (bad) */
bool scan_more(struct scan *, char close);                  /* steps over the comma, or out of the value */
bool scan_string(struct scan *, struct meta_string *raw);   /* between the quotes, escapes as they are */
bool scan_key(struct scan *, struct meta_string *raw);      /* a string and its colon */
double scan_number(struct scan *);
bool scan_skip(struct scan *);                              /* one value of any kind, of at most 128 levels */
bool scan_value(struct scan *, struct meta_string *span);   /* the same, and where it stands */

/* Escapes resolved, in the pool; .s NULL (and bad): not UTF-8, or a broken escape. U+0000 is let through. */
struct meta_string scan_unescape(struct scan *, struct meta_string raw, struct pool *);

#endif
