/* regroup.c - the row order of rotary positions. */
#include "convert/regroup.h"

#include <assert.h>
#include <string.h>

/* Every `to`-th item of `out` from every `from`-th of `in`. */
static void copy_strided(uint8_t *out, size_t to, const uint8_t *in, size_t from, uint64_t n, size_t nbytes)
{
    for (uint64_t i = 0; i < n; i++)
        memcpy(out + i * to * nbytes, in + i * from * nbytes, nbytes);
}

/* A portion of one head and of one member of its pairs: `count` rows from the inner row `from` on, every `step`-th; they
 * go to every `spread`-th row of the portion from `at` on. */
struct run {
    uint64_t from, count, step, at, spread;
};

/* Rows [first, first + n) lie in one head of `half` pairs. */
static struct run find_run(uint64_t first, uint64_t n, uint64_t half, uint64_t member, bool back)
{
    uint64_t base = first / (2 * half) * 2 * half, lo = first - base, hi = lo + n;
    struct run r;

    if (!back) {
        uint64_t skip = (lo + member) % 2;
        r = (struct run){ base + member * half + (lo + skip) / 2, n > skip ? (n - skip + 1) / 2 : 0, 1, skip, 2 };
    } else {
        uint64_t start = member * half, from = lo > start ? lo : start, to = hi < start + half ? hi : start + half;
        r = (struct run){ base + 2 * (from - start) + member, to > from ? to - from : 0, 2, from - lo, 1 };
    }
    return r;
}

static int regroup_head(const struct regroup *g, struct model *inner, const struct tensor *t, uint64_t first, uint64_t n,
                        uint8_t *out, struct arena *tmp, struct fail *f)
{
    uint64_t half = tensor_rows(t) / g->heads / 2;
    size_t nbytes = tensor_row_bytes(t);

    for (uint64_t member = 0; member < 2; member++) {
        struct run r = find_run(first, n, half, member, g->back);
        const uint8_t *in;
        if (!r.count)
            continue;
        in = model_rows(inner, t, r.from, (r.count - 1) * r.step + 1, tmp, f);
        if (!in)
            return -1;
        copy_strided(out + r.at * nbytes, r.spread, in, r.step, r.count, nbytes);
    }
    return 0;
}

static const void *regroup_vector(const struct regroup *g, struct model *inner, const struct tensor *t, struct arena *tmp,
                                  struct fail *f)
{
    const uint8_t *in = model_rows(inner, t, 0, 1, tmp, f);
    uint64_t n = tensor_row(t), head = n / g->heads;
    size_t nbytes = (size_t)t->type->nbytes;
    uint8_t *out;

    assert(t->type->block == 1);
    if (!in)
        return NULL;
    out = arena_raw(tmp, n * nbytes);
    for (uint64_t first = 0; first < n; first += head)
        for (uint64_t member = 0; member < 2; member++) {
            struct run r = find_run(first, head, head / 2, member, g->back);
            copy_strided(out + (first + r.at) * nbytes, r.spread, in + r.from * nbytes, r.step, r.count, nbytes);
        }
    return out;
}

const void *regroup_rows(const struct regroup *g, struct model *inner, const struct tensor *t, uint64_t first, uint64_t n,
                         struct arena *tmp, struct fail *f)
{
    uint64_t head = tensor_rows(t) / g->heads;
    size_t nbytes = tensor_row_bytes(t);
    uint8_t *out;

    if (t->rank == 1)
        return regroup_vector(g, inner, t, tmp, f);
    out = arena_raw(tmp, n * nbytes);
    for (uint64_t done = 0, part; done < n; done += part) {
        uint64_t left = head - (first + done) % head;
        part = left < n - done ? left : n - done;
        if (regroup_head(g, inner, t, first + done, part, out + done * nbytes, tmp, f))
            return NULL;
    }
    return out;
}
