/* score.c - text to chunks, both models through the network in step, and the statistics of what they said. */
#include "verify/score.h"

#include "verify/chunks.h"
#include "verify/forward.h"
#include "verify/rows.h"
#include "verify/stats.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum {
    LOGITS_NBYTES = 128 << 20,          /* of one model at a time; at least one token's ... */
    LOGITS_TOKENS = 2048,               /* ... and no more than pay for decoding the output matrix again */
    COMPARED_WEIGHTS = 4 << 20,         /* of one tensor at a time, in whole rows */
};

/* The tokens that are scored. Token i of a chunk is scored on what the model says behind token i - 1; only the second half
 * is, so that there is context:
 *
 *      0         context / 2              context - 1
 *      BOS  a  b  c   d       e   f   g   h               at: d e f g    next: e f g h
 */
struct scored {
    size_t *at;                         /* n places in chunks.token, ascending */
    int32_t *next;                      /* the tokens that follow there */
    size_t n;
};

struct job {
    struct stream *original, *candidate;        /* candidate: NULL when one model is measured alone */
    struct chunks chunks;
    struct scored scored;
    const struct score_options *options;
    const char *what;                           /* for progress */
    uint64_t done, total;
    struct arena *arena;
    struct token_loss *loss;                    /* nscored */
    struct score *score;
};

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

static void choose_scored(struct scored *s, const struct chunks *c, struct arena *a)
{
    size_t first = c->context / 2, per_chunk = c->context - 1 - first;

    s->at = arena_array(a, size_t, c->n * per_chunk);
    s->next = arena_array(a, int32_t, c->n * per_chunk);
    for (size_t k = 0; k < c->n; k++)
        for (size_t i = first; i < c->context - 1; i++) {
            s->at[s->n] = k * c->context + i;
            s->next[s->n++] = c->token[k * c->context + i + 1];
        }
}

static int read_text(struct job *j, const struct vocab *v, const char *text, size_t nbytes, struct fail *f)
{
    struct chunk_options options = { .context = j->options->context ? j->options->context : CHUNK_CONTEXT,
                                     .most = j->options->chunks };

    if (options.context < 3)
        return fail(f, FAIL_USAGE, "a context of %zu tokens leaves none to score: 3 are needed", options.context);
    if (chunks_read(&j->chunks, v, text, nbytes, &options, j->arena, f) != 0)
        return -1;
    choose_scored(&j->scored, &j->chunks, j->arena);
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

/* Of the scored tokens only: the first ones of a chunk have hidden states hundreds of times larger in many models, which
 * would drown the others. One sum per chunk, added in order, whatever the number of threads. */
static double hidden_nmse(struct job *j)
{
    const struct chunks *c = &j->chunks;
    size_t first = c->context / 2, n = c->context - 1 - first, width = stream_width(j->original);
    struct arena tmp = {0};
    struct moments *part = arena_array(&tmp, struct moments, c->n), all = {0};
    double nmse;

#pragma omp parallel for schedule(dynamic)
    for (size_t k = 0; k < c->n; k++)
        part[k] = moments_of(stream_hidden(j->original, k * c->context + first, n),
                             stream_hidden(j->candidate, k * c->context + first, n), n * width);
    for (size_t k = 0; k < c->n; k++)
        moments_add(&all, &part[k]);
    nmse = moments_nmse(&all);
    arena_release(&tmp);
    return nmse;
}

static int run_layers(struct job *j, struct fail *f)
{
    struct score *s = j->score;
    size_t ntokens = j->chunks.n * j->chunks.context, streams = j->candidate ? 2 : 1;

    s->nlayers = stream_layers(j->original);
    s->layer_nmse = arena_array(j->arena, double, s->nlayers);
    begin(j, "layers", s->nlayers * ntokens * streams);
    if (stream_embed(j->original, f) != 0 || (j->candidate && stream_embed(j->candidate, f) != 0))
        return -1;
    for (size_t i = 0; i < s->nlayers; i++) {
        if (stream_layer(j->original, i, f) != 0 || (j->candidate && stream_layer(j->candidate, i, f) != 0))
            return -1;
        if (j->candidate)
            s->layer_nmse[i] = hidden_nmse(j);
    }
    return 0;
}

/* ---- logits ---- */

static size_t batch_of(const struct stream *s, size_t n)
{
    size_t fit = LOGITS_NBYTES / (stream_vocabulary(s) * sizeof(float));

    fit = fit < 1 ? 1 : fit > LOGITS_TOKENS ? LOGITS_TOKENS : fit;
    return fit < n ? fit : n;
}

static void score_batch(struct job *j, size_t first, size_t n, const float *original, const float *candidate)
{
    size_t vocabulary = stream_vocabulary(j->original);

#pragma omp parallel
    {
        struct arena tmp = {0};
        double *scratch = arena_raw(&tmp, 2 * vocabulary * sizeof *scratch);
#pragma omp for schedule(dynamic)
        for (size_t i = 0; i < n; i++)
            j->loss[first + i] = loss_of(original + i * vocabulary, candidate ? candidate + i * vocabulary : NULL, vocabulary,
                                         (size_t)j->scored.next[first + i], scratch);
        arena_release(&tmp);
    }
}

static int run_logits(struct job *j, struct fail *f)
{
    size_t vocabulary = stream_vocabulary(j->original), batch = batch_of(j->original, j->scored.n);
    struct arena tmp = {0};
    float *original = arena_raw(&tmp, batch * vocabulary * sizeof *original);
    float *candidate = j->candidate ? arena_raw(&tmp, batch * vocabulary * sizeof *candidate) : NULL;
    int bad = 0;

    j->loss = arena_array(j->arena, struct token_loss, j->scored.n);
    begin(j, "tokens", j->scored.n);
    for (size_t first = 0; first < j->scored.n && !bad; first += batch) {
        size_t n = j->scored.n - first < batch ? j->scored.n - first : batch;
        bad = stream_logits(j->original, j->scored.at + first, n, original, f) != 0 ||
              (candidate && stream_logits(j->candidate, j->scored.at + first, n, candidate, f) != 0);
        if (bad)
            break;
        score_batch(j, first, n, original, candidate);
        advance(j, n);
    }
    arena_release(&tmp);
    return bad ? -1 : 0;
}

/* ---- tensors ---- */

/* Sums of rows [first, first + n) of both, each row by one thread, added in order. */
static int compare_rows(struct model *original, const struct tensor *o, struct model *candidate, const struct tensor *c,
                        uint64_t first, uint64_t n, struct arena *tmp, struct moments *all, struct fail *f)
{
    size_t width = tensor_row(o);
    float *x = arena_raw(tmp, n * width * sizeof *x), *y = arena_raw(tmp, n * width * sizeof *y);
    struct moments *part = arena_array(tmp, struct moments, n);

    if (rows_decode(original, o, first, n, x, f) != 0)
        return fail_in(f, original->path);
    if (rows_decode(candidate, c, first, n, y, f) != 0)
        return fail_in(f, candidate->path);
#pragma omp parallel for schedule(dynamic)
    for (uint64_t i = 0; i < n; i++)
        part[i] = moments_of(x + i * width, y + i * width, width);
    for (uint64_t i = 0; i < n; i++)
        moments_add(all, &part[i]);
    return 0;
}

static int same_shape(const struct tensor *o, const struct tensor *c, struct fail *f)
{
    if (o->rank == c->rank && memcmp(o->shape, c->shape, (size_t)o->rank * sizeof *o->shape) == 0)
        return 0;
    return fail(f, FAIL_INPUT, "tensor '%s' has another shape in the candidate: %" PRIu64 " rows of %" PRIu64 ", in the original %"
                PRIu64 " of %" PRIu64, o->name, tensor_rows(c), tensor_row(c), tensor_rows(o), tensor_row(o));
}

static int compare_tensor(struct job *j, struct model *original, const struct tensor *o, struct model *candidate,
                          const struct tensor *c, struct tensor_error *out, struct fail *f)
{
    uint64_t rows = tensor_rows(o), width = tensor_row(o), some = COMPARED_WEIGHTS / (width ? width : 1);
    struct moments m = {0};
    struct arena tmp = {0};
    int bad = same_shape(o, c, f);

    some = some ? some : 1;
    for (uint64_t r = 0; r < rows && !bad; r += some) {
        uint64_t n = rows - r < some ? rows - r : some;
        bad = compare_rows(original, o, candidate, c, r, n, &tmp, &m, f);
        arena_reset(&tmp);
        advance(j, n * width);
    }
    arena_release(&tmp);
    if (!bad && !isfinite(m.difference))
        bad = fail(f, FAIL_INPUT, "tensor '%s' holds numbers that are not finite in the %s", o->name,
                   isfinite(m.original) ? "candidate" : "original");
    *out = (struct tensor_error){ .name = o->name, .type = c->type->label, .rmse = moments_rmse(&m), .nmse = moments_nmse(&m),
                                  .cosine = moments_cosine(&m) };
    return bad;
}

static int compare_tensors(struct job *j, struct model *original, struct model *candidate, struct fail *f)
{
    struct score *s = j->score;
    uint64_t total = 0;

    s->tensor = arena_array(j->arena, struct tensor_error, original->ntensors);
    for (size_t i = 0; i < original->ntensors; i++)
        total += model_tensor(candidate, original->tensor[i].name) ? tensor_weights(&original->tensor[i]) : 0;
    begin(j, "weights", total);
    for (size_t i = 0; i < original->ntensors; i++) {
        const struct tensor *o = &original->tensor[i], *c = model_tensor(candidate, o->name);
        if (c && compare_tensor(j, original, o, candidate, c, &s->tensor[s->ntensors++], f) != 0)
            return -1;
    }
    return 0;
}

/* ---- statistics ---- */

static struct perplexity perplexity_of(const double *loss, size_t n)
{
    struct estimate e = estimate_of(loss, n, sizeof(struct token_loss));

    return (struct perplexity){ exp(e.mean), exp(e.mean) * e.stderr_ };
}

/* The ratio of the perplexities, with its error: the two losses of a token go up and down together, and the variance of
 * their difference is just var + var - 2 cov. */
static void ratio_of(struct score *s, const struct token_loss *loss, double *scratch)
{
    for (size_t i = 0; i < s->tokens; i++)
        scratch[i] = loss[i].candidate - loss[i].original;
    struct estimate e = estimate_of(scratch, s->tokens, sizeof *scratch);
    s->ratio = exp(e.mean);
    s->ratio_stderr = s->ratio * e.stderr_;
}

static void kld_of(struct score *s, const struct token_loss *loss, double *scratch)
{
    size_t n = s->tokens;
    struct estimate e = estimate_of(&loss->kld, n, sizeof *loss);

    for (size_t i = 0; i < n; i++)
        scratch[i] = loss[i].kld;
    sort_doubles(scratch, n);
    s->kld.mean = e.mean;
    s->kld.stderr_ = e.stderr_;
    s->kld.median = quantile_of(scratch, n, 0.5);
    s->kld.p90 = quantile_of(scratch, n, 0.9);
    s->kld.p99 = quantile_of(scratch, n, 0.99);
    s->kld.p999 = quantile_of(scratch, n, 0.999);
    s->kld.max = scratch[n - 1];
}

static void summarize(struct job *j)
{
    struct score *s = j->score;
    struct arena tmp = {0};
    double *scratch, square = 0;
    size_t same = 0;

    s->tokens = j->scored.n;
    s->context = j->chunks.context;
    s->chunks = j->chunks.n;
    s->original = perplexity_of(&j->loss->original, s->tokens);
    if (!j->candidate)
        return;
    s->candidate = perplexity_of(&j->loss->candidate, s->tokens);
    scratch = arena_raw(&tmp, s->tokens * sizeof *scratch);
    ratio_of(s, j->loss, scratch);
    kld_of(s, j->loss, scratch);
    for (size_t i = 0; i < s->tokens; i++) {
        same += j->loss[i].same_top != 0;
        square += j->loss[i].delta_p * j->loss[i].delta_p;
    }
    s->top1 = (double)same / (double)s->tokens;
    s->rms_delta_p = sqrt(square / (double)s->tokens);
    arena_release(&tmp);
}

/* ---- all together ---- */

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static uint64_t peak_nbytes(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (uint64_t)u.ru_maxrss * 1024;
}

static int run(struct job *j, struct model *candidate, struct model *original, struct fail *f)
{
    const struct chunks *c = &j->chunks;
    struct stream_options options = { .progress = advance, .ctx = j };

    if (!(j->original = stream_open(original, c->token, c->n, c->context, &options, f)))
        return -1;
    if (candidate && (!(j->candidate = stream_open(candidate, c->token, c->n, c->context, &options, f)) ||
                      check_pair(j->original, j->candidate, f) != 0 || compare_tensors(j, original, candidate, f) != 0))
        return -1;
    return run_layers(j, f) != 0 || run_logits(j, f) != 0 ? -1 : 0;
}

static int measure(struct model *candidate, struct model *original, const struct vocab *v, const char *text, size_t nbytes,
                   const struct score_options *options, struct arena *a, struct score *s, struct fail *f)
{
    struct job j = { .options = options, .arena = a, .score = s };
    double start = now();
    int bad;

    *s = (struct score){0};
    bad = read_text(&j, v, text, nbytes, f) != 0 || run(&j, candidate, original, f) != 0;
    if (!bad)
        summarize(&j);
    stream_close(j.original);
    stream_close(j.candidate);
    s->seconds = now() - start;
    s->peak_nbytes = peak_nbytes();
    return bad ? -1 : 0;
}

int score_pair(struct model *candidate, struct model *original, const struct vocab *v, const char *text, size_t nbytes,
               const struct score_options *options, struct arena *a, struct score *s, struct fail *f)
{
    return measure(candidate, original, v, text, nbytes, options, a, s, f);
}

int score_one(struct model *m, const struct vocab *v, const char *text, size_t nbytes, const struct score_options *options,
              struct arena *a, struct score *s, struct fail *f)
{
    return measure(NULL, m, v, text, nbytes, options, a, s, f);
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
