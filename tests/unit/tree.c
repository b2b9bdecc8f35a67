/* tree.c - sequences that share beginnings: what is written once, and attention as each sequence alone has it. */
#include "verify/tree.h"

#include "tests/unit/test.h"
#include "tests/unit/tiny.h"

#include <math.h>
#include <stdlib.h>

static void add(struct tree *t, const char *letters, struct arena *a)
{
    int32_t token[32];
    size_t n = strlen(letters);

    for (size_t i = 0; i < n; i++)
        token[i] = letters[i];
    tree_add(t, token, n, a);
}

static const char *written(const struct tree *t, struct arena *a)
{
    char *text = arena_alloc(a, t->n + 1);

    for (size_t i = 0; i < t->n; i++)
        text[i] = (char)t->token[i];
    return text;
}

TEST(tree_writes_common_beginnings_once)
{
    struct arena a = {0};
    struct tree t = {0};

    add(&t, "abcdef", &a);
    add(&t, "abcdgh", &a);
    CHECK(t.path[3] == 3 && t.path[4] == 6 && t.path[5] == 7);
    add(&t, "abik", &a);
    add(&t, "ab", &a);                  /* the beginning of one that is there */
    CHECK(t.path[1] == 1);
    add(&t, "abl", &a);
    add(&t, "xy", &a);
    tree_end(&t);
    CHECK_STR(written(&t, &a), "abcdefghiklxy");
    CHECK_U64(t.longest, 6);
    static const struct branch want[] = { { 0, 2, 0, 11 }, { 2, 2, 2, 8 }, { 4, 2, 4, 6 }, { 6, 2, 4, 8 }, { 8, 2, 2, 10 }, { 10, 1, 2, 11 }, { 11, 2, 0, 13 } };
    CHECK_U64(t.nbranches, 7);
    for (size_t i = 0; i < 7; i++)
        CHECK(t.branch[i].first == want[i].first && t.branch[i].n == want[i].n && t.branch[i].at == want[i].at && t.branch[i].end == want[i].end);
    CHECK(t.position[10] == 2 && t.position[12] == 1);
    arena_release(&a);
}

/* n x width numbers of the places path[0] ... */
static float *along(const float *x, const size_t *path, size_t n, size_t width, struct arena *a)
{
    float *out = arena_raw(a, n * width * sizeof *out);

    for (size_t i = 0; i < n; i++)
        memcpy(out + i * width, x + path[i] * width, width * sizeof *out);
    return out;
}

enum { SEQUENCES = 60, PREFIX = 70, LONGEST = 200, MOST = SEQUENCES * LONGEST };

/* Some beginnings of two lengths, with tails of their own. */
static size_t draw(int32_t *token, unsigned *seed)
{
    int32_t *r = tiny_tokens(LONGEST + 3, 1000, ++*seed);
    size_t keep = (size_t)(r[0] % 3) * PREFIX / 2, n = keep + 1 + (size_t)r[1] % (LONGEST - PREFIX);

    for (size_t i = 0; i < n; i++)
        token[i] = i < keep ? (int32_t)i + 2000 * (r[2] % 2) : r[i + 3];
    free(r);
    return n;
}

static int by_tokens(const void *x, const void *y)
{
    const int32_t *a = x, *b = y;

    for (size_t i = 0; i < LONGEST; i++)
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    return 0;
}

static float *floats(size_t n, unsigned seed, struct arena *a)
{
    int32_t *ids = tiny_tokens(n, 2001, seed);
    float *x = arena_raw(a, n * sizeof *x);

    for (size_t i = 0; i < n; i++)
        x[i] = (float)(ids[i] - 1000) / 300;
    free(ids);
    return x;
}

static double worst_of(struct attention at)
{
    static int32_t token[SEQUENCES][LONGEST];
    struct arena a = {0};
    struct tree t = {0};
    unsigned seed = 11;
    size_t length[SEQUENCES], *path[SEQUENCES], heads = at.heads, kv = at.kv_heads;
    double worst = 0;

    for (size_t i = 0; i < SEQUENCES; i++) {
        memset(token[i], 0xff, sizeof token[i]);
        draw(token[i], &seed);
    }
    qsort(token, SEQUENCES, sizeof token[0], by_tokens);
    for (size_t i = 0; i < SEQUENCES; i++) {
        for (length[i] = 0; length[i] < LONGEST && token[i][length[i]] >= 0; )
            length[i]++;
        tree_add(&t, token[i], length[i], &a);
        path[i] = arena_raw(&a, length[i] * sizeof *path[i]);
        memcpy(path[i], t.path, length[i] * sizeof *path[i]);
    }
    tree_end(&t);
    float *q = floats(t.n * heads * at.key, 1, &a), *k = floats(t.n * kv * at.key, 2, &a), *v = floats(t.n * kv * at.value, 3, &a);
    float *out = floats(t.n * heads * at.value, 4, &a), *want = arena_raw(&a, LONGEST * heads * at.value * sizeof *want);
    op_attention_tree(&at, &t, q, k, v, out);
    for (size_t i = 0; i < SEQUENCES; i++) {
        at.context = length[i];
        op_attention(&at, along(q, path[i], length[i], heads * at.key, &a), along(k, path[i], length[i], kv * at.key, &a),
                     along(v, path[i], length[i], kv * at.value, &a), length[i], want);
        const float *got = along(out, path[i], length[i], heads * at.value, &a);
        for (size_t x = 0; x < length[i] * heads * at.value; x++)
            worst = fmax(worst, fabs((double)got[x] - (double)want[x]));
    }
    arena_release(&a);
    return worst;
}

TEST(attention_in_a_tree_is_that_of_each_sequence)
{
    static const float slope[4] = { 0.5f, 0.1f, 0.01f, 0 };
    struct attention a = { .heads = 4, .kv_heads = 2, .key = 8, .value = 6, .scale = 0.3f };

    CHECK(worst_of(a) < 2e-5);
    a.window = 9;
    CHECK(worst_of(a) < 2e-5);
    a.window = 75;
    a.softcap = 4;
    CHECK(worst_of(a) < 2e-5);
    a.window = 0;
    a.slope = slope;
    CHECK(worst_of(a) < 2e-5);
}
