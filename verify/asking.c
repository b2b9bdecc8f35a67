/* asking.c - trees of tokens through the models, and the log-likelihoods of what options consist of: see choices.h. */
#include "verify/choices.h"

#include "formats/file.h"
#include "formats/usage.h"
#include "quant/isa.h"
#include "verify/budget.h"
#include "verify/digest.h"
#include "verify/packs.h"
#include "verify/stream.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { SAVE_SECONDS = 15 };             /* between two savings of states that are in memory */

struct job {
    struct choices *c;
    const struct choices_options *options;
    struct budget budget;
    struct workspace space;             /* streams take turns */
    uint64_t done, total;               /* tokens times layers */
    size_t layers;                      /* the most of a model */
};

/* A round and the model that it is put to. Units follow one another in the same states, and the steps go on counting. */
struct unit {
    struct choices_round round;
    size_t model, index;
    const int32_t *token;               /* round.n * round.context */
};

/* ---- progress ---- */

static void advance(void *ctx, size_t tokens)
{
    struct job *j = ctx;

    j->done += tokens;
    if (j->options->progress)
        j->options->progress(j->options->ctx, "questions", j->done, j->total);
}

/* ---- notes ---- */

static double *sum_at(const struct choices *c, size_t model, size_t sum)
{
    size_t all = c->first[c->n];

    return &c->said[model][sum / all].loglik[sum % all];
}

static uint32_t note_key(const struct choices *c, size_t model, size_t sum)
{
    return (uint32_t)(model * RULES * c->first[c->n] + sum);
}

/* What an earlier run has found out about all sums of a unit. */
static bool recall(const struct job *j, const struct unit *u)
{
    for (size_t i = 0; i < u->round.n; i++) {
        const struct terms *t = &j->c->packs->terms[u->round.first + i];
        for (size_t k = 0; k < t->n; k++)
            if (!states_noted(j->c->states, note_key(j->c, u->model, t->item[k].sum), sum_at(j->c, u->model, t->item[k].sum)))
                return false;
    }
    return true;
}

static int note(const struct job *j, const struct unit *u, struct fail *f)
{
    const struct choices *c = j->c;
    struct arena tmp = {0};
    bool *noted = arena_array(&tmp, bool, RULES * c->first[c->n]);
    int bad = 0;

    for (size_t i = 0; i < u->round.n; i++) {
        const struct terms *t = &c->packs->terms[u->round.first + i];
        for (size_t k = 0; k < t->n && !bad; k++) {
            size_t sum = t->item[k].sum;
            if (!noted[sum])
                bad = states_note(c->states, note_key(c, u->model, sum), *sum_at(c, u->model, sum), f);
            noted[sum] = true;
        }
    }
    arena_release(&tmp);
    return bad;
}

/* ---- logits ---- */

/* Of all trees of a unit, one after another; their terms are in order of place, so these are too. */
struct places {
    struct term *term;                  /* `at`: an index into `at` below */
    size_t nterms;
    size_t *at;                         /* counted over the stream's chunks */
    size_t n;
};

static struct places places_of(const struct job *j, const struct unit *u, struct arena *a)
{
    struct places p = {0};
    size_t all = 0;

    for (size_t i = 0; i < u->round.n; i++)
        all += j->c->packs->terms[u->round.first + i].n;
    p.term = arena_array(a, struct term, all);
    p.at = arena_array(a, size_t, all);
    for (size_t i = 0; i < u->round.n; i++) {
        const struct terms *t = &j->c->packs->terms[u->round.first + i];
        for (size_t k = 0; k < t->n; k++) {
            size_t at = i * u->round.context + t->item[k].at;
            if (!p.n || p.at[p.n - 1] != at)
                p.at[p.n++] = at;
            p.term[p.nterms] = t->item[k];
            p.term[p.nterms++].at = (uint32_t)(p.n - 1);
        }
    }
    return p;
}

/* log(sum(exp(x))), in double; n > 0. */
static double log_sum(const float *x, size_t n)
{
    double most = (double)x[0], sum;

    assert(n > 0);
    for (size_t i = 1; i < n; i++)
        most = (double)x[i] > most ? (double)x[i] : most;
    sum = exp((double)x[0] - most);
    for (size_t i = 1; i < n; i++)
        sum += exp((double)x[i] - most);
    return most + log(sum);
}

static int add_logliks(struct job *j, const struct unit *u, struct stream *s, struct fail *f)
{
    struct arena tmp = {0};
    struct places p = places_of(j, u, &tmp);
    size_t vocabulary = stream_vocabulary(s), most = j->budget.logits / (vocabulary * sizeof(float)), next = 0;
    int bad = 0;

    most = most < 1 ? 1 : most < p.n ? most : p.n;
    double *total = arena_array(&tmp, double, most);
    float *logits = arena_raw(&tmp, most * vocabulary * sizeof *logits);
    for (size_t i = 0; i < p.nterms; i++)
        *sum_at(j->c, u->model, p.term[i].sum) = 0;
    for (size_t first = 0, n; first < p.n && !bad; first += n) {
        n = p.n - first < most ? p.n - first : most;
        bad = stream_logits(s, p.at + first, n, logits, f);
        if (bad)
            break;
#pragma omp parallel for schedule(dynamic)
        for (size_t i = 0; i < n; i++)
            total[i] = log_sum(logits + i * vocabulary, vocabulary);
        for (; next < p.nterms && p.term[next].at < first + n; next++) {
            size_t row = p.term[next].at - first;
            *sum_at(j->c, u->model, p.term[next].sum) += (double)logits[row * vocabulary + (size_t)p.term[next].token] - total[row];
        }
    }
    arena_release(&tmp);
    return bad;
}

/* ---- a round, put to a model ---- */

/* The trees' tokens, as far apart as the largest needs it. */
static const int32_t *tokens_of(const struct packs *p, const struct choices_round *r, struct arena *a)
{
    int32_t *token = arena_array(a, int32_t, r->n * r->context);

    for (size_t i = 0; i < r->n; i++) {
        const struct tree *t = &p->tree[r->first + i];
        memcpy(token + i * r->context, t->token, t->n * sizeof *token);
    }
    return token;
}

static int through_layers(struct job *j, const struct unit *u, struct stream *s, struct fail *f)
{
    stream_attach(s, j->c->states, 0, 1);
    if (stream_embed(s, f) != 0)
        return -1;
    for (size_t i = 0; i < stream_layers(s); i++)
        if (stream_layer(s, i, f) != 0 || states_save(j->c->states, f) != 0)
            return -1;
    workspace_release(&j->space);       /* what layers needed is more than logits do */
    return add_logliks(j, u, s, f);
}

static int run_unit(struct job *j, const struct unit *u, struct fail *f)
{
    const struct packs *p = j->c->packs;
    struct stream_options how = { .work_nbytes = j->budget.work, .space = &j->space, .tree = p->tree + u->round.first,
                                  .before = u->index * (j->layers + 1), .progress = advance, .ctx = j };
    struct stream *s;
    uint64_t tokens = 0;
    int bad;

    for (size_t i = 0; i < u->round.n; i++)
        tokens += p->tree[u->round.first + i].n;
    if (states_resumed(j->c->states) && recall(j, u)) {
        advance(j, tokens * j->c->sizes->layers[u->model]);
        return 0;
    }
    s = stream_open(j->c->model[u->model], u->token, u->round.n, u->round.context, &how, f);
    bad = !s || through_layers(j, u, s, f) != 0 || note(j, u, f) != 0;
    stream_close(s);
    return bad ? -1 : 0;
}

static int run_rounds(struct job *j, struct fail *f)
{
    struct choices *c = j->c;
    struct unit u = {0};
    int bad = 0;

    for (size_t first = 0; first < c->packs->n && !bad; first += u.round.n) {
        struct arena tmp = {0};
        u.round = choices_round(c, first);
        u.token = tokens_of(c->packs, &u.round, &tmp);
        for (u.model = 0; u.model < c->nmodels && !bad; u.model++, u.index++)
            bad = run_unit(j, &u, f);
        arena_release(&tmp);
    }
    return bad;
}

/* ---- all together ---- */

static void digest_job(const struct job *j, char text[DIGEST_TEXT])
{
    const struct choices *c = j->c;
    struct digest *d = digest_new();

    digest_bytes(d, "choices", 7);
    for (size_t m = 0; m < c->nmodels; m++)
        digest_model(d, c->model[m]);
    for (size_t i = 0; i < c->packs->n; i++) {
        digest_bytes(d, c->packs->tree[i].token, c->packs->tree[i].n * sizeof *c->packs->tree[i].token);
        digest_bytes(d, c->packs->tree[i].position, c->packs->tree[i].n * sizeof *c->packs->tree[i].position);
        digest_bytes(d, c->packs->terms[i].item, c->packs->terms[i].n * sizeof *c->packs->terms[i].item);
    }
    digest_u64(d, c->sizes->round_most);
    digest_bytes(d, isa_current()->name, strlen(isa_current()->name));     /* the last digits differ from one to the other */
    digest_end(d, text);
}

static int open_states(struct job *j, struct arena *a, struct fail *f)
{
    struct choices *c = j->c;
    char digest[DIGEST_TEXT];
    struct states_options options = { .streams = 1, .groups = c->sizes->groups, .group_floats = c->sizes->group * c->sizes->width,
                                      .digest = digest, .seconds = SAVE_SECONDS };
    uint64_t nbytes = choices_states_nbytes(c);

    digest_job(j, digest);
    if (j->options->beside && (uint64_t)c->nmodels * RULES * c->first[c->n] <= UINT32_MAX)
        options.path = arena_printf(a, "%s.%.8s.part", j->options->beside, digest);
    options.spill = nbytes > j->budget.states;
    c->spilled_nbytes = options.spill ? nbytes : 0;
    c->states = states_open(&options, f);
    c->resumed = c->states && states_resumed(c->states);
    return c->states ? 0 : -1;
}

int choices_run(struct choices *c, const struct choices_options *o, struct arena *a, struct fail *f)
{
    struct job j = { .c = c, .options = o, .budget = budget_of(o->memory) };
    double start = seconds_now();
    int bad;

    for (size_t m = 0; m < c->nmodels; m++) {
        j.total += c->tokens * c->sizes->layers[m];
        j.layers = max_u64(j.layers, c->sizes->layers[m]);
    }
    bad = open_states(&j, a, f) != 0 || run_rounds(&j, f) != 0;
    workspace_release(&j.space);
    if (!bad)
        choices_pick(c);
    bad = bad || states_keep_notes(c->states, f) != 0;
    c->seconds = seconds_now() - start;
    return bad ? -1 : 0;
}

void choices_close(struct choices *c, bool keep)
{
    states_close(c->states, keep);
    c->states = NULL;
}
