/* report_page.h - private to report_verify*.c: one page in the making. Each section writes nothing where there is nothing to show. */
#ifndef BANTAM_REPORT_PAGE_H
#define BANTAM_REPORT_PAGE_H

#include "tools/html.h"
#include "tools/plot.h"
#include "tools/verify_result.h"

struct report {
    const struct verify_result *result;
    const struct score *score;
    struct html html;
    struct arena arena;
};

#define TEXT(r, ...) arena_printf(&(r)->arena, __VA_ARGS__)

static inline const char *candidate(const struct report *r, size_t k)
{
    return candidate_name(r->result, k);
}

static inline const char *size_of(struct report *r, uint64_t nbytes)
{
    char text[SIZE_TEXT];

    return TEXT(r, "%s", size_text(text, nbytes));
}

/* report_verify.c: the document, which is deleted, without what differs from run to run if the date is fixed */
void write_json(struct report *, cJSON *root);

/* report_verify_where.c */
void write_layers(struct report *);
void write_tensors(struct report *);

/* report_verify_groups.c */
void write_groups(struct report *, const struct groups *, const char *id, const char *title, const char *about);
void write_choices(struct report *);

#endif
