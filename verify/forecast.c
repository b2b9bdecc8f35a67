/* forecast.c - see forecast.h. Constants without a source are fits to runs on two cores of a Zen 4. */
#include "verify/forecast.h"

#include "formats/file.h"
#include "formats/usage.h"

#include "verify/budget.h"
#include "verify/packs.h"
#include "verify/rows.h"
#include "verify/stream.h"
#include "verify/units.h"

#include <math.h>
#include <omp.h>
#include <string.h>

enum {
    TRIAL_ROWS = 2048,
    TRIAL_TOKENS = 1024,
};

/* What one model costs. */
struct costs {
    double per_weight, per_flop;        /* seconds to decode one, and for one addition or multiplication */
    double weights, active;             /* of a layer: all, and those a token is multiplied with */
    uint64_t work_nbytes;
};

static void add_matrix(struct costs *c, const struct affine *a, double matrices, double used)
{
    double n = a->w ? (double)a->rows * (double)tensor_row(a->w) : 0;

    c->weights += n * matrices;
    c->active += n * used;
}

static void count_layer(struct costs *c, const struct stream *s, const struct layer *l)
{
    const struct affine *dense[] = { &l->q, &l->k, &l->v, &l->o, &l->mlp.gate, &l->mlp.up, &l->mlp.down, &l->router, &l->shared.gate,
                                     &l->shared.up, &l->shared.down };
    const struct affine *stacked[] = { &l->experts.gate, &l->experts.up, &l->experts.down };

    for (size_t i = 0; i < sizeof dense / sizeof *dense; i++)
        add_matrix(c, dense[i], 1, 1);
    for (size_t i = 0; i < sizeof stacked / sizeof *stacked; i++)
        add_matrix(c, stacked[i], (double)s->length[EXPERTS], (double)s->experts_used);
}

/* Seconds for a piece of the largest matrix at hand and n tokens; the best of two. */
static double trial(struct stream *s, const struct affine *a, const float *x, size_t n, float *y, struct fail *f)
{
    double best = INFINITY;

    for (int i = 0; i < 2; i++) {
        double start = seconds_now();
        if (stream_product(s, a, x, n, y, f) != 0)
            return -1;
        best = fmin(best, seconds_now() - start);
    }
    return best;
}

static int calibrate(struct costs *c, struct stream *s, struct fail *f)
{
    const struct layer *l = s->layer;
    struct affine a = l->mlp.up.w ? l->mlp.up : l->experts.up.w ? l->experts.up : l->q;
    size_t all = s->nchunks * s->context, n = all < TRIAL_TOKENS ? all : TRIAL_TOKENS, width = tensor_row(a.w);
    struct arena tmp = {0};
    float *x = arena_array(&tmp, float, n * width), *y;
    double few, many, weights;

    a.b = NULL;
    a.rows = a.rows < TRIAL_ROWS ? a.rows : TRIAL_ROWS;
    weights = (double)a.rows * (double)width;
    y = arena_raw(&tmp, n * a.rows * sizeof *y);
    for (size_t i = 0; i < n * width; i++)
        x[i] = (float)(i % 61) / 61 - 0.5f;
    few = trial(s, &a, x, 1, y, f);
    many = few < 0 ? -1 : trial(s, &a, x, n, y, f);
    arena_release(&tmp);
    if (many < 0)
        return fail_in(f, s->model->path);
    c->per_weight = few / weights;
    c->per_flop = fmax(many - few, many / 4) / (2 * weights * (double)n);
    return 0;
}

/* All layers of a model for all tokens, each of which sees so many on average, in so many groups. */
static double layers_seconds(const struct costs *c, const struct stream *s, double tokens, double groups, double seen)
{
    double threads = omp_get_max_threads(), heads = (double)s->attention.heads;
    double attention = 2 * seen * heads * (double)(s->attention.key + s->attention.value) * c->per_flop * (s->options.fast ? 3.5 : 1.8) +
                       seen * heads * 1.2e-9 / threads;
    double rest = ((double)s->length[WIDTH] * 20 + (double)s->length[HIDDEN] * 3) * 0.4e-9 / threads;

    return (double)s->layers * (groups * c->weights * c->per_weight + tokens * (2 * c->active * c->per_flop + attention + rest));
}

static double logits_seconds(const struct costs *c, const struct stream *s, size_t n, size_t batch)
{
    double weights = (double)s->vocabulary * (double)s->length[WIDTH], batches = ceil((double)n / (double)batch);

    return batches * weights * c->per_weight + 2 * (double)n * weights * c->per_flop +
           (double)n * (double)s->vocabulary * 1.5e-8 / omp_get_max_threads();
}

/* Of packed tokens. */
static uint64_t product_nbytes(const struct stream *s, uint64_t tokens, uint64_t width)
{
    return tokens * width * (s->options.fast ? 2 : sizeof(float));
}

static int add_model(struct forecast *g, struct stream *s, const struct score_input *in, const struct budget *b, bool several, struct fail *f)
{
    struct costs c = {0};
    size_t most = in->n < 2048 ? in->n : 2048, row = s->vocabulary * sizeof(float), batch = b->logits / 2 / row;
    uint64_t group = (s->group < s->nchunks ? s->group : s->nchunks) * s->context, states, work, logits;

    count_layer(&c, s, s->layer);
    if (calibrate(&c, s, f) != 0)
        return -1;
    batch = batch < 1 ? 1 : batch < most ? batch : most;
    g->seconds += layers_seconds(&c, s, (double)(s->nchunks * s->context), (double)stream_groups(s, s->group), (double)s->context / 2 + 64) +
                  logits_seconds(&c, s, in->n, batch);
    states = (uint64_t)s->nchunks * s->context * s->length[WIDTH] * sizeof(float);
    work = group * stream_temporaries(s) * sizeof(float) + product_nbytes(s, group, s->length[HIDDEN]);
    logits = (several ? 2 : 1) * batch * row + product_nbytes(s, batch, s->length[WIDTH]);
    g->disk_nbytes += states;
    g->memory_nbytes = g->memory_nbytes > work ? g->memory_nbytes : work;
    g->memory_nbytes = g->memory_nbytes > logits ? g->memory_nbytes : logits;
    return 0;
}

/* Of a model's map, what is read and what lies around it. */
static uint64_t pages_nbytes(const struct model *m)
{
    uint64_t n = 0;

    for (size_t i = 0; i < m->nfiles; i++)
        n += m->file[i].nbytes;
    return n < FILE_TRIM_NBYTES ? n : FILE_TRIM_NBYTES;
}

int forecast_score(const struct score_models *models, const struct score_input *in, const struct score_options *options,
                   struct forecast *g, struct fail *f)
{
    struct budget b = budget_of(options->memory);
    struct stream_options how = { .work_nbytes = b.work, .fast = !options->exact && score_is_fast(models) };
    double decoded = 0;
    int bad = 0;

    *g = (struct forecast){0};
    for (size_t k = 0; k <= models->n && !bad; k++) {
        struct model *m = k ? models->candidate[k - 1] : models->original;
        struct stream *s = stream_open(m, in->token, in->nchunks, in->context, &how, f);
        bad = !s || add_model(g, s, in, &b, models->n > 0, f) != 0;
        stream_close(s);
        for (size_t i = 0; i < m->ntensors && models->n; i++)
            decoded += (double)tensor_weights(&m->tensor[i]);
    }
    g->seconds += decoded * 1.6e-9 / omp_get_max_threads();     /* the tensors, compared one by one */
    if (g->disk_nbytes <= b.states) {
        g->memory_nbytes += g->disk_nbytes;
        g->disk_nbytes = 0;
    }
    g->memory_nbytes += peak_nbytes() + pages_nbytes(models->original) + in->n * (sizeof(struct token_said) + models->n * sizeof(struct token_loss));
    return bad ? -1 : 0;
}

/* ---- questions ---- */

/* Of all trees: for how many tokens logits are wanted, and how many a token sees, scores that nobody looks at included. */
static void count_questions(const struct choices *c, double *wanted, double *seen)
{
    *wanted = *seen = 0;
    for (size_t i = 0; i < c->packs->n; i++) {
        const struct tree *t = &c->packs->tree[i];
        const struct terms *terms = &c->packs->terms[i];
        for (size_t k = 0; k < terms->n; k++)
            *wanted += k == 0 || terms->item[k].at != terms->item[k - 1].at;
        for (size_t k = 0; k < t->n; k++)
            *seen += t->position[k] + 64;
    }
    *seen /= (double)c->tokens;
}

static const struct tree *largest_tree(const struct choices *c)
{
    const struct tree *t = c->packs->tree;

    for (size_t i = 1; i < c->packs->n; i++)
        t = c->packs->tree[i].n > t->n ? &c->packs->tree[i] : t;
    return t;
}

/* A model is opened for the largest tree, to be multiplied with a piece of it. */
static int add_asked(struct forecast *g, const struct choices *c, size_t model, const struct budget *b, double wanted, double seen,
                     struct fail *f)
{
    const struct tree *t = largest_tree(c);
    struct stream_options how = { .work_nbytes = b->work, .tree = t };
    struct stream *s = stream_open(c->model[model], t->token, 1, t->n, &how, f);
    struct costs costs = {0};
    int bad = s ? 0 : -1;

    if (s)
        count_layer(&costs, s, s->layer);
    if (!bad && (bad = calibrate(&costs, s, f)) == 0) {
        size_t row = s->vocabulary * sizeof(float), batch = b->logits / row;
        double rounds = (double)c->sizes->nrounds;
        uint64_t work = c->sizes->group * c->sizes->token_nbytes + product_nbytes(s, c->sizes->group, s->length[HIDDEN]), logits;
        batch = batch < 1 ? 1 : batch;
        batch = (double)batch > wanted / rounds ? (size_t)ceil(wanted / rounds) : batch;
        g->seconds += layers_seconds(&costs, s, (double)c->tokens, (double)c->packs->n, seen) + logits_seconds(&costs, s, (size_t)wanted, batch);
        logits = batch * row + product_nbytes(s, batch, s->length[WIDTH]);
        g->memory_nbytes = g->memory_nbytes > work ? g->memory_nbytes : work;
        g->memory_nbytes = g->memory_nbytes > logits ? g->memory_nbytes : logits;
    }
    stream_close(s);
    return bad;
}

int forecast_choices(const struct choices *c, const struct choices_options *o, struct forecast *g, struct fail *f)
{
    struct budget b = budget_of(o->memory);
    uint64_t states = choices_states_nbytes(c);
    double wanted, seen;

    *g = (struct forecast){0};
    count_questions(c, &wanted, &seen);
    for (size_t m = 0; m < c->nmodels; m++)
        if (add_asked(g, c, m, &b, wanted, seen, f) != 0)
            return -1;
    *(states > b.states ? &g->disk_nbytes : &g->memory_nbytes) += states;
    g->memory_nbytes += peak_nbytes() + pages_nbytes(c->model[0]);
    return 0;
}

void forecast_add(struct forecast *g, const struct forecast *more)
{
    g->seconds += more->seconds;
    g->memory_nbytes = g->memory_nbytes > more->memory_nbytes ? g->memory_nbytes : more->memory_nbytes;
    g->disk_nbytes = g->disk_nbytes > more->disk_nbytes ? g->disk_nbytes : more->disk_nbytes;
}
