/* verify_static.c - see verify_static.h. */
#include "tools/verify_static.h"

#include "convert/dequantize.h"
#include "convert/imatrix.h"
#include "convert/prune.h"
#include "convert/rename.h"
#include "convert/unrename.h"
#include "formats/file.h"
#include "formats/text.h"
#include "tokenizer/tokenizer.h"
#include "tools/html.h"
#include "tools/report.h"

#include <assert.h>
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

static struct model *prune(struct task *t, struct model *m, struct fail *f)
{
    uint64_t *layer;
    size_t n;

    if (prune_parse(t->args->prune_layers, &t->args->arena, &layer, &n, f) == 0)
        return model_prune(m, layer, n, &t->source.before, f);
    model_close(m);
    return NULL;
}

/* To GGUF: the source under GGUF's names, keys and row order, without the layers that are pruned. */
static struct model *open_renamed(struct task *t, struct model *m, struct fail *f)
{
    bool no_vocabulary = m->dir && !is_gguf(m) && !vocab_dir_has_one(m->dir);
    struct rename_options rename = { .ignore_keys = t->args->ignore_key.item, .no_vocabulary = no_vocabulary };

    m = model_rename(m, &rename, &t->account, &t->vocab, f);
    if (m && t->args->prune_layers)
        m = prune(t, m, f);
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

/* A source in few bits beside scales, and a file that has plain floats instead: then so has the source. What cannot be decoded is compared
 * as it is. */
static int decode(struct task *t, struct model **m, struct fail *f)
{
    struct arena *a = &t->args->arena;
    struct fail unknown = {0};
    struct stored_as ours, theirs;
    struct account account = {0};
    bool known = dequantize_scheme_of(*m, &theirs, a, &unknown) == 0 && dequantize_scheme_of(t->found, &ours, a, &unknown) == 0;
    int bad = 0;

    if (known && theirs.name && !ours.name)
        bad = model_dequantize(m, &theirs, qtype_named("f32"), &account, f);
    account_release(&account);
    return bad ? -1 : 0;
}

/* To safetensors: names stay, or are turned back; config.json is what the keys are. */
static struct model *open_for_safetensors(struct task *t, struct model *m, struct fail *f)
{
    struct key_pair *keys = &t->source.keys;

    if (decode(t, &m, f)) {
        model_close(m);
        return NULL;
    }
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
    if (a->prune_layers && !is_gguf(t->found)) {
        model_close(m);
        return fail(f, FAIL_USAGE, "--prune-layers is for GGUF, which '%s' is not", t->out);
    }
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
    struct recipe_choice *choice;

    assert(t->expected);        /* open_models() has been there */
    choice = arena_array(&a->arena, struct recipe_choice, t->expected->ntensors);
    if (!(t->imatrix = imatrix_open(a->imatrix, f)))
        return -1;
    for (size_t i = 0; i < t->expected->ntensors; i++) {
        const struct tensor *y = model_tensor(t->found, t->expected->tensor[i].name);
        choice[i].type = y ? y->type : t->expected->tensor[i].type;
    }
    if (imatrix_match(t->imatrix, t->expected, choice, t->source.before, &t->match, &a->arena, f))
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

/* ---- the command ---- */
static bool lacks_layers(const struct task *t)
{
    const struct key_list *keys = &t->check.keys;

    for (size_t i = 0; i < keys->n; i++)
        if (ends_with(keys->item[i].key, ".block_count"))
            return t->check.count[STATIC_MISSING] && !t->args->prune_layers;
    return false;
}

static int say_no(const struct task *t, struct fail *f)
{
    const struct static_check *s = &t->check;
    size_t tensors = static_damaged_tensors(s), keys = static_damaged_keys(s);

    if (!s->damaged)
        return 0;
    fail(f, FAIL_NO, "it is not what '%s' converts to: %zu tensor%s, %zu key%s%s", t->args->against, tensors, tensors == 1 ? "" : "s", keys,
         keys == 1 ? "" : "s", s->tokenizer && !s->tokenizer_meant ? " and the tokenizer" : "");
    if (!tensors && keys && (!s->tokenizer || s->tokenizer_meant))
        fail_hint(f, "if a difference is meant, say so with --ignore-key KEY");
    if (lacks_layers(t))
        fail_hint(f, "if layers were left out on purpose, say which: --prune-layers L,L,...");
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
        bad = json_print(static_json(&shown), f);
    else if (!t->args->quiet) {
        static_print(&shown);
        bad = stdout_done(f);
    }
    return bad ? bad : say_no(t, f);
}

int verify_static(struct args *a, struct fail *f)
{
    static const char *const none[] = { "text", "context", "chunks", "memory", "exact", "dry-run", "choices", "shots", "max-kld", "max-ppl-ratio",
                                        "min-top1", "min-choices-agreement", "min-cosine", "min-rank-correlation", NULL };
    struct task t = { .args = a, .out = a->operand.item[0] };
    int bad;

    if (a->operand.n != 1)
        return fail(f, FAIL_USAGE, "--static takes one file at a time");
    if (args_refuse(a, none, "means nothing with --static, which runs no text", f))
        return -1;
    bad = run(&t, f);

    model_close(t.found);
    model_close(t.expected);
    model_close(t.meaning[0]);
    model_close(t.meaning[1]);
    imatrix_close(t.imatrix);
    account_release(&t.account);
    return bad;
}
