/* license_match.c - recognition: known texts by their hashes, then phrases, then similarity. See license_text.h.
 *
 * Versions of one license differ by a line, so that similarity alone never decides: a text is a license when every word is
 * that license's, or when it holds the phrases that only that version has; otherwise its relatives are named. */
#include "formats/license_match.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_FINDINGS = 32, HEADS = 512 };

struct hit {
    const struct license_print *print;
    size_t first;
};

static bool any_known(const struct match *m, size_t first, size_t end)
{
    while (first < end && !m->known[first])
        first++;
    return first < end;
}

static struct text_finding *add_finding(struct match *m, const struct license *l, const char *part, enum text_match match,
                                        size_t first, size_t n)
{
    struct text_finding *f;

    if (!l || m->r->nfindings == MOST_FINDINGS)
        return NULL;
    f = &m->r->finding[m->r->nfindings++];
    *f = (struct text_finding){ .license = l, .part = part, .revision = "", .match = match, .nwords = n,
                                .line = license_words_line(&m->w, first) };
    return f;
}

/* ---- known texts, every word ---- */

static int longest_first(const void *a, const void *b)
{
    const struct hit *x = a, *y = b;

    if (x->print->nwords != y->print->nwords)
        return x->print->nwords < y->print->nwords ? 1 : -1;
    return x->first < y->first ? -1 : x->first > y->first;
}

static bool is_whole(const struct match *m, const struct license_print *p, size_t first)
{
    uint8_t digest[32];

    if (first + p->nwords > m->w.n || license_words_hash(&m->w, first, p->nwords) != p->whole)
        return false;
    license_words_sha256(&m->w, first, p->nwords, digest);
    return memcmp(digest, p->sha256, sizeof digest) == 0;
}

/* Fingerprints by the hash of their first words: chains through `next`, numbers from 1. */
struct heads {
    uint16_t slot[HEADS], next[HEADS];
};

static void list_heads(struct heads *h)
{
    memset(h, 0, sizeof *h);
    for (size_t i = 0; i < license_print_count() && i + 1 < HEADS; i++) {
        uint16_t *slot = &h->slot[license_print_at(i)->head >> 55];

        h->next[i] = *slot;
        *slot = (uint16_t)(i + 1);
    }
}

static void find_exact(struct match *m)
{
    struct heads heads;
    struct hit *hit = NULL;
    size_t n = 0, cap = 0;

    list_heads(&heads);
    for (size_t i = 0; i + LICENSE_HEAD <= m->w.n; i++) {
        uint64_t head = license_words_hash(&m->w, i, LICENSE_HEAD);

        for (unsigned k = heads.slot[head >> 55]; k; k = heads.next[k - 1])
            if (license_print_at(k - 1)->head == head && n < 4096 && is_whole(m, license_print_at(k - 1), i)) {
                hit = arena_grow(m->a, hit, &cap, n + 1, sizeof *hit);
                hit[n++] = (struct hit){ license_print_at(k - 1), i };
            }
    }
    if (n)
        qsort(hit, n, sizeof *hit, longest_first);
    for (size_t i = 0; i < n; i++) {
        const struct license_print *p = hit[i].print;
        struct text_finding *f;

        if (any_known(m, hit[i].first, hit[i].first + p->nwords))
            continue;
        memset(m->known + hit[i].first, true, p->nwords);
        if ((f = add_finding(m, license_named(p->license), p->part, TEXT_EXACT, hit[i].first, p->nwords)) != NULL) {
            f->similarity = 1;
            f->revision = p->revision;
        }
    }
}

/* The policy or appendix that goes with a license found, in other words than known: part of it all the same. */
static void find_parts_of(struct match *m)
{
    size_t n;

    for (size_t i = 0; i < license_print_count(); i++) {
        const struct license_print *p = license_print_at(i);
        const struct license *l = license_named(p->license);
        bool here = false, had = strcmp(p->part, "license") == 0;
        struct likeness like;

        n = m->r->nfindings;
        for (size_t k = 0; k < n; k++) {
            here |= m->r->finding[k].license == l;
            had |= m->r->finding[k].license == l && strcmp(m->r->finding[k].part, p->part) == 0;
        }
        if (!l || !here || had)
            continue;
        like = likest_part(m, p->license, p->part);
        if (like.dice >= 0.6 && !any_known(m, like.first, like.end)) {
            struct text_finding *f = add_finding(m, l, p->part, TEXT_ALTERED, like.first, like.end - like.first);

            if (f) {
                f->similarity = like.dice < 0.999 ? like.dice : 0.999;
                f->revision = like.print->revision;
                find_changes(m, like.print, like.first, like.end, f);
            }
            memset(m->known + like.first, true, like.end - like.first);
            memset(m->sample, 0, sizeof m->sample);
        }
    }
}

/* ---- phrases ---- */

static size_t find_unknown(const struct match *m, const char *phrase)
{
    size_t at = license_words_find(&m->w, phrase, 0);

    while (at != SIZE_MAX && m->known[at])
        at = license_words_find(&m->w, phrase, at + 1);
    return at;
}

/* Where the parts of one alternative are, all of them in words not recognized yet: the first part's place. */
static size_t find_parts(const struct match *m, const char *alternative, size_t n, struct arena *tmp)
{
    char *parts = arena_copy(tmp, alternative, n);
    size_t first = SIZE_MAX;

    for (char *part; (part = strsep(&parts, "&")) != NULL; ) {
        size_t at = find_unknown(m, part);

        if (at == SIZE_MAX)
            return SIZE_MAX;
        first = at < first ? at : first;
    }
    return first;
}

static size_t find_phrases(const struct match *m, const char *phrases)
{
    struct arena tmp = {0};
    size_t at = SIZE_MAX;

    for (const char *p = phrases; p && *p && at == SIZE_MAX; p += strcspn(p, "|"), p += *p == '|')
        at = find_parts(m, p, strcspn(p, "|"), &tmp);
    arena_release(&tmp);
    return at;
}

static bool drop_finding(struct match *m, const char *id)
{
    for (size_t i = 0; id && i < m->r->nfindings; i++)
        if (strcmp(m->r->finding[i].license->id, id) == 0) {
            memmove(&m->r->finding[i], &m->r->finding[i + 1], (--m->r->nfindings - i) * sizeof *m->r->finding);
            return true;
        }
    return false;
}

static size_t unknown_words(const struct match *m)
{
    size_t n = 0;

    for (size_t i = 0; i < m->w.n; i++)
        n += !m->known[i];
    return n;
}

/* A text that holds a license's phrases: its altered text, its text where there is none to compare with, or a mere mention. */
static void take_phrases(struct match *m, const struct license *l, size_t at)
{
    enum { SHORT_TEXT = 150, MARGIN = 60 };
    struct likeness like = likest_part(m, l->id, "license");
    size_t first = like.first, end = like.end;
    struct text_finding *f;

    if (like.print && like.dice >= 0.6) {
        while (first && !m->known[first - 1] && !m->w.stop[first - 1] && like.first - first < MARGIN)
            first--;
        first = first < MARGIN && !any_known(m, 0, first) ? 0 : first;
        end = m->w.n - end < MARGIN && !any_known(m, end, m->w.n) ? m->w.n : end;
        while (end < m->w.n && !m->known[end] && !m->w.stop[end - 1])
            end++;
        if ((f = add_finding(m, l, like.print->part, TEXT_ALTERED, first, end - first)) == NULL)
            return;
        f->similarity = like.dice < 0.999 ? like.dice : 0.999;       /* samples can miss a single word */
        f->revision = like.print->revision;
        find_changes(m, like.print, first, end, f);
        memset(m->known + first, true, end - first);
    } else if (drop_finding(m, l->over) || (!like.print && unknown_words(m) >= SHORT_TEXT)) {
        add_finding(m, l, "license", TEXT_PHRASES, l->over ? 0 : at, unknown_words(m));
        memset(m->known, true, m->w.n);
    } else {
        f = add_finding(m, l, "license", TEXT_NAMED, at, 1);
        if (f)
            f->similarity = like.dice;
    }
}

static bool is_found(const struct match *m, const struct license *l)
{
    for (size_t i = 0; i < m->r->nfindings; i++)
        if (m->r->finding[i].license == l && (strcmp(m->r->finding[i].part, "license") == 0 || m->r->finding[i].match == TEXT_NAMED))
            return true;
    return false;
}

/* Likest first, so that a text's own license takes its words before a sibling's phrase in it is looked at. */
static void find_by_phrases(struct match *m)
{
    const struct license **open = arena_array(m->a, const struct license *, license_count());
    size_t n = 0;

    for (size_t i = 0; i < license_count(); i++)
        if (!is_found(m, license_at(i)) && find_phrases(m, license_at(i)->phrases) != SIZE_MAX)
            open[n++] = license_at(i);
    while (n && m->r->nfindings < MOST_FINDINGS) {
        size_t best = 0, at;
        double most = -1;

        for (size_t i = 0; i < n; i++) {
            double dice = likest_part(m, open[i]->id, "license").dice + (open[i]->over ? 2 : 0);

            if (dice > most) {
                most = dice;
                best = i;
            }
        }
        if ((at = find_phrases(m, open[best]->phrases)) != SIZE_MAX)
            take_phrases(m, open[best], at);
        open[best] = open[--n];
        memset(m->sample, 0, sizeof m->sample);
    }
}

/* ---- mentions: the line of a notice file, a short header, a name ---- */

static void find_mentions(struct match *m)
{
    for (size_t i = 0; i < license_count(); i++) {
        const struct license *l = license_at(i);
        size_t at = l->notice ? find_unknown(m, l->notice) : SIZE_MAX;
        const char *part = at == SIZE_MAX ? "license" : "notice";

        if (is_found(m, l))
            continue;
        if (at == SIZE_MAX)
            at = find_unknown(m, l->name);
        if (at != SIZE_MAX)
            add_finding(m, l, part, TEXT_NAMED, at, 1);
    }
}

/* ---- what is left ---- */

static bool word_is(const struct license_words *w, size_t i, const char *list)
{
    const char *s = w->clean + w->clean_at[i];
    size_t n = w->clean_at[i + 1] - w->clean_at[i] - 1;

    for (const char *p = list; *p; p += strcspn(p, " "), p += *p == ' ')
        if (strcspn(p, " ") == n && memcmp(p, s, n) == 0)
            return true;
    return false;
}

/* A title or a copyright line: words that no license counts. */
static bool is_title(const struct match *m, size_t first, size_t end)
{
    static const char titles[] = "the a of for and license licenses licensed version text full terms agreement notice community model "
                                 "mit apache 0 1 2 3 4 new revised clause bsd simplified expat all rights reserved under file "
                                 "creative commons attribution noncommercial sharealike noderivatives international public "
                                 "considerations wiki creativecommons org licensees";
    static const char binding[] = "not must shall may only without prohibited except commercial provided unless permission";
    size_t i = first;

    if (end - first > 30)
        return false;
    for (size_t k = first; k < end; k++)
        if (word_is(&m->w, k, binding))
            return false;
    while (i < end && (word_is(&m->w, i, titles) || i - first < 1))
        i++;
    return i == end || (i < end && i - first < 12 && (word_is(&m->w, i, "copyright c by") || word_is(&m->w, first, "copyright c portions")));
}

static bool same_line(const struct license_words *w, size_t a, size_t b)
{
    return !memchr(w->text + w->at[a], '\n', w->at[b] - w->at[a]);
}

static void find_additions(struct match *m)
{
    for (size_t i = 0, end; i < m->w.n; i = end) {
        for (end = i + 1; end < m->w.n && m->known[end] == m->known[i] && (m->known[i] || same_line(&m->w, end - 1, end)); )
            end++;
        if (m->known[i] || is_title(m, i, end))
            continue;
        m->r->extra += end - i;
        add_place(m, &m->r->addition, &m->r->nadditions, i, end);
    }
}

static int likest_first(const void *a, const void *b)
{
    const struct text_relative *x = a, *y = b;

    return x->similarity < y->similarity ? 1 : x->similarity > y->similarity ? -1 : strcmp(x->license->id, y->license->id);
}

static void find_relatives(struct match *m)
{
    struct text_relative *near = arena_array(m->a, struct text_relative, license_count());
    size_t n = 0;

    for (size_t i = 0; i < license_count(); i++) {
        struct likeness like = likest_part(m, license_at(i)->id, "license");

        if (like.dice >= 0.2)
            near[n++] = (struct text_relative){ license_at(i), like.print->revision, like.dice };
    }
    if (n)
        qsort(near, n, sizeof *near, likest_first);
    m->r->nnear = n < 3 ? n : 3;
    memcpy(m->r->near, near, m->r->nnear * sizeof *near);
}

static int in_file_order(const void *a, const void *b)
{
    const struct text_finding *x = a, *y = b;

    return x->line < y->line ? -1 : x->line > y->line ? 1 : strcmp(x->license->id, y->license->id);
}

static bool has_license(const struct match *m)
{
    for (size_t i = 0; i < m->r->nfindings; i++)
        if (strcmp(m->r->finding[i].part, "license") == 0 && m->r->finding[i].match != TEXT_NAMED)
            return true;
    return false;
}

struct text_report *license_text_recognize(const char *text, size_t nbytes, struct arena *a)
{
    struct match m = { .r = arena_new(a, struct text_report), .a = a };

    license_words_of(&m.w, text, nbytes, a);
    m.r->nwords = m.w.n;
    m.r->finding = arena_array(a, struct text_finding, MOST_FINDINGS);
    m.known = arena_alloc(a, m.w.n + 1);
    if (!m.w.n)
        return m.r;
    find_exact(&m);
    if (m.r->nfindings && unknown_words(&m))
        find_parts_of(&m);
    if (unknown_words(&m))
        find_by_phrases(&m);
    if (!m.r->nfindings)
        find_mentions(&m);
    if (!has_license(&m))
        find_relatives(&m);
    if (m.r->nfindings && m.r->finding[0].match != TEXT_NAMED)
        find_additions(&m);
    qsort(m.r->finding, m.r->nfindings, sizeof *m.r->finding, in_file_order);
    arena_release(&m.tmp);
    return m.r;
}
