/* edit.h - other metadata in a file that stays as it is otherwise: in place when the new header fits where the old one was,
 * otherwise by one sequential rewrite of the file. */
#ifndef BANTAM_EDIT_H
#define BANTAM_EDIT_H

#include "formats/model.h"
#include "convert/write.h"

struct edit {
    struct model *model;            /* the tensors of one file and its keys, to be changed in model->meta */
    const char *path;               /* that file */
    uint64_t head_nbytes;           /* of its header as it is */
};

/* One file: a GGUF, the first of a split one, a .safetensors. Puts back what an interrupted edit left. FAIL_INPUT for a
 * directory, an index, and names that are links into a cache. */
int edit_open(struct edit *, const char *path, struct fail *);

/* Can the keys as they are now be written in place? The file must not be known under other names (hard links) either. */
bool edit_fits(const struct edit *);

/* Writes them: in place if edit_fits(), otherwise by a rewrite under FILE.part and a rename. */
int edit_commit(struct edit *, const struct progress *, struct fail *);
void edit_close(struct edit *);

#endif
