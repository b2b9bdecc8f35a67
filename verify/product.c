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

static size_t words_of(const struct units *u, size_t width)
{
    return (width + u->per_word - 1) / u->per_word;
}

/* Tokens of a block and rows of a sliver. */
static size_t block_of(const struct units *u)
{
    return u->lanes / 2;
}

static size_t sliver_of(const struct units *u)
{
    return 3 * u->lanes;
}

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

    for (size_t r = 0; r < sliver_of(u); r += u->lanes) {
        size_t live = n <= r ? 0 : min_u64(n - r, u->lanes);
        struct target out = { to + r, sliver_of(u), u->lanes / 2 };
        if (narrow || plain)
            u->pack(in + r * nbytes, nbytes, live, width, narrow, out);
        else
            pack_decoded(u, type, in + r * nbytes, nbytes, live, width, out, piece);
    }
}

/* Two blocks at a time. */
static uint32_t *pack_tokens(const struct units *u, const float *x, size_t n, size_t width, struct arena *a)
{
    size_t words = words_of(u, width), pairs = (n + u->lanes - 1) / u->lanes;
    uint32_t *packed = arena_raw(a, pairs * u->lanes * words * sizeof *packed);

#pragma omp parallel for schedule(static)
    for (size_t b = 0; b < pairs; b++) {
        size_t t = b * u->lanes;
        struct target out = { packed + t * words, block_of(u), block_of(u) * words };
        u->pack((const uint8_t *)(x + t * width), width * sizeof *x, min_u64(n - t, u->lanes), width, false, out);
    }
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
    struct shares s = { .rows = rows, .n = n, .sliver = sliver_of(u), .block = block_of(u), .threads = (size_t)omp_get_max_threads() };
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
    size_t width = tensor_row(j->w), words = words_of(u, width);
    const uint8_t *in = model_rows(j->model, j->w, j->first + s->row, s->rows, tmp, f);

    if (!in)
        return -1;
    for (size_t r = 0; r < s->rows; r += sliver_of(u)) {
        size_t rows = min_u64(s->rows - r, sliver_of(u));
        pack_rows(u, j->w->type, in + r * tensor_row_bytes(j->w), rows, width, sliver, piece);
        for (size_t t = s->token; t < s->token + s->n; t += block_of(u))
            u->multiply(j->tokens + t * words, sliver, words, j->y + t * j->stride + s->row + r, j->stride,
                        min_u64(s->token + s->n - t, block_of(u)), rows);
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
        uint32_t *sliver = arena_raw(&mine, words_of(u, width) * sliver_of(u) * sizeof *sliver);
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
