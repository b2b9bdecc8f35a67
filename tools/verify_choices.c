/* verify_choices.c - what the questions showed: JSON and tables. */
#include "tools/verify_result.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* ---- JSON ---- */

static void add_share(cJSON *root, const char *name, struct share s)
{
    cJSON *item = cJSON_AddObjectToObject(root, name);

    cJSON_AddNumberToObject(item, "accuracy", s.value);
    cJSON_AddNumberToObject(item, "low", s.low);
    cJSON_AddNumberToObject(item, "high", s.high);
}

static void add_shares(cJSON *root, const struct choices *c, size_t model, enum choices_rule rule, long subject)
{
    add_share(root, "original", choices_accuracy(c, 0, rule, subject));
    add_share(root, "candidate", choices_accuracy(c, model, rule, subject));
    cJSON_AddNumberToObject(root, "agreement", choices_agreement(c, model, 0, rule, subject).value);
}

static cJSON *letter(size_t k)
{
    return cJSON_CreateString((const char[2]){ (char)('A' + (int)k) });
}

static cJSON *question_json(const struct choices *c, size_t i)
{
    const struct question *q = &c->questions->list.item[i];
    const char *subject = c->questions->subject[q->subject].name;
    cJSON *item = cJSON_CreateObject();

    json_add_text(item, "subject", subject);
    json_add_text(item, "file", q->file);
    cJSON_AddItemToObject(item, "line", json_whole(q->line));
    cJSON_AddItemToObject(item, "answer", letter(q->answer));
    return item;
}

static void add_flips(cJSON *root, const struct choices *c, size_t model, enum choices_rule rule)
{
    struct flips flips = choices_flips(c, model, rule);
    cJSON *changed = cJSON_AddObjectToObject(root, "changed"), *list = cJSON_AddArrayToObject(root, "flips");

    cJSON_AddItemToObject(changed, "lost", json_whole(flips.lost));
    cJSON_AddItemToObject(changed, "won", json_whole(flips.won));
    cJSON_AddItemToObject(changed, "other", json_whole(flips.other));
    for (size_t i = 0; i < c->n; i++) {
        size_t before = c->said[0][rule].pick[i], now = c->said[model][rule].pick[i];
        const char *text = c->questions->list.item[i].text;
        cJSON *item;
        if (c->left_out[i] || before == now)
            continue;
        item = question_json(c, i);
        cJSON_AddItemToObject(item, "original", letter(before));
        cJSON_AddItemToObject(item, "candidate", letter(now));
        json_add_text(item, "question", text);
        cJSON_AddItemToArray(list, item);
    }
}

static cJSON *rule_json(const struct choices *c, size_t model, enum choices_rule rule)
{
    cJSON *root = cJSON_CreateObject(), *list;

    cJSON_AddStringToObject(root, "name", choices_rule_name(rule));
    cJSON_AddStringToObject(root, "about", choices_rule_about(rule));
    add_shares(root, c, model, rule, ALL_SUBJECTS);
    list = cJSON_AddArrayToObject(root, "subjects");
    for (size_t s = 0; s < c->questions->nsubjects; s++) {
        const char *name = c->questions->subject[s].name;
        size_t n = choices_accuracy(c, 0, rule, (long)s).n;
        cJSON *item;
        if (!n)
            continue;
        item = cJSON_CreateObject();
        json_add_text(item, "name", name);
        cJSON_AddItemToObject(item, "questions", json_whole(n));
        add_shares(item, c, model, rule, (long)s);
        cJSON_AddItemToArray(list, item);
    }
    add_flips(root, c, model, rule);
    return root;
}

/* Natural logarithms; null: the option has no tokens. */
static void add_logliks(cJSON *root, const char *name, const struct choices *c, size_t model, enum choices_rule rule, size_t i)
{
    cJSON *list = cJSON_AddArrayToObject(root, name);

    for (size_t k = c->first[i]; k < c->first[i + 1]; k++)
        cJSON_AddItemToArray(list, cJSON_CreateNumber(c->said[model][rule].loglik[k]));
}

static cJSON *items_json(const struct choices *c, size_t model)
{
    cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; i < c->n; i++) {
        cJSON *item = question_json(c, i);

        cJSON_AddItemToObject(item, "shots", json_whole(c->shots[i]));
        for (size_t r = 0; r < RULES && !c->left_out[i]; r++) {
            cJSON *said = cJSON_AddObjectToObject(item, choices_rule_name((enum choices_rule)r));
            add_logliks(said, "original", c, 0, (enum choices_rule)r, i);
            add_logliks(said, "candidate", c, model, (enum choices_rule)r, i);
        }
        cJSON_AddBoolToObject(item, "left_out", c->left_out[i]);
        cJSON_AddItemToArray(list, item);
    }
    return list;
}

void choices_json(cJSON *candidate, const struct choices *c, size_t k)
{
    cJSON *root = cJSON_AddObjectToObject(candidate, "choices"), *rules;
    size_t model = k + 1;

    cJSON_AddItemToObject(root, "questions", json_whole(c->asked));
    cJSON_AddItemToObject(root, "left_out", json_whole(c->n - c->asked));
    cJSON_AddItemToObject(root, "shots", json_whole(c->most_shots));
    cJSON_AddItemToObject(root, "tokens", json_whole(c->tokens));
    cJSON_AddItemToObject(root, "tokens_one_by_one", json_whole(c->written_out));
    cJSON_AddStringToObject(root, "rule", choices_rule_name(RULE_LETTER));
    cJSON_AddNumberToObject(root, "original_accuracy", choices_accuracy(c, 0, RULE_LETTER, ALL_SUBJECTS).value);
    cJSON_AddNumberToObject(root, "candidate_accuracy", choices_accuracy(c, model, RULE_LETTER, ALL_SUBJECTS).value);
    cJSON_AddNumberToObject(root, "agreement", choices_agreement(c, model, 0, RULE_LETTER, ALL_SUBJECTS).value);
    rules = cJSON_AddArrayToObject(root, "rules");
    for (size_t r = 0; r < RULES; r++)
        cJSON_AddItemToArray(rules, rule_json(c, model, (enum choices_rule)r));
    cJSON_AddItemToObject(root, "items", items_json(c, model));
}

/* ---- text ---- */

static void print_share(struct share s)
{
    printf(" %5.1f %% (%4.1f-%5.1f)", 100 * s.value, 100 * s.low, 100 * s.high);
}

static void print_row(const struct choices *c, size_t model, enum choices_rule rule, long subject)
{
    print_share(choices_accuracy(c, 0, rule, subject));
    print_share(choices_accuracy(c, model, rule, subject));
    printf("  %5.1f %%\n", 100 * choices_agreement(c, model, 0, rule, subject).value);
}

static void print_subjects(const struct choices *c, size_t model)
{
    size_t n = 0;

    for (size_t s = 0; s < c->questions->nsubjects; s++)
        n += c->questions->subject[s].n > 0;
    for (size_t s = 0; s < c->questions->nsubjects && n > 1; s++) {
        struct share all = choices_accuracy(c, 0, RULE_LETTER, (long)s);
        if (!all.n)
            continue;
        fputs("    ", stdout);
        print_cell(c->questions->subject[s].name, 21);
        printf("%5zu", all.n);
        print_row(c, model, RULE_LETTER, (long)s);
    }
}

/* "line 14: B to C (B is right): Which of ..." */
static void print_flips(const struct verify_result *r, size_t model)
{
    enum { SHOWN = 8, COLUMNS = 80 };
    const struct choices *c = r->choices;
    struct flips flips = choices_flips(c, model, RULE_LETTER);
    size_t all = flips.lost + flips.won + flips.other, shown = 0;
    char head[64];

    if (!all)
        return;
    printf("\n  %zu letter%s changed: %zu right before, %zu right now, %zu wrong both times\n", all, all == 1 ? "" : "s", flips.lost,
           flips.won, flips.other);
    for (size_t i = 0; i < c->n && (r->args->verbose || shown < SHOWN); i++) {
        const struct question *q = &c->questions->list.item[i];
        size_t before = c->said[0][RULE_LETTER].pick[i], now = c->said[model][RULE_LETTER].pick[i];
        if (c->left_out[i] || before == now)
            continue;
        fputs("    ", stdout);
        print_cell(c->questions->subject[q->subject].name, 21);
        snprintf(head, sizeof head, " line %zu: %c to %c (%c is right): ", q->line, (char)('A' + before), (char)('A' + now),
                 (char)('A' + q->answer));
        fputs(head, stdout);
        print_last(q->text, COLUMNS - 25 - (int)strlen(head));
        putchar('\n');
        shown++;
    }
    if (shown < all)
        printf("    ... and %zu more: --verbose lists them all\n", all - shown);
}

/* Questions that were not put as asked for, the first few by name. */
static void print_shortened(const struct verify_result *r)
{
    enum { SHOWN = 3 };
    const struct choices *c = r->choices;
    size_t shortened = 0, shown = 0;

    for (size_t i = 0; i < c->n; i++) {
        const struct question *q = &c->questions->list.item[i];
        size_t had = c->questions->subject[q->subject].shots.n, wanted = had < c->most_shots ? had : c->most_shots;
        if (c->shots[i] == wanted && !c->left_out[i])
            continue;
        if (!shortened++)
            printf("\n  too long for the model's %zu tokens:\n", c->context);
        if (!r->args->verbose && shown >= SHOWN)
            continue;
        shown++;
        fputs("    ", stdout);
        print_cell(c->questions->subject[q->subject].name, 21);
        if (c->left_out[i])
            printf(" line %zu: left out\n", q->line);
        else
            printf(" line %zu: %zu worked examples instead of %zu\n", q->line, c->shots[i], wanted);
    }
    if (shown < shortened)
        printf("    ... and %zu more: --verbose lists them all\n", shortened - shown);
}

void choices_print(const struct verify_result *r, size_t k)
{
    const struct choices *c = r->choices;
    size_t model = k + 1, most = 0;

    for (size_t i = 0; i < c->n; i++)
        most = c->shots[i] > most ? c->shots[i] : most;
    printf("\n  %zu question%s, ", c->asked, c->asked == 1 ? "" : "s");
    printf(most ? "up to %zu worked example%s before each\n" : "no worked examples\n", most, most == 1 ? "" : "s");
    printf("  %-28s %-21s%-20s %s\n", "right (95 % interval)", "      original", "     candidate", "same answer");
    printf("  %-28s", "letter after \"Answer:\"");
    print_row(c, model, RULE_LETTER, ALL_SUBJECTS);
    print_subjects(c, model);
    printf("  %-28s", "option text, per byte");
    print_row(c, model, RULE_OPTION, ALL_SUBJECTS);
    print_flips(r, model);
    print_shortened(r);
}
