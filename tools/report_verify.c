/* report_verify.c - see report_verify.h. What was not measured has no section. */
#include "tools/report_verify.h"

#include "formats/index.h"
#include "formats/text.h"
#include "tools/html.h"
#include "tools/plot.h"
#include "tools/provenance.h"
#include "verify/blame.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GRIDS = 4, WORST = 12 };

struct report {
    const struct verify_result *result;
    const struct score *score;
    struct html html;
    struct arena arena;
};

#define TEXT(r, ...) arena_printf(&(r)->arena, __VA_ARGS__)

static const char *candidate(const struct report *r, size_t k)
{
    return candidate_name(r->result, k);
}

static const char *size_of(struct report *r, uint64_t nbytes)
{
    char text[SIZE_TEXT];

    return TEXT(r, "%s", size_text(text, nbytes));
}

/* ---- the verdict ---- */
static void write_verdicts(struct report *r)
{
    char text[VERDICT_TEXT];

    html_section_begin(&r->html, "verdict", "Verdict");
    for (size_t k = 0; k < r->score->ncandidates; k++) {
        html_raw(&r->html, "<p class=\"verdict\">");
        html_text(&r->html, verify_verdict(r->result, k, text));
        html_raw(&r->html, ".</p>\n");
    }
    html_paragraph(&r->html, TEXT(r, "Both models read the same text and said, %zu times, which word (token) comes next. An answer counts as the same "
                                  "when both hold the same one for the most likely. The KL divergence says how far their probabilities for all words "
                                  "lie apart: 0 is no difference at all.", r->score->tokens));
    html_section_end(&r->html);
}

/* ---- size against loss ---- */
struct curve {
    struct report *report;
    double *size, *loss;
    size_t n;
    double original;
    const char *unit;
};

static void draw_curve(struct plot *p, const void *ctx)
{
    const struct curve *c = ctx;
    struct plot_axis x = plot_axis_of(c->size, c->n + 1, sizeof *c->size, false, TEXT(c->report, "size in %s", c->unit)),
                     y = plot_axis_of(c->loss, c->n, sizeof *c->loss, true, "mean KL divergence, each step ten times");

    plot_axes(p, &x, &y);
    plot_rule(p, c->original, "the original");
    for (size_t k = 0; k < c->n; k++)
        plot_point(p, c->size[k], c->loss[k], k + 1, k, TEXT(c->report, "%s: %.3g %s, KL divergence %.3g", candidate(c->report, k), c->size[k], c->unit, c->loss[k]));
}

static void write_curve(struct report *r)
{
    const struct verify_result *v = r->result;
    size_t n = r->score->ncandidates;
    uint64_t original = model_nbytes(v->models->original);
    double unit = original < 1000000000u ? 1e-6 : 1e-9;
    struct curve c = { r, arena_array(&r->arena, double, n + 1), arena_array(&r->arena, double, n), n, unit * (double)original,
                       unit > 1e-8 ? "MB" : "GB" };

    if (n < 2)
        return;
    for (size_t k = 0; k < n; k++) {
        c.size[k] = unit * (double)model_nbytes(v->models->candidate[k]);
        c.loss[k] = r->score->candidate[k].figures.kld.mean;
    }
    c.size[n] = c.original;
    html_figure_begin(&r->html, "Size against loss: further left is smaller, further down is closer to the original. The numbers are those of the table.");
    plot_figure(&r->html, "Size of each candidate against its mean KL divergence; the table that follows has the same figures", 340, draw_curve, &c);
    html_figure_end(&r->html);
}

static void write_figures(struct report *r)
{
    static const struct html_head head[] = {
        { "Model", HTML_TEXT }, { "Size", HTML_NUMBER }, { "Same next word", HTML_NUMBER }, { "KL divergence", HTML_NUMBER },
        { "99 % below", HTML_NUMBER }, { "largest", HTML_NUMBER }, { "Perplexity", HTML_NUMBER }, { "Ratio", HTML_NUMBER },
        { "RMS change of p", HTML_NUMBER },
    };
    enum { N = sizeof head / sizeof *head };
    const struct verify_result *v = r->result;

    html_table_begin(&r->html, "What each candidate cost; \xC2\xB1 is one standard error", head, N);
    html_row(&r->html, head, (const char *const[N]){ "Original", size_of(r, model_nbytes(v->models->original)), "", "", "", "",
             TEXT(r, "%.4f\n\xC2\xB1 %.4f", r->score->original.value, r->score->original.stderr_), "", "" }, N);
    for (size_t k = 0; k < r->score->ncandidates; k++) {
        const struct figures *g = &r->score->candidate[k].figures;
        html_row(&r->html, head, (const char *const[N]){
                 TEXT(r, "%zu. %s", k + 1, candidate(r, k)), size_of(r, model_nbytes(v->models->candidate[k])), TEXT(r, "%.3f %%", 100 * g->top1),
                 TEXT(r, "%.6f\n\xC2\xB1 %.6f", g->kld.mean, g->kld.stderr_), TEXT(r, "%.3g", g->kld.p99), TEXT(r, "%.3g", g->kld.max),
                 TEXT(r, "%.4f\n\xC2\xB1 %.4f", g->candidate.value, g->candidate.stderr_),
                 TEXT(r, "%.5f\n\xC2\xB1 %.5f", g->ratio, g->ratio_stderr), TEXT(r, "%.3f %%", 100 * g->rms_delta_p) }, N);
    }
    html_table_end(&r->html);
}

static void write_loss(struct report *r)
{
    html_section_begin(&r->html, "loss", "Size and loss");
    write_curve(r);
    write_figures(r);
    html_section_end(&r->html);
}

/* ---- how the divergence is spread ---- */
enum { BINS = 28 };
static const double bin_low = -7, bin_width = 0.3;      /* of log10, so that the last one ends above 20 */

struct histogram {
    double share[BINS];
    double most;
};

static struct histogram histogram_of(const struct token_loss *token, size_t n)
{
    struct histogram h = {0};

    for (size_t i = 0; i < n; i++) {
        double x = token[i].kld > 0 ? (log10(token[i].kld) - bin_low) / bin_width : 0;
        h.share[x < 0 ? 0 : x >= BINS ? BINS - 1 : (size_t)x] += 100.0 / (double)n;
    }
    for (size_t b = 0; b < BINS; b++)
        h.most = h.share[b] > h.most ? h.share[b] : h.most;
    return h;
}

static void draw_histogram(struct plot *p, const void *ctx)
{
    const struct histogram *h = ctx;
    struct plot_axis x = { pow(10, bin_low), pow(10, bin_low + BINS * bin_width), true, "KL divergence of one word", false },
                     y = plot_axis_of(&h->most, 1, sizeof h->most, false, "words, in percent");

    plot_axes(p, &x, &y);
    for (int b = 0; b < BINS; b++) {
        double low = pow(10, bin_low + b * bin_width), high = pow(10, bin_low + (b + 1) * bin_width);
        plot_column(p, low, high, h->share[b], 0, arena_printf(p->html->arena, "%.1e to %.1e: %.2f %%", b ? low : 0, high, h->share[b]));
    }
}

static void write_spread(struct report *r)
{
    html_section_begin(&r->html, "spread", "How far apart, word by word");
    for (size_t k = 0; k < r->score->ncandidates; k++) {
        const struct candidate_score *c = &r->score->candidate[k];
        const struct divergences *d = &c->figures.kld;
        struct histogram h = histogram_of(c->token, r->score->tokens);
        if (!(d->max > 0)) {
            html_paragraph(&r->html, TEXT(r, "%s: every probability is the same, the divergence is 0 at every word.", candidate(r, k)));
            continue;
        }
        html_figure_begin(&r->html, TEXT(r, "%s: half of the words lie below %.3g, nine in ten below %.3g, 99 %% below %.3g, 99.9 %% below %.3g; the largest is "
                                         "%.3g. What is below 1e-7 stands in the first column.", candidate(r, k), d->median, d->p90, d->p99, d->p999, d->max));
        plot_figure(&r->html, TEXT(r, "Histogram of the KL divergence of %s", candidate(r, k)), 220, draw_histogram, &h);
        html_figure_end(&r->html);
    }
    html_section_end(&r->html);
}

/* ---- layers ---- */
static void draw_layers(struct plot *p, const void *ctx)
{
    const struct report *r = ctx;
    const struct score *s = r->score;
    size_t n = s->nlayers, lines = s->ncandidates < PLOT_SERIES ? s->ncandidates : PLOT_SERIES;
    double *x = arena_array(p->html->arena, double, n), *all = arena_array(p->html->arena, double, n * lines);

    for (size_t i = 0; i < n * lines; i++)
        all[i] = s->candidate[i / n].layer_nmse[i % n];
    for (size_t i = 0; i < n; i++)
        x[i] = (double)i;
    struct plot_axis across = plot_axis_of(x, n, sizeof *x, false, "layer"), up = plot_axis_of(all, n * lines, sizeof *all, true, "error of the hidden state (nmse)");
    across.whole = true;
    across.high = n > 1 ? (double)(n - 1) : 1;
    plot_axes(p, &across, &up);
    for (size_t k = 0; k < lines; k++)
        plot_line(p, x, all + k * n, n, k);
}

static void write_layer_table(struct report *r)
{
    size_t n = r->score->ncandidates + 1;
    struct html_head *head = arena_array(&r->arena, struct html_head, n);
    const char **cell = arena_array(&r->arena, const char *, n);

    for (size_t k = 0; k < n; k++)
        head[k] = k ? (struct html_head){ candidate(r, k - 1), HTML_NUMBER } : (struct html_head){ "Layer", HTML_TEXT };
    html_details_begin(&r->html, "The same as a table");
    html_table_begin(&r->html, "Error of the hidden state behind each layer, as a share of its energy", head, n);
    for (size_t i = 0; i < r->score->nlayers; i++) {
        for (size_t k = 0; k < n; k++)
            cell[k] = k ? TEXT(r, "%.3g", r->score->candidate[k - 1].layer_nmse[i]) : TEXT(r, "%zu", i);
        html_row(&r->html, head, cell, n);
    }
    html_table_end(&r->html);
    html_details_end(&r->html);
}

static void write_layers(struct report *r)
{
    const char *names[PLOT_SERIES];
    size_t lines = r->score->ncandidates < PLOT_SERIES ? r->score->ncandidates : PLOT_SERIES;

    if (!r->score->nlayers)
        return;
    for (size_t k = 0; k < lines; k++)
        names[k] = candidate(r, k);
    html_section_begin(&r->html, "layers", "Where the error grows");
    html_figure_begin(&r->html, r->score->ncandidates > PLOT_SERIES ? "What is in the network behind each layer, beside the original (the first six candidates)"
                                                                    : "What is in the network behind each layer, beside the original");
    plot_figure(&r->html, "Error of the hidden state behind each layer, a line for each candidate", 300, draw_layers, r);
    plot_legend(&r->html, names, lines);
    html_figure_end(&r->html);
    write_layer_table(r);
    html_section_end(&r->html);
}

/* ---- tensors ---- */
/* "blk.7.attn_q.weight": the layer and what is behind it; false: a tensor of no layer. */
static bool layer_of(const char *name, size_t *layer, const char **kind)
{
    char *end;

    if (strncmp(name, "blk.", 4) != 0 || name[4] < '0' || name[4] > '9')
        return false;
    *layer = strtoul(name + 4, &end, 10);
    *kind = end + 1;
    return *end == '.' && end[1] && end - name < 12;
}

/* The kinds that lost anything at all, in the order of the file. */
static size_t find_kinds(struct report *r, const struct tensor_errors *t, struct name_index *kinds)
{
    size_t columns = 0, layer;
    const char *kind;

    for (size_t i = 0; i < t->n; i++)
        if (layer_of(t->item[i].name, &layer, &kind) && t->item[i].nmse > 0 && layer < r->score->nlayers) {
            name_index_add(kinds, &r->arena, kind);
            columns = layer + 1 > columns ? layer + 1 : columns;
        }
    return columns;
}

static void write_grid(struct report *r, size_t k)
{
    const struct tensor_errors *t = &r->score->candidate[k].tensors;
    struct name_index kinds = {0};
    size_t columns = find_kinds(r, t, &kinds), n = columns * kinds.n, layer;
    double *value = arena_array(&r->arena, double, n);
    const char **title = arena_array(&r->arena, const char *, n), *kind;
    struct plot_grid g = { kinds.n, columns, kinds.name, value, title, "tensor", "layer", true };

    if (!n)
        return;
    for (size_t i = 0; i < n; i++)
        value[i] = NAN;
    for (size_t i = 0; i < t->n; i++) {
        int64_t row = layer_of(t->item[i].name, &layer, &kind) ? name_index_find(&kinds, kind) : -1;
        if (row < 0 || layer >= columns)
            continue;
        value[(size_t)row * columns + layer] = t->item[i].nmse;
        title[(size_t)row * columns + layer] = TEXT(r, "%s, %s: %.3g", t->item[i].name, t->item[i].type, t->item[i].nmse);
    }
    for (size_t i = 0; i < kinds.n; i++)
        if (ends_with(kinds.name[i], ".weight"))
            kinds.name[i] = arena_copy(&r->arena, kinds.name[i], strlen(kinds.name[i]) - strlen(".weight"));
    html_figure_begin(&r->html, TEXT(r, "%s: error of each tensor as a share of its energy (nmse); stronger is worse. Kinds without any error are left out.",
                                     candidate(r, k)));
    plot_grid(&r->html, TEXT(r, "Error of each tensor of %s by layer; the tables that follow have the same figures", candidate(r, k)), &g);
    html_figure_end(&r->html);
}

static int worse(const void *a, const void *b)
{
    double x = (*(const struct tensor_error *const *)a)->nmse, y = (*(const struct tensor_error *const *)b)->nmse;

    return (x < y) - (x > y);
}

static void write_tensor_table(struct report *r, const struct tensor_error *const *list, size_t n, const char *caption)
{
    static const struct html_head head[] = {
        { "Tensor", HTML_NAME }, { "Type", HTML_TEXT }, { "nmse", HTML_NUMBER }, { "rmse", HTML_NUMBER }, { "cosine", HTML_NUMBER },
        { "Worst block", HTML_TEXT },
    };
    enum { N = sizeof head / sizeof *head };

    html_table_begin(&r->html, caption, head, N);
    for (size_t i = 0; i < n; i++) {
        const struct tensor_error *t = list[i];
        html_row(&r->html, head, (const char *const[N]){ t->name, t->type, TEXT(r, "%.3g", t->nmse), TEXT(r, "%.3g", t->rmse), TEXT(r, "%.6f", t->cosine),
                 t->nmse > 0 ? TEXT(r, "number %" PRIu64 ", row %" PRIu64 ": rmse %.2g", t->worst.index, t->worst.row, t->worst.rmse) : "" }, N);
    }
    html_table_end(&r->html);
}

/* Which tensors cause most of the error, and what better encodings for them would cost. */
static void write_blame(struct report *r, size_t k)
{
    static const struct html_head head[] = {
        { "Tensor", HTML_NAME }, { "Type", HTML_TEXT }, { "Part of the error", HTML_NUMBER }, { "In the product", HTML_NUMBER },
        { "In the weights", HTML_NUMBER }, { "Better type", HTML_TEXT }, { "Costs", HTML_NUMBER },
    };
    enum { N = sizeof head / sizeof *head };
    struct blame blame = blame_of(&r->score->candidate[k].tensors, &r->arena);
    struct remedy cure = blame_remedy(&blame);

    if (!blame.n)
        return;
    if (cure.n && cure.nbetter)
        html_paragraph(&r->html, TEXT(r, "%s: the %zu tensors that cause most of it make %.0f %% of the error; %s for them costs %s.", candidate(r, k), cure.n,
                                      100 * cure.part, cure.nbetter > 1 ? "better types" : cure.better[0]->label, size_of(r, cure.extra_nbytes)));
    html_table_begin(&r->html, TEXT(r, "%s: the tensors that cause most of the error (an estimate)", candidate(r, k)), head, N);
    for (size_t i = 0; i < blame.n && i < WORST; i++) {
        const struct culprit *c = &blame.item[i];
        html_row(&r->html, head, (const char *const[N]){
                 c->error->name, c->error->type, TEXT(r, "%.1f %%", 100 * c->part), c->error->seen ? TEXT(r, "%.3g", c->error->product) : "",
                 TEXT(r, "%.3g", c->error->nmse), c->better ? c->better->label : "", c->better ? size_of(r, c->extra_nbytes) : "" }, N);
    }
    html_table_end(&r->html);
}

static void write_findings(struct report *r, size_t k)
{
    const struct tensor_errors *t = &r->score->candidate[k].tensors;
    char text[FINDING_TEXT];

    for (size_t i = 0; i < t->n; i++)
        if (*finding_words(&t->item[i], text)) {
            html_raw(&r->html, "<p>");
            html_name(&r->html, t->item[i].name);
            html_textf(&r->html, " %s.", text);
            html_raw(&r->html, "</p>\n");
        }
}

static void write_tensors_of(struct report *r, size_t k)
{
    const struct tensor_errors *t = &r->score->candidate[k].tensors;
    const struct tensor_error **list = arena_array(&r->arena, const struct tensor_error *, t->n);
    size_t lossy = 0;

    for (size_t i = 0; i < t->n; i++) {
        list[i] = &t->item[i];
        lossy += t->item[i].nmse > 0;
    }
    if (!lossy) {
        html_paragraph(&r->html, TEXT(r, "%s: all %zu tensors are equal to the original's.", candidate(r, k), t->n));
        return;
    }
    write_grid(r, k);
    write_blame(r, k);
    write_findings(r, k);
    qsort(list, t->n, sizeof *list, worse);
    html_details_begin(&r->html, TEXT(r, "All %zu tensors of %s", t->n, candidate(r, k)));
    write_tensor_table(r, list, t->n, TEXT(r, "%s: all tensors, the worst first", candidate(r, k)));
    html_details_end(&r->html);
}

static void write_tensors(struct report *r)
{
    html_section_begin(&r->html, "tensors", "Which tensors lost");
    for (size_t k = 0; k < r->score->ncandidates; k++) {
        if (r->score->ncandidates > 1)
            html_heading(&r->html, candidate(r, k));
        if (k < GRIDS)
            write_tensors_of(r, k);
        else {
            html_details_begin(&r->html, TEXT(r, "Tensors of %s", candidate(r, k)));
            write_tensors_of(r, k);
            html_details_end(&r->html);
        }
    }
    html_section_end(&r->html);
}

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

static void write_groups(struct report *r, const struct groups *groups, const char *id, const char *title, const char *about)
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

static void write_choices(struct report *r)
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

/* ---- where it comes from ---- */
static void write_cost(struct report *r, struct provenance *p)
{
    char seconds[SIZE_TEXT], peak[SIZE_TEXT];

    if (!provenance_is_fixed())
        provenance_item(p, "Cost", TEXT(r, "%s, %s of memory at most", time_text(seconds, r->score->seconds), size_text(peak, r->score->peak_nbytes)));
}

static void write_json(struct report *r)
{
    cJSON *root = verify_json(r->result);
    char *text;

    if (provenance_is_fixed()) {
        cJSON_DeleteItemFromObject(root, "seconds");
        cJSON_DeleteItemFromObject(root, "peak_bytes");
    }
    text = cJSON_Print(root);
    html_details_begin(&r->html, "All figures, as --json prints them");
    html_raw(&r->html, "<pre id=\"json\" tabindex=\"0\">");
    html_text(&r->html, text);
    html_raw(&r->html, "</pre>\n");
    html_details_end(&r->html);
    cJSON_free(text);
    cJSON_Delete(root);
}

static void write_provenance(struct report *r)
{
    const struct verify_result *v = r->result;
    struct provenance p;

    html_section_begin(&r->html, "provenance", "Where these figures come from");
    p = provenance_begin(&r->html, v->args);
    if (v->args->text)
        provenance_file(&p, "Text", v->args->text);
    else
        provenance_item(&p, "Text", "the program's own, which is small: figures are rough");
    provenance_item(&p, "Measured on", TEXT(r, "%zu tokens in %zu chunks of %zu", r->score->tokens, r->score->chunks, r->score->context));
    if (v->args->choices)
        provenance_item(&p, "Questions", v->args->choices);
    provenance_model(&p, "Original", v->models->original);
    for (size_t k = 0; k < v->models->n; k++)
        provenance_model(&p, TEXT(r, "Candidate %zu", k + 1), v->models->candidate[k]);
    write_cost(r, &p);
    provenance_end(&p);
    write_json(r);
    html_section_end(&r->html);
}

int report_check(const struct args *a, const struct score_models *m, struct fail *f)
{
    if (html_may_write(a->report, a->force, f) || model_spared(m->original, a->report, f))
        return -1;
    for (size_t k = 0; k < m->n; k++)
        if (model_spared(m->candidate[k], a->report, f))
            return -1;
    return 0;
}

int report_verify(const struct verify_result *v, struct fail *f)
{
    struct report r = { .result = v, .score = v->score };
    int bad;

    r.html.arena = &r.arena;
    html_page_begin(&r.html, "What quantizing cost", TEXT(&r, "%s, beside the original %s", v->score->ncandidates == 1 ? candidate(&r, 0) :
                    TEXT(&r, "%zu candidates", v->score->ncandidates), v->args->against));
    write_verdicts(&r);
    write_loss(&r);
    write_choices(&r);
    write_groups(&r, &v->text->categories, "categories", "By kind of text", "The same figures for each kind of text alone.");
    write_groups(&r, &v->confidence, "confidence", "Where the original was sure",
                 "What the original was sure of should stay; where it hesitated, another word may be as good.");
    write_spread(&r);
    write_layers(&r);
    write_tensors(&r);
    write_provenance(&r);
    html_page_end(&r.html, "Made by Bantam, which measures both models side by side over the whole vocabulary. This page holds everything it shows and "
                           "fetches nothing.");
    bad = html_write(&r.html, v->args->report, f);
    arena_release(&r.arena);
    return bad;
}
