/* stats.c - see stats.h. */
#include "verify/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t top_of(const float *x, size_t n)
{
    size_t top = 0;

    for (size_t i = 1; i < n; i++)
        if (x[i] > x[top])
            top = i;
    return top;
}

/* A distribution: probability of i is term[i] / sum, its logarithm x[i] - total. */
struct softmax {
    size_t top;
    double sum, total;
};

static struct softmax softmax_of(const float *x, size_t n, double *term)
{
    struct softmax s = { .top = top_of(x, n) };

    for (size_t i = 0; i < n; i++) {
        term[i] = exp((double)x[i] - (double)x[s.top]);
        s.sum += term[i];
    }
    s.total = (double)x[s.top] + log(s.sum);
    return s;
}

/* exp(d) - 1 - d for |d| < 1/4, where the subtraction would cancel, by its series: never negative. */
static double excess(double d)
{
    static const double inverse[] = { 1.0 / 13, 1.0 / 12, 1.0 / 11, 1.0 / 10, 1.0 / 9, 1.0 / 8, 1.0 / 7, 1.0 / 6, 1.0 / 5,
                                      1.0 / 4, 1.0 / 3 };
    double series = 1;

    for (size_t i = 0; i < sizeof inverse / sizeof *inverse; i++)
        series = 1 + series * d * inverse[i];
    return d * d / 2 * series;
}

/* sum of p log(p / q), written as sum of q - p - p log(q / p), the same since p and q both sum to 1. No term is negative
 * and each is of second order in the difference, so nearly equal models get a divergence that is not rounding noise. */
static double divergence(const float *x, const struct softmax *p, const double *p_term, const float *y,
                         const struct softmax *q, const double *q_term, size_t n)
{
    double kld = 0, shift = q->total - p->total, level = p->sum / q->sum;

    for (size_t i = 0; i < n; i++) {
        double d = (double)y[i] - (double)x[i] - shift;
        kld += fabs(d) < 0.25 ? p_term[i] * excess(d) : q_term[i] * level - p_term[i] - p_term[i] * d;
    }
    return kld / p->sum;
}

struct token_loss loss_of(const float *original, const float *candidate, size_t n, size_t next, double *scratch)
{
    struct token_loss loss = {0};
    struct softmax p = softmax_of(original, n, scratch), q;

    loss.original = p.total - (double)original[next];
    if (!candidate)
        return loss;
    q = softmax_of(candidate, n, scratch + n);
    loss.candidate = q.total - (double)candidate[next];
    loss.kld = divergence(original, &p, scratch, candidate, &q, scratch + n, n);
    loss.delta_p = exp(-loss.candidate) - exp(-loss.original);
    loss.same_top = p.top == q.top;
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

    for (size_t i = 0; i < n; i++) {
        double o = original[i], c = candidate[i];
        m.original += o * o;
        m.candidate += c * c;
        m.cross += o * c;
        m.difference += (o - c) * (o - c);
    }
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
