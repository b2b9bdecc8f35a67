/* report_verify.c - see report_verify.h. What was not measured has no section. */
#include "tools/report_verify.h"

#include "tools/provenance.h"
#include "tools/report_page.h"

#include <stdlib.h>

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
static void write_spread(struct report *r)
{
    html_section_begin(&r->html, "spread", "How far apart, word by word");
    for (size_t k = 0; k < r->score->ncandidates; k++) {
        const struct candidate_score *c = &r->score->candidate[k];
        const struct divergences *d = &c->figures.kld;
        struct plot_histogram h = { .value = &c->token->kld, .n = r->score->tokens, .stride = sizeof *c->token, .bins = 28, .low = -7,
                                    .width = 0.3, .x_title = "KL divergence of one word", .y_title = "words, in percent" };     /* to above 20 */
        if (!(d->max > 0)) {
            html_paragraph(&r->html, TEXT(r, "%s: every probability is the same, the divergence is 0 at every word.", candidate(r, k)));
            continue;
        }
        html_figure_begin(&r->html, TEXT(r, "%s: half of the words lie below %.3g, nine in ten below %.3g, 99 %% below %.3g, 99.9 %% below %.3g; the largest is "
                                         "%.3g. What is below 1e-7 stands in the first column.", candidate(r, k), d->median, d->p90, d->p99, d->p999, d->max));
        plot_histogram(&r->html, TEXT(r, "Histogram of the KL divergence of %s", candidate(r, k)), &h);
        html_figure_end(&r->html);
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

void write_json(struct report *r, cJSON *root)
{
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
    write_json(r, verify_json(v));
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
