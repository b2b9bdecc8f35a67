/* verify_print.c - verify's result on the terminal: a sentence first, then tables of at most 80 columns; and the limits. */
#include "tools/verify_result.h"

#include "formats/file.h"
#include "verify/blame.h"

#include <inttypes.h>

/* ---- the verdict ---- */

uint64_t model_nbytes(const struct model *m)
{
    uint64_t nbytes = 0;

    for (size_t i = 0; i < m->nfiles; i++)
        nbytes += m->file[i].nbytes;
    return nbytes;
}

const char *candidate_name(const struct verify_result *r, size_t k)
{
    const char *name = r->args->operand.item[k], *base = path_base(name);

    return *base ? base : name;
}

/* A loss in words, the worse of two grades; docs/verify.md has the table. The limits lie around what llama.cpp measured for Llama 3 8B (tools/perplexity/README.md) in Q8_0, Q6_K,
 * Q4_K_M and Q2_K: mean KLD 0.0014, 0.0055, 0.031, 0.45; same most likely token 97.7, 96.0, 91.9, 71.1 %. */
static const char *loss_word(double mean_kld, double top1)
{
    static const struct { double kld, top1; const char *word; } words[] = {
        { 1e-300, 1, "exactly the same" }, { 0.002, 0.97, "practically the same" }, { 0.02, 0.93, "very close to it" },
        { 0.06, 0.88, "close to it" }, { 0.2, 0.78, "noticeably different" }, { 0.6, 0.65, "much worse" },
    };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (mean_kld < words[i].kld && top1 >= words[i].top1)
            return words[i].word;
    return "hardly the same model";
}

/* 99.97 % is not 100.0 %. */
static const char *percent(char text[SIZE_TEXT], double share)
{
    double p = 100 * share;

    snprintf(text, SIZE_TEXT, "%.*f %%", p > 99.9 && p < 100 ? 3 : 1, p);
    return text;
}

const char *verify_verdict(const struct verify_result *r, size_t k, char text[VERDICT_TEXT])
{
    const struct figures *g = &r->score->candidate[k].figures;
    char same[SIZE_TEXT], now[SIZE_TEXT], before[SIZE_TEXT];
    uint64_t nbytes = model_nbytes(r->models->candidate[k]), original = model_nbytes(r->models->original);

    snprintf(text, VERDICT_TEXT, "%.200s answers as the original does on %s of next words: %s; %s of %s", candidate_name(r, k),
             percent(same, g->top1), loss_word(g->kld.mean, g->top1), size_text(now, nbytes), size_text(before, original));
    return text;
}

/* ---- tables ---- */

/* "These 5 tensors cause 41 % of the error; giving them Q6_K costs 41 MB." */
static void print_remedy(const struct blame *blame)
{
    struct remedy r = blame_remedy(blame);
    bool these = true;                  /* all of those shown */
    char size[SIZE_TEXT];

    if (!r.n)
        return;
    for (size_t i = 0; i < blame->n && i < CULPRITS; i++)
        these = these && blame->item[i].better;
    if (r.n == 1)
        printf("  %s tensor causes ", these ? "this" : "the first that can be better, one");
    else
        printf(these ? "  these %zu tensors cause " : "  the first %zu that can be better cause ", r.n);
    printf("about %.0f %% of the error; giving %s ", 100 * r.part, r.n == 1 ? "it" : "them");
    for (size_t i = 0; i < r.nbetter; i++)
        printf("%s%s", i ? " or " : "", r.better[i]->label);
    printf(" costs %s\n", size_text(size, r.extra_nbytes));
}

void print_blame(const struct tensor_errors *tensors)
{
    struct arena tmp = {0};
    struct blame blame = blame_of(tensors, &tmp);

    if (blame.n)
        printf("\n  %-30s %-7s %8s %8s %8s %13s\n", "where it hurts", "type", "of error", "product", "weights", "worst block");
    for (size_t i = 0; i < blame.n && i < CULPRITS; i++) {
        const struct tensor_error *e = blame.item[i].error;
        char product[16] = "", row[32];

        fputs("  ", stdout);
        print_cell(e->name, 30);
        if (e->seen)
            snprintf(product, sizeof product, "%.3g", e->product);
        snprintf(row, sizeof row, "%" PRIu64 ": %.2g", e->worst.index, e->worst.rmse);
        printf(" %-7s %6.1f %% %8s %8.3g %13s\n", e->type, 100 * blame.item[i].part, product, e->nmse, row);
    }
    print_remedy(&blame);
    arena_release(&tmp);
}

/* What differs between the models goes first: zeros in both are how some models are. */
void print_findings(const struct tensor_errors *tensors)
{
    enum { SHOWN = 5 };
    char words[FINDING_TEXT];
    size_t found = 0;

    for (size_t i = 0; i < tensors->n; i++) {
        const struct tensor_error *e = &tensors->item[i];
        if (!*finding_words(e, words) || e->candidate.zero_rows == e->original.zero_rows)
            continue;
        if (!found++)
            putchar('\n');
        if (found > SHOWN)
            continue;
        fputs("  '", stdout);
        print_last(e->name, 40);
        printf("' %s\n", words);
    }
    if (found > SHOWN)
        printf("  ... and %zu more tensors\n", found - SHOWN);
}

/* Figures of each group that has any tokens. */
static void print_groups(const char *what, const struct groups *groups, const struct score *s, const struct candidate_score *c)
{
    size_t none = 0;

    for (size_t i = 0; i < groups->n; i++)
        none += !groups->item[i].n;
    if (none == groups->n)
        return;
    printf("\n  %-30s %8s %10s %8s %9s %8s\n", what, "tokens", "perplexity", "ratio", "mean KLD", "same top");
    for (size_t i = 0; i < groups->n; i++) {
        const struct group *g = &groups->item[i];
        struct figures f = figures_of(s->token, c->token, g->which, g->n);
        if (!g->n)
            continue;
        fputs("  ", stdout);
        print_cell(g->about ? g->about : g->name, 30);
        printf(" %8zu %10.4f %8.5f %9.6f %6.2f %%\n", g->n, f.candidate.value, f.ratio, f.kld.mean, 100 * f.top1);
    }
}

/* What was read, in words. */
static void print_text(const struct measured *text, const struct score *s)
{
    printf("  %zu tokens scored in %zu chunk%s of %zu%s\n", s->tokens, s->chunks, s->chunks == 1 ? "" : "s", s->context,
           text->texts.builtin ? " of the built-in text: it is small," : "");
    if (text->texts.builtin)
        printf("  good for a first impression; --text FILE takes more of what you do with the model\n");
}

/* A bar per layer, scaled to the worst one: where along the model the error grows. */
void print_layers(const double *nmse, size_t n)
{
    static const char *const bars[] = { "\u2581", "\u2582", "\u2583", "\u2584", "\u2585", "\u2586", "\u2587", "\u2588" };
    enum { COLUMNS = 76 };
    double most = 0;

    for (size_t i = 0; i < n; i++)
        most = nmse[i] > most ? nmse[i] : most;
    if (!(most > 0))
        return;
    printf("\n  error of the hidden state, first layer to last (worst: nmse %.3g)\n  ", most);
    for (size_t i = 0; i < n; i++)
        printf("%s%s", i && i % COLUMNS == 0 ? "\n  " : "", bars[(int)(7 * nmse[i] / most)]);
    putchar('\n');
}

static void print_one(const struct score *s)
{
    const struct figures *g = &s->candidate->figures;

    printf("  perplexity, original           %12.4f +- %.4f\n", s->original.value, s->original.stderr_);
    printf("  perplexity, candidate          %12.4f +- %.4f\n", g->candidate.value, g->candidate.stderr_);
    printf("  ratio                          %12.6f +- %.6f\n", g->ratio, g->ratio_stderr);
    printf("  KL divergence, mean            %12.6f +- %.6f\n", g->kld.mean, g->kld.stderr_);
    printf("    median / 90 %% / 99 %% / max   %12.6f / %.6f / %.6f / %.6f\n", g->kld.median, g->kld.p90, g->kld.p99, g->kld.max);
    printf("  same most likely next token    %12.3f %%\n", 100 * g->top1);
    printf("  RMS change of the probability  %12.3f %%\n", 100 * g->rms_delta_p);
}

static void print_several(const struct verify_result *r)
{
    char size[SIZE_TEXT];

    printf("  %-22s %8s %10s %8s %9s %8s %8s\n", "", "size", "perplexity", "ratio", "mean KLD", "99 % KLD", "same top");
    printf("  %-22s %8s %10.4f\n", "the original", size_text(size, model_nbytes(r->models->original)), r->score->original.value);
    for (size_t k = 0; k < r->score->ncandidates; k++) {
        const struct figures *g = &r->score->candidate[k].figures;

        fputs("  ", stdout);
        print_cell(candidate_name(r, k), 22);
        printf(" %8s %10.4f %8.5f %9.6f %8.4f %6.2f %%\n", size_text(size, model_nbytes(r->models->candidate[k])), g->candidate.value,
               g->ratio, g->kld.mean, g->kld.p99, 100 * g->top1);
    }
}

void verify_print(const struct verify_result *r)
{
    const struct score *s = r->score;
    char seconds[SIZE_TEXT], peak[SIZE_TEXT], verdict[VERDICT_TEXT];

    for (size_t k = 0; k < s->ncandidates; k++)
        puts(verify_verdict(r, k, verdict));
    printf("\n  against %s\n", r->args->against);
    print_text(r->text, s);
    putchar('\n');
    if (s->ncandidates == 1)
        print_one(s);
    else
        print_several(r);
    for (size_t k = 0; k < s->ncandidates; k++) {
        if (s->ncandidates > 1)
            printf("\n%s\n", r->args->operand.item[k]);
        print_groups("by category", &r->text->categories, s, &s->candidate[k]);
        print_groups("where the original was", &r->confidence, s, &s->candidate[k]);
        print_blame(&s->candidate[k].tensors);
        print_findings(&s->candidate[k].tensors);
        print_layers(s->candidate[k].layer_nmse, s->nlayers);
        if (r->choices)
            choices_print(r, k);
    }
    printf("\n  %s, %s of memory at most", time_text(seconds, s->seconds), size_text(peak, s->peak_nbytes));
    if (s->spilled_nbytes)
        printf(", %s in a file", size_text(peak, s->spilled_nbytes));
    puts(s->resumed ? "; an earlier run was taken up" : "");
}

void perplexity_print(const char *model, const struct score *s, const struct measured *text)
{
    printf("%s: perplexity %.4f +- %.4f (%zu tokens in %zu chunks of %zu%s)\n", model, s->original.value, s->original.stderr_, s->tokens,
           s->chunks, s->context, text->texts.builtin ? ", of the small built-in text" : "");
    for (size_t i = 0; i < text->categories.n; i++) {
        const struct group *g = &text->categories.item[i];
        struct figures f = figures_of(s->token, NULL, g->which, g->n);
        if (!g->n)
            continue;
        fputs("  ", stdout);
        print_cell(g->name, 30);
        printf(" %12.4f +- %.4f (%zu tokens)\n", f.original.value, f.original.stderr_, g->n);
    }
}

/* ---- limits ---- */

int verify_limits(const struct verify_result *r, struct fail *f)
{
    const struct args *a = r->args;

    for (size_t k = 0; k < r->score->ncandidates; k++) {
        const struct figures *g = &r->score->candidate[k].figures;
        double agreement = r->choices ? choices_agreement(r->choices, k + 1, 0, RULE_LETTER, ALL_SUBJECTS).value : 1;
        const struct { bool has; double value, limit; bool least; const char *what, *option; } rows[] = {
            { a->has_max_kld, g->kld.mean, a->max_kld, false, "the mean KL divergence", "--max-kld" },
            { a->has_max_ppl_ratio, g->ratio, a->max_ppl_ratio, false, "the perplexity ratio", "--max-ppl-ratio" },
            { a->has_min_top1, g->top1, a->min_top1, true, "the share of equal most likely tokens", "--min-top1" },
            { a->has_min_choices_agreement, agreement, a->min_choices_agreement, true, "the share of equal answers to the questions",
              "--min-choices-agreement" },
        };
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            if (!rows[i].has || (rows[i].least ? rows[i].value >= rows[i].limit : rows[i].value <= rows[i].limit))
                continue;
            fail(f, FAIL_NO, "%s is %.6g, %s than %s %g", rows[i].what, rows[i].value, rows[i].least ? "less" : "more", rows[i].option,
                 rows[i].limit);
            return r->score->ncandidates > 1 ? fail_in(f, a->operand.item[k]) : -1;
        }
    }
    return 0;
}
