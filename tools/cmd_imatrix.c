/* cmd_imatrix.c - imatrix: compute an importance matrix, add several up, say what is in one. */
#include "formats/file.h"
#include "formats/output.h"
#include "tools/canonical.h"
#include "tools/commands.h"
#include "tools/report.h"
#include "verify/collect.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LISTED = 8,                 /* starved experts that are shown to people; JSON has all */
    EXPERTS_IN_LINE = 12
};

/* What is told of a matrix that was made. */
struct made {
    const char *out;
    uint64_t resumed;           /* chunks of an earlier run */
    double seconds;
    struct starved *starved;
    size_t nstarved;
};

static int check_out(const struct args *a, struct fail *f)
{
    if (!a->out)
        return fail(f, FAIL_USAGE, "'imatrix' needs -o OUT.gguf");
    if (!a->force && path_exists(a->out))
        return fail(f, FAIL_USAGE, "'%s' exists already", a->out), fail_hint(f, "--force replaces it");
    return 0;
}

/* ---- what was made ---- */

static int made_json(const struct sums *s, const struct made *r, struct fail *f)
{
    cJSON *root = cJSON_CreateObject(), *list;

    json_add_text(root, "out", r->out);
    cJSON_AddItemToObject(root, "tensors", json_whole(s->n));
    cJSON_AddItemToObject(root, "tokens", json_whole(s->chunks * s->context));
    cJSON_AddItemToObject(root, "context", json_whole(s->context));
    cJSON_AddItemToObject(root, "chunks", json_whole(s->chunks));
    cJSON_AddItemToObject(root, "resumed_chunks", json_whole(r->resumed));
    list = cJSON_AddArrayToObject(root, "starved");
    for (size_t i = 0; i < r->nstarved; i++) {
        cJSON *item = cJSON_CreateObject();

        json_add_text(item, "tensor", r->starved[i].name);
        cJSON_AddItemToObject(item, "expert", json_whole(r->starved[i].expert));
        cJSON_AddItemToObject(item, "tokens", json_whole(r->starved[i].count));
        cJSON_AddItemToArray(list, item);
    }
    cJSON_AddNumberToObject(root, "seconds", r->seconds);
    cJSON_AddItemToObject(root, "peak_bytes", json_whole(peak_nbytes()));
    return json_print(root, f);
}

static int made_text(const struct args *a, const struct sums *s, const struct made *r, struct fail *f)
{
    char seconds[SIZE_TEXT], peak[SIZE_TEXT];

    printf("%s: the inputs of %zu tensors, %" PRIu64 " tokens in %" PRIu64 " chunks of %" PRIu64 "\n", r->out, s->n,
           s->chunks * s->context, s->chunks, s->context);
    if (r->resumed)
        printf("  resumed    %" PRIu64 " chunks were done in an earlier run\n", r->resumed);
    for (size_t i = 0; i < r->nstarved && i < LISTED; i++)
        printf("  starved    %s, expert %zu: %" PRIu64 " tokens\n", r->starved[i].name, r->starved[i].expert, r->starved[i].count);
    if (r->nstarved > LISTED)
        printf("  starved    ... and %zu more\n", r->nstarved - LISTED);
    if (r->nstarved)
        printf(a->min_tokens ? "             shrunk towards the mean of their layer; a longer or more varied text reaches them\n"
                             : "             --min-tokens N goes on until each has N, and fills up what the text does not reach\n");
    printf("  done in %s, %s of memory at most; next: bantam quantize MODEL -o OUT --type TYPE --imatrix ",
           time_text(seconds, r->seconds), size_text(peak, peak_nbytes()));
    print_last(r->out, 80);
    putchar('\n');
    return stdout_done(f);
}

/* Shrinks, writes, tells. */
static int finish(struct args *a, struct sums *s, struct made *r, struct fail *f)
{
    r->out = a->out;
    r->starved = sums_starved(s, a->min_tokens, &a->arena, &r->nstarved);
    if (a->min_tokens)
        sums_shrink(s, a->min_tokens);
    if (sums_check(s, f) != 0 || sums_write(s, a->out, r->starved, r->nstarved, a->min_tokens, f) != 0)
        return -1;
    return a->json ? made_json(s, r, f) : a->quiet ? 0 : made_text(a, s, r, f);
}

/* ---- computing ---- */

/* A device has nothing beside it. */
static const char *state_path(struct args *a)
{
    struct stat st;

    return stat(a->out, &st) == 0 && !S_ISREG(st.st_mode) ? NULL : arena_printf(&a->arena, "%s.part.journal", a->out);
}

/* As collect(). Two runs that write to one name would take up each other's state: OUT.part is locked meanwhile. */
static int collect_alone(const struct args *a, struct model *m, const struct vocab *v, const char *text, size_t nbytes,
                         const struct collect_options *options, struct sums *s, uint64_t *resumed, struct fail *f)
{
    struct arena tmp = {0};
    struct output lock = {0};
    int bad = options->state ? output_open(&lock, a->out, 0, false, &tmp, f) : 0;

    if (!bad) {
        bad = collect(m, v, text, nbytes, options, s, resumed, f);
        assert(!options->state || lock.part);
        if (bad && options->state)
            unlink(lock.part);
    }
    if (options->state)
        output_abandon(&lock);
    arena_release(&tmp);
    return bad;
}

static int compute(struct args *a, struct model *m, struct vocab *found, struct sums *s, struct made *r, struct fail *f)
{
    struct meter meter;
    struct collect_options options = {
        .context = a->context, .chunks = a->chunks, .least = a->min_tokens, .process_output = a->process_output,
        .parse_special = a->parse_special, .state = state_path(a), .progress = meter_steps, .ctx = &meter
    };
    struct vocab *v = canonical_vocab(m, found, f);
    double start = seconds_now();
    size_t nbytes;
    char *text = v ? read_text(a, &nbytes, f) : NULL;
    int bad;

    if (!text)
        return -1;
    meter_start(&meter, a, "observing");
    bad = collect_alone(a, m, v, text, nbytes, &options, s, &r->resumed, f);
    meter_end(&meter);
    if (bad)
        return -1;
    sums_dataset(s, a->text);
    r->seconds = seconds_now() - start;
    bad = finish(a, s, r, f);
    if (!bad && options.state)
        unlink(options.state);
    return bad;
}

static int run_compute(struct args *a, struct fail *f)
{
    struct sums s = {0};
    struct made r = {0};
    struct vocab *found = NULL;
    struct model *m;
    int bad = -1;

    if (needs_text(a, "imatrix", f) != 0 || check_out(a, f) != 0 || text_spared(a, f) != 0)
        return -1;
    if ((m = canonical_open(a, a->operand.item[0], &found, f)) && model_spared(m, a->out, f) == 0)
        bad = compute(a, m, found, &s, &r, f);
    model_close(m);
    sums_release(&s);
    return bad;
}

/* ---- adding up ---- */

static int add_file(struct sums *s, const char *path, struct fail *f)
{
    struct imatrix *x = imatrix_open(path, f);
    int bad = x ? sums_merge(s, x, f) : -1;

    imatrix_close(x);
    return bad ? fail_in(f, path) : 0;
}

static int run_merge(struct args *a, struct fail *f)
{
    struct sums s = { .context = a->context };
    struct made r = {0};
    double start = seconds_now();
    int bad = check_out(a, f);

    for (size_t i = 0; i < a->operand.n && !bad; i++)
        bad = add_file(&s, a->operand.item[i], f);
    r.seconds = seconds_now() - start;
    if (!bad)
        bad = finish(a, &s, &r, f);
    sums_release(&s);
    return bad;
}

/* ---- showing ---- */

static void spread(const struct sums_entry *e, uint64_t *least, uint64_t *most)
{
    *least = *most = e->count[0];
    for (size_t k = 1; k < e->experts; k++) {
        *least = e->count[k] < *least ? e->count[k] : *least;
        *most = e->count[k] > *most ? e->count[k] : *most;
    }
}

static void show_entry(const struct sums *s, const struct sums_entry *e)
{
    struct sums_figures g = sums_figures(s, e);
    uint64_t least, most;
    char tokens[2 * SIZE_TEXT];

    spread(e, &least, &most);
    snprintf(tokens, sizeof tokens, least == most ? "%" PRIu64 : "%" PRIu64 " .. %" PRIu64, least, most);
    print_cell(e->name, 32);
    printf(" %12s %6zu %10.4g %10.4g %10.4g %10.4g %10.4g %7.2f %7.2f %6.2f %7.4f\n", tokens, g.columns, g.sum, g.min, g.max,
           g.mean, g.deviation, 100 * g.active, g.entropy, 100 * g.outliers, g.similarity);
}

/* Tokens of each expert; tensors that stand in one layer usually see the same. */
static void show_experts(const struct sums *s)
{
    const struct sums_entry *last = NULL;

    for (size_t i = 0; i < s->n; i++) {
        const struct sums_entry *e = &s->entry[i];
        bool known = last && last->experts == e->experts && memcmp(last->count, e->count, e->experts * sizeof *e->count) == 0;

        if (e->experts == 1 || known)
            continue;
        fputs(last ? "" : "\n", stdout);
        print_last(e->name, 80);
        printf(": tokens of its %zu experts", e->experts);
        for (size_t k = 0; k < e->experts; k++)
            printf("%s%9" PRIu64, k % EXPERTS_IN_LINE ? "" : "\n", e->count[k]);
        putchar('\n');
        last = e;
    }
}

static int show_text(const struct sums *s, const char *path, struct fail *f)
{
    printf("%s: %zu tensors, %" PRIu64 " chunks of %" PRIu64 " tokens\n", path, s->n, s->chunks, s->context);
    for (size_t i = 0; i < s->ndatasets; i++) {
        fputs("  text       ", stdout);
        print_last(s->dataset[i], 120);
        putchar('\n');
    }
    printf("\n%-32s %12s %6s %10s %10s %10s %10s %10s %7s %7s %6s %7s\n", "mean squared inputs of", "tokens", "cols", "sum", "min",
           "max", "mean", "sd", "active%", "entropy", "out%", "cos");
    for (size_t i = 0; i < s->n; i++)
        show_entry(s, &s->entry[i]);
    show_experts(s);
    return stdout_done(f);
}

static cJSON *entry_json(const struct sums *s, const struct sums_entry *e)
{
    struct sums_figures g = sums_figures(s, e);
    const struct { const char *name; double value; } rows[] = {
        { "sum", g.sum }, { "min", g.min }, { "max", g.max }, { "mean", g.mean }, { "deviation", g.deviation },
        { "active", g.active }, { "entropy", g.entropy }, { "outliers", g.outliers }, { "similarity", g.similarity },
    };
    cJSON *item = cJSON_CreateObject(), *tokens;

    json_add_text(item, "name", e->name);
    cJSON_AddItemToObject(item, "columns", json_whole(e->columns));
    tokens = cJSON_AddArrayToObject(item, "tokens");
    for (size_t k = 0; k < e->experts; k++)
        cJSON_AddItemToArray(tokens, json_whole(e->count[k]));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cJSON_AddNumberToObject(item, rows[i].name, rows[i].value);
    return item;
}

static int show_json(const struct sums *s, struct fail *f)
{
    cJSON *root = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(root, "datasets");

    for (size_t i = 0; i < s->ndatasets; i++)
        cJSON_AddItemToArray(list, json_text(s->dataset[i], strlen(s->dataset[i])));
    cJSON_AddItemToObject(root, "chunks", json_whole(s->chunks));
    cJSON_AddItemToObject(root, "context", json_whole(s->context));
    list = cJSON_AddArrayToObject(root, "tensors");
    for (size_t i = 0; i < s->n; i++)
        cJSON_AddItemToArray(list, entry_json(s, &s->entry[i]));
    return json_print(root, f);
}

static int run_show(struct args *a, struct fail *f)
{
    struct sums s = { .context = a->context };
    const char *path = a->operand.item[0];
    int bad;

    if (a->operand.n > 1)
        return fail(f, FAIL_USAGE, "--show takes one file, not %zu", a->operand.n);
    bad = add_file(&s, path, f);
    if (!bad)
        bad = a->json ? show_json(&s, f) : show_text(&s, path, f);
    sums_release(&s);
    return bad;
}

/* ---- the command ---- */

static int run_imatrix(struct args *a, struct fail *f)
{
    static const char *const computing[] = { "text", "chunks", "min-tokens", "process-output", "parse-special", "ignore-key", NULL };

    if (a->merge && a->show)
        return fail(f, FAIL_USAGE, "--merge and --show exclude each other");
    if ((a->merge || a->show) && args_refuse(a, computing, "is for computing a matrix", f))
        return -1;
    if (a->merge)
        return run_merge(a, f);
    if (a->show)
        return run_show(a, f);
    if (a->operand.n > 1)
        return fail(f, FAIL_USAGE, "'imatrix' does not know what to do with '%s'", a->operand.item[1]),
               fail_hint(f, "one MODEL, or --merge FILE FILE ...");
    return run_compute(a, f);
}

static const char *const imatrix_options[] = {
    "text", "out", "context", "chunks", "min-tokens", "process-output", "parse-special", "merge", "show", "force", "ignore-key",
    NULL
};

const struct command command_imatrix = {
    .name = "imatrix", .operands = "MODEL|FILE...", .about = "which columns of the weights matter, measured on a text",
    .detail = "Runs MODEL on the text and writes how large the inputs of each tensor are, column by column: what\n"
              "'quantize --imatrix' weighs rounding errors with. Chunks, tokens and file are llama-imatrix's. Memory holds one\n"
              "layer; a run that was stopped goes on with the chunks it had done.\n\n"
              "With --min-tokens N chunks are taken (at least --chunks) until every expert has seen N tokens; those that the text\n"
              "does not reach are named, and shrunk towards the mean of their layer.\n\n"
              "--merge FILE... -o OUT adds matrices up (and turns a .dat file into GGUF), --show FILE tells what is in one.",
    .options = imatrix_options, .min_operands = 1, .max_operands = SIZE_MAX, .run = run_imatrix
};
