/* transpose.c - columns as rows: any portion, any size of weights, panels that are exchanged while many threads ask. */
#include "convert/transpose.h"
#include "tests/unit/test.h"

#include <stdlib.h>

/* A model whose only tensor holds row * 1000 + column, as numbers of its type's size. */
struct numbers {
    struct model base;
    struct tensor t;
    bool broken;                /* rows from 1000 on cannot be read */
};

static const void *number_rows(struct model *m, const struct tensor *t, uint64_t first, uint64_t n, struct arena *tmp, struct fail *f)
{
    uint64_t row = tensor_row(t), nbytes = (uint64_t)t->type->nbytes;
    uint8_t *out = arena_raw(tmp, n * row * nbytes);

    if (((struct numbers *)m)->broken && first + n > 1000)
        return fail(f, FAIL_INPUT, "row %d is broken", (int)first), NULL;
    for (uint64_t i = 0; i < n * row; i++) {
        uint64_t value = (first + i / row) * 1000 + i % row;
        memcpy(out + i * nbytes, &value, nbytes);
    }
    return out;
}

static const struct model_ops number_ops = { number_rows, NULL };

static struct numbers numbers(const char *type, uint64_t rows, uint64_t columns)
{
    return (struct numbers){ .base.ops = &number_ops,
                             .t = { .name = "t", .type = qtype_named(type), .rank = 2, .shape = { rows, columns } } };
}

/* Does row `column` of the result hold column `column` of the matrix from `top` on? */
static bool is_column(const struct numbers *m, const uint8_t *row, uint64_t top, uint64_t height, uint64_t column)
{
    size_t nbytes = (size_t)m->t.type->nbytes;

    for (uint64_t r = 0; r < height; r++) {
        uint64_t value = (top + r) * 1000 + column;
        if (memcmp(row + r * nbytes, &value, nbytes) != 0)
            return false;
    }
    return true;
}

static int wrong_rows(struct transposer *p, struct numbers *m, uint64_t matrices, uint64_t first, uint64_t n)
{
    uint64_t height = m->t.shape[0] / matrices, width = m->t.shape[1];
    size_t nbytes = (size_t)m->t.type->nbytes;
    struct arena tmp = {0};
    struct fail f = {0};
    const uint8_t *rows = transposed_rows(p, &m->base, &m->t, matrices, first, n, &tmp, &f);
    int wrong = rows ? 0 : 1;

    for (uint64_t i = 0; i < n && rows; i++)
        wrong += !is_column(m, rows + i * height * nbytes, (first + i) / width * height, height, (first + i) % width);
    arena_release(&tmp);
    return wrong;
}

/* A panel of 64 columns at most, and matrices that are no multiple of it. */
TEST(transpose_portions_in_panels)
{
    static const char *const types[] = { "i8", "bf16", "f32", "f64" };

    for (size_t k = 0; k < 4; k++) {
        struct numbers m = numbers(types[k], 1530, 203);
        struct arena a = {0};
        struct transposer *p = transposer_new(&a, 510 * 64 * (size_t)m.t.type->nbytes + 7);
        int wrong = 0;

        for (uint64_t matrices = 1; matrices <= 3; matrices += 2)
            for (uint64_t first = 0; first < 203 * matrices; first += 37)
                for (uint64_t n = 1; n <= 203 * matrices - first; n = 3 * n + 1)
                    wrong += wrong_rows(p, &m, matrices, first, n);
        arena_release(&a);
        CHECK(!wrong);
    }
}

TEST(transpose_small_and_long)
{
    struct arena a = {0};
    struct numbers small = numbers("bf16", 70, 130), tall = numbers("bf16", 3000, 65);
    struct transposer *p = transposer_new(&a, TRANSPOSE_PANEL), *narrow = transposer_new(&a, 100);

    CHECK(wrong_rows(p, &small, 1, 0, 130) == 0 && wrong_rows(p, &small, 2, 3, 200) == 0);
    CHECK(wrong_rows(narrow, &tall, 1, 1, 64) == 0);        /* a column is more than the panel may have */
    arena_release(&a);
}

TEST(transpose_by_many_threads)
{
    struct arena a = {0};
    struct numbers one = numbers("bf16", 900, 400), other = numbers("f32", 640, 330);
    struct transposer *p = transposer_new(&a, 900 * 64 * 2);
    int wrong = 0;

    #pragma omp parallel for schedule(dynamic) num_threads(8) reduction(+ : wrong)
    for (int i = 0; i < 300; i++) {
        struct numbers *m = i % 7 == 3 ? &other : &one;
        wrong += wrong_rows(p, m, 1, (uint64_t)i % 300, 30);
    }
    arena_release(&a);
    CHECK(wrong == 0);
}

TEST(transpose_tells_what_cannot_be_read)
{
    struct numbers m = numbers("bf16", 1530, 300);
    struct arena a = {0};
    struct transposer *p = transposer_new(&a, 1530 * 2 * 64);
    struct arena tmp = {0};
    struct fail f = {0};

    m.broken = true;
    CHECK(!transposed_rows(p, &m.base, &m.t, 1, 10, 20, &tmp, &f));
    CHECK(f.kind == FAIL_INPUT);
    m.broken = false;
    CHECK(wrong_rows(p, &m, 1, 10, 20) == 0);               /* what failed is not kept */
    arena_release(&a);
    arena_release(&tmp);
}
