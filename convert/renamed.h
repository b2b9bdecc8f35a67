/* renamed.h - a model under other names, as rename.c hands out its rows and map.c lists its tensors. Internal to convert/; the way in is
 * model_rename(). */
#ifndef BANTAM_RENAMED_H
#define BANTAM_RENAMED_H

#include "convert/config.h"
#include "convert/regroup.h"

/* Where the rows of a canonical tensor come from: a tensor of the inner model, or data computed from the config. */
struct source {
    const struct tensor *theirs;
    const float *data;
    struct regroup regroup;
    const struct tensor *const *part;   /* LAYOUT_SAME only: the matrices that follow each other in it; NULL: `theirs` is all */
};

struct renamed {
    struct model base;
    struct model *inner;
    struct source *source;      /* one per tensor; tensor.offset is its index */
    struct transposer *transposer;
};

/* The converter this one is compared with reads shards by name and the tensors of each by name. */
struct ordered {
    const struct tensor *t;
    const char *path;
};

/* The inner model's tensors in that order, in `a`. */
struct ordered *renamed_order(const struct model *inner, struct arena *a);

/* Lists r's tensors and where their rows come from, in the order that convert_hf_to_gguf.py meets them. FAIL_INPUT: a tensor that the
 * family does not know, one that is missing, a shape that the config does not imply. */
int renamed_map(struct renamed *r, struct conversion *, struct fail *);

#endif
