/* verify_static.c - see verify_static.h. */
#include "tools/verify_static.h"

#include "convert/imatrix.h"
#include "convert/rename.h"
#include "convert/unrename.h"
#include "formats/file.h"
#include "tokenizer/tokenizer.h"
#include "tools/html.h"
#include "tools/report.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <string.h>

enum { CONFIG_MAX_BYTES = 64 << 20 };

/* Everything of one check. */
struct task {
    struct args *args;
    const char *out;
    struct model *found, *expected;
    struct model *meaning[2];           /* two directories under GGUF's keys: the file's, the source's; NULL: not looked at */
    struct static_source source;
    struct account account;
    struct vocab *vocab;                /* of a source that is a directory */
    const char *config;                 /* what a GGUF source's config.json would be */
    struct imatrix *imatrix;
    struct imatrix_match match;
    struct static_check check;
    double seconds;
};

/* ---- the chain ---- */
static bool is_gguf(const struct model *m)
{
    return strcmp(m->format->name, "gguf") == 0;
}

static const cJSON *read_config(struct task *t, const struct model *m, struct fail *f)
{
    const char *path = m->dir ? path_join(&t->args->arena, m->dir, "config.json") : NULL;

    return path && path_exists(path) ? json_read(path, CONFIG_MAX_BYTES, &t->args->arena, f) : NULL;
}

/* To GGUF: the source under GGUF's names, keys and row order. */
static struct model *open_renamed(struct task *t, struct model *m, struct fail *f)
{
    bool no_vocabulary = m->dir && !is_gguf(m) && !vocab_dir_has_one(m->dir);
    struct rename_options rename = { .ignore_keys = t->args->ignore_key.item, .no_vocabulary = no_vocabulary };

    m = model_rename(m, &rename, &t->account, &t->vocab, f);
    if (m)
        t->source.keys = (struct key_pair){ .expected_meta = &m->meta, .found_meta = &t->found->meta, .no_vocabulary = no_vocabulary };
    return m;
}

/* Two directories of a known family: what their config.json files mean, under GGUF's keys. */
static bool compare_meanings(struct task *t)
{
    struct rename_options rename = { .ignore_keys = t->args->ignore_key.item, .no_vocabulary = true };
    const char *const path[2] = { t->out, t->args->against };
    struct fail unknown = {0};

    for (int i = 0; i < 2; i++)
        t->meaning[i] = model_rename(model_open(path[i], &unknown), &rename, i ? &t->account : NULL, NULL, &unknown);
    if (!t->meaning[0] || !t->meaning[1])
        return false;
    t->source.keys = (struct key_pair){ .expected_meta = &t->meaning[1]->meta, .found_meta = &t->meaning[0]->meta, .no_vocabulary = true,
                                        .no_description = true };
    return true;
}

/* To safetensors: names stay, or are turned back; config.json is what the keys are. */
static struct model *open_for_safetensors(struct task *t, struct model *m, struct fail *f)
{
    struct key_pair *keys = &t->source.keys;

    if (m->dir && t->found->dir && !is_gguf(m) && compare_meanings(t))
        return m;
    keys->partial = is_gguf(m);
    keys->found_config = read_config(t, t->found, f);
    if (is_gguf(m)) {
        m = model_unrename(m, NULL, &t->config, &t->account, f);
        keys->expected_config = m ? json_parse(t->config, strlen(t->config), "config.json", &t->args->arena, f) : NULL;
    } else {
        keys->expected_config = read_config(t, m, f);
    }
    if (!failed(f))
        return m;
    model_close(m);
    return NULL;
}

static int open_models(struct task *t, struct fail *f)
{
    const struct args *a = t->args;
    struct model *m;

    if (!(t->found = model_open(t->out, f)))
        return fail_in(f, t->out);
    m = model_open(a->against, f);
    if (m)
        m = is_gguf(t->found) ? open_renamed(t, m, f) : open_for_safetensors(t, m, f);
    if (!m)
        return fail_in(f, a->against);
    t->expected = m;
    t->source.model = m;
    t->source.account = &t->account;
    t->source.keys.ignore = a->ignore_key.item;
    return 0;
}

/* The weights that a quantizer with this matrix had: then bytes can be equal. */
static int match_imatrix(struct task *t, struct fail *f)
{
    struct args *a = t->args;
    struct recipe_choice *choice = arena_array(&a->arena, struct recipe_choice, t->expected->ntensors);

    if (!(t->imatrix = imatrix_open(a->imatrix, f)))
        return -1;
    for (size_t i = 0; i < t->expected->ntensors; i++) {
        const struct tensor *y = model_tensor(t->found, t->expected->tensor[i].name);
        choice[i].type = y ? y->type : t->expected->tensor[i].type;
    }
    if (imatrix_match(t->imatrix, t->expected, choice, NULL, &t->match, &a->arena, f))
        return -1;
    t->source.weight = t->match.weight;
    return 0;
}

/* ---- tokenizers ---- */
static struct vocab *vocab_of(struct task *t, struct model *m, struct fail *f)
{
    struct arena *a = &t->args->arena;

    if (is_gguf(m))
        return vocab_open_meta(&m->meta, a, f);
    return m->dir && vocab_dir_has_one(m->dir) ? vocab_open_dir(m->dir, 0, NULL, a, f) : NULL;
}

/* llama.cpp writes some keys by the family, so that readers split text in another way than the source: then so does the file, and
 * only Bantam's remarks (VOCAB_SOURCE_*) would say what the source does. */
static bool as_family_has_it(struct task *t, const struct vocab *found)
{
    static const char *const remarks[] = { VOCAB_SOURCE_PRE, VOCAB_SOURCE_PREFIX };
    struct arena *a = &t->args->arena;
    struct meta m = {0};
    struct fail f = {0};
    struct vocab *v;

    if (!found || !is_gguf(t->found))
        return false;
    meta_copy(&m, a, &t->expected->meta);
    for (size_t i = 0; i < sizeof remarks / sizeof *remarks; i++)
        meta_remove(&m, remarks[i]);
    v = vocab_open_meta(&m, a, &f);
    return v && tokenizer_compare(v, found, &f) == 0;
}

/* A source without a tokenizer says nothing about the file's; a file whose tokenizer cannot be read differs. */
static void compare_tokenizers(struct task *t)
{
    struct fail ours = {0}, theirs = {0};
    bool skip = is_gguf(t->found) && t->source.keys.no_vocabulary;
    struct vocab *x = skip ? NULL : t->vocab ? t->vocab : vocab_of(t, t->expected, &theirs),
                 *y = x ? vocab_of(t, t->found, &ours) : NULL;

    if (!x || (!y && !failed(&ours)))
        return;
    t->check.tokenizers_compared = true;
    if (y && tokenizer_compare(x, y, &ours) == 0)
        return;
    t->check.tokenizer = arena_strdup(&t->args->arena, ours.text);
    t->check.tokenizer_meant = as_family_has_it(t, y);
    t->check.damaged |= !t->check.tokenizer_meant;
}

/* ---- JSON ---- */
static void add_text(cJSON *root, const char *name, const char *value)
{
    cJSON_AddItemToObject(root, name, value ? json_text(value, strlen(value)) : cJSON_CreateNull());
}

static double ratio(double a, double b)
{
    return b > 0 ? a / b : a > 0 ? INFINITY : 0;
}

static cJSON *tensor_json(const struct static_tensor *t)
{
    const struct replay_result *r = &t->result;
    cJSON *item = cJSON_CreateObject();

    add_text(item, "name", t->name);
    add_text(item, "state", static_state_word(t->state));
    add_text(item, "type", t->found ? t->found->type->label : NULL);
    add_text(item, "source", t->from);
    cJSON_AddItemToObject(item, "sources", json_whole(t->from ? t->more + 1 : 0));
    add_text(item, "how", t->how);
    add_text(item, "finding", t->finding);
    if (!r->weights)
        return item;
    cJSON_AddNumberToObject(item, "rmse", sqrt(r->error / (double)r->weights));
    cJSON_AddNumberToObject(item, "nmse", ratio(r->error, r->energy));
    cJSON_AddNumberToObject(item, "max", r->most);
    cJSON_AddNumberToObject(item, "error_beside_bantam", r->error == r->ours ? 1 : ratio(r->error, r->ours));
    cJSON_AddItemToObject(item, "blocks", json_whole(r->blocks));
    cJSON_AddItemToObject(item, "exact_blocks", json_whole(replay_exact(r)));
    cJSON_AddItemToObject(item, "exact_by_way_of_f16", json_whole(r->exact[ROAD_F16]));
    cJSON_AddItemToObject(item, "exact_by_way_of_bf16", json_whole(r->exact[ROAD_BF16]));
    cJSON_AddItemToObject(item, "bad_blocks", json_whole(r->bad_blocks));
    cJSON_AddItemToObject(item, "bad_rows", json_whole(r->bad_rows));
    return item;
}

static cJSON *keys_json(const struct key_list *keys)
{
    cJSON *root = cJSON_CreateObject(), *list;

    cJSON_AddItemToObject(root, "expected", json_whole(keys->expected));
    cJSON_AddItemToObject(root, "equal", json_whole(keys->equal));
    cJSON_AddItemToObject(root, "implied", json_whole(keys->implied));
    list = cJSON_AddArrayToObject(root, "differences");
    for (size_t i = 0; i < keys->n; i++) {
        const struct key_difference *d = &keys->item[i];
        cJSON *item = cJSON_CreateObject();
        add_text(item, "key", d->key);
        add_text(item, "expected", d->expected);
        add_text(item, "found", d->found);
        cJSON_AddBoolToObject(item, "damage", d->damage);
        add_text(item, "why", d->why);
        cJSON_AddItemToArray(list, item);
    }
    return root;
}

static cJSON *account_json(const struct task *t)
{
    static const char *const fates[] = { [ACCOUNT_PENDING] = "pending", [ACCOUNT_USED] = "used", [ACCOUNT_IGNORED] = "ignored" };
    const struct static_check *s = &t->check;
    cJSON *root = cJSON_CreateObject(), *list;

    cJSON_AddItemToObject(root, "tensors_used", json_whole(s->tensors_used));
    cJSON_AddItemToObject(root, "tensors_ignored", json_whole(s->tensors_ignored));
    cJSON_AddItemToObject(root, "keys_used", json_whole(s->keys_used));
    cJSON_AddItemToObject(root, "keys_ignored", json_whole(s->keys_ignored));
    list = cJSON_AddArrayToObject(root, "keys");
    for (size_t i = 0; i < t->account.n; i++) {
        const struct account_entry *e = &t->account.entry[i];
        cJSON *item;
        if (e->kind == ACCOUNT_TENSOR && e->fate == ACCOUNT_USED)
            continue;                                       /* under its tensor */
        item = cJSON_CreateObject();
        add_text(item, "kind", e->kind == ACCOUNT_TENSOR ? "tensor" : "key");
        add_text(item, "name", e->name);
        add_text(item, "fate", fates[e->fate]);
        add_text(item, "to", e->to);
        cJSON_AddItemToArray(list, item);
    }
    return root;
}

static cJSON *check_json(const struct task *t)
{
    const struct static_check *s = &t->check;
    cJSON *root = cJSON_CreateObject(), *item;

    add_text(root, "verdict", s->damaged ? "differs" : "sound");
    add_text(root, "candidate", t->out);
    add_text(root, "original", t->args->against);
    item = cJSON_AddObjectToObject(root, "count");
    for (int i = 0; i < STATIC_STATES; i++)
        cJSON_AddItemToObject(item, static_state_word((enum static_state)i), json_whole(s->count[i]));
    item = cJSON_AddArrayToObject(root, "tensors");
    for (size_t i = 0; i < s->ntensors; i++)
        cJSON_AddItemToArray(item, tensor_json(&s->tensor[i]));
    cJSON_AddItemToObject(root, "keys", keys_json(&s->keys));
    item = cJSON_AddObjectToObject(root, "tokenizer");
    cJSON_AddBoolToObject(item, "compared", s->tokenizers_compared);
    cJSON_AddItemToObject(item, "equal", s->tokenizers_compared ? cJSON_CreateBool(!s->tokenizer) : cJSON_CreateNull());
    cJSON_AddBoolToObject(item, "damage", s->tokenizer && !s->tokenizer_meant);
    add_text(item, "difference", s->tokenizer);
    cJSON_AddItemToObject(root, "source", account_json(t));
    cJSON_AddItemToObject(root, "bytes", json_whole(s->nbytes));
    cJSON_AddNumberToObject(root, "seconds", t->seconds);
    cJSON_AddItemToObject(root, "peak_bytes", json_whole(peak_nbytes()));
    return root;
}

/* ---- text ---- */
static void put(const char *text)
{
    print_last(text, INT_MAX);          /* names and values from files: control characters do not reach the terminal */
}

bool static_is_damage(enum static_state s)
{
    return s == STATIC_DAMAGED || s == STATIC_MISSING || s == STATIC_EXTRA || s == STATIC_RESHAPED;
}

static size_t damaged_tensors(const struct static_check *s)
{
    size_t n = 0;

    for (int i = 0; i < STATIC_STATES; i++)
        n += static_is_damage((enum static_state)i) ? s->count[i] : 0;
    return n;
}

static size_t damaged_keys(const struct static_check *s)
{
    size_t n = 0;

    for (size_t i = 0; i < s->keys.n; i++)
        n += s->keys.item[i].damage;
    return n;
}

/* One row per encoding in the file: how many blocks are equal, and what the others err. */
static void print_encodings(const struct static_check *s)
{
    printf("\n  type       tensors  equal blocks      nmse  largest error  error beside Bantam's\n");
    for (size_t k = 0; k < qtype_count(); k++) {
        struct replay_result all = {0};
        uint64_t exact = 0;
        size_t n = 0;
        for (size_t i = 0; i < s->ntensors; i++) {
            const struct replay_result *r = &s->tensor[i].result;
            if (!r->weights || s->tensor[i].found->type != qtype_at(k))
                continue;
            n++;
            all.blocks += r->blocks;
            exact += replay_exact(r);
            all.error += r->error;
            all.energy += r->energy;
            all.ours += r->ours;
            all.most = r->most > all.most ? r->most : all.most;
        }
        if (n)
            printf("  %-9s %8zu  %11.4g%%  %8.3g  %13.3g", qtype_at(k)->label, n, 100 * (double)exact / (double)(all.blocks ? all.blocks : 1),
                   ratio(all.error, all.energy), all.most);
        if (n && (all.ours > 0 || all.error == 0))
            printf("  %21.4f\n", all.error == all.ours ? 1 : all.error / all.ours);
        else if (n)
            printf("  %21s\n", "-");
    }
}

const char *static_finding_text(const struct static_tensor *t, struct arena *a)
{
    const char *more = t->finding ? t->finding : "";

    switch (t->state) {
    case STATIC_MISSING: return "is missing";
    case STATIC_EXTRA: return arena_printf(a, "is not in the source%s%s", t->finding ? "; it " : "", more);
    case STATIC_DAMAGED: return arena_printf(a, "is damaged%s%s", t->finding ? ": " : "", more);
    default: return more;
    }
}

const char *static_key_text(const struct key_difference *d, struct arena *a)
{
    if (!d->found)
        return arena_printf(a, "is missing, expected: %s", d->expected);
    if (!d->expected)
        return arena_printf(a, "is not implied by the source: %s", d->found);
    return arena_printf(a, "is %s instead of %s", d->found, d->expected);
}

static void print_damaged(const struct static_tensor *t)
{
    struct arena tmp = {0};

    printf("    tensor '");
    put(t->name);
    printf("' ");
    put(static_finding_text(t, &tmp));
    putchar('\n');
    arena_release(&tmp);
}

static void print_key(const struct key_difference *d)
{
    struct arena tmp = {0};

    printf("    key '");
    put(d->key);
    printf("' ");
    put(static_key_text(d, &tmp));
    printf(" (%s)\n", d->why);
    arena_release(&tmp);
}

static void print_keys(const struct key_list *keys, bool damage, const char *title)
{
    for (size_t i = 0; i < keys->n; i++)
        if (keys->item[i].damage == damage) {
            if (title)
                printf("\n  %s\n", title);
            title = NULL;
            print_key(&keys->item[i]);
        }
}

static void print_few(const struct static_check *s)
{
    const char *title = "differs, and an encoder with other arithmetic would explain it";

    for (size_t i = 0; i < s->ntensors; i++)
        if (s->tensor[i].state == STATIC_FITS && s->tensor[i].finding) {
            printf(title ? "\n  %s\n" : "%s", title ? title : "");
            title = NULL;
            printf("    tensor '");
            put(s->tensor[i].name);
            printf("': ");
            put(s->tensor[i].finding);
            putchar('\n');
        }
}

static void print_findings(const struct static_check *s)
{
    if (s->damaged)
        printf("\n  damage\n");
    for (size_t i = 0; i < s->ntensors; i++)
        if (static_is_damage(s->tensor[i].state))
            print_damaged(&s->tensor[i]);
    print_keys(&s->keys, true, NULL);
    if (s->tokenizer && !s->tokenizer_meant) {
        printf("    tokenizer: ");
        put(s->tokenizer);
        putchar('\n');
    }
    print_few(s);
    print_keys(&s->keys, false, "differs, and is no damage");
}

static void print_tensors(const struct static_check *s)
{
    printf("\n  tensor                                     type    state    from\n");
    for (size_t i = 0; i < s->ntensors; i++) {
        const struct static_tensor *t = &s->tensor[i];
        fputs("  ", stdout);
        print_cell(t->name, 42);
        printf(" %-7s %-8s ", t->found ? t->found->type->label : "-", static_state_word(t->state));
        put(t->from ? t->from : "-");
        if (t->more)
            printf(" and %zu more", t->more);
        if (t->how) {
            printf(": ");
            put(t->how);
        }
        putchar('\n');
    }
}

const char *static_state_text(enum static_state s)
{
    static const char *const text[STATIC_STATES] = {
        [STATIC_EXACT] = "equal byte for byte", [STATIC_FITS] = "within what their encoding explains", [STATIC_DAMAGED] = "damaged",
        [STATIC_MISSING] = "missing", [STATIC_EXTRA] = "not in the source", [STATIC_RESHAPED] = "of another shape",
        [STATIC_REPEATS] = "repeating the embeddings"
    };

    return text[s];
}

const char *static_tokenizer_text(const struct static_check *s)
{
    if (!s->tokenizers_compared)
        return "not compared: not both have one";
    if (!s->tokenizer)
        return "gives the same tokens on the built-in text";
    return s->tokenizer_meant ? "gives other tokens than the source, as llama.cpp means it for this family" : "gives other tokens";
}

/* "12 equal byte for byte, 1 damaged" */
static void print_counts(const struct static_check *s)
{
    bool any = false;

    printf("  tensors    ");
    for (int i = 0; i < STATIC_STATES; i++)
        if (s->count[i]) {
            printf("%s%zu %s", any ? ", " : "", s->count[i], static_state_text((enum static_state)i));
            any = true;
        }
    printf(any ? "\n" : "none\n");
}

static void print_check(const struct task *t)
{
    const struct static_check *s = &t->check;
    char size[SIZE_TEXT], seconds[SIZE_TEXT];

    put(t->out);
    printf(" against ");
    put(t->args->against);
    printf("\n  %s\n\n", s->damaged ? "DIFFERS: it is not what the source converts to" : "SOUND: it is what the source converts to");
    print_counts(s);
    printf("  keys       %zu of %zu equal", s->keys.equal, s->keys.expected);
    if (s->keys.implied)
        printf(", %zu left to what readers assume", s->keys.implied);
    printf("\n  tokenizer  %s\n", static_tokenizer_text(s));
    if (t->account.n)
        printf("  source     %zu tensors used, %zu ignored; %zu keys used, %zu ignored\n", s->tensors_used, s->tensors_ignored, s->keys_used,
               s->keys_ignored);
    print_encodings(s);
    print_findings(s);
    if (t->args->verbose)
        print_tensors(s);
    printf("\n  %s compared in %s\n", size_text(size, s->nbytes), time_text(seconds, t->seconds));
}

/* ---- the command ---- */
static int say_no(const struct task *t, struct fail *f)
{
    const struct static_check *s = &t->check;
    size_t tensors = damaged_tensors(s), keys = damaged_keys(s);

    if (!s->damaged)
        return 0;
    fail(f, FAIL_NO, "it is not what '%s' converts to: %zu tensor%s, %zu key%s%s", t->args->against, tensors, tensors == 1 ? "" : "s", keys,
         keys == 1 ? "" : "s", s->tokenizer && !s->tokenizer_meant ? " and the tokenizer" : "");
    if (!tensors && keys && (!s->tokenizer || s->tokenizer_meant))
        fail_hint(f, "if a difference is meant, say so with --ignore-key KEY");
    return fail_in(f, t->out);
}

static int may_report(const struct task *t, struct fail *f)
{
    return html_may_write(t->args->report, t->args->force, f) || model_spared(t->found, t->args->report, f) ||
           model_spared(t->expected, t->args->report, f) ? -1 : 0;
}

static int run(struct task *t, struct fail *f)
{
    double start = seconds_now();
    struct meter meter;
    struct progress progress = { meter_bytes, &meter };
    int bad;

    if (open_models(t, f) || (t->args->report && may_report(t, f)) || (t->args->imatrix && match_imatrix(t, f)))
        return -1;
    meter_start(&meter, t->args, "comparing");
    bad = static_compare(&t->source, t->found, &progress, &t->args->arena, &t->check, f);
    meter_end(&meter);
    if (bad)
        return -1;
    compare_tokenizers(t);
    t->seconds = seconds_now() - start;
    struct static_result shown = { t->args, t->out, t->found, t->expected, &t->account, &t->check, t->seconds };
    if (t->args->report && report_static(&shown, f))
        return -1;
    if (t->args->json)
        bad = json_print(check_json(t), f);
    else if (!t->args->quiet) {
        print_check(t);
        bad = stdout_done(f);
    }
    return bad ? bad : say_no(t, f);
}

int verify_static(struct args *a, struct fail *f)
{
    struct task t = { .args = a, .out = a->operand.item[0] };
    int bad;

    if (a->operand.n != 1)
        return fail(f, FAIL_USAGE, "--static takes one file at a time");
    if (a->text || a->has_max_kld || a->has_max_ppl_ratio)
        return fail(f, FAIL_USAGE, "--static runs no text, so --text and its thresholds mean nothing");
    bad = run(&t, f);

    model_close(t.found);
    model_close(t.expected);
    model_close(t.meaning[0]);
    model_close(t.meaning[1]);
    imatrix_close(t.imatrix);
    account_release(&t.account);
    return bad;
}
