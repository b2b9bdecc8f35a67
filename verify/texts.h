/* texts.h - texts to measure on: plain ones, lists of texts by category, and a small one of the program's own.
 *
 * A plain text is cut and scored as llama-perplexity does (score_input_of()). JSONL has an object a line with "text" and, if it
 * likes, "category"; the texts of a category are joined, an empty line between them, and cut into chunks that hold nothing else.
 * What is left at the end of a category is a shorter chunk, if it has at least TEXTS_LEAST tokens; of every chunk the second half
 * is scored. */
#ifndef BANTAM_TEXTS_H
#define BANTAM_TEXTS_H

#include "verify/groups.h"
#include "verify/score.h"

enum { TEXTS_LEAST = 16 };

struct text_part {
    const char *category;               /* "": none was named */
    const char *text;
    size_t nbytes;
};

struct texts {
    struct text_part *part;             /* one for each category, in order of appearance; a plain text is one */
    size_t n;
    bool plain, builtin;
};

/* The program's own, by category, in nine scripts; nbytes is 0 there. */
extern const struct text_part builtin_parts[];
extern const size_t builtin_parts_n;

/* Reads a file, gzip or not, or with `path` NULL takes the built-in text. JSONL is known by its name (.jsonl, .ndjson) or by a first
 * line that is an object with "text". Everything hangs on `a`. FAIL_INPUT names file and line. */
int texts_read(struct texts *, const char *path, struct arena *a, struct fail *);

/* Chunks and places to score, of at most options->chunks chunks, which categories give in turn. *groups: the categories, none if
 * there is but one without a name. FAIL_INPUT: too short; FAIL_USAGE: a context that leaves nothing to score. */
int texts_input(struct score_input *, struct groups *, const struct texts *, const struct vocab *, const struct score_options *,
                struct arena *a, struct fail *);

#endif
