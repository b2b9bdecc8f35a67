/* license_match.h - what the two halves of recognition share: license_match.c decides, license_like.c compares. */
#ifndef BANTAM_LICENSE_MATCH_H
#define BANTAM_LICENSE_MATCH_H

#include "formats/license_text.h"

enum { SHIFTS = 16 };

struct match {
    struct license_words w;
    bool *known;                        /* of each word: is it part of a text that was recognized? */
    uint32_t *sample[SHIFTS];           /* of this text, in its order, and the word where each begins */
    uint32_t *sample_at[SHIFTS];
    size_t nsamples[SHIFTS];
    struct text_report *r;
    struct arena *a, tmp;               /* tmp: for one comparison */
};

/* What of a text is likest to a known one: words [first, end). */
struct likeness {
    const struct license_print *print;          /* NULL: nothing is like it */
    double dice;
    size_t first, end;
};

/* The likest known text of a license's `part`, by words that are not recognized yet. */
struct likeness likest_part(struct match *, const char *license, const char *part);

/* Clauses of words [first, end) that the known text lacks, and where clauses of it are gone. */
void find_changes(struct match *, const struct license_print *, size_t first, size_t end, struct text_finding *);

/* Appends words [first, end) to a list of at most 8 places; none: a place where something is missing. */
void add_place(struct match *, struct text_place **list, size_t *n, size_t first, size_t end);

#endif
