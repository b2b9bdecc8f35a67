/* transpose.c - see transpose.h. */
#include "convert/transpose.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    STRIP_NBYTES = 4 << 20,     /* of the source, read at a time */
    TILE = 64,                  /* rows and columns that are turned inside the first cache */
};

/* Columns [first, first + n) of the rows from `top` on of a tensor, as rows of `height` weights. */
struct panel {
    const struct tensor *t;     /* NULL: none */
    uint64_t top, height, first, n;
};

struct transposer {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct panel panel;         /* what `data` holds or will hold */
    uint8_t *data;
    size_t limit, capacity;     /* bytes of `data`: at most, unless one column is more; now */
    uint64_t next, done, strips;        /* of the panel's strips: given out, turned, in all */
    unsigned users;             /* threads between entering the panel and having copied their rows */
    struct fail failure;        /* of a strip; `next` is `strips` then */
};

static void release(void *data, size_t n)
{
    struct transposer *p = data;

    (void)n;
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->changed);
    free(p->data);
}

struct transposer *transposer_new(struct arena *a, size_t panel_nbytes)
{
    struct transposer *p = arena_new(a, struct transposer);

    p->limit = panel_nbytes;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    arena_on_reset(a, release, p, 0);
    return p;
}

/* ---- turning ---- */

/* out[c][r] = in[r][c] for one size of weights; rows of `in` lie `from` weights apart, those of `out` `to`. The tile goes through
 * two small copies: the distances are often powers of two, of which a cache holds few lines at once. */
#define TURN(name, type) \
static void name(void *out_, uint64_t to, const void *in_, uint64_t from, uint64_t rows, uint64_t columns) \
{ \
    type here[TILE][TILE], there[TILE][TILE], *out = out_; \
    const type *in = in_; \
    for (uint64_t r = 0; r < rows; r++) \
        memcpy(here[r], in + r * from, columns * sizeof *in); \
    for (uint64_t c = 0; c < columns; c++) \
        for (uint64_t r = 0; r < rows; r++) \
            there[c][r] = here[r][c]; \
    for (uint64_t c = 0; c < columns; c++) \
        memcpy(out + c * to, there[c], rows * sizeof *out); \
}
TURN(turn_1, uint8_t)
TURN(turn_2, uint16_t)
TURN(turn_4, uint32_t)
TURN(turn_8, uint64_t)

typedef void turn_fn(void *out, uint64_t to, const void *in, uint64_t from, uint64_t rows, uint64_t columns);

static turn_fn *turn_of(int nbytes)
{
    assert(nbytes == 1 || nbytes == 2 || nbytes == 4 || nbytes == 8);
    return nbytes == 1 ? turn_1 : nbytes == 2 ? turn_2 : nbytes == 4 ? turn_4 : turn_8;
}

/* Rows [row, row + rows) of the panel's columns, from `in`, where the first of these rows lies, into out. */
static void turn_strip(const struct panel *p, const uint8_t *in, uint64_t row, uint64_t rows, uint8_t *out)
{
    size_t nbytes = (size_t)p->t->type->nbytes;
    uint64_t width = tensor_row(p->t);
    turn_fn *turn = turn_of(p->t->type->nbytes);

    for (uint64_t c = 0; c < p->n; c += TILE)
        for (uint64_t r = 0; r < rows; r += TILE)
            turn(out + (c * p->height + row + r) * nbytes, p->height, in + (r * width + p->first + c) * nbytes, width,
                 rows - r < TILE ? rows - r : TILE, p->n - c < TILE ? p->n - c : TILE);
}

static uint64_t strip_rows(const struct tensor *t)
{
    uint64_t rows = STRIP_NBYTES / tensor_row_bytes(t) / TILE * TILE;

    return rows ? rows : TILE;
}

static uint64_t strip_count(const struct panel *p)
{
    return (p->height + strip_rows(p->t) - 1) / strip_rows(p->t);
}

static int make_strip(const struct panel *p, struct model *inner, uint64_t strip, uint8_t *out, struct fail *f)
{
    uint64_t row = strip * strip_rows(p->t), rows = p->height - row < strip_rows(p->t) ? p->height - row : strip_rows(p->t);
    struct arena tmp = {0};
    const uint8_t *in = model_rows(inner, p->t, p->top + row, rows, &tmp, f);

    if (in)
        turn_strip(p, in, row, rows, out);
    arena_release(&tmp);
    return in ? 0 : -1;
}

/* ---- sharing ---- */

static bool same_panel(const struct panel *a, const struct panel *b)
{
    return a->t == b->t && a->top == b->top && a->first == b->first && a->n == b->n;
}

/* Locked. Waits until nobody needs the panel that is there, unless it is the one; then it becomes the one. */
static void enter(struct transposer *p, const struct panel *want)
{
    size_t nbytes = want->height * want->n * (size_t)want->t->type->nbytes;

    while (!same_panel(&p->panel, want) && p->users)
        pthread_cond_wait(&p->changed, &p->lock);
    p->users++;
    if (same_panel(&p->panel, want))
        return;
    p->panel = *want;
    p->next = p->done = 0;
    p->strips = strip_count(want);
    p->failure = (struct fail){0};
    if (nbytes > p->capacity) {
        free(p->data);
        p->data = malloc(nbytes);
        p->capacity = nbytes;
        if (!p->data)
            arena_exhausted(nbytes);
    }
}

/* Locked. Turns strips as long as there are any, then waits for those that others turn. */
static void fill(struct transposer *p, struct model *inner)
{
    while (p->next < p->strips) {
        uint64_t strip = p->next++;
        struct fail mine = {0};

        pthread_mutex_unlock(&p->lock);
        make_strip(&p->panel, inner, strip, p->data, &mine);
        pthread_mutex_lock(&p->lock);
        if (failed(&mine) && !failed(&p->failure))
            p->failure = mine;
        if (++p->done == p->strips)
            pthread_cond_broadcast(&p->changed);
    }
    while (p->done < p->strips)
        pthread_cond_wait(&p->changed, &p->lock);
}

static int copy_from_panel(struct transposer *p, struct model *inner, const struct panel *want, uint64_t column, uint64_t n, uint8_t *out,
                           struct fail *f)
{
    size_t row = want->height * (size_t)want->t->type->nbytes;

    pthread_mutex_lock(&p->lock);
    enter(p, want);
    fill(p, inner);
    if (failed(&p->failure))
        *f = p->failure;
    pthread_mutex_unlock(&p->lock);
    if (!failed(f))
        memcpy(out, p->data + (column - want->first) * row, n * row);
    pthread_mutex_lock(&p->lock);
    if (failed(f))
        p->panel.t = NULL;      /* a later question may fare better */
    if (--p->users == 0)
        pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return failed(f) ? -1 : 0;
}

/* Columns [column, column + n) of one matrix, by the thread that wants them. */
static int turn_alone(struct model *inner, const struct panel *matrix, uint64_t column, uint64_t n, uint8_t *out, struct fail *f)
{
    struct panel mine = *matrix;

    mine.first = column;
    mine.n = n;
    for (uint64_t strip = 0; strip < strip_count(&mine); strip++)
        if (make_strip(&mine, inner, strip, out, f))
            return -1;
    return 0;
}

const void *transposed_rows(struct transposer *p, struct model *inner, const struct tensor *t, uint64_t matrices, uint64_t first,
                            uint64_t n, struct arena *tmp, struct fail *f)
{
    uint64_t height = t->shape[0] / matrices, width = t->shape[1], step;
    size_t nbytes = (size_t)t->type->nbytes;
    uint8_t *out = arena_raw(tmp, n * height * nbytes);
    bool small = height * width * nbytes <= p->limit / 64;

    assert(t->type->block == 1);
    step = small || !height ? width : p->limit / (height * nbytes);
    step = step > TILE ? step / TILE * TILE : 1;
    for (uint64_t done = 0, part; done < n; done += part) {
        uint64_t column = (first + done) % width, left = small ? width - column : step - column % step;
        struct panel panel = { t, (first + done) / width * height, height, column / step * step, step };

        left = width - column < left ? width - column : left;
        part = left < n - done ? left : n - done;
        panel.n = width - panel.first < step ? width - panel.first : step;
        if (small ? turn_alone(inner, &panel, column, part, out + done * height * nbytes, f)
                  : copy_from_panel(p, inner, &panel, column, part, out + done * height * nbytes, f))
            return NULL;
    }
    return out;
}
