/* job_report.c - what convert and quantize say: the plan, and what was written. */
#include "convert/estimate.h"
#include "tools/job.h"
#include "tools/report.h"

#include <inttypes.h>
#include <omp.h>
#include <string.h>

/* ---- the plan ---- */

/* What rows that did not fit the recipe's encodings have cost. */
struct substituted {
    size_t tensors;
    double share;               /* of the weights */
    double nominal;             /* bits per weight if they had fitted */
};

static struct substituted find_substituted(const struct job *j)
{
    struct substituted s = {0};
    double bits = 0, weights = 0;

    for (size_t i = 0; i < j->model->ntensors; i++) {
        const struct tensor *t = &j->model->tensor[i];
        const struct qtype *wanted = j->choice[i].instead_of;
        double n = (double)tensor_weights(t);

        weights += n;
        bits += wanted ? 8 * n * wanted->nbytes / wanted->block : 8 * (double)tensor_bytes(t);
        s.tensors += wanted != NULL;
        s.share += wanted ? n : 0;
    }
    s.share /= weights > 0 ? weights : 1;
    s.nominal = bits / (weights > 0 ? weights : 1);
    return s;
}

static const char *const remark_keys[] = {
    [IMATRIX_UNKNOWN] = "unknown", [IMATRIX_ABSENT] = "absent", [IMATRIX_LENGTH] = "other_length",
    [IMATRIX_UNSEEN] = "unseen_experts", [IMATRIX_STARVED] = "starved_experts",
    [IMATRIX_ZERO] = "zero_columns"
};

static cJSON *imatrix_json(const struct job *j)
{
    cJSON *root = cJSON_CreateObject(), *list;

    cJSON_AddItemToObject(root, "file", json_text(j->imatrix->path, strlen(j->imatrix->path)));
    if (j->imatrix->ndatasets)
        cJSON_AddItemToObject(root, "dataset", json_text(j->imatrix->dataset[0], strlen(j->imatrix->dataset[0])));
    cJSON_AddItemToObject(root, "entries", json_whole(j->imatrix->n));
    cJSON_AddItemToObject(root, "chunks", json_whole(j->imatrix->nchunks));
    cJSON_AddItemToObject(root, "tensors", json_whole(j->match.used));
    list = cJSON_AddArrayToObject(root, "remarks");
    for (size_t i = 0; i < j->match.nremarks; i++) {
        const struct imatrix_remark *r = &j->match.remark[i];
        cJSON *item = cJSON_CreateObject();

        cJSON_AddItemToObject(item, "name", json_text(r->name, strlen(r->name)));
        cJSON_AddStringToObject(item, "remark", remark_keys[r->kind]);
        if (r->of) {
            cJSON_AddItemToObject(item, "n", json_whole(r->n));
            cJSON_AddItemToObject(item, "of", json_whole(r->of));
        }
        cJSON_AddItemToArray(list, item);
    }
    return root;
}

static cJSON *plan_json(const struct job *j)
{
    struct substituted s = find_substituted(j);
    cJSON *root = cJSON_CreateObject(), *list;

    cJSON_AddStringToObject(root, "type", j->recipe->name);
    cJSON_AddItemToObject(root, "bytes", json_whole(j->plan.nbytes));
    cJSON_AddNumberToObject(root, "bits_per_weight", amount_bits(amount_of(j->model, NULL)));
    cJSON_AddNumberToObject(root, "nominal_bits_per_weight", s.nominal);
    cJSON_AddNumberToObject(root, "substituted_share", s.share);
    if (j->imatrix)
        cJSON_AddItemToObject(root, "imatrix", imatrix_json(j));
    list = cJSON_AddArrayToObject(root, "tensors");
    for (size_t i = 0; i < j->model->ntensors; i++) {
        const struct tensor *t = &j->model->tensor[i];
        cJSON *item = cJSON_CreateObject();

        cJSON_AddItemToObject(item, "name", json_text(t->name, strlen(t->name)));
        cJSON_AddStringToObject(item, "from", j->from[i]->label);
        cJSON_AddStringToObject(item, "to", t->type->label);
        cJSON_AddItemToObject(item, "bytes", json_whole(tensor_bytes(t)));
        if (j->choice[i].instead_of)
            cJSON_AddStringToObject(item, "instead_of", j->choice[i].instead_of->label);
        cJSON_AddItemToArray(list, item);
    }
    return root;
}

/* Rows that did not fit the recipe's encoding, and the share of the weights that got another one. */
static void print_fallbacks(const struct job *j)
{
    struct substituted s = find_substituted(j);

    if (s.tensors)
        printf("  %zu tensors (%.1f %% of the weights) have rows that %s's encodings do not fit and got wider ones:\n"
               "  %.2f bits per weight instead of %.2f\n", s.tensors, 100 * s.share, j->recipe->name, amount_bits(amount_of(j->model, NULL)),
               s.nominal);
}

/* What the matrix lacks or has too much of; a few lines, or all with --verbose. */
static void print_imatrix(const struct job *j)
{
    enum { LISTED = 6 };
    const struct imatrix *m = j->imatrix;
    size_t shown = j->args->verbose || j->match.nremarks <= LISTED + 1 ? j->match.nremarks : LISTED;

    if (!m)
        return;
    printf("  imatrix    %zu tensors weighted by %zu entries", j->match.used, m->n);
    if (m->nchunks)
        printf(", from %" PRIu64 " chunks", m->nchunks);
    if (m->ndatasets)
        printf(" of %s", m->dataset[0]);
    printf("\n");
    for (size_t i = 0; i < shown; i++) {
        const struct imatrix_remark *r = &j->match.remark[i];

        printf("  imatrix    %s: ", r->name);
        if (r->of)
            printf("%" PRIu64 " of %" PRIu64 " ", r->n, r->of);
        printf("%s\n", imatrix_remark_text(r->kind));
    }
    if (shown < j->match.nremarks)
        printf("  imatrix    and %zu more (--verbose lists them)\n", j->match.nremarks - shown);
}

static void print_plan(const struct job *j)
{
    char size[SIZE_TEXT], weights[SIZE_TEXT];

    for (size_t i = 0; i < j->model->ntensors; i++) {
        const struct tensor *t = &j->model->tensor[i];

        fputs("  ", stdout);
        print_cell(t->name, 40);
        printf(" %-7s -> %-7s %11s%s%s\n", j->from[i]->label, t->type->label, size_text(size, tensor_bytes(t)),
               j->choice[i].instead_of ? "  instead of " : "", j->choice[i].instead_of ? j->choice[i].instead_of->label : "");
    }
    printf("\n%s: %s weights, %.2f bits each, %" PRIu64 " bytes (%s) in %zu file%s; nothing was written\n", j->recipe->name,
           count_text(weights, amount_of(j->model, NULL).weights), amount_bits(amount_of(j->model, NULL)), j->plan.nbytes, size_text(size, j->plan.nbytes),
           j->plan.nfiles, j->plan.nfiles == 1 ? "" : "s");
    print_types(j->model);
    print_fallbacks(j);
    print_imatrix(j);
}

static void print_estimate(const struct estimate *e)
{
    char peak[SIZE_TEXT], seconds[SIZE_TEXT];
    int threads = omp_get_max_threads();

    printf("  needs      about %s of memory and %s: %d thread%s and files at the speed just measured, writing at 1 GB/s\n",
           size_text(peak, e->peak_nbytes), time_text(seconds, e->seconds), threads, threads == 1 ? "" : "s");
}

int job_show_plan(struct job *j, struct fail *f)
{
    struct estimate e = estimate_run(j->model, j->from, j->match.weight);
    cJSON *root;

    if (!j->args->json) {
        print_plan(j);
        print_estimate(&e);
        return stdout_done(f);
    }
    root = plan_json(j);
    cJSON_AddItemToObject(root, "peak_bytes", json_whole(e.peak_nbytes));
    cJSON_AddNumberToObject(root, "seconds", e.seconds);
    return json_print(root, f);
}

/* ---- the account ---- */

static const char *const fate_words[] = { "pending", "used", "ignored" };

static cJSON *account_json(const struct account *a)
{
    cJSON *root = cJSON_CreateObject();
    cJSON *lists[] = { cJSON_AddArrayToObject(root, "tensors"), cJSON_AddArrayToObject(root, "keys") };

    for (size_t i = 0; i < a->n; i++) {
        const struct account_entry *e = &a->entry[i];
        cJSON *item = cJSON_CreateObject();

        cJSON_AddItemToObject(item, "name", json_text(e->name, strlen(e->name)));
        cJSON_AddStringToObject(item, "fate", fate_words[e->fate]);
        if (e->to)
            cJSON_AddItemToObject(item, e->fate == ACCOUNT_USED ? "to" : "why", json_text(e->to, strlen(e->to)));
        if (e->how)
            cJSON_AddStringToObject(item, "how", e->how);
        cJSON_AddItemToArray(lists[e->kind == ACCOUNT_KEY], item);
    }
    return root;
}

static void print_account(const struct job *j)
{
    size_t n[2][3] = {0};

    for (size_t i = 0; i < j->account.n; i++) {
        const struct account_entry *e = &j->account.entry[i];

        n[e->kind][e->fate]++;
        if (j->args->verbose)
            printf("  %-7s %s: %s%s%s%s\n", fate_words[e->fate], e->name, e->to ? e->to : "", e->how ? " (" : "",
                   e->how ? e->how : "", e->how ? ")" : "");
    }
    if (j->account.n)
        printf("  source     %zu tensors used, %zu ignored; %zu config keys used, %zu ignored%s\n",
               n[ACCOUNT_TENSOR][ACCOUNT_USED], n[ACCOUNT_TENSOR][ACCOUNT_IGNORED], n[ACCOUNT_KEY][ACCOUNT_USED],
               n[ACCOUNT_KEY][ACCOUNT_IGNORED], j->args->verbose ? "" : " (--verbose lists them)");
}

/* ---- writing, and what is said afterwards ---- */

static int report_json(const struct job *j, const struct write_result *r, struct fail *f)
{
    cJSON *root = plan_json(j), *files;

    cJSON_AddItemToObject(root, "out", json_text(j->args->out, strlen(j->args->out)));
    files = cJSON_AddArrayToObject(root, "files");
    for (size_t i = 0; i < j->plan.nfiles; i++) {
        cJSON *item = cJSON_CreateObject();

        cJSON_AddItemToObject(item, "path", json_text(j->plan.file[i].path, strlen(j->plan.file[i].path)));
        cJSON_AddItemToObject(item, "bytes", json_whole(j->plan.file[i].nbytes));
        cJSON_AddItemToArray(files, item);
    }
    files = cJSON_AddArrayToObject(root, "license_files");
    for (const char **name = j->carried; name && *name; name++)
        cJSON_AddItemToArray(files, json_text(*name, strlen(*name)));
    cJSON_AddItemToObject(root, "account", account_json(&j->account));
    cJSON_AddItemToObject(root, "resumed_bytes", json_whole(r->resumed_nbytes));
    cJSON_AddItemToObject(root, "peak_bytes", json_whole(peak_nbytes()));
    cJSON_AddNumberToObject(root, "seconds", r->seconds);
    return json_print(root, f);
}

static void print_carried(const struct job *j)
{
    for (const char **name = j->carried; name && *name; name++)
        printf("%s%s", name == j->carried ? "  license    written beside it: " : ", ", *name);
    if (j->carried && *j->carried)
        printf("\n");
}

/* What stands in the way of passing the result on. */
static void print_license_warnings(struct job *j)
{
    const struct licensing *l = &j->license;
    const char *stem = evidence_stem(j->args->out, &j->arena);

    for (size_t i = 0; i < l->nconflicts; i++) {
        printf("  license    ");
        print_wrapped(arena_printf(&j->arena, "conflict: %s", l->conflict[i]), 13, 13);
    }
    for (size_t i = 0; i < l->nobligations; i++)
        if (!licensing_name_obeys(l->obligation[i].license, stem)) {
            printf("  license    ");
            print_wrapped(arena_printf(&j->arena, "%s wants the name of a derivative to begin with \"%s\": '%s' does not", l->obligation[i].license->id,
                                       l->obligation[i].license->prefix, stem), 13, 13);
        }
}

static int report_text(struct job *j, const struct write_result *r, struct fail *f)
{
    char size[SIZE_TEXT], weights[SIZE_TEXT], resumed[SIZE_TEXT], seconds[SIZE_TEXT];
    bool gguf = strcmp(j->sink->name, "gguf") == 0;

    printf("%s: %s weights, %.2f bits each, %s in %zu file%s\n", j->args->out, count_text(weights, amount_of(j->model, NULL).weights),
           amount_bits(amount_of(j->model, NULL)), size_text(size, r->nbytes), r->nfiles, r->nfiles == 1 ? "" : "s");
    print_types(j->model);
    print_fallbacks(j);
    print_imatrix(j);
    print_account(j);
    if (j->vocab)
        printf("  tokenizer  %s, %s: the built-in text gives the same tokens by the source's rules and by what was written\n",
               meta_str(&j->model->meta, "tokenizer.ggml.model", "?"), meta_str(&j->model->meta, "tokenizer.ggml.pre", "default"));
    if (j->model->aside)
        printf("  left aside %s: the same model under other names\n", j->model->aside);
    print_carried(j);
    print_license_warnings(j);
    if (r->resumed_nbytes)
        printf("  resumed    %s were complete from an earlier run\n", size_text(resumed, r->resumed_nbytes));
    printf("  done in %s; next: bantam %s\n", time_text(seconds, r->seconds),
           gguf ? "verify OUT --against ORIGINAL --text FILE" : "inspect OUT");
    return stdout_done(f);
}

int job_write(struct job *j, struct fail *f)
{
    struct meter meter;
    struct write_result result = {0};
    struct write_options options = {
        .salt = j->imatrix ? j->imatrix->digest : 0, .force = j->args->force,
        .extra = j->extra, .nextra = j->nextra, .progress = { meter_bytes, &meter }
    };
    bool carries = !j->args->no_license_files && strcmp(j->sink->name, "gguf") == 0;
    int bad;

    if (carries && carry_files(&j->license, j->source_dir, j->args->out, j->args->force, true, &j->carried, &j->arena, f))
        return -1;
    meter_start(&meter, j->args, "writing");
    bad = model_write(j->model, &j->plan, &options, &result, f);
    meter_end(&meter);
    if (!bad && carries)
        bad = carry_files(&j->license, j->source_dir, j->args->out, j->args->force, false, &j->carried, &j->arena, f);
    if (bad)
        return job_blame(j, f);
    if (j->args->json)
        return report_json(j, &result, f);
    return j->args->quiet ? 0 : report_text(j, &result, f);
}
