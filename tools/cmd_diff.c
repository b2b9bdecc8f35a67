/* cmd_diff.c - what differs between two models: keys, tensors, types, values. */
#include "convert/rename.h"
#include "tools/canonical.h"
#include "tools/commands.h"
#include "tools/hashes.h"
#include "tools/report.h"
#include "verify/difference.h"
#include "verify/keys.h"

#include <string.h>

struct diffing {
    struct args *args;
    struct model *a, *b;                /* as compared: raw, or under GGUF's names and row order */
    bool renamed;
    struct key_list keys;
    struct tensor_difference *tensor;
    size_t ntensors, count[TENSOR_STATES];
    uint64_t weights, changed;          /* of tensors that both have */
    struct meter meter;
    uint64_t done, total;
};

/* ---- opening: as they are when both are of one format, otherwise what conversion makes of them ---- */

static bool of_one_kind(const struct model *a, const struct model *b)
{
    return a->format == b->format && (a->dir != NULL) == (b->dir != NULL);
}

static struct model *converted(const struct diffing *d, const char *path, struct fail *f)
{
    struct rename_options options = { .ignore_keys = d->args->ignore_key.item, .rounded = true };
    struct model *m = model_rename(model_open(path, f), &options, NULL, NULL, f);

    if (!m)
        fail_in(f, path);
    return m;
}

static int open_both(struct diffing *d, struct fail *f)
{
    const char *const *path = d->args->operand.item;

    d->a = model_open(path[0], f);
    d->b = d->a ? model_open(path[1], f) : NULL;
    if (!d->b || of_one_kind(d->a, d->b))
        return d->b ? 0 : -1;
    d->renamed = true;
    model_close(d->a);
    model_close(d->b);
    d->b = NULL;
    d->a = converted(d, path[0], f);
    d->b = d->a ? converted(d, path[1], f) : NULL;
    return d->b ? 0 : -1;
}

/* A directory's keys, where its family is known, under GGUF's names. */
static struct model *keys_of(const char *path)
{
    struct rename_options options = { .no_vocabulary = true, .rounded = true };
    struct fail unknown = {0};

    return model_rename(model_open(path, &unknown), &options, NULL, NULL, &unknown);
}

static void compare_keys(struct diffing *d)
{
    const char *const *path = d->args->operand.item;
    bool dirs = !d->renamed && d->a->dir;
    struct model *a = dirs ? keys_of(path[0]) : NULL, *b = dirs ? keys_of(path[1]) : NULL;
    bool both = a && b;
    struct key_pair pair = { .expected_meta = both ? &a->meta : &d->a->meta, .found_meta = both ? &b->meta : &d->b->meta,
                             .every = !d->renamed };

    keys_compare(&pair, &d->args->arena, &d->keys);
    for (size_t i = 0; both && i < d->keys.n; i++)
        d->keys.item[i].key = arena_strdup(&d->args->arena, d->keys.item[i].key);
    model_close(a);
    model_close(b);
}

static void count_bytes(void *ctx, uint64_t n)
{
    struct diffing *d = ctx;

    d->done += n;
    meter_bytes(&d->meter, d->done, d->total);
}

static int compare(struct diffing *d, struct fail *f)
{
    compare_keys(d);
    d->total = amount_of(d->b, NULL).nbytes;
    meter_start(&d->meter, d->args, "comparing");
    d->tensor = model_difference(d->a, d->b, count_bytes, d, &d->args->arena, &d->ntensors, f);
    meter_end(&d->meter);
    for (size_t i = 0; d->tensor && i < d->ntensors; i++) {
        d->count[d->tensor[i].state]++;
        d->changed += d->tensor[i].changed;
        d->weights += d->tensor[i].a && d->tensor[i].b ? tensor_weights(d->tensor[i].a) : 0;
    }
    return d->tensor ? 0 : -1;
}

/* Between formats, another type that holds the same numbers is no difference: GGUF keeps small tensors in F32. */
static bool equal(const struct diffing *d)
{
    return d->keys.n == 0 && d->count[TENSOR_SAME] + (d->renamed ? d->count[TENSOR_RECODED] : 0) == d->ntensors;
}

/* ---- showing ---- */

static cJSON *keys_json(const struct key_list *keys)
{
    cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; i < keys->n; i++) {
        cJSON *item = cJSON_CreateObject();

        json_add_text(item, "key", keys->item[i].key);
        json_add_text(item, "a", keys->item[i].expected);
        json_add_text(item, "b", keys->item[i].found);
        cJSON_AddItemToArray(list, item);
    }
    return list;
}

static cJSON *shape_json(const struct tensor *t)
{
    cJSON *list = t ? cJSON_CreateArray() : cJSON_CreateNull();

    for (int i = 0; t && i < t->rank; i++)
        cJSON_AddItemToArray(list, json_whole(t->shape[i]));
    return list;
}

static double changed_share(const struct tensor_difference *t)
{
    uint64_t n = t->a ? tensor_weights(t->a) : 0;

    return n ? (double)t->changed / (double)n : 0;
}

static cJSON *tensors_json(const struct diffing *d)
{
    cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; i < d->ntensors; i++) {
        const struct tensor_difference *t = &d->tensor[i];
        cJSON *item;

        if (t->state == TENSOR_SAME && !d->args->tensors)
            continue;
        item = cJSON_CreateObject();
        json_add_text(item, "name", t->a ? t->a->name : t->b->name);
        json_add_text(item, "state", difference_word(t->state));
        json_add_text(item, "type_a", t->a ? t->a->type->label : NULL);
        json_add_text(item, "type_b", t->b ? t->b->type->label : NULL);
        cJSON_AddItemToObject(item, "shape_a", shape_json(t->a));
        cJSON_AddItemToObject(item, "shape_b", shape_json(t->b));
        cJSON_AddNumberToObject(item, "changed", changed_share(t));
        cJSON_AddNumberToObject(item, "rmse", moments_rmse(&t->moments));
        cJSON_AddNumberToObject(item, "nmse", moments_nmse(&t->moments));
        cJSON_AddNumberToObject(item, "largest", t->largest);
        cJSON_AddItemToObject(item, "not_finite", json_whole(t->not_finite));
        cJSON_AddItemToArray(list, item);
    }
    return list;
}

static cJSON *result_json(const struct diffing *d)
{
    cJSON *root = cJSON_CreateObject(), *counts;

    json_add_text(root, "a", d->args->operand.item[0]);
    json_add_text(root, "b", d->args->operand.item[1]);
    cJSON_AddBoolToObject(root, "equal", equal(d));
    cJSON_AddBoolToObject(root, "renamed", d->renamed);
    counts = cJSON_AddObjectToObject(root, "counts");
    for (int i = 0; i < TENSOR_STATES; i++)
        cJSON_AddItemToObject(counts, difference_word(i), json_whole(d->count[i]));
    cJSON_AddNumberToObject(root, "changed", d->weights ? (double)d->changed / (double)d->weights : 0);
    cJSON_AddItemToObject(root, "keys", keys_json(&d->keys));
    cJSON_AddItemToObject(root, "tensors", tensors_json(d));
    return root;
}

static void print_keys(const struct key_list *keys)
{
    if (keys->n)
        printf("\n  keys\n");
    for (size_t i = 0; i < keys->n; i++) {
        const struct key_difference *k = &keys->item[i];

        fputs("  ", stdout);
        print_last(k->key, terminal_columns() - 2);
        printf("\n    A  ");
        print_last(k->expected ? k->expected : "-", terminal_columns() - 7);
        printf("\n    B  ");
        print_last(k->found ? k->found : "-", terminal_columns() - 7);
        putchar('\n');
    }
}

static void print_tensors(const struct diffing *d)
{
    size_t shown = 0;

    for (size_t i = 0; i < d->ntensors; i++) {
        const struct tensor_difference *t = &d->tensor[i];

        if (t->state == TENSOR_SAME && !d->args->tensors)
            continue;
        if (shown++ == 0)
            printf("\n  tensor                           A       B       state      changed      rmse\n");
        fputs("  ", stdout);
        print_cell(t->a ? t->a->name : t->b->name, 32);
        printf(" %-7s %-7s %-9s", t->a ? t->a->type->label : "-", t->b ? t->b->type->label : "-", difference_word(t->state));
        if (t->state == TENSOR_CHANGED)
            printf(" %7.3f %% %9.3g", 100 * changed_share(t), moments_rmse(&t->moments));
        putchar('\n');
    }
}

static void print_result(const struct diffing *d)
{
    printf("A  %s\nB  %s\n", d->args->operand.item[0], d->args->operand.item[1]);
    if (d->renamed)
        printf("of different formats: compared as conversion would have them, under GGUF's names\n");
    if (equal(d)) {
        printf("no difference in %zu tensors and %zu keys", d->ntensors, d->keys.equal);
        if (d->count[TENSOR_RECODED])
            printf("; %zu tensors hold the same numbers in another type", d->count[TENSOR_RECODED]);
        putchar('\n');
        return;
    }
    printf("%zu key%s; of %zu tensors", d->keys.n, d->keys.n == 1 ? " differs" : "s differ", d->ntensors);
    for (int i = 0, n = 0; i < TENSOR_STATES; i++)
        if (d->count[i])
            printf("%s %zu %s", n++ ? "," : "", d->count[i], difference_word(i));
    if (d->changed)
        printf("; %.3f %% of the weights changed", 100 * (double)d->changed / (double)d->weights);
    putchar('\n');
    print_keys(&d->keys);
    print_tensors(d);
}

/* ---- --fingerprint ---- */

static int fingerprints(struct args *a, struct fail *f)
{
    char text[2][XXH3_TEXT];
    bool same;
    cJSON *root;

    for (int i = 0; i < 2; i++) {
        struct model *m = model_open(a->operand.item[i], f);
        XXH128_hash_t *hash = m ? hash_tensors(m, a, f) : NULL;

        if (hash)
            xxh3_text(text[i], fingerprint_of(m, hash));
        model_close(m);
        if (!hash)
            return -1;
    }
    same = strcmp(text[0], text[1]) == 0;
    if (a->json) {
        root = cJSON_CreateObject();
        json_add_text(root, "a", text[0]);
        json_add_text(root, "b", text[1]);
        cJSON_AddBoolToObject(root, "equal", same);
        if (json_print(root, f))
            return -1;
    } else if (!a->quiet) {
        printf("%s  %s\n%s  %s\n", text[0], a->operand.item[0], text[1], a->operand.item[1]);
        if (stdout_done(f))
            return -1;
    }
    return same ? 0 : fail(f, FAIL_NO, "the weights of the two models differ");
}

/* ---- the command ---- */

static int run_diff(struct args *a, struct fail *f)
{
    struct diffing d = { .args = a };
    int bad;

    if (a->fingerprint)
        return fingerprints(a, f);
    bad = open_both(&d, f) || compare(&d, f);
    if (!bad && a->json)
        bad = json_print(result_json(&d), f);
    else if (!bad && !a->quiet)
        bad = (print_result(&d), stdout_done(f));
    if (!bad && !equal(&d))
        bad = fail(f, FAIL_NO, "the two models differ");
    model_close(d.a);
    model_close(d.b);
    return bad ? -1 : 0;
}

static const char *const diff_options[] = { "tensors", "fingerprint", "ignore-key", NULL };

const struct command command_diff = {
    .name = "diff", .operands = "A B", .about = "what differs between two models: keys, tensors, types, values",
    .detail = "Models of one format are compared as they are. Of different formats (a directory and a GGUF file) both are read as conversion\n"
              "has them: renamed, permuted, merged. Exit status 1 when anything differs. --tensors lists equal tensors too; --fingerprint\n"
              "compares one id of all weights, which edits of keys, splitting and the order of tensors leave as it is.",
    .options = diff_options, .min_operands = 2, .max_operands = 2, .run = run_diff
};
