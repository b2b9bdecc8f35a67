/* license.h - what is known about the licenses of open-weight models: one row each, facts and not advice.
 *
 * The rows are in licenses.def. Every fact says how well it is known: read in the license's own text, told by a second
 * hand, or inferred from the wording. What nothing confirmed is not stated. The texts themselves are not in the product:
 * license_text.h knows them by hashes and phrases. */
#ifndef BANTAM_LICENSE_H
#define BANTAM_LICENSE_H

#include "formats/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum license_sure {
    LICENSE_CONFIRMED,          /* read in the text, or in a document of the licensor */
    LICENSE_SECONDARY,          /* as others report it */
    LICENSE_READING,            /* inferred from the wording */
    LICENSE_UNCONFIRMED,        /* nothing stored confirms it; said as an open question only */
};

enum license_use { LICENSE_USE_UNKNOWN, LICENSE_USE_YES, LICENSE_USE_CONDITIONAL, LICENSE_USE_NO };

/* What a fact is about; the order is that of the report. */
enum license_topic {
    TOPIC_COMMERCIAL, TOPIC_THRESHOLD, TOPIC_SHIP, TOPIC_SHOW, TOPIC_NAME, TOPIC_POLICY, TOPIC_OUTPUTS, TOPIC_REGION, TOPIC_PATENTS,
    TOPIC_ENDS, TOPIC_OTHER, TOPICS
};

struct license_fact {
    enum license_topic topic;
    const char *text;           /* NULL ends the list */
    enum license_sure sure;
};

enum license_measure { MEASURE_NONE, MEASURE_MONTHLY_USERS, MEASURE_ANNUAL_REVENUE_USD, MEASURE_MONTHLY_REVENUE_USD };

/* Effects differ and are never merged. */
enum license_effect { EFFECT_ASK, EFFECT_ENDS, EFFECT_NO_RIGHTS, EFFECT_SHOW };

struct license_threshold {
    enum license_measure measure;
    uint64_t above;             /* the effect sets in above this */
    const char *date;           /* the measure counts as of this day only; NULL: at any time */
    const char *window;         /* over which it counts */
    enum license_effect effect;
    enum license_sure sure;
};

/* What has to go along with a copy. */
enum {
    SHIP_TEXT = 1,              /* the license itself */
    SHIP_NOTICE = 2,            /* a notice file, with the line in `notice` where there is one */
    SHIP_POLICY = 4,            /* the use policy, which the license makes part of itself */
    SHIP_CHANGES = 8,           /* a statement that files were modified */
    SHIP_FLOW_DOWN = 16,        /* the use restrictions, as an enforceable clause of one's own terms */
    SHIP_ATTRIBUTION = 32,      /* copyright lines, attribution */
};

enum license_outputs {
    OUTPUTS_UNKNOWN, OUTPUTS_SILENT, OUTPUTS_FREE, OUTPUTS_NO_CLAIM, OUTPUTS_SHOW,    /* SHOW: may train models, with a name or a line shown */
    OUTPUTS_BOUND,              /* no claim, but bound by the use restrictions, or training on them makes a derivative */
    OUTPUTS_RESEARCH, OUTPUTS_NO_TRAINING
};

enum { REGION_EU = 1, REGION_UK = 2, REGION_KR = 4 };

struct license {
    const char *id;             /* the hub's id; else its license_name; else our own word */
    const char *name;
    const char *spdx;           /* NULL: not on SPDX's list */
    const char *ref;            /* ScanCode's key, for LicenseRef-scancode-KEY; NULL: none */
    const char *hub;            /* what belongs into `license`: the id, or "other" with the id as license_name */
    const char *link;
    const char *aliases;        /* other spellings of the id, lower case, separated by '|'; NULL: none */
    const char *phrases;        /* alternatives separated by '|', each of parts separated by '&', all of which the text holds */
    const char *over;           /* the id of a shorter license that is contained in this one; NULL: none */
    const char *family;         /* siblings whose texts differ little */
    enum license_use commercial;
    struct license_threshold threshold[2];
    unsigned ship;
    const char *notice;         /* the exact line */
    const char *show;           /* the text to display */
    const char *prefix;         /* with which the name of a distributed derivative begins */
    enum license_outputs outputs;
    unsigned excluded;          /* REGION_* */
    bool excluded_multimodal;   /* only for models that take more than text */
    const struct license_fact *facts;
    const char *source;         /* where it was read */
};

size_t license_count(void);
const struct license *license_at(size_t i);
const struct license *license_named(const char *id);    /* by id, alias, SPDX id or LicenseRef, in any letter case; NULL: unknown */

/* The license of a repository ORG/NAME that is known to be under it; NULL: not known. *sure is how well. */
const struct license *license_of_repository(const char *id, enum license_sure *sure, const char **source);

/* Larger: more restrictive. For ordering the obligations of several licenses. */
int license_weight(const struct license *);

const char *license_use_word(enum license_use);             /* "yes", "conditional", "no", "unknown" */
const char *license_sure_word(enum license_sure);           /* "confirmed", "secondary", "reading", "unconfirmed" */
const char *license_topic_word(enum license_topic);         /* "commercial", "threshold" ...: JSON's names */
const char *license_measure_word(enum license_measure);     /* "monthly_active_users" ... */
const char *license_effect_word(enum license_effect);       /* "ask_for_a_license" ... */
const char *license_outputs_word(enum license_outputs);
const char *license_threshold_text(const struct license_threshold *, struct arena *);     /* a sentence */

#endif
