/* replay.c - see replay.h. */
#include "verify/replay.h"

#include <math.h>
#include <string.h>

enum { CHUNK_WEIGHTS = 1 << 19, CHUNKS_AT_ONCE = 4096 };

/* How much more than ours a block, a row and a tensor may err, as ratios of squared errors. Blocks that are not equal where
 * most are come of arithmetic with fused operations, or are damaged. With llama-quantize built for fused operations, on 148 M
 * weights and without importance, at most 1 % of the blocks of Q4_0, Q5_0, Q6_K, IQ4_NL and IQ4_XS differ: those of 256
 * weights err at most 1.08 times as much as ours, those of 32 up to 1.4 times. Of other encodings 68 % to 99 % stay equal, and
 * the others err at most 1.4 times as much. Importance matrices change all blocks: the bundled model's own lets a block err
 * 3.1 times as much, a row 1.2 and a tensor 1.2; one whose importances spread over eight powers of ten 83, 17 and 2.8 times.
 * And nothing that was rounded is much further from its source than zeros would be. */
struct factors {
    double block, row;
    double short_block;         /* of fewer than 256 weights */
    bool even;                  /* a block may also err as much as even steps would */
};
static const struct factors nearly_equal = { 1.1, 1.5, 2, false }, mostly_equal = { 2, 1.5, 2, true }, otherwise = { 150, 30, 150, true };
static const double tensor_factor = 5, most_of_energy = 1.5;

struct chunk {
    size_t pair;
    uint64_t first, n;          /* rows */
};

/* What one thread has before it: the same rows as floats of the source, and as they are in the file. */
struct bench {
    const struct replay_pair *pair;
    const struct qtype *type;   /* of the file */
    uint64_t first, n, row;     /* rows, and weights in a row */
    size_t blocks;              /* in all rows */
    const uint8_t *found;
    const float *x, *y;         /* source, file */
    uint8_t *road;              /* per block, 1 + the road that gives its bytes; 0: none so far */
    const uint8_t *ours;        /* what our encoder makes of x; NULL: it cannot */
    const struct factors *may;
    struct arena *tmp;
};

uint64_t replay_exact(const struct replay_result *r)
{
    uint64_t n = 0;

    for (int i = 0; i < ROADS; i++)
        n += r->exact[i];
    return n;
}

/* ---- roads ---- */
/* Marks the blocks that are equal; returns how many are still without a road. */
static size_t mark(struct bench *b, const uint8_t *bytes, enum replay_road road)
{
    size_t size = (size_t)b->type->nbytes, open = 0;

    for (size_t i = 0; i < b->blocks; i++) {
        if (!b->road[i] && memcmp(b->found + i * size, bytes + i * size, size) == 0)
            b->road[i] = (uint8_t)(1 + road);
        open += !b->road[i];
    }
    return open;
}

/* x in the file's type. Experts have an importance of their own, so their rows go one by one. */
static const uint8_t *encode(const struct bench *b, const float *x)
{
    const struct tensor *t = b->pair->found;
    uint8_t *out = arena_raw(b->tmp, b->blocks * (size_t)b->type->nbytes);
    size_t row_blocks = b->blocks / b->n, row_bytes = row_blocks * (size_t)b->type->nbytes;
    const float *weight = b->pair->weight;

    if (!weight && b->type->needs_weight) {
        float *ones = arena_raw(b->tmp, b->row * sizeof *ones);
        for (uint64_t i = 0; i < b->row; i++)
            ones[i] = 1;
        weight = ones;
    }
    if (!b->pair->weight || t->rank < 3) {
        b->type->encode(x, weight, out, b->n, row_blocks);
        return out;
    }
    for (uint64_t i = 0; i < b->n; i++)
        b->type->encode(x + i * b->row, weight + (b->first + i) / t->shape[t->rank - 2] * b->row, out + i * row_bytes, 1, row_blocks);
    return out;
}

/* x rounded to a 16-bit type and back. */
static const float *rounded(const struct bench *b, const char *name)
{
    const struct qtype *t = qtype_named(name);
    size_t n = (size_t)(b->n * b->row);
    uint16_t *half = arena_raw(b->tmp, n * sizeof *half);
    float *out = arena_raw(b->tmp, n * sizeof *out);

    t->encode(b->x, NULL, half, b->n, (size_t)b->row);
    t->decode(half, out, n);
    return out;
}

static bool is_named(const struct qtype *t, const char *name)
{
    return strcmp(t->name, name) == 0;
}

/* Other roads are worth a look where some blocks came out equal and others did not, and from sources whose every weight a
 * rounding changes. */
static void try_roads(struct bench *b, size_t open)
{
    const struct qtype *from = b->pair->expected->type;
    bool wide = from->block == 1 && (is_named(from, "f32") || is_named(from, "f64"));

    if (open && (wide || open < b->blocks) && !is_named(from, "f16"))
        open = mark(b, encode(b, rounded(b, "f16")), ROAD_F16);
    if (open && wide)
        mark(b, encode(b, rounded(b, "bf16")), ROAD_BF16);
}

static bool all_finite(const float *x, size_t n)
{
    float sum = 0;              /* NaN as soon as one is, since Inf * 0 and NaN * 0 are */

    for (size_t i = 0; i < n; i++)
        sum += x[i] * 0;
    return sum == 0;
}

static void find_roads(struct bench *b, const uint8_t *source)
{
    size_t n = (size_t)(b->n * b->row), nbytes = b->blocks * (size_t)b->type->nbytes;

    b->road = arena_alloc(b->tmp, b->blocks);
    b->ours = NULL;
    if (b->type == b->pair->expected->type)
        b->ours = source;
    else if (b->type->encode && (b->type->block == 1 || all_finite(b->x, n)))
        b->ours = encode(b, b->x);
    if (!b->ours)
        return;
    if (memcmp(b->ours, b->found, nbytes) == 0)
        memset(b->road, 1 + ROAD_STRAIGHT, b->blocks);
    else
        try_roads(b, mark(b, b->ours, ROAD_STRAIGHT));
}

static const struct factors *factors_of(const struct bench *b)
{
    size_t equal = 0;

    for (size_t i = 0; i < b->blocks; i++)
        equal += b->road[i] != 0;
    if (!b->pair->weight && 100 * (b->blocks - equal) <= b->blocks)
        return &nearly_equal;
    return 2 * equal >= b->blocks ? &mostly_equal : &otherwise;
}

/* ---- errors ---- */
struct sums {
    double energy, error, ours, limit;
    float most, top;
};

static void count_not_finite(const struct bench *b, size_t at, size_t n, struct replay_result *r)
{
    for (size_t i = at; i < at + n; i++) {
        bool source = !isfinite(b->x[i]);
        if (!source && isfinite(b->y[i]))
            continue;
        if (!r->source_not_finite && !r->not_finite)
            r->first_not_finite = b->first * b->row + i;
        r->source_not_finite += source;
        r->not_finite += !source;
    }
}

static struct sums sum_up(const float *x, const float *y, size_t n)
{
    struct sums s = {0};

    for (size_t i = 0; i < n; i++) {
        float d = fabsf(x[i] - y[i]), m = fabsf(x[i]);
        s.energy += (double)x[i] * x[i];
        s.error += (double)d * d;
        s.most = d > s.most ? d : s.most;
        s.top = m > s.top ? m : s.top;
    }
    return s;
}

/* The error of our encoder on one block. */
static double our_error(const struct bench *b, size_t block)
{
    size_t n = (size_t)b->type->block;
    float y[256];
    const float *x = b->x + block * n;

    if (!b->ours || n > sizeof y / sizeof *y)
        return 0;
    b->type->decode(b->ours + block * (size_t)b->type->nbytes, y, 1);
    return sum_up(x, y, n).error;
}

/* Evenly spaced steps over the range of the block would err by so much: a floor, since a lucky block of ours says nothing
 * about others. */
static double even_error(const struct qtype *t, float top)
{
    double bits = 8.0 * t->nbytes / t->block, steps = exp2(bits);

    return t->block * (double)top * (double)top / (3 * steps * steps);
}

/* Do the levels of a weight's neighbors have no say in its own? Not where an encoding writes points of a lattice. */
static bool rounds_singly(const struct qtype *t)
{
    return strncmp(t->name, "iq", 2) != 0 || t->name[2] == '4';
}

/* One or two weights of a block at other levels than ours, all else equal. Other arithmetic does that where a weight lies midway
 * between two levels, and then they err alike: fused operations brought about 26,000 such blocks, none erring more than 1.01
 * times as much. A level that is not the nearest, where the others are, is no rounding. The margin beside half as much again is
 * that of a scale rounded to 16 bits after the levels were found. */
static bool is_slip(const struct bench *b, size_t block, float top)
{
    size_t n = (size_t)b->type->block, moved = 0;
    float ours[256];
    const float *x = b->x + block * n, *y = b->y + block * n;
    double error = 0, our_error = 0;

    if (!b->ours || n == 1 || n > sizeof ours / sizeof *ours || b->may != &nearly_equal || !rounds_singly(b->type))
        return false;
    b->type->decode(b->ours + block * (size_t)b->type->nbytes, ours, 1);
    for (size_t i = 0; i < n; i++) {
        double d = (double)x[i] - (double)y[i], e = (double)x[i] - (double)ours[i];
        if (y[i] == ours[i])
            continue;
        moved++;
        error += d * d;
        our_error += e * e;
    }
    return moved && moved <= 2 && sqrt(error) > 1.5 * sqrt(our_error) + 0x1p-9 * (double)top;
}

static struct sums judge_block(const struct bench *b, size_t i)
{
    size_t n = (size_t)b->type->block, at = i * n;
    struct sums s = sum_up(b->x + at, b->y + at, n);
    double even;

    s.limit = INFINITY;
    s.ours = s.error;
    if (b->road[i])
        return s;
    s.ours = our_error(b, i);
    even = even_error(b->type, s.top);
    s.limit = s.ours > even || !b->may->even ? s.ours : even;
    return s;
}

static double least(double a, double b)
{
    return a < b ? a : b;
}

/* Is the error more than `factor` times the limit? Where ours is itself hardly better than zeros, ours counts. */
static bool exceeds(double error, double limit, double ours, double energy, double factor)
{
    double most = least(factor * limit, most_of_energy * energy);

    return !(error <= (most > 1.1 * ours ? most : 1.1 * ours));
}

static void add_whole(const struct sums *s, struct replay_result *r)
{
    r->energy += s->energy;
    r->error += s->error;
    r->ours += s->ours;
    r->most = s->most > r->most ? (double)s->most : r->most;
}

/* A row in which every block has its road. */
static void add_exact_row(const struct bench *b, uint64_t row, struct replay_result *r)
{
    size_t per_row = b->blocks / b->n;
    const uint8_t *road = b->road + row * per_row;
    struct sums s = sum_up(b->x + row * b->row, b->y + row * b->row, (size_t)b->row);

    for (size_t k = 0; k < per_row; k++)
        r->exact[road[k] - 1]++;
    if (!(s.energy + s.error < INFINITY)) {
        count_not_finite(b, (size_t)(row * b->row), (size_t)b->row, r);
        s = (struct sums){0};
    }
    s.ours = s.error;
    add_whole(&s, r);
}

static void add_row(const struct bench *b, uint64_t row, struct replay_result *r)
{
    size_t per_row = b->blocks / b->n, n = (size_t)b->type->block;
    bool bad = false, judged = false;
    struct sums whole = {0};

    for (size_t k = 0; k < per_row; k++) {
        size_t i = row * per_row + k;
        struct sums s = judge_block(b, i);
        double factor = n < 256 ? b->may->short_block : b->may->block;
        bool open = !b->road[i];
        bool bad_block = open && (n == 1 || exceeds(s.error, s.limit, s.ours, s.energy, factor) || is_slip(b, i, s.top));

        if (!(s.energy + s.error < INFINITY)) {             /* NaN and Inf are counted apart */
            count_not_finite(b, i * n, n, r);
            s.energy = s.error = s.ours = 0;
        }
        if (b->road[i])
            r->exact[b->road[i] - 1]++;
        if (open && !r->other_blocks++)
            r->other_block = (struct replay_spot){ b->first + row, k };
        if (bad_block && !r->bad_blocks++)
            r->bad_block = (struct replay_spot){ b->first + row, k };
        whole.energy += s.energy;
        whole.error += s.error;
        whole.ours += s.ours;
        whole.limit += open ? s.limit : s.error;
        whole.most = s.most > whole.most ? s.most : whole.most;
        judged |= open;
        bad |= bad_block;
    }
    if (bad || (judged && exceeds(whole.error, whole.limit, whole.ours, whole.energy, b->may->row))) {
        if (!r->bad_rows++)
            r->bad_row = b->first + row;
    }
    add_whole(&whole, r);
}

/* ---- chunks ---- */
static int compare_chunk(struct model *expected, struct model *found, const struct replay_pair *p, const struct chunk *c,
                         struct arena *tmp, struct replay_result *r, struct fail *f)
{
    struct bench b = { .pair = p, .type = p->found->type, .first = c->first, .n = c->n, .row = tensor_row(p->expected), .tmp = tmp };
    const struct qtype *from = p->expected->type;
    const uint8_t *in = model_rows(expected, p->expected, c->first, c->n, tmp, f);
    size_t n = (size_t)(c->n * b.row);
    float *x, *y;

    if (!in)
        return fail_in(f, expected->path);
    b.found = model_rows(found, p->found, c->first, c->n, tmp, f);
    if (!b.found)
        return fail_in(f, found->path);
    *r = (struct replay_result){ .weights = n, .blocks = n / (size_t)b.type->block };
    if (from == b.type && memcmp(in, b.found, c->n * tensor_row_bytes(p->found)) == 0) {
        r->exact[ROAD_STRAIGHT] = r->blocks;
        return 0;
    }
    x = arena_raw(tmp, n * sizeof *x);
    y = arena_raw(tmp, n * sizeof *y);
    from->decode(in, x, n / (size_t)from->block);
    b.type->decode(b.found, y, n / (size_t)b.type->block);
    b.x = x;
    b.y = y;
    b.blocks = (size_t)r->blocks;
    find_roads(&b, in);
    b.may = factors_of(&b);
    for (uint64_t row = 0; row < c->n; row++)
        (memchr(b.road + row * (b.blocks / b.n), 0, b.blocks / b.n) ? add_row : add_exact_row)(&b, row, r);
    return 0;
}

/* Chunks come in the order of their rows, so that the first of each kind stays the first. */
static void merge(struct replay_result *to, const struct replay_result *r)
{
    if (r->bad_blocks && !to->bad_blocks)
        to->bad_block = r->bad_block;
    if (r->other_blocks && !to->other_blocks)
        to->other_block = r->other_block;
    if (r->bad_rows && !to->bad_rows)
        to->bad_row = r->bad_row;
    if ((r->not_finite || r->source_not_finite) && !to->not_finite && !to->source_not_finite)
        to->first_not_finite = r->first_not_finite;
    to->weights += r->weights;
    to->blocks += r->blocks;
    for (int i = 0; i < ROADS; i++)
        to->exact[i] += r->exact[i];
    to->energy += r->energy;
    to->error += r->error;
    to->ours += r->ours;
    to->most = r->most > to->most ? r->most : to->most;
    to->other_blocks += r->other_blocks;
    to->bad_blocks += r->bad_blocks;
    to->bad_rows += r->bad_rows;
    to->not_finite += r->not_finite;
    to->source_not_finite += r->source_not_finite;
}

/* The next portion of the list of chunks; 0: no more. */
static size_t cut(const struct replay_pair *p, size_t npairs, size_t *pair, uint64_t *row, struct chunk *out)
{
    size_t n = 0;

    while (*pair < npairs && n < CHUNKS_AT_ONCE) {
        const struct tensor *t = p[*pair].expected;
        uint64_t some = CHUNK_WEIGHTS / (tensor_row(t) ? tensor_row(t) : 1), rows = tensor_rows(t);
        some = some ? some : 1;
        some = some < rows - *row ? some : rows - *row;
        if (some)
            out[n++] = (struct chunk){ *pair, *row, some };
        *row += some;
        if (*row == rows)
            ++*pair, *row = 0;
    }
    return n;
}

/* One portion, in parallel; the failure of the lowest chunk is told. */
struct portion {
    struct model *expected, *found;
    const struct replay_pair *pair;
    const struct chunk *chunk;
    size_t n;
    struct replay_result *result;
    const struct progress *progress;
    uint64_t done, total;
};

static int compare_portion(struct portion *p, struct fail *f)
{
    uint64_t lowest = UINT64_MAX;

#pragma omp parallel
    {
        struct arena tmp = {0};
#pragma omp for schedule(dynamic)
        for (size_t i = 0; i < p->n; i++) {
            const struct chunk *c = &p->chunk[i];
            struct fail mine = {0};
            compare_chunk(p->expected, p->found, &p->pair[c->pair], c, &tmp, &p->result[i], &mine);
            fail_lowest(f, &lowest, i, &mine);
            arena_reset(&tmp);
#pragma omp critical(replay_progress)
            {
                p->done += c->n * tensor_row_bytes(p->pair[c->pair].found);
                if (p->progress && p->progress->fn)
                    p->progress->fn(p->progress->ctx, p->done, p->total);
            }
        }
        arena_release(&tmp);
    }
    return lowest == UINT64_MAX ? 0 : -1;
}

/* A tensor whose rows each pass may still be worse as a whole than rounding explains. */
static bool is_damaged(const struct replay_result *r)
{
    bool open = replay_exact(r) < r->blocks;

    return r->bad_blocks || r->bad_rows || r->not_finite ||
           (open && (r->source_not_finite || exceeds(r->error, r->ours, r->ours, r->energy, tensor_factor)));
}

int replay_compare(struct model *expected, struct model *found, const struct replay_pair *pair, size_t n,
                   struct replay_result *result, const struct progress *progress, struct fail *f)
{
    struct arena a = {0};
    struct chunk *chunk = arena_array(&a, struct chunk, CHUNKS_AT_ONCE);
    struct replay_result *part = arena_array(&a, struct replay_result, CHUNKS_AT_ONCE);
    struct portion p = { expected, found, pair, chunk, 0, part, progress, 0, 0 };
    size_t at = 0;
    uint64_t row = 0;
    int bad = 0;

    for (size_t i = 0; i < n; i++) {
        result[i] = (struct replay_result){0};
        p.total += tensor_bytes(pair[i].found);
    }
    while (!bad && (p.n = cut(pair, n, &at, &row, chunk))) {
        bad = compare_portion(&p, f);
        for (size_t i = 0; !bad && i < p.n; i++)
            merge(&result[chunk[i].pair], &part[i]);
    }
    for (size_t i = 0; !bad && i < n; i++)
        result[i].damaged = is_damaged(&result[i]);
    arena_release(&a);
    return bad;
}
