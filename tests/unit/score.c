/* score.c - statistics against closed forms, and both models in step against the definitions written out. */
#include "verify/score.h"

#include "tests/unit/test.h"
#include "tests/unit/tiny.h"
#include "verify/stats.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>

static bool near(double a, double b, double relative)
{
    return fabs(a - b) <= relative * fabs(b);
}

/* ---- single tokens ---- */

/* What both said about one token. */
struct both {
    double original, candidate, kld, delta_p, top, entropy;
    int same_top;
};

static struct both both_of(const float *original, const float *candidate, size_t n, size_t next, double *scratch)
{
    struct distribution p = distribution_of(original, n, scratch), q;
    struct token_said said = said_of(&p, next);
    struct both b = { .original = said.loss, .top = said.top, .entropy = said.entropy };

    if (candidate) {
        q = distribution_of(candidate, n, scratch + n);
        struct token_loss l = loss_of(&p, &q, next);
        b.candidate = l.loss, b.kld = l.kld, b.delta_p = l.delta_p, b.same_top = l.same_top;
    }
    return b;
}

TEST(loss_of_two_and_four_pieces)
{
    const float even[2] = { 3, 3 }, odd[2] = { 1, 1 + (float)0.6931471805599453 };     /* 1/2 1/2 and 1/3 2/3 */
    const float four[4] = { -5, -5, -5, -5 }, one[4] = { 0, -200, -200, -200 };
    double scratch[8];
    struct both l = both_of(even, odd, 2, 0, scratch);

    CHECK(near(l.original, log(2), 1e-15) && near(l.candidate, log(3), 1e-7));
    CHECK(near(l.kld, 0.5 * log(1.5) + 0.5 * log(0.75), 1e-7));
    CHECK(near(l.delta_p, 1. / 3 - 0.5, 1e-6) && !l.same_top);
    l = both_of(four, one, 4, 1, scratch);
    CHECK(near(l.original, log(4), 1e-15) && near(l.candidate, 200, 1e-15) && l.same_top);
    CHECK(near(l.kld, -log(4) + 0.75 * 200, 1e-14));
    l = both_of(one, four, 4, 1, scratch);
    CHECK(near(l.kld, log(4), 1e-14));
    l = both_of(four, NULL, 4, 1, scratch);
    CHECK(near(l.original, log(4), 1e-15) && near(l.entropy, log(4), 1e-15) && l.top == 0.25);
    l = both_of(one, NULL, 4, 1, scratch);
    CHECK(l.top == 1 && l.entropy < 1e-80 && l.original == 200);
}

TEST(loss_of_equal_logits_is_exactly_zero)
{
    enum { N = 1000 };
    int32_t *ids = tiny_tokens(N, 4001, 8);
    float x[N], y[N];
    double scratch[2 * N];

    for (size_t i = 0; i < N; i++)
        x[i] = y[i] = (float)(ids[i] - 2000) / 37;
    struct both l = both_of(x, y, N, 3, scratch);
    CHECK(l.kld == 0 && l.delta_p == 0 && l.same_top && l.original == l.candidate);
    for (size_t i = 0; i < N; i++)
        y[i] += 16;                 /* a shift changes no probability; here it is lost in no rounding but the floats' own */
    l = both_of(x, y, N, 3, scratch);
    CHECK(l.kld >= 0 && l.kld < 1e-11);
    free(ids);
}

/* For a small change the divergence is half the variance of the change. */
TEST(loss_of_tiny_differences_keeps_its_digits)
{
    const float x[2] = { 0, 0 };
    double scratch[4];

    for (double e = 1e-3; e > 1e-10; e /= 10) {
        const float y[2] = { (float)e, -(float)e };
        double want = (double)y[0] * (double)y[0] / 2;
        if (!near(both_of(x, y, 2, 0, scratch).kld, want, 1e-6))
            test_failed(__FILE__, __LINE__, "a change of %g gives %g, expected %g", e, both_of(x, y, 2, 0, scratch).kld, want);
    }
}

/* Both ways to write a term meet at their border. */
TEST(loss_of_differences_around_a_quarter)
{
    double scratch[4];

    for (int i = 1; i < 400; i++) {
        const float x[2] = { 0, 1 }, y[2] = { 0.005f * (float)i, 1 };
        double p = 1 / (1 + exp(1)), q = exp((double)y[0]) / (exp((double)y[0]) + exp(1));
        double want = p * log(p / q) + (1 - p) * log((1 - p) / (1 - q));
        if (!(fabs(both_of(x, y, 2, 0, scratch).kld - want) < 1e-15 + 1e-12 * want))
            test_failed(__FILE__, __LINE__, "%g: %.17g, expected %.17g", (double)y[0], both_of(x, y, 2, 0, scratch).kld, want);
    }
}

TEST(estimates_and_quantiles)
{
    double x[5] = { 5, 1, 4, 2, 3 };
    struct estimate e = estimate_of(x, 5, sizeof *x);

    CHECK(e.mean == 3 && near(e.stderr_, sqrt(2. / 4), 1e-15));
    e = estimate_of(x, 2, 2 * sizeof *x);
    CHECK(e.mean == 4.5 && near(e.stderr_, 0.5, 1e-15));
    CHECK(estimate_of(x, 1, sizeof *x).stderr_ == 0);
    sort_doubles(x, 5);
    CHECK(quantile_of(x, 5, 0.5) == 3 && quantile_of(x, 4, 0.5) == 2.5 && near(quantile_of(x, 5, 0.9), 4.6, 1e-15));
    CHECK(quantile_of(x, 5, 1) == 5 && quantile_of(x, 1, 0.999) == 1);
}

TEST(moments_of_zero_and_opposite_vectors)
{
    const float a[2] = { 3, 4 }, b[2] = { -3, -4 }, zero[2] = { 0, 0 }, third[2] = { 1.f / 3, 1e-20f };
    struct moments m = moments_of(a, b, 2);

    CHECK(near(moments_rmse(&m), sqrt(50), 1e-15) && moments_nmse(&m) == 4 && moments_cosine(&m) == -1);
    m = moments_of(third, third, 2);
    CHECK(moments_rmse(&m) == 0 && moments_nmse(&m) == 0 && near(moments_cosine(&m), 1, 1e-15));
    m = moments_of(zero, zero, 2);
    CHECK(moments_nmse(&m) == 0 && moments_cosine(&m) == 1);
    m = moments_of(zero, a, 2);
    CHECK(moments_nmse(&m) == 1 && moments_cosine(&m) == 0);
}

/* ---- two models ---- */

enum { PIECES = TINY_PIECES, CONTEXT = 20 };

static const char text[] = "The quick brown fox jumps over the lazy dog, while five wizards quietly box; "
                           "then all of them go home and sleep until somebody writes the next line of this text.";

struct pair {
    struct tiny original_shape, candidate_shape;
    struct model *original, *candidate;
    struct vocab *vocab;
    struct arena arena;
    struct fail fail;
    struct score score;
    uint64_t last_done, last_total;
};

static void pair_open(struct pair *p)
{
    struct tiny shape = TINY;

    shape.vocabulary = PIECES;
    shape.ff = 64;
    *p = (struct pair){ .original_shape = shape, .candidate_shape = shape };
    p->candidate_shape.type = "q8_0";
    p->original = tiny_model(&p->original_shape);
    p->candidate = tiny_model(&p->candidate_shape);
    p->vocab = tiny_vocab(&p->arena, &p->fail);
}

static void pair_close(struct pair *p)
{
    model_close(p->original);
    model_close(p->candidate);
    arena_release(&p->arena);
}

static int pair_score(struct pair *p, struct model *candidate, size_t context, size_t chunks)
{
    struct score_options options = { .context = context, .chunks = chunks };

    p->fail = (struct fail){0};
    struct score_models models = { p->original, &candidate, 1 };
    return score_text(&models, p->vocab, text, strlen(text), &options, &p->arena, &p->score, &p->fail);
}

TEST(score_of_a_model_against_itself_is_exact)
{
    struct pair p;

    pair_open(&p);
    CHECK(pair_score(&p, p.original, CONTEXT, 0) == 0);
    struct score *s = &p.score;
    struct candidate_score *c = s->candidate;
    struct figures *g = &c->figures;
    CHECK(g->kld.mean == 0 && g->kld.stderr_ == 0 && g->kld.median == 0 && g->kld.p999 == 0 && g->kld.max == 0);
    CHECK(g->top1 == 1 && g->rms_delta_p == 0 && g->ratio == 1 && g->ratio_stderr == 0);
    CHECK(s->original.value == g->candidate.value && s->original.stderr_ == g->candidate.stderr_);
    CHECK_U64(s->nlayers, 2);
    CHECK(c->layer_nmse[0] == 0 && c->layer_nmse[1] == 0);
    CHECK_U64(c->tensors.n, p.original->ntensors);
    for (size_t i = 0; i < c->tensors.n; i++)
        CHECK(c->tensors.item[i].rmse == 0 && c->tensors.item[i].nmse == 0 && near(c->tensors.item[i].cosine, 1, 1e-15));
    pair_close(&p);
}

/* Of one chunk: the sums that the figures are made of, from logits of the whole chunk. */
struct sums {
    double n, original, candidate, kld, delta_p2;
    size_t same;
};

static void add_chunk(struct pair *p, int32_t *ids, size_t context, struct sums *sums)
{
    struct fail f = {0};
    size_t width, first = context / 2;
    int32_t *with_bos = arena_array(&p->arena, int32_t, context);

    memcpy(with_bos, ids, context * sizeof *ids);
    with_bos[0] = 1;
    float *o = score_logits(p->original, with_bos, context, &p->arena, &width, &f);
    float *c = score_logits(p->candidate, with_bos, context, &p->arena, &width, &f);
    for (size_t i = first; i < context - 1; i++) {
        long double zo = 0, zc = 0, kld = 0;
        size_t top_o = 0, top_c = 0;
        const float *x = o + i * width, *y = c + i * width;
        for (size_t k = 0; k < width; k++) {
            zo += expl(x[k]), zc += expl(y[k]);
            top_o = x[k] > x[top_o] ? k : top_o, top_c = y[k] > y[top_c] ? k : top_c;
        }
        for (size_t k = 0; k < width; k++)
            kld += expl(x[k]) / zo * logl(expl(x[k]) / zo / (expl(y[k]) / zc));
        double po = (double)(expl(x[ids[i + 1]]) / zo), pc = (double)(expl(y[ids[i + 1]]) / zc);
        sums->n++;
        sums->original -= log(po);
        sums->candidate -= log(pc);
        sums->kld += (double)kld;
        sums->delta_p2 += (pc - po) * (pc - po);
        sums->same += top_o == top_c;
    }
}

TEST(score_follows_the_definitions)
{
    struct pair p;
    struct sums sums = {0};
    size_t count;

    pair_open(&p);
    struct tokenizer *t = tokenizer_open(p.vocab, &p.fail);
    int32_t *tokens = tokenizer_encode(t, text, strlen(text), (struct token_options){ .add_special = true }, &p.arena, &count,
                                       &p.fail);
    tokenizer_close(t);
    CHECK(tokens != NULL && tokens[0] == 1);
    CHECK(pair_score(&p, p.candidate, CONTEXT, 0) == 0);
    for (size_t k = 0; k < count / CONTEXT; k++)
        add_chunk(&p, tokens + k * CONTEXT, CONTEXT, &sums);
    struct score *s = &p.score;
    struct candidate_score *c = s->candidate;
    struct figures *g = &c->figures;
    CHECK_U64(s->chunks, count / CONTEXT);
    CHECK_U64(s->tokens, count / CONTEXT * (CONTEXT / 2 - 1));
    CHECK(sums.n == (double)s->tokens);
    CHECK(near(s->original.value, exp(sums.original / sums.n), 1e-5));
    CHECK(near(g->candidate.value, exp(sums.candidate / sums.n), 1e-5));
    CHECK(near(g->ratio, exp((sums.candidate - sums.original) / sums.n), 1e-5));
    CHECK(g->kld.mean > 1e-6 && near(g->kld.mean, sums.kld / sums.n, 1e-3));
    CHECK(near(g->top1, (double)sums.same / sums.n, 1e-12));
    CHECK(near(g->rms_delta_p, sqrt(sums.delta_p2 / sums.n), 1e-3));
    CHECK(c->layer_nmse[0] > 0 && c->layer_nmse[1] < 0.01);
    CHECK_STR(c->tensors.item[0].type, "Q8_0");
    for (size_t i = 0; i < c->tensors.n; i++) {        /* matrices are multiplied with something, other than embeddings */
        const struct tensor_error *e = &c->tensors.item[i];
        bool matrix = e->tensor->rank == 2 && strcmp(e->name, "token_embd.weight") != 0;
        if (e->seen != matrix || (e->seen && !(e->product > e->nmse / 4 && e->product < e->nmse * 4)))
            test_failed(__FILE__, __LINE__, "'%s': %g in the product, %g in the weights", e->name, e->product, e->nmse);
    }
    CHECK(c->tensors.item[0].nmse > 0 && c->tensors.item[0].nmse < 1e-4 && c->tensors.item[0].cosine > 0.9999);
    pair_close(&p);
}

/* To the last bit. */
static void check_same(const struct score *s, const struct candidate_score *x, const struct score *t, const struct candidate_score *y)
{
    CHECK(memcmp(&s->original, &t->original, sizeof s->original) == 0);
    CHECK(memcmp(&x->figures, &y->figures, sizeof x->figures) == 0);
    CHECK(memcmp(x->layer_nmse, y->layer_nmse, s->nlayers * sizeof *x->layer_nmse) == 0);
    CHECK_U64(x->tensors.n, y->tensors.n);
    for (size_t i = 0; i < x->tensors.n; i++)
        CHECK(x->tensors.item[i].rmse == y->tensors.item[i].rmse && x->tensors.item[i].product == y->tensors.item[i].product && x->tensors.item[i].cosine == y->tensors.item[i].cosine);
}

TEST(score_does_not_depend_on_threads)
{
    struct pair p;
    struct score first = {0};
    int before = omp_get_max_threads();

    pair_open(&p);
    for (int threads = 1; threads <= 3; threads++) {
        omp_set_num_threads(threads);
        CHECK(pair_score(&p, p.candidate, CONTEXT, 0) == 0);
        if (threads == 1)
            first = p.score;
        check_same(&first, &first.candidate[0], &p.score, &p.score.candidate[0]);
    }
    omp_set_num_threads(before);
    pair_close(&p);
}

TEST(score_of_several_candidates_is_that_of_each)
{
    struct pair p;
    struct tiny shape;
    struct score_options options = { .context = CONTEXT };
    struct score all;

    pair_open(&p);
    shape = p.original_shape;
    shape.type = "q4_0";
    struct model *candidate[] = { p.candidate, p.original, tiny_model(&shape) };
    struct score_models models = { p.original, candidate, 3 };
    CHECK(score_text(&models, p.vocab, text, strlen(text), &options, &p.arena, &all, &p.fail) == 0);
    for (size_t k = 0; k < 3; k++) {
        CHECK(pair_score(&p, candidate[k], CONTEXT, 0) == 0);
        check_same(&p.score, &p.score.candidate[0], &all, &all.candidate[k]);
    }
    CHECK(all.candidate[0].figures.kld.mean < all.candidate[2].figures.kld.mean && all.candidate[1].figures.kld.max == 0);
    model_close(candidate[2]);
    pair_close(&p);
}

TEST(figures_of_some_tokens)
{
    const struct token_said o[3] = { { .loss = 1 }, { .loss = 5 }, { .loss = 3 } };
    const struct token_loss c[3] = { { .loss = 1, .kld = 0.5, .same_top = 1 }, { .loss = 9, .kld = 7 }, { .loss = 4, .kld = 0.25, .delta_p = 0.5 } };
    const size_t which[2] = { 0, 2 };
    struct figures g = figures_of(o, c, which, 2);

    CHECK(g.tokens == 2 && near(g.original.value, exp(2), 1e-15) && near(g.candidate.value, exp(2.5), 1e-15));
    CHECK(near(g.ratio, exp(0.5), 1e-15) && g.kld.mean == 0.375 && g.kld.max == 0.5 && g.top1 == 0.5);
    CHECK(near(g.rms_delta_p, sqrt(0.125), 1e-15));
    g = figures_of(o, NULL, NULL, 3);
    CHECK(g.tokens == 3 && near(g.original.value, exp(3), 1e-15) && g.ratio == 0);
    g = figures_of(o, c, which, 0);
    CHECK(g.tokens == 0 && g.original.value == 0 && g.kld.max == 0);
}

static void note_steps(void *ctx, const char *what, uint64_t done, uint64_t total)
{
    struct pair *p = ctx;

    (void)what;
    p->last_done = done <= total ? done : UINT64_MAX;
    p->last_total = total;
}

TEST(score_of_one_model_and_fewer_chunks)
{
    struct pair p;
    struct arena a = {0};
    struct score_options options = { .context = CONTEXT, .chunks = 2, .progress = note_steps };

    pair_open(&p);
    CHECK(pair_score(&p, p.candidate, CONTEXT, 2) == 0);
    options.ctx = &p;
    struct score_models alone = { .original = p.original };
    struct score one;
    CHECK(score_text(&alone, p.vocab, text, strlen(text), &options, &a, &one, &p.fail) == 0);
    CHECK_U64(one.chunks, 2);
    CHECK(one.original.value == p.score.original.value && one.original.stderr_ == p.score.original.stderr_);
    CHECK(one.peak_nbytes > 0 && one.ncandidates == 0);
    CHECK(p.last_done == p.last_total && p.last_total == one.tokens);
    arena_release(&a);
    pair_close(&p);
}

TEST(score_refuses_what_cannot_be_compared)
{
    struct pair p;

    pair_open(&p);
    CHECK(pair_score(&p, p.candidate, 150, 0) != 0 && p.fail.kind == FAIL_INPUT);
    CHECK(strstr(p.fail.text, "the text is too short: ") && strstr(p.fail.text, "where two contexts of 150 are needed"));
    CHECK(strstr(p.fail.hint, "--context "));
    CHECK(pair_score(&p, p.candidate, 2, 0) != 0 && p.fail.kind == FAIL_USAGE);

    static const struct {
        size_t at;
        size_t value;
        const char *text;
    } rows[] = {
        { offsetof(struct tiny, layers), 3, "the candidate has 3 layers, the original 2: not the same model" },
        { offsetof(struct tiny, width), 48, "the candidate has 48 numbers in a hidden state, the original 32: not the same model" },
        { offsetof(struct tiny, vocabulary), 300, "the candidate has 300 pieces in the vocabulary, the original 259: not the same model" },
        { offsetof(struct tiny, ff), 96, "tensor 'blk.0.ffn_gate.weight' has another shape in the candidate: 96 rows of 32, in the "
                                         "original 64 of 32" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tiny c = p.original_shape;
        *(size_t *)((char *)&c + rows[i].at) = rows[i].value;
        struct model *other = tiny_model(&c);
        CHECK(pair_score(&p, other, CONTEXT, 0) != 0 && p.fail.kind == FAIL_INPUT);
        CHECK_STR(p.fail.text, rows[i].text);
        model_close(other);
    }
    pair_close(&p);
}

TEST(score_refuses_a_candidate_that_is_not_finite)
{
    struct pair p;

    pair_open(&p);
    uint16_t *half = tiny_data(p.candidate, "blk.0.ffn_up.weight");
    half[0] = 0x7e00;               /* the scale of the first q8_0 block: NaN */
    CHECK(pair_score(&p, p.candidate, CONTEXT, 0) != 0 && p.fail.kind == FAIL_INPUT);
    CHECK_STR(p.fail.text, "tensor 'blk.0.ffn_up.weight' of the candidate holds 32 NaN and 0 infinite numbers, the first in row 0");
    pair_close(&p);
}
