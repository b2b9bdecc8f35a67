/* blame.h - which tensors cause most of a candidate's error, and what a better encoding for them would cost.
 *
 * A tensor's part is its relative error as a share of the sum over all tensors: the share of energy that is wrong in the product with its
 * inputs (weights_products()), or of the weights themselves where inputs were not seen, times what its layer makes anew of the hidden
 * state (tensor_error.reach). That losses of single layers add up in this way, for small ones, is HIGGS' linearity theorem
 * (arXiv 2411.17525); its factors for each layer are what the reach stands for. An estimate.
 */
#ifndef BANTAM_BLAME_H
#define BANTAM_BLAME_H

#include "verify/weights.h"

enum { CULPRITS = 5 };

struct culprit {
    const struct tensor_error *error;
    double part;                        /* of all error, 0..1 */
    const struct qtype *better;         /* NULL: it has the best already */
    uint64_t extra_nbytes;              /* what that costs */
};

struct blame {
    struct culprit *item;               /* largest part first; tensors without error are not there */
    size_t n;
    bool by_inputs;                     /* some error was measured with inputs */
};

struct blame blame_of(const struct tensor_errors *, struct arena *);

/* The first CULPRITS that could have something better, taken together. */
struct remedy {
    size_t n;
    double part;
    const struct qtype *better[3];      /* the encodings, each once */
    size_t nbetter;
    uint64_t extra_nbytes;
};

struct remedy blame_remedy(const struct blame *);

/* Tensors with something odd in either model; "": nothing odd. The words are a predicate: "is all zeros in the candidate". */
enum { FINDING_TEXT = 120 };
const char *finding_words(const struct tensor_error *, char text[FINDING_TEXT]);

#endif
