/* license_text.h - which license is this text?
 *
 * A text is taken as its words: letters in lower case and digits, American spelling; white space, line breaks, punctuation,
 * quotes, dashes, bullets, markup, comment marks, links and addresses do not count, as the SPDX matching guidelines want it
 * (annex B of the SPDX specification); every word and number does. Known texts are kept as fingerprints (license_prints.def,
 * made by tests/gen/license_prints.c): the SHA-256 of their words, a sample of the hashes of three words in a row for
 * similarity, and a hash for each clause, so that the place of a change can be shown without the text. */
#ifndef BANTAM_LICENSE_TEXT_H
#define BANTAM_LICENSE_TEXT_H

#include "formats/license.h"

enum { LICENSE_TEXT_MAX = 4 << 20 };    /* bytes of a file that are looked at */

struct license_words {
    const char *text;           /* as given; not copied */
    size_t nbytes;
    uint64_t *hash;             /* of each word */
    uint64_t *sum;              /* n + 1 prefix sums of a polynomial over them */
    uint32_t *at, *end;         /* its first byte, and the one behind it */
    bool *stop;                 /* a clause ends behind it */
    const char *clean;          /* the words in normal form, a blank behind each ... */
    uint32_t *clean_at;         /* ... and where each begins; n + 1 */
    size_t n;
};

void license_words_of(struct license_words *, const char *text, size_t nbytes, struct arena *);
uint64_t license_words_hash(const struct license_words *, size_t first, size_t n);
void license_words_sha256(const struct license_words *, size_t first, size_t n, uint8_t digest[32]);
size_t license_words_line(const struct license_words *, size_t word);      /* from 1 */
/* The position of `phrase` (taken as words too) at or behind `from`; SIZE_MAX: none. */
size_t license_words_find(const struct license_words *, const char *phrase, size_t from);

/* ---- fingerprints ---- */
enum { LICENSE_HEAD = 8, LICENSE_SHINGLE = 3, LICENSE_SAMPLES = 256 };

struct license_print {
    const char *license;        /* id of its row */
    const char *part;           /* "license", "policy", "appendix" */
    const char *revision;       /* a date or version; "": there is one only */
    uint32_t nwords;
    uint64_t head, whole;       /* license_words_hash() of the first LICENSE_HEAD words, and of all */
    uint8_t sha256[32];
    unsigned shift;             /* samples are the shingle hashes whose low `shift` bits are 0 */
    const uint32_t *sample;     /* sorted; the high half of the hash */
    uint32_t nsamples;
    const uint32_t *clause;     /* hashes, in the order of the text */
    uint32_t nclauses;
};

size_t license_print_count(void);
const struct license_print *license_print_at(size_t i);
unsigned license_sample_shift(size_t nwords);
bool license_sample_of(const struct license_words *, size_t word, unsigned shift, uint32_t *sample);     /* of the shingle there */
/* The clause that begins at word `first`: one behind its last word. */
size_t license_clause_end(const struct license_words *, size_t first);

/* ---- recognition ---- */
enum text_match {
    TEXT_EXACT,                 /* every word of a known text */
    TEXT_PHRASES,               /* the phrases of a license whose text is not at hand to compare */
    TEXT_ALTERED,               /* a known text with changes or additions */
    TEXT_NAMED,                 /* speaks of the license (a header, a notice); not its text */
};

struct text_place {
    size_t line;                /* in the file, from 1 */
    const char *excerpt;        /* what stands there, one line; NULL: known words are missing there */
};

struct text_finding {
    const struct license *license;
    const char *part, *revision;        /* as in struct license_print; "notice" for the line of a notice file */
    enum text_match match;
    double similarity;          /* Dice of the shingles, 0 .. 1; 1 for an exact match, 0: there is nothing to compare with */
    size_t line, nwords;        /* where it begins, and how much of the file it is */
    struct text_place *place;   /* of the changes, at most 8 */
    size_t nplaces, missing;    /* clauses of the known text that are not here */
};

struct text_relative {
    const struct license *license;
    const char *revision;
    double similarity;
};

struct text_report {
    size_t nwords;
    struct text_finding *finding;       /* in the order of the file; none: an unknown text */
    size_t nfindings;
    struct text_relative near[3];       /* of an unknown text, the most similar first */
    size_t nnear;
    size_t extra;               /* words of what no finding explains; copyright lines and titles do not count */
    struct text_place *addition;        /* them, at most 8 */
    size_t nadditions;
};

/* Everything hangs on the arena. Bytes may be anything; UTF-8 with or without a byte-order mark, UTF-16 with one. */
struct text_report *license_text_recognize(const char *text, size_t nbytes, struct arena *);

#endif
