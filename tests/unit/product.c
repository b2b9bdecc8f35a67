/* product.c - products through the CPU's units against sums in double (of rounded factors, if the units round), whatever the threads. */
#include "verify/product.h"

#include "tests/unit/test.h"
#include "tests/unit/tiny.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>

static double rounded(float x, bool narrow)
{
    uint32_t u;

    memcpy(&u, &x, sizeof u);
    if (narrow)
        u = (u + 0x7fff + (u >> 16 & 1)) & 0xffff0000;
    memcpy(&x, &u, sizeof x);
    return (double)x;
}

/* Largest difference over that of a row's size. */
static double worst_error(struct model *m, const struct tensor *w, const float *x, size_t n, const float *y, bool narrow)
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
                double one = rounded(row[i], narrow) * rounded(x[t * width + i], narrow);
                want += one;
                size += fabs(one);
            }
            worst = fmax(worst, fabs(want - (double)y[t * rows + r]) / size);
        }
    }
    arena_release(&a);
    return worst;
}

static void check_shapes(const struct units *u)
{
    static const struct { size_t width, ff, n; const char *type; } rows[] = {
        { 32, 48, 8, "bf16" }, { 34, 100, 13, "bf16" }, { 64, 49, 1, "q8_0" }, { 96, 130, 21, "q4_0" }, { 20, 7, 3, "bf16" },
        { 34, 77, 9, "f32" }, { 38, 25, 17, "f16" }, { 1058, 50, 5, "bf16" }, { 2080, 24, 4, "q8_0" }, { 32, 200, 1030, "bf16" },
    };
    int before = omp_get_max_threads();

    if (!u) {
        test_skip("this CPU has no such units");
        return;
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tiny c = { .layers = 1, .width = rows[i].width, .heads = 2, .kv_heads = 1, .key = 16, .value = 16, .ff = rows[i].ff,
                          .vocabulary = 61, .type = rows[i].type };
        c.ff = c.type[0] == 'q' ? (c.ff + 31) / 32 * 32 : c.ff;
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
        CHECK(product(u, m, w, 0, c.ff, x, n, y, c.ff, &a, &f) == 0);
        omp_set_num_threads(3);
        CHECK(product(u, m, w, 0, c.ff, x, n, z, c.ff, &a, &f) == 0 && memcmp(y, z, ny * sizeof *y) == 0);
        if (!(worst_error(m, w, x, n, y, u->per_word == 2) < 1e-6))
            test_failed(__FILE__, __LINE__, "row %zu is off by %g", i, worst_error(m, w, x, n, y, u->per_word == 2));
        arena_release(&a);
        free(ids), free(x), free(y), free(z);
        model_close(m);
    }
    omp_set_num_threads(before);
}

TEST(product_by_bf16_units_of_odd_shapes) { check_shapes(units_bf16()); }
TEST(product_by_f32_units_of_odd_shapes) { check_shapes(units_f32()); }

extern const struct units units_base;

TEST(product_by_base_units_of_odd_shapes) { check_shapes(&units_base); }

#ifdef __x86_64__
extern const struct units units_avx2;

TEST(product_by_avx2_units_of_odd_shapes) { check_shapes(units_f32() == &units_base ? NULL : &units_avx2); }
#endif
