/* toy.h - a model without files, whose weights are made up when asked for, and a format to write it in: 64 bytes of head
 * (names and types hashed in), then tensors at multiples of 32; beyond plan_options.split_nbytes a new file begins. */
#ifndef BANTAM_TOY_H
#define BANTAM_TOY_H

#include "formats/model.h"

#include <math.h>
#include <stdlib.h>

struct toy {
    struct model base;
    const char *broken;         /* weights at and behind `broken_at` of this tensor are `broken_value` */
    uint64_t broken_at;
    float broken_value;
    bool *closed;               /* set by close, if not NULL */
};

/* Between -1 and 1, different for each tensor (its private `offset`) and index. */
static inline float toy_weight(const struct toy *m, const struct tensor *t, uint64_t i)
{
    uint64_t h = (i + 1) * 0x9e3779b97f4a7c15u + t->offset * 0xc2b2ae3d27d4eb4fu;

    if (m->broken && strcmp(t->name, m->broken) == 0 && i == m->broken_at)
        return m->broken_value;
    h = (h ^ (h >> 29)) * 0xbf58476d1ce4e5b9u;
    return (float)(int32_t)(h >> 32) / 2147483648.0f;
}

static inline const void *toy_rows(struct model *m, const struct tensor *t, uint64_t first, uint64_t n, struct arena *tmp,
                                   struct fail *f)
{
    uint64_t row = tensor_row(t);
    float *x = arena_raw(tmp, (size_t)(n * row) * sizeof *x);
    void *out = arena_raw(tmp, (size_t)(n * tensor_row_bytes(t)));

    (void)f;
    for (uint64_t i = 0; i < n * row; i++)
        x[i] = toy_weight((struct toy *)m, t, first * row + i);
    t->type->encode(x, NULL, out, (size_t)n, (size_t)(row / (uint64_t)t->type->block));
    return out;
}

static inline void toy_close(struct model *m)
{
    if (((struct toy *)m)->closed)
        *((struct toy *)m)->closed = true;
    arena_release(&m->arena);
}

static inline struct toy *toy_new(void)
{
    static const struct model_ops ops = { toy_rows, toy_close };
    struct arena a = {0};
    struct toy *m = arena_new(&a, struct toy);

    m->base.ops = &ops;
    m->base.path = "toy";
    m->base.arena = a;
    m->base.tensor = arena_array(&m->base.arena, struct tensor, 64);
    return m;
}

static inline struct tensor *toy_add(struct toy *m, const char *name, const char *type, uint64_t a, uint64_t b, uint64_t c)
{
    struct tensor *t = &m->base.tensor[m->base.ntensors];

    *t = (struct tensor){ .name = name, .type = qtype_named(type), .offset = m->base.ntensors++ };
    t->rank = a ? 3 : b ? 2 : 1;
    if (a)
        t->shape[0] = a;
    if (b)
        t->shape[t->rank - 2] = b;
    t->shape[t->rank - 1] = c;
    return t;
}

static inline int toy_plan(const struct model *m, const char *out, const struct plan_options *o, struct plan *p, struct fail *f)
{
    uint64_t at = 64;
    size_t nfiles = 0;

    (void)f;
    p->file = arena_array(&p->arena, struct plan_file, m->ntensors + 1);
    p->tensor = arena_array(&p->arena, struct plan_tensor, m->ntensors);
    for (size_t i = 0; i < m->ntensors; i++) {
        if (o->split_nbytes && at > 64 && at + tensor_bytes(&m->tensor[i]) > o->split_nbytes)
            nfiles++, at = 64;
        p->tensor[i] = (struct plan_tensor){ (unsigned)nfiles, at };
        at += (tensor_bytes(&m->tensor[i]) + 31) / 32 * 32;
        p->file[nfiles].nbytes = at;
    }
    p->nfiles = nfiles + 1;
    p->out = arena_strdup(&p->arena, out);
    for (size_t k = 0; k < p->nfiles; k++) {
        char *head = arena_alloc(&p->arena, 64);
        snprintf(head, 64, "toy %zu of %zu, %zu tensors, type %s", k + 1, p->nfiles, m->ntensors, m->tensor[0].type->name);
        p->file[k].head = head;
        p->file[k].head_nbytes = 64;
        p->file[k].path = p->nfiles == 1 ? p->out : arena_printf(&p->arena, "%s-%zu", out, k + 1);
        p->nbytes += p->file[k].nbytes;
    }
    return 0;
}

static const struct format toy_format = { .name = "gguf", .suffix = ".toy", .plan = toy_plan };

#endif
