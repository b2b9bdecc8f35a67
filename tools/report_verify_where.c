/* report_verify_where.c - where the error is: layer by layer, tensor by tensor. */
#include "formats/index.h"
#include "formats/text.h"
#include "tools/report_page.h"
#include "verify/blame.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GRIDS = 4, WORST = 12 };

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

void write_layers(struct report *r)
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

void write_tensors(struct report *r)
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
