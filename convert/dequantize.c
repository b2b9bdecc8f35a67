/* dequantize.c - see dequantize.h. Rows are decoded when they are asked for; nothing holds a tensor. */
#include "convert/dequantize.h"

#include "convert/scaled.h"
#include "formats/file.h"
#include "formats/text.h"

#include <inttypes.h>
#include <string.h>

/* ---- which tensors belong together ---- */
/* Endings of scales, and what the name of their matrix ends with instead. */
static const struct {
    const char *ending, *weight;
} scales[] = {
    { ".qscale_weight", ".weight" }, { ".weight_scale", ".weight" }, { "_scale_inv", "" },
};

/* Endings of what a packed matrix consists of; all but the first two may be missing. */
static const struct names {
    const char *word, *scale, *zero, *group_of, *shape;
} packed_names[] = {
    { ".weight_packed", ".weight_scale", ".weight_zero_point", ".weight_g_idx", ".weight_shape" },
    { ".qweight", ".scales", ".qzeros", ".g_idx", NULL },
};

/* Scales of what goes into a matrix or comes out of it: for those who compute in few bits. */
static const char *const unused[] = {
    ".input_scale", "activation_scale", ".qscale_act", ".input_scale_ub", ".output_scale", ".input_zero_point", ".output_zero_point",
    ".q_scale", ".k_scale", ".v_scale", ".prob_scale",
};

/* What becomes of a tensor of the inner model. */
struct part {
    struct scaled scaled;       /* .weight is the tensor */
    struct packed *packed;      /* it is the words of these; NULL: it is not */
    bool gone;                  /* it belongs to another */
};

struct dequantized {
    struct model base;
    struct model *inner;
    struct part *part;          /* one per tensor; tensor.offset is its index */
    struct packed_turners turners;
    struct account *account;
};

static bool is_unused(const char *name)
{
    for (size_t i = 0; i < sizeof unused / sizeof *unused; i++)
        if (ends_with(name, unused[i]))
            return true;
    return false;
}

/* A name with another ending than the one it has. */
static const char *with_ending(const char *name, const char *ending, const char *instead, struct arena *a)
{
    return arena_printf(a, "%.*s%s", (int)(strlen(name) - strlen(ending)), name, instead);
}

/* The name of the matrix that a tensor of scales belongs to; NULL: it is none. */
static const char *name_of_weight(const char *name, struct arena *a)
{
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++)
        if (ends_with(name, scales[i].ending))
            return with_ending(name, scales[i].ending, scales[i].weight, a);
    return NULL;
}

/* Numbers that are no weights by themselves. */
static bool needs_scale(const struct qtype *type)
{
    return strcmp(type->name, "f8_e4m3") == 0 || strcmp(type->name, "f8_e5m2") == 0 || strcmp(type->name, "i8") == 0;
}

/* ---- packed matrices ---- */
/* The tensor beside `word` with another ending, which is booked and gone; NULL: there is none. */
static const struct tensor *take(struct dequantized *d, const char *word, const char *ending, const char *other, const char *as, const char *how)
{
    struct arena *a = &d->base.arena;
    const struct tensor *t = other ? model_tensor(d->inner, with_ending(word, ending, other, a)) : NULL;

    if (!t)
        return NULL;
    d->part[t - d->inner->tensor].gone = true;
    account_used(d->account, ACCOUNT_TENSOR, t->name, as, how);
    return t;
}

static int add_packed(struct dequantized *d, const struct tensor *word, const struct names *n, const struct packing *how, struct fail *f)
{
    struct arena *a = &d->base.arena;
    const char *as = with_ending(word->name, n->word, ".weight", a);
    struct packed *p = arena_new(a, struct packed);
    const struct tensor *shape = take(d, word->name, n->word, n->shape, as, "shape");

    *p = (struct packed){ .how = *how, .word = word, .scale = take(d, word->name, n->word, n->scale, as, "scales"),
                          .zero = take(d, word->name, n->word, n->zero, as, "zero points"),
                          .group_of = take(d, word->name, n->word, n->group_of, as, "which columns share a scale") };
    if (!p->scale)
        return fail(f, FAIL_INPUT, "tensor '%s' has no scales", word->name);
    if (model_tensor(d->inner, as))
        return fail(f, FAIL_INPUT, "tensor '%s' is there twice, in '%s' too", as, word->name);
    if (packed_init(p, d->inner, shape, f))
        return -1;
    account_used(d->account, ACCOUNT_TENSOR, word->name, as, arena_printf(a, "numbers of %u bits in groups of %" PRIu64, how->bits, p->how.group));
    d->part[word - d->inner->tensor].packed = p;
    return 0;
}

static int add_all_packed(struct dequantized *d, const struct packing *how, struct fail *f)
{
    for (size_t i = 0; i < d->inner->ntensors; i++)
        for (size_t k = 0; k < sizeof packed_names / sizeof *packed_names; k++) {
            const struct tensor *t = &d->inner->tensor[i];
            if (ends_with(t->name, packed_names[k].word) && add_packed(d, t, &packed_names[k], how, f))
                return -1;
        }
    return 0;
}

/* ---- matrices and their scales ---- */
static int add_scale(struct dequantized *d, const struct tensor *scale, const char *name, struct fail *f)
{
    const struct tensor *weight = model_tensor(d->inner, name);
    struct scaled *s = weight ? &d->part[weight - d->inner->tensor].scaled : NULL;

    if (!weight)
        return fail(f, FAIL_INPUT, "the scales '%s' are there, but not their tensor '%s'", scale->name, name);
    if (s->scale)
        return fail(f, FAIL_INPUT, "tensor '%s' has two tensors of scales, '%s' and '%s'", name, s->scale->name, scale->name);
    if (scale->type->block != 1 || !scale->type->decode || !weight->type->decode)
        return fail(f, FAIL_INPUT, "the scales '%s' are of type %s and their tensor of type %s, which no scale has", scale->name,
                    scale->type->label, weight->type->label);
    s->scale = scale;
    return 0;
}

static int add_all_scales(struct dequantized *d, struct fail *f)
{
    for (size_t i = 0; i < d->inner->ntensors; i++) {
        const struct tensor *t = &d->inner->tensor[i];
        bool ignored = is_unused(t->name);
        const char *name = ignored ? NULL : name_of_weight(t->name, &d->base.arena);

        d->part[i].scaled.weight = t;
        if (d->part[i].gone)
            continue;
        d->part[i].gone = ignored || name;
        if (name && add_scale(d, t, name, f))
            return -1;
        if (ignored)
            account_ignored(d->account, ACCOUNT_TENSOR, t->name, "scales what goes through a matrix, not the matrix");
    }
    return 0;
}

static int pair_tensors(struct dequantized *d, const struct stored_as *how, struct fail *f)
{
    if ((how->packing.bits && add_all_packed(d, &how->packing, f)) || add_all_scales(d, f))
        return -1;
    for (size_t i = 0; i < d->inner->ntensors; i++) {
        struct scaled *s = &d->part[i].scaled;
        if (!s->scale && !d->part[i].gone && needs_scale(s->weight->type))
            return fail(f, FAIL_INPUT, "tensor '%s' is of type %s, but has no scales", s->weight->name, s->weight->type->label);
        if (!s->scale)
            continue;
        if (scaled_init(s, how->block, f))
            return -1;
        account_used(d->account, ACCOUNT_TENSOR, s->scale->name, s->weight->name, scaled_how(s, &d->base.arena));
    }
    return 0;
}

/* ---- the adapter ---- */
static const void *dequantized_rows(struct model *m, const struct tensor *t, uint64_t first, uint64_t n, struct arena *tmp, struct fail *f)
{
    struct dequantized *d = (struct dequantized *)m;
    const struct part *p = &d->part[t->offset];
    const float *x;
    void *out;

    if (!p->scaled.scale && !p->packed)
        return model_rows(d->inner, p->scaled.weight, first, n, tmp, f);
    x = p->packed ? packed_rows(p->packed, &d->turners, d->inner, first, n, tmp, f) : scaled_rows(&p->scaled, d->inner, first, n, tmp, f);
    if (!x || strcmp(t->type->name, "f32") == 0)
        return x;
    out = arena_raw(tmp, n * tensor_row_bytes(t));
    t->type->encode(x, NULL, out, n, tensor_row(t));
    return out;
}

static void dequantized_close(struct model *m)
{
    struct model *inner = ((struct dequantized *)m)->inner;

    arena_release(&m->arena);
    model_close(inner);
}

static const struct model_ops dequantized_ops = { dequantized_rows, dequantized_close };

static void add_tensor(struct dequantized *d, size_t i, const struct qtype *as)
{
    struct tensor *t = &d->base.tensor[d->base.ntensors++];
    const struct packed *p = d->part[i].packed;

    *t = d->inner->tensor[i];
    t->offset = i;
    if (d->part[i].scaled.scale || p)
        t->type = as;
    if (!p)
        return;
    if (p->how.turned)
        d->base.panel_nbytes = max_u64(d->base.panel_nbytes, min_u64(tensor_bytes(p->word), TRANSPOSE_PANEL));
    for (size_t k = 0; k < sizeof packed_names / sizeof *packed_names; k++)
        if (ends_with(p->word->name, packed_names[k].word))
            t->name = with_ending(p->word->name, packed_names[k].word, ".weight", &d->base.arena);
    t->shape[0] = p->rows;
    t->shape[1] = p->columns;
}

int model_dequantize(struct model **m, const struct stored_as *how, const struct qtype *as, struct account *account, struct fail *f)
{
    struct model *inner = *m;
    struct dequantized *d = model_adapter(sizeof *d, &dequantized_ops, inner);
    struct arena *a = &d->base.arena;

    d->inner = inner;
    d->account = account;
    d->part = arena_array(a, struct part, inner->ntensors);
    d->turners = packed_turners_new(a);
    if (pair_tensors(d, how, f)) {
        arena_release(a);
        return -1;
    }
    meta_copy(&d->base.meta, a, &inner->meta);
    d->base.tensor = arena_array(a, struct tensor, inner->ntensors);
    for (size_t i = 0; i < inner->ntensors; i++)
        if (!d->part[i].gone)
            add_tensor(d, i, as);
    *m = &d->base;
    return 0;
}
