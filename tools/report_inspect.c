/* report_inspect.c - see report_inspect.h. What a model does not say has no section. */
#include "tools/report_inspect.h"

#include "formats/file.h"
#include "tools/plot.h"
#include "tools/provenance.h"

#include <inttypes.h>
#include <stdlib.h>

enum { TENSORS_MOST = 20000 };          /* listed; a browser gets slow with more */

struct report {
    const struct args *args;
    const struct model *model;
    const struct summary *summary;
    struct html html;
    struct arena arena;
};

#define TEXT(r, ...) arena_printf(&(r)->arena, __VA_ARGS__)

static const char *size_of(struct report *r, uint64_t nbytes)
{
    char text[SIZE_TEXT];

    return TEXT(r, "%s", size_text(text, nbytes));
}

static const char *count_of(struct report *r, uint64_t n)
{
    char text[SIZE_TEXT];

    return TEXT(r, "%s", count_text(text, n));
}

/* ---- first of all: what it is, and who may use it ---- */
static void write_line(struct report *r, const char *label, const char *text, const char *class)
{
    html_rawf(&r->html, "<p class=\"verdict\"><strong>%s:</strong> <span class=\"%s\">", label, class);
    html_text(&r->html, text);
    html_raw(&r->html, "</span></p>\n");
}

static void write_verdict(struct report *r)
{
    struct license_lines lines = license_lines_of(&r->summary->license, &r->arena);
    const struct summary *s = r->summary;

    html_section_begin(&r->html, "verdict", "In short");
    write_line(r, "Model", TEXT(r, "%s%s%s weights of %.2f bits on average, %s", s->architecture ? s->architecture : "an unknown family",
                                ", ", count_of(r, s->all.weights), amount_bits(s->all), size_of(r, s->all.nbytes)), "");
    write_line(r, "License", lines.verdict, lines.paint == PAINT_BAD ? "bad" : "");
    write_line(r, "Use", lines.use, "");
    write_line(r, "To do", lines.todo, "");
    html_section_end(&r->html);
}

static void put_number(struct report *r, const char *term, uint64_t n)
{
    if (n)
        html_list_item(&r->html, term, TEXT(r, "%" PRIu64, n), false);
}

static void write_summary(struct report *r)
{
    const struct summary *s = r->summary;
    const struct model *m = r->model;

    html_section_begin(&r->html, "summary", "The model");
    html_list_begin(&r->html);
    if (s->name)
        html_list_item(&r->html, "Name", s->name, false);
    html_list_item(&r->html, "Format", TEXT(r, "%s, %zu file%s, %zu tensors", m->format->name, m->nfiles, m->nfiles == 1 ? "" : "s", m->ntensors), false);
    if (m->aside)
        html_list_item(&r->html, "Left aside", m->aside, false);
    put_number(r, "Context", s->context);
    put_number(r, "Width", s->width);
    put_number(r, "Layers", s->layers);
    put_number(r, "Vocabulary", s->vocabulary);
    html_list_item(&r->html, "Tokenizer", TEXT(r, "%s%s%s", s->tokenizer.model ? s->tokenizer.model : "none", s->tokenizer.pre ? ", " : "",
                                               s->tokenizer.pre ? s->tokenizer.pre : ""), false);
    html_list_item(&r->html, "Chat template", s->tokenizer.chat_template ? "yes" : "no", false);
    html_list_end(&r->html);
    html_section_end(&r->html);
}

/* ---- types ---- */
static void draw_types(struct plot *p, const void *ctx)
{
    const struct report *r = ctx;
    size_t rows = 0, row = 0;

    p->top = p->bottom = 4;
    for (size_t k = 0; k < qtype_count(); k++)
        rows += amount_of(r->model, qtype_at(k)).tensors != 0;
    for (size_t k = 0; k < qtype_count(); k++) {
        struct amount a = amount_of(r->model, qtype_at(k));
        double share = r->summary->all.nbytes ? (double)a.nbytes / (double)r->summary->all.nbytes : 0;
        if (a.tensors)
            plot_bar(p, row++, rows, qtype_at(k)->label, share, 0, 0, 1, 0, arena_printf(p->html->arena, "%.1f %%", 100 * share));
    }
}

static void write_types(struct report *r)
{
    static const struct html_head head[] = {
        { "Type", HTML_TEXT }, { "Tensors", HTML_NUMBER }, { "Weights", HTML_NUMBER }, { "Bytes", HTML_NUMBER }, { "Bits each", HTML_NUMBER },
    };
    enum { N = sizeof head / sizeof *head };
    size_t rows = 0;

    for (size_t k = 0; k < qtype_count(); k++)
        rows += amount_of(r->model, qtype_at(k)).tensors != 0;
    html_section_begin(&r->html, "types", "Types of the weights");
    html_figure_begin(&r->html, "Share of the bytes that each type takes");
    plot_figure(&r->html, "Share of the bytes by type; the table that follows has the same figures", 8 + 46 * (double)rows, draw_types, r);
    html_figure_end(&r->html);
    html_table_begin(&r->html, "Tensors by type", head, N);
    for (size_t k = 0; k < qtype_count(); k++) {
        struct amount a = amount_of(r->model, qtype_at(k));
        if (a.tensors)
            html_row(&r->html, head, (const char *const[N]){ qtype_at(k)->label, TEXT(r, "%" PRIu64, a.tensors), count_of(r, a.weights),
                     size_of(r, a.nbytes), TEXT(r, "%.2f", amount_bits(a)) }, N);
    }
    html_table_end(&r->html);
    html_section_end(&r->html);
}

/* ---- license ---- */
static void write_evidence(struct report *r)
{
    static const struct html_head head[] = {
        { "Place", HTML_NAME }, { "Says", HTML_TEXT }, { "License", HTML_TEXT }, { "Known by", HTML_TEXT }, { "Remark", HTML_TEXT },
    };
    enum { N = sizeof head / sizeof *head };
    const struct evidence_list *l = &r->summary->license.evidence;

    if (!l->n) {
        html_paragraph(&r->html, "No license key, no front matter, no license file.");
        return;
    }
    html_table_begin(&r->html, "Evidence: every place that speaks of a license", head, N);
    for (size_t i = 0; i < l->n; i++) {
        const struct evidence *e = &l->item[i];
        html_row(&r->html, head, (const char *const[N]){
                 e->field ? TEXT(r, "%s, %s", e->where, e->field) : e->where, e->says ? e->says : e->text ? TEXT(r, "a text of %zu words", e->text->nwords) : "",
                 e->license ? TEXT(r, "%s (%s)", e->license->name, e->license->id) : "", evidence_level_word(e->level), e->note }, N);
    }
    html_table_end(&r->html);
}

static void write_parents(struct report *r)
{
    static const struct html_head head[] = {
        { "Base model", HTML_NAME }, { "Relation", HTML_TEXT }, { "Said by", HTML_TEXT }, { "License", HTML_TEXT }, { "How well known", HTML_TEXT },
    };
    enum { N = sizeof head / sizeof *head };
    const struct evidence_list *l = &r->summary->license.evidence;

    if (!l->nparents) {
        html_paragraph(&r->html, "Base models: unknown. Nothing says what the model was made from, so what its parents ask for is not known.");
        return;
    }
    html_table_begin(&r->html, "Base models", head, N);
    for (size_t i = 0; i < l->nparents; i++) {
        const struct parent *p = &l->parent[i];
        html_row(&r->html, head, (const char *const[N]){ p->id, p->relation, p->from, p->license ? p->license->name : "not known here",
                 p->license ? license_sure_word(p->sure) : "" }, N);
    }
    html_table_end(&r->html);
}

/* JSON's words, for people: "use_policy" is the use policy. */
static const char *spaced(struct report *r, const char *word)
{
    char *s = arena_strdup(&r->arena, word);

    for (char *p = s; *p; p++)
        *p = *p == '_' ? ' ' : *p;
    return s;
}

static void write_terms(struct report *r, const struct obligation *o)
{
    static const struct html_head head[] = { { "About", HTML_TEXT }, { "What it says", HTML_TEXT }, { "How well known", HTML_TEXT } };
    enum { N = sizeof head / sizeof *head };
    const struct license *k = o->license;

    html_heading(&r->html, TEXT(r, "%s (%s)", k->name, o->because));
    html_table_begin(&r->html, TEXT(r, "Terms of %s; read in: %s", k->name, k->source), head, N);
    html_row(&r->html, head, (const char *const[N]){ "commercial use", license_use_word(k->commercial), "" }, N);
    for (size_t i = 0; i < 2 && k->threshold[i].measure; i++)
        html_row(&r->html, head, (const char *const[N]){ "threshold", license_threshold_text(&k->threshold[i], &r->arena),
                 license_sure_word(k->threshold[i].sure) }, N);
    if (k->show)
        html_row(&r->html, head, (const char *const[N]){ "to be shown", k->show, "" }, N);
    for (const struct license_fact *f = k->facts; f && f->text; f++)
        html_row(&r->html, head, (const char *const[N]){ spaced(r, license_topic_word(f->topic)), f->text, license_sure_word(f->sure) }, N);
    html_table_end(&r->html);
}

static void write_duties(struct report *r)
{
    static const struct html_head head[] = { { "What has to go along with a copy", HTML_TEXT }, { "Of", HTML_TEXT }, { "Here", HTML_TEXT }, { "Where", HTML_NAME } };
    static const char *const words[] = { [ANSWER_UNKNOWN] = "not checked", [ANSWER_NO] = "MISSING", [ANSWER_YES] = "present" };
    enum { N = sizeof head / sizeof *head };
    const struct licensing *l = &r->summary->license;

    if (!l->nduties)
        return;
    html_table_begin(&r->html, "What has to go along with a copy", head, N);
    for (size_t i = 0; i < l->nduties; i++) {
        const struct duty *d = &l->duty[i];
        html_row(&r->html, head, (const char *const[N]){ duty_what(d->ship), d->license->id, words[d->present], d->where }, N);
    }
    html_table_end(&r->html);
}

static void write_license(struct report *r)
{
    const struct licensing *l = &r->summary->license;

    html_section_begin(&r->html, "license", "License");
    for (size_t i = 0; i < l->nconflicts; i++)
        write_line(r, "Conflict", l->conflict[i], "bad");
    write_evidence(r);
    write_parents(r);
    for (size_t i = 0; i < l->nobligations; i++)
        write_terms(r, &l->obligation[i]);
    write_duties(r);
    html_paragraph(&r->html, "These are facts from a table and from files, not legal advice.");
    html_section_end(&r->html);
}

/* ---- keys and tensors ---- */
static const char *value_of(struct report *r, const struct meta_value *v)
{
    cJSON *item = json_meta(v);
    char *text = item->type == cJSON_String ? NULL : cJSON_PrintUnformatted(item);
    const char *copy = arena_strdup(&r->arena, text ? text : item->valuestring ? item->valuestring : "");

    free(text);
    cJSON_Delete(item);
    return copy;
}

static void write_keys(struct report *r)
{
    static const struct html_head head[] = { { "Key", HTML_NAME }, { "Type", HTML_TEXT }, { "Value", HTML_NAME } };
    const struct meta *m = r->summary->meta;

    if (!m->n)
        return;
    html_section_begin(&r->html, "keys", "Keys");
    html_details_begin(&r->html, TEXT(r, "%zu keys", m->n));
    html_table_begin(&r->html, "Keys and their values", head, 3);
    for (size_t i = 0; i < m->n; i++) {
        const struct meta_value *v = &m->entry[i].value;
        html_row(&r->html, head, (const char *const[3]){ m->entry[i].key, meta_type_name(v->type), value_of(r, v) }, 3);
    }
    html_table_end(&r->html);
    html_details_end(&r->html);
    html_section_end(&r->html);
}

static const char *shape_of(struct report *r, const struct tensor *t)
{
    const char *text = "";

    for (int k = 0; k < t->rank; k++)
        text = TEXT(r, "%s%s%" PRIu64, text, k ? " \xC3\x97 " : "", shape_in_file(r->model, t, k));
    return text;
}

static void write_tensors(struct report *r)
{
    static const struct html_head head[] = {
        { "Tensor", HTML_NAME }, { "Type", HTML_TEXT }, { "Shape", HTML_NUMBER }, { "Bytes", HTML_NUMBER }, { "XXH3-128", HTML_NAME },
    };
    size_t n = r->summary->hash ? 5 : 4, shown = r->model->ntensors < TENSORS_MOST ? r->model->ntensors : TENSORS_MOST;
    char text[XXH3_TEXT] = "";

    html_section_begin(&r->html, "tensors", "Tensors");
    html_details_begin(&r->html, TEXT(r, "%zu tensors", r->model->ntensors));
    html_table_begin(&r->html, shown < r->model->ntensors ? TEXT(r, "The first %zu tensors, in the file's order", shown) : "All tensors, in the file's order", head, n);
    for (size_t i = 0; i < shown; i++) {
        const struct tensor *t = &r->model->tensor[i];
        if (r->summary->hash)
            xxh3_text(text, r->summary->hash[i]);
        html_row(&r->html, head, (const char *const[5]){ t->name, t->type->label, shape_of(r, t), size_of(r, tensor_bytes(t)), text }, n);
    }
    html_table_end(&r->html);
    html_details_end(&r->html);
    html_section_end(&r->html);
}

static void write_provenance(struct report *r)
{
    struct provenance p;

    html_section_begin(&r->html, "provenance", "Where this comes from");
    p = provenance_begin(&r->html, r->args);
    p.left = r->summary->hash ? p.left : 0;             /* hashes only where they were asked for: a page takes milliseconds */
    provenance_model(&p, "Files", r->model);
    for (size_t i = 0; r->summary->sha256 && i < r->model->nfiles; i++)
        provenance_item(&p, i ? "" : "SHA-256", TEXT(r, "%s %s", r->summary->sha256[i], path_base(r->model->file[i].path)));
    provenance_end(&p);
    html_section_end(&r->html);
}

int report_inspect(const struct args *a, const struct model *m, const struct summary *s, struct fail *f)
{
    struct report r = { .args = a, .model = m, .summary = s };
    int bad;

    r.html.arena = &r.arena;
    html_page_begin(&r.html, s->name ? s->name : path_base(m->path), TEXT(&r, "What is in %s, and who may use it", m->path));
    write_verdict(&r);
    write_summary(&r);
    write_license(&r);
    write_types(&r);
    write_keys(&r);
    write_tensors(&r);
    write_provenance(&r);
    html_page_end(&r.html, "Made by Bantam from the model's own files. This page holds everything it shows and fetches nothing.");
    bad = html_write(&r.html, a->report, f);
    arena_release(&r.arena);
    return bad;
}
