/* mixes.h - private to convert/: the vocabulary in which recipes are written. mixes.c is the tables, recipe.c what they mean. */
#ifndef BANTAM_MIXES_H
#define BANTAM_MIXES_H

#include "convert/recipe.h"

/* What a tensor is to the rules. Those that count have a counter of their own. */
enum category {
    OTHER, ANY, OUTPUT, TOKEN_EMBD, ATTN_Q, ATTN_K, ATTN_V, ATTN_OUT, FFN_UP, FFN_GATE, FFN_DOWN, LATENT_Q, CATEGORIES
};

enum rule_layers {
    ALL,
    FIRST_2, FIRST_4,           /* of the tensors of this category, as they are met */
    FIRST_8TH, FIRST_16TH,      /* of the layers */
    MET_8TH,                    /* as many tensors of this category as an eighth of the layers */
    MIDDLE,                     /* all but the first and the last eighth */
    MORE_BITS                   /* the first and the last eighth, and every third layer between them */
};

/* What a rule may ask for. */
enum {
    GQA4 = 1 << 0,              /* at least four query heads share a key head */
    SPARSE4 = 1 << 1,           /* GQA4, or at least four experts */
    EXPERTS8 = 1 << 2,          /* exactly eight experts */
    FALCON = 1 << 3,
    LLM_70B = 1 << 4,           /* a size class: by architecture and number of layers */
    GLM5_NEXT = 1 << 5,
    BAILING3 = 1 << 6,
    IMATRIX = 1 << 7,
    STACKED = 1 << 8,           /* this tensor holds several matrices */
    MISFIT = 1 << 9,            /* this tensor's rows are no multiple of the base's block */
    FEW_BITS = 1 << 10,         /* the recipe is of one to two bits: a trait */
    CONVERTER = 1 << 11,        /* the recipe is an --outtype of the converter too: a trait */
};

struct recipe_rule {
    enum category category;     /* ANY: every tensor */
    enum rule_layers layers;
    unsigned when, unless;      /* all of these, none of those */
    const char *type;           /* NULL: the end of the list */
};

/* Rules that go before every mix, and those that come last; each list ends with {0}. */
extern const struct recipe_rule mixes_before[], mixes_after[];

#endif
