/* regroup.c - see regroup.h. */
#include "convert/regroup.h"

#include "quant/half.h"
#include "formats/file.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct regroup regroup_of(const struct meta *m, const char *name, enum layout layout, bool bias, bool back, struct transposer *transposer)
{
    struct regroup g = { layout, arch_dim(m, name, DIM_EXPERTS), arch_heads(m, name, layout == LAYOUT_ROPE_K), arch_heads(m, name, true), 0, back, transposer };
    char key[200];

    if (bias && layout == LAYOUT_TRANSPOSED)
        g.layout = LAYOUT_SAME;
    if (layout == LAYOUT_BEHIND_PADDING && (size_t)snprintf(key, sizeof key, "%s.position_offset", name) < sizeof key)
        g.skip = meta_u64(m, key, 0);
    return g;
}

const char *regroup_how(const struct regroup *g, struct arena *a)
{
    switch (g->layout) {
    case LAYOUT_SAME:
        break;
    case LAYOUT_ROPE_Q:
    case LAYOUT_ROPE_K:
        return arena_printf(a, "rows of %" PRIu64 " heads regrouped from %s", g->heads, g->back ? "pairs to halves" : "halves to pairs");
    case LAYOUT_GROUPS:
        return arena_printf(a, "rows of %" PRIu64 " groups regrouped %s queries, keys and values", g->kv_heads,
                            g->back ? "from" : "to all");
    case LAYOUT_TRANSPOSED:
        return "transposed";
    case LAYOUT_PLUS_ONE:
        return g->back ? "1 subtracted from each weight" : "1 added to each weight";
    case LAYOUT_EXPERTS:
        return arena_printf(a, "%" PRIu64 " experts taken apart", g->experts);
    case LAYOUT_EXPERTS_TRANSPOSED:
        return arena_printf(a, "%" PRIu64 " experts taken apart and transposed", g->experts);
    case LAYOUT_STACKED:
        break;
    case LAYOUT_BEHIND_PADDING:
        return arena_printf(a, "the first %" PRIu64 " rows left out", g->skip);
    case LAYOUT_STACKED_FIRST:
    case LAYOUT_STACKED_SECOND:
        return arena_printf(a, "the rows of %" PRIu64 " experts halved", g->experts);
    }
    return NULL;
}

/* Experts one below the other as matrices one behind the other. */
static struct tensor experts_of(const struct regroup *g, const struct tensor *t)
{
    struct tensor out = *t;

    assert(t->rank == 2 && g->experts && t->shape[0] % g->experts == 0);
    out.rank = 3;
    out.shape[0] = g->experts;
    out.shape[1] = t->shape[0] / g->experts;
    out.shape[2] = t->shape[1];
    return out;
}

int regroup_tensor(const struct regroup *g, const struct tensor *t, struct tensor *out, struct fail *f)
{
    *out = *t;
    if (g->layout == LAYOUT_TRANSPOSED) {
        out->shape[0] = t->shape[1];
        out->shape[1] = t->shape[0];
    }
    if (g->layout == LAYOUT_EXPERTS || g->layout == LAYOUT_EXPERTS_TRANSPOSED)
        *out = experts_of(g, t);
    if (g->layout == LAYOUT_EXPERTS_TRANSPOSED) {
        out->shape[1] = t->shape[1];
        out->shape[2] = t->shape[0] / g->experts;
    }
    if (g->layout == LAYOUT_STACKED_FIRST || g->layout == LAYOUT_STACKED_SECOND)
        out->shape[1] /= 2;
    if (g->layout == LAYOUT_BEHIND_PADDING)         /* arch_check_shape() has seen that there are more */
        out->shape[0] -= g->skip;
    if (g->layout == LAYOUT_PLUS_ONE)
        out->type = qtype_named("f32");
    if (t->type->block != 1 && (g->layout == LAYOUT_TRANSPOSED || g->layout == LAYOUT_EXPERTS_TRANSPOSED || (g->layout != LAYOUT_SAME && t->rank == 1)))
        return fail(f, FAIL_INPUT, "tensor '%s' is of type %s, whose blocks of weights cannot be taken apart", t->name, t->type->name);
    return 0;
}

/* ---- pairs of rotary positions ---- */

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

static const void *pair_vector(const struct regroup *g, struct model *inner, const struct tensor *t, struct arena *tmp,
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

static const void *pair_rows(const struct regroup *g, struct model *inner, const struct tensor *t, uint64_t first, uint64_t n,
                             struct arena *tmp, struct fail *f)
{
    uint64_t head = tensor_rows(t) / g->heads;
    size_t nbytes = tensor_row_bytes(t);
    uint8_t *out;

    if (t->rank == 1)
        return pair_vector(g, inner, t, tmp, f);
    out = arena_raw(tmp, n * nbytes);
    for (uint64_t done = 0, part; done < n; done += part) {
        uint64_t left = head - (first + done) % head;
        part = left < n - done ? left : n - done;
        if (regroup_head(g, inner, t, first + done, part, out + done * nbytes, tmp, f))
            return NULL;
    }
    return out;
}

/* ---- groups ---- */
/* Which block of the source is block `b` of the result? */
static uint64_t source_block(const struct regroup *g, uint64_t b)
{
    uint64_t share = g->heads / g->kv_heads, group = b / (share + 2), member = b % (share + 2);

    if (g->back)
        return member < share ? group * share + member : g->heads + (member - share) * g->kv_heads + group;
    if (b < g->heads)
        return b / share * (share + 2) + b % share;
    group = (b - g->heads) % g->kv_heads;
    return group * (share + 2) + share + (b - g->heads) / g->kv_heads;
}

static const void *group_vector(const struct regroup *g, struct model *inner, const struct tensor *t, struct arena *tmp, struct fail *f)
{
    const uint8_t *in = model_rows(inner, t, 0, 1, tmp, f);
    uint64_t blocks = g->heads + 2 * g->kv_heads;
    size_t nbytes = tensor_row(t) / blocks * (size_t)t->type->nbytes;
    uint8_t *out = arena_raw(tmp, blocks * nbytes);

    for (uint64_t b = 0; in && b < blocks; b++)
        memcpy(out + b * nbytes, in + source_block(g, b) * nbytes, nbytes);
    return in ? out : NULL;
}

static const void *group_rows(const struct regroup *g, struct model *inner, const struct tensor *t, uint64_t first, uint64_t n,
                              struct arena *tmp, struct fail *f)
{
    uint64_t length = tensor_rows(t) / (g->heads + 2 * g->kv_heads);
    size_t nbytes = tensor_row_bytes(t);
    uint8_t *out;

    if (t->rank == 1)
        return group_vector(g, inner, t, tmp, f);
    out = arena_raw(tmp, n * nbytes);
    for (uint64_t done = 0, part; done < n; done += part) {
        uint64_t row = first + done, left = length - row % length;
        const void *in;
        part = left < n - done ? left : n - done;
        in = model_rows(inner, t, source_block(g, row / length) * length + row % length, part, tmp, f);
        if (!in)
            return NULL;
        memcpy(out + done * nbytes, in, part * nbytes);
    }
    return out;
}

/* Of blocks of `height` rows every second is wanted, from block `at` on. */
static const void *half_rows(struct model *inner, const struct tensor *t, uint64_t height, uint64_t at, uint64_t first, uint64_t n,
                             struct arena *tmp, struct fail *f)
{
    size_t nbytes = tensor_row_bytes(t);
    uint8_t *out;

    if (n && first / height == (first + n - 1) / height)
        return model_rows(inner, t, (first / height * 2 + at) * height + first % height, n, tmp, f);
    out = arena_raw(tmp, n * nbytes);
    for (uint64_t done = 0, part; done < n; done += part) {
        uint64_t row = first + done, left = height - row % height;
        const void *in;
        part = left < n - done ? left : n - done;
        in = model_rows(inner, t, (row / height * 2 + at) * height + row % height, part, tmp, f);
        if (!in)
            return NULL;
        memcpy(out + done * nbytes, in, part * nbytes);
    }
    return out;
}

/* ---- values ---- */
/* In the precision that the reference computes in: that of the source if it is f16, float32 otherwise. */
static const void *shifted_rows(const struct regroup *g, struct model *inner, const struct tensor *t, uint64_t first, uint64_t n,
                                struct arena *tmp, struct fail *f)
{
    const float *in = model_rows_f32(inner, t, first, n, tmp, f);
    uint64_t weights = n * tensor_row(t);
    float *out = arena_raw(tmp, weights * sizeof *out);
    bool half = strcmp(t->type->name, "f16") == 0;

    for (uint64_t i = 0; in && i < weights; i++) {
        float sum = in[i] + (g->back ? -1.0f : 1.0f);
        out[i] = half ? f32_from_f16(f16_from_f32(sum)) : sum;
    }
    return in ? out : NULL;
}

uint64_t regroup_panel_nbytes(const struct regroup *g, const struct tensor *t)
{
    switch (g->layout) {
    case LAYOUT_TRANSPOSED:
        return min_u64(tensor_bytes(t), TRANSPOSE_PANEL);
    case LAYOUT_EXPERTS_TRANSPOSED:
        return min_u64(tensor_bytes(t) / g->experts, TRANSPOSE_PANEL);
    default:
        return 0;
    }
}

const void *regroup_rows(const struct regroup *g, struct model *inner, const struct tensor *t, uint64_t first, uint64_t n,
                         struct arena *tmp, struct fail *f)
{
    switch (g->layout) {
    case LAYOUT_SAME:
    case LAYOUT_EXPERTS:
    case LAYOUT_STACKED:
        break;
    case LAYOUT_STACKED_FIRST:
    case LAYOUT_STACKED_SECOND:
        return half_rows(inner, t, t->shape[1] / 2, g->layout == LAYOUT_STACKED_SECOND, first, n, tmp, f);
    case LAYOUT_EXPERTS_TRANSPOSED:
        return transposed_rows(g->transposer, inner, t, g->experts, first, n, tmp, f);
    case LAYOUT_ROPE_Q:
    case LAYOUT_ROPE_K:
        return pair_rows(g, inner, t, first, n, tmp, f);
    case LAYOUT_GROUPS:
        return group_rows(g, inner, t, first, n, tmp, f);
    case LAYOUT_TRANSPOSED:
        return transposed_rows(g->transposer, inner, t, 1, first, n, tmp, f);
    case LAYOUT_PLUS_ONE:
        return shifted_rows(g, inner, t, first, n, tmp, f);
    case LAYOUT_BEHIND_PADDING:
        return model_rows(inner, t, first + g->skip, n, tmp, f);
    }
    return model_rows(inner, t, first, n, tmp, f);
}
