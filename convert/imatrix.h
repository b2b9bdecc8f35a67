/* imatrix.h - importance matrices: how much each input column of a tensor mattered on some text.
 *
 * Sources of the layouts: llama.cpp's tools/imatrix (the GGUF kind: tensors NAME.in_sum2 and NAME.counts, keys imatrix.*)
 * and common/imatrix-loader.cpp (the older .dat). The weights handed to the quantizer are those of llama-quantize. */
#ifndef BANTAM_IMATRIX_H
#define BANTAM_IMATRIX_H

#include "convert/recipe.h"
#include "formats/model.h"

struct imatrix_entry {
    const char *name;           /* of the tensor: "blk.0.attn_q.weight" */
    uint64_t nmatrices;         /* experts have sums of their own; 1 in a .dat file, whatever the tensor */
    uint64_t ncolumns;
    const float *sum;           /* nmatrices rows of ncolumns: sums of squared inputs; .dat: means of them, times count[0] */
    const int64_t *count;       /* per matrix: tokens it has seen; .dat: calls */
    uint64_t nstarved;          /* matrices that the file calls starved: their sums are shrunk towards the others' mean */
};

struct imatrix {
    const char *path;
    bool legacy;                /* a .dat file */
    struct imatrix_entry *entry;        /* in file order */
    size_t n;
    const char *const *dataset; /* names of the texts, ndatasets of them */
    size_t ndatasets;
    uint64_t nchunks, chunk_size;       /* 0: not said */
    uint64_t digest;            /* of all that decides the weights */
    struct arena arena;         /* owns all of the above */
};

/* Reads a matrix of either kind. FAIL_INPUT: neither kind, cut short, sums that are NaN, infinite or negative, counts
 * that are, sums without counts. NULL: see *f. */
struct imatrix *imatrix_open(const char *path, struct fail *);
void imatrix_close(struct imatrix *);           /* NULL is fine */

/* Keeps the entries whose name contains one of `include` (no items: all), and then drops those that contain one of
 * `exclude`. Both lists are NULL-terminated or NULL. */
void imatrix_select(struct imatrix *, const char *const *include, const char *const *exclude);

/* One thing worth knowing about a matrix and a model; n of `of` where they mean anything. */
enum imatrix_remark_kind {
    IMATRIX_UNKNOWN,            /* an entry that no tensor has the name of */
    IMATRIX_ABSENT,             /* a tensor that is encoded without importance, the matrix not having any */
    IMATRIX_LENGTH,             /* the embeddings' entry has another length and is not used */
    IMATRIX_UNSEEN,             /* n of the tensor's experts saw no token: all their columns count the same */
    IMATRIX_STARVED,            /* n of the tensor's experts saw so few tokens that bantam imatrix made their columns more like the
                                 * others' */
    IMATRIX_ZERO,               /* n of the tensor's columns never saw anything but zeros. Where all that share a scale did,
                                 * half of the encodings turn them into zeros: llama-quantize's bytes, harmless for dead inputs */
};

struct imatrix_remark {
    enum imatrix_remark_kind kind;
    const char *name;
    uint64_t n, of;
};

struct imatrix_match {
    const float **weight;       /* per tensor, as model_quantize() takes them; NULL: none, or it keeps its type */
    size_t used;                /* tensors that have one */
    struct imatrix_remark *remark;
    size_t nremarks, cap;
};

/* What a remark says, for people; it follows the name, and "n of N " where `of` is not 0. */
const char *imatrix_remark_text(enum imatrix_remark_kind);

/* The weights of each tensor that choice[] gives another type, by name: before[i], or the tensor's own name when `before`
 * is NULL (layers may have been dropped since the matrix was made). Everything is in `a`, remarks in order of the model's
 * tensors, unknown entries last. FAIL_INPUT: an entry of another length than its tensor's rows times matrices; nothing in
 * common at all. */
int imatrix_match(const struct imatrix *, const struct model *, const struct recipe_choice *choice, const char *const *before,
                  struct imatrix_match *, struct arena *a, struct fail *);

/* The four keys quantize.imatrix.*, as llama-quantize appends them, though names of more than 127 bytes are not cut; `path` is what the
 * user called the file. Those of an earlier matrix go, and NULL puts none in their place. */
void imatrix_provenance(const struct imatrix *, struct meta *, struct arena *);

#endif
