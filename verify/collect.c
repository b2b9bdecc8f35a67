/* collect.c - rounds of chunks through the network, their products' inputs into sums. */
#include "verify/collect.h"

#include "verify/chunks.h"
#include "verify/digest.h"
#include "verify/forward.h"

enum { ROUND_TOKENS = 8192 };   /* enough to pay for reading the model, few enough to lose when a run is stopped */

struct collecting {
    struct model *model;
    const struct collect_options *options;
    struct chunks chunks;
    struct sums *sums;
    char digest[DIGEST_TEXT];
    const char *mismatch;       /* a tensor that was observed with two shapes */
    uint64_t done, total;       /* tokens times layers, of this run */
    size_t round, first;        /* tokens in a round; the first of those that are observed next */
    bool in_output;
};

static void digest(struct collecting *c)
{
    const struct collect_options *o = c->options;
    struct digest *d = digest_new();

    digest_model(d, c->model);
    digest_bytes(d, c->chunks.token, c->chunks.n * c->chunks.context * sizeof *c->chunks.token);
    digest_u64(d, c->chunks.context);
    digest_u64(d, o->chunks);
    digest_u64(d, o->least);
    digest_u64(d, o->process_output);
    digest_end(d, c->digest);
}

/* ---- rounds ---- */

/* Tokens of chunks, as many of each as llama-imatrix counts. Where it is to go on until experts have seen enough there is no such thing. */
static void add_counted(const struct collecting *c, struct sums_entry *e, const float *x, size_t n)
{
    size_t context = c->chunks.context;

    for (size_t i = 0, some; i < n; i += some) {
        size_t chunk = c->sums->chunks + (c->first + i) / context, at = (c->first + i) % context;
        size_t counted = c->options->least ? context : chunk_counted(context, c->chunks.n, chunk);

        some = min_u64(context - at, n - i);
        if (at < counted)
            sums_add(e, 0, x + i * e->columns, min_u64(some, counted - at));
    }
}

static void observe(void *ctx, const struct tensor *t, size_t expert, const float *x, size_t n)
{
    struct collecting *c = ctx;
    struct sums_entry *e = sums_entry(c->sums, t->name, t->rank > 2 ? t->shape[0] : 1, tensor_row(t));

    if (!e)
        c->mismatch = t->name;
    else if (t->rank > 2)
        sums_add(e, expert, x, n);
    else
        add_counted(c, e, x, n);
    if (c->in_output)
        c->first += n;
}

static void advance(void *ctx, size_t tokens)
{
    struct collecting *c = ctx;

    c->done += tokens;
    c->first = (c->first + tokens) % c->round;
    if (c->options->progress)
        c->options->progress(c->options->ctx, "layers", c->done, c->total);
}

/* How many chunks it will be in the end, as far as one can tell: experts are hit at the rate they have been so far. */
static size_t chunks_expected(const struct collecting *c)
{
    size_t all = c->chunks.n, wanted = c->options->chunks && c->options->chunks < all ? c->options->chunks : all;
    uint64_t least = sums_least(c->sums), need = c->options->least;
    double more;

    if (!need)
        return wanted;
    wanted = c->options->chunks ? wanted : 0;
    if (least >= need || (!least && !c->sums->chunks))
        return wanted;
    more = least ? (double)c->sums->chunks * (double)need / (double)least : (double)all;
    more = more < (double)wanted ? (double)wanted : more;
    return more < (double)all ? (size_t)more : all;
}

/* The number of chunks in the next round; 0: done. Up to --chunks they are planned, beyond they are taken while some expert
 * is in need. Depends on nothing but the chunks done, so that a resumed run stops at the same place. */
static size_t next_round(const struct collecting *c)
{
    size_t some = ROUND_TOKENS / c->chunks.context, done = c->sums->chunks, until = c->chunks.n;

    some = some ? some : 1;
    if (done >= until)
        return 0;
    if (c->options->chunks && done < c->options->chunks && c->options->chunks < until)
        until = c->options->chunks;
    else if (c->options->least ? done && done >= c->options->chunks && sums_least(c->sums) >= c->options->least
                               : c->options->chunks && done >= c->options->chunks)
        return 0;
    return until - done < some ? until - done : some;
}

static int pass(struct collecting *c, struct stream *s, struct fail *f)
{
    int bad = stream_embed(s, f);

    c->first = 0;
    for (size_t i = 0; i < stream_layers(s) && !bad; i++)
        bad = stream_layer(s, i, f);
    c->in_output = true;
    if (c->options->process_output && !bad)
        bad = stream_observe_output(s, 0, c->round, f);
    c->in_output = false;
    if (c->mismatch && !bad)
        bad = fail(f, FAIL_INPUT, "tensor '%s' is used with two shapes", c->mismatch);
    return bad ? bad : sums_check(c->sums, f);
}

static int save(const struct collecting *c, struct fail *f)
{
    return c->options->state ? sums_save(c->sums, c->options->state, c->digest, f) : 0;
}

static int run_round(struct collecting *c, size_t nchunks, struct fail *f)
{
    struct stream_options options = { .observe = observe, .progress = advance, .ctx = c, .half_cache = true };
    size_t context = c->chunks.context, expected = chunks_expected(c), done = c->sums->chunks;
    struct stream *s = stream_open(c->model, c->chunks.token + done * context, nchunks, context, &options, f);
    int bad;

    if (!s)
        return -1;
    expected = expected < done + nchunks ? done + nchunks : expected;
    c->round = nchunks * context;
    c->total = c->done + (expected - done) * context * stream_layers(s);
    bad = pass(c, s, f);
    stream_close(s);
    if (bad)
        return -1;
    c->sums->chunks += nchunks;
    return save(c, f);
}

int collect(struct model *m, const struct vocab *v, const char *text, size_t nbytes, const struct collect_options *options,
            struct sums *s, uint64_t *resumed, struct fail *f)
{
    struct collecting c = { .model = m, .options = options, .sums = s };
    struct chunk_options cut = { .context = options->context ? options->context : CHUNK_CONTEXT,
                                 .most = options->least ? 0 : options->chunks, .parse_special = options->parse_special };
    struct arena arena = {0};
    int bad = chunks_read(&c.chunks, v, text, nbytes, &cut, &arena, f);

    if (!bad) {
        digest(&c);
        bad = options->state ? sums_resume(s, options->state, c.digest, f) : 0;
        s->context = cut.context;
    }
    if (!bad && !s->chunks)
        bad = save(&c, f);          /* a folder that cannot be written is told now, not after hours */
    if (resumed)
        *resumed = s->chunks;
    for (size_t n; !bad && (n = next_round(&c));)
        bad = run_round(&c, n, f);
    arena_release(&arena);
    return bad ? -1 : 0;
}
