/* tally.c - counting over questions: see choices.h. */
#include "verify/choices.h"

#include <math.h>

struct share share_of(size_t count, size_t n)
{
    const double z = 1.959963984540054;         /* of the normal distribution, 2.5 % lie beyond */
    struct share s = { .count = count, .n = n, .high = 1 };
    double p, middle, half, scale;

    if (!n)
        return s;
    p = (double)count / (double)n;
    scale = 1 + z * z / (double)n;
    middle = (p + z * z / (2 * (double)n)) / scale;
    half = z / scale * sqrt(p * (1 - p) / (double)n + z * z / (4 * (double)n * (double)n));
    s.value = p;
    s.low = count ? fmax(0, middle - half) : 0;
    s.high = count < n ? fmin(1, middle + half) : 1;
    return s;
}

static bool counts(const struct choices *c, size_t i, long subject)
{
    return !c->left_out[i] && (subject == ALL_SUBJECTS || c->questions->list.item[i].subject == (size_t)subject);
}

struct share choices_accuracy(const struct choices *c, size_t model, enum choices_rule rule, long subject)
{
    size_t right = 0, n = 0;

    for (size_t i = 0; i < c->n; i++)
        if (counts(c, i, subject)) {
            right += c->said[model][rule].pick[i] == c->questions->list.item[i].answer;
            n++;
        }
    return share_of(right, n);
}

struct share choices_agreement(const struct choices *c, size_t model, size_t other, enum choices_rule rule, long subject)
{
    size_t same = 0, n = 0;

    for (size_t i = 0; i < c->n; i++)
        if (counts(c, i, subject)) {
            same += c->said[model][rule].pick[i] == c->said[other][rule].pick[i];
            n++;
        }
    return share_of(same, n);
}

struct flips choices_flips(const struct choices *c, size_t model, enum choices_rule rule)
{
    struct flips flips = {0};

    for (size_t i = 0; i < c->n; i++) {
        size_t right = c->questions->list.item[i].answer, before = c->said[0][rule].pick[i], now = c->said[model][rule].pick[i];
        if (c->left_out[i] || before == now)
            continue;
        flips.lost += before == right;
        flips.won += now == right;
        flips.other += before != right && now != right;
    }
    return flips;
}
