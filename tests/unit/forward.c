/* forward.c - the forward pass against the same formulas in double, whatever the threads; and what it refuses. */
#include "verify/forward.h"

#include "tests/unit/test.h"
#include "tests/unit/tiny.h"
#include "verify/score.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>

/* All logits of nchunks * context tokens, freed by the caller; NULL: see *f. */
static float *all_logits(struct model *m, const int32_t *tokens, size_t nchunks, size_t context,
                         const struct stream_options *options, struct fail *f)
{
    struct stream *s = stream_open(m, tokens, nchunks, context, options, f);
    size_t n = nchunks * context, *at = malloc(n * sizeof *at);
    float *logits = s ? malloc(n * stream_vocabulary(s) * sizeof *logits) : NULL;
    bool bad = !s || stream_embed(s, f) != 0;

    for (size_t i = 0; i < n; i++)
        at[i] = i;
    for (size_t i = 0; !bad && i < stream_layers(s); i++)
        bad = stream_layer(s, i, f) != 0;
    bad = bad || stream_logits(s, at, n, logits, f) != 0;
    stream_close(s);
    free(at);
    if (!bad)
        return logits;
    free(logits);
    return NULL;
}

/* Largest difference from the reference over all chunks, in units of the largest logit. */
static double worst_error(const struct tiny *c, size_t nchunks, size_t context)
{
    struct model *m = tiny_model(c);
    int32_t *tokens = tiny_tokens(nchunks * context, c->vocabulary, 5);
    struct fail f = {0};
    float *got = all_logits(m, tokens, nchunks, context, NULL, &f);
    double top = 0, worst = got ? 0 : INFINITY;
    size_t n = context * c->vocabulary;

    for (size_t k = 0; got && k < nchunks; k++) {
        double *want = tiny_reference(m, c, tokens + k * context, context);
        for (size_t i = 0; i < n; i++) {
            top = fmax(top, fabs(want[i]));
            worst = fmax(worst, fabs(want[i] - (double)got[k * n + i]));
        }
        free(want);
    }
    if (!got)
        printf("refused: %s\n", f.text);
    free(got);
    free(tokens);
    model_close(m);
    return worst / top;
}

TEST(forward_equals_the_formulas)
{
    struct tiny c[] = {
        TINY, TINY, TINY, TINY, TINY, TINY, TINY, TINY,
    };
    enum { N = sizeof c / sizeof *c };

    c[1].kv_heads = 4, c[1].key = 6, c[1].value = 10;       /* heads that do not add up to the width */
    c[2].bias = true, c[2].tied = true;
    c[3].window = 7;
    c[4].factors = true, c[4].kv_heads = 1;
    c[5].scaling = "linear", c[5].factor = 4;
    c[6].scaling = "yarn", c[6].factor = 8, c[6].key = 32, c[6].heads = 2, c[6].kv_heads = 1;
    c[7].type = "q8_0", c[7].ff = 64, c[7].heads = 4, c[7].value = 16;
    for (size_t i = 0; i < N; i++) {
        double error = worst_error(&c[i], 2, 37);
        if (!(error < 2e-6))
            test_failed(__FILE__, __LINE__, "variant %zu is off by %g of the largest logit", i, error);
    }
}

TEST(forward_of_several_blocks_of_queries_and_groups)
{
    struct tiny c = TINY;

    CHECK(worst_error(&c, 1, 300) < 2e-6);
    c.window = 100;
    CHECK(worst_error(&c, 1, 300) < 2e-6);
    c.layers = 1;
    CHECK(worst_error(&c, 33, 70) < 2e-6);      /* 2310 tokens: two groups */
}

#define MIXTURE { .layers = 2, .width = 32, .heads = 4, .kv_heads = 2, .key = 8, .value = 8, .ff = 48, .vocabulary = 61, .experts = 5, .used = 2 }

TEST(forward_of_a_mixture_equals_the_formulas)
{
    struct tiny c[] = { MIXTURE, MIXTURE, MIXTURE, MIXTURE };

    c[1].used = 1;
    c[2].used = 5;
    c[3].experts = 40, c[3].type = "q8_0", c[3].ff = 64;        /* experts that no token is sent to */
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        double error = worst_error(&c[i], 2, 37);
        if (!(error < 2e-6))
            test_failed(__FILE__, __LINE__, "variant %zu is off by %g of the largest logit", i, error);
    }
    c[0].layers = 1;
    CHECK(worst_error(&c[0], 33, 70) < 2e-6);                   /* two groups */
}

struct routed {
    size_t router, tokens[5], wrong;
};

static void note_expert(void *ctx, const struct tensor *t, size_t expert, const float *x, size_t n)
{
    struct routed *r = ctx;

    if (strcmp(t->name, "blk.0.ffn_gate_inp.weight") == 0)
        r->router += n;
    if (strcmp(t->name, "blk.0.ffn_down_exps.weight") == 0)
        r->tokens[expert] += n;
    r->wrong += (t->rank == 3) != (strstr(t->name, "_exps") != NULL) || (expert && t->rank != 3) || !isfinite((double)x[0]);
}

TEST(forward_shows_which_expert_gets_what)
{
    struct tiny c = MIXTURE;
    struct model *m = tiny_model(&c);
    int32_t *tokens = tiny_tokens(90, c.vocabulary, 3);
    struct routed r = {0};
    struct stream_options options = { .observe = note_expert, .ctx = &r };
    struct fail f = {0};
    float *logits = all_logits(m, tokens, 3, 30, &options, &f);
    size_t total = 0;

    for (size_t e = 0; e < 5; e++) {
        CHECK(r.tokens[e] < 90);
        total += r.tokens[e];
    }
    CHECK(logits != NULL);
    CHECK_U64(r.router, 90);
    CHECK_U64(total, 2 * 90);
    CHECK_U64(r.wrong, 0);
    free(logits);
    free(tokens);
    model_close(m);
}

static void check_threads(const struct tiny *c)
{
    struct model *m = tiny_model(c);
    int32_t *tokens = tiny_tokens(600, c->vocabulary, 1);
    struct fail f = {0};
    int before = omp_get_max_threads();
    float *first = NULL;

    for (int threads = 1; threads <= 3; threads++) {
        omp_set_num_threads(threads);
        float *got = all_logits(m, tokens, 4, 150, NULL, &f);
        if (!got || (first && memcmp(first, got, 600 * c->vocabulary * sizeof *got) != 0))
            test_failed(__FILE__, __LINE__, "%d threads: other bits than one thread", threads);
        if (first)
            free(got);
        else
            first = got;
    }
    omp_set_num_threads(before);
    free(first);
    free(tokens);
    model_close(m);
}

TEST(forward_does_not_depend_on_threads)
{
    struct tiny c = { .layers = 1, .width = 64, .heads = 4, .kv_heads = 2, .key = 16, .value = 16, .ff = 600, .vocabulary = 1100 };

    check_threads(&c);
    c.experts = 6, c.used = 3;
    check_threads(&c);
}

TEST(forward_chunks_do_not_see_each_other)
{
    struct tiny c = TINY;
    struct model *m = tiny_model(&c);
    int32_t *tokens = tiny_tokens(40, c.vocabulary, 3);
    struct fail f = {0};
    float *both = all_logits(m, tokens, 2, 20, NULL, &f), *second = all_logits(m, tokens + 20, 1, 20, NULL, &f);
    double worst = 0;

    for (size_t i = 0; both && second && i < 20 * c.vocabulary; i++)
        worst = fmax(worst, fabs((double)both[20 * c.vocabulary + i] - (double)second[i]));
    CHECK(both && second && worst < 1e-4);
    free(both);
    free(second);
    free(tokens);
    model_close(m);
}

struct observed {
    size_t products, tokens, progress;
    bool first_norm, odd_width;
};

static void note_input(void *ctx, const struct tensor *t, size_t expert, const float *x, size_t n)
{
    struct observed *o = ctx;
    size_t width = tensor_row(t);

    o->products++;
    o->tokens += n;
    o->first_norm |= strcmp(t->name, "blk.0.attn_q.weight") == 0 && width == 32 && expert == 0 && x[0] != 0;
    o->odd_width |= width != (strstr(t->name, "ffn_down") ? 48u : 32u);
}

static void note_progress(void *ctx, size_t tokens)
{
    ((struct observed *)ctx)->progress += tokens;
}

TEST(forward_shows_the_inputs_of_products)
{
    struct tiny c = TINY;
    struct model *m = tiny_model(&c);
    int32_t *tokens = tiny_tokens(20, c.vocabulary, 3);
    struct observed o = {0};
    struct stream_options options = { .observe = note_input, .progress = note_progress, .ctx = &o };
    struct fail f = {0};
    float *logits = all_logits(m, tokens, 2, 10, &options, &f);

    free(logits);
    free(tokens);
    model_close(m);
    CHECK(logits != NULL);
    CHECK_U64(o.products, 2 * 7 + 1);
    CHECK_U64(o.tokens, 20 * (2 * 7 + 1));
    CHECK_U64(o.progress, 2 * 20);
    CHECK(o.first_norm && !o.odd_width);
}

/* ---- refusals ---- */

static void drop_tensor(struct model *m, const char *name)
{
    *(struct tensor *)model_tensor(m, name) = m->tensor[m->ntensors - 1];
    m->ntensors--;
}

TEST(forward_refuses_what_does_not_fit_together)
{
    static const struct {
        const char *key;        /* a number to set, or a tensor to drop or to give another length */
        long value;             /* DROP, RESIZE or the number */
        const char *text;
    } rows[] = {
#define DROP (-1)
#define RESIZE (-2)
        { "llama.attention.head_count", 0, "'llama.attention.head_count' must be a whole number from 1 to 16777216" },
        { "llama.attention.head_count_kv", 0, "'llama.attention.head_count_kv' must be a whole number from 1 to 16777216" },
        { "llama.attention.head_count_kv", 3, "4 heads cannot share 3 key and value heads evenly" },
        { "llama.block_count", 0, "'llama.block_count' must be a whole number from 1 to 16777216" },
        { "llama.block_count", 4000000, "'llama.block_count' is 4000000, but there are only 21 tensors" },
        { "llama.block_count", 3, "tensor 'blk.2.attn_norm.weight' is missing" },
        { "llama.embedding_length", 64, "tensor 'blk.0.attn_norm.weight' has 1 rows of 32, the metadata imply 1 of 64" },
        { "llama.attention.key_length", 16, "tensor 'blk.0.attn_q.weight' has 32 rows of 32, the metadata imply 64 of 32" },
        { "llama.attention.key_length", 16000000, "4 heads of 16000000 and 8 numbers are too many" },
        { "llama.rope.dimension_count", 7, "7 numbers of a head of 8 cannot turn in pairs" },
        { "llama.rope.dimension_count", 10, "10 numbers of a head of 8 cannot turn in pairs" },
        { "llama.rope.freq_base", 0, "the numbers under 'llama.rope' make no sense" },
        { "llama.expert_count", 8, "the metadata lacks 'llama.expert_used_count'" },
        { "blk.1.ffn_down.weight", DROP, "tensor 'blk.1.ffn_down.weight' is missing" },
        { "token_embd.weight", DROP, "tensor 'token_embd.weight' is missing" },
        { "output_norm.weight", DROP, "tensor 'output_norm.weight' is missing" },
        { "blk.0.attn_k.weight", RESIZE, "tensor 'blk.0.attn_k.weight' has 3 rows of 32, the metadata imply 16 of 32" },
        { "token_embd.weight", RESIZE, "tensor 'output.weight' has 61 rows of 32, the metadata imply 3 of 32" },
    };
    static const int32_t tokens[] = { 1, 2, 0, 1 };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tiny c = TINY;
        struct model *m = tiny_model(&c);
        struct fail f = {0};
        if (rows[i].value == DROP)
            drop_tensor(m, rows[i].key);
        else if (rows[i].value == RESIZE)
            ((struct tensor *)model_tensor(m, rows[i].key))->shape[0] = 3;
        else
            meta_set_u32(&m->meta, &m->arena, rows[i].key, (uint32_t)rows[i].value);
        struct stream *s = stream_open(m, tokens, 1, 4, NULL, &f);
        if (s || f.kind != FAIL_INPUT || strcmp(f.text, rows[i].text) != 0 || strcmp(f.where, "tiny") != 0)
            test_failed(__FILE__, __LINE__, "%s: \"%s\", expected \"%s\"", rows[i].key, f.text, rows[i].text);
        stream_close(s);
        model_close(m);
    }
}

TEST(forward_refuses_mixtures_that_do_not_fit)
{
    static const int32_t tokens[] = { 1, 2, 0, 1 };
    struct tiny c = MIXTURE;

    for (int i = 0; i < 3; i++) {
        static const char *const text[] = {
            "of 5 experts 6 cannot be used", "tensor 'blk.1.ffn_up_exps.weight' is missing",
            "tensor 'blk.0.ffn_down_exps.weight' is not 5 matrices of 32 rows of 48, which the metadata imply",
        };
        struct model *m = tiny_model(&c);
        struct fail f = {0};
        if (i == 0)
            meta_set_u32(&m->meta, &m->arena, "llama.expert_used_count", 6);
        else if (i == 1)
            drop_tensor(m, "blk.1.ffn_up_exps.weight");
        else
            ((struct tensor *)model_tensor(m, "blk.0.ffn_down_exps.weight"))->shape[0] = 4;
        CHECK(!stream_open(m, tokens, 1, 4, NULL, &f));
        CHECK_STR(f.text, text[i]);
        model_close(m);
    }
}

TEST(forward_refuses_strange_architectures_scalings_and_ids)
{
    struct tiny c = TINY;
    struct model *m = tiny_model(&c);
    int32_t tokens[] = { 1, 61 };
    struct fail f = {0};

    CHECK(!stream_open(m, tokens, 1, 2, NULL, &f));
    CHECK_STR(f.text, "token id 61 is outside the model's vocabulary of 61");
    tokens[1] = 0;
    f = (struct fail){0};
    meta_set_str(&m->meta, &m->arena, "llama.rope.scaling.type", "elastic");
    CHECK(!stream_open(m, tokens, 1, 2, NULL, &f));
    CHECK_STR(f.text, "rope scaling of type 'elastic' is not supported");
    f = (struct fail){0};
    meta_set_str(&m->meta, &m->arena, "general.architecture", "perceptron");
    CHECK(!stream_open(m, tokens, 1, 2, NULL, &f));
    CHECK_STR(f.text, "there is no forward pass for models of architecture 'perceptron'");
    model_close(m);
}

TEST(forward_names_the_layer_that_is_not_finite)
{
    struct tiny c = TINY;
    struct model *m = tiny_model(&c);
    int32_t tokens[] = { 1, 2, 3 };
    struct fail f = {0};
    struct arena a = {0};
    size_t width;

    ((float *)tiny_data(m, "blk.1.ffn_down.weight"))[5] = NAN;
    CHECK(!score_logits(m, tokens, 3, &a, &width, &f));
    CHECK_STR(f.text, "the hidden state behind layer 1 ('blk.1') is not finite");
    ((float *)tiny_data(m, "blk.1.ffn_down.weight"))[5] = 0;
    ((float *)tiny_data(m, "output.weight"))[7] = INFINITY;
    f = (struct fail){0};
    CHECK(!score_logits(m, tokens, 3, &a, &width, &f));
    CHECK_STR(f.text, "the logits ('output.weight') are not finite");
    arena_release(&a);
    model_close(m);
}

/* Rows of the last layer that nobody looks at are left out; what is looked at stays the same. */
TEST(forward_of_needed_rows_only)
{
    enum { CONTEXT = 20, CHUNKS = 3, FROM = 7 };
    struct tiny rows[] = { TINY, TINY, TINY };
    size_t at[CHUNKS * (CONTEXT - FROM)];

    rows[1].window = 5;
    rows[2].experts = 4;
    rows[2].used = 2;
    for (size_t i = 0; i < CHUNKS * (CONTEXT - FROM); i++)
        at[i] = i / (CONTEXT - FROM) * CONTEXT + FROM + i % (CONTEXT - FROM);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct model *m = tiny_model(&rows[i]);
        int32_t *tokens = tiny_tokens(CHUNKS * CONTEXT, rows[i].vocabulary, 5);
        size_t n = sizeof at / sizeof *at, nlogits = n * rows[i].vocabulary;
        float *logits[2] = { malloc(nlogits * sizeof(float)), malloc(nlogits * sizeof(float)) };
        struct fail f = {0};
        double worst = 0;
        for (size_t k = 0; k < 2; k++) {
            struct stream_options options = { .needed_from = k ? FROM : 0 };
            struct stream *s = stream_open(m, tokens, CHUNKS, CONTEXT, &options, &f);
            CHECK(s && stream_embed(s, &f) == 0);
            for (size_t l = 0; l < rows[i].layers; l++)
                CHECK(stream_layer(s, l, &f) == 0);
            CHECK(stream_logits(s, at, n, logits[k], &f) == 0);
            stream_close(s);
        }
        for (size_t k = 0; k < nlogits; k++)
            worst = fmax(worst, fabs((double)logits[0][k] - (double)logits[1][k]));
        CHECK(worst < 1e-5);
        free(logits[0]), free(logits[1]), free(tokens);
        model_close(m);
    }
}
