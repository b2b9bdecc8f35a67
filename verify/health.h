/* health.h - what is wrong with a model as it lies on disk: findings with stable codes, each with a remedy. */
#ifndef BANTAM_HEALTH_H
#define BANTAM_HEALTH_H

#include "formats/model.h"
#include "tokenizer/vocab.h"

enum health_level { HEALTH_NOTE, HEALTH_WARNING, HEALTH_ERROR };

enum health_code {
#define HEALTH(name, code, level, remedy) HEALTH_CODE_##name,
#include "verify/health.def"
#undef HEALTH
    HEALTH_CODES
};

struct health_finding {
    enum health_code code;
    const char *where;              /* file, tensor or key; NULL: the model as a whole */
    const char *text;               /* a sentence with the numbers that matter */
};

struct health {
    struct health_finding *item;    /* in the order of finding */
    size_t n, cap;
    struct arena *arena;            /* set by the caller; everything hangs on it */
};

const char *health_word(enum health_code);              /* "short-file" */
enum health_level health_level(enum health_code);
const char *health_level_word(enum health_level);       /* "note", "warning", "error" */
const char *health_remedy(enum health_code);

void health_add(struct health *, enum health_code, const char *where, const char *format, ...) __attribute__((format(printf, 4, 5)));

/* A model that could not be opened: its failure under the code that fits. */
void health_of_failure(struct health *, const struct fail *);

/* What the header and the sizes of files tell: trailing bytes. */
void health_of_files(struct health *, const struct model *);

/* NaN, Inf and matrices of zeros, read from all weights. `advance` (may be NULL) hears of bytes read, from one thread at a time. */
int health_of_values(struct health *, struct model *, void (*advance)(void *ctx, uint64_t nbytes), void *ctx, struct fail *);

/* Keys beside tensors of a canonical model (GGUF's names): label, vocabulary, tokenizer, template, rope, output. `file` is the
 * name of the file or directory, for what it calls itself. */
void health_of_keys(struct health *, struct model *, const char *file);

/* A Hugging Face directory: what config.json says of the output matrix beside what is there. */
void health_of_directory(struct health *, struct model *);

/* A chat template's syntax (Jinja): NULL when blocks, braces and statements are in order, otherwise a sentence in `a`. */
const char *template_fault(const char *text, struct arena *a);

#endif
