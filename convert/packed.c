/* packed.c - see packed.h. */
#include "convert/packed.h"

#include <inttypes.h>
#include <string.h>

enum { WORD = 32, WORD_PANEL = TRANSPOSE_PANEL, OTHER_PANEL = TRANSPOSE_PANEL / 8 };

struct packed_turners packed_turners_new(struct arena *a)
{
    return (struct packed_turners){ transposer_new(a, WORD_PANEL), transposer_new(a, OTHER_PANEL), transposer_new(a, OTHER_PANEL) };
}

/* ---- what goes together ---- */
static uint64_t divided(uint64_t n, uint64_t by)
{
    return n / by + (n % by != 0);
}

static bool is_matrix(const struct tensor *t, const char *type, uint64_t rows, uint64_t columns)
{
    return t->rank == 2 && t->shape[0] == rows && t->shape[1] == columns && (!type || strcmp(t->type->name, type) == 0);
}

/* The two numbers of a tensor of whole numbers. */
static int read_shape(struct packed *p, struct model *m, const struct tensor *t, struct fail *f)
{
    struct arena tmp = {0};
    bool wide = strcmp(t->type->name, "i64") == 0, known = (wide || strcmp(t->type->name, "i32") == 0) && t->rank == 1 && t->shape[0] == 2;
    const void *in = known ? model_rows(m, t, 0, 1, &tmp, f) : NULL;
    int64_t both[2] = { 0, 0 };
    int32_t narrow[2];

    if (in && wide)
        memcpy(both, in, sizeof both);
    else if (in) {
        memcpy(narrow, in, sizeof narrow);
        both[0] = narrow[0];
        both[1] = narrow[1];
    }
    arena_release(&tmp);
    if (failed(f))
        return -1;
    if (both[0] <= 0 || both[1] <= 0)
        return fail(f, FAIL_INPUT, "'%s' does not hold the two numbers of a shape", t->name);
    p->rows = (uint64_t)both[0];
    p->columns = (uint64_t)both[1];
    return 0;
}

static int no_fit(const struct tensor *t, const struct packed *p, struct fail *f)
{
    return fail(f, FAIL_INPUT, "tensor '%s' does not go with '%s', %" PRIu64 " x %" PRIu64 " numbers of %u bits in groups of %" PRIu64, t->name,
                p->word->name, p->rows, p->columns, p->how.bits, p->how.group);
}

/* Is t, rows by columns of what it holds, as it should be? In the file it may be turned. */
static bool fits(const struct packed *p, const struct tensor *t, const char *type, uint64_t rows, uint64_t columns)
{
    return p->how.turned ? is_matrix(t, type, columns, rows) : is_matrix(t, type, rows, columns);
}

int packed_init(struct packed *p, struct model *m, const struct tensor *shape, struct fail *f)
{
    const struct tensor *w = p->word;
    uint64_t in_word = WORD / p->how.bits, across = p->how.turned, one = w->shape[across], other = w->shape[!across];

    if (w->rank != 2 || strcmp(w->type->name, "i32") != 0)
        return fail(f, FAIL_INPUT, "tensor '%s' is no matrix of 32-bit words", w->name);
    if (one > UINT32_MAX || other > UINT32_MAX)
        return fail(f, FAIL_INPUT, "tensor '%s' is too large", w->name);
    p->rows = p->how.interleaved ? one * in_word : one;
    p->columns = p->how.interleaved ? other : other * in_word;
    if (shape && read_shape(p, m, shape, f))
        return -1;
    if (!p->how.group || p->how.group > p->columns)
        p->how.group = p->columns ? p->columns : 1;
    p->groups = divided(p->columns, p->how.group);
    if (!fits(p, w, "i32", p->how.interleaved ? divided(p->rows, in_word) : p->rows, p->how.interleaved ? p->columns : divided(p->columns, in_word)))
        return no_fit(w, p, f);
    if (!fits(p, p->scale, NULL, p->rows, p->groups) || p->scale->type->block != 1 || !p->scale->type->decode)
        return no_fit(p->scale, p, f);
    if (p->zero && !fits(p, p->zero, "i32", divided(p->rows, in_word), p->groups))
        return no_fit(p->zero, p, f);
    if (p->group_of && (p->group_of->rank != 1 || p->group_of->shape[0] != p->columns || strcmp(p->group_of->type->name, "i32") != 0))
        return no_fit(p->group_of, p, f);
    return 0;
}

/* ---- rows ---- */
static const void *rows_of(const struct packed *p, struct transposer *turner, struct model *m, const struct tensor *t, uint64_t first, uint64_t n,
                           struct arena *tmp, struct fail *f)
{
    return p->how.turned ? transposed_rows(turner, m, t, 1, first, n, tmp, f) : model_rows(m, t, first, n, tmp, f);
}

/* By how many bits row r of those that share a word is moved. */
static unsigned shift_of_row(const struct packed *p, uint64_t r)
{
    static const uint8_t interleaved[] = { 0, 4, 1, 5, 2, 6, 3, 7 };
    unsigned at = (unsigned)(r % (WORD / p->how.bits));

    return p->how.bits * (p->how.interleaved ? interleaved[at % 8] : at);
}

/* What n rows are made of. */
struct pieces {
    uint64_t first;             /* the first of the rows, and ... */
    uint64_t top;               /* ... the first of words that hold several rows */
    const uint32_t *word, *zero;        /* zero NULL: none */
    const float *scale;
    const int32_t *group_of;    /* NULL: by division */
};

/* Row r as whole numbers, without their zero points. */
static void unpack_row(const struct packed *p, const struct pieces *x, uint64_t r, int32_t *q)
{
    unsigned bits = p->how.bits, in_word = WORD / bits;
    uint32_t mask = (1u << bits) - 1;

    if (p->how.interleaved) {
        const uint32_t *word = x->word + (r / in_word - x->top) * p->columns;
        for (uint64_t c = 0; c < p->columns; c++)
            q[c] = (int32_t)(word[c] >> shift_of_row(p, r) & mask);
        return;
    }
    const uint32_t *word = x->word + (r - x->first) * divided(p->columns, in_word);
    for (uint64_t c = 0; c < p->columns; c++)
        q[c] = (int32_t)(word[c / in_word] >> bits * (unsigned)(c % in_word) & mask);
}

static int32_t zero_of(const struct packed *p, const struct pieces *x, uint64_t r, uint64_t g)
{
    unsigned in_word = WORD / p->how.bits;

    if (!x->zero)
        return 1 << (p->how.bits - 1);
    return (int32_t)(x->zero[(r / in_word - x->top) * p->groups + g] >> shift_of_row(p, r) & ((1u << p->how.bits) - 1)) + (int32_t)p->how.zero_less;
}

static void scale_row(const struct packed *p, const struct pieces *x, uint64_t r, const int32_t *q, float *out)
{
    const float *scale = x->scale + (r - x->first) * p->groups;

    for (uint64_t c = 0; c < p->columns && x->group_of; c++) {
        uint64_t g = (uint64_t)x->group_of[c];
        out[c] = (float)(q[c] - zero_of(p, x, r, g)) * scale[g];
    }
    for (uint64_t g = 0; g < p->groups && !x->group_of; g++) {
        uint64_t end = (g + 1) * p->how.group < p->columns ? (g + 1) * p->how.group : p->columns;
        int32_t zero = zero_of(p, x, r, g);
        for (uint64_t c = g * p->how.group; c < end; c++)
            out[c] = (float)(q[c] - zero) * scale[g];
    }
}

static int read_groups(const struct packed *p, struct model *m, struct pieces *x, struct arena *tmp, struct fail *f)
{
    x->group_of = p->group_of ? model_rows(m, p->group_of, 0, 1, tmp, f) : NULL;
    for (uint64_t c = 0; x->group_of && c < p->columns; c++)
        if (x->group_of[c] < 0 || (uint64_t)x->group_of[c] >= p->groups)
            return fail(f, FAIL_INPUT, "'%s' puts column %" PRIu64 " into group %" PRId32 " of %" PRIu64, p->group_of->name, c, x->group_of[c],
                        p->groups);
    return failed(f) ? -1 : 0;
}

/* -1: see *f. */
static int read_pieces(const struct packed *p, const struct packed_turners *by, struct model *m, uint64_t n, struct pieces *x,
                       struct arena *tmp, struct fail *f)
{
    unsigned in_word = WORD / p->how.bits;
    uint64_t words = (x->first + n - 1) / in_word - x->top + 1;
    const void *scale = rows_of(p, by->scale, m, p->scale, x->first, n, tmp, f);
    float *floats = arena_raw(tmp, n * p->groups * sizeof *floats);

    if (!scale || read_groups(p, m, x, tmp, f))
        return -1;
    p->scale->type->decode(scale, floats, n * p->groups);
    x->scale = floats;
    x->word = p->how.interleaved ? rows_of(p, by->word, m, p->word, x->top, words, tmp, f) : rows_of(p, by->word, m, p->word, x->first, n, tmp, f);
    x->zero = x->word && p->zero ? rows_of(p, by->zero, m, p->zero, x->top, words, tmp, f) : NULL;
    return failed(f) ? -1 : 0;
}

float *packed_rows(const struct packed *p, const struct packed_turners *by, struct model *m, uint64_t first, uint64_t n, struct arena *tmp,
                   struct fail *f)
{
    struct pieces x = { .first = first, .top = first / (WORD / p->how.bits) };
    float *out = arena_raw(tmp, n * p->columns * sizeof *out);
    int32_t *q = arena_raw(tmp, p->columns * sizeof *q);

    if (n && read_pieces(p, by, m, n, &x, tmp, f))
        return NULL;
    for (uint64_t r = 0; r < n; r++) {
        unpack_row(p, &x, first + r, q);
        scale_row(p, &x, first + r, q, out + r * p->columns);
    }
    return out;
}
