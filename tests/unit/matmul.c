/* matmul.c - products of float matrices against sums in double, for shapes around those of tiles. */
#include "verify/matmul.h"

#include "tests/unit/test.h"
#include "tests/unit/tiny.h"

#include <math.h>
#include <stdlib.h>

enum { GAP = 3 };               /* floats between the rows of each matrix, which nobody may touch */

static struct matrix some_matrix(size_t rows, size_t columns, unsigned seed)
{
    return (struct matrix){ tiny_floats(rows * (columns + GAP), seed), rows, columns, columns + GAP };
}

/* `turned`: b's columns are multiplied, not its rows. */
static double worst_error(const struct matrix *a, const struct matrix *b, bool turned, float scale)
{
    size_t n = turned ? b->columns : b->rows, stride = n + GAP;
    float *y = malloc(a->rows * stride * sizeof *y);
    struct arena room = {0};
    double worst = 0;

    for (size_t i = 0; i < a->rows * stride; i++)
        y[i] = 77;
    if (turned)
        matmul_columns(*a, *b, y, stride, &room);
    else
        matmul_rows(*a, *b, scale, y, stride, &room);
    for (size_t i = 0; i < a->rows; i++)
        for (size_t j = 0; j < stride; j++) {
            double sum = 0;
            for (size_t k = 0; k < a->columns && j < n; k++)
                sum += (double)a->x[i * a->stride + k] * (double)b->x[turned ? k * b->stride + j : j * b->stride + k];
            worst = fmax(worst, fabs((j < n ? (double)scale * sum : 77) - (double)y[i * stride + j]));
        }
    arena_release(&room);
    free(y);
    return worst;
}

TEST(matmul_of_odd_shapes)
{
    static const struct { size_t rows, depth, columns; } shapes[] = {
        { 1, 1, 1 }, { 8, 16, 48 }, { 9, 17, 49 }, { 128, 64, 15 }, { 3, 1500, 16 }, { 21, 5, 33 }, { 130, 80, 144 }, { 7, 128, 32 }, { 16, 2049, 100 },
    };

    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct matrix a = some_matrix(shapes[i].rows, shapes[i].depth, 1), b = some_matrix(shapes[i].columns, shapes[i].depth, 2);
        struct matrix turned = some_matrix(shapes[i].depth, shapes[i].columns, 3);
        CHECK(worst_error(&a, &b, false, 0.3f) < 3e-5);
        CHECK(worst_error(&a, &turned, true, 1) < 1e-4);
        free((void *)a.x), free((void *)b.x), free((void *)turned.x);
    }
}
