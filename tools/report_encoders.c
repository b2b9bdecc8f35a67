/* report_encoders.c - how alike the sentence vectors of encoders are, as a page; layers and tensors are shown as those of decoders. */
#include "tools/provenance.h"
#include "tools/report_page.h"
#include "tools/verify_encoders.h"

/* ---- the verdict ---- */

/* By the mean cosine and the rank correlation, the worse of the two. */
static const char *likeness_word(const struct likeness *l)
{
    static const struct { double cosine, ranks; const char *word; } rows[] = {
        { 1, 1, "exactly the same" }, { 0.9995, 0.9995, "practically the same" }, { 0.998, 0.997, "very close to it" },
        { 0.99, 0.985, "close to it" }, { 0.96, 0.95, "noticeably different" }, { 0.85, 0.85, "much worse" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (l->mean >= rows[i].cosine && l->rank_correlation >= rows[i].ranks)
            return rows[i].word;
    return "hardly the same model";
}

static void write_verdict(struct report *r, const struct encoders_result *e)
{
    html_section_begin(&r->html, "verdict", "Verdict");
    for (size_t k = 0; k < e->models->n; k++) {
        const struct likeness *l = &e->likeness[k];
        html_raw(&r->html, "<p class=\"verdict\">");
        html_text(&r->html, TEXT(r, "%s, beside the original: %s. The vectors' mean cosine is %.5f, and pairs of texts rank alike to %.4f; %s of %s.",
                                 candidate(r, k), likeness_word(l), l->mean, l->rank_correlation, size_of(r, model_nbytes(e->models->candidate[k])),
                                 size_of(r, model_nbytes(e->models->original))));
        html_raw(&r->html, "</p>\n");
    }
    html_paragraph(&r->html, TEXT(r, "Both models turned the same %zu lines of text into vectors. The cosine compares the two vectors of a line: 1 is the same direction. "
                                  "A search sorts texts by how near their vectors lie, so what matters most is whether pairs of texts keep their order: the "
                                  "rank correlation of all %zu pairs, 1 if none changes its place.", e->texts.n, e->likeness->pairs));
    html_section_end(&r->html);
}

static void write_figures(struct report *r, const struct encoders_result *e)
{
    static const struct html_head head[] = {
        { "Model", HTML_TEXT }, { "Size", HTML_NUMBER }, { "Cosine", HTML_NUMBER }, { "Median", HTML_NUMBER }, { "10 % below", HTML_NUMBER },
        { "1 % below", HTML_NUMBER }, { "least", HTML_NUMBER }, { "of line", HTML_NUMBER }, { "Rank correlation", HTML_NUMBER },
    };
    enum { N = sizeof head / sizeof *head };

    html_section_begin(&r->html, "likeness", "Size and likeness");
    html_table_begin(&r->html, "How alike the vectors are; \xC2\xB1 is one standard error", head, N);
    html_row(&r->html, head, (const char *const[N]){ "Original", size_of(r, model_nbytes(e->models->original)) }, N);
    for (size_t k = 0; k < e->models->n; k++) {
        const struct likeness *l = &e->likeness[k];
        html_row(&r->html, head, (const char *const[N]){
                 TEXT(r, "%zu. %s", k + 1, candidate(r, k)), size_of(r, model_nbytes(e->models->candidate[k])),
                 TEXT(r, "%.6f\n\xC2\xB1 %.6f", l->mean, l->stderr_), TEXT(r, "%.6f", l->median), TEXT(r, "%.6f", l->p10), TEXT(r, "%.6f", l->p01),
                 TEXT(r, "%.6f", l->least), TEXT(r, "%zu", l->least_text + 1), TEXT(r, "%.6f", l->rank_correlation) }, N);
    }
    html_table_end(&r->html);
    html_section_end(&r->html);
}

/* ---- how the cosines are spread ---- */
static void write_spread(struct report *r, const struct encoders_result *e)
{
    html_section_begin(&r->html, "spread", "How far apart, line by line");
    for (size_t k = 0; k < e->models->n; k++) {
        const struct likeness *l = &e->likeness[k];
        double *off = arena_array(&r->arena, double, e->texts.n);
        struct plot_histogram h = { .value = off, .n = e->texts.n, .stride = sizeof *off, .bins = 24, .low = -6, .width = 0.25,
                                    .x_title = "1 - cosine of a line's two vectors", .y_title = "lines, in percent" };      /* to 1 */
        for (size_t i = 0; i < e->texts.n; i++)
            off[i] = 1 - l->cosine[i];
        if (l->least >= 1) {
            html_paragraph(&r->html, TEXT(r, "%s: the two vectors of every line point the same way.", candidate(r, k)));
            continue;
        }
        html_figure_begin(&r->html, TEXT(r, "%s: of half of the lines the cosine is above %.6f, of nine in ten above %.6f, of 99 %% above %.6f; the least is %.6f. "
                                         "Further left is closer; what differs by less than 1e-6 stands in the first column.", candidate(r, k), l->median, l->p10,
                                         l->p01, l->least));
        plot_histogram(&r->html, TEXT(r, "Histogram of one less the cosine of each line's vectors, of %s", candidate(r, k)), &h);
        html_figure_end(&r->html);
    }
    html_section_end(&r->html);
}

/* ---- where it comes from ---- */

static void write_provenance(struct report *r, const struct encoders_result *e)
{
    struct provenance p;
    char seconds[SIZE_TEXT];

    html_section_begin(&r->html, "provenance", "Where these figures come from");
    p = provenance_begin(&r->html, e->args);
    if (e->args->text)
        provenance_file(&p, "Text", e->args->text);
    else
        provenance_item(&p, "Text", "the program's own, which is small: figures are rough");
    provenance_item(&p, "Measured on", TEXT(r, "%zu lines, %zu tokens, lines cut at %zu", e->texts.n, e->texts.start[e->texts.n], e->longest));
    provenance_model(&p, "Original", e->models->original);
    for (size_t k = 0; k < e->models->n; k++)
        provenance_model(&p, TEXT(r, "Candidate %zu", k + 1), e->models->candidate[k]);
    if (!provenance_is_fixed())
        provenance_item(&p, "Cost", time_text(seconds, e->seconds));
    provenance_end(&p);
    write_json(r, encoders_json(e));
    html_section_end(&r->html);
}

/* Layers and tensors as a run of decoders leaves them. */
static struct score score_of(const struct encoders_result *e, struct arena *a)
{
    struct score s = { .ncandidates = e->models->n, .nlayers = e->embedded->layers, .candidate = arena_array(a, struct candidate_score, e->models->n) };

    for (size_t k = 0; k < s.ncandidates; k++)
        s.candidate[k] = (struct candidate_score){ .path = e->models->candidate[k]->path, .tensors = e->tensors[k],
                                                   .layer_nmse = e->embedded[k + 1].layer_nmse };
    return s;
}

int report_encoders(const struct encoders_result *e, struct fail *f)
{
    struct report r = {0};
    struct score score = score_of(e, &r.arena);
    struct verify_result result = { .args = e->args, .models = e->models, .score = &score };
    int bad;

    r.result = &result;
    r.score = &score;
    r.html.arena = &r.arena;
    html_page_begin(&r.html, "What quantizing cost", TEXT(&r, "%s, beside the original %s", e->models->n == 1 ? candidate(&r, 0) :
                    TEXT(&r, "%zu candidates", e->models->n), e->args->against));
    write_verdict(&r, e);
    write_figures(&r, e);
    write_spread(&r, e);
    write_layers(&r);
    write_tensors(&r);
    write_provenance(&r, e);
    html_page_end(&r.html, "Made by Bantam. This page holds everything it shows and fetches nothing.");
    bad = html_write(&r.html, e->args->report, f);
    arena_release(&r.arena);
    return bad;
}
