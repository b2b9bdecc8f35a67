/* likeness.c - cosines of vectors, and whether pairs of texts come in the same order. See embed.h. */
#include "verify/embed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double dot(const float *x, const float *y, size_t width)
{
    double sum = 0;

    for (size_t i = 0; i < width; i++)
        sum += (double)x[i] * (double)y[i];
    return sum;
}

/* Exactly 1 for equal vectors, which rounding would otherwise leave beside it; 1 for two of zeros. */
static double cosine(const float *x, const float *y, size_t width)
{
    double xx = dot(x, x, width), yy = dot(y, y, width);

    if (memcmp(x, y, width * sizeof *x) == 0)
        return 1;
    return xx > 0 && yy > 0 ? fmin(dot(x, y, width) / sqrt(xx * yy), 1) : 0;
}

/* ---- ranks ---- */

struct ranked {
    double value;
    size_t at;
};

static int ascending(const void *a, const void *b)
{
    double x = ((const struct ranked *)a)->value, y = ((const struct ranked *)b)->value;

    return (x > y) - (x < y);
}

/* rank[i]: the place of x[i], counted from 0, less the mean place; equals share the mean of theirs. */
static void ranks_of(const double *x, size_t n, struct ranked *list, double *rank)
{
    for (size_t i = 0; i < n; i++)
        list[i] = (struct ranked){ x[i], i };
    qsort(list, n, sizeof *list, ascending);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && list[end].value <= list[i].value; end++)
            ;
        for (size_t k = i; k < end; k++)
            rank[list[k].at] = ((double)i + (double)(end - 1) - (double)(n - 1)) / 2;
    }
}

double rank_correlation(const double *x, const double *y, size_t n)
{
    struct arena tmp = {0};
    struct ranked *list = arena_raw(&tmp, n * sizeof *list);
    double *rx = arena_raw(&tmp, n * sizeof *rx), *ry = arena_raw(&tmp, n * sizeof *ry), xx = 0, yy = 0, xy = 0;

    ranks_of(x, n, list, rx);
    ranks_of(y, n, list, ry);
    for (size_t i = 0; i < n; i++) {
        xx += rx[i] * rx[i];
        yy += ry[i] * ry[i];
        xy += rx[i] * ry[i];
    }
    arena_release(&tmp);
    return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : 1;
}

/* ---- both ---- */

/* The cosines of all pairs of n texts: row after row of the triangle above the diagonal. */
static void pair_cosines(const float *vector, size_t n, size_t width, double *out)
{
#pragma omp parallel for schedule(dynamic)
    for (size_t i = 0; i < n; i++)
        for (size_t k = i + 1; k < n; k++)
            out[i * n - i * (i + 1) / 2 + k - i - 1] = dot(vector + i * width, vector + k * width, width);
}

struct likeness likeness_of(const float *original, const float *candidate, size_t n, size_t width, struct arena *a)
{
    size_t some = n < RANKED_TEXTS ? n : RANKED_TEXTS, pairs = some * (some - 1) / 2;
    struct likeness l = { .pairs = pairs, .cosine = arena_array(a, double, n), .least = 1, .rank_correlation = 1 };
    struct arena tmp = {0};
    double *x = arena_raw(&tmp, (pairs > n ? pairs : n) * sizeof *x), *y = arena_raw(&tmp, pairs * sizeof *y);

    for (size_t i = 0; i < n; i++) {
        l.cosine[i] = x[i] = cosine(original + i * width, candidate + i * width, width);
        if (l.cosine[i] < l.least) {
            l.least = l.cosine[i];
            l.least_text = i;
        }
    }
    struct estimate e = estimate_of(l.cosine, n, sizeof *l.cosine);
    l.mean = e.mean;
    l.stderr_ = e.stderr_;
    sort_doubles(x, n);
    l.p01 = quantile_of(x, n, 0.01);
    l.p10 = quantile_of(x, n, 0.1);
    l.median = quantile_of(x, n, 0.5);
    if (pairs > 1) {
        pair_cosines(original, some, width, x);
        pair_cosines(candidate, some, width, y);
        l.rank_correlation = rank_correlation(x, y, pairs);
    }
    arena_release(&tmp);
    return l;
}
