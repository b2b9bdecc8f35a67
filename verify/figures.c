/* figures.c - see figures.h. */
#include "verify/figures.h"

#include "formats/arena.h"

#include <math.h>

static size_t place(const size_t *which, size_t i)
{
    return which ? which[i] : i;
}

static struct perplexity perplexity_of(const double *loss, size_t n)
{
    struct estimate e = estimate_of(loss, n, sizeof *loss);

    return (struct perplexity){ exp(e.mean), exp(e.mean) * e.stderr_ };
}

/* The ratio of the perplexities, with its error: the two losses of a token go up and down together, and the variance of
 * their difference is just var + var - 2 cov. */
static void ratio_of(struct figures *s, double *difference)
{
    struct estimate e = estimate_of(difference, s->tokens, sizeof *difference);

    s->ratio = exp(e.mean);
    s->ratio_stderr = s->ratio * e.stderr_;
}

static struct divergences divergences_of(double *kld, size_t n)
{
    struct estimate e = estimate_of(kld, n, sizeof *kld);

    sort_doubles(kld, n);
    return (struct divergences){
        .mean = e.mean, .stderr_ = e.stderr_, .median = quantile_of(kld, n, 0.5), .p90 = quantile_of(kld, n, 0.9),
        .p99 = quantile_of(kld, n, 0.99), .p999 = quantile_of(kld, n, 0.999), .max = kld[n - 1],
    };
}

static void compare(struct figures *s, const struct token_said *o, const struct token_loss *c, const size_t *which, double *x)
{
    size_t n = s->tokens, same = 0;
    double square = 0;

    for (size_t i = 0; i < n; i++)
        x[i] = c[place(which, i)].loss;
    s->candidate = perplexity_of(x, n);
    for (size_t i = 0; i < n; i++)
        x[i] = c[place(which, i)].loss - o[place(which, i)].loss;
    ratio_of(s, x);
    for (size_t i = 0; i < n; i++) {
        const struct token_loss *t = &c[place(which, i)];
        x[i] = t->kld;
        same += t->same_top != 0;
        square += t->delta_p * t->delta_p;
    }
    s->kld = divergences_of(x, n);
    s->top1 = (double)same / (double)n;
    s->rms_delta_p = sqrt(square / (double)n);
}

struct figures figures_of(const struct token_said *o, const struct token_loss *c, const size_t *which, size_t n)
{
    struct figures s = { .tokens = n };
    struct arena tmp = {0};
    double *x = arena_raw(&tmp, n * sizeof *x);

    for (size_t i = 0; i < n; i++)
        x[i] = o[place(which, i)].loss;
    if (n)
        s.original = perplexity_of(x, n);
    if (n && c)
        compare(&s, o, c, which, x);
    arena_release(&tmp);
    return s;
}
