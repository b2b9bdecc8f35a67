/* dequantize.c - matrices and their scales: every shape of scales against the formula, and pairs that do not go together. */
#include "convert/dequantize.h"

#include "convert/scaled.h"
#include "tests/unit/test.h"

/* A model in memory: weight i of a tensor of bytes is i % 120, of floats 1 + i, of 32-bit words i. */
struct memory {
    struct model base;
    struct tensor t[6];
};

static const void *memory_rows(struct model *m, const struct tensor *t, uint64_t first, uint64_t n, struct arena *tmp, struct fail *f)
{
    uint64_t width = tensor_row(t);
    bool bytes = t->type->nbytes == 1, words = strcmp(t->type->name, "i32") == 0;
    uint8_t *code = arena_raw(tmp, n * width);
    int32_t *word = arena_raw(tmp, n * width * sizeof *word);
    float *x = arena_raw(tmp, n * width * sizeof *x);

    (void)m;
    if (first + n > (t->rank ? tensor_rows(t) : 1))
        return fail(f, FAIL_INPUT, "rows beyond '%s'", t->name), NULL;
    for (uint64_t i = 0; i < n * width; i++) {
        code[i] = (uint8_t)((first * width + i) % 120);
        x[i] = 1 + (float)(first * width + i);
        word[i] = (int32_t)(first * width + i);
    }
    return bytes ? (const void *)code : words ? (const void *)word : x;
}

static void memory_close(struct model *m)
{
    arena_release(&m->arena);
}

static const struct model_ops memory_ops = { memory_rows, memory_close };

static struct tensor tensor(const char *name, const char *type, int rank, uint64_t a, uint64_t b, uint64_t c)
{
    return (struct tensor){ .name = name, .type = qtype_named(type), .rank = rank, .shape = { a, b, c } };
}

static struct model *memory(const struct tensor *t, size_t n)
{
    struct arena a = {0};
    struct memory *m = arena_alloc(&a, sizeof *m);

    memcpy(m->t, t, n * sizeof *t);
    m->base.ops = &memory_ops;
    m->base.tensor = m->t;
    m->base.ntensors = n;
    m->base.arena = a;
    return &m->base;
}

/* ---- rows ---- */
static float weight_at(uint64_t i)
{
    uint8_t code = (uint8_t)(i % 120);
    float x;

    qtype_named("f8_e4m3")->decode(&code, &x, 1);
    return x;
}

/* All portions of rows; size[d] weights in a row of dimension d share a scale. */
static void check_scales(struct tensor w, struct tensor s, const uint64_t block[2], const uint64_t size[3])
{
    struct model *m = memory((struct tensor[]){ w, s }, 2);
    struct scaled scaled = { &m->tensor[0], &m->tensor[1], {0}, {0} };
    struct arena tmp = {0};
    struct fail f = {0};
    uint64_t rows = tensor_rows(&w), width = tensor_row(&w), height = w.shape[w.rank - 2],
             down = (height + size[1] - 1) / size[1], across = (width + size[2] - 1) / size[2];

    if (scaled_init(&scaled, block, &f))
        test_failed(__FILE__, __LINE__, "%s", f.text);
    for (uint64_t first = 0; first < rows && !failed(&f); first++)
        for (uint64_t n = 1; n <= rows - first; n++) {
            const float *x = scaled_rows(&scaled, m, first, n, &tmp, &f);
            for (uint64_t i = 0; x && i < n * width; i++) {
                uint64_t row = first + i / width, at = (row / height / size[0] * down + row % height / size[1]) * across + i % width / size[2];
                if (x[i] != weight_at(first * width + i) * (1 + (float)at))
                    test_failed(__FILE__, __LINE__, "rows %d + %d differ at %d", (int)first, (int)n, (int)i);
            }
            if (!x)
                test_failed(__FILE__, __LINE__, "%s", f.text);
            arena_reset(&tmp);
        }
    arena_release(&tmp);
    model_close(m);
}

#define WHOLE UINT64_C(1000)

TEST(scaled_rows_of_every_shape_of_scales)
{
    const uint64_t none[2] = {0}, block[2] = { 3, 5 }, square[2] = { 128, 128 };
    struct tensor w = tensor("w", "f8_e4m3", 2, 7, 12, 0), deep = tensor("w", "f8_e4m3", 3, 3, 4, 6);

    check_scales(w, tensor("s", "f32", 0, 0, 0, 0), none, (const uint64_t[3]){ 1, WHOLE, WHOLE });
    check_scales(w, tensor("s", "f32", 1, 1, 0, 0), block, (const uint64_t[3]){ 1, WHOLE, WHOLE });
    check_scales(w, tensor("s", "f32", 1, 7, 0, 0), none, (const uint64_t[3]){ 1, 1, WHOLE });
    check_scales(w, tensor("s", "f32", 2, 7, 1, 0), none, (const uint64_t[3]){ 1, 1, WHOLE });
    check_scales(w, tensor("s", "f32", 2, 1, 12, 0), none, (const uint64_t[3]){ 1, WHOLE, 1 });
    check_scales(w, tensor("s", "f32", 2, 3, 3, 0), block, (const uint64_t[3]){ 1, 3, 5 });
    check_scales(w, tensor("s", "f32", 2, 1, 1, 0), square, (const uint64_t[3]){ 1, WHOLE, WHOLE });
    check_scales(w, tensor("s", "f32", 2, 7, 3, 0), (const uint64_t[2]){ 1, 4 }, (const uint64_t[3]){ 1, 1, 4 });
    check_scales(deep, tensor("s", "f32", 1, 3, 0, 0), none, (const uint64_t[3]){ 1, WHOLE, WHOLE });
    check_scales(deep, tensor("s", "f32", 2, 3, 4, 0), none, (const uint64_t[3]){ 1, 1, WHOLE });
    check_scales(deep, tensor("s", "f32", 3, 3, 1, 1), none, (const uint64_t[3]){ 1, WHOLE, WHOLE });
    check_scales(deep, tensor("s", "f32", 3, 1, 4, 1), none, (const uint64_t[3]){ WHOLE, 1, WHOLE });
    check_scales(deep, tensor("s", "f32", 3, 3, 2, 2), block, (const uint64_t[3]){ 1, 3, 5 });
}

/* ---- pairs ---- */
static const struct {
    struct { const char *name, *type; int rank; uint64_t shape[3]; } t[3];
    const char *text;
} odd[] = {
    { { { "a.weight", "f8_e4m3", 2, { 4, 6 } }, { "a.weight_scale", "f32", 2, { 4, 2 } } },
      "the scales 'a.weight_scale' have the shape 4 x 2, which does not go with 'a.weight' of the shape 4 x 6" },
    { { { "a.weight", "f8_e4m3", 2, { 4, 6 } }, { "a.weight_scale", "f32", 3, { 4, 1, 1 } } },
      "the scales 'a.weight_scale' have the shape 4 x 1 x 1, which does not go with 'a.weight' of the shape 4 x 6" },
    { { { "a.weight", "f8_e4m3", 1, { 4 } }, { "a.weight_scale", "f32", 0, {0} } },
      "the scales 'a.weight_scale' belong to 'a.weight', which is no matrix" },
    { { { "a.weight", "f8_e4m3", 2, { 4, 6 } }, { "a.weight_scale", "f32", 0, {0} }, { "a.weight_scale_inv", "f32", 0, {0} } },
      "tensor 'a.weight' has two tensors of scales, 'a.weight_scale' and 'a.weight_scale_inv'" },
    { { { "a.weight", "f8_e4m3", 2, { 4, 6 } }, { "b.weight_scale", "f32", 0, {0} } },
      "the scales 'b.weight_scale' are there, but not their tensor 'b.weight'" },
    { { { "a.weight", "f8_e4m3", 2, { 4, 6 } }, { "a.input_scale", "f32", 0, {0} } },
      "tensor 'a.weight' is of type F8_E4M3, but has no scales" },
    { { { "a.weight", "i8", 2, { 4, 6 } } }, "tensor 'a.weight' is of type I8, but has no scales" },
    { { { "a.weight", "f8_e4m3", 2, { 4, 6 } }, { "a.weight_scale", "q8_0", 1, { 32 } } },
      "the scales 'a.weight_scale' are of type Q8_0 and their tensor of type F8_E4M3, which no scale has" },
};

/* Of packed numbers: 4 bits, turned, in groups of 8. */
static const struct {
    struct { const char *name, *type; int rank; uint64_t shape[3]; } t[4];
    const char *text;
} odd_words[] = {
    { { { "a.qweight", "i32", 2, { 2, 6 } } }, "tensor 'a.qweight' has no scales" },
    { { { "a.qweight", "f32", 2, { 2, 6 } }, { "a.scales", "f32", 2, { 2, 6 } } }, "tensor 'a.qweight' is no matrix of 32-bit words" },
    { { { "a.qweight", "i32", 1, { 2 } }, { "a.scales", "f32", 2, { 2, 6 } } }, "tensor 'a.qweight' is no matrix of 32-bit words" },
    { { { "a.qweight", "i32", 2, { 2, 6 } }, { "a.scales", "f32", 2, { 2, 6 } }, { "a.weight", "f32", 2, { 6, 16 } } },
      "tensor 'a.weight' is there twice, in 'a.qweight' too" },
    { { { "a.qweight", "i32", 2, { 2, 6 } }, { "a.scales", "f32", 2, { 2, 5 } } },
      "tensor 'a.scales' does not go with 'a.qweight', 6 x 16 numbers of 4 bits in groups of 8" },
    { { { "a.qweight", "i32", 2, { 2, 6 } }, { "a.scales", "f32", 2, { 2, 6 } }, { "a.qzeros", "i32", 2, { 2, 2 } } },
      "tensor 'a.qzeros' does not go with 'a.qweight', 6 x 16 numbers of 4 bits in groups of 8" },
    { { { "a.qweight", "i32", 2, { 2, 6 } }, { "a.scales", "f32", 2, { 2, 6 } }, { "a.g_idx", "i32", 1, { 15 } } },
      "tensor 'a.g_idx' does not go with 'a.qweight', 6 x 16 numbers of 4 bits in groups of 8" },
    { { { "a.weight_packed", "i32", 2, { 2, 6 } }, { "a.weight_scale", "f32", 2, { 2, 6 } }, { "a.weight_shape", "f32", 1, { 2 } } },
      "'a.weight_shape' does not hold the two numbers of a shape" },
};

static void check_odd(struct tensor *t, size_t n, struct packing packing, const char *text)
{
    struct stored_as how = { .name = "fp8", .packing = packing };
    struct model *m = memory(t, n), *was = m;
    struct account account = {0};
    struct fail f = {0};

    CHECK(model_dequantize(&m, &how, qtype_named("f32"), &account, &f) == -1 && m == was);
    CHECK_STR(f.text, text);
    account_release(&account);
    model_close(m);
}

TEST(dequantize_refuses_what_does_not_go_together)
{
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        struct tensor t[3];
        size_t n = 0;
        for (; n < 3 && odd[i].t[n].name; n++)
            t[n] = tensor(odd[i].t[n].name, odd[i].t[n].type, odd[i].t[n].rank, odd[i].t[n].shape[0], odd[i].t[n].shape[1], odd[i].t[n].shape[2]);
        check_odd(t, n, (struct packing){0}, odd[i].text);
    }
    for (size_t i = 0; i < sizeof odd_words / sizeof *odd_words; i++) {
        struct tensor t[4];
        size_t n = 0;
        for (; n < 4 && odd_words[i].t[n].name; n++)
            t[n] = tensor(odd_words[i].t[n].name, odd_words[i].t[n].type, odd_words[i].t[n].rank, odd_words[i].t[n].shape[0],
                          odd_words[i].t[n].shape[1], odd_words[i].t[n].shape[2]);
        check_odd(t, n, (struct packing){ .bits = 4, .group = 8, .turned = true }, odd_words[i].text);
    }
}

/* Which group a column belongs to is only read with the rows. */
TEST(dequantize_refuses_groups_that_are_none)
{
    struct tensor t[] = { tensor("a.qweight", "i32", 2, 2, 6, 0), tensor("a.scales", "f32", 2, 2, 6, 0), tensor("a.g_idx", "i32", 1, 16, 0, 0) };
    struct model *m = memory(t, 3);
    struct stored_as how = { .name = "gptq", .packing = { .bits = 4, .group = 8, .turned = true } };
    struct account account = {0};
    struct arena tmp = {0};
    struct fail f = {0};

    CHECK(model_dequantize(&m, &how, qtype_named("f32"), &account, &f) == 0);
    CHECK(m->ntensors == 1 && m->tensor[0].shape[0] == 6 && m->tensor[0].shape[1] == 16);
    CHECK(!model_rows(m, &m->tensor[0], 0, 1, &tmp, &f));
    CHECK_STR(f.text, "'a.g_idx' puts column 2 into group 2 of 2");
    arena_release(&tmp);
    account_release(&account);
    model_close(m);
}

/* The type is what was asked for, and rows are rounded to it. */
TEST(dequantize_rounds)
{
    struct tensor t[] = { tensor("a.weight", "f8_e4m3", 2, 4, 6, 0), tensor("a.weight_scale", "f32", 2, 4, 1, 0), tensor("b", "f32", 1, 5, 0, 0) };
    struct model *m = memory(t, 3);
    struct stored_as how = { .name = "fp8" };
    struct account account = {0};
    struct arena tmp = {0};
    struct fail f = {0};
    const uint16_t *row;
    float want, got;

    CHECK(model_dequantize(&m, &how, qtype_named("bf16"), &account, &f) == 0);
    CHECK(m->ntensors == 2);
    CHECK_STR(m->tensor[0].type->name, "bf16");
    CHECK_STR(m->tensor[1].type->name, "f32");
    row = model_rows(m, &m->tensor[0], 2, 1, &tmp, &f);
    CHECK(row);
    want = weight_at(2 * 6 + 3) * 3;
    qtype_named("bf16")->decode(row + 3, &got, 1);
    CHECK(got > want * 0.99f && got < want * 1.01f);
    CHECK(model_rows(m, &m->tensor[1], 0, 1, &tmp, &f));
    arena_release(&tmp);
    account_release(&account);
    model_close(m);
}
