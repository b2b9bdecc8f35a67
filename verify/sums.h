/* sums.h - sums of squares of what each tensor's columns are multiplied with, and how many tokens went into them: the
 * contents of an importance matrix.
 *
 * Layout of the file (llama.cpp tools/imatrix/imatrix.cpp, save_imatrix): a GGUF whose keys are general.type = "imatrix",
 * imatrix.datasets, imatrix.chunk_count and imatrix.chunk_size, and which has two F32 tensors for each one observed, in the
 * order of bytes of their names:
 *
 *     NAME.in_sum2    [columns, experts]      sum over tokens of the squared input
 *     NAME.counts     [1, experts]            tokens; both of rank 1 when there is one expert
 *
 * Here the sums are doubles, added token by token in the order of the text, whatever the threads. */
#ifndef BANTAM_SUMS_H
#define BANTAM_SUMS_H

#include "convert/imatrix.h"
#include "formats/model.h"

struct sums_entry {
    const char *name;                   /* of the tensor: "blk.0.attn_q.weight" */
    size_t experts, columns;            /* one expert unless the tensor has rank 3 */
    double *sum;                        /* experts x columns */
    uint64_t *count;                    /* per expert */
};

/* All zeros is empty. */
struct sums {
    struct sums_entry *entry;           /* in the order of their first observation */
    size_t n, cap;
    struct name_index names;
    uint64_t chunks, context;           /* chunks that went in; tokens of a chunk */
    const char **dataset;               /* names of the texts */
    size_t ndatasets, datasets_cap;
    struct arena arena;                 /* owns all of the above */
};

void sums_release(struct sums *);

/* The entry of that name, made with zeros if there is none. NULL if there is one of another shape. */
struct sums_entry *sums_entry(struct sums *, const char *name, size_t experts, size_t columns);
void sums_dataset(struct sums *, const char *name);     /* copied, at the end */

/* n more tokens of e->columns numbers for one expert. In parallel over columns. */
void sums_add(struct sums_entry *, size_t expert, const float *x, size_t n);

/* The least count of any expert of any entry; 0 if there are none. */
uint64_t sums_least(const struct sums *);

/* An expert that has seen less than it should. */
struct starved {
    const char *name;
    size_t expert;
    uint64_t count;
};

/* The experts, of entries that have several, with less than max(least, 1) tokens, in the entries' order, in `a`. */
struct starved *sums_starved(const struct sums *, uint64_t least, struct arena *a, size_t *n);

/* An expert with c < least tokens gets the mean it would have after `least - c` more tokens of the layer's own mean, which
 * is taken over all tokens of all experts of that tensor. Its count stays, so that merged files weigh real tokens; an
 * expert that has seen none is counted as one token of that mean, since readers ignore what has a count of 0. */
void sums_shrink(struct sums *, uint64_t least);

/* FAIL_INPUT, naming the tensor: a sum that is not finite as a float. */
int sums_check(const struct sums *, struct fail *);

/* Adds a file: sums, counts, chunks (in units of s->context, which the first file sets), datasets. A .dat file has counted
 * chunks; their tokens are s->context each, and its entries may be of as many experts as another file says: the count is each expert's, or
 * 0 if its means are ones. FAIL_INPUT: entries of different shapes. */
int sums_merge(struct sums *s, const struct imatrix *, struct fail *);

/* Writes the file described above, atomically. `starved` experts and the `least` they were held against go into keys of
 * their own, bantam.imatrix.starved and bantam.imatrix.min_tokens, unless least is 0. */
int sums_write(const struct sums *, const char *path, const struct starved *, size_t nstarved, uint64_t least, struct fail *);

/* The state of a run that is not done: the same with F64 and the key bantam.imatrix.digest. sums_resume() leaves `s` empty
 * if there is no such file or it has another digest; what is no state at all is FAIL_USAGE. */
int sums_save(const struct sums *, const char *path, const char *digest, struct fail *);
int sums_resume(struct sums *s, const char *path, const char *digest, struct fail *);

/* ---- what a matrix says ---- */
/* Of the means per token of all columns of all experts that have seen any. Definitions: llama-imatrix --show-statistics. */
struct sums_figures {
    double sum, min, max, mean, deviation;
    double active;                      /* share of columns above 1e-5 */
    double entropy;                     /* bits; log2 of the number of columns at most */
    double outliers;                    /* share of columns more than one deviation above the mean */
    double similarity;                  /* cosine with the same tensor of the layer before; 0: there is none */
    size_t columns;                     /* that were looked at; 0: nothing was seen, and all others are 0 */
};

struct sums_figures sums_figures(const struct sums *, const struct sums_entry *);

#endif
