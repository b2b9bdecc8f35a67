/* verify_json.c - verify's result as one JSON document. */
#include "tools/verify_result.h"

#include "verify/blame.h"

#include <string.h>

static cJSON *add_perplexity(cJSON *root, const char *name, struct perplexity p)
{
    cJSON *item = cJSON_AddObjectToObject(root, name);

    cJSON_AddNumberToObject(item, "perplexity", p.value);
    cJSON_AddNumberToObject(item, "stderr", p.stderr_);
    return item;
}

static void add_kld(cJSON *root, const struct divergences *d)
{
    cJSON *kld = cJSON_AddObjectToObject(root, "kld");
    const struct { const char *name; double value; } rows[] = {
        { "mean", d->mean }, { "stderr", d->stderr_ }, { "median", d->median }, { "p90", d->p90 }, { "p99", d->p99 },
        { "p999", d->p999 }, { "max", d->max },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cJSON_AddNumberToObject(kld, rows[i].name, rows[i].value);
}

static cJSON *counts_json(const struct score *s, const struct measured *text)
{
    const char *kind = text->texts.builtin ? "built-in" : text->texts.plain ? "plain" : "jsonl";
    cJSON *root = cJSON_CreateObject();

    cJSON_AddStringToObject(root, "text", kind);
    cJSON_AddItemToObject(root, "tokens", json_whole(s->tokens));
    cJSON_AddItemToObject(root, "context", json_whole(s->context));
    cJSON_AddItemToObject(root, "chunks", json_whole(s->chunks));
    add_perplexity(root, "original", s->original);
    return root;
}

static void cost_json(cJSON *root, const struct score *s)
{
    cJSON_AddNumberToObject(root, "seconds", s->seconds);
    cJSON_AddItemToObject(root, "peak_bytes", json_whole(s->peak_nbytes));
    cJSON_AddItemToObject(root, "spilled_bytes", json_whole(s->spilled_nbytes));
    cJSON_AddBoolToObject(root, "resumed", s->resumed);
    cJSON_AddStringToObject(root, "products", s->fast ? "bfloat16" : "float32");
}

static void add_figures(cJSON *root, const struct figures *g)
{
    add_perplexity(root, "candidate", g->candidate);
    cJSON_AddNumberToObject(root, "perplexity_ratio", g->ratio);
    cJSON_AddNumberToObject(root, "perplexity_ratio_stderr", g->ratio_stderr);
    add_kld(root, &g->kld);
    cJSON_AddNumberToObject(root, "top1_agreement", g->top1);
    cJSON_AddNumberToObject(root, "rms_delta_p", g->rms_delta_p);
}

/* Figures of the tokens of each group that has any. */
static void add_groups(cJSON *root, const char *name, const struct groups *groups, const struct score *s, const struct candidate_score *c)
{
    cJSON *list = cJSON_AddArrayToObject(root, name);

    for (size_t i = 0; i < groups->n; i++) {
        const struct group *g = &groups->item[i];
        struct figures figures = figures_of(s->token, c ? c->token : NULL, g->which, g->n);
        cJSON *item;
        if (!g->n)
            continue;
        item = cJSON_CreateObject();
        json_add_text(item, "name", g->name);
        cJSON_AddItemToObject(item, "tokens", json_whole(g->n));
        add_perplexity(item, "original", figures.original);
        if (c)
            add_figures(item, &figures);
        cJSON_AddItemToArray(list, item);
    }
}

static void add_findings(cJSON *item, const char *name, const struct findings *found)
{
    cJSON *object;

    if (!(found->nan | found->inf | found->zero_rows))
        return;
    object = cJSON_AddObjectToObject(item, name);
    cJSON_AddItemToObject(object, "nan", json_whole(found->nan));
    cJSON_AddItemToObject(object, "inf", json_whole(found->inf));
    cJSON_AddItemToObject(object, "zero_rows", json_whole(found->zero_rows));
}

static cJSON *tensor_json(const struct tensor_error *t)
{
    cJSON *item = cJSON_CreateObject(), *worst;

    json_add_text(item, "name", t->name);
    cJSON_AddStringToObject(item, "type", t->type);
    cJSON_AddNumberToObject(item, "rmse", t->rmse);
    cJSON_AddNumberToObject(item, "nmse", t->nmse);
    cJSON_AddNumberToObject(item, "cosine", t->cosine);
    cJSON_AddItemToObject(item, "bytes", json_whole(tensor_bytes(t->tensor)));
    if (t->seen)
        cJSON_AddNumberToObject(item, "product_nmse", t->product);
    cJSON_AddNumberToObject(item, "reach", t->reach);
    worst = cJSON_AddObjectToObject(item, "worst_block");
    cJSON_AddItemToObject(worst, "index", json_whole(t->worst.index));
    cJSON_AddItemToObject(worst, "row", json_whole(t->worst.row));
    cJSON_AddNumberToObject(worst, "rmse", t->worst.rmse);
    add_findings(item, "original_findings", &t->original);
    add_findings(item, "candidate_findings", &t->candidate);
    return item;
}

void tensors_json(cJSON *root, const struct tensor_errors *tensors)
{
    cJSON *list = cJSON_AddArrayToObject(root, "tensors"), *findings = cJSON_AddArrayToObject(root, "findings");
    char words[FINDING_TEXT];

    for (size_t i = 0; i < tensors->n; i++) {
        const struct tensor_error *t = &tensors->item[i];
        cJSON *item;

        cJSON_AddItemToArray(list, tensor_json(t));
        if (!*finding_words(t, words))
            continue;
        item = cJSON_CreateObject();
        json_add_text(item, "name", t->name);
        cJSON_AddStringToObject(item, "finding", words);
        cJSON_AddItemToArray(findings, item);
    }
}

void blame_json(cJSON *root, const struct tensor_errors *tensors)
{
    struct arena tmp = {0};
    struct blame blame = blame_of(tensors, &tmp);
    struct remedy remedy = blame_remedy(&blame);
    cJSON *object = cJSON_AddObjectToObject(root, "blame"), *list, *cure;

    cJSON_AddStringToObject(object, "method", blame.by_inputs ? "energy of each product's error, from squared inputs, times its layer's share in the hidden state" : "energy of the weights' error");
    list = cJSON_AddArrayToObject(object, "tensors");
    for (size_t i = 0; i < blame.n; i++) {
        const struct culprit *c = &blame.item[i];
        cJSON *item = cJSON_CreateObject();

        json_add_text(item, "name", c->error->name);
        cJSON_AddNumberToObject(item, "part", c->part);
        if (c->better) {
            cJSON_AddStringToObject(item, "better", c->better->label);
            cJSON_AddItemToObject(item, "extra_bytes", json_whole(c->extra_nbytes));
        }
        cJSON_AddItemToArray(list, item);
    }
    cure = cJSON_AddObjectToObject(object, "remedy");
    cJSON_AddItemToObject(cure, "tensors", json_whole(remedy.n));
    cJSON_AddNumberToObject(cure, "part", remedy.part);
    cJSON_AddItemToObject(cure, "extra_bytes", json_whole(remedy.extra_nbytes));
    arena_release(&tmp);
}

void layers_json(cJSON *root, const double *nmse, size_t n)
{
    cJSON *list = cJSON_AddArrayToObject(root, "layers");

    for (size_t i = 0; i < n; i++) {
        cJSON *item = cJSON_CreateObject();

        cJSON_AddItemToObject(item, "index", json_whole(i));
        cJSON_AddNumberToObject(item, "nmse", nmse[i]);
        cJSON_AddItemToArray(list, item);
    }
}

static void add_candidate(cJSON *root, const struct verify_result *r, size_t k)
{
    const struct candidate_score *c = &r->score->candidate[k];
    char verdict[VERDICT_TEXT];

    add_figures(root, &c->figures);
    cJSON_AddItemToObject(cJSON_GetObjectItem(root, "candidate"), "bytes", json_whole(model_nbytes(r->models->candidate[k])));
    add_groups(root, "confidence", &r->confidence, r->score, c);
    if (r->text->categories.n)
        add_groups(root, "categories", &r->text->categories, r->score, c);
    tensors_json(root, &c->tensors);
    blame_json(root, &c->tensors);
    layers_json(root, c->layer_nmse, r->score->nlayers);
    if (r->choices)
        choices_json(root, r->choices, k);
    verify_verdict(r, k, verdict);
    json_add_text(root, "verdict", verdict);
}

cJSON *verify_json(const struct verify_result *r)
{
    cJSON *root = counts_json(r->score, r->text), *list;

    cJSON_AddItemToObject(cJSON_GetObjectItem(root, "original"), "bytes", json_whole(model_nbytes(r->models->original)));
    add_candidate(root, r, 0);
    if (r->score->ncandidates > 1) {
        list = cJSON_AddArrayToObject(root, "candidates");
        for (size_t k = 0; k < r->score->ncandidates; k++) {
            cJSON *item = cJSON_CreateObject();
            const char *file = r->args->operand.item[k];

            json_add_text(item, "file", file);
            add_candidate(item, r, k);
            cJSON_AddItemToArray(list, item);
        }
    }
    cost_json(root, r->score);
    return root;
}

cJSON *perplexity_json(const struct score *s, const struct measured *text)
{
    cJSON *root = counts_json(s, text);

    if (text->categories.n)
        add_groups(root, "categories", &text->categories, s, NULL);
    cost_json(root, s);
    return root;
}
