/* matmul.c - see matmul.h. */
#include "verify/matmul.h"

#include "formats/file.h"
#include "verify/units.h"

#include <string.h>

/* A sliver of b, its rows or columns from `first` on. */
typedef void pack_fn(const struct units *, const struct matrix *b, size_t first, size_t n, uint32_t *to);

static void pack_rows(const struct units *u, const struct matrix *b, size_t first, size_t n, uint32_t *to)
{
    for (size_t r = 0; r < n; r += u->lanes) {
        const float *x = b->x + (first + r) * b->stride;
        u->pack((const uint8_t *)x, b->stride * sizeof *x, min_u64(n - r, u->lanes), b->columns, false,
                (struct target){ to + r, u->rows, u->lanes / 2 });
    }
}

/* They lie side by side already. */
static void pack_columns(const struct units *u, const struct matrix *b, size_t first, size_t n, uint32_t *to)
{
    for (size_t i = 0; i < b->rows; i++)
        memcpy(to + i * u->rows, b->x + i * b->stride + first, n * sizeof *b->x);
}

/* The rows of a, packed. */
static const uint32_t *pack_all(const struct units *u, const struct matrix *a, float scale, struct arena *room)
{
    size_t nbytes = units_room(u, a->rows, a->columns);
    float *packed = arena_alloc(room, nbytes);

    for (size_t t = 0; t < a->rows; t += u->lanes)
        units_pack_tokens(u, a->x, a->stride, a->rows, a->columns, t, (uint32_t *)packed);
    for (size_t i = 0; scale != 1 && i < nbytes / sizeof *packed; i++)
        packed[i] *= scale;
    return (const uint32_t *)packed;
}

/* `most` rows or columns of b. */
static void multiply(const struct matrix *a, const struct matrix *b, size_t most, pack_fn *pack, float scale, float *y, size_t stride,
                     struct arena *room)
{
    const struct units *u = units_f32();
    size_t depth = a->columns;

    arena_reset(room);
    const uint32_t *tokens = pack_all(u, a, scale, room);
    uint32_t *sliver = arena_raw(room, depth * u->rows * sizeof *sliver);
    for (size_t first = 0; first < most; first += u->rows) {
        size_t n = min_u64(most - first, u->rows);
        pack(u, b, first, n, sliver);
        for (size_t t = 0; t < a->rows; t += u->tokens)
            u->multiply(tokens + t * depth, sliver, depth, y + t * stride + first, stride, min_u64(a->rows - t, u->tokens), n);
    }
}

void matmul_rows(struct matrix a, struct matrix b, float scale, float *y, size_t stride, struct arena *room)
{
    multiply(&a, &b, b.rows, pack_rows, scale, y, stride, room);
}

void matmul_columns(struct matrix a, struct matrix b, float *y, size_t stride, struct arena *room)
{
    multiply(&a, &b, b.columns, pack_columns, 1, y, stride, room);
}
