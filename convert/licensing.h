/* licensing.h - what the evidence comes to: the license, what contradicts it, whose obligations apply, what is missing.
 *
 * The text decides, a tag is only what somebody declared. A text with changes decides nothing. Where texts disagree, or tags
 * with no text there, nothing is determined. Then all candidates' obligations are listed; those of the base models come along in any
 * case, and so do those of a tag that is stricter than the text. */
#ifndef BANTAM_LICENSING_H
#define BANTAM_LICENSING_H

#include "convert/evidence.h"

enum verdict {
    VERDICT_TEXT,               /* every word of a known license lies beside the model, and nothing contradicts it */
    VERDICT_PHRASES,            /* its phrases, that is; the text was not at hand to compare */
    VERDICT_DECLARED,           /* a tag says so, and no text is there */
    VERDICT_ALTERED,            /* a known text with changes or additions: to be read */
    VERDICT_CONFLICT,           /* places contradict each other */
    VERDICT_UNKNOWN,            /* not determined */
};

struct obligation {
    const struct license *license;
    const char *because;        /* "LICENSE", "README.md", "base model meta-llama/Llama-3.1-8B" */
    enum license_sure sure;     /* that it applies at all */
    bool own;                   /* the model's own, or a candidate for it; otherwise a parent's */
};

struct duty {                   /* something that has to go along with a copy */
    const struct license *license;
    unsigned ship;              /* one SHIP_* */
    enum answer present;        /* unknown: cannot be told from files */
    const char *where;          /* the file that has it; NULL: none */
};

struct naming {
    const struct license *license;      /* whose rule it is */
    const char *name;           /* that was looked at */
    enum answer obeys;
};

struct licensing {
    struct evidence_list evidence;
    enum verdict verdict;
    enum evidence_level level;  /* of what decided */
    const struct license *license;      /* determined; NULL: nothing is */
    const struct license *altered;      /* what the text is an altered copy of; NULL: none */
    const struct evidence *decisive;    /* what decided, or the altered text; NULL: nothing */
    const char *declared;       /* the id as the model says it, known or not; NULL: it says none */
    const char **conflict;      /* sentences */
    size_t nconflicts;
    struct obligation *obligation;      /* most restrictive first, each license once */
    size_t nobligations;
    struct duty *duty;
    size_t nduties;
    struct naming *naming;      /* one per rule */
    size_t nnamings;
};

/* Does a name keep the license's rule, if it has one? */
bool licensing_name_obeys(const struct license *, const char *name);

/* Ancestors are followed where they lie on this machine, 32 of them. `names` are the model's: what it calls itself, its file or directory; `n` of them, NULLs are skipped. */
void licensing_of(const struct evidence_source *, const char *const *names, size_t n, struct licensing *, struct arena *);

const char *verdict_word(enum verdict);                 /* "text", "phrases", "declared", "altered", "conflict", "not determined" */
const char *evidence_place_word(enum evidence_place);   /* "gguf_keys", "model_card" ...: JSON's names */
const char *evidence_level_word(enum evidence_level);   /* "none", "declared", "altered", "phrases", "exact" */
const char *duty_what(unsigned ship);                   /* "the license text" ... */

#endif
