/* choices.c - see choices.h. Questions are taken in rounds, so that memory does not grow with their number; of a round, sequences
 * of like length pass the network together, padded at the end, which a causal model does not see. */
#include "verify/choices.h"

#include "verify/forward.h"
#include "verify/prompts.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROUND_TOKENS = 1 << 17,             /* of one round: some hundred questions with five examples each */
    GROUP_TOKENS = 1 << 14,             /* that pass the network together ... */
    GROUP_NBYTES = 128 << 20,           /* ... with hidden states of at most so much ... */
    GROUP_LEAST = 1 << 11,              /* ... and at least so many pay for decoding a layer, whatever is padded */
    PADDED_SHARE = 16,                  /* otherwise at most one token in so many is padding */
    LENGTH_CLASS = 4096,                /* padding crosses no multiple of this: some models turn positions otherwise from there on */
    LOGITS_NBYTES = 64 << 20,
    PROGRESS_PARTS = 1000,              /* of a question */
};

const char *choices_rule_name(enum choices_rule rule)
{
    return rule == RULE_LETTER ? "letter" : "option_per_byte";
}

const char *choices_rule_about(enum choices_rule rule)
{
    return rule == RULE_LETTER ? "the likeliest letter after \"Answer:\"" : "the likeliest option text after \"Answer:\", log-likelihood per byte";
}

/* A hyperparameter; 0: unknown. */
static uint64_t family_number(const struct model *m, const char *key)
{
    char name[128];

    snprintf(name, sizeof name, "%s.%s", meta_str(&m->meta, "general.architecture", ""), key);
    return meta_u64(&m->meta, name, 0);
}

/* ---- a round ---- */

struct item {
    size_t question;
    struct prompt prompt;
};

/* A sequence of the round: of which item, and its place in the prompt. */
struct entry {
    size_t item, sequence, n;
};

struct round {
    struct item **item;
    size_t nitems, cap;
    struct entry *entry;                /* shortest first */
    size_t nentries;
    size_t tokens;
    struct arena arena;                 /* owns all of the above */
};

struct job {
    struct choices *c;
    const struct vocab *vocab;
    struct tokenizer *tokenizer;
    const struct choices_options *options;
    struct round round;
    uint64_t done;                      /* questions of earlier rounds */
};

/* With as many worked examples as the model has room for. */
static int build(struct job *j, size_t question, struct item *item, struct fail *f)
{
    struct choices *c = j->c;
    const struct question *q = &c->questions->list.item[question];
    size_t shots = c->questions->subject[q->subject].shots.n;

    shots = shots < c->most_shots ? shots : c->most_shots;
    item->question = question;
    for (;; shots--) {
        if (prompt_build(&item->prompt, j->tokenizer, j->vocab, c->questions, q, shots, &j->round.arena, f) != 0)
            return fail_in(f, q->file);
        c->shots[question] = shots;
        c->left_out[question] = c->context && item->prompt.longest > c->context;
        if (!c->left_out[question] || shots == 0)
            return 0;
    }
}

static int by_length(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    if (x->n != y->n)
        return x->n < y->n ? -1 : 1;
    if (x->item != y->item)
        return x->item < y->item ? -1 : 1;
    return (x->sequence > y->sequence) - (x->sequence < y->sequence);
}

/* Builds prompts from question *next on until the round is full. */
static int fill_round(struct job *j, size_t *next, struct fail *f)
{
    struct round *r = &j->round;
    size_t cap = 0;

    for (; *next < j->c->n && r->tokens < ROUND_TOKENS; ++*next) {
        struct item *item = arena_new(&r->arena, struct item);
        if (build(j, *next, item, f) != 0)
            return -1;
        if (j->c->left_out[*next])
            continue;
        r->item = arena_grow(&r->arena, r->item, &r->cap, r->nitems + 1, sizeof *r->item);
        r->item[r->nitems] = item;
        for (size_t i = 0; i < item->prompt.nsequences; i++) {
            r->entry = arena_grow(&r->arena, r->entry, &cap, r->nentries + 1, sizeof *r->entry);
            r->entry[r->nentries++] = (struct entry){ r->nitems, i, item->prompt.sequence[i].n };
            r->tokens += item->prompt.sequence[i].n;
        }
        r->nitems++;
    }
    if (r->nentries)
        qsort(r->entry, r->nentries, sizeof *r->entry, by_length);
    return 0;
}

/* ---- a group: entries [first, first + n) of the round ---- */

/* The number of entries from `first` on that pass together. */
static size_t group_size(const struct round *r, size_t first, size_t width)
{
    size_t most = GROUP_NBYTES / (width * sizeof(float)), tokens = 0, n = 0;

    most = most < GROUP_TOKENS ? most : GROUP_TOKENS;
    for (size_t i = first; i < r->nentries; i++) {
        size_t length = r->entry[i].n, padded = length * (n + 1);
        if (n && (padded > most || (length - 1) / LENGTH_CLASS != (r->entry[first].n - 1) / LENGTH_CLASS))
            break;
        if (n >= 1 && padded > GROUP_LEAST && padded - (tokens + length) > padded / PADDED_SHARE)
            break;
        tokens += length;
        n++;
    }
    return n;
}

/* A log-likelihood that is wanted: of `token` behind place `at` of the group, to be added to *sum. */
struct term {
    size_t at;
    int32_t token;
    double *sum;
};

struct group {
    int32_t *token;                     /* n x context */
    size_t n, context;
    struct term *term;                  /* in order of `at` */
    size_t nterms;
};

static int by_place(const void *a, const void *b)
{
    const struct term *x = a, *y = b;

    return (x->at > y->at) - (x->at < y->at);
}

/* The terms of the spans in sequence `e`, which is the k-th of the group. */
static void add_terms(struct job *j, struct group *g, const struct entry *e, size_t k, size_t model, size_t *cap, struct arena *a)
{
    const struct item *item = j->round.item[e->item];
    size_t nchoices = j->c->questions->list.item[item->question].nchoices;

    for (size_t i = 0; i < RULES * nchoices; i++) {
        const struct span *s = &item->prompt.span[i];
        double *sum = &j->c->said[model][i / nchoices].loglik[j->c->first[item->question] + i % nchoices];
        if (s->sequence != e->sequence)
            continue;
        if (!s->n)
            *sum = -INFINITY;           /* an option without a token is never picked */
        for (size_t t = 0; t < s->n; t++) {
            g->term = arena_grow(a, g->term, cap, g->nterms + 1, sizeof *g->term);
            g->term[g->nterms++] = (struct term){ k * g->context + s->at + t, s->token[t], sum };
        }
    }
}

static struct group gather(struct job *j, size_t first, size_t n, size_t model, struct arena *a)
{
    const struct entry *e = &j->round.entry[first];
    struct group g = { .n = n, .context = e[n - 1].n };
    size_t cap = 0;

    g.token = arena_array(a, int32_t, n * g.context);
    for (size_t k = 0; k < n; k++) {
        const struct sequence *s = &j->round.item[e[k].item]->prompt.sequence[e[k].sequence];
        memcpy(g.token + k * g.context, s->token, s->n * sizeof *s->token);
        for (size_t i = s->n; i < g.context; i++)
            g.token[k * g.context + i] = s->token[s->n - 1];
        add_terms(j, &g, &e[k], k, model, &cap, a);
    }
    if (g.nterms)
        qsort(g.term, g.nterms, sizeof *g.term, by_place);
    return g;
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

/* Terms [first, ...) of at most `most` places; the number of terms. */
static size_t places_of(const struct group *g, size_t first, size_t most, size_t *at, size_t *n)
{
    size_t i = first;

    for (*n = 0; i < g->nterms; i++) {
        if (*n && at[*n - 1] == g->term[i].at)
            continue;
        if (*n == most)
            break;
        at[(*n)++] = g->term[i].at;
    }
    return i - first;
}

static int add_logliks(struct stream *s, const struct group *g, struct fail *f)
{
    struct arena tmp = {0};
    size_t vocabulary = stream_vocabulary(s), most = LOGITS_NBYTES / (vocabulary * sizeof(float)), n;
    most = most ? most : 1;
    most = most < g->nterms ? most : g->nterms;
    size_t *at = arena_array(&tmp, size_t, most);
    double *total = arena_array(&tmp, double, most);
    float *logits = arena_raw(&tmp, most * vocabulary * sizeof *logits);
    int bad = 0;

    for (size_t first = 0, some; first < g->nterms && !bad; first += some) {
        some = places_of(g, first, most, at, &n);
        bad = stream_logits(s, at, n, logits, f);
        if (bad)
            break;
#pragma omp parallel for schedule(dynamic)
        for (size_t i = 0; i < n; i++)
            total[i] = log_sum(logits + i * vocabulary, vocabulary);
        for (size_t i = first, row = 0; i < first + some; i++) {
            row += at[row] != g->term[i].at;
            *g->term[i].sum += (double)logits[row * vocabulary + (size_t)g->term[i].token] - total[row];
        }
    }
    arena_release(&tmp);
    return bad;
}

static int run_group(struct job *j, size_t first, size_t n, struct model *m, size_t model, struct fail *f)
{
    struct arena tmp = {0};
    struct group g = gather(j, first, n, model, &tmp);
    struct stream *s = stream_open(m, g.token, g.n, g.context, NULL, f);
    int bad = s ? stream_embed(s, f) : -1;

    for (size_t i = 0; !bad && i < stream_layers(s); i++)
        bad = stream_layer(s, i, f);
    if (!bad)
        bad = add_logliks(s, &g, f);
    stream_close(s);
    arena_release(&tmp);
    return bad;
}

static void tell(struct job *j, size_t questions, double share)
{
    const struct choices *c = j->c;

    if (j->options->progress)
        j->options->progress(j->options->ctx, "questions", (j->done + (uint64_t)((double)questions * share)) * PROGRESS_PARTS,
                             (uint64_t)c->n * PROGRESS_PARTS);
}

static int run_round(struct job *j, struct model *const *model, size_t questions, struct fail *f)
{
    const struct round *r = &j->round;
    size_t passed = 0;

    for (size_t m = 0; m < j->c->nmodels; m++) {
        uint64_t width = family_number(model[m], "embedding_length");
        for (size_t first = 0, n; first < r->nentries; first += n) {
            n = group_size(r, first, width ? width : 1);
            if (run_group(j, first, n, model[m], m, f) != 0)
                return -1;
            for (size_t i = first; i < first + n; i++)
                passed += r->entry[i].n;
            tell(j, questions, (double)passed / (double)(r->tokens * j->c->nmodels));
        }
    }
    return 0;
}

/* ---- all together ---- */

/* The option that is the likeliest by `rule`, the first of equals. */
static uint8_t pick_of(const struct question *q, enum choices_rule rule, const double *loglik)
{
    double best = -INFINITY;
    uint8_t pick = 0;

    for (size_t k = 0; k < q->nchoices; k++) {
        size_t nbytes = rule == RULE_OPTION ? strlen(q->choice[k]) : 1;
        double value = loglik[k] / (double)(nbytes ? nbytes : 1);
        if (value > best) {
            best = value;
            pick = (uint8_t)k;
        }
    }
    return pick;
}

static void pick_all(struct choices *c)
{
    for (size_t m = 0; m < c->nmodels; m++)
        for (size_t r = 0; r < RULES; r++)
            for (size_t i = 0; i < c->n; i++)
                c->said[m][r].pick[i] = pick_of(&c->questions->list.item[i], (enum choices_rule)r, c->said[m][r].loglik + c->first[i]);
}

int choices_check(const struct questions *q, const struct choices_options *o, struct fail *f)
{
    for (size_t i = 0; i < q->nsubjects && o->has_shots; i++) {
        const struct subject *s = &q->subject[i];
        if (!s->n || s->shots.n >= o->shots)
            continue;
        fail(f, FAIL_INPUT, "subject '%s' has %zu worked examples, where %zu are wanted before each question", s->name, s->shots.n, o->shots);
        return fail_hint(f, "--shots %zu, or put them into dev/%s_dev.csv", s->shots.n, s->name);
    }
    return 0;
}

static void make_room(struct choices *c, struct arena *a)
{
    c->first = arena_array(a, size_t, c->n + 1);
    for (size_t i = 0; i < c->n; i++)
        c->first[i + 1] = c->first[i] + c->questions->list.item[i].nchoices;
    c->shots = arena_array(a, size_t, c->n);
    c->left_out = arena_array(a, bool, c->n);
    c->said = arena_array_of(a, c->nmodels, sizeof *c->said);
    for (size_t m = 0; m < c->nmodels; m++)
        for (size_t r = 0; r < RULES; r++)
            c->said[m][r] = (struct picks){ arena_array(a, double, c->first[c->n]), arena_array(a, uint8_t, c->n) };
}

static int run(struct job *j, struct model *const *model, struct fail *f)
{
    struct choices *c = j->c;
    int bad = 0;

    for (size_t next = 0, before = 0; next < c->n && !bad; before = next) {
        bad = fill_round(j, &next, f) != 0 || run_round(j, model, next - before, f) != 0;
        c->asked += j->round.nitems;
        j->done = next;
        arena_release(&j->round.arena);
        j->round = (struct round){0};
    }
    if (!bad && !c->asked)
        bad = fail(f, FAIL_INPUT, "no question fits into the %zu tokens that the model can take", c->context);
    return bad;
}

int choices_ask(struct choices *c, const struct questions *q, struct model *const *model, size_t n, const struct vocab *v,
                const struct choices_options *o, struct arena *a, struct fail *f)
{
    struct job j = { .c = c, .vocab = v, .options = o };
    int bad;

    *c = (struct choices){ .questions = q, .n = q->list.n, .nmodels = n, .context = family_number(model[0], "context_length"),
                           .most_shots = o->has_shots ? o->shots : SHOTS_DEFAULT };
    if (choices_check(q, o, f) != 0 || !(j.tokenizer = tokenizer_open(v, f)))
        return -1;
    make_room(c, a);
    bad = run(&j, model, f);
    tokenizer_close(j.tokenizer);
    arena_release(&j.round.arena);
    if (!bad)
        pick_all(c);
    return bad;
}
