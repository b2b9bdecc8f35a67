/* collect.h - importance matrices, collected: what llama-imatrix finds on the same model and text.
 *
 * Source: llama.cpp tools/imatrix/imatrix.cpp. All tokens of all chunks count; the products of all layers are observed, and
 * that of the output only on demand. The text is taken in rounds of some thousand tokens, each of which passes the network
 * layer by layer, so that memory holds a round's hidden states and some rows of one weight. A run
 * that was stopped goes on with the round it was in, and ends with the same bytes. */
#ifndef BANTAM_COLLECT_H
#define BANTAM_COLLECT_H

#include "formats/model.h"
#include "tokenizer/tokenizer.h"
#include "verify/sums.h"

struct collect_options {
    size_t context;             /* tokens per chunk; 0: 512 */
    size_t chunks;              /* at most; 0: all. With least > 0: at least these many */
    uint64_t least;             /* stop when each expert of each tensor has seen these many tokens; 0: do not look */
    bool process_output;        /* the output product too, under the name of its matrix: the embeddings' if they are shared */
    bool parse_special;
    const char *state;          /* where unfinished sums are kept after each round; NULL: nowhere */
    void (*progress)(void *ctx, const char *what, uint64_t done, uint64_t total);       /* may be NULL */
    void *ctx;
};

/* Adds the text to `s`, which must be empty. An earlier run's state is taken up when model, text and options are the same;
 * *resumed (may be NULL) receives its chunks. The state is left behind for the caller to remove when the sums are safe. */
int collect(struct model *canonical, const struct vocab *, const char *text, size_t nbytes, const struct collect_options *,
            struct sums *s, uint64_t *resumed, struct fail *);

#endif
