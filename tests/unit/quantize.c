/* quantize.c - the adapter: what its rows are, what it refuses, where importance goes. */
#include "convert/quantize.h"
#include "tests/unit/test.h"
#include "tests/unit/toy.h"

/* Wraps a toy: every tensor gets `type`. */
static struct model *wrap(struct toy *toy, const char *type, const float *const *weights, struct fail *f)
{
    struct recipe_choice choice[64];

    for (size_t i = 0; i < toy->base.ntensors; i++)
        choice[i] = (struct recipe_choice){ .type = type ? qtype_named(type) : toy->base.tensor[i].type };
    return model_quantize(&toy->base, recipe_named(type ? type : "copy"), choice, weights, f);
}

/* All rows of tensor 0, `step` at a time, in *a. NULL: see *f. */
static uint8_t *read_rows(struct model *m, uint64_t step, struct arena *a, struct fail *f)
{
    const struct tensor *t = &m->tensor[0];
    uint64_t nbytes = tensor_row_bytes(t);
    uint8_t *all = arena_raw(a, (size_t)tensor_bytes(t));
    struct arena tmp = {0};
    const void *rows = all;

    for (uint64_t i = 0; i < tensor_rows(t) && rows; i += step) {
        uint64_t n = tensor_rows(t) - i < step ? tensor_rows(t) - i : step;
        rows = model_rows(m, t, i, n, &tmp, f);
        if (rows)
            memcpy(all + i * nbytes, rows, (size_t)(n * nbytes));
        arena_reset(&tmp);
    }
    arena_release(&tmp);
    return rows ? all : NULL;
}

TEST(quantize_is_decode_then_encode_in_any_portion)
{
    static const char *const sources[] = { "f32", "f16", "bf16", "q8_0" };
    static const uint64_t shapes[][2] = { { 3000, 32 }, { 700, 320 }, { 3, 70400 }, { 1, 256 } };

    for (size_t s = 0; s < 4; s++)
        for (size_t k = 0; k < 4; k++) {
            struct arena a = {0};
            struct fail f = {0};
            struct toy *toy = toy_new();
            struct tensor *t = toy_add(toy, "w", sources[s], 0, shapes[k][0], shapes[k][1]);
            size_t n = (size_t)tensor_weights(t), width = (size_t)shapes[k][1];
            float *x = arena_raw(&a, n * sizeof *x);
            const void *raw = toy_rows(&toy->base, t, 0, shapes[k][0], &a, &f);
            t->type->decode(raw, x, n / (size_t)t->type->block);
            struct model *m = wrap(toy, "q4_0", NULL, &f);
            CHECK(m && m->tensor[0].type == qtype_named("q4_0"));
            size_t nbytes = (size_t)tensor_bytes(&m->tensor[0]);
            uint8_t *want = arena_raw(&a, nbytes);
            qtype_named("q4_0")->encode(x, NULL, want, (size_t)shapes[k][0], width / 32);
            for (uint64_t step = 1; step < 9000; step = 7 * step + 1) {
                uint8_t *got = read_rows(m, step, &a, &f);
                CHECK(got && memcmp(got, want, nbytes) == 0);
            }
            model_close(m);
            arena_release(&a);
        }
}

TEST(quantize_gives_each_expert_its_own_importance)
{
    struct arena a = {0};
    struct fail f = {0};
    struct toy *toy = toy_new();
    struct tensor *t = toy_add(toy, "w", "f32", 3, 5, 256);
    float *weight = arena_array(&a, float, 3 * 256);
    const float *weights[1] = { weight };
    const struct qtype *q4 = qtype_named("q4_0");
    uint8_t *want = arena_raw(&a, 15 * 8 * 18);

    for (size_t i = 0; i < 3 * 256; i++)
        weight[i] = (float)(1 + i * 7919 % 101);
    const float *x = toy_rows(&toy->base, t, 0, 15, &a, &f);
    for (size_t e = 0; e < 3; e++)
        q4->encode(x + e * 5 * 256, weight + e * 256, want + e * 5 * 8 * 18, 5, 8);
    struct model *m = wrap(toy, "q4_0", weights, &f);
    CHECK(m);
    for (uint64_t step = 1; step < 16; step += 3) {
        uint8_t *got = read_rows(m, step, &a, &f);
        CHECK(got && memcmp(got, want, 15 * 8 * 18) == 0);
    }
    model_close(m);
    arena_release(&a);
}

/* The failure of reading a tensor of 3 x 100 x 64 weights with one bad weight, from `source` to `type`. */
static struct fail read_broken(const char *source, const char *type, uint64_t at, float value)
{
    struct arena a = {0};
    struct fail f = {0};
    struct toy *toy = toy_new();

    toy_add(toy, "blk.0.w", source, 3, 100, 64);
    toy->broken = "blk.0.w";
    toy->broken_at = at;
    toy->broken_value = value;
    struct model *m = wrap(toy, type, NULL, &f);
    read_rows(m, 77, &a, &f);
    model_close(m);
    arena_release(&a);
    return f;
}

TEST(quantize_names_a_weight_that_is_no_number)
{
    static const char *const sources[] = { "f32", "f16", "bf16" };
    static const char *const types[] = { "q8_0", "f16", "f32", "bf16" };

    for (size_t s = 0; s < 3; s++)
        for (size_t t = 0; t < 4; t++) {
            struct fail f = read_broken(sources[s], types[t], 19199, NAN);
            CHECK_U64(f.kind, FAIL_INPUT);
            CHECK_STR(f.text, "tensor 'blk.0.w' has the value NaN at index 19199");
            f = read_broken(sources[s], types[t], 6401, -INFINITY);
            CHECK_STR(f.text, "tensor 'blk.0.w' has the value -Inf at index 6401");
            CHECK(!failed((f = read_broken(sources[s], types[t], 6401, 32000.0f), &f)));
        }
}

TEST(quantize_looks_at_what_passes_through)
{
    static const char *const sources[] = { "f32", "f16", "bf16" };

    for (size_t s = 0; s < 3; s++) {
        struct fail f = read_broken(sources[s], NULL, 1, INFINITY);
        CHECK_STR(f.text, "tensor 'blk.0.w' has the value Inf at index 1");
        CHECK(!failed((f = read_broken(sources[s], NULL, 1, 60000.0f), &f)));
    }
    struct fail f = read_broken("q8_0", NULL, 70, 1e38f);       /* the block's scale is infinite, its other levels are 0 */
    CHECK_STR(f.text, "tensor 'blk.0.w' has the value NaN at index 64");
    CHECK(!failed((f = read_broken("q8_0", NULL, 70, 1e6f), &f)));
}

TEST(quantize_refuses_importance_that_overflows)
{
    static const char *const types[] = { "q4_0", "q2_k", "q4_k", "q5_k", "iq4_nl" };
    struct arena a = {0};
    float *weight = arena_array(&a, float, 256);
    const float *weights[1] = { weight };

    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
            struct fail f = {0};
            struct toy *toy = toy_new();

            for (size_t k = 0; k < 256; k++)
                weight[k] = round ? 3e38f : 1e12f;
            toy_add(toy, "blk.0.w", "f32", 0, 3, 256);
            struct model *m = wrap(toy, types[i], weights, &f);
            CHECK(m && (read_rows(m, 3, &a, &f) != NULL) == (round == 0));
            CHECK(round == 0 || strstr(f.text, "with its importance, whose products are too large there"));
            model_close(m);
        }
    arena_release(&a);
}

TEST(quantize_refuses_what_becomes_infinite)
{
    struct fail f = read_broken("f32", "f16", 70, 65520.0f);

    CHECK_STR(f.text, "tensor 'blk.0.w' has the value 65520 at index 70, which is too large for F16");
    CHECK(!failed((f = read_broken("f32", "f16", 70, 65519.0f), &f)));
    CHECK_STR((f = read_broken("bf16", "q8_0", 33, 134217728.0f), f.text),
              "tensor 'blk.0.w' has the value 1.34218e+08 at index 33, which is too large for Q8_0");
    CHECK_STR((f = read_broken("f32", "bf16", 5, 3.4028234e38f), f.text),
              "tensor 'blk.0.w' has the value 3.40282e+38 at index 5, which is too large for BF16");
    CHECK(!failed((f = read_broken("bf16", "f32", 5, 3e38f), &f)));
}

TEST(quantize_sets_two_keys_ahead_of_the_tokenizer)
{
    struct fail f = {0};
    struct toy *toy = toy_new();

    toy_add(toy, "w", "f32", 0, 2, 32);
    meta_set_str(&toy->base.meta, &toy->base.arena, "general.architecture", "llama");
    meta_set_str(&toy->base.meta, &toy->base.arena, "tokenizer.ggml.model", "llama");
    struct model *m = wrap(toy, "q8_0", NULL, &f);
    CHECK_U64(m->meta.n, 4);
    CHECK_STR(m->meta.entry[1].key, "general.file_type");
    CHECK_U64(m->meta.entry[1].value.u, 7);
    CHECK_STR(m->meta.entry[2].key, "general.quantization_version");
    CHECK_U64(m->meta.entry[2].value.u, 2);
    CHECK_STR(m->meta.entry[3].key, "tokenizer.ggml.model");
    model_close(m);
}

TEST(quantize_passes_null_through_and_closes_what_it_refuses)
{
    struct fail f = {0};
    struct toy *toy = toy_new();
    bool closed = false;
    const float *weights[1] = { NULL };

    CHECK(!model_quantize(NULL, recipe_named("q8_0"), NULL, NULL, &f));
    toy->closed = &closed;
    toy_add(toy, "blk.0.attn_q.weight", "f32", 0, 2, 256);
    CHECK(!wrap(toy, "iq2_xxs", weights, &f) && closed);
    CHECK(strstr(f.text, "the importance matrix says nothing about tensor 'blk.0.attn_q.weight'"));
}
