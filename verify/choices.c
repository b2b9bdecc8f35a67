/* choices.c - see choices.h: prompts of questions packed into trees, and what models pick. Asking them is asking.c's. */
#include "verify/choices.h"

#include "formats/file.h"
#include "verify/budget.h"
#include "verify/packs.h"
#include "verify/stream.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    PACK_MOST = 8192,                   /* tokens that pass the network together: beyond it nothing is won ... */
    PACK_LEAST = 256,                   /* ... and with fewer much would be computed twice */
    ROUND_MOST = 1 << 16,               /* tokens of a round: enough to read a model once for all of them ... */
    ROUND_LEAST = 1 << 14,              /* ... and where memory is short, fewer, but so many, in a file if need be */
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

/* ---- sizes ---- */

/* Opens every model for a moment. */
static int measure_models(struct choices *c, struct fail *f)
{
    struct choices_sizes *z = c->sizes;
    const int32_t token = 0;

    for (size_t m = 0; m < c->nmodels; m++) {
        struct stream *s = stream_open(c->model[m], &token, 1, 1, NULL, f);
        if (!s)
            return -1;
        z->layers[m] = stream_layers(s);
        z->token_nbytes = max_u64(z->token_nbytes, (stream_temporaries(s) + s->rope.rot + 1) * sizeof(float));
        z->width = max_u64(z->width, stream_width(s));
        z->vocabulary = max_u64(z->vocabulary, stream_vocabulary(s));
        stream_close(s);
    }
    return 0;
}

/* A model that has factors for long sequences uses them beyond its original context. */
static size_t turn_of(const struct choices *c)
{
    size_t turn = SIZE_MAX;

    for (size_t m = 0; m < c->nmodels; m++)
        if (model_tensor(c->model[m], "rope_factors_long.weight"))
            turn = min_u64(turn, family_number(c->model[m], "rope.scaling.original_context_length"));
    return turn ? turn : SIZE_MAX;
}

/* Tokens of a tree. */
static size_t pack_most(const struct choices_sizes *z, const struct budget *b)
{
    size_t fit = max_u64(b->work, b->nbytes / 4) / z->token_nbytes;

    return fit < PACK_LEAST ? PACK_LEAST : min_u64(fit, PACK_MOST);
}

static void cut_rounds(struct choices *c, const struct budget *b)
{
    struct choices_sizes *z = c->sizes;
    size_t fit = b->states / (z->width * sizeof(float));

    z->round_most = fit < ROUND_LEAST ? ROUND_LEAST : min_u64(fit, ROUND_MOST);
    for (size_t first = 0; first < c->packs->n; z->nrounds++) {
        struct choices_round r = choices_round(c, first);
        z->groups = max_u64(z->groups, r.n);
        z->group = max_u64(z->group, r.context);
        first += r.n;
    }
}

struct choices_round choices_round(const struct choices *c, size_t first)
{
    const struct packs *p = c->packs;
    struct choices_round r = { .first = first };
    size_t end = first < p->nshort ? p->nshort : p->n;

    for (size_t i = first; i < end; i++) {
        size_t context = max_u64(r.context, p->tree[i].n);
        if (r.n && (r.n + 1) * context > c->sizes->round_most)
            break;
        r.n++;
        r.context = context;
    }
    return r;
}

uint64_t choices_states_nbytes(const struct choices *c)
{
    return (uint64_t)c->sizes->groups * c->sizes->group * c->sizes->width * sizeof(float);
}

/* ---- prompts ---- */

struct job {
    struct choices *c;
    const struct vocab *vocab;
    struct tokenizer *tokenizer;
};

/* With as many worked examples as the model has room for. */
static int build(struct job *j, size_t question, struct prompt *p, struct arena *tmp, struct fail *f)
{
    struct choices *c = j->c;
    const struct question *q = &c->questions->list.item[question];
    size_t shots = min_u64(c->questions->subject[q->subject].shots.n, c->most_shots);

    for (;; shots--) {
        if (prompt_build(p, j->tokenizer, j->vocab, c->questions, q, shots, tmp, f) != 0)
            return fail_in(f, q->file);
        c->shots[question] = shots;
        c->left_out[question] = c->context && p->longest > c->context;
        if (!c->left_out[question] || shots == 0)
            return 0;
    }
}

/* Options without a token are never picked. */
static void pass_over(struct choices *c, size_t question, const struct prompt *p, size_t nchoices)
{
    for (size_t i = 0; i < RULES * nchoices; i++)
        for (size_t m = 0; m < c->nmodels && !p->span[i].n; m++)
            c->said[m][i / nchoices].loglik[c->first[question] + i % nchoices] = -INFINITY;
}

static int pack_all(struct job *j, struct fail *f)
{
    struct choices *c = j->c;
    struct arena tmp = {0}, own = {0};
    struct prompt *prompt = arena_new(&own, struct prompt);
    int bad = 0;

    for (size_t i = 0; i < c->n && !bad; i++) {
        size_t nchoices = c->questions->list.item[i].nchoices;
        bad = build(j, i, prompt, &tmp, f);
        if (!bad && !c->left_out[i]) {
            pass_over(c, i, prompt, nchoices);
            packs_add(c->packs, prompt, nchoices, c->first[i], c->first[c->n]);
            c->asked++;
        }
        arena_reset(&tmp);
    }
    arena_release(&tmp);
    arena_release(&own);
    packs_end(c->packs);
    if (!bad && !c->asked)
        bad = fail(f, FAIL_INPUT, "no question fits into the %zu tokens that the model can take", c->context);
    return bad;
}

/* ---- what they pick ---- */

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

void choices_pick(struct choices *c)
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

int choices_plan(struct choices *c, const struct questions *q, struct model *const *model, size_t n, const struct vocab *v,
                 const struct choices_options *o, struct arena *a, struct fail *f)
{
    struct job j = { .c = c, .vocab = v };
    struct budget budget = budget_of(o->memory);
    int bad;

    *c = (struct choices){ .questions = q, .n = q->list.n, .model = model, .nmodels = n, .context = family_number(model[0], "context_length"),
                           .most_shots = o->has_shots ? o->shots : SHOTS_DEFAULT };
    c->packs = arena_new(a, struct packs);
    c->sizes = arena_new(a, struct choices_sizes);
    c->sizes->layers = arena_array(a, size_t, n);
    if (choices_check(q, o, f) != 0 || measure_models(c, f) != 0 || !(j.tokenizer = tokenizer_open(v, f)))
        return -1;
    *c->packs = (struct packs){ .most = pack_most(c->sizes, &budget), .turn = turn_of(c), .arena = a };
    make_room(c, a);
    bad = pack_all(&j, f);
    tokenizer_close(j.tokenizer);
    cut_rounds(c, &budget);
    c->tokens = c->packs->tokens;
    c->written_out = c->packs->written_out;
    return bad;
}
