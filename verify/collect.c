/* collect.c - rounds of chunks through the network, their products' inputs into sums. */
#include "verify/collect.h"

#include "verify/chunks.h"
#include "verify/forward.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

enum { ROUND_TOKENS = 8192 };   /* enough to pay for reading the model, few enough to lose when a run is stopped */

struct collecting {
    struct model *model;
    const struct collect_options *options;
    struct chunks chunks;
    struct sums *sums;
    char digest[33];
    const char *mismatch;       /* a tensor that was observed with two shapes */
    uint64_t done, total;       /* tokens times layers, of this run */
};

/* ---- what decides the sums ---- */

static void digest_text(XXH3_state_t *x, const char *s, size_t n)
{
    XXH3_128bits_update(x, &n, sizeof n);
    XXH3_128bits_update(x, s, n);
}

static void digest_u64(XXH3_state_t *x, uint64_t u)
{
    XXH3_128bits_update(x, &u, sizeof u);
}

/* Keys and files by name, size and time: reading all weights again would cost as much as a layer. */
static void digest_model(XXH3_state_t *x, const struct model *m)
{
    for (size_t i = 0; i < m->meta.n; i++) {
        const struct meta_entry *e = &m->meta.entry[i];
        digest_text(x, e->key, strlen(e->key));
        if (e->value.type == META_STRING)
            digest_text(x, e->value.s.s, e->value.s.n);
        else if (e->value.type != META_ARRAY)
            digest_u64(x, e->value.u);
    }
    for (size_t i = 0; i < m->nfiles; i++) {
        struct stat st = {0};
        digest_text(x, m->file[i].path, strlen(m->file[i].path));
        if (stat(m->file[i].path, &st) == 0) {
            digest_u64(x, (uint64_t)st.st_size);
            digest_u64(x, (uint64_t)st.st_mtim.tv_sec);
            digest_u64(x, (uint64_t)st.st_mtim.tv_nsec);
        }
    }
}

static void digest(struct collecting *c)
{
    const struct collect_options *o = c->options;
    XXH3_state_t *x = XXH3_createState();
    XXH128_hash_t h;

    XXH3_128bits_reset(x);
    digest_text(x, BANTAM_VERSION, sizeof BANTAM_VERSION);
    digest_model(x, c->model);
    XXH3_128bits_update(x, c->chunks.token, c->chunks.n * c->chunks.context * sizeof *c->chunks.token);
    digest_u64(x, c->chunks.context);
    digest_u64(x, o->chunks);
    digest_u64(x, o->least);
    digest_u64(x, o->process_output);
    h = XXH3_128bits_digest(x);
    XXH3_freeState(x);
    snprintf(c->digest, sizeof c->digest, "%016llx%016llx", (unsigned long long)h.high64, (unsigned long long)h.low64);
}

/* ---- rounds ---- */

static void observe(void *ctx, const struct tensor *t, size_t expert, const float *x, size_t n)
{
    struct collecting *c = ctx;
    struct sums_entry *e = sums_entry(c->sums, t->name, t->rank > 2 ? t->shape[0] : 1, tensor_row(t));

    if (e)
        sums_add(e, expert, x, n);
    else
        c->mismatch = t->name;
}

static void advance(void *ctx, size_t tokens)
{
    struct collecting *c = ctx;

    c->done += tokens;
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

static int pass(struct collecting *c, struct stream *s, size_t ntokens, struct fail *f)
{
    int bad = stream_embed(s, f);

    for (size_t i = 0; i < stream_layers(s) && !bad; i++)
        bad = stream_layer(s, i, f);
    if (c->options->process_output && !bad)
        bad = stream_observe_output(s, 0, ntokens, f);
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
    struct stream_options options = { .observe = observe, .progress = advance, .ctx = c };
    size_t context = c->chunks.context, expected = chunks_expected(c), done = c->sums->chunks;
    struct stream *s = stream_open(c->model, c->chunks.token + done * context, nchunks, context, &options, f);
    int bad;

    if (!s)
        return -1;
    expected = expected < done + nchunks ? done + nchunks : expected;
    c->total = c->done + (expected - done) * context * stream_layers(s);
    bad = pass(c, s, nchunks * context, f);
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
