/* score.c - text to places that are scored, all models through the network in step, and what they said there. */
#include "verify/score.h"

#include "formats/usage.h"

#include "verify/budget.h"
#include "verify/chunks.h"
#include "verify/digest.h"
#include "verify/forward.h"
#include "verify/states.h"
#include "verify/sums.h"
#include "verify/units.h"
#include "quant/isa.h"

#include <math.h>
#include <string.h>

enum {
    LOGITS_TOKENS = 512,               /* in a batch: no more than pay for decoding the output matrix again */
    MOST_BITS = 7,                      /* of a candidate whose error is far above that of bfloat16 products */
    STATES_NBYTES = 16 << 20,           /* of hidden states compared at a time, at least one */
    SAVE_SECONDS = 15,                  /* between two savings of states that are in memory: what a killed run loses at most */
};

struct job {
    const struct score_models *models;
    const struct score_input *in;
    const struct score_options *options;
    struct stream **stream;                     /* the original's, and behind it the candidates' */
    size_t nstreams;
    struct budget budget;
    struct states *states;
    struct tensor_errors *errors;               /* of each candidate */
    enum { NOTHING, LAYER, OUTPUT } observed;   /* of the original's products */
    struct sums inputs;                         /* what they were given */
    struct workspace space;                     /* the streams take turns */
    float *before;                              /* hidden states of the first chunk's second half before the layer */
    const char *what;                           /* for progress */
    uint64_t done, total;
    struct arena *arena;
    struct score *score;
};

static struct model *model_at(const struct job *j, size_t i)
{
    return i ? j->models->candidate[i - 1] : j->models->original;
}

/* ---- progress ---- */

static void begin(struct job *j, const char *what, uint64_t total)
{
    j->what = what;
    j->done = 0;
    j->total = total;
}

static void advance(void *ctx, size_t n)
{
    struct job *j = ctx;

    j->done += n;
    if (j->options->progress)
        j->options->progress(j->options->ctx, j->what, j->done, j->total);
}

/* ---- the text ---- */

/* Token i of a chunk is scored on what the model says behind token i - 1; only the second half is, so that there is context:
 *
 *      0         context / 2              context - 1
 *      BOS  a  b  c   d       e   f   g   h               at: d e f g    next: e f g h
 */
static void choose_scored(struct score_input *in, struct arena *a)
{
    size_t first = in->context / 2, per_chunk = in->context - 1 - first;
    size_t *at = arena_array(a, size_t, in->nchunks * per_chunk);
    int32_t *next = arena_array(a, int32_t, in->nchunks * per_chunk);

    in->n = 0;
    for (size_t k = 0; k < in->nchunks; k++)
        for (size_t i = first; i < in->context - 1; i++) {
            at[in->n] = k * in->context + i;
            next[in->n++] = in->token[k * in->context + i + 1];
        }
    in->at = at;
    in->next = next;
}

int score_input_of(struct score_input *in, const struct vocab *v, const char *text, size_t nbytes, const struct score_options *o,
                   struct arena *a, struct fail *f)
{
    struct chunk_options options = { .context = o->context ? o->context : CHUNK_CONTEXT, .most = o->chunks };
    struct chunks chunks = {0};

    if (options.context < 3)
        return fail(f, FAIL_USAGE, "a context of %zu tokens leaves none to score: 3 are needed", options.context);
    if (chunks_read(&chunks, v, text, nbytes, &options, a, f) != 0)
        return -1;
    *in = (struct score_input){ .token = chunks.token, .nchunks = chunks.n, .context = chunks.context };
    choose_scored(in, a);
    return 0;
}

/* ---- layers ---- */

static int check_pair(const struct stream *original, const struct stream *candidate, struct fail *f)
{
    const struct {
        const char *what;
        size_t o, c;
    } rows[] = {
        { "layers", stream_layers(original), stream_layers(candidate) },
        { "numbers in a hidden state", stream_width(original), stream_width(candidate) },
        { "pieces in the vocabulary", stream_vocabulary(original), stream_vocabulary(candidate) },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].o != rows[i].c)
            return fail(f, FAIL_INPUT, "the candidate has %zu %s, the original %zu: not the same model", rows[i].c, rows[i].what,
                        rows[i].o);
    return 0;
}

/* The first tensor that is part of a layer here and not there. */
static const char *only_in(const struct model *here, const struct model *there)
{
    for (size_t i = 0; i < here->ntensors; i++)
        if (strncmp(here->tensor[i].name, "blk.", 4) == 0 && !model_tensor(there, here->tensor[i].name))
            return here->tensor[i].name;
    return NULL;
}

/* The same layers may go by the names of two architectures; others are another model, even if their sizes are the same. */
static int check_architecture(const struct model *original, const struct model *candidate, struct fail *f)
{
    const char *o = meta_str(&original->meta, "general.architecture", ""), *c = meta_str(&candidate->meta, "general.architecture", ""), *name;

    if (strcmp(o, c) == 0 || (!(name = only_in(original, candidate)) && !(name = only_in(candidate, original))))
        return 0;
    return fail(f, FAIL_INPUT, "the candidate's architecture is '%s', the original's '%s', and only one of them has '%s': not the same model", c, o, name);
}

int score_check(const struct score_models *models, struct fail *f)
{
    const int32_t token = 0;
    struct stream *original = stream_open(models->original, &token, 1, 1, NULL, f);
    int bad = original ? 0 : -1;

    for (size_t k = 0; k < models->n && !bad; k++) {
        struct stream *s = stream_open(models->candidate[k], &token, 1, 1, NULL, f);
        bad = !s ? -1 : check_pair(original, s, f) || check_architecture(models->original, models->candidate[k], f) ? fail_in(f, models->candidate[k]->path) : 0;
        stream_close(s);
    }
    stream_close(original);
    return bad;
}

static size_t batch_of(size_t limit, size_t row_nbytes, size_t n)
{
    size_t fit = limit / row_nbytes;

    fit = fit ? fit : 1;
    return fit < n ? fit : n;
}

/* Of the scored tokens only: the first ones of a chunk have hidden states hundreds of times larger in many models, which
 * would drown the others. One sum per token, added in order, whatever the number of threads. */
static int compare_hidden(struct job *j, size_t layer, struct fail *f)
{
    const struct score_input *in = j->in;
    size_t width = stream_width(j->stream[0]), batch = batch_of(STATES_NBYTES, width * sizeof(float), in->n);
    struct arena tmp = {0};
    float *x = arena_raw(&tmp, batch * width * sizeof *x), *y = arena_raw(&tmp, batch * width * sizeof *y);
    struct moments *part = arena_array(&tmp, struct moments, batch), *all = arena_array(&tmp, struct moments, j->nstreams);
    int bad = 0;

    for (size_t first = 0; first < in->n && !bad; first += batch) {
        size_t n = in->n - first < batch ? in->n - first : batch;
        bad = stream_gather(j->stream[0], in->at + first, n, x, f);
        for (size_t k = 1; k < j->nstreams && !bad; k++) {
            bad = stream_gather(j->stream[k], in->at + first, n, y, f);
#pragma omp parallel for
            for (size_t i = 0; i < n; i++)
                part[i] = moments_of(x + i * width, y + i * width, width);
            for (size_t i = 0; i < n; i++)
                moments_add(&all[k], &part[i]);
        }
    }
    for (size_t k = 1; k < j->nstreams && !bad; k++)
        j->score->candidate[k - 1].layer_nmse[layer] = moments_nmse(&all[k]);
    arena_release(&tmp);
    return bad;
}

static uint32_t note_key(const struct job *j, size_t layer, size_t candidate)
{
    return (uint32_t)(layer * j->models->n + candidate);
}

/* The errors behind a layer, from what an earlier run has noted, or now. */
static int layer_errors(struct job *j, size_t layer, struct fail *f)
{
    struct candidate_score *c = j->score->candidate;
    size_t noted = 0;

    for (size_t k = 0; k < j->models->n; k++)
        noted += states_noted(j->states, note_key(j, layer, k), &c[k].layer_nmse[layer]);
    if (noted == j->models->n)
        return 0;
    if (compare_hidden(j, layer, f) != 0)
        return -1;
    for (size_t k = 0; k < j->models->n; k++)
        if (states_note(j->states, note_key(j, layer, k), c[k].layer_nmse[layer], f) != 0)
            return -1;
    return 0;
}

/* ---- products: what the errors of weights do to what they are multiplied with ---- */

/* Inputs of the original's products: in a layer those of the first chunk's second half (of experts, of all tokens of the first group),
 * of the output matrix those of as many scored tokens as a chunk has. */
static void observe(void *ctx, const struct tensor *t, size_t expert, const float *x, size_t n)
{
    struct job *j = ctx;
    size_t context = j->in->context, half = context / 2, columns = tensor_row(t);
    struct sums_entry *e = j->observed ? sums_entry(&j->inputs, t->name, t->rank == 3 ? t->shape[0] : 1, columns) : NULL;

    if (!e)
        return;
    if (t->rank == 3)
        sums_add(e, expert, x, n);
    else if (j->observed == OUTPUT && e->count[0] < context)
        sums_add(e, 0, x, n < context - e->count[0] ? n : context - e->count[0]);
    else if (j->observed == LAYER && e->count[0] == 0 && n >= context)
        sums_add(e, 0, x + half * columns, context - half);
}

static uint32_t product_key(const struct job *j, size_t candidate, size_t tensor, bool reach)
{
    return (uint32_t)(note_key(j, j->score->nlayers, 0) + 2 * (tensor * j->models->n + candidate) + reach);
}

static int note_products(struct job *j, double reach, struct fail *f)
{
    for (size_t k = 0; k < j->models->n; k++)
        for (size_t i = 0; i < j->errors[k].n; i++) {
            struct tensor_error *e = &j->errors[k].item[i];
            if (!e->seen || name_index_find(&j->inputs.names, e->name) < 0)
                continue;
            e->reach = reach;
            if (states_note(j->states, product_key(j, k, i, false), e->product, f) != 0 ||
                states_note(j->states, product_key(j, k, i, true), reach, f) != 0)
                return -1;
        }
    return 0;
}

static int finish_products(struct job *j, struct fail *f)
{
    const struct score_models *m = j->models;

    j->observed = NOTHING;
    return weights_products(m->original, m->candidate, m->n, &j->inputs, j->errors, f);
}

/* Where the hidden states of the first chunk's second half begin and how many floats they are. */
static size_t sample_of(const struct job *j, size_t *n)
{
    size_t first = j->in->context / 2, width = stream_width(j->stream[0]);

    *n = (j->in->context - first) * width;
    return first * width;
}

static int keep_before(struct job *j, struct fail *f)
{
    size_t first = j->in->context / 2, n = j->in->context - first;
    struct arena tmp = {0};
    size_t *at = arena_array(&tmp, size_t, n);
    int bad;

    for (size_t i = 0; i < n; i++)
        at[i] = first + i;
    bad = stream_gather(j->stream[0], at, n, j->before, f);
    arena_release(&tmp);
    return bad;
}

/* What the layer has added, as a share of what is there now, is as far as errors within it reach. */
static int layer_passed(void *ctx, const float *x, struct fail *f)
{
    struct job *j = ctx;
    struct moments m;
    size_t n, first = sample_of(j, &n);
    int bad;

    if (!j->observed)
        return 0;
    m = moments_of(x + first, j->before, n);
    bad = finish_products(j, f) != 0 || note_products(j, fmin(moments_nmse(&m), 1), f) != 0;
    sums_release(&j->inputs);
    return bad ? -1 : 0;
}

/* What an earlier run found. */
static void recall_products(struct job *j)
{
    for (size_t k = 0; k < j->models->n; k++)
        for (size_t i = 0; i < j->errors[k].n; i++)
            if (states_noted(j->states, product_key(j, k, i, true), &j->errors[k].item[i].reach))
                j->errors[k].item[i].seen = states_noted(j->states, product_key(j, k, i, false), &j->errors[k].item[i].product);
}

static int run_layers(struct job *j, struct fail *f)
{
    size_t layers = stream_layers(j->stream[0]);

    j->score->nlayers = layers;
    for (size_t k = 0; k < j->models->n; k++)
        j->score->candidate[k].layer_nmse = arena_array(j->arena, double, layers);
    begin(j, "layers", layers * j->in->nchunks * j->in->context * j->nstreams);
    for (size_t k = 0; k < j->nstreams; k++)
        if (stream_embed(j->stream[k], f) != 0)
            return -1;
    j->before = arena_raw(j->arena, (j->in->context - j->in->context / 2) * stream_width(j->stream[0]) * sizeof *j->before);
    if (states_resumed(j->states))
        recall_products(j);
    for (size_t i = 0; i < layers; i++) {
        j->observed = j->models->n && states_passed(j->states, 0, 0) < i + 2 ? LAYER : NOTHING;
        if (j->observed && keep_before(j, f) != 0)
            return -1;
        for (size_t k = 0; k < j->nstreams; k++, j->observed = NOTHING)
            if (stream_layer(j->stream[k], i, f) != 0)
                return -1;
        if (layer_errors(j, i, f) != 0 || states_save(j->states, f) != 0)
            return -1;
    }
    return 0;
}

/* ---- logits ---- */

/* n tokens from `first` on: what candidate k said against the original, or with `candidate` NULL what the original said. */
static void score_batch(struct job *j, size_t first, size_t n, size_t k, const float *original, const float *candidate)
{
    size_t vocabulary = stream_vocabulary(j->stream[0]);

#pragma omp parallel
    {
        struct arena tmp = {0};
        double *p_term = arena_raw(&tmp, vocabulary * sizeof *p_term);
        double *q_term = candidate ? arena_raw(&tmp, vocabulary * sizeof *q_term) : NULL;
#pragma omp for schedule(dynamic)
        for (size_t i = 0; i < n; i++) {
            struct distribution p = distribution_of(original + i * vocabulary, vocabulary, p_term), q;
            size_t next = (size_t)j->in->next[first + i];
            if (candidate) {
                q = distribution_of(candidate + i * vocabulary, vocabulary, q_term);
                j->score->candidate[k].token[first + i] = loss_of(&p, &q, next);
            } else
                j->score->token[first + i] = said_of(&p, next);
        }
        arena_release(&tmp);
    }
}

static int run_batch(struct job *j, size_t first, size_t n, float *original, float *candidate, struct fail *f)
{
    if (stream_logits(j->stream[0], j->in->at + first, n, original, f) != 0)
        return -1;
    score_batch(j, first, n, 0, original, NULL);
    for (size_t k = 0; k < j->models->n; k++) {
        if (stream_logits(j->stream[k + 1], j->in->at + first, n, candidate, f) != 0)
            return -1;
        score_batch(j, first, n, k, original, candidate);
    }
    advance(j, n);
    return 0;
}

static int run_logits(struct job *j, struct fail *f)
{
    size_t vocabulary = stream_vocabulary(j->stream[0]), all = j->in->n;
    size_t batch = batch_of(j->budget.logits / 2, vocabulary * sizeof(float), all < LOGITS_TOKENS ? all : LOGITS_TOKENS);
    struct arena tmp = {0};
    float *original = arena_raw(&tmp, batch * vocabulary * sizeof *original);
    float *candidate = j->models->n ? arena_raw(&tmp, batch * vocabulary * sizeof *candidate) : NULL;
    int bad = 0;

    workspace_release(&j->space);       /* what layers needed is more than this does */
    j->score->token = arena_array(j->arena, struct token_said, all);
    for (size_t k = 0; k < j->models->n; k++)
        j->score->candidate[k].token = arena_array(j->arena, struct token_loss, all);
    begin(j, "tokens", all);
    j->observed = j->models->n ? OUTPUT : NOTHING;
    for (size_t first = 0; first < all && !bad; first += batch)
        bad = run_batch(j, first, all - first < batch ? all - first : batch, original, candidate, f);
    arena_release(&tmp);
    return bad || (j->models->n && finish_products(j, f) != 0) ? -1 : 0;
}

/* ---- all together ---- */

/* Bits for a weight of the matrices, which are nearly all of a model. */
static double bits_of(const struct model *m)
{
    double bits = 0, all = 0;

    for (size_t i = 0; i < m->ntensors; i++) {
        const struct tensor *t = &m->tensor[i];
        bits += 8 * (double)tensor_bytes(t);
        all += (double)tensor_weights(t);
    }
    return all > 0 ? bits / all : 0;
}

/* A model's matrices are bfloat16, or quantized: nearly all of them, since norms and routers are always wide. */
static bool mostly_narrow(const struct model *m)
{
    uint64_t wide = 0, all = 0;

    for (size_t i = 0; i < m->ntensors; i++) {
        const struct tensor *t = &m->tensor[i];
        all += tensor_weights(t);
        if (t->type->block == 1 && strcmp(t->type->name, "bf16") != 0)
            wide += tensor_weights(t);
    }
    return wide <= all / 8;
}

bool score_is_fast(const struct score_models *models)
{
    bool fast = units_bf16() && mostly_narrow(models->original);

    for (size_t k = 0; k < models->n; k++)
        fast = fast && mostly_narrow(models->candidate[k]) && bits_of(models->candidate[k]) < MOST_BITS;
    return fast;
}

/* The least position in a chunk that is scored. */
static size_t needed_from(const struct score_input *in)
{
    size_t from = in->context - 1;

    for (size_t i = 0; i < in->n; i++)
        from = in->at[i] % in->context < from ? in->at[i] % in->context : from;
    return from;
}

static int open_streams(struct job *j, struct fail *f)
{
    struct stream_options options = {
        .progress = advance, .ctx = j, .work_nbytes = j->budget.work, .fast = j->score->fast, .space = &j->space,
        .needed_from = needed_from(j->in)
    };

    j->nstreams = j->models->n + 1;
    j->stream = arena_array(j->arena, struct stream *, j->nstreams);
    for (size_t k = 0; k < j->nstreams; k++) {
        options.observe = k ? NULL : observe;
        options.passed = k ? NULL : layer_passed;
        if (!(j->stream[k] = stream_open(model_at(j, k), j->in->token, j->in->nchunks, j->in->context, &options, f)))
            return -1;
        if (k && check_pair(j->stream[0], j->stream[k], f) != 0)
            return fail_in(f, model_at(j, k)->path);
    }
    return 0;
}

static void digest_job(const struct job *j, size_t group, char text[DIGEST_TEXT])
{
    struct digest *d = digest_new();

    digest_model(d, j->models->original);
    for (size_t k = 0; k < j->models->n; k++)
        digest_model(d, j->models->candidate[k]);
    digest_bytes(d, j->in->token, j->in->nchunks * j->in->context * sizeof *j->in->token);
    digest_bytes(d, j->in->at, j->in->n * sizeof *j->in->at);
    digest_u64(d, j->in->context);
    digest_u64(d, group);
    digest_u64(d, j->score->fast);
    digest_bytes(d, isa_current()->name, strlen(isa_current()->name));     /* the last digits differ from one to the other */
    digest_end(d, text);
}

/* A place for the hidden states of all streams, in memory as far as the budget goes. */
static int open_states(struct job *j, struct fail *f)
{
    size_t group = SIZE_MAX;
    uint64_t nbytes;
    char digest[DIGEST_TEXT];

    for (size_t k = 0; k < j->nstreams; k++)
        group = stream_group(j->stream[k]) < group ? stream_group(j->stream[k]) : group;
    digest_job(j, group, digest);
    struct states_options options = {
        .streams = j->nstreams, .groups = stream_groups(j->stream[0], group), .digest = digest, .seconds = SAVE_SECONDS,
        .group_floats = stream_group_floats(j->stream[0], group),
        .path = j->options->beside ? arena_printf(j->arena, "%s.%.8s.part", j->options->beside, digest) : NULL,
    };
    nbytes = options.streams * options.groups * options.group_floats * sizeof(float);
    options.spill = nbytes > j->budget.states;
    j->score->spilled_nbytes = options.spill ? nbytes : 0;
    if (!(j->states = states_open(&options, f)))
        return -1;
    j->score->resumed = states_resumed(j->states);
    for (size_t k = 0; k < j->nstreams; k++)
        stream_attach(j->stream[k], j->states, k, group);
    return 0;
}

static int compare_weights(struct job *j, struct fail *f)
{
    const struct score_models *m = j->models;
    struct tensor_errors *errors = j->errors = arena_array(j->arena, struct tensor_errors, m->n);

    if (!m->n)
        return 0;
    begin(j, "weights", weights_total(m->original, m->candidate, m->n));
    if (weights_compare(m->original, m->candidate, m->n, advance, j, j->arena, errors, f) != 0)
        return -1;
    for (size_t k = 0; k < m->n; k++)
        j->score->candidate[k].tensors = errors[k];
    return 0;
}

static void summarize(struct job *j)
{
    struct score *s = j->score;

    s->tokens = j->in->n;
    s->context = j->in->context;
    s->chunks = j->in->nchunks;
    s->original = figures_of(s->token, NULL, NULL, s->tokens).original;
    for (size_t k = 0; k < s->ncandidates; k++)
        s->candidate[k].figures = figures_of(s->token, s->candidate[k].token, NULL, s->tokens);
}

int score_run(const struct score_models *models, const struct score_input *in, const struct score_options *options,
              struct arena *a, struct score *s, struct fail *f)
{
    struct job j = { .models = models, .in = in, .options = options, .budget = budget_of(options->memory), .arena = a, .score = s };
    double start = seconds_now();
    int bad;

    *s = (struct score){ .ncandidates = models->n, .candidate = arena_array(a, struct candidate_score, models->n) };
    s->fast = !options->exact && score_is_fast(models);
    for (size_t k = 0; k < models->n; k++)
        s->candidate[k].path = models->candidate[k]->path;
    bad = open_streams(&j, f) != 0 || open_states(&j, f) != 0 || compare_weights(&j, f) != 0 || run_layers(&j, f) != 0 || run_logits(&j, f) != 0;
    if (!bad)
        summarize(&j);
    for (size_t k = 0; k < j.nstreams; k++)
        stream_close(j.stream[k]);
    sums_release(&j.inputs);
    workspace_release(&j.space);
    states_close(j.states, bad && f->kind == FAIL_SYSTEM);      /* after bad input the next run would fail as well */
    s->seconds = seconds_now() - start;
    s->peak_nbytes = peak_nbytes();
    return bad ? -1 : 0;
}

int score_text(const struct score_models *models, const struct vocab *v, const char *text, size_t nbytes,
               const struct score_options *options, struct arena *a, struct score *s, struct fail *f)
{
    struct score_input in = {0};

    if (score_input_of(&in, v, text, nbytes, options, a, f) != 0)
        return -1;
    return score_run(models, &in, options, a, s, f);
}

float *score_logits(struct model *m, const int32_t *tokens, size_t n, struct arena *a, size_t *width, struct fail *f)
{
    struct stream *s = stream_open(m, tokens, 1, n, NULL, f);
    float *logits = NULL;
    bool bad;

    if (!s)
        return NULL;
    bad = stream_embed(s, f) != 0;
    for (size_t i = 0; i < stream_layers(s) && !bad; i++)
        bad = stream_layer(s, i, f) != 0;
    if (!bad) {
        size_t *at = arena_array(a, size_t, n);
        for (size_t i = 0; i < n; i++)
            at[i] = i;
        *width = stream_vocabulary(s);
        logits = arena_raw(a, n * *width * sizeof *logits);
        bad = stream_logits(s, at, n, logits, f) != 0;
    }
    stream_close(s);
    return bad ? NULL : logits;
}
