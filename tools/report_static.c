/* report_static.c - what verify --static found, as a page. */
#include "formats/file.h"
#include "tools/html.h"
#include "tools/provenance.h"
#include "tools/report.h"
#include "tools/verify_static.h"

struct report {
    const struct static_result *result;
    const struct static_check *check;
    struct html html;
    struct arena arena;
};

#define TEXT(r, ...) arena_printf(&(r)->arena, __VA_ARGS__)

static void write_verdict(struct report *r)
{
    const struct static_check *s = r->check;

    html_section_begin(&r->html, "verdict", "Verdict");
    html_rawf(&r->html, "<p class=\"verdict\"><span class=\"%s\">%s</span> ", s->damaged ? "bad" : "good", s->damaged ? "Differs:" : "Sound:");
    html_textf(&r->html, s->damaged ? "%s is not what %s converts to." : "%s is what %s converts to.", path_base(r->result->out), r->result->args->against);
    html_raw(&r->html, "</p>\n");
    html_paragraph(&r->html, "Every tensor was derived from its source once more and compared, every key too. Nothing was run.");
    html_list_begin(&r->html);
    for (int i = 0; i < STATIC_STATES; i++)
        if (s->count[i])
            html_list_item(&r->html, TEXT(r, "Tensors %s", static_state_text((enum static_state)i)), TEXT(r, "%zu", s->count[i]), false);
    html_list_item(&r->html, "Keys", TEXT(r, "%zu of %zu equal", s->keys.equal, s->keys.expected), false);
    html_list_item(&r->html, "Tokenizer", static_tokenizer_text(s), false);
    if (r->result->account->n)
        html_list_item(&r->html, "Source", TEXT(r, "%zu tensors used, %zu ignored; %zu keys used, %zu ignored", s->tensors_used, s->tensors_ignored,
                                                s->keys_used, s->keys_ignored), false);
    html_list_end(&r->html);
    html_section_end(&r->html);
}

static void write_finding(struct report *r, const char *what, const char *name, const char *text)
{
    html_rawf(&r->html, "<li>%s ", what);
    html_name(&r->html, name);
    html_textf(&r->html, " %s", text);
    html_raw(&r->html, "</li>\n");
}

/* Damage, or what is none. */
static void write_findings(struct report *r, bool damage, const char *id, const char *title)
{
    const struct static_check *s = r->check;
    size_t begun = r->html.n, empty;

    html_section_begin(&r->html, id, title);
    html_raw(&r->html, "<ul>\n");
    empty = r->html.n;
    for (size_t i = 0; i < s->ntensors; i++)
        if (damage ? static_is_damage(s->tensor[i].state) : s->tensor[i].state == STATIC_FITS && s->tensor[i].finding)
            write_finding(r, "Tensor", s->tensor[i].name, static_finding_text(&s->tensor[i], &r->arena));
    for (size_t i = 0; i < s->keys.n; i++)
        if (s->keys.item[i].damage == damage)
            write_finding(r, "Key", s->keys.item[i].key, TEXT(r, "%s (%s)", static_key_text(&s->keys.item[i], &r->arena), s->keys.item[i].why));
    if (s->tokenizer && damage != s->tokenizer_meant)
        write_finding(r, "The", "tokenizer", s->tokenizer);
    if (r->html.n == empty) {
        r->html.n = begun;      /* nothing to say: no section */
        return;
    }
    html_raw(&r->html, "</ul>\n");
    html_section_end(&r->html);
}

static void write_tensors(struct report *r)
{
    static const struct html_head head[] = {
        { "Tensor", HTML_NAME }, { "Type", HTML_TEXT }, { "State", HTML_TEXT }, { "From", HTML_NAME }, { "How", HTML_TEXT },
        { "nmse", HTML_NUMBER }, { "Largest error", HTML_NUMBER }, { "Equal blocks", HTML_NUMBER },
    };
    enum { N = sizeof head / sizeof *head };

    html_section_begin(&r->html, "tensors", "Tensors");
    html_details_begin(&r->html, TEXT(r, "%zu tensors", r->check->ntensors));
    html_table_begin(&r->html, "Every tensor, what it was made from, and how it compares", head, N);
    for (size_t i = 0; i < r->check->ntensors; i++) {
        const struct static_tensor *t = &r->check->tensor[i];
        const struct replay_result *x = &t->result;
        html_row(&r->html, head, (const char *const[N]){
                 t->name, t->found ? t->found->type->label : "", static_state_word(t->state),
                 t->more ? TEXT(r, "%s and %zu more", t->from, t->more) : t->from, t->how,
                 x->weights ? TEXT(r, "%.3g", x->energy > 0 ? x->error / x->energy : 0) : "", x->weights ? TEXT(r, "%.3g", x->most) : "",
                 x->blocks ? TEXT(r, "%.4g %%", 100 * (double)replay_exact(x) / (double)x->blocks) : "" }, N);
    }
    html_table_end(&r->html);
    html_details_end(&r->html);
    html_section_end(&r->html);
}

/* What of the source went elsewhere than into a tensor, and why. */
static void write_account(struct report *r)
{
    static const struct html_head head[] = { { "Of the source", HTML_NAME }, { "Fate", HTML_TEXT }, { "Became, or why not", HTML_TEXT } };
    const struct account *a = r->result->account;

    if (!a->n)
        return;
    html_section_begin(&r->html, "account", "The source, accounted for");
    html_details_begin(&r->html, "Keys of config.json, and tensors that are not used");
    html_table_begin(&r->html, "What became of everything in the source", head, 3);
    for (size_t i = 0; i < a->n; i++)
        if (a->entry[i].kind == ACCOUNT_KEY || a->entry[i].fate != ACCOUNT_USED)
            html_row(&r->html, head, (const char *const[3]){ a->entry[i].name, a->entry[i].fate == ACCOUNT_USED ? "used" : "ignored", a->entry[i].to }, 3);
    html_table_end(&r->html);
    html_details_end(&r->html);
    html_section_end(&r->html);
}

static void write_provenance(struct report *r)
{
    struct provenance p;
    char seconds[SIZE_TEXT];

    html_section_begin(&r->html, "provenance", "Where this comes from");
    p = provenance_begin(&r->html, r->result->args);
    provenance_model(&p, "Candidate", r->result->found);
    provenance_model(&p, "Source", r->result->expected);
    if (!provenance_is_fixed())
        provenance_item(&p, "Cost", time_text(seconds, r->result->seconds));
    provenance_end(&p);
    html_section_end(&r->html);
}

int report_static(const struct static_result *s, struct fail *f)
{
    struct report r = { .result = s, .check = s->check };
    int bad;

    r.html.arena = &r.arena;
    html_page_begin(&r.html, "Is it what its source converts to?", TEXT(&r, "%s, beside %s", s->out, s->args->against));
    write_verdict(&r);
    write_findings(&r, true, "damage", "Damage");
    write_findings(&r, false, "differences", "Differences that are no damage");
    write_tensors(&r);
    write_account(&r);
    write_provenance(&r);
    html_page_end(&r.html, "Made by Bantam. This page holds everything it shows and fetches nothing.");
    bad = html_write(&r.html, s->args->report, f);
    arena_release(&r.arena);
    return bad;
}
