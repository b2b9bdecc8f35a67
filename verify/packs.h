/* packs.h - prompts packed into trees of tokens, each of which passes the network at once: of a question, what its options have in
 * common is computed once, and so are the worked examples of all questions of a subject in a pack. */
#ifndef BANTAM_PACKS_H
#define BANTAM_PACKS_H

#include "verify/prompts.h"
#include "verify/tree.h"

/* A log-likelihood that is wanted: of `token` behind token `at` of the tree, to be added to a sum. */
struct term {
    uint32_t at;
    int32_t token;
    uint32_t sum;
};

struct terms {
    struct term *item;                  /* in order of `at` */
    size_t n, cap;
};

struct packs {
    struct tree *tree;
    struct terms *terms;                /* of each tree */
    size_t n;
    size_t nshort;                      /* the sequences of the first ones have at most `turn` tokens, those of the others more */
    size_t tokens, written_out;         /* of all trees, and of all sequences one by one */

    /* Set before the first one is added: */
    size_t most;                        /* tokens of a tree, unless a question alone has more */
    size_t turn;                        /* some models turn positions otherwise in longer sequences, which get trees of their own */
    struct arena *arena;                /* owns the result */

    struct pack_list *list[2];          /* private: short and long ones so far */
};

/* The sequences of a prompt of a question with so many choices. Spans of rule r and option k add to sum r * stride + first + k. */
void packs_add(struct packs *, const struct prompt *, size_t nchoices, size_t first, size_t stride);
void packs_end(struct packs *);

#endif
