/* verify_encoders.c - verify for encoders: how alike are the sentence vectors of the original and of each candidate? */
#include "tools/verify_encoders.h"

#include "tools/encoders.h"
#include "tools/report.h"
#include "tools/verify_result.h"
#include "verify/texts.h"

#include <string.h>

/* ---- JSON ---- */

static void add_likeness(cJSON *root, const struct likeness *l)
{
    const struct { const char *name; double value; } rows[] = {
        { "mean", l->mean }, { "stderr", l->stderr_ }, { "median", l->median }, { "p10", l->p10 }, { "p01", l->p01 }, { "min", l->least },
    };
    cJSON *cosine = cJSON_AddObjectToObject(root, "cosine");

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cJSON_AddNumberToObject(cosine, rows[i].name, rows[i].value);
    cJSON_AddItemToObject(cosine, "min_line", json_whole(l->least_text + 1));
    cJSON_AddNumberToObject(root, "rank_correlation", l->rank_correlation);
    cJSON_AddItemToObject(root, "pairs", json_whole(l->pairs));
}

static void add_candidate(cJSON *root, const struct encoders_result *r, size_t k)
{
    cJSON_AddItemToObject(root, "bytes", json_whole(model_nbytes(r->models->candidate[k])));
    add_likeness(root, &r->likeness[k]);
    tensors_json(root, &r->tensors[k]);
    blame_json(root, &r->tensors[k]);
    layers_json(root, r->embedded[k + 1].layer_nmse, r->embedded->layers);
}

cJSON *encoders_json(const struct encoders_result *r)
{
    cJSON *root = cJSON_CreateObject(), *list;

    cJSON_AddItemToObject(root, "sentences", json_whole(r->texts.n));
    cJSON_AddItemToObject(root, "tokens", json_whole(r->texts.start[r->texts.n]));
    cJSON_AddItemToObject(root, "context", json_whole(r->longest));
    cJSON_AddItemToObject(root, "embedding_length", json_whole(r->embedded->width));
    cJSON_AddStringToObject(root, "pooling", pooling_name(r->models->original));
    cJSON_AddItemToObject(root, "original_bytes", json_whole(model_nbytes(r->models->original)));
    add_candidate(root, r, 0);
    if (r->models->n > 1) {
        list = cJSON_AddArrayToObject(root, "candidates");
        for (size_t k = 0; k < r->models->n; k++) {
            cJSON *item = cJSON_CreateObject();
            const char *file = r->args->operand.item[k];

            json_add_text(item, "file", file);
            add_candidate(item, r, k);
            cJSON_AddItemToArray(list, item);
        }
    }
    cJSON_AddNumberToObject(root, "seconds", r->seconds);
    cJSON_AddItemToObject(root, "peak_bytes", json_whole(peak_nbytes()));
    return root;
}

/* ---- tables ---- */

static void print_candidate(const struct encoders_result *r, size_t k)
{
    const struct likeness *l = &r->likeness[k];
    char now[SIZE_TEXT], before[SIZE_TEXT];

    printf("%s%s\n  against %s: %s of %s\n\n", k ? "\n" : "", r->args->operand.item[k], r->args->against,
           size_text(now, model_nbytes(r->models->candidate[k])), size_text(before, model_nbytes(r->models->original)));
    printf("  cosine of the sentence vectors %12.6f +- %.6f\n", l->mean, l->stderr_);
    printf("    median / 10 %% / 1 %% / least  %12.6f / %.6f / %.6f / %.6f (line %zu)\n", l->median, l->p10, l->p01, l->least, l->least_text + 1);
    printf("  rank correlation of all pairs  %12.6f\n", l->rank_correlation);
    print_blame(&r->tensors[k]);
    print_findings(&r->tensors[k]);
    print_layers(r->embedded[k + 1].layer_nmse, r->embedded->layers);
}

static void print_result(const struct encoders_result *r)
{
    char seconds[SIZE_TEXT], peak[SIZE_TEXT];

    for (size_t k = 0; k < r->models->n; k++)
        print_candidate(r, k);
    printf("\n  %zu lines%s, %zu tokens; %zu pairs\n  %s, %s of memory at most\n", r->texts.n, r->builtin ? " of the built-in text" : "", r->texts.start[r->texts.n], r->likeness->pairs,
           time_text(seconds, r->seconds), size_text(peak, peak_nbytes()));
}

/* ---- verify ---- */

static int check_options(const struct args *a, struct fail *f)
{
    const struct { bool given; const char *option; } decoders[] = {
        { a->has_max_kld, "max-kld" }, { a->has_max_ppl_ratio, "max-ppl-ratio" }, { a->has_min_top1, "min-top1" }, { a->choices, "choices" },
    };

    for (size_t i = 0; i < sizeof decoders / sizeof *decoders; i++)
        if (decoders[i].given) {
            fail(f, FAIL_USAGE, "--%s has no meaning for an encoder, which predicts no next token", decoders[i].option);
            return fail_hint(f, "--min-cosine and --min-rank-correlation do");
        }
    return 0;
}

static int check_candidates(const struct score_models *models, struct fail *f)
{
    for (size_t k = 0; k < models->n; k++)
        if (!encoder_is(models->candidate[k]))
            return fail(f, FAIL_INPUT, "the original is an encoder, and this is none"), fail_in(f, models->candidate[k]->path);
    return 0;
}

static int check_limits(const struct encoders_result *r, struct fail *f)
{
    const struct args *a = r->args;

    for (size_t k = 0; k < r->models->n; k++) {
        const struct likeness *l = &r->likeness[k];

        if (a->has_min_cosine && !(l->mean >= a->min_cosine))
            fail(f, FAIL_NO, "the mean cosine of the sentence vectors is %.9g, less than --min-cosine %g", l->mean, a->min_cosine);
        else if (a->has_min_rank_correlation && !(l->rank_correlation >= a->min_rank_correlation))
            fail(f, FAIL_NO, "the rank correlation of all pairs is %.9g, less than --min-rank-correlation %g", l->rank_correlation,
                 a->min_rank_correlation);
        if (failed(f))
            return r->models->n > 1 ? fail_in(f, a->operand.item[k]) : -1;
    }
    return 0;
}

static int measure(struct args *a, struct encoders_result *r, struct fail *f)
{
    const struct score_models *models = r->models;
    struct meter meter;
    struct embed_options options = { .progress = meter_steps, .ctx = &meter };
    struct model **model = arena_array(&a->arena, struct model *, models->n + 1);
    int bad;

    model[0] = models->original;
    memcpy(model + 1, models->candidate, models->n * sizeof *model);
    r->embedded = arena_array(&a->arena, struct embedded, models->n + 1);
    r->likeness = arena_array(&a->arena, struct likeness, models->n);
    r->tensors = arena_array(&a->arena, struct tensor_errors, models->n);
    meter_start(&meter, a, "verifying");
    bad = weights_compare(models->original, models->candidate, models->n, NULL, NULL, &a->arena, r->tensors, f) != 0 ||
          embed_run(model, models->n + 1, &r->texts, &options, &a->arena, r->embedded, f) != 0;
    meter_end(&meter);
    for (size_t k = 0; k < models->n && !bad; k++)
        r->likeness[k] = likeness_of(r->embedded[0].vector, r->embedded[k + 1].vector, r->texts.n, r->embedded[0].width, &a->arena);
    return bad ? -1 : 0;
}

/* A plain text as it is; of others, JSONL and the built-in one, the lines that are not empty. */
static int read_lines(struct args *a, struct encoders_result *r, struct vocab *found, struct fail *f)
{
    struct texts texts;
    char *text = NULL;
    size_t n = 0, cap = 0;

    if (texts_read(&texts, a->text, &a->arena, f) != 0)
        return -1;
    r->builtin = texts.builtin;
    for (size_t i = 0; i < texts.n; i++) {
        const char *part = texts.part[i].text;
        size_t nbytes = texts.part[i].nbytes;

        text = arena_grow(&a->arena, text, &cap, n + nbytes + 2, 1);
        for (size_t k = 0; k < nbytes; k++)
            if (texts.plain || part[k] != '\n' || (n && text[n - 1] != '\n'))
                text[n++] = part[k];
        if (!texts.plain && n && text[n - 1] != '\n')
            text[n++] = '\n';
    }
    return sentences_of(a, r->models->original, found, text ? text : "", n, &r->texts, &r->longest, f);
}

int verify_encoders(struct args *a, const struct score_models *models, struct vocab *found, struct fail *f)
{
    struct encoders_result r = { .args = a, .models = models };
    double start = seconds_now();
    int bad = 0;

    if (check_options(a, f) != 0 || check_candidates(models, f) != 0 || read_lines(a, &r, found, f) != 0 || measure(a, &r, f) != 0)
        return -1;
    r.seconds = seconds_now() - start;
    if (a->report && report_encoders(&r, f))
        return -1;
    if (a->json)
        bad = json_print(encoders_json(&r), f);
    else if (!a->quiet) {
        print_result(&r);
        bad = stdout_done(f);
    }
    return bad ? bad : check_limits(&r, f);
}
