/* ops.c - the operators of the forward pass against their formulas. */
#include "verify/ops.h"

#include "tests/unit/test.h"
#include "tests/unit/tiny.h"

#include <math.h>
#include <stdlib.h>

TEST(op_norm_of_both_kinds)
{
    const float x[8] = { 1, 2, 3, 6, -1, -1, 1, 1 }, gain[4] = { 1, 2, 1, 1 }, bias[4] = { 0, 0, 10, 0 };
    float y[8];

    op_norm(NORM_RMS, x, 2, 4, gain, NULL, 0, y);
    CHECK(fabsf(y[1] - 4 / sqrtf(12.5f)) < 1e-6f && fabsf(y[4] + 1) < 1e-6f);
    op_norm(NORM_LAYER, x, 2, 4, gain, bias, 0, y);
    CHECK(fabsf(y[0] + 2 / sqrtf(3.5f)) < 1e-6f && fabsf(y[2] - 10) < 1e-6f && fabsf(y[6] - 11) < 1e-6f);
    op_norm(NORM_RMS, x, 1, 4, gain, NULL, 1e6f, y);
    CHECK(fabsf(y[0] - 1e-3f) < 1e-7f);
}

TEST(op_activate_of_all_kinds)
{
    static const struct {
        enum act_kind kind;
        float at, want;
    } rows[] = {
        { ACT_SILU, 1, 0.7310585786f }, { ACT_SILU, -100, 0 }, { ACT_GELU, 1, 0.8413447461f }, { ACT_GELU, -1, -0.1586552539f },
        { ACT_GELU_TANH, 1, 0.8411919906f }, { ACT_GELU_TANH, -1, -0.1588080094f }, { ACT_RELU, 2, 2 }, { ACT_RELU, -2, 0 },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        float x = rows[i].at, up = -3;
        op_activate(rows[i].kind, &x, NULL, 1);
        if (!(fabsf(x - rows[i].want) < 1e-6f))
            test_failed(__FILE__, __LINE__, "act %d of %g is %g", rows[i].kind, (double)rows[i].at, (double)x);
        x = rows[i].at;
        op_activate(rows[i].kind, &x, &up, 1);
        CHECK(fabsf(x + 3 * rows[i].want) < 3e-6f);
    }
}

TEST(op_add_with_and_without_bias)
{
    float x[4] = { 1, 2, 3, 4 };
    const float y[4] = { 10, 20, 30, 40 }, bias[2] = { 100, 200 };

    op_add(x, y, NULL, 2, 2);
    op_add(x, NULL, bias, 2, 2);
    CHECK(x[0] == 111 && x[1] == 222 && x[2] == 133 && x[3] == 244);
}

/* Halves are pairs in another order; what lies behind `rot` stays. */
TEST(op_rope_of_pairs_and_halves)
{
    enum { ROT = 6, LENGTH = 8, HEADS = 2, N = 6, CONTEXT = 3 };
    struct rope r = { .rot = ROT, .base = 100, .factor = 1, .magnitude = 1 };
    float table[CONTEXT * ROT], *pairs = tiny_floats(N * HEADS * LENGTH, 4), halves[N * HEADS * LENGTH];
    float first = pairs[2 * HEADS * LENGTH], second = pairs[2 * HEADS * LENGTH + 1], behind = pairs[2 * HEADS * LENGTH + 7];
    bool same = true;

    for (size_t h = 0; h < N * HEADS; h++)
        for (size_t i = 0; i < LENGTH; i++)
            halves[h * LENGTH + i] = pairs[h * LENGTH + (i < ROT ? i % (ROT / 2) * 2 + i / (ROT / 2) : i)];
    op_rope_table(&r, CONTEXT, table);
    op_rope(ROPE_PAIRS, table, ROT, CONTEXT, pairs, N, HEADS, LENGTH);
    op_rope(ROPE_HALVES, table, ROT, CONTEXT, halves, N, HEADS, LENGTH);
    CHECK(fabsf(pairs[2 * HEADS * LENGTH] - (first * cosf(2) - second * sinf(2))) < 1e-6f);
    CHECK(pairs[2 * HEADS * LENGTH + 7] == behind);
    for (size_t h = 0; h < N * HEADS; h++)
        for (size_t i = 0; i < LENGTH; i++)
            same &= halves[h * LENGTH + i] == pairs[h * LENGTH + (i < ROT ? i % (ROT / 2) * 2 + i / (ROT / 2) : i)];
    CHECK(same);
    free(pairs);
}

/* A case worked out by hand. Of four pairs (8 numbers, base 10000, 64 positions): 32 turns lie before pair 0 and 1 turn at
 * 8 ln(64 / 2 pi) / (2 ln 10000) = 1.008, so the ramp ends at pair 2: pair 0 keeps its angle, pair 2 has it scaled. */
TEST(op_rope_table_of_yarn)
{
    struct rope r = { .rot = 8, .base = 10000, .factor = 4, .yarn = true, .original_context = 64, .beta_fast = 32, .beta_slow = 1,
                      .magnitude = 2 };
    float table[2 * 8];

    op_rope_table(&r, 2, table);
    CHECK(table[0] == 2 && table[1] == 0);
    CHECK(fabsf(table[8] - 2 * cosf(1)) < 1e-6f && fabsf(table[9] - 2 * sinf(1)) < 1e-6f);
    CHECK(fabsf(table[11] - 2 * sinf(0.1f * (0.5f / 4 + 0.5f))) < 1e-6f);
    CHECK(fabsf(table[13] - 2 * sinf(0.01f / 4)) < 1e-6f);
}

TEST(op_softmax_of_wide_numbers)
{
    float x[4] = { 1000, 1000, -1000, 905 };        /* e^-95 / 2 would be a denormal */

    op_softmax(x, 4);
    CHECK(x[0] == 0.5f && x[1] == 0.5f && x[2] == 0 && x[3] == 0);
    x[1] = NAN;
    op_softmax(x, 4);
    CHECK(isnan(x[0]) && isnan(x[3]));
}

/* Through silu(x) = x / (1 + exp(-x)), and softmax of lengths that leave one, two and three over. */
TEST(op_exponentials_are_exact_to_a_few_ulps)
{
    double worst = 0;

    for (float at = -86; at < 87; at += 0.0137f) {
        float x = at;
        op_activate(ACT_SILU, &x, NULL, 1);
        worst = fmax(worst, fabs((double)x / ((double)at / (1 + exp(-(double)at))) - 1));
    }
    CHECK(worst < 3e-7);
    for (size_t n = 1; n < 12; n++) {
        float x[12];
        double sum = 0;
        for (size_t i = 0; i < 12; i++)
            x[i] = (float)i / 3;
        for (size_t i = 0; i < n; i++)
            sum += exp((double)x[i]);
        op_softmax(x, n);
        for (size_t i = 0; i < n; i++)
            CHECK(fabs((double)x[i] - exp((double)((float)i / 3)) / sum) < 3e-7);
        CHECK(x[11] == (float)11 / 3);
    }
}

TEST(op_finite_finds_one_in_many)
{
    float *x = tiny_floats(100000, 9);

    CHECK(op_finite(x, 100000));
    x[99999] = INFINITY;
    CHECK(!op_finite(x, 100000));
    x[99999] = 3e38f, x[0] = -NAN;
    CHECK(!op_finite(x, 100000));
    CHECK(op_finite(x, 0));
    free(x);
}

/* ---- what only some families have ---- */
TEST(alibi_slopes_for_any_number_of_heads)
{
    struct arena a = {0};
    const float *eight = op_alibi_slopes(8, &a), *six = op_alibi_slopes(6, &a);

    for (int h = 0; h < 8; h++)
        CHECK(eight[h] == ldexpf(1, -(h + 1)));
    CHECK(six[0] == 0.25f && six[3] == ldexpf(1, -8));              /* those of four heads ... */
    CHECK(six[4] == 0.5f && six[5] == 0.125f);                      /* ... and between them */
    arena_release(&a);
}

TEST(soft_caps_follow_tanh)
{
    float x[] = { 0, 1, -1, 25, -70, 400, 1e30f };
    double want[7];

    for (int i = 0; i < 7; i++)
        want[i] = 30 * tanh((double)x[i] / 30);
    op_softcap(x, 7, 30);
    for (int i = 0; i < 7; i++)
        CHECK(fabs((double)x[i] - want[i]) < 1e-5);
}

TEST(scales_repeat_with_their_period)
{
    float x[] = { 1, 2, 3, 4, 5, 6 };
    const float by[] = { 10, 100 };

    op_scale(x, 3, 2, by, 2);
    CHECK(x[0] == 10 && x[1] == 20 && x[2] == 300 && x[3] == 400 && x[4] == 50 && x[5] == 60);
}

/* A token of distance d loses slope * d; the cap comes before it. */
TEST(attention_with_slopes_and_cap)
{
    const float q[] = { 1, 1 }, k[] = { 3, 5 }, v[] = { 1, 0 }, slope[] = { 0.5f };
    struct attention a = { .context = 2, .heads = 1, .kv_heads = 1, .key = 1, .value = 1, .scale = 1, .softcap = 2, .slope = slope };
    double far = exp(2 * tanh(1.5) - 0.5), near = exp(2 * tanh(2.5));
    float out[2];

    op_attention(&a, q, k, v, 2, out);
    CHECK(out[0] == 1);
    CHECK(fabs((double)out[1] - far / (far + near)) < 1e-6);
}

/* Weights 1/3 and 2/3. */
TEST(attention_with_weights_of_half_precision)
{
    const float q[] = { 1, 1 }, k[] = { 0, 0.69314718f }, v[] = { 1, 0 };
    struct attention a = { .context = 2, .heads = 1, .kv_heads = 1, .key = 1, .value = 1, .scale = 1, .halved = true };
    float out[2];

    op_attention(&a, q, k, v, 2, out);
    CHECK(out[0] == 1 && out[1] == 0x1.554p-2f);
}

/* Ties go to the even half; what no half can hold stays as it is. */
TEST(halves_and_back)
{
    enum { N = 5000 };
    float *x = malloc(N * sizeof *x);

    for (int i = 0; i < N; i++)
        x[i] = 1 + 0x1p-11f;
    x[1] = 1 + 0x1.8p-10f, x[2] = -0x1p-25f, x[3] = 70000, x[N - 1] = 0x1.004p-3f;
    op_halve(x, N);
    CHECK(x[0] == 1 && x[1] == 1 + 0x1p-9f && x[2] == 0 && x[3] == 70000 && x[4500] == 1 && x[N - 1] == 0x1.004p-3f);
    free(x);
}
