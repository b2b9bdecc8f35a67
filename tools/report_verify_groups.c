/* report_verify_groups.c - figures of a part of the words, and of multiple-choice questions. */
#include "tools/report_page.h"

/* ---- by category, and by how sure the original was ---- */
struct group_bars {
    const struct report *report;
    const struct groups *groups;
    size_t candidates, rows;            /* shown */
};

static const char *group_name(const struct group *g)
{
    return g->about ? g->about : g->name;
}

static struct figures group_figures(const struct report *r, const struct group *g, size_t k)
{
    return figures_of(r->score->token, r->score->candidate[k].token, g->which, g->n);
}

static void draw_groups(struct plot *p, const void *ctx)
{
    const struct group_bars *b = ctx;
    size_t row = 0;

    p->top = p->bottom = 4;
    for (size_t i = 0; i < b->groups->n; i++)
        for (size_t k = 0; b->groups->item[i].n && k < b->candidates; k++, row++) {
            double same = group_figures(b->report, &b->groups->item[i], k).top1;
            const char *name = group_name(&b->groups->item[i]);
            if (b->candidates > 1)
                name = arena_printf(p->html->arena, "%s: %s", name, candidate(b->report, k));
            plot_bar(p, row, b->rows, name, same, 0, 0, 1, k, arena_printf(p->html->arena, "%.1f %%", 100 * same));
        }
}

static void write_group_table(struct report *r, const struct groups *groups, size_t k)
{
    static const struct html_head head[] = {
        { "Words", HTML_TEXT }, { "Number", HTML_NUMBER }, { "Same next word", HTML_NUMBER }, { "KL divergence", HTML_NUMBER },
        { "99 % below", HTML_NUMBER }, { "Perplexity, original", HTML_NUMBER }, { "Ratio", HTML_NUMBER },
    };
    enum { N = sizeof head / sizeof *head };

    html_table_begin(&r->html, candidate(r, k), head, N);
    for (size_t i = 0; i < groups->n; i++) {
        const struct group *g = &groups->item[i];
        struct figures x = group_figures(r, g, k);
        if (g->n)
            html_row(&r->html, head, (const char *const[N]){ group_name(g), TEXT(r, "%zu", g->n), TEXT(r, "%.2f %%", 100 * x.top1),
                     TEXT(r, "%.6f \xC2\xB1 %.6f", x.kld.mean, x.kld.stderr_), TEXT(r, "%.3g", x.kld.p99), TEXT(r, "%.3f", x.original.value),
                     TEXT(r, "%.5f", x.ratio) }, N);
    }
    html_table_end(&r->html);
}

void write_groups(struct report *r, const struct groups *groups, const char *id, const char *title, const char *about)
{
    enum { ROWS = 40 };
    struct group_bars b = { .report = r, .groups = groups, .candidates = r->score->ncandidates };
    size_t there = 0;

    for (size_t i = 0; i < groups->n; i++)
        there += groups->item[i].n != 0;
    if (!there)
        return;
    b.candidates = there * b.candidates > ROWS ? ROWS / there : b.candidates;
    b.rows = there * b.candidates;
    html_section_begin(&r->html, id, title);
    html_paragraph(&r->html, about);
    if (b.rows) {
        html_figure_begin(&r->html, "How often the next word is the same");
        plot_figure(&r->html, "Share of words at which both hold the same next one most likely; the tables that follow have the same figures",
                    8 + 46 * (double)b.rows, draw_groups, &b);
        html_figure_end(&r->html);
    }
    for (size_t k = 0; k < r->score->ncandidates; k++)
        write_group_table(r, groups, k);
    html_section_end(&r->html);
}

/* ---- multiple choice ---- */
struct bars {
    const struct report *report;
    enum choices_rule rule;
};

static const char *model_name(const struct report *r, size_t model)
{
    return model ? candidate(r, model - 1) : "Original";
}

static void draw_bars(struct plot *p, const void *ctx)
{
    const struct bars *b = ctx;
    const struct choices *c = b->report->result->choices;

    p->top = p->bottom = 4;
    for (size_t m = 0; m < c->nmodels; m++) {
        struct share s = choices_accuracy(c, m, b->rule, ALL_SUBJECTS);
        plot_bar(p, m, c->nmodels, model_name(b->report, m), s.value, s.low, s.high, 1, m ? m - 1 : PLOT_NEUTRAL,
                 arena_printf(p->html->arena, "%.1f %%", 100 * s.value));
    }
}

static const char *interval(struct report *r, struct share s)
{
    return TEXT(r, "%.1f %% (%.1f to %.1f)", 100 * s.value, 100 * s.low, 100 * s.high);
}

static void write_overall(struct report *r, enum choices_rule rule)
{
    static const struct html_head head[] = {
        { "Model", HTML_TEXT }, { "Right", HTML_NUMBER }, { "Same answer", HTML_NUMBER }, { "Right before, wrong now", HTML_NUMBER },
        { "Wrong before, right now", HTML_NUMBER }, { "Another wrong one", HTML_NUMBER },
    };
    enum { N = sizeof head / sizeof *head };
    const struct choices *c = r->result->choices;

    html_table_begin(&r->html, TEXT(r, "%zu questions; in brackets the 95 %% interval", c->asked), head, N);
    for (size_t m = 0; m < c->nmodels; m++) {
        struct flips flips = m ? choices_flips(c, m, rule) : (struct flips){0};
        html_row(&r->html, head, (const char *const[N]){
                 model_name(r, m), interval(r, choices_accuracy(c, m, rule, ALL_SUBJECTS)),
                 m ? TEXT(r, "%.1f %%", 100 * choices_agreement(c, m, 0, rule, ALL_SUBJECTS).value) : "",
                 m ? TEXT(r, "%zu", flips.lost) : "", m ? TEXT(r, "%zu", flips.won) : "", m ? TEXT(r, "%zu", flips.other) : "" }, N);
    }
    html_table_end(&r->html);
}

static void write_subjects(struct report *r, enum choices_rule rule)
{
    const struct choices *c = r->result->choices;
    size_t n = c->nmodels + 2;
    struct html_head *head = arena_array(&r->arena, struct html_head, n);
    const char **cell = arena_array(&r->arena, const char *, n);

    if (c->questions->nsubjects < 2)
        return;
    head[0] = (struct html_head){ "Subject", HTML_TEXT };
    head[1] = (struct html_head){ "Questions", HTML_NUMBER };
    for (size_t m = 0; m < c->nmodels; m++)
        head[m + 2] = (struct html_head){ model_name(r, m), HTML_NUMBER };
    html_details_begin(&r->html, "By subject");
    html_table_begin(&r->html, "Right answers by subject, with the 95 % interval", head, n);
    for (size_t s = 0; s < c->questions->nsubjects; s++) {
        struct share first = choices_accuracy(c, 0, rule, (long)s);
        if (!first.n)
            continue;
        cell[0] = c->questions->subject[s].name;
        cell[1] = TEXT(r, "%zu", first.n);
        for (size_t m = 0; m < c->nmodels; m++)
            cell[m + 2] = interval(r, choices_accuracy(c, m, rule, (long)s));
        html_row(&r->html, head, cell, n);
    }
    html_table_end(&r->html);
    html_details_end(&r->html);
}

void write_choices(struct report *r)
{
    const struct choices *c = r->result->choices;

    if (!c)
        return;
    html_section_begin(&r->html, "choices", "Multiple-choice questions");
    for (int rule = 0; rule < RULES; rule++) {
        struct bars b = { r, (enum choices_rule)rule };
        html_heading(&r->html, TEXT(r, "Picked: %s", choices_rule_about(b.rule)));
        html_figure_begin(&r->html, "Share of right answers; the thin line is the 95 % interval");
        plot_figure(&r->html, "Share of right answers of each model; the table that follows has the same figures", 8 + 46 * (double)c->nmodels, draw_bars, &b);
        html_figure_end(&r->html);
        write_overall(r, b.rule);
        write_subjects(r, b.rule);
    }
    html_section_end(&r->html);
}
