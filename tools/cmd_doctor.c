/* cmd_doctor.c - is the file sound? Findings with stable codes, each with a remedy. */
#include "convert/rename.h"
#include "formats/file.h"
#include "tools/commands.h"
#include "tools/report.h"
#include "tools/report_license.h"
#include "verify/health.h"

#include <string.h>

struct examining {
    struct args *args;
    struct health health;
    struct meter meter;
    uint64_t done, total;
    size_t count[3];            /* by level */
};

static void count_bytes(void *ctx, uint64_t n)
{
    struct examining *e = ctx;

    e->done += n;
    meter_bytes(&e->meter, e->done, e->total);
}

static void look_at_license(struct examining *e, const struct model *m, const char *name)
{
    struct licensing l;

    license_of_model(m, e->args->operand.item[0], name, &l, e->health.arena);
    for (size_t i = 0; i < l.nconflicts; i++)
        health_add(&e->health, HEALTH_CODE_LICENSE_CONFLICT, NULL, "%s", l.conflict[i]);
    if (l.verdict == VERDICT_UNKNOWN)
        health_add(&e->health, HEALTH_CODE_LICENSE_UNKNOWN, NULL, l.declared ? "the declared license '%s' is not known, and no text is there"
                                                                             : "nothing says under which license it is%s", l.declared ? l.declared : "");
}

/* A directory is also looked at as conversion sees it. */
static void look_at_directory(struct examining *e, struct model *m, const char *path)
{
    struct rename_options options = { .rounded = true };
    struct fail f = {0};
    struct model *canonical;

    health_of_directory(&e->health, m);
    canonical = model_rename(model_open(path, &f), &options, NULL, NULL, &f);
    if (canonical)
        health_of_keys(&e->health, canonical, path_base(path));
    else
        health_add(&e->health, HEALTH_CODE_NOT_CONVERTIBLE, *f.where ? f.where : NULL, "%s", f.text);
    model_close(canonical);
}

static int examine(struct examining *e, struct model *m, const char *path, struct fail *f)
{
    int bad = 0;

    health_of_files(&e->health, m);
    if (m->dir)
        look_at_directory(e, m, path);
    else if (strcmp(m->format->name, "gguf") == 0)
        health_of_keys(&e->health, m, path_base(m->path));
    look_at_license(e, m, meta_str(&m->meta, "general.name", NULL));
    if (e->args->fast)
        return 0;
    e->total = amount_of(m, NULL).nbytes;
    meter_start(&e->meter, e->args, "examining");
    bad = health_of_values(&e->health, m, count_bytes, e, f);
    meter_end(&e->meter);
    return bad;
}

/* ---- showing ---- */

static cJSON *findings_json(const struct examining *e, const char *path)
{
    cJSON *root = cJSON_CreateObject(), *list;

    json_add_text(root, "path", path);
    cJSON_AddItemToObject(root, "errors", json_whole(e->count[HEALTH_ERROR]));
    cJSON_AddItemToObject(root, "warnings", json_whole(e->count[HEALTH_WARNING]));
    cJSON_AddBoolToObject(root, "weights_read", !e->args->fast);
    list = cJSON_AddArrayToObject(root, "findings");
    for (size_t i = 0; i < e->health.n; i++) {
        const struct health_finding *h = &e->health.item[i];
        cJSON *item = cJSON_CreateObject();

        json_add_text(item, "code", health_word(h->code));
        json_add_text(item, "level", health_level_word(health_level(h->code)));
        json_add_text(item, "where", h->where);
        json_add_text(item, "text", h->text);
        json_add_text(item, "remedy", health_remedy(h->code));
        cJSON_AddItemToArray(list, item);
    }
    return root;
}

static void print_paragraph(const char *text, int indent)
{
    printf("%*s", indent, "");
    print_wrapped(text, indent, indent);
}

static void print_findings(const struct examining *e, const char *path)
{
    const char *weights = e->args->fast ? "; the weights were not read" : "";

    if (e->health.n == 0)
        printf("%s: nothing is wrong%s\n", path, weights);
    else
        printf("%s: %zu error%s, %zu warning%s%s\n", path, e->count[HEALTH_ERROR], e->count[HEALTH_ERROR] == 1 ? "" : "s",
               e->count[HEALTH_WARNING], e->count[HEALTH_WARNING] == 1 ? "" : "s", weights);
    for (int level = HEALTH_ERROR; level >= HEALTH_NOTE; level--)
        for (size_t i = 0; i < e->health.n; i++) {
            const struct health_finding *h = &e->health.item[i];

            if ((int)health_level(h->code) != level)
                continue;
            printf("\n%s: %s\n", health_level_word(health_level(h->code)), health_word(h->code));
            if (h->where)
                print_paragraph(h->where, 2);
            print_paragraph(h->text, 2);
            printf("  what to do:\n");
            print_paragraph(health_remedy(h->code), 4);
        }
}

static int run_doctor(struct args *a, struct fail *f)
{
    struct examining e = { .args = a, .health.arena = &a->arena };
    const char *path = a->operand.item[0];
    struct fail opening = {0};
    struct model *m = model_open(path, &opening);
    int bad = 0;

    if (!m && (opening.kind != FAIL_INPUT || strcmp(opening.text, "does not exist") == 0)) {
        *f = opening;
        return -1;
    }
    if (m)
        bad = examine(&e, m, path, f);
    else
        health_of_failure(&e.health, &opening);
    model_close(m);
    if (bad)
        return fail_in(f, path);
    for (size_t i = 0; i < e.health.n; i++)
        e.count[health_level(e.health.item[i].code)]++;
    if (a->json)
        bad = json_print(findings_json(&e, path), f);
    else if (!a->quiet)
        bad = (print_findings(&e, path), stdout_done(f));
    if (!bad && e.count[HEALTH_ERROR])
        bad = fail(f, FAIL_NO, "%zu error%s found", e.count[HEALTH_ERROR], e.count[HEALTH_ERROR] == 1 ? " was" : "s were"), fail_in(f, path);
    return bad ? -1 : 0;
}

static const char *const doctor_options[] = { "fast", NULL };

const struct command command_doctor = {
    .name = "doctor", .operands = "MODEL", .about = "is the file sound? findings with stable codes, each with a remedy",
    .detail = "Looks at files and shards, the header, every weight, the label beside the real types, tokenizer, special tokens, chat\n"
              "template, rope keys, the output matrix, importance matrix and license. Exit status 1 when there are errors; warnings and\n"
              "notes do not count. --fast leaves the weights unread. The codes: docs/doctor.md.",
    .options = doctor_options, .min_operands = 1, .max_operands = 1, .run = run_doctor
};
