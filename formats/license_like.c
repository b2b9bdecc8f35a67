/* license_like.c - how like a text is to a known one, and where they differ. See license_match.h. */
#include "formats/license_match.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_PLACES = 8, MOST_CLAUSE = 400 };

static void take_samples(struct match *m, unsigned shift)
{
    size_t n = 0;

    if (m->sample[shift])
        return;
    m->sample[shift] = arena_raw(m->a, (m->w.n + 1) * sizeof **m->sample);
    m->sample_at[shift] = arena_raw(m->a, (m->w.n + 1) * sizeof **m->sample_at);
    for (size_t i = 0; i + LICENSE_SHINGLE <= m->w.n; i++)
        if (!m->known[i] && license_sample_of(&m->w, i, shift, &m->sample[shift][n]))
            m->sample_at[shift][n++] = (uint32_t)i;
    m->nsamples[shift] = n;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

/* Of the different samples on both sides. */
static double dice_of(const uint32_t *s, size_t n, const struct license_print *p, struct arena *tmp)
{
    uint32_t *mine = arena_raw(tmp, n * sizeof *mine);
    size_t different = 0, shared = 0;

    memcpy(mine, s, n * sizeof *mine);
    qsort(mine, n, sizeof *mine, by_number);
    for (size_t i = 0; i < n; i++)
        if (!i || mine[i] != mine[i - 1]) {
            different++;
            shared += bsearch(&mine[i], p->sample, p->nsamples, sizeof *mine, by_number) != NULL;
        }
    return 2 * (double)shared / (double)(different + p->nsamples);
}

/* The stretch of about the known text's length that shares most samples with it, and their Dice coefficient. */
static struct likeness likeness_of(struct match *m, const struct license_print *p)
{
    struct likeness best = { .print = p };
    const uint32_t *s, *at;
    size_t n, low = 0, shared = 0, most = 0, from = 0, to = 0, span = p->nwords + p->nwords / 2 + 50;
    bool *in;

    take_samples(m, p->shift);
    s = m->sample[p->shift];
    at = m->sample_at[p->shift];
    n = m->nsamples[p->shift];
    if (!n || !p->nsamples)
        return best;
    arena_reset(&m->tmp);
    in = arena_raw(&m->tmp, n);
    for (size_t i = 0; i < n; i++)
        in[i] = bsearch(&s[i], p->sample, p->nsamples, sizeof *s, by_number) != NULL;
    for (size_t i = 0; i < n; i++) {
        shared += in[i];
        while (at[i] - at[low] > span)
            shared -= in[low++];
        if (shared > most) {
            most = shared;
            from = low;
            to = i;
        }
    }
    if (!most)
        return best;
    while (!in[from])
        from++;
    best.dice = dice_of(s + from, to - from + 1, p, &m->tmp);
    best.first = at[from];
    best.end = at[to] + LICENSE_SHINGLE;
    return best;
}

struct likeness likest_part(struct match *m, const char *license, const char *part)
{
    struct likeness best = {0};

    for (size_t i = 0; i < license_print_count(); i++)
        if (strcmp(license_print_at(i)->license, license) == 0 && strcmp(license_print_at(i)->part, part) == 0) {
            struct likeness one = likeness_of(m, license_print_at(i));

            best = one.dice > best.dice ? one : best;
        }
    return best;
}

/* ---- places ---- */

static const char *excerpt(const struct license_words *w, size_t first, size_t end, struct arena *a)
{
    size_t from = w->at[first], n = w->end[end - 1] - from;
    bool cut = n > MOST_CLAUSE;
    char *s = arena_copy(a, w->text + from, cut ? MOST_CLAUSE : n), *out = s;

    for (const char *p = s; *p; p++)
        if ((unsigned char)*p > ' ' || (out > s && out[-1] != ' '))
            *out++ = (unsigned char)*p > ' ' ? *p : ' ';
    while (cut && out > s && ((signed char)out[-1] < 0))        /* not in the middle of a character */
        out--;
    *out = '\0';
    return cut ? arena_printf(a, "%s...", s) : s;
}

void add_place(struct match *m, struct text_place **list, size_t *n, size_t first, size_t end)
{
    if (!*list)
        *list = arena_array(m->a, struct text_place, MOST_PLACES);
    if (*n < MOST_PLACES)
        (*list)[(*n)++] = (struct text_place){ license_words_line(&m->w, first < m->w.n ? first : m->w.n - 1),
                                               end > first ? excerpt(&m->w, first, end, m->a) : NULL };
}

static int64_t clause_number(const struct license_print *p, uint32_t hash, int64_t behind)
{
    int64_t first = -1;

    for (uint32_t i = 0; i < p->nclauses; i++)
        if (p->clause[i] == hash) {
            if ((int64_t)i > behind)
                return i;
            first = first < 0 ? (int64_t)i : first;
        }
    return first;
}

void find_changes(struct match *m, const struct license_print *p, size_t first, size_t end, struct text_finding *f)
{
    bool *seen = arena_alloc(m->a, p->nclauses + 1), changed = false;
    int64_t before = -1;

    for (size_t i = first, next; i < end; i = next) {
        uint32_t hash;
        int64_t k;

        next = license_clause_end(&m->w, i);
        hash = (uint32_t)(license_words_hash(&m->w, i, next - i) >> 32);
        k = clause_number(p, hash, before);
        if (k < 0) {
            add_place(m, &f->place, &f->nplaces, i, next);
            changed = true;
            continue;
        }
        if (k > before + 1 && !changed && !seen[k - 1])
            add_place(m, &f->place, &f->nplaces, i, i);
        seen[k] = true;
        before = k;
        changed = false;
    }
    for (uint32_t i = 0; i < p->nclauses; i++)
        f->missing += !seen[i];
}
