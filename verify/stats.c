/* stats.c - see stats.h. */
#include "verify/stats.h"

#include "verify/vector.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Ties: the lowest. */
static size_t top_of(const float *x, size_t n)
{
    float most = vector_current()->largest(x, n);
    size_t top = 0;

    while (top < n - 1 && x[top] != most)
        top++;
    return top;
}

struct distribution distribution_of(const float *x, size_t n, double *term)
{
    struct distribution d = { .x = x, .term = term, .n = n, .top = top_of(x, n) };

    d.sum = vector_current()->exponentials(x, n, (double)x[d.top], term);
    d.total = (double)x[d.top] + log(d.sum);
    return d;
}

struct token_said said_of(const struct distribution *p, size_t next)
{
    struct token_said said = { .loss = p->total - (double)p->x[next], .top = p->term[p->top] / p->sum };

    said.entropy = vector_current()->expectation(p->term, p->x, p->n, p->total) / p->sum;
    return said;
}

/* sum of p log(p / q), written as sum of q - p - p log(q / p), the same since p and q both sum to 1. No term is negative
 * and each is of second order in the difference, so nearly equal models get a divergence that is not rounding noise. */
static double divergence(const struct distribution *p, const struct distribution *q)
{
    return vector_current()->divergence(p->x, p->term, q->x, q->term, p->n, q->total - p->total, p->sum / q->sum) / p->sum;
}

struct token_loss loss_of(const struct distribution *p, const struct distribution *q, size_t next)
{
    struct token_loss loss = { .loss = q->total - (double)q->x[next], .kld = divergence(p, q), .same_top = p->top == q->top };

    loss.delta_p = exp(-loss.loss) - exp((double)p->x[next] - p->total);
    return loss;
}

static double item(const double *first, size_t i, size_t stride)
{
    double x;

    memcpy(&x, (const char *)first + i * stride, sizeof x);
    return x;
}

struct estimate estimate_of(const double *first, size_t n, size_t stride)
{
    struct estimate e = {0};
    double square = 0;

    for (size_t i = 0; i < n; i++)
        e.mean += item(first, i, stride);
    e.mean /= (double)n;
    for (size_t i = 0; i < n; i++)
        square += (item(first, i, stride) - e.mean) * (item(first, i, stride) - e.mean);
    if (n > 1)
        e.stderr_ = sqrt(square / (double)n / (double)(n - 1));
    return e;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

void sort_doubles(double *x, size_t n)
{
    qsort(x, n, sizeof *x, compare);
}

double quantile_of(const double *ascending, size_t n, double q)
{
    double at = q * (double)(n - 1), below = floor(at);
    size_t i = (size_t)below;

    if (i + 1 >= n)
        return ascending[n - 1];
    return ascending[i] + (at - below) * (ascending[i + 1] - ascending[i]);
}

struct moments moments_of(const float *original, const float *candidate, size_t n)
{
    struct moments m = { .n = (double)n };
    double sum[3] = {0};

    vector_current()->moments(original, candidate, n, n ? n : 1, sum, &m.difference);
    m.original = sum[0];
    m.candidate = sum[1];
    m.cross = sum[2];
    return m;
}

void moments_add(struct moments *to, const struct moments *m)
{
    to->original += m->original;
    to->candidate += m->candidate;
    to->cross += m->cross;
    to->difference += m->difference;
    to->n += m->n;
}

double moments_rmse(const struct moments *m)
{
    return m->n > 0 ? sqrt(m->difference / m->n) : 0;
}

double moments_nmse(const struct moments *m)
{
    if (m->original == 0)
        return m->difference == 0 ? 0 : 1;
    return m->difference / m->original;
}

double moments_cosine(const struct moments *m)
{
    if (m->original == 0 || m->candidate == 0)
        return m->original == m->candidate;
    return m->cross / (sqrt(m->original) * sqrt(m->candidate));
}
