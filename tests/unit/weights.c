/* weights.c - errors of tensors, block by block; what is odd in them; errors of products against the product itself; who is to blame. */
#include "verify/weights.h"

#include "tests/unit/test.h"
#include "tests/unit/tiny.h"
#include "verify/blame.h"
#include "verify/sums.h"

#include <math.h>

struct pair {
    struct model *original, *candidate;
    struct tensor_errors errors;
    struct arena arena;
    struct fail fail;
};

static void pair_open(struct pair *p, const char *type)
{
    struct tiny shape = TINY;

    shape.ff = 64;
    *p = (struct pair){0};
    p->original = tiny_model(&shape);
    shape.type = type;
    p->candidate = tiny_model(&shape);
}

static int compare(struct pair *p)
{
    p->fail = (struct fail){0};
    return weights_compare(p->original, &p->candidate, 1, NULL, NULL, &p->arena, &p->errors, &p->fail);
}

static struct tensor_error *find(struct pair *p, const char *name)
{
    for (size_t i = 0; i < p->errors.n; i++)
        if (strcmp(p->errors.item[i].name, name) == 0)
            return &p->errors.item[i];
    test_failed(__FILE__, __LINE__, "there is no tensor '%s'", name);
    return NULL;
}

static void pair_close(struct pair *p)
{
    model_close(p->original);
    model_close(p->candidate);
    arena_release(&p->arena);
}

static const char UP[] = "blk.1.ffn_up.weight";         /* 64 rows of 32 */

TEST(weights_worst_block_is_found)
{
    struct pair p;
    char words[FINDING_TEXT];

    pair_open(&p, NULL);
    float *y = tiny_data(p.candidate, UP);
    y[32 * 5 + 7] += 3;
    y[32 * 9] += 4;
    y[32 * 9 + 1] -= 4;
    CHECK(compare(&p) == 0);
    struct tensor_error *e = find(&p, UP);
    CHECK(e->worst.index == 9 && e->worst.row == 9 && fabs(e->worst.rmse - 1) < 1e-6);
    CHECK(fabs(e->rmse - sqrt(41.0 / (64 * 32))) < 1e-6);
    CHECK_STR(finding_words(e, words), "");
    e = find(&p, "blk.0.ffn_up.weight");
    CHECK(e->rmse == 0 && e->worst.rmse == 0);
    pair_close(&p);
}

/* llama-quantize writes a tensor of [1, 32] as one of [32]. */
TEST(weights_an_outermost_one_is_no_other_shape)
{
    struct pair p;

    pair_open(&p, NULL);
    for (size_t i = 0; i < p.original->ntensors; i++) {
        struct tensor *t = &p.original->tensor[i];
        if (t->rank != 1)
            continue;
        t->shape[1] = t->shape[0];
        t->shape[0] = 1;
        t->rank = 2;
    }
    CHECK(compare(&p) == 0);
    p.original->tensor[0].shape[0] *= 2;
    CHECK(compare(&p) == -1 && p.fail.kind == FAIL_INPUT);
    pair_close(&p);
}

TEST(weights_blocks_are_those_of_the_encoding)
{
    struct pair p;

    pair_open(&p, "q8_0");
    CHECK(compare(&p) == 0);
    const struct tensor_error *e = find(&p, "blk.0.ffn_down.weight");      /* 32 rows of 64: two blocks in a row */
    CHECK(e->worst.rmse >= e->rmse && e->worst.index < 64 && e->worst.row == e->worst.index / 2);
    pair_close(&p);
}

TEST(weights_name_what_is_not_finite)
{
    struct pair p;

    pair_open(&p, NULL);
    ((float *)tiny_data(p.candidate, UP))[32 * 3 + 1] = NAN;
    ((float *)tiny_data(p.candidate, UP))[32 * 3 + 2] = -INFINITY;
    ((float *)tiny_data(p.candidate, UP))[32 * 60] = NAN;
    CHECK(compare(&p) == -1 && p.fail.kind == FAIL_INPUT);
    CHECK_STR(p.fail.text, "tensor 'blk.1.ffn_up.weight' of the candidate holds 2 NaN and 1 infinite numbers, the first in row 3");
    CHECK(isfinite(find(&p, UP)->rmse) && find(&p, UP)->original.nan == 0);
    ((float *)tiny_data(p.candidate, "blk.1.attn_q.weight"))[0] = INFINITY;
    CHECK(compare(&p) == -1);
    CHECK_STR(p.fail.text, "tensor 'blk.1.attn_q.weight' of the candidate holds 0 NaN and 1 infinite numbers, the first in row 0; so does 1 other tensor");
    ((float *)tiny_data(p.original, UP))[0] = NAN;
    CHECK(compare(&p) == -1);
    CHECK_STR(p.fail.text, "tensor 'blk.1.ffn_up.weight' of the original holds 1 NaN and 0 infinite numbers, the first in row 0");
    pair_close(&p);
}

TEST(weights_name_zeros)
{
    struct pair p;
    char words[FINDING_TEXT];

    pair_open(&p, NULL);
    memset(tiny_data(p.candidate, UP), 0, sizeof(float) * 64 * 32);
    memset((float *)tiny_data(p.candidate, "blk.0.ffn_up.weight") + 32, 0, sizeof(float) * 32 * 2);
    memset(tiny_data(p.candidate, "blk.0.attn_q.weight"), 0, sizeof(float) * 32 * 32);
    memset(tiny_data(p.original, "blk.0.attn_q.weight"), 0, sizeof(float) * 32 * 32);
    memset(tiny_data(p.original, "output.weight"), 0, sizeof(float) * 32 * 61);
    CHECK(compare(&p) == 0);
    CHECK_STR(finding_words(find(&p, UP), words), "is all zeros in the candidate, but not in the original");
    CHECK_STR(finding_words(find(&p, "blk.0.ffn_up.weight"), words), "has 2 of 64 rows of nothing but zeros, in the original 0");
    CHECK_STR(finding_words(find(&p, "blk.0.attn_q.weight"), words), "is all zeros in both models");
    CHECK_STR(finding_words(find(&p, "output.weight"), words), "is all zeros in the original, but not in the candidate");
    pair_close(&p);
}

/* With inputs whose columns do not correlate, the estimate is the energy of the product itself. */
TEST(weights_products_are_energies)
{
    enum { ROWS = 64, WIDTH = 32 };
    struct pair p;
    struct sums sums = {0};
    double energy = 0, error = 0;
    float x[WIDTH][WIDTH] = {{0}};      /* one number for each token */

    pair_open(&p, "q8_0");
    struct sums_entry *e = sums_entry(&sums, UP, 1, WIDTH);
    for (size_t j = 0; j < WIDTH; j++)
        x[j][j] = (float)(j + 1);
    sums_add(e, 0, x[0], WIDTH);
    CHECK(compare(&p) == 0 && weights_products(p.original, &p.candidate, 1, &sums, &p.errors, &p.fail) == 0);
    const float *o = model_rows_f32(p.original, model_tensor(p.original, UP), 0, ROWS, &p.arena, &p.fail);
    const float *c = model_rows_f32(p.candidate, model_tensor(p.candidate, UP), 0, ROWS, &p.arena, &p.fail);
    for (size_t t = 0; t < WIDTH; t++)
        for (size_t i = 0; i < ROWS; i++) {
            double y = (double)o[i * WIDTH + t] * (double)x[t][t], z = (double)c[i * WIDTH + t] * (double)x[t][t];
            energy += y * y;
            error += (y - z) * (y - z);
        }
    CHECK(find(&p, UP)->seen && !find(&p, "blk.0.ffn_up.weight")->seen);
    CHECK(fabs(find(&p, UP)->product - error / energy) < 1e-9 * error / energy);
    sums_release(&sums);
    pair_close(&p);
}

/* Of a stack, each expert by its own inputs; one that saw none counts nothing. */
TEST(weights_products_of_experts)
{
    struct tiny shape = TINY;
    struct pair p = {0};
    struct sums sums = {0};
    float x[32];

    shape.experts = 3;
    shape.used = 2;
    p.original = tiny_model(&shape);
    p.candidate = tiny_model(&shape);
    const struct tensor *t = model_tensor(p.original, "blk.0.ffn_up_exps.weight");
    CHECK(t && t->rank == 3 && t->shape[0] == 3 && tensor_row(t) == 32);
    size_t matrix = t->shape[1] * 32;
    float *y = tiny_data(p.candidate, t->name);
    for (size_t i = 0; i < matrix; i++)
        y[i] *= 2, y[2 * matrix + i] *= 2;
    for (size_t i = 0; i < 32; i++)
        x[i] = 1;
    sums_add(sums_entry(&sums, t->name, 3, 32), 1, x, 1);
    CHECK(compare(&p) == 0 && weights_products(p.original, &p.candidate, 1, &sums, &p.errors, &p.fail) == 0);
    CHECK(find(&p, t->name)->seen && find(&p, t->name)->product == 0);
    sums_add(sums_entry(&sums, t->name, 3, 32), 2, x, 1);
    CHECK(weights_products(p.original, &p.candidate, 1, &sums, &p.errors, &p.fail) == 0);
    CHECK(find(&p, t->name)->product > 0.3 && find(&p, t->name)->product < 0.7);
    sums_release(&sums);
    pair_close(&p);
}

TEST(blame_is_ranked_and_priced)
{
    struct arena a = {0};
    struct tensor t[4] = {
        { .name = "a", .type = qtype_named("q4_k"), .rank = 2, .shape = { 10, 512 } },
        { .name = "b", .type = qtype_named("q4_0"), .rank = 2, .shape = { 10, 32 } },
        { .name = "c", .type = qtype_named("f16"), .rank = 2, .shape = { 10, 32 } },
        { .name = "d", .type = qtype_named("q2_k"), .rank = 2, .shape = { 1, 256 } },
    };
    struct tensor_error e[4] = {
        { .name = "a", .tensor = &t[0], .nmse = 0.9, .product = 0.1, .seen = true, .reach = 1 }, { .name = "b", .tensor = &t[1], .nmse = 0.3, .reach = 1 },
        { .name = "c", .tensor = &t[2], .nmse = 1.2, .reach = 0.5 }, { .name = "d", .tensor = &t[3] },
    };
    struct blame blame = blame_of(&(struct tensor_errors){ e, 4 }, &a);
    struct remedy r = blame_remedy(&blame);

    CHECK(blame.n == 3 && blame.by_inputs);
    CHECK(blame.item[0].error == &e[2] && blame.item[1].error == &e[1] && blame.item[2].error == &e[0]);
    CHECK(fabs(blame.item[0].part - 0.6) < 1e-12 && !blame.item[0].better);
    CHECK_STR(blame.item[1].better->name, "q8_0");
    CHECK_STR(blame.item[2].better->name, "q6_k");
    CHECK_U64(blame.item[1].extra_nbytes, 10 * (34 - 18));
    CHECK_U64(blame.item[2].extra_nbytes, 10 * 2 * (210 - 144));
    CHECK(r.n == 2 && r.nbetter == 2 && r.extra_nbytes == 160 + 1320 && fabs(r.part - 0.4) < 1e-12);
    arena_release(&a);
}
