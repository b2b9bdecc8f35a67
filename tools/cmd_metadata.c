/* cmd_metadata.c - metadata list|set|unset: the keys of one file, changed in place where there is room. */
#include "convert/edit.h"
#include "formats/patch.h"
#include "tools/commands.h"
#include "tools/meta_word.h"
#include "tools/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- list ---- */

static bool wanted(const struct args *a, const char *key)
{
    for (size_t i = 2; i < a->operand.n; i++)
        if (strcmp(a->operand.item[i], key) == 0)
            return true;
    return a->operand.n == 2;
}

static const char *type_text(const struct meta_value *v)
{
    return v->type == META_ARRAY ? meta_type_name(v->a.type) : meta_type_name(v->type);
}

static cJSON *list_json(const struct args *a, const struct meta *meta)
{
    cJSON *root = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(root, "keys");

    for (size_t i = 0; i < meta->n; i++) {
        const struct meta_entry *e = &meta->entry[i];
        cJSON *item;

        if (!wanted(a, e->key))
            continue;
        item = cJSON_CreateObject();
        json_add_text(item, "key", e->key);
        cJSON_AddStringToObject(item, "type", type_text(&e->value));
        cJSON_AddItemToObject(item, "value", json_meta(&e->value));
        cJSON_AddItemToArray(list, item);
    }
    return root;
}

static void print_list(const struct args *a, const struct meta *meta)
{
    for (size_t i = 0; i < meta->n; i++) {
        const struct meta_entry *e = &meta->entry[i];
        cJSON *item = wanted(a, e->key) ? json_meta(&e->value) : NULL;
        char *text = item ? cJSON_PrintUnformatted(item) : NULL;

        if (!item)
            continue;
        print_cell(e->key, 40);
        printf(" %s%-8s ", e->value.type == META_ARRAY ? "[]" : "  ", type_text(&e->value));
        print_last(text ? text : "", a->operand.n > 2 ? 1 << 20 : terminal_columns() - 52);
        putchar('\n');
        free(text);
        cJSON_Delete(item);
    }
}

/* ---- set, unset ---- */

/* Keys that say how the file is laid out are the writer's. */
static int check_free(const char *key, struct fail *f)
{
    static const char *const fixed[] = { "general.alignment", "split.no", "split.count", "split.tensors.count", "bantam.padding", "format" };

    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (strcmp(fixed[i], key) == 0)
            return fail(f, FAIL_USAGE, "key '%s' describes the file itself and cannot be changed", key);
    return 0;
}

static int check_type(const struct meta *old, const struct meta_entry *e, const struct model *m, bool force, struct fail *f)
{
    const struct meta_value *was = meta_get(old, e->key);

    if (e->value.type != META_STRING && strcmp(m->format->name, "safetensors") == 0)
        return fail(f, FAIL_USAGE, "key '%s': safetensors files hold texts only", e->key), fail_hint(f, "%s=str:VALUE", e->key);
    if (!was || was->type == e->value.type || force)
        return 0;
    fail(f, FAIL_USAGE, "key '%s' is of type %s, not %s", e->key, meta_type_name(was->type), meta_type_name(e->value.type));
    return fail_hint(f, "readers may rely on its type; --force changes it");
}

static int set_all(struct args *a, struct model *m, struct fail *f)
{
    for (size_t i = 2; i < a->operand.n; i++) {
        struct meta one = {0};

        if (meta_word_set(&one, &m->arena, a->operand.item[i], f) || check_free(one.entry[0].key, f) ||
            check_type(&m->meta, &one.entry[0], m, a->force, f))
            return -1;
        meta_set(&m->meta, &m->arena, one.entry[0].key, one.entry[0].value);
    }
    return 0;
}

static int unset_all(struct args *a, struct model *m, struct fail *f)
{
    for (size_t i = 2; i < a->operand.n; i++) {
        const char *key = a->operand.item[i];

        if (check_free(key, f))
            return -1;
        if (!meta_get(&m->meta, key))
            return fail(f, FAIL_USAGE, "there is no key '%s'", key), fail_hint(f, "bantam metadata list %s", a->operand.item[1]);
        if (strcmp(key, "general.architecture") == 0 && !a->force)
            return fail(f, FAIL_USAGE, "no reader opens a file without '%s'", key), fail_hint(f, "--force removes it all the same");
        meta_remove(&m->meta, key);
    }
    return 0;
}

static int tell(struct args *a, bool in_place, uint64_t nbytes, struct fail *f)
{
    char size[SIZE_TEXT];
    cJSON *root;

    if (a->json) {
        root = cJSON_CreateObject();
        json_add_text(root, "path", a->operand.item[1]);
        cJSON_AddBoolToObject(root, "in_place", in_place);
        cJSON_AddItemToObject(root, "bytes", json_whole(nbytes));
        cJSON_AddBoolToObject(root, "dry_run", a->dry_run);
        return json_print(root, f);
    }
    if (a->quiet)
        return 0;
    printf("%s: %s%s (%s)\n", a->operand.item[1], a->dry_run ? "would be " : "", in_place ? "changed in place" : "rewritten",
           size_text(size, nbytes));
    return stdout_done(f);
}

static int change(struct args *a, struct edit *e, struct fail *f)
{
    struct meter meter;
    struct progress progress = { meter_bytes, &meter };
    bool in_place = edit_fits(e);
    uint64_t nbytes = in_place ? e->head_nbytes : e->model->file[0].nbytes;
    int bad = 0;

    if (!a->dry_run) {
        meter_start(&meter, a, "rewriting");
        bad = edit_commit(e, &progress, f);
        meter_end(&meter);
    }
    return bad ? -1 : tell(a, in_place, nbytes, f);
}

static int list(struct args *a, struct fail *f)
{
    struct model *m = patch_recover(a->operand.item[1], f) ? NULL : model_open(a->operand.item[1], f);
    int bad = -1;

    if (m && a->json)
        bad = json_print(list_json(a, &m->meta), f);
    else if (m)
        bad = (print_list(a, &m->meta), stdout_done(f));
    model_close(m);
    return bad;
}

static int edit(struct args *a, int (*edit_keys)(struct args *, struct model *, struct fail *), struct fail *f)
{
    struct edit e;
    int bad;

    if (a->operand.n < 3)
        return fail(f, FAIL_USAGE, "'metadata %s' wants keys", a->operand.item[0]), fail_hint(f, "bantam help metadata");
    if (edit_open(&e, a->operand.item[1], f))
        return -1;
    bad = edit_keys(a, e.model, f) || change(a, &e, f);
    edit_close(&e);
    return bad ? -1 : 0;
}

static int run_metadata(struct args *a, struct fail *f)
{
    const char *action = a->operand.item[0];

    if (strcmp(action, "list") == 0)
        return list(a, f);
    if (strcmp(action, "set") == 0)
        return edit(a, set_all, f);
    if (strcmp(action, "unset") == 0)
        return edit(a, unset_all, f);
    return fail(f, FAIL_USAGE, "'metadata' wants list, set or unset, not '%s'", action);
}

static const char *const metadata_options[] = { "dry-run", "force", NULL };

const struct command command_metadata = {
    .name = "metadata", .operands = "list|set|unset FILE [KEY | KEY=TYPE:VALUE]...",
    .about = "the keys of one GGUF or safetensors file, changed in place",
    .detail = "Bantam leaves 4 KiB of room in the headers it writes: a change that fits is made in place, whatever the size of the file;\n"
              "one that does not rewrites the file once, under another name. Neither loses anything when it is interrupted: the next\n"
              "'metadata' command on the file puts the old header back. TYPE: str, file (the text of a file), bool, u8 .. u64,\n"
              "i8 .. i64, f32, f64. A key of another type is changed with --force only.",
    .options = metadata_options, .min_operands = 2, .max_operands = SIZE_MAX, .run = run_metadata
};
