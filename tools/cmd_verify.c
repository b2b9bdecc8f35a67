/* cmd_verify.c - verify, perplexity, logits: what did quantizing cost? */
#include "formats/file.h"
#include "tools/canonical.h"
#include "tools/commands.h"
#include "tools/report.h"
#include "verify/score.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- figures ---- */

static void add_perplexity(cJSON *root, const char *name, struct perplexity p)
{
    cJSON *item = cJSON_AddObjectToObject(root, name);

    cJSON_AddNumberToObject(item, "perplexity", p.value);
    cJSON_AddNumberToObject(item, "stderr", p.stderr_);
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

static cJSON *counts_json(const struct score *s)
{
    cJSON *root = cJSON_CreateObject();

    cJSON_AddItemToObject(root, "tokens", json_whole(s->tokens));
    cJSON_AddItemToObject(root, "context", json_whole(s->context));
    cJSON_AddItemToObject(root, "chunks", json_whole(s->chunks));
    add_perplexity(root, "original", s->original);
    return root;
}

static void add_cost(cJSON *root, const struct score *s)
{
    cJSON_AddNumberToObject(root, "seconds", s->seconds);
    cJSON_AddItemToObject(root, "peak_bytes", json_whole(s->peak_nbytes));
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

static void add_candidate(cJSON *root, const struct score *s, const struct candidate_score *c)
{
    cJSON *list;

    add_figures(root, &c->figures);
    list = cJSON_AddArrayToObject(root, "tensors");
    for (size_t i = 0; i < c->tensors.n; i++) {
        const struct tensor_error *t = &c->tensors.item[i];
        cJSON *item = cJSON_CreateObject();

        cJSON_AddItemToObject(item, "name", json_text(t->name, strlen(t->name)));
        cJSON_AddStringToObject(item, "type", t->type);
        cJSON_AddNumberToObject(item, "rmse", t->rmse);
        cJSON_AddNumberToObject(item, "nmse", t->nmse);
        cJSON_AddNumberToObject(item, "cosine", t->cosine);
        cJSON_AddItemToArray(list, item);
    }
    list = cJSON_AddArrayToObject(root, "layers");
    for (size_t i = 0; i < s->nlayers; i++) {
        cJSON *item = cJSON_CreateObject();

        cJSON_AddItemToObject(item, "index", json_whole(i));
        cJSON_AddNumberToObject(item, "nmse", c->layer_nmse[i]);
        cJSON_AddItemToArray(list, item);
    }
}

/* The first candidate's keys stand at the top, so that a script for one candidate reads the report of several. */
static cJSON *score_json(const struct args *a, const struct score *s)
{
    cJSON *root = counts_json(s), *list;

    add_candidate(root, s, &s->candidate[0]);
    if (s->ncandidates > 1) {
        list = cJSON_AddArrayToObject(root, "candidates");
        for (size_t k = 0; k < s->ncandidates; k++) {
            cJSON *item = cJSON_CreateObject();
            const char *file = a->operand.item[k];

            cJSON_AddItemToObject(item, "file", json_text(file, strlen(file)));
            add_candidate(item, s, &s->candidate[k]);
            cJSON_AddItemToArray(list, item);
        }
    }
    add_cost(root, s);
    return root;
}

static int worse(const void *a, const void *b)
{
    double x = ((const struct tensor_error *)a)->nmse, y = ((const struct tensor_error *)b)->nmse;

    return (x < y) - (x > y);
}

static void print_worst(const struct candidate_score *c)
{
    enum { SHOWN = 5 };
    struct arena tmp = {0};
    size_t n = c->tensors.n;
    struct tensor_error *worst = arena_array(&tmp, struct tensor_error, n);

    memcpy(worst, c->tensors.item, n * sizeof *worst);
    qsort(worst, n, sizeof *worst, worse);
    if (n && worst[0].nmse > 0)
        printf("\n  tensors that lost most                     type        rmse        nmse    cosine\n");
    for (size_t i = 0; i < n && i < SHOWN && worst[i].nmse > 0; i++) {
        fputs("  ", stdout);
        print_cell(worst[i].name, 42);
        printf(" %-7s %8.3g    %8.3g %9.6f\n", worst[i].type, worst[i].rmse, worst[i].nmse, worst[i].cosine);
    }
    arena_release(&tmp);
}

/* A bar per layer, scaled to the worst one: where along the model the error grows. */
static void print_layers(const struct score *s, const struct candidate_score *c)
{
    static const char *const bars[] = { "\u2581", "\u2582", "\u2583", "\u2584", "\u2585", "\u2586", "\u2587", "\u2588" };
    double most = 0;

    for (size_t i = 0; i < s->nlayers; i++)
        most = c->layer_nmse[i] > most ? c->layer_nmse[i] : most;
    if (!(most > 0))
        return;
    printf("\n  error of the hidden state, first layer to last (worst: nmse %.3g)\n  ", most);
    for (size_t i = 0; i < s->nlayers; i++)
        fputs(bars[(int)(7 * c->layer_nmse[i] / most)], stdout);
    putchar('\n');
}

static void print_one(const struct score *s)
{
    const struct figures *g = &s->candidate->figures;

    printf("  perplexity, candidate          %12.4f +- %.4f\n", g->candidate.value, g->candidate.stderr_);
    printf("  ratio                          %12.6f +- %.6f\n", g->ratio, g->ratio_stderr);
    printf("  KL divergence, mean            %12.6f +- %.6f\n", g->kld.mean, g->kld.stderr_);
    printf("    median / 90 %% / 99 %% / max   %12.6f / %.6f / %.6f / %.6f\n", g->kld.median, g->kld.p90, g->kld.p99, g->kld.max);
    printf("  same most likely next token    %12.3f %%\n", 100 * g->top1);
    printf("  RMS change of the probability  %12.3f %%\n", 100 * g->rms_delta_p);
}

static void print_several(const struct args *a, const struct score *s)
{
    printf("\n  %-30s %11s %9s %9s %9s %9s %8s %8s\n", "candidate", "perplexity", "ratio", "KLD mean", "KLD 99 %", "KLD max",
           "same top", "RMS dp");
    for (size_t k = 0; k < s->ncandidates; k++) {
        const struct figures *g = &s->candidate[k].figures;

        fputs("  ", stdout);
        print_cell(a->operand.item[k], 30);
        printf(" %11.4f %9.5f %9.6f %9.5f %9.4f %7.3f%% %7.3f%%\n", g->candidate.value, g->ratio, g->kld.mean, g->kld.p99,
               g->kld.max, 100 * g->top1, 100 * g->rms_delta_p);
    }
}

static void print_score(const struct args *a, const struct score *s)
{
    char seconds[SIZE_TEXT], peak[SIZE_TEXT];

    if (s->ncandidates == 1)
        printf("%s against %s\n", a->operand.item[0], a->against);
    else
        printf("%zu candidates against %s\n", s->ncandidates, a->against);
    printf("  %zu tokens scored in %zu chunks of %zu\n\n", s->tokens, s->chunks, s->context);
    printf("  perplexity, original           %12.4f +- %.4f\n", s->original.value, s->original.stderr_);
    if (s->ncandidates == 1)
        print_one(s);
    else
        print_several(a, s);
    for (size_t k = 0; k < s->ncandidates; k++) {
        if (s->ncandidates > 1)
            printf("\n%s\n", a->operand.item[k]);
        print_worst(&s->candidate[k]);
        print_layers(s, &s->candidate[k]);
    }
    printf("\n  %s, %s of memory at most\n", time_text(seconds, s->seconds), size_text(peak, s->peak_nbytes));
}

/* ---- verify ---- */

static int check_thresholds(const struct args *a, const struct score *s, struct fail *f)
{
    for (size_t k = 0; k < s->ncandidates; k++) {
        const struct figures *g = &s->candidate[k].figures;
        int bad = 0;

        if (a->has_max_kld && !(g->kld.mean <= a->max_kld))
            bad = fail(f, FAIL_NO, "the mean KL divergence is %.6g, more than --max-kld %g", g->kld.mean, a->max_kld);
        else if (a->has_max_ppl_ratio && !(g->ratio <= a->max_ppl_ratio))
            bad = fail(f, FAIL_NO, "the perplexity ratio is %.6g, more than --max-ppl-ratio %g", g->ratio, a->max_ppl_ratio);
        if (bad)
            return s->ncandidates > 1 ? fail_in(f, a->operand.item[k]) : bad;
    }
    return 0;
}

static int verify(struct args *a, const struct score_models *models, struct vocab *found, struct fail *f)
{
    struct meter meter;
    struct score_options options = { .context = a->context, .chunks = a->chunks, .progress = meter_steps, .ctx = &meter };
    struct score s = {0};
    struct vocab *v = canonical_vocab(models->original, found, f);
    size_t nbytes;
    char *text = v ? read_text(a, &nbytes, f) : NULL;
    int bad;

    if (!text)
        return -1;
    meter_start(&meter, a, "verifying");
    bad = score_text(models, v, text, nbytes, &options, &a->arena, &s, f);
    meter_end(&meter);
    if (bad)
        return -1;
    if (a->json)
        bad = json_print(score_json(a, &s), f);
    else if (!a->quiet) {
        print_score(a, &s);
        bad = stdout_done(f);
    }
    return bad ? bad : check_thresholds(a, &s, f);
}

static int run_verify(struct args *a, struct fail *f)
{
    struct model **candidate = arena_array(&a->arena, struct model *, a->operand.n);
    struct score_models models = { .candidate = candidate };
    struct vocab *found = NULL;
    int bad = -1;

    if (!a->against)
        return fail(f, FAIL_USAGE, "'verify' needs --against ORIGINAL"), fail_hint(f, "the model that was converted or quantized");
    if (needs_text(a, "verify", f))
        return -1;
    models.original = canonical_open(a, a->against, &found, f);
    while (models.original && models.n < a->operand.n && (candidate[models.n] = canonical_open(a, a->operand.item[models.n], NULL, f)))
        models.n++;
    if (models.original && models.n == a->operand.n)
        bad = verify(a, &models, found, f);
    for (size_t k = 0; k < models.n; k++)
        model_close(candidate[k]);
    model_close(models.original);
    return bad;
}

static const char *const verify_options[] = {
    "against", "text", "context", "chunks", "max-kld", "max-ppl-ratio", "ignore-key", NULL
};

const struct command command_verify = {
    .name = "verify", .operands = "CANDIDATE...", .about = "what quantizing cost: models side by side on a text",
    .detail = "Runs each CANDIDATE and ORIGINAL in step, layer by layer, on the text: perplexity, KL divergence over the whole vocabulary,\n"
              "agreement, and the error of every tensor and layer. Chunks, BOS and the scored half are llama-perplexity's. No file of\n"
              "logits is stored, and memory holds one layer of each model. A model against itself gives exactly 0.",
    .options = verify_options, .min_operands = 1, .max_operands = SIZE_MAX, .run = run_verify
};

/* ---- perplexity ---- */

static int perplexity(struct args *a, struct model *m, struct vocab *found, struct fail *f)
{
    struct meter meter;
    struct score_options options = { .context = a->context, .chunks = a->chunks, .progress = meter_steps, .ctx = &meter };
    struct score_models models = { .original = m };
    struct score s = {0};
    struct vocab *v = canonical_vocab(m, found, f);
    size_t nbytes;
    char *text = v ? read_text(a, &nbytes, f) : NULL;
    cJSON *root;
    int bad;

    if (!text)
        return -1;
    meter_start(&meter, a, "measuring");
    bad = score_text(&models, v, text, nbytes, &options, &a->arena, &s, f);
    meter_end(&meter);
    if (bad)
        return -1;
    if (a->json) {
        root = counts_json(&s);
        add_cost(root, &s);
        return json_print(root, f);
    }
    if (a->quiet)
        return 0;
    printf("%s: perplexity %.4f +- %.4f (%zu tokens in %zu chunks of %zu)\n", a->operand.item[0], s.original.value,
           s.original.stderr_, s.tokens, s.chunks, s.context);
    return stdout_done(f);
}

static int run_perplexity(struct args *a, struct fail *f)
{
    struct vocab *found = NULL;
    struct model *m;
    int bad = -1;

    if (needs_text(a, "perplexity", f))
        return -1;
    if ((m = canonical_open(a, a->operand.item[0], &found, f)))
        bad = perplexity(a, m, found, f);
    model_close(m);
    return bad;
}

static const char *const perplexity_options[] = { "text", "context", "chunks", "ignore-key", NULL };

const struct command command_perplexity = {
    .name = "perplexity", .operands = "MODEL", .about = "one model alone on a text",
    .detail = "Prints the perplexity of MODEL on the text, with chunks, BOS and the scored half as llama-perplexity has them.",
    .options = perplexity_options, .min_operands = 1, .max_operands = 1, .run = run_perplexity
};

/* ---- logits ---- */

static int parse_tokens(const char *text, struct arena *a, int32_t **ids, size_t *n, struct fail *f)
{
    size_t most = 1;

    for (const char *p = text; *p; p++)
        most += *p == ',';
    *ids = arena_array(a, int32_t, most);
    for (*n = 0; *n < most; ++*n) {
        char *end;
        long id = strtol(text, &end, 10);

        if (end == text || id < 0 || id > INT32_MAX || (*end != ',' && *end))
            return fail(f, FAIL_USAGE, "--tokens wants token ids separated by commas, not '%s'", text);
        (*ids)[*n] = (int32_t)id;
        text = *end ? end + 1 : end;
    }
    return 0;
}

static int logits_json(const struct args *a, size_t n, size_t width, struct fail *f)
{
    cJSON *root = cJSON_CreateObject();

    cJSON_AddItemToObject(root, "out", json_text(a->out, strlen(a->out)));
    cJSON_AddItemToObject(root, "tokens", json_whole(n));
    cJSON_AddItemToObject(root, "vocabulary_size", json_whole(width));
    return json_print(root, f);
}

static int write_logits(struct args *a, struct model *m, const int32_t *ids, size_t n, struct fail *f)
{
    size_t width;
    float *logits = score_logits(m, ids, n, &a->arena, &width, f);

    if (!logits || file_write(a->out, logits, n * width * sizeof *logits, f))
        return -1;
    return a->json ? logits_json(a, n, width, f) : 0;
}

static int run_logits(struct args *a, struct fail *f)
{
    struct model *m;
    int32_t *ids;
    size_t n;
    int bad = -1;

    if (!a->tokens || !a->out)
        return fail(f, FAIL_USAGE, "'logits' needs --tokens 1,2,3 and -o FILE");
    if (parse_tokens(a->tokens, &a->arena, &ids, &n, f))
        return -1;
    if (!a->force && path_exists(a->out))
        return fail(f, FAIL_USAGE, "'%s' exists already", a->out), fail_hint(f, "--force replaces it");
    if ((m = canonical_open(a, a->operand.item[0], NULL, f)) && model_spared(m, a->out, f) == 0)
        bad = write_logits(a, m, ids, n, f);
    model_close(m);
    return bad;
}

static const char *const logits_options[] = { "tokens", "out", "force", "ignore-key", NULL };

const struct command command_logits = {
    .name = "logits", .operands = "MODEL", .about = "raw logits for given token ids",
    .detail = "Writes one row of vocabulary size per token, little-endian float32, to FILE.",
    .options = logits_options, .min_operands = 1, .max_operands = 1, .run = run_logits
};
