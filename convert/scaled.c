/* scaled.c - see scaled.h. */
#include "convert/scaled.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

/* "3 x 128" */
static const char *shape_text(const struct tensor *t, char *text, size_t nbytes)
{
    size_t at = (size_t)snprintf(text, nbytes, t->rank ? "" : "one number");

    for (int i = 0; i < t->rank && at < nbytes; i++)
        at += (size_t)snprintf(text + at, nbytes - at, "%s%" PRIu64, i ? " x " : "", t->shape[i]);
    return text;
}

static int no_fit(const struct scaled *s, const uint64_t block[2], struct fail *f)
{
    char scale[200], weight[200];

    fail(f, FAIL_INPUT, "the scales '%s' have the shape %s, which does not go with '%s' of the shape %s", s->scale->name,
         shape_text(s->scale, scale, sizeof scale), s->weight->name, shape_text(s->weight, weight, sizeof weight));
    if (block[0])
        fail_hint(f, "each is for %" PRIu64 " x %" PRIu64 " weights, says the config", block[0], block[1]);
    return -1;
}

static uint64_t divided(uint64_t n, uint64_t by)
{
    return n / by + (n % by != 0);
}

int scaled_init(struct scaled *s, const uint64_t block[2], struct fail *f)
{
    const struct tensor *w = s->weight, *scale = s->scale;
    bool one = tensor_weights(scale) == 1;

    if (w->rank < 2 || w->rank > SCALED_MAX_RANK)
        return fail(f, FAIL_INPUT, "the scales '%s' belong to '%s', which is no matrix", scale->name, w->name);
    if (!one && (block[0] ? scale->rank != w->rank : scale->rank > w->rank))
        return no_fit(s, block, f);
    for (int d = 0; d < w->rank; d++) {
        bool blocks = block[0] && d >= w->rank - 2;
        uint64_t n = one || d >= scale->rank ? 1 : scale->shape[d], size = blocks ? block[d - (w->rank - 2)] : 1;

        if (one || (n == 1 && !blocks))
            size = w->shape[d] ? w->shape[d] : 1;
        if (n != divided(w->shape[d], size) && !one)
            return no_fit(s, block, f);
        s->step[d] = size;
        s->shape[d] = n;
    }
    return 0;
}

const char *scaled_how(const struct scaled *s, struct arena *a)
{
    int rank = s->weight->rank;

    if (tensor_weights(s->scale) == 1)
        return "one scale";
    return arena_printf(a, "a scale for %" PRIu64 " x %" PRIu64 " weights", s->step[rank - 2], s->step[rank - 1]);
}

/* Numbers [first, first + n) of a tensor, in the order in which they lie there. */
static const float *numbers(struct model *m, const struct tensor *t, uint64_t first, uint64_t n, struct arena *tmp, struct fail *f)
{
    uint64_t width = tensor_row(t), row = first / width, last = (first + n - 1) / width;
    const uint8_t *in = model_rows(m, t, row, last - row + 1, tmp, f);
    float *out = arena_raw(tmp, n * sizeof *out);

    assert(n && t->type->block == 1);
    if (in)
        t->type->decode(in + (first - row * width) * (uint64_t)t->type->nbytes, out, n);
    return in ? out : NULL;
}

/* A row by its scales, each for `step` weights. */
static void multiply(float *x, uint64_t width, const float *scale, uint64_t step)
{
    for (uint64_t at = 0, n; at < width; at += n, scale++) {
        n = width - at < step ? width - at : step;
        for (uint64_t i = at; i < at + n; i++)
            x[i] *= *scale;
    }
}

/* n rows from row `top` on of matrix number `matrix`. */
static int scale_part(const struct scaled *s, struct model *m, uint64_t matrix, uint64_t top, uint64_t n, float *x, struct arena *tmp,
                      struct fail *f)
{
    int rank = s->weight->rank;
    uint64_t width = tensor_row(s->weight), step = s->step[rank - 2], columns = s->shape[rank - 1], lo = top / step,
             base = rank > 2 ? matrix / s->step[0] * s->shape[1] : 0;
    const float *scale = numbers(m, s->scale, (base + lo) * columns, ((top + n - 1) / step - lo + 1) * columns, tmp, f);

    for (uint64_t r = 0; scale && r < n; r++)
        multiply(x + r * width, width, scale + ((top + r) / step - lo) * columns, s->step[rank - 1]);
    return scale ? 0 : -1;
}

float *scaled_rows(const struct scaled *s, struct model *m, uint64_t first, uint64_t n, struct arena *tmp, struct fail *f)
{
    const struct tensor *t = s->weight;
    const void *in = model_rows(m, t, first, n, tmp, f);
    uint64_t width = tensor_row(t), height = t->shape[t->rank - 2];
    float *out = arena_raw(tmp, n * width * sizeof *out);

    if (!in)
        return NULL;
    t->type->decode(in, out, n * width / (uint64_t)t->type->block);
    for (uint64_t done = 0, part; done < n && width; done += part) {
        uint64_t row = first + done, left = height - row % height;
        part = left < n - done ? left : n - done;
        if (scale_part(s, m, row / height, row % height, part, out + done * width, tmp, f))
            return NULL;
    }
    return out;
}
