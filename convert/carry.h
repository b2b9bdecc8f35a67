/* carry.h - the license goes along with what is written: keys, the text in a key, and the files beside the output.
 *
 * Keys of a GGUF output: general.license, general.license.name and general.license.link as the hub and gguf-py write them;
 * general.license.text (the files' contents), which no tool asks for but any can read; bantam.license.replaced, what an
 * override took the place of. */
#ifndef BANTAM_CARRY_H
#define BANTAM_CARRY_H

#include "convert/licensing.h"
#include "convert/write.h"

struct carry_options {
    const char *license;        /* --license ID: set or override; NULL: as the source says */
    bool with_text, no_files;
};

/* What the source of a model says of its license: `argument` is the MODEL as given (a store's license layers belong to it). The
 * keys of a file's header count, a directory's are in its files. Everything hangs on `a`. */
void carry_source(const struct model *source, const char *argument, struct evidence_source *, struct arena *a);

/* Sets the keys of `m`. A license that only the text tells is written too, where no key says any. FAIL_USAGE: an id that is none;
 * FAIL_INPUT: with_text, and there is no text. */
int carry_keys(struct model *m, const struct carry_options *, const struct licensing *, struct fail *);

/* Copies license, notice and policy files beside OUT, a file; a layer of a store becomes LICENSE, LICENSE.2 ... One that is there
 * with other contents stays, and the copy is called STEM.NAME. *written are the names in the directory of OUT, NULL-terminated. With
 * dry_run nothing is written: a run that would fail at the end fails before the work. */
int carry_files(const struct licensing *, const char *source_dir, const char *out, bool force, bool dry_run, const char ***written,
                struct arena *a, struct fail *);

/* The same for a directory OUT: changes the list of files that come along (see companions.h). Without files those of the license
 * go; an override changes the front matter of README.md, or makes one; files that the list lacks (of a GGUF source) are added. */
int carry_extra(const struct licensing *, const struct carry_options *, const struct meta *keys, const char *source_dir,
                const struct plan_extra **list, size_t *n, struct arena *a, struct fail *);

#endif
