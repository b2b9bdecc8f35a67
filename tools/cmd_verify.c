/* cmd_verify.c - verify, perplexity, logits: what did quantizing cost? */
#include "formats/file.h"
#include "formats/output.h"
#include "tools/canonical.h"
#include "tools/commands.h"
#include "tools/encoders.h"
#include "tools/report_verify.h"
#include "tools/verify_result.h"
#include "tools/verify_static.h"
#include "verify/forecast.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Hidden states are kept beside the model: its path without slashes at the end. */
static const char *beside(struct args *a, const struct model *m)
{
    size_t n = strlen(m->path);

    while (n > 1 && m->path[n - 1] == '/')
        n--;
    return arena_printf(&a->arena, "%.*s.verify", (int)n, m->path);
}

static struct score_options options_of(struct args *a, const struct score_models *models)
{
    return (struct score_options){ .context = a->context, .chunks = a->chunks, .memory = a->memory, .exact = a->exact,
                                   .beside = beside(a, models->n ? models->candidate[0] : models->original) };
}

static void print_forecast(FILE *to, const struct forecast *g)
{
    char seconds[SIZE_TEXT], memory[SIZE_TEXT], disk[SIZE_TEXT];

    fprintf(to, "about %s, %s of memory and %s on disk\n", time_text(seconds, g->seconds), size_text(memory, g->memory_nbytes),
            size_text(disk, g->disk_nbytes));
}

/* What models are to do: read a text, and answer questions if there are any. */
struct work {
    struct args *args;
    const struct score_models *models;
    struct measured text;
    struct score_input in;
    struct score_options how;
    struct questions questions;
    struct choices choices;
    struct choices_options ask;
};

static int read_questions(struct work *w, const struct vocab *v, struct fail *f)
{
    struct args *a = w->args;
    struct model **model = arena_array(&a->arena, struct model *, w->models->n + 1);

    model[0] = w->models->original;
    for (size_t i = 0; i < w->models->n; i++)
        model[i + 1] = w->models->candidate[i];
    w->ask = (struct choices_options){ .shots = a->shots, .has_shots = a->has_shots, .memory = a->memory, .beside = w->how.beside };
    if (questions_read(&w->questions, a->choices, &a->arena, f) != 0)
        return -1;
    if (choices_check(&w->questions, &w->ask, f) != 0)
        return fail_in(f, a->choices);
    return choices_plan(&w->choices, &w->questions, model, w->models->n + 1, v, &w->ask, &a->arena, f);
}

/* Everything is read, and refused if need be, before any long work. */
static int read_all(struct work *w, const struct vocab *v, struct fail *f)
{
    struct args *a = w->args;

    w->how = options_of(a, w->models);
    if (score_check(w->models, f) != 0 || (a->choices && read_questions(w, v, f) != 0))
        return -1;
    return texts_read(&w->text.texts, a->text, &a->arena, f) != 0 ||
           texts_input(&w->in, &w->text.categories, &w->text.texts, v, &w->how, &a->arena, f) != 0 ? -1 : 0;
}

static int forecast(const struct work *w, struct forecast *g, struct fail *f)
{
    struct forecast more;

    if (forecast_score(w->models, &w->in, &w->how, g, f) != 0 || (w->args->choices && forecast_choices(&w->choices, &w->ask, &more, f) != 0))
        return -1;
    if (w->args->choices)
        forecast_add(g, &more);
    return 0;
}

/* People are told before a long run what it takes, and before a short one if they watch. */
static int tell_forecast(const struct work *w, const struct meter *m, struct fail *f)
{
    enum { LONG_SECONDS = 60 };
    struct forecast g;

    if (w->args->quiet)
        return 0;
    if (forecast(w, &g, f) != 0)
        return -1;
    if (m->on || g.seconds >= LONG_SECONDS)
        print_forecast(stderr, &g);
    return 0;
}

/* All models answer the questions, and then read the text; what the answers were is kept till the end of both. */
static int measure(struct work *w, const char *what, struct score *s, struct fail *f)
{
    struct meter meter;
    int bad;

    meter_start(&meter, w->args, what);
    w->how.progress = w->ask.progress = meter_steps;
    w->how.ctx = w->ask.ctx = &meter;
    bad = tell_forecast(w, &meter, f) != 0 || (w->args->choices && choices_run(&w->choices, &w->ask, &w->args->arena, f) != 0) ||
          score_run(w->models, &w->in, &w->how, &w->args->arena, s, f) != 0;
    meter_end(&meter);
    choices_close(&w->choices, bad && f->kind == FAIL_SYSTEM);
    s->seconds += w->choices.seconds;
    s->resumed |= w->choices.resumed;
    s->spilled_nbytes = s->spilled_nbytes > w->choices.spilled_nbytes ? s->spilled_nbytes : w->choices.spilled_nbytes;
    return bad ? -1 : 0;
}

/* --dry-run. */
static int plan(const struct work *w, struct fail *f)
{
    struct forecast g;
    cJSON *root;

    if (forecast(w, &g, f) != 0)
        return -1;
    if (!w->args->json) {
        print_forecast(stdout, &g);
        return stdout_done(f);
    }
    root = cJSON_CreateObject();
    cJSON_AddItemToObject(root, "tokens", json_whole(w->in.n));
    cJSON_AddItemToObject(root, "chunks", json_whole(w->in.nchunks));
    if (w->args->choices) {
        cJSON_AddItemToObject(root, "questions", json_whole(w->choices.asked));
        cJSON_AddItemToObject(root, "question_tokens", json_whole(w->choices.tokens));
    }
    cJSON_AddNumberToObject(root, "seconds", g.seconds);
    cJSON_AddItemToObject(root, "memory_bytes", json_whole(g.memory_nbytes));
    cJSON_AddItemToObject(root, "disk_bytes", json_whole(g.disk_nbytes));
    return json_print(root, f);
}

/* ---- verify ---- */

static int show(const struct verify_result *r, struct fail *f)
{
    if (r->args->report && report_verify(r, f))
        return -1;
    if (r->args->json)
        return json_print(verify_json(r), f);
    if (r->args->quiet)
        return 0;
    verify_print(r);
    return stdout_done(f);
}

static int verify(struct args *a, const struct score_models *models, struct vocab *found, struct fail *f)
{
    struct score s = {0};
    struct work w = { .args = a, .models = models };
    struct verify_result result = { .args = a, .models = models, .score = &s, .text = &w.text, .choices = a->choices ? &w.choices : NULL };
    struct vocab *v = canonical_vocab(models->original, found, f);

    if (!v || read_all(&w, v, f) != 0)
        return -1;
    if (a->dry_run)
        return plan(&w, f);
    if (measure(&w, "verifying", &s, f) != 0)
        return -1;
    result.confidence = groups_by_confidence(s.token, s.tokens, &a->arena);
    return show(&result, f) != 0 ? -1 : verify_limits(&result, f);
}

static int run_verify(struct args *a, struct fail *f)
{
    struct model **candidate = arena_array(&a->arena, struct model *, a->operand.n);
    struct score_models models = { .candidate = candidate };
    struct vocab *found = NULL;
    int bad = -1;

    if (!a->against)
        return fail(f, FAIL_USAGE, "'verify' needs --against ORIGINAL"), fail_hint(f, "the model that was converted or quantized");
    if (a->as_files)
        return verify_static(a, f);
    if (args_refuse(a, (const char *const[]){ "imatrix", "prune-layers", NULL }, "needs --static", f))
        return -1;
    if ((a->has_shots || a->has_min_choices_agreement) && !a->choices)
        return fail(f, FAIL_USAGE, "--%s needs --choices FILE", a->has_shots ? "shots" : "min-choices-agreement");
    if (a->min_top1 > 1 || a->min_choices_agreement > 1) {
        fail(f, FAIL_USAGE, "--%s wants a share from 0 to 1", a->min_top1 > 1 ? "min-top1" : "min-choices-agreement");
        return fail_hint(f, "0.97 for 97 %%");
    }
    models.original = canonical_open(a, a->against, &found, f);
    while (models.original && models.n < a->operand.n && (candidate[models.n] = canonical_open(a, a->operand.item[models.n], NULL, f)))
        models.n++;
    if (models.original && models.n == a->operand.n && (!a->report || report_check(a, &models, f) == 0))
        bad = (encoder_is(models.original) ? verify_encoders : verify)(a, &models, found, f);
    for (size_t k = 0; k < models.n; k++)
        model_close(candidate[k]);
    model_close(models.original);
    return bad;
}

static const char *const verify_options[] = {
    "against", "text", "context", "chunks", "memory", "exact", "dry-run", "choices", "shots", "max-kld", "max-ppl-ratio", "min-top1", "min-choices-agreement",
    "min-cosine", "min-rank-correlation", "report", "force", "static", "imatrix", "prune-layers", "verbose", "ignore-key", NULL
};

const struct command command_verify = {
    .name = "verify", .operands = "CANDIDATE...", .about = "what quantizing cost: models side by side on a text",
    .detail = "Runs each CANDIDATE and ORIGINAL in step, layer by layer, on the text: perplexity, KL divergence over the whole vocabulary,\n"
              "agreement, and the error of every tensor and layer. Chunks, BOS and the scored half are llama-perplexity's. No file of\n"
              "logits is stored, and memory holds one layer of each model. A model against itself gives exactly 0.\n\n"
              "FILE of --text is plain text, or JSONL with a \"text\" and, for figures by category, a \"category\" in each line; without --text it is\n"
              "a small built-in one: chat, code, a long document, nine scripts, mathematics.\n\n"
              "--choices puts multiple-choice questions to all models too, in MMLU's layout: how many are answered rightly, and which answers\n"
              "changed. FILE is MMLU's CSV or JSONL (question, choices, answer, subject), DIR has test/ and dev/.\n\n"
              "Encoders (BERT and its kin) are compared by the vectors of the text's lines: cosine of the two, and whether pairs of lines rank alike.\n\n"
              "With --static nothing is run: what ORIGINAL converts to is derived once more, tensor by tensor and key by key, and\n"
              "compared with one CANDIDATE, whoever made it. Weights of floating-point types must be equal, others may err as much as\n"
              "their encoding explains; with the --imatrix they were made with, they can be equal too. --prune-layers says which layers\n"
              "were left out on purpose. Exit status 1: it differs.",
    .options = verify_options, .min_operands = 1, .max_operands = SIZE_MAX, .run = run_verify
};

/* ---- perplexity ---- */

static int perplexity(struct args *a, struct model *m, struct vocab *found, struct fail *f)
{
    struct score_models models = { .original = m };
    struct score s = {0};
    struct work w = { .args = a, .models = &models };
    struct vocab *v = canonical_vocab(m, found, f);

    if (!v || read_all(&w, v, f) != 0)
        return -1;
    if (a->dry_run)
        return plan(&w, f);
    if (measure(&w, "measuring", &s, f) != 0)
        return -1;
    if (a->json)
        return json_print(perplexity_json(&s, &w.text), f);
    if (a->quiet)
        return 0;
    perplexity_print(a->operand.item[0], &s, &w.text);
    return stdout_done(f);
}

static int run_perplexity(struct args *a, struct fail *f)
{
    struct vocab *found = NULL;
    struct model *m;
    int bad = -1;

    if ((m = canonical_open(a, a->operand.item[0], &found, f)))
        bad = perplexity(a, m, found, f);
    model_close(m);
    return bad;
}

static const char *const perplexity_options[] = { "text", "context", "chunks", "memory", "exact", "dry-run", "ignore-key", NULL };

const struct command command_perplexity = {
    .name = "perplexity", .operands = "MODEL", .about = "one model alone on a text",
    .detail = "Prints the perplexity of MODEL on the text, with chunks, BOS and the scored half as llama-perplexity has them.\n"
              "FILE is plain text, or JSONL with a \"text\" and perhaps a \"category\" in each line; without --text it is a small built-in one.",
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

    json_add_text(root, "out", a->out);
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
