/* diagnose.c - see diagnose.h. */
#include "verify/diagnose.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { SAMPLES = 4, CANDIDATES = 512, SCAN_WEIGHTS = 1 << 28 };
/* Another reading of the weights has to explain this share of the error to be named. */
static const double explains = 0.5;

/* Rows of the tensor in the file, and what is expected in their place. */
struct samples {
    struct model *expected, *found;
    const struct tensor *theirs, *ours;         /* expected, in the file */
    size_t n;
    uint64_t row[SAMPLES], width;
    const float *y[SAMPLES], *x[SAMPLES];
    double error;                               /* of all samples against what is expected */
    struct arena arena;
};

/* ---- distances ---- */
static double distance(const float *x, const float *y, uint64_t n, double sign)
{
    double sum = 0;

    for (uint64_t i = 0; i < n; i++) {
        double d = (double)y[i] - sign * (double)x[i];
        sum += d * d;
    }
    return sum;
}

static double energy(const float *x, uint64_t n)
{
    double sum = 0;

    for (uint64_t i = 0; i < n; i++)
        sum += (double)x[i] * x[i];
    return sum;
}

/* Rows spread over the tensor, neither its first (which most permutations leave in place) nor those of one head. */
static int take_samples(struct samples *s, uint64_t first_bad, struct fail *f)
{
    uint64_t rows = tensor_rows(s->ours);

    s->n = rows < SAMPLES ? (size_t)rows : SAMPLES;
    s->width = tensor_row(s->ours);
    for (size_t i = 0; i < s->n; i++) {
        s->row[i] = rows <= SAMPLES ? i : i ? (rows * i / s->n + 1) | 1 : first_bad;
        s->row[i] = s->row[i] < rows ? s->row[i] : rows - 1;
        s->y[i] = model_rows_f32(s->found, s->ours, s->row[i], 1, &s->arena, f);
        if (!s->y[i])
            return fail_in(f, s->found->path);
        if (!s->theirs)
            continue;
        s->x[i] = model_rows_f32(s->expected, s->theirs, s->row[i], 1, &s->arena, f);
        if (!s->x[i])
            return fail_in(f, s->expected->path);
        s->error += distance(s->x[i], s->y[i], s->width, 1);
    }
    return 0;
}

/* ---- other readings of the sampled rows: the one that leaves least unexplained is told ---- */
struct reading {
    const char *text;
    double left;                /* sum of squares that it does not explain */
};

static void offer(struct reading *best, const char *text, double left)
{
    if (left < best->left)
        *best = (struct reading){ text, left };
}

static int other_error(struct samples *s, const struct tensor *t, double *error, struct fail *f)
{
    struct arena tmp = {0};
    const float *x = s->y[0];

    *error = 0;
    for (size_t i = 0; x && i < s->n; i++) {
        x = model_rows_f32(s->expected, t, s->row[i], 1, &tmp, f);
        *error += x ? distance(x, s->y[i], s->width, 1) : 0;
    }
    arena_release(&tmp);
    return x ? 0 : fail_in(f, s->expected->path);
}

/* Another tensor's weights. Those nearest in the list come first: neighbors are what gets mixed up. */
static int try_tensors(struct samples *s, struct reading *best, struct arena *a, struct fail *f)
{
    const struct tensor *other = NULL;
    size_t at = s->theirs ? (size_t)(s->theirs - s->expected->tensor) : 0, n = s->expected->ntensors, tried = 0;
    double least = best->left, error;

    for (size_t step = 1; step <= n && tried < CANDIDATES; step++)
        for (int side = 0; side < 2; side++) {
            size_t i = side ? at + step - 1 : at - step;
            const struct tensor *t = i < n ? &s->expected->tensor[i] : NULL;
            if (!t || t == s->theirs || !tensor_same_shape(t, s->ours))
                continue;
            tried++;
            if (other_error(s, t, &error, f))
                return -1;
            if (error < least) {
                least = error;
                other = t;
            }
        }
    if (other)
        offer(best, arena_printf(a, "holds what belongs to '%s'", other->name), least);
    return 0;
}

/* The right weights with another sign, size or zero. */
static void try_same_place(const struct samples *s, struct reading *best, struct arena *a)
{
    double flipped = 0, sum = 0, xx = 0, xy = 0, yy = 0, n = (double)s->n * (double)s->width;

    for (size_t i = 0; i < s->n; i++) {
        flipped += distance(s->x[i], s->y[i], s->width, -1);
        for (uint64_t k = 0; k < s->width; k++) {
            double x = (double)s->x[i][k], y = (double)s->y[i][k];
            sum += y - x;
            xx += x * x;
            xy += x * y;
            yy += y * y;
        }
    }
    offer(best, "every sign is flipped", flipped);
    if (yy == 0)
        offer(best, "every weight is zero", 0);
    if (s->error - sum * sum / n < 0.05 * s->error)
        offer(best, arena_printf(a, "every weight is %.4g %s than expected", fabs(sum / n), sum < 0 ? "less" : "more"), s->error - sum * sum / n);
    if (xx > 0 && xy > 0 && yy - xy * xy / xx < 0.05 * s->error)
        offer(best, arena_printf(a, "every weight is multiplied by %.4g", xy / xx), yy - xy * xy / xx);
}

/* Where the sampled rows of the file are among the expected ones, and whether they are columns. */
struct scan {
    uint64_t place[SAMPLES];
    double least[SAMPLES];      /* distance to the row at `place` */
    float *column[SAMPLES];     /* the expected column of the sample's number; NULL: not square */
};

static int scan_rows(struct samples *s, struct scan *c, struct fail *f)
{
    uint64_t rows = tensor_rows(s->theirs), some = (1u << 18) / s->width + 1;
    struct arena tmp = {0};
    const float *x = s->x[0];

    for (size_t k = 0; k < s->n; k++) {
        c->least[k] = INFINITY;
        c->column[k] = rows == s->width ? arena_array(&s->arena, float, rows) : NULL;
    }
    for (uint64_t first = 0; x && first < rows; first += some) {
        uint64_t n = rows - first < some ? rows - first : some;
        x = model_rows_f32(s->expected, s->theirs, first, n, &tmp, f);
        for (uint64_t i = 0; x && i < n; i++)
            for (size_t k = 0; k < s->n; k++) {
                double d = distance(x + i * s->width, s->y[k], s->width, 1);
                if (d < c->least[k]) {
                    c->least[k] = d;
                    c->place[k] = first + i;
                }
                if (c->column[k])
                    c->column[k][first + i] = x[i * s->width + s->row[k]];
            }
        arena_reset(&tmp);
    }
    arena_release(&tmp);
    return x ? 0 : fail_in(f, s->expected->path);
}

static int try_order(struct samples *s, struct reading *best, struct arena *a, struct fail *f)
{
    struct scan c = {0};
    double rows = 0, columns = 0;
    size_t shown = SAMPLES;
    bool fits = true;           /* every row that moved is much nearer to its new place, and not just less far from it */

    if (s->ours->rank < 2 || tensor_weights(s->theirs) > SCAN_WEIGHTS)
        return 0;
    if (scan_rows(s, &c, f))
        return -1;
    for (size_t k = 0; k < s->n; k++) {
        rows += c.least[k];
        columns += c.column[k] ? distance(c.column[k], s->y[k], s->width, 1) : INFINITY;
        if (c.place[k] == s->row[k])
            continue;
        shown = k;
        fits &= c.least[k] < explains * energy(s->y[k], s->width) && c.least[k] < explains * distance(s->x[k], s->y[k], s->width, 1);
    }
    offer(best, "rows and columns are exchanged: a transpose is missing, or was made twice", columns);
    if (shown < SAMPLES && fits)
        offer(best, arena_printf(a, "rows stand in another order, row %" PRIu64 " holds row %" PRIu64 ": a permutation of the heads is missing, "
                                 "was made twice or is that of other heads", s->row[shown], c.place[shown]), rows);
    return 0;
}

/* ---- a part that is wrong ---- */
static uint64_t byte_of(const struct replay_pair *p, const struct replay_spot *at)
{
    const struct tensor *t = p->found;

    return t->offset + at->row * tensor_row_bytes(t) + at->block * (uint64_t)t->type->nbytes;
}

static const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

static const char *spot_text(const struct replay_pair *p, const struct replay_result *r, struct arena *a)
{
    uint64_t block = (uint64_t)p->found->type->block, first = r->bad_block.block * block;

    if (block == 1)
        return arena_printf(a, "%" PRIu64 " weight%s in %" PRIu64 " row%s differ%s, the first is number %" PRIu64 " of row %" PRIu64
                            " (byte %" PRIu64 " of the file)", r->bad_blocks, plural(r->bad_blocks), r->bad_rows, plural(r->bad_rows),
                            r->bad_blocks == 1 ? "s" : "", first,
                            r->bad_block.row, byte_of(p, &r->bad_block));
    return arena_printf(a, "%" PRIu64 " block%s of %" PRIu64 " in %" PRIu64 " row%s err%s more than %s explains, the first is weights %" PRIu64
                        " to %" PRIu64 " of row %" PRIu64 " (byte %" PRIu64 " of the file)", r->bad_blocks, plural(r->bad_blocks), r->blocks,
                        r->bad_rows, plural(r->bad_rows), r->bad_blocks == 1 ? "s" : "", p->found->type->label, first, first + block - 1, r->bad_block.row,
                        byte_of(p, &r->bad_block));
}

/* The first bad row alone: flipped, another row, or spoilt in places. */
static const char *in_places(struct samples *s, const struct replay_pair *p, const struct replay_result *r, struct arena *a)
{
    double own = distance(s->x[0], s->y[0], s->width, 1), flipped = distance(s->x[0], s->y[0], s->width, -1);

    if (flipped < explains * own)
        return arena_printf(a, "%" PRIu64 " row%s of %" PRIu64 " %s not fit, the first is row %" PRIu64 ": its signs are flipped", r->bad_rows,
                            plural(r->bad_rows), tensor_rows(p->found), r->bad_rows == 1 ? "does" : "do", r->bad_row);
    if (!r->bad_blocks)
        return arena_printf(a, "%" PRIu64 " row%s of %" PRIu64 " err%s more than %s explains, the first is row %" PRIu64, r->bad_rows,
                            plural(r->bad_rows), tensor_rows(p->found), r->bad_rows == 1 ? "s" : "", p->found->type->label, r->bad_row);
    return spot_text(p, r, a);
}

static const char *not_finite(const struct replay_pair *p, const struct replay_result *r, struct arena *a)
{
    uint64_t n = r->not_finite ? r->not_finite : r->source_not_finite, at = r->first_not_finite, row = tensor_row(p->found);

    return arena_printf(a, "%" PRIu64 " weight%s NaN or infinite%s, the first is number %" PRIu64 " of row %" PRIu64, n, n == 1 ? " is" : "s are",
                        r->not_finite ? "" : " in the source", at % row, at / row);
}

static const char *explain(struct samples *s, const struct replay_pair *p, const struct replay_result *r, struct arena *a, struct fail *f)
{
    struct reading best = {0};

    if (take_samples(s, r->bad_rows ? r->bad_row : 0, f))
        return NULL;
    if (r->not_finite || r->source_not_finite)
        return not_finite(p, r, a);
    if (r->bad_rows * 4 < tensor_rows(p->found) || s->error == 0)
        return in_places(s, p, r, a);
    best.left = explains * s->error;
    try_same_place(s, &best, a);
    if (try_tensors(s, &best, a, f) || try_order(s, &best, a, f))
        return NULL;
    return best.text ? best.text : in_places(s, p, r, a);
}

const char *diagnose(struct model *expected, struct model *found, const struct replay_pair *p, const struct replay_result *r,
                     struct arena *a, struct fail *f)
{
    struct samples s = { .expected = expected, .found = found, .theirs = p->expected, .ours = p->found };
    const char *text = explain(&s, p, r, a, f);

    arena_release(&s.arena);
    return text;
}

const char *diagnose_few(const struct replay_pair *p, const struct replay_result *r, struct arena *a)
{
    uint64_t block = (uint64_t)p->found->type->block;

    if (!r->other_blocks || 2 * r->other_blocks > r->blocks)
        return NULL;
    return arena_printf(a, "differs from Bantam's encoder in %" PRIu64 " block%s of %" PRIu64 ", with no more error than %s explains; the first is "
                        "weights %" PRIu64 " to %" PRIu64 " of row %" PRIu64 " (byte %" PRIu64 " of the file)", r->other_blocks,
                        plural(r->other_blocks), r->blocks, p->found->type->label, r->other_block.block * block, (r->other_block.block + 1) * block - 1, r->other_block.row,
                        byte_of(p, &r->other_block));
}

const char *diagnose_stray(struct model *expected, struct model *found, const struct tensor *t, struct arena *a, struct fail *f)
{
    struct samples s = { .expected = expected, .found = found, .ours = t };
    struct reading best = {0};

    if (take_samples(&s, 0, f) == 0) {
        for (size_t i = 0; i < s.n; i++)
            best.left += explains * energy(s.y[i], s.width);
        try_tensors(&s, &best, a, f);
    }
    arena_release(&s.arena);
    return failed(f) ? NULL : best.text;
}
