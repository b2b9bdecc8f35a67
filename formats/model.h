/* model.h - the vocabulary of the program: tensors, models that hand out rows, formats. READ THIS FIRST.
 *
 * A model is read as rows, passed through adapters that are models too, and written by one parallel loop
 * (convert/write.c). An open file is a model; so is a model under other names (convert/rename.c) and a model whose
 * rows are encoded when asked for (convert/quantize.c). */
#ifndef BANTAM_MODEL_H
#define BANTAM_MODEL_H

#include "formats/arena.h"
#include "formats/fail.h"
#include "formats/file.h"
#include "formats/index.h"
#include "formats/meta.h"
#include "quant/type.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TENSOR_MAX_RANK = 8 };

/* A named, typed view. Copy it freely: it owns nothing; its name lives in the model's arena. */
struct tensor {
    const char *name;
    const struct qtype *type;
    int rank;                           /* 0: a scalar, one weight */
    uint64_t shape[TENSOR_MAX_RANK];    /* outermost first; the last one is the row (GGUF writes them reversed) */
    unsigned file;                      /* index into model.file; adapters pass it on ... */
    uint64_t offset;                    /* ... private: the first byte in that file. Adapters: index of the source tensor */
};

uint64_t tensor_row(const struct tensor *);         /* weights in a row: shape[rank - 1], 1 for a scalar */
uint64_t tensor_rows(const struct tensor *);        /* number of rows: the product of the others; 0 if rows are empty */
uint64_t tensor_weights(const struct tensor *);
uint64_t tensor_row_bytes(const struct tensor *);
uint64_t tensor_bytes(const struct tensor *);       /* formats have refused what would overflow */

/* Outermost ones say nothing: llama.cpp's programs leave them out when they write a file again. */
bool tensor_same_shape(const struct tensor *, const struct tensor *);

/* FAIL_INPUT for a row that is no multiple of its type's block and for a size beyond 2^56 weights. */
int tensor_check(const struct tensor *, struct fail *);

struct model;

/* Anything that can hand out rows: an open file, or an adapter around another model. */
struct model_ops {
    /* Rows [first, first + n) of t, encoded as t->type, read-only, valid until tmp is reset; aligned for the
     * largest field of a block. They may lie in the file's map. Safe from many threads, each with its own tmp.
     * NULL: see *f. */
    const void *(*rows)(struct model *, const struct tensor *t, uint64_t first, uint64_t n,
                        struct arena *tmp, struct fail *f);
    void (*close)(struct model *);      /* an adapter closes the model inside it; both release model.arena */
};

struct model_file {
    const char *path;
    uint64_t nbytes;
};

struct model {
    const struct model_ops *ops;
    const struct format *format;        /* of the files; adapters pass it on */
    const char *path;                   /* as opened: a file or a directory */
    const char *dir;                    /* where config.json and tokenizer files lie; NULL: the model is one file */
    const char *config;                 /* which file there describes the weights: config.json, or params.json for those that Mistral
                                         * publishes under its own names; NULL: none */
    const char *aside;                  /* the same model under other names, in the same directory, which is not read; NULL: none */
    struct model_file *file;            /* all weight files, shards in order */
    size_t nfiles;
    struct meta meta;
    struct meta hints;                  /* keys of the same kind that no file is given: what a config says, a forward pass needs and
                                         * the format cannot carry. Adapters pass them on */
    struct tensor *tensor;              /* in file order */
    size_t ntensors;
    uint64_t panel_nbytes;              /* memory that asking for rows may take once, beside the rows: matrices that are turned as a
                                         * whole. Adapters add theirs to it */
    struct name_index names;            /* private to model_tensor() */
    struct arena arena;                 /* owns all of the above */
};

/* ---- opening ---- */
/* Opens what the contract calls a MODEL: a Hugging Face directory, a .safetensors or .gguf file (the first of a
 * split one), a *.safetensors.index.json, a name in a local store (store.h). Every shard is opened and measured against its header here, so a short
 * or missing one is named before any work. NULL: see *f. */
struct model *model_open(const char *path, struct fail *);
/* May OUT be written while this model is read? FAIL_USAGE when OUT is one of its files, its directory, or a file in that
 * directory that may belong to it (any but a .gguf): a quantized copy never takes the place of the original. */
int model_spared(const struct model *, const char *out, struct fail *);
void model_close(struct model *);       /* NULL is fine */

static inline const void *model_rows(struct model *m, const struct tensor *t, uint64_t first, uint64_t n,
                                     struct arena *tmp, struct fail *f)
{
    return m->ops->rows(m, t, first, n, tmp, f);
}

/* Rows as float32: model_rows() through t->type->decode. The result is in tmp. NULL: see *f. */
const float *model_rows_f32(struct model *, const struct tensor *, uint64_t first, uint64_t n, struct arena *tmp,
                            struct fail *);

/* By name, hashed; NULL: none. From the first call on, tensors may be appended but not renamed. Safe from many threads. */
const struct tensor *model_tensor(const struct model *, const char *name);

/* Bytes a second at which the files of weights come: a few megabytes of them are read, somewhere else every time, from the page cache if
 * they lie there. 0: cannot be told. */
double model_read_rate(const struct model *);

/* For adapters: a zeroed struct of `size` bytes, whose first member is a struct model, in an arena of its own, with
 * path, dir, format, files, hints and panel_nbytes taken over from `inner` (meta and tensors are the adapter's to fill). */
void *model_adapter(size_t size, const struct model_ops *, struct model *inner);

/* ---- writing: a plan is the header(s) and an offset per tensor; it needs no data ---- */
struct plan_file {
    const char *path;                   /* final name */
    const void *head;                   /* bytes from offset 0 */
    uint64_t head_nbytes, nbytes;       /* gaps between tensors are zeros */
};

struct plan_tensor {
    unsigned file;
    uint64_t offset;                    /* of the first row, in that file */
};

struct plan {
    struct plan_file *file;
    size_t nfiles;
    struct plan_tensor *tensor;         /* one per tensor of the model, in its order */
    const char *out;                    /* the name the user gave: a file, or a directory */
    bool out_is_dir;
    uint64_t nbytes;                    /* all files together: what a dry run reports */
    struct arena arena;                 /* owns all of the above */
};

struct plan_options {
    uint64_t split_nbytes;              /* start a new file beyond this many bytes of tensors; 0: one file */
    bool keep_files;                    /* as many files as the source, each with the tensors it has there (tensor.file) */
    uint64_t head_nbytes;               /* a head of this many bytes where that is possible; 0: with room for later edits */
};

enum { PLAN_ROOM = 4096 };              /* bytes that a first file's head has to spare, so that keys can be edited in place */

void plan_release(struct plan *);

/* One row of formats.def: `open` is the source, `plan` the sink (NULL: read-only). A plan is the dry run, and then
 * any thread may write any rows. */
struct format {
    const char *name, *suffix;          /* "gguf", ".gguf" */
    bool (*probe)(const uint8_t *head, size_t n);       /* the first bytes of a file, up to 16 */
    struct model *(*open)(const char *path, struct fail *);
    int (*plan)(const struct model *, const char *out, const struct plan_options *, struct plan *, struct fail *);
};

#define ROW(name) extern const struct format format_##name;
#include "formats/formats.def"
#undef ROW

const struct format *format_named(const char *name);           /* NULL: none */
const struct format *format_of_file(const struct file *);       /* by its first bytes or its suffix; NULL: none */
/* By suffix; a device: GGUF; a directory's name, that is any without a suffix that files of weights have: safetensors. NULL: a suffix of a
 * format that cannot be written. */
const struct format *format_of_output(const char *out);

/* ---- for the formats themselves: a model whose tensors are byte ranges of mapped files ---- */
/* A model without files, metadata and tensors yet: those are the format's to fill. model_close() releases it. */
struct model *mapped_model_new(const struct format *, const char *path);

/* Maps one more file, number m->nfiles - 1 from then on. An empty file and a git-lfs pointer are FAIL_INPUT. The
 * result lives as long as the model. */
const struct file *mapped_model_add(struct model *, const char *path, struct fail *);

/* Safetensors shards that no index lists: `first` is NAME-00001-of-0000N.safetensors, and all N lie beside it. NULL: see *f. */
struct model *safetensors_open_shards(const char *first, struct fail *);

/* Appends a tensor of which name, type, rank, shape, file and offset are set. Refused (FAIL_INPUT): a name that is there
 * already, a row that is no multiple of the block, a size that overflows. Whether its bytes lie in the file is the
 * format's to check. */
int mapped_model_tensor(struct model *, const struct tensor *, struct fail *);

#endif
