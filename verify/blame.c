/* blame.c - see blame.h. */
#include "verify/blame.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static double loss_of_tensor(const struct tensor_error *e)
{
    return e->reach * (e->seen ? e->product : e->nmse);
}

/* The next encoding that is worth having: what is left of the error is hundreds of times less. */
static const struct qtype *better_than(const struct tensor *t)
{
    static const struct { double below; const char *name; } steps[] = { { 6.5, "q6_k" }, { 8.5, "q8_0" }, { 16, "f16" } };
    double bits = 8.0 * t->type->nbytes / t->type->block;

    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        const struct qtype *q = qtype_named(steps[i].name);
        if (bits < steps[i].below && tensor_row(t) % (uint64_t)q->block == 0)
            return q;
    }
    return NULL;
}

static int larger(const void *a, const void *b)
{
    const struct culprit *x = a, *y = b;

    if (x->part != y->part)
        return x->part < y->part ? 1 : -1;
    return (x->error > y->error) - (x->error < y->error);
}

struct blame blame_of(const struct tensor_errors *errors, struct arena *a)
{
    struct blame blame = { .item = arena_array(a, struct culprit, errors->n) };
    double all = 0;

    for (size_t i = 0; i < errors->n; i++) {
        const struct tensor_error *e = &errors->item[i];
        struct culprit c = { .error = e, .part = loss_of_tensor(e), .better = better_than(e->tensor) };
        if (!(c.part > 0))
            continue;
        if (c.better)
            c.extra_nbytes = tensor_rows(e->tensor) * qtype_row_bytes(c.better, tensor_row(e->tensor)) - tensor_bytes(e->tensor);
        all += c.part;
        blame.by_inputs = blame.by_inputs || e->seen;
        blame.item[blame.n++] = c;
    }
    for (size_t i = 0; i < blame.n; i++)
        blame.item[i].part /= all;
    qsort(blame.item, blame.n, sizeof *blame.item, larger);
    return blame;
}

struct remedy blame_remedy(const struct blame *blame)
{
    struct remedy r = {0};

    for (size_t i = 0; i < blame->n && r.n < CULPRITS; i++) {
        const struct culprit *c = &blame->item[i];
        size_t k = 0;
        if (!c->better)
            continue;
        r.n++;
        r.part += c->part;
        r.extra_nbytes += c->extra_nbytes;
        while (k < r.nbetter && r.better[k] != c->better)
            k++;
        r.better[k] = c->better;
        r.nbetter += k == r.nbetter;
    }
    return r;
}

const char *finding_words(const struct tensor_error *e, char text[FINDING_TEXT])
{
    uint64_t rows = tensor_rows(e->tensor), now = e->candidate.zero_rows, before = e->original.zero_rows;

    *text = '\0';
    if (now == rows && rows)
        snprintf(text, FINDING_TEXT, before == rows ? "is all zeros in both models" : "is all zeros in the candidate, but not in the original");
    else if (before == rows && rows)
        snprintf(text, FINDING_TEXT, "is all zeros in the original, but not in the candidate");
    else if (now > before)
        snprintf(text, FINDING_TEXT, "has %" PRIu64 " of %" PRIu64 " rows of nothing but zeros, in the original %" PRIu64, now, rows, before);
    return text;
}
