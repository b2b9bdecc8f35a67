/* report_license.c - the license report: a summary first, then evidence, terms and what is missing. */
#include "tools/report_license.h"

#include "convert/carry.h"
#include "formats/file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { LABEL = 16 };

void license_of_model(const struct model *m, const char *argument, const char *name, struct licensing *l, struct arena *a)
{
    const char *names[2] = { name, argument };
    struct evidence_source s;
    size_t n = strlen(argument);

    carry_source(m, argument, &s, a);
    while (n > 1 && argument[n - 1] == '/')
        n--;
    names[1] = path_base(arena_copy(a, argument, n));
    if (strcmp(names[1], ".") == 0 || strcmp(names[1], "..") == 0 || strchr(names[1], ':'))
        names[1] = NULL;
    licensing_of(&s, names, 2, l, a);
}

/* ---- the three lines ---- */

static const char *append(struct arena *a, const char *list, const char *item)
{
    return list ? arena_printf(a, "%s; %s", list, item) : item;
}

static const char *altered_line(const struct licensing *l, struct arena *a)
{
    const struct text_report *t = l->decisive->text;

    for (size_t i = 0; i < t->nfindings; i++)
        if (t->finding[i].license == l->altered && t->finding[i].match == TEXT_ALTERED)
            return arena_printf(a, "NOT %s word for word: %s is a changed copy (similarity %.1f %%, changed near line %zu); read it",
                                l->altered->id, l->decisive->where, 100 * t->finding[i].similarity,
                                t->finding[i].nplaces ? t->finding[i].place[0].line : t->finding[i].line);
    return arena_printf(a, "NOT %s alone: %s holds its text and %zu words more, from line %zu; read them", l->altered->id, l->decisive->where,
                        t->extra, t->nadditions ? t->addition[0].line : 1);
}

static const char *unknown_line(const struct licensing *l, struct arena *a)
{
    const char *s = l->declared ? arena_printf(a, "NOT DETERMINED: the model says '%s', which decides nothing", l->declared)
                                : "NOT DETERMINED: nothing here says which license it is";

    for (size_t i = 0; i < l->evidence.n; i++) {
        const struct evidence *e = &l->evidence.item[i];

        if (e->place == PLACE_CARD && !e->says && e->note)
            return arena_printf(a, "NOT DETERMINED: %s: %s", e->where, e->note);
        if (e->text && e->level == LEVEL_NONE && e->text->nwords && !e->aside)
            return e->text->nnear ? arena_printf(a, "NOT DETERMINED: %s is no known text; nearest is %s (similarity %.1f %%)", e->where,
                                                 e->text->near[0].license->id, 100 * e->text->near[0].similarity)
                                  : arena_printf(a, "NOT DETERMINED: %s is no known text", e->where);
    }
    return s;
}

static const char *verdict_line(const struct licensing *l, struct arena *a)
{
    const struct license *k = l->license;

    switch (l->verdict) {
    case VERDICT_TEXT: return arena_printf(a, "%s (%s): every word of it is in %s", k->name, k->id, l->decisive->where);
    case VERDICT_PHRASES: return arena_printf(a, "%s (%s), by its phrases in %s; the text was not at hand to compare", k->name, k->id, l->decisive->where);
    case VERDICT_DECLARED: return arena_printf(a, "%s (%s), as %s declares; no license text is there", k->name, k->id, l->decisive->where);
    case VERDICT_ALTERED: return altered_line(l, a);
    case VERDICT_UNKNOWN: return unknown_line(l, a);
    default: break;
    }
    return l->nconflicts > 1 ? arena_printf(a, "CONFLICT: %s (and %zu more)", l->conflict[0], l->nconflicts - 1)
                             : arena_printf(a, "CONFLICT: %s", l->nconflicts ? l->conflict[0] : "texts disagree");
}

static const char *regions(unsigned mask, struct arena *a)
{
    static const char *const names[] = { "the EU", "the UK", "South Korea" };
    const char *s = NULL;

    for (int i = 0; i < 3; i++)
        if (mask & 1u << i)
            s = s ? arena_printf(a, "%s, %s", s, names[i]) : names[i];
    return s;
}

static const char *region_line(const struct licensing *l, const struct license *k, struct arena *a)
{
    if (!k->excluded)
        return NULL;
    if (!k->excluded_multimodal)
        return arena_printf(a, "not licensed in %s", regions(k->excluded, a));
    switch (l->evidence.multimodal) {
    case ANSWER_YES: return arena_printf(a, "not licensed in %s: this model is multimodal", regions(k->excluded, a));
    case ANSWER_NO: return NULL;
    default: return arena_printf(a, "not licensed in %s if the model is multimodal, which is not determined", regions(k->excluded, a));
    }
}

/* Of the strictest license that applies; the others follow in the terms. */
static const char *use_line(const struct licensing *l, struct arena *a)
{
    const struct license *k = l->nobligations ? l->obligation[0].license : NULL;
    const char *s, *region;

    if (!k)
        return "commercial use: not determined";
    s = arena_printf(a, "commercial use: %s", license_use_word(k->commercial));
    for (size_t i = 0; i < 2 && k->threshold[i].measure; i++)
        s = append(a, s, license_threshold_text(&k->threshold[i], a));
    region = region_line(l, k, a);
    s = region ? append(a, s, region) : s;
    s = l->evidence.gate_eu ? append(a, s, "its gate is closed to the EU") : s;
    if (!l->license || l->nobligations > 1)
        s = arena_printf(a, "%s (%s, %s)", s, k->id, l->nobligations > 1 ? "the strictest" : "if it is that");
    return s;
}

static const char *todo_line(const struct licensing *l, struct arena *a)
{
    const char *missing = NULL, *s = NULL;

    for (size_t i = 0; i < l->nduties; i++)
        if (l->duty[i].present == ANSWER_NO && !(missing && strstr(missing, duty_what(l->duty[i].ship))))
            missing = missing ? arena_printf(a, "%s, %s", missing, duty_what(l->duty[i].ship)) : duty_what(l->duty[i].ship);
    s = missing ? arena_printf(a, "missing beside the model: %s", missing) : l->nduties ? "nothing that must ship is missing" : NULL;
    for (size_t i = 0; i < l->nnamings; i++)
        if (l->naming[i].obeys == ANSWER_NO)
            s = append(a, s, arena_printf(a, "the name '%s' does not begin with \"%s\"", l->naming[i].name, l->naming[i].license->prefix));
    for (size_t i = 0; i < l->nobligations; i++)
        if (l->obligation[i].license->show)
            s = append(a, s, arena_printf(a, "show \"%s\"", l->obligation[i].license->show));
    return s ? s : "nothing is known to be asked for";
}

struct license_lines license_lines_of(const struct licensing *l, struct arena *a)
{
    static const enum paint paints[] = { PAINT_GOOD, PAINT_GOOD, PAINT_WARN, PAINT_BAD, PAINT_BAD, PAINT_BAD };

    return (struct license_lines){ verdict_line(l, a), use_line(l, a), todo_line(l, a), paints[l->verdict] };
}

/* JSON's words, for people: "use_policy" is the use policy. */
static const char *spaced(const char *word, struct arena *a)
{
    char *s = arena_strdup(a, word);

    for (char *p = s; *p; p++)
        *p = *p == '_' ? ' ' : *p;
    return s;
}

static void print_labeled(const char *label, const char *text, enum paint p)
{
    printf("  ");
    print_cell(label, LABEL - 2);
    paint(p);
    print_wrapped(text, LABEL, LABEL);
    if (p != PAINT_NONE)
        paint(PAINT_NONE);
}

void print_license_lines(const struct licensing *l, struct arena *a)
{
    struct license_lines lines = license_lines_of(l, a);

    print_labeled("license", lines.verdict, lines.paint);
    print_labeled("use", lines.use, PAINT_NONE);
    print_labeled("to do", lines.todo, PAINT_NONE);
}

/* ---- everything, as text ---- */

static void print_heading(const char *s)
{
    putchar('\n');
    paint(PAINT_BOLD);
    printf("  ");
    print_wrapped(s, 2, 4);
    paint(PAINT_NONE);
}

static const char *finding_text(const struct text_finding *f, struct arena *a)
{
    const char *rev = *f->revision ? arena_printf(a, ", revision %s", f->revision) : "";
    const char *part = strcmp(f->part, "license") == 0 ? "text" : f->part;

    switch (f->match) {
    case TEXT_EXACT: return arena_printf(a, "line %zu: %s of %s, word for word%s", f->line, part, f->license->id, rev);
    case TEXT_PHRASES: return arena_printf(a, "line %zu: phrases of %s; score: phrases only, the text was not at hand", f->line, f->license->id);
    case TEXT_ALTERED: return arena_printf(a, "line %zu: %s of %s with changes, similarity %.1f %%%s, %zu known clause%s not found", f->line, part, f->license->id,
                                           100 * f->similarity, rev, f->missing, f->missing == 1 ? "" : "s");
    default: return arena_printf(a, "line %zu: speaks of %s%s", f->line, f->license->id, strcmp(f->part, "notice") == 0 ? ", in the words of its notice" : "");
    }
}

static void print_places(const char *what, const struct text_place *p, size_t n, struct arena *a)
{
    for (size_t i = 0; i < n; i++) {
        printf("%*s", LABEL + 2, "");
        print_wrapped(p[i].excerpt ? arena_printf(a, "%s line %zu: \"%s\"", what, p[i].line, p[i].excerpt)
                                   : arena_printf(a, "known words are missing at line %zu", p[i].line), LABEL + 2, LABEL + 4);
    }
}

static void print_text_evidence(const struct evidence *e, struct arena *a)
{
    const struct text_report *t = e->text;

    if (!t->nfindings && !t->nnear)
        print_labeled("", t->nwords ? "no known text" : "empty", PAINT_NONE);
    for (size_t i = 0; i < t->nfindings; i++) {
        print_labeled("", finding_text(&t->finding[i], a), PAINT_NONE);
        print_places("changed,", t->finding[i].place, t->finding[i].nplaces, a);
    }
    for (size_t i = 0; i < t->nnear; i++)
        print_labeled("", arena_printf(a, "%s %s %s, similarity %.1f %%", i ? "then" : "no known text; nearest:", t->near[i].license->id,
                                       t->near[i].revision, 100 * t->near[i].similarity), PAINT_NONE);
    if (t->extra && e->level >= LEVEL_ALTERED) {
        print_labeled("", arena_printf(a, "%zu words beyond that", t->extra), PAINT_NONE);
        print_places("added,", t->addition, t->nadditions, a);
    }
}

static void print_evidence(const struct licensing *l, struct arena *a)
{
    print_heading("evidence");
    if (!l->evidence.n)
        print_labeled("none", "no license key, no front matter, no license file", PAINT_NONE);
    for (size_t i = 0; i < l->evidence.n; i++) {
        const struct evidence *e = &l->evidence.item[i];

        printf("  ");
        print_wrapped(arena_printf(a, "%s%s%s%s%s", e->where, e->field ? ", " : "", e->field ? e->field : "", e->says ? ": " : "", e->says ? e->says : ""), 2, LABEL);
        if (e->text)
            print_text_evidence(e, a);
        if (e->says && e->license)
            print_labeled("", e->license->name, PAINT_NONE);
        if (e->note)
            print_labeled("", e->note, PAINT_NONE);
    }
    if (l->evidence.replaced)
        print_labeled("replaced", l->evidence.replaced, PAINT_NONE);
    for (size_t i = 0; i < l->nconflicts; i++)
        print_labeled("conflict", l->conflict[i], PAINT_BAD);
}

static void print_parents(const struct licensing *l, struct arena *a)
{
    print_heading("base models");
    if (!l->evidence.nparents)
        print_labeled("unknown", "nothing says what the model was made from, so what its parents ask for is not known", PAINT_NONE);
    for (size_t i = 0; i < l->evidence.nparents; i++) {
        const struct parent *p = &l->evidence.parent[i];

        printf("  ");
        print_wrapped(arena_printf(a, "%s%s%s (%s): %s%s", p->id, p->relation ? ", " : "", p->relation ? p->relation : "", p->from,
                                   p->license ? p->license->name : "its license is not known here",
                                   p->license ? arena_printf(a, " [%s: %s]", license_sure_word(p->sure), p->source) : ""), 2, LABEL);
    }
}

static const char *with_mark(struct arena *a, const char *text, enum license_sure sure)
{
    return sure == LICENSE_CONFIRMED ? text : arena_printf(a, "%s [%s]", text, license_sure_word(sure));
}

static void print_terms(const struct licensing *l, const struct obligation *o, struct arena *a)
{
    const struct license *k = o->license;
    const char *region = region_line(l, k, a);

    print_heading(arena_printf(a, "terms of %s (%s)", k->name, with_mark(a, o->because, o->sure)));
    print_labeled("commercial", license_use_word(k->commercial), PAINT_NONE);
    for (size_t i = 0; i < 2 && k->threshold[i].measure; i++)
        print_labeled("threshold", with_mark(a, license_threshold_text(&k->threshold[i], a), k->threshold[i].sure), PAINT_NONE);
    if (k->show)
        print_labeled("show", k->show, PAINT_NONE);
    for (size_t i = 0; i < l->nnamings; i++)
        if (l->naming[i].license == k)
            print_labeled("name", arena_printf(a, "begins with \"%s\"; '%s' %s", k->prefix, l->naming[i].name ? l->naming[i].name : "",
                                               l->naming[i].obeys == ANSWER_YES ? "does" : l->naming[i].obeys == ANSWER_NO ? "does not" : "is not known"), PAINT_NONE);
    if (k->outputs)
        print_labeled("outputs", spaced(license_outputs_word(k->outputs), a), PAINT_NONE);
    if (region)
        print_labeled("region", region, PAINT_NONE);
    for (const struct license_fact *f = k->facts; f && f->text; f++)
        print_labeled(spaced(license_topic_word(f->topic), a), with_mark(a, f->text, f->sure), PAINT_NONE);
    print_labeled("source", k->source, PAINT_NONE);
}

static void print_duties(const struct licensing *l, struct arena *a)
{
    static const char *const words[] = { "not checked", "MISSING", "present" };

    if (!l->nduties)
        return;
    print_heading("what has to go along with a copy");
    for (size_t i = 0; i < l->nduties; i++) {
        const struct duty *d = &l->duty[i];
        bool line = d->ship == SHIP_NOTICE && d->license->notice && d->present == ANSWER_NO;

        print_labeled(words[d->present], arena_printf(a, "%s (%s)%s%s%s%s", duty_what(d->ship), d->license->id, d->where ? ": " : "",
                                                      d->where ? d->where : "", line ? ", with the line: " : "", line ? d->license->notice : ""),
                      d->present == ANSWER_NO ? PAINT_WARN : PAINT_NONE);
    }
}

void print_license(const struct licensing *l, struct arena *a)
{
    print_license_lines(l, a);
    print_evidence(l, a);
    print_parents(l, a);
    for (size_t i = 0; i < l->nobligations; i++)
        print_terms(l, &l->obligation[i], a);
    print_duties(l, a);
    putchar('\n');
    print_labeled("note", "facts from a table and from files, not legal advice; [secondary], [reading] and [unconfirmed] mark what no text confirmed", PAINT_NONE);
}
