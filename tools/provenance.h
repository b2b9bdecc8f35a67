/* provenance.h - where a page's figures come from: command, versions, files with their hashes, date. */
#ifndef BANTAM_PROVENANCE_H
#define BANTAM_PROVENANCE_H

#include "formats/model.h"
#include "tools/args.h"
#include "tools/html.h"

struct provenance {
    struct html *html;
    uint64_t left;              /* bytes that may still be read for hashes */
};

/* A description list: command line, version, date. */
struct provenance provenance_begin(struct html *, const struct args *);
void provenance_item(struct provenance *, const char *term, const char *text);
/* A file with its bytes and, if it is not too large to be read once more, its XXH3-128. */
void provenance_file(struct provenance *, const char *term, const char *path);
void provenance_model(struct provenance *, const char *term, const struct model *);
void provenance_end(struct provenance *);

/* Is SOURCE_DATE_EPOCH set? Then a page holds nothing that differs from run to run. */
bool provenance_is_fixed(void);

#endif
