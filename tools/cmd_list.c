/* cmd_list.c - every model in every local store: name, size, type, license, and which are the same bytes. */
#include "convert/recipe.h"
#include "formats/file.h"
#include "formats/store.h"
#include "formats/text.h"
#include "tools/commands.h"
#include "tools/report.h"
#include "tools/report_license.h"

#include <stdlib.h>
#include <string.h>

struct row {
    const struct store_item *item;
    struct model_file *file;            /* of the model, in the arena */
    size_t nfiles;
    uint64_t nbytes;
    const char *type, *license, *problem;
    enum verdict verdict;               /* on the license */
    const struct row *same_as;          /* an earlier row with the same bytes */
};

/* general.file_type as --type names it; otherwise the encoding that most bytes have. */
static const char *type_of(const struct model *m)
{
    uint64_t id = meta_u64(&m->meta, "general.file_type", UINT64_MAX), most = 0;
    const char *label = NULL;

    if (recipe_of_file_type(id))
        return recipe_of_file_type(id)->name;
    for (size_t k = 0; k < qtype_count(); k++) {
        struct amount a = amount_of(m, qtype_at(k));

        if (a.nbytes > most) {
            most = a.nbytes;
            label = qtype_at(k)->label;
        }
    }
    return label;
}

/* What is determined, otherwise what is declared. */
static void read_license(struct row *r, const struct model *m, struct arena *a)
{
    struct licensing l;

    license_of_model(m, r->item->name, meta_str(&m->meta, "general.name", NULL), &l, a);
    r->verdict = l.verdict;
    r->license = l.license ? l.license->id : l.declared ? arena_strdup(a, l.declared) : NULL;
}

static void fill(struct row *r, struct arena *a)
{
    struct fail f = {0};
    struct model *m = r->item->path ? model_open(r->item->path, &f) : NULL;

    r->problem = r->item->problem ? r->item->problem : m ? NULL : arena_strdup(a, f.text);
    if (!m)
        return;
    r->file = arena_array(a, struct model_file, m->nfiles);
    r->nfiles = m->nfiles;
    for (size_t i = 0; i < m->nfiles; i++) {
        r->file[i] = (struct model_file){ arena_strdup(a, m->file[i].path), m->file[i].nbytes };
        r->nbytes += m->file[i].nbytes;
    }
    r->type = type_of(m);
    read_license(r, m, a);
    model_close(m);
}

/* ---- duplicates ---- */

/* Both are open and of one size; memcmp() stops at the first difference. */
static bool same_bytes(const struct file *one, const struct file *other)
{
    enum { STEP = 4 << 20 };
    struct arena tmp = {0};
    bool same = true;

    for (uint64_t at = 0; same && at < one->nbytes; at += STEP) {
        uint64_t n = one->nbytes - at < STEP ? one->nbytes - at : STEP;

        same = memcmp(file_range(one, at, n, &tmp), file_range(other, at, n, &tmp), n) == 0;
        arena_reset(&tmp);
    }
    arena_release(&tmp);
    return same;
}

static bool same_file(const struct model_file *one, const struct model_file *other)
{
    struct fail f = {0};
    struct file a, b;
    bool same = false;

    if (one->nbytes != other->nbytes || path_same(one->path, other->path))
        return one->nbytes == other->nbytes;
    if (file_open(&a, one->path, &f))
        return false;
    if (file_open(&b, other->path, &f) == 0) {
        same = a.nbytes == b.nbytes && same_bytes(&a, &b);
        file_close(&b);
    }
    file_close(&a);
    return same;
}

static bool same_model(const struct row *one, const struct row *other)
{
    if (!one->file || !other->file || one->nfiles != other->nfiles || one->nbytes != other->nbytes)
        return false;
    if (one->nfiles == 1 && one->item->sha256 && other->item->sha256)
        return strcmp(one->item->sha256, other->item->sha256) == 0;
    for (size_t i = 0; i < one->nfiles; i++)
        if (!same_file(&one->file[i], &other->file[i]))
            return false;
    return true;
}

static void find_duplicates(struct row *row, size_t n)
{
    for (size_t i = 1; i < n; i++)
        for (size_t k = 0; k < i && !row[i].same_as; k++)
            if (!row[k].same_as && same_model(&row[i], &row[k]))
                row[i].same_as = &row[k];
}

/* ---- showing ---- */

static cJSON *rows_json(const struct row *row, size_t n)
{
    cJSON *root = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(root, "models");

    for (size_t i = 0; i < n; i++) {
        cJSON *item = cJSON_CreateObject();

        json_add_text(item, "name", row[i].item->name);
        json_add_text(item, "path", row[i].item->path);
        cJSON_AddItemToObject(item, "bytes", json_whole(row[i].nbytes));
        json_add_text(item, "type", row[i].type);
        json_add_text(item, "license", row[i].license);
        json_add_text(item, "license_verdict", row[i].file ? verdict_word(row[i].verdict) : NULL);
        json_add_text(item, "sha256", row[i].item->sha256);
        json_add_text(item, "same_as", row[i].same_as ? row[i].same_as->item->name : NULL);
        json_add_text(item, "problem", row[i].problem);
        cJSON_AddItemToArray(list, item);
    }
    return root;
}

static void print_row(const struct row *r, int width)
{
    char size[SIZE_TEXT];

    print_cell(r->item->name, width);
    if (r->problem) {
        fputs("  ", stdout);
        print_last(r->problem, terminal_columns() - width - 2);
    } else {
        printf(" %10s  ", size_text(size, r->nbytes));
        print_cell(r->type ? r->type : "-", 8);
        putchar(' ');
        print_last(r->verdict == VERDICT_ALTERED || r->verdict == VERDICT_CONFLICT ? verdict_word(r->verdict) : r->license ? r->license : "not said", 18);
    }
    putchar('\n');
    if (r->same_as)
        printf("  the same bytes as %s\n", r->same_as->item->name);
}

static void print_rows(const struct row *row, size_t n)
{
    int width = 24, room = terminal_columns() - 42;
    char size[SIZE_TEXT];
    uint64_t twice = 0;     /* links to one file take no room of their own */

    for (size_t i = 0; i < n; i++)
        if ((int)strlen(row[i].item->name) > width)
            width = (int)strlen(row[i].item->name);
    width = width > room ? room : width;
    for (size_t i = 0; i < n; i++) {
        print_row(&row[i], width);
        twice += row[i].same_as && !path_same(row[i].file->path, row[i].same_as->file->path) ? row[i].nbytes : 0;
    }
    if (twice)
        printf("\n%s are there twice\n", size_text(size, twice));
}

static void print_nothing(const char *only)
{
    struct arena a = {0};

    printf("no models were found in:\n");
    for (size_t i = 0; i < store_count(); i++) {
        size_t n = 0;
        const char *const *root = !only || strcmp(only, store_at(i)->name) == 0 ? store_at(i)->roots(&a, &n) : NULL;

        for (size_t k = 0; k < n; k++)
            printf("  %-19s %s\n", store_at(i)->label, root[k]);
    }
    arena_release(&a);
}

/* "ollama" or "ollama:" of the operand; NULL: all stores. */
static int chosen(struct args *a, const char **only, struct fail *f)
{
    size_t n = a->operand.n ? strcspn(a->operand.item[0], ":") : 0;

    *only = NULL;
    for (size_t i = 0; i < store_count() && n; i++)
        if (strlen(store_at(i)->name) == n && starts_with(a->operand.item[0], store_at(i)->name))
            *only = store_at(i)->name;
    if (!n || *only)
        return 0;
    return fail(f, FAIL_USAGE, "'%s' is no store: hf, ollama, lmstudio or jan", a->operand.item[0]);
}

static int run_list(struct args *a, struct fail *f)
{
    struct store_items items = {0};
    const char *only;
    struct row *row;

    if (chosen(a, &only, f))
        return -1;
    for (size_t i = 0; i < store_count(); i++)
        if (!only || strcmp(only, store_at(i)->name) == 0)
            store_at(i)->list(&items, &a->arena);
    row = arena_array(&a->arena, struct row, items.n);
    for (size_t i = 0; i < items.n; i++) {
        row[i].item = &items.item[i];
        fill(&row[i], &a->arena);
    }
    find_duplicates(row, items.n);
    if (a->json)
        return json_print(rows_json(row, items.n), f);
    if (items.n)
        print_rows(row, items.n);
    else
        print_nothing(only);
    return stdout_done(f);
}

static const char *const list_options[] = { NULL };

const struct command command_list = {
    .name = "list", .operands = "[STORE]", .about = "the models in the stores of Hugging Face, Ollama, LM Studio and Jan",
    .detail = "Each with the name that every command takes for MODEL, its size, type and license, and the models that are the same\n"
              "bytes. STORE: hf, ollama, lmstudio or jan; otherwise all. HF_HUB_CACHE, HF_HOME, OLLAMA_MODELS and JAN_DATA_FOLDER are honored.",
    .options = list_options, .min_operands = 0, .max_operands = 1, .run = run_list
};
