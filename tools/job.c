/* job.c - the chain of convert and quantize. */
#include "tools/job.h"

#include "convert/companions.h"
#include "convert/dequantize.h"
#include "convert/prune.h"
#include "convert/quantize.h"
#include "convert/rename.h"
#include "convert/unrename.h"
#include "formats/file.h"
#include "tokenizer/tokenizer.h"
#include "tools/meta_word.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the chain ---- */

static int type_named(const char *option, const char *name, const struct qtype **type, struct fail *f)
{
    if (name && (!(*type = qtype_named(name)) || !(*type)->encode))
        return fail(f, FAIL_USAGE, "--%s: there is no encoding '%s' to write", option, name);
    return 0;
}

/* One word REGEX=TYPE; `option` is where it stands. */
static int parse_override(struct job *j, const char *option, const char *word, struct recipe_override *o, struct fail *f)
{
    const char *equals = strrchr(word, '=');

    if (!equals || equals == word)
        return fail(f, FAIL_USAGE, "--%s wants REGEX=TYPE, not '%s'", option, word);
    o->pattern = arena_copy(&j->arena, word, (size_t)(equals - word));
    return type_named(option, equals + 1, &o->type, f);
}

/* --tensor-type first, then the file of --tensor-types: the first match counts. */
static int parse_overrides(struct job *j, struct recipe_options *o, struct fail *f)
{
    static const char blanks[] = " \t\r\n\f\v";
    const struct arg_list *words = &j->args->tensor_type;
    const char *path = j->args->tensor_types;
    size_t most = words->n, nbytes = 0;
    char *text = path ? file_read_text(path, 64 << 20, &j->arena, &nbytes, f) : NULL;
    struct recipe_override *list;

    if (path && !text)
        return -1;
    list = arena_array(&j->arena, struct recipe_override, most + nbytes / 2 + 1);
    for (size_t i = 0; i < words->n; i++)
        if (parse_override(j, "tensor-type", words->item[i], &list[o->noverrides++], f))
            return -1;
    for (char *rest = text, *word; text && (word = strtok_r(rest, blanks, &rest)); )
        if (parse_override(j, "tensor-types", word, &list[o->noverrides++], f))
            return fail_in(f, path);
    o->override = list;
    return 0;
}

/* The encodings before, and room for those chosen. */
static void list_types(struct job *j)
{
    const struct model *m = j->model;

    j->choice = arena_array(&j->arena, struct recipe_choice, m->ntensors);
    j->from = arena_array(&j->arena, const struct qtype *, m->ntensors);
    for (size_t i = 0; i < m->ntensors; i++)
        j->from[i] = m->tensor[i].type;
}

static int refuse_fallbacks(const struct job *j, struct fail *f)
{
    const struct tensor *first = NULL;
    size_t n = 0, at = 0;

    for (size_t i = j->model->ntensors; i-- > 0; )
        if (j->choice[i].instead_of) {
            first = &j->model->tensor[i];
            at = i;
            n++;
        }
    if (!n)
        return 0;
    fail(f, FAIL_INPUT, "%zu tensors have rows that do not fit their encoding, the first is '%s': %" PRIu64 " weights, %s takes"
         " multiples of %d", n, first->name, tensor_row(first), j->choice[at].instead_of->label, j->choice[at].instead_of->block);
    return fail_hint(f, "without --no-fallback they get wider encodings, which --dry-run lists; or choose: --tensor-type '%s=TYPE'",
                     first->name);
}

/* Does this recipe's file meet --size and --bpw? Its bytes are counted exactly. */
static bool meets_limit(struct job *j, const struct recipe *recipe, const struct recipe_options *options, uint64_t *nbytes)
{
    const struct args *a = j->args;
    struct arena tmp = {0};
    struct fail unfit = {0};
    struct model m = *j->model;
    struct plan plan = {0};
    double bits = 0, weights = 0;
    bool ok = recipe_choose(recipe, j->model, options, j->choice, &unfit) == 0;

    m.meta = (struct meta){0};
    meta_copy(&m.meta, &tmp, &j->model->meta);
    meta_set_u32(&m.meta, &tmp, "general.file_type", 0);
    meta_set_u32(&m.meta, &tmp, "general.quantization_version", 0);
    m.tensor = arena_array(&tmp, struct tensor, m.ntensors);
    for (size_t i = 0; ok && i < m.ntensors; i++) {
        m.tensor[i] = j->model->tensor[i];
        m.tensor[i].type = j->choice[i].type;
        bits += 8 * (double)tensor_bytes(&m.tensor[i]);
        weights += (double)tensor_weights(&m.tensor[i]);
    }
    ok = ok && j->sink->plan(&m, a->out ? a->out : "out.gguf", &j->split, &plan, &unfit) == 0;
    *nbytes = plan.nbytes;
    plan_release(&plan);
    arena_release(&tmp);
    return ok && (a->has_size ? *nbytes <= a->size : bits <= a->bpw * weights);
}

/* --size and --bpw: of all recipes that meet the limit the one with the largest file. */
static int choose_recipe(struct job *j, const struct recipe_options *options, struct fail *f)
{
    struct recipe_options strict = *options;
    const struct recipe *smallest = NULL;
    uint64_t most = 0, least = UINT64_MAX, nbytes;

    strict.dry_run = false;
    for (size_t i = 0; i < recipe_count(); i++) {
        const struct recipe *r = recipe_at(i);

        if (!recipe_is_general(r))
            continue;
        if (meets_limit(j, r, &strict, &nbytes)) {
            j->recipe = nbytes > most ? r : j->recipe;
            most = nbytes > most ? nbytes : most;
        } else if (nbytes && nbytes < least) {
            least = nbytes;
            smallest = r;
        }
    }
    if (j->recipe)
        return 0;
    if (!smallest) {    /* nothing can be planned at all: going on with any says why */
        j->recipe = recipe_named("Q4_K_M");
        return 0;
    }
    fail(f, FAIL_NO, "no type makes the model that small: %s takes %" PRIu64 " bytes", smallest->name, least);
    return fail_hint(f, j->imatrix ? "--prune-layers makes it smaller, at a price"
                                   : "smaller types than that need an importance matrix: --imatrix FILE");
}

static int choose(struct job *j, bool as_converted, struct fail *f)
{
    const struct args *a = j->args;
    struct recipe_options options = {
        .pure = a->pure, .as_converted = as_converted, .allow_requantize = a->allow_requantize, .dry_run = a->dry_run,
        .leave_output = a->leave_output, .has_imatrix = j->imatrix && j->imatrix->n, .in_file_order = a->keep_split, .meta = j->unpruned
    };

    if (type_named("output-type", a->output_type, &options.output_type, f) ||
        type_named("embedding-type", a->embedding_type, &options.embedding_type, f) || parse_overrides(j, &options, f))
        return -1;
    list_types(j);
    if (!j->recipe && choose_recipe(j, &options, f))
        return -1;
    if (recipe_choose(j->recipe, j->model, &options, j->choice, f) || (a->no_fallback && refuse_fallbacks(j, f)))
        return -1;
    return j->imatrix ? imatrix_match(j->imatrix, j->model, j->choice, j->before, &j->match, &j->arena, f) : 0;
}

static int find_sink(struct job *j, struct fail *f)
{
    const struct args *a = j->args;

    j->sink = a->to ? format_named(a->to) : a->out ? format_of_output(a->out) : format_named("gguf");
    if (!j->sink || !j->sink->plan)
        return a->to ? fail(f, FAIL_USAGE, "--to: there is no format '%s' to write", a->to), fail_hint(f, "gguf or safetensors")
                     : fail(f, FAIL_USAGE, "'%s' does not say which format to write", a->out),
                       fail_hint(f, "end OUT in .gguf, or name a directory for safetensors, or say --to");
    return 0;
}

/* A tokenizer that splits text in another way is worse than none: told before a weight is read. */
static int check_tokenizer(struct job *j, struct fail *f)
{
    struct arena scratch = {0};
    struct vocab *written;
    int bad = 0;

    if (j->vocab) {
        written = vocab_open_meta(&j->model->meta, &scratch, f);
        bad = written ? tokenizer_compare(j->vocab, written, f) : -1;
    }
    arena_release(&scratch);
    return bad;
}

/* The model is what a bad input is about, where nothing more exact was said; wrong words on the command line are not. */
int job_blame(const struct job *j, struct fail *f)
{
    return f->kind == FAIL_INPUT ? fail_in(f, j->source) : -1;
}

static int prune(struct job *j, struct fail *f)
{
    uint64_t *layer;
    size_t n;

    if (prune_parse(j->args->prune_layers, &j->arena, &layer, &n, f))
        return -1;
    j->unpruned = &j->model->meta;
    j->model = model_prune(j->model, layer, n, &j->before, f);
    return j->model ? 0 : -1;
}

static struct carry_options carry_options(const struct job *j)
{
    return (struct carry_options){ j->args->license_id, j->args->with_license_text, j->args->no_license_files };
}

/* What the source says of its license; `m` is the source, before anything is done to it. */
static struct model *read_license(struct job *j, struct model *m)
{
    struct evidence_source s;
    const char *none[1] = { NULL };

    if (!m)
        return NULL;
    carry_source(m, j->source, &s, &j->arena);
    j->source_dir = path_is_dir(s.path) ? s.path : path_dir(&j->arena, s.path);
    licensing_of(&s, none, 1, &j->license, &j->arena);
    return m;
}

/* To GGUF: names, keys and layout of GGUF, then the recipe's encodings. */
static int open_canonical(struct job *j, bool as_converted, struct fail *f)
{
    const struct args *a = j->args;
    bool straight = as_converted && j->recipe && recipe_is_outtype(j->recipe);
    struct rename_options rename = { .pre_tokenizer = a->pre_tokenizer, .ignore_keys = a->ignore_key.item, .rounded = !straight };
    struct carry_options carry = carry_options(j);

    j->model = model_rename(read_license(j, model_open(j->source, f)), &rename, &j->account, &j->vocab, f);
    if (!j->model || (a->prune_layers && prune(j, f)))
        return -1;
    if (carry_keys(j->model, &carry, &j->license, f))
        return -1;
    for (size_t i = 0; i < a->metadata.n; i++)
        if (meta_word_set(&j->model->meta, &j->model->arena, a->metadata.item[i], f))
            return -1;
    if (j->imatrix)
        imatrix_provenance(a->no_provenance ? NULL : j->imatrix, &j->model->meta, &j->model->arena);
    return check_tokenizer(j, f) || choose(j, as_converted, f) ? -1 : 0;
}

/* A GGUF model gets Hugging Face's names, row order and config.json; its tokenizer stays behind. */
static int unname(struct job *j, const struct qtype *type, struct fail *f)
{
    struct plan_extra *extra = arena_new(&j->arena, struct plan_extra);
    const char *config = NULL;

    j->model = model_unrename(j->model, type, &config, &j->account, f);
    if (!j->model)
        return -1;
    *extra = (struct plan_extra){ "config.json", config, strlen(config) };
    j->extra = extra;
    j->nextra = 1;
    return 0;
}

/* Matrices stored in few bits become floats of the type asked for: *decoded tells. */
static int decode_matrices(struct job *j, const struct qtype *type, bool *decoded, struct fail *f)
{
    struct account account = {0};
    struct stored_as how;
    int bad = dequantize_scheme_of(j->model, &how, &j->arena, f);

    *decoded = !bad && how.name;
    if (*decoded)
        bad = model_dequantize(&j->model, &how, type, &account, f);
    account_release(&account);
    return bad;
}

/* To safetensors: everything keeps its name; floating-point tensors are cast, and the directory's other files come along. */
static int open_cast(struct job *j, struct fail *f)
{
    static const char *const for_gguf[] = { "size", "bpw", "imatrix", "prune-layers", "metadata", "pre-tokenizer", "tensor-type", "tensor-types",
                                            "output-type", "embedding-type", "leave-output", "pure", "no-fallback", NULL };
    const struct qtype *type = j->recipe && j->recipe->base ? qtype_named(j->recipe->base) : NULL;
    struct carry_options carry = carry_options(j);
    struct meta keys = {0};
    bool decoded = false;

    if (args_refuse(j->args, for_gguf, "is for GGUF", f))
        return fail_hint(f, "end OUT in .gguf");
    assert(j->recipe);          /* of --type, as there is neither --size nor --bpw */
    if (j->recipe->base && (!type || !type->safetensors))
        return fail(f, FAIL_USAGE, "safetensors cannot hold %s", j->recipe->name), fail_hint(f, "F32, F16, BF16 or auto; or end OUT in .gguf");
    if (j->args->with_license_text)
        return fail(f, FAIL_USAGE, "--with-license-text is for GGUF: a directory holds the files themselves");
    if (!(j->model = read_license(j, model_open(j->source, f))))
        return -1;
    if (strcmp(j->model->format->name, "gguf") == 0)
        meta_copy(&keys, &j->arena, &j->model->meta);
    if (strcmp(j->model->format->name, "gguf") == 0 && unname(j, type, f))
        return -1;
    if (type && decode_matrices(j, type, &decoded, f))
        return -1;
    list_types(j);
    for (size_t i = 0; i < j->model->ntensors; i++) {
        const struct qtype *from = j->from[i];
        bool real = from->block > 1 || strcmp(from->name, "f64") == 0 || strcmp(from->name, "f32") == 0 ||
                    strcmp(from->name, "f16") == 0 || strcmp(from->name, "bf16") == 0;

        j->choice[i].type = type && real ? type : from;
    }
    if (j->model->dir && companions_of(j->model->dir, type, decoded, &j->arena, &j->extra, &j->nextra, f))
        return -1;
    return carry_extra(&j->license, &carry, &keys, j->source_dir, &j->extra, &j->nextra, &j->arena, f);
}

static int check_options(const struct args *a, struct fail *f)
{
    if (a->include_weights.n && a->exclude_weights.n)
        return fail(f, FAIL_USAGE, "--include-weights and --exclude-weights cannot be used together");
    if (!a->imatrix && args_refuse(a, (const char *const[]){ "include-weights", "exclude-weights", "no-provenance", NULL }, "needs --imatrix", f))
        return -1;
    if (a->keep_split && a->split_size)
        return fail(f, FAIL_USAGE, "--keep-split and --split-size cannot be used together");
    return 0;
}

static int open_imatrix(struct job *j, struct fail *f)
{
    const struct args *a = j->args;

    if (a->out && path_same(a->imatrix, a->out))
        return fail(f, FAIL_USAGE, "is the importance matrix that is read, and is never replaced"), fail_in(f, a->out);
    if (!(j->imatrix = imatrix_open(a->imatrix, f)))
        return -1;
    imatrix_select(j->imatrix, a->include_weights.item, a->exclude_weights.item);
    return 0;
}

int job_open(struct job *j, const struct args *a, bool as_converted, struct fail *f)
{
    j->args = a;
    j->source = a->operand.item[0];
    j->split = (struct plan_options){ .split_nbytes = a->split_size, .keep_files = a->keep_split };
    if (a->type && !(j->recipe = recipe_named(a->type)))
        return fail(f, FAIL_USAGE, "there is no type '%s'", a->type), fail_hint(f, "'bantam help types' lists them");
    if (check_options(a, f) || find_sink(j, f) || (a->imatrix && open_imatrix(j, f)))
        return -1;
    if (strcmp(j->sink->name, "gguf") == 0 ? open_canonical(j, as_converted, f) : open_cast(j, f))
        return job_blame(j, f);
    j->model = model_quantize(j->model, j->recipe, j->choice, j->match.weight, f);
    if (!j->model || j->sink->plan(j->model, a->out ? a->out : "out.gguf", &j->split, &j->plan, f))
        return job_blame(j, f);
    return 0;
}

void job_release(struct job *j)
{
    plan_release(&j->plan);
    model_close(j->model);
    imatrix_close(j->imatrix);
    account_release(&j->account);
    arena_release(&j->arena);
}
