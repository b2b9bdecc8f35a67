/* bf16.c - products through bfloat16 units against sums of the rounded factors in double, whatever the threads. */
#include "verify/bf16.h"

#include "tests/unit/test.h"
#include "tests/unit/tiny.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>

static double rounded(float x)
{
    uint32_t u;

    memcpy(&u, &x, sizeof u);
    u = (u + 0x7fff + (u >> 16 & 1)) & 0xffff0000;
    memcpy(&x, &u, sizeof x);
    return (double)x;
}

/* Largest difference over that of a row's size. */
static double worst_error(struct model *m, const struct tensor *w, const float *x, size_t n, const float *y)
{
    size_t width = tensor_row(w), rows = tensor_rows(w);
    struct arena a = {0};
    struct fail f = {0};
    double worst = 0;

    for (size_t r = 0; r < rows; r++) {
        const float *row = model_rows_f32(m, w, r, 1, &a, &f);
        for (size_t t = 0; t < n; t++) {
            double want = 0, size = 0;
            for (size_t i = 0; i < width; i++) {
                want += rounded(row[i]) * rounded(x[t * width + i]);
                size += fabs(rounded(row[i]) * rounded(x[t * width + i]));
            }
            worst = fmax(worst, fabs(want - (double)y[t * rows + r]) / size);
        }
    }
    arena_release(&a);
    return worst;
}

TEST(bf16_product_of_odd_shapes)
{
    static const struct { size_t width, ff, n; const char *type; } rows[] = {
        { 32, 48, 8, "bf16" }, { 34, 100, 13, "bf16" }, { 64, 49, 1, "q8_0" }, { 96, 130, 21, "q4_0" }, { 20, 7, 3, "bf16" },
    };
    int before = omp_get_max_threads();

    if (!bf16_usable()) {
        test_skip("this CPU has no bfloat16 units");
        return;
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tiny c = { .layers = 1, .width = rows[i].width, .heads = 2, .kv_heads = 1, .key = 16, .value = 16, .ff = rows[i].ff,
                          .vocabulary = 61, .type = rows[i].type };
        c.ff = strcmp(c.type, "bf16") == 0 ? c.ff : c.ff / 32 * 32;
        struct model *m = tiny_model(&c);
        const struct tensor *w = model_tensor(m, "blk.0.ffn_up.weight");
        size_t n = rows[i].n, nx = n * c.width, ny = n * c.ff;
        int32_t *ids = tiny_tokens(nx, 2001, 3);
        float *x = malloc(nx * sizeof *x), *y = malloc(ny * sizeof *y), *z = malloc(ny * sizeof *z);
        struct arena a = {0};
        struct fail f = {0};
        for (size_t k = 0; k < nx; k++)
            x[k] = (float)(ids[k] - 1000) / 777;
        omp_set_num_threads(1);
        CHECK(bf16_product(m, w, 0, c.ff, x, n, y, c.ff, &a, &f) == 0);
        omp_set_num_threads(3);
        CHECK(bf16_product(m, w, 0, c.ff, x, n, z, c.ff, &a, &f) == 0 && memcmp(y, z, ny * sizeof *y) == 0);
        if (!(worst_error(m, w, x, n, y) < 1e-6))
            test_failed(__FILE__, __LINE__, "row %zu is off by %g", i, worst_error(m, w, x, n, y));
        arena_release(&a);
        free(ids), free(x), free(y), free(z);
        model_close(m);
    }
    omp_set_num_threads(before);
}
