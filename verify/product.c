/* product.c - see product.h. */
#include "verify/product.h"

#include "formats/file.h"

#include <omp.h>
#include <string.h>

enum {
    PIECE = 1024,               /* weights of a row decoded at a time: whole blocks of every encoding */
    SLIVERS = 4,                /* at most, of a share */
    PART = 256,                 /* tokens at least in a part: packing a sliver again costs less than a tenth of their products */
};

/* ---- packing ---- */

/* At most `lanes` encoded rows, decoded piece by piece. */
static void pack_decoded(const struct units *u, const struct qtype *type, const uint8_t *in, size_t nbytes, size_t n, size_t width,
                         struct target out, float *piece)
{
    for (size_t i = 0; i < width; i += PIECE) {
        size_t some = min_u64(width - i, PIECE), block = (size_t)type->block;
        for (size_t r = 0; r < n; r++)
            type->decode(in + r * nbytes + i / block * (size_t)type->nbytes, piece + r * PIECE, some / block);
        u->pack((const uint8_t *)piece, PIECE * sizeof *piece, n, some, false, out);
        out.to += PIECE / u->per_word * out.step;
    }
}

/* Encoded rows, at most as many as a sliver has. */
static void pack_rows(const struct units *u, const struct qtype *type, const uint8_t *in, size_t n, size_t width, uint32_t *to, float *piece)
{
    size_t nbytes = width / (size_t)type->block * (size_t)type->nbytes;
    bool narrow = strcmp(type->name, "bf16") == 0, plain = strcmp(type->name, "f32") == 0;

    for (size_t r = 0; r < u->rows; r += u->lanes) {
        size_t live = n <= r ? 0 : min_u64(n - r, u->lanes);
        struct target out = { to + r, u->rows, u->lanes / 2 };
        if (narrow || plain)
            u->pack(in + r * nbytes, nbytes, live, width, narrow, out);
        else
            pack_decoded(u, type, in + r * nbytes, nbytes, live, width, out, piece);
    }
}

static uint32_t *pack_tokens(const struct units *u, const float *x, size_t n, size_t width, struct arena *a)
{
    uint32_t *packed = arena_raw(a, units_room(u, n, width));

#pragma omp parallel for schedule(static)
    for (size_t t = 0; t < n; t += u->lanes)
        units_pack_tokens(u, x, width, n, width, t, packed);
    return packed;
}

/* ---- sharing out ---- */

/* Slivers are taken several at a time (fewer ranges of a file to read), then one by one, and the last ones, one for each thread, in
 * parts of the tokens: so that all threads end at the same time. */
struct shares {
    size_t rows, n;
    size_t sliver, block;
    size_t threads, parts;      /* parts of the tokens; a sliver is packed again for each */
    size_t whole, next;         /* slivers that are taken whole; how many of these, and of the parts of the others, are taken */
};

struct share {
    size_t row, rows, token, n;
};

static struct shares shares_of(const struct units *u, size_t rows, size_t n)
{
    struct shares s = { .rows = rows, .n = n, .sliver = u->rows, .block = u->tokens, .threads = (size_t)omp_get_max_threads() };
    size_t slivers = (rows + s.sliver - 1) / s.sliver;

    s.parts = min_u64(n / PART, s.threads);
    if (s.parts < 2)
        s.parts = 1;
    s.whole = s.parts == 1 ? slivers : slivers > s.threads ? slivers - s.threads : 0;
    return s;
}

/* The share at `next`, which moves on; false: all are taken. */
static bool next_share(struct shares *s, struct share *out)
{
    size_t some = 1;

    if (s->next < s->whole) {
        some = min_u64((s->whole - s->next) / (2 * s->threads), SLIVERS);
        some = some ? some : 1;
        *out = (struct share){ s->next * s->sliver, some * s->sliver, 0, s->n };
    } else {
        size_t at = s->next - s->whole, blocks = (s->n + s->block - 1) / s->block, part = (blocks + s->parts - 1) / s->parts * s->block;
        *out = (struct share){ (s->whole + at / s->parts) * s->sliver, s->sliver, at % s->parts * part, part };
    }
    if (out->row >= s->rows)
        return false;
    out->rows = min_u64(out->rows, s->rows - out->row);
    out->n = out->token < s->n ? min_u64(out->n, s->n - out->token) : 0;
    s->next += some;
    return true;
}

/* ---- all together ---- */

struct job {
    const struct units *units;
    struct model *model;
    const struct tensor *w;
    uint64_t first;
    const uint32_t *tokens;     /* packed */
    float *y;
    size_t stride;
    struct shares shares;
};

static int do_share(const struct job *j, const struct share *s, uint32_t *sliver, float *piece, struct arena *tmp, struct fail *f)
{
    const struct units *u = j->units;
    size_t width = tensor_row(j->w), words = units_words(u, width);
    const uint8_t *in = model_rows(j->model, j->w, j->first + s->row, s->rows, tmp, f);

    if (!in)
        return -1;
    for (size_t r = 0; r < s->rows; r += u->rows) {
        size_t rows = min_u64(s->rows - r, u->rows);
        pack_rows(u, j->w->type, in + r * tensor_row_bytes(j->w), rows, width, sliver, piece);
        for (size_t t = s->token; t < s->token + s->n; t += u->tokens)
            u->multiply(j->tokens + t * words, sliver, words, j->y + t * j->stride + s->row + r, j->stride,
                        min_u64(s->token + s->n - t, u->tokens), rows);
    }
    arena_reset(tmp);
    return 0;
}

int product(const struct units *u, struct model *m, const struct tensor *w, uint64_t first, size_t rows, const float *x, size_t n, float *y,
            size_t stride, struct arena *tokens, struct fail *f)
{
    size_t width = tensor_row(w);
    struct job j = { .units = u, .model = m, .w = w, .first = first, .y = y, .stride = stride, .shares = shares_of(u, rows, n) };
    uint64_t lowest = UINT64_MAX;

    arena_reset(tokens);
    j.tokens = pack_tokens(u, x, n, width, tokens);

#pragma omp parallel
    {
        struct arena tmp = {0}, mine = {0};
        uint32_t *sliver = arena_raw(&mine, units_words(u, width) * u->rows * sizeof *sliver);
        float *piece = arena_raw(&mine, u->lanes * PIECE * sizeof *piece);
        for (bool more = true; more; ) {
            struct share s = {0};
            struct fail bad = {0};
#pragma omp critical(product_share)
            more = next_share(&j.shares, &s);
            if (more)
                do_share(&j, &s, sliver, piece, &tmp, &bad);
            fail_lowest(f, &lowest, s.row, &bad);
        }
        arena_release(&mine);
        arena_release(&tmp);
    }
    return lowest == UINT64_MAX ? 0 : -1;
}
