/* collect.c - importance matrices: sums against sums written out, whatever the threads; the file and back; starved experts;
 * runs that stop half way. */
#include "verify/collect.h"

#include "tests/unit/test.h"
#include "tests/unit/tiny.h"
#include "verify/chunks.h"
#include "verify/forward.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[64], path[100];

static void in_fresh_folder(void)
{
    strcpy(folder, "/tmp/bantam-collect-XXXXXX");
    if (!mkdtemp(folder))
        abort();
    snprintf(path, sizeof path, "%s/x", folder);
}

static void leave_folder(void)
{
    unlink(path);
    rmdir(folder);
}

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-12 * fabs(b);
}

/* ---- sums ---- */

TEST(sums_of_squares_whatever_the_threads_and_batches)
{
    enum { N = 50, COLUMNS = 700 };
    int32_t *ids = tiny_tokens(N * COLUMNS, 2001, 4);
    float *x = malloc(N * COLUMNS * sizeof *x);
    struct sums s = {0};
    struct sums_entry *one, *two;

    sums_entry(&s, "one", 1, COLUMNS);
    two = sums_entry(&s, "two", 3, COLUMNS);
    for (size_t i = 0; i < N * COLUMNS; i++)
        x[i] = (float)(ids[i] - 1000) / 7;
    one = sums_entry(&s, "one", 1, COLUMNS);
    sums_add(one, 0, x, N);
    omp_set_num_threads(3);
    for (size_t t = 0; t < N; t += 10)
        sums_add(two, 2, x + t * COLUMNS, 10);
    omp_set_num_threads(omp_get_num_procs());
    for (size_t i = 0; i < COLUMNS; i++) {
        double want = 0;
        for (size_t t = 0; t < N; t++)
            want += (double)x[t * COLUMNS + i] * (double)x[t * COLUMNS + i];
        if (one->sum[i] != want || two->sum[2 * COLUMNS + i] != want || two->sum[i] != 0)
            test_failed(__FILE__, __LINE__, "column %zu: %g and %g, expected %g", i, one->sum[i], two->sum[2 * COLUMNS + i], want);
    }
    CHECK_U64(one->count[0], N);
    CHECK_U64(two->count[2], N);
    CHECK(two->count[0] == 0 && sums_least(&s) == 0);
    CHECK(sums_entry(&s, "one", 2, COLUMNS) == NULL && sums_entry(&s, "two", 3, COLUMNS) == two);
    sums_release(&s);
    free(x);
    free(ids);
}

/* Three experts, two columns: ten tokens, one, none. The mean over all eleven is (2, 5). */
static struct sums_entry *experts(struct sums *s)
{
    struct sums_entry *e = sums_entry(s, "blk.3.ffn_up_exps.weight", 3, 2);

    e->sum[0] = 10, e->sum[1] = 40, e->sum[2] = 12, e->sum[3] = 15;
    e->count[0] = 10, e->count[1] = 1;
    return e;
}

TEST(sums_shrink_starved_experts)
{
    struct sums s = {0};
    struct arena a = {0};
    struct sums_entry *e;
    struct starved *starved;
    size_t n;

    experts(&s);
    sums_entry(&s, "dense", 1, 2);
    e = &s.entry[0];
    starved = sums_starved(&s, 0, &a, &n);
    CHECK_U64(n, 1);
    CHECK(starved[0].expert == 2 && starved[0].count == 0);
    starved = sums_starved(&s, 4, &a, &n);
    CHECK_U64(n, 2);
    CHECK(starved[0].expert == 1 && starved[0].count == 1);
    CHECK_STR(starved[1].name, "blk.3.ffn_up_exps.weight");
    sums_shrink(&s, 4);
    CHECK(e->sum[0] == 10 && e->sum[1] == 40 && e->count[0] == 10);                     /* had enough */
    CHECK(near(e->sum[2], (12 + 3 * 2) / 4.) && near(e->sum[3], (15 + 3 * 5) / 4.) && e->count[1] == 1);
    CHECK(near(e->sum[4], 2) && near(e->sum[5], 5) && e->count[2] == 1);                /* nothing but the mean */
    arena_release(&a);
    sums_release(&s);
}

TEST(sums_file_and_back)
{
    struct sums s = { .chunks = 3, .context = 4 }, merged = {0};
    struct fail f = {0};
    struct imatrix *x;

    in_fresh_folder();
    experts(&s);
    sums_entry(&s, "blk.10.attn_q.weight", 1, 3)->count[0] = 12;
    sums_dataset(&s, "book.txt");
    CHECK(sums_write(&s, path, NULL, 0, 0, &f) == 0);
    x = imatrix_open(path, &f);
    CHECK(x != NULL && !x->legacy);
    CHECK_U64(x->n, 2);
    CHECK_STR(x->entry[0].name, "blk.10.attn_q.weight");        /* in the order of bytes */
    CHECK(x->entry[1].nmatrices == 3 && x->entry[1].ncolumns == 2 && x->entry[1].sum[3] == 15 && x->entry[1].count[1] == 1);
    CHECK(x->nchunks == 3 && x->chunk_size == 4 && x->ndatasets == 1);
    CHECK(sums_merge(&merged, x, &f) == 0 && sums_merge(&merged, x, &f) == 0);
    CHECK(merged.chunks == 6 && merged.context == 4 && merged.ndatasets == 2 && merged.n == 2);
    CHECK(merged.entry[1].sum[2] == 24 && merged.entry[1].count[0] == 20 && merged.entry[1].count[2] == 0);
    sums_release(&merged);
    merged.context = 6;         /* of tokens there are 12: two chunks of six */
    CHECK(sums_merge(&merged, x, &f) == 0 && merged.chunks == 2);
    sums_release(&merged);
    sums_entry(&merged, "blk.3.ffn_up_exps.weight", 1, 2);
    CHECK(sums_merge(&merged, x, &f) != 0 && f.kind == FAIL_INPUT);
    CHECK_STR(f.text, "'blk.3.ffn_up_exps.weight' has 2 columns of 3 experts, in the files before it 2 of 1");
    imatrix_close(x);
    sums_release(&merged);
    sums_release(&s);
    leave_folder();
}

/* A .dat file has one count, of chunks, for all experts of an entry, and ones where an expert saw nothing. */
TEST(old_files_are_merged_with_experts)
{
    static const int64_t calls[] = { 3 }, none[] = { 0 }, counts[] = { 10, 0, 6 };
    const float means[] = { 6, 9, 3, 3, 12, 3 }, squares[] = { 10, 40, 0, 0, 6, 12 };
    struct imatrix_entry old = { .name = "e", .nmatrices = 1, .ncolumns = 6, .sum = means, .count = calls };
    struct imatrix_entry new = { .name = "e", .nmatrices = 3, .ncolumns = 2, .sum = squares, .count = counts };
    struct imatrix dat = { .legacy = true, .entry = &old, .n = 1 }, gguf = { .entry = &new, .n = 1, .chunk_size = 2 };
    struct fail f = {0};

    for (int order = 0; order < 2; order++) {
        struct sums s = { .context = 2 };
        const struct sums_entry *e;
        CHECK(sums_merge(&s, order ? &dat : &gguf, &f) == 0 && sums_merge(&s, order ? &gguf : &dat, &f) == 0);
        e = s.entry;
        CHECK(s.n == 1 && e->experts == 3 && e->columns == 2);
        CHECK(e->count[0] == 16 && e->count[1] == 0 && e->count[2] == 12);
        CHECK(e->sum[0] == 22 && e->sum[1] == 58 && e->sum[2] == 0 && e->sum[4] == 30 && e->sum[5] == 18);
        sums_release(&s);
    }
    struct sums s = { .context = 2 };
    old.count = none;           /* weights as they are, which is what one call makes of them */
    CHECK(sums_merge(&s, &dat, &f) == 0 && s.entry->count[0] == 2 && s.entry->sum[0] == 12);
    old.ncolumns = 5;
    CHECK(sums_merge(&s, &gguf, &f) == 0 && sums_merge(&s, &dat, &f) != 0 && f.kind == FAIL_INPUT);
    sums_release(&s);
}

TEST(starved_experts_are_read_back)
{
    struct sums s = { .chunks = 3, .context = 4 };
    struct arena a = {0};
    struct fail f = {0};
    struct imatrix *x;
    struct starved *starved;
    size_t n;

    in_fresh_folder();
    experts(&s);
    sums_entry(&s, "blk.10.attn_q.weight", 1, 3)->count[0] = 12;
    starved = sums_starved(&s, 4, &a, &n);
    CHECK(sums_write(&s, path, starved, n, 4, &f) == 0);
    x = imatrix_open(path, &f);
    CHECK(x != NULL);
    CHECK_U64(x->entry[0].nstarved, 0);
    CHECK_U64(x->entry[1].nstarved, 2);
    imatrix_close(x);
    sums_release(&s);
    arena_release(&a);
    leave_folder();
}

TEST(sums_that_are_not_finite_are_refused)
{
    struct sums s = {0};
    struct fail f = {0};

    experts(&s)->sum[3] = 1e39;
    CHECK(sums_check(&s, &f) != 0);
    CHECK_STR(f.text, "the inputs of tensor 'blk.3.ffn_up_exps.weight' are not finite, or too large, in column 1");
    sums_release(&s);
}

TEST(sums_figures_of_simple_columns)
{
    struct sums s = {0};
    struct sums_entry *e = sums_entry(&s, "blk.0.ffn_down.weight", 1, 4);
    struct sums_figures g;

    e->count[0] = 2;
    for (size_t i = 0; i < 4; i++)
        e->sum[i] = 6;
    g = sums_figures(&s, e);
    CHECK(near(g.sum, 12) && g.min == 3 && g.max == 3 && g.mean == 3 && g.deviation == 0 && near(g.entropy, 2) && g.active == 1);
    CHECK(g.outliers == 0 && g.similarity == 0 && g.columns == 4);
    e = sums_entry(&s, "blk.1.ffn_down.weight", 1, 4);
    e->count[0] = 1;
    e->sum[0] = 8;
    g = sums_figures(&s, e);
    CHECK(near(g.mean, 2) && near(g.deviation, sqrt(12)) && g.entropy == 0 && g.active == 0.25 && g.outliers == 0.25);
    CHECK(near(g.similarity, 0.5));
    e->count[0] = 0;
    g = sums_figures(&s, e);
    CHECK(g.columns == 0 && g.min == 0 && g.sum == 0 && g.entropy == 0);
    sums_release(&s);
}

/* What llama-imatrix of October 2026 counted of a model of the llama family, with its default batches. */
TEST(tokens_are_counted_as_llama_imatrix_counts_them)
{
    static const struct { size_t context, n, total; } rows[] = {
        { 512, 2, 1024 },   { 512, 3, 1530 },   { 512, 4, 2048 },   { 512, 7, 3578 },   { 256, 6, 1530 },   { 256, 7, 1792 },
        { 513, 6, 3060 },   { 514, 3, 1530 },   { 515, 7, 3572 },   { 520, 4, 2072 },   { 1025, 3, 3072 },  { 2049, 3, 6144 },
        { 8, 257, 2048 },   { 16, 129, 2064 },  { 1, 4000, 4000 },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t total = 0;
        for (size_t k = 0; k < rows[i].n; k++)
            total += chunk_counted(rows[i].context, rows[i].n, k);
        if (total != rows[i].total)
            test_failed(__FILE__, __LINE__, "%zu chunks of %zu: %zu tokens, expected %zu", rows[i].n, rows[i].context, total,
                        rows[i].total);
    }
    CHECK(chunk_counted(512, 7, 3) == 512 && chunk_counted(512, 7, 4) == 510 && chunk_counted(512, 7, 6) == 510);
}

/* ---- the state of a run ---- */

static void write_bytes(const char *bytes, size_t n)
{
    FILE *to = fopen(path, "w");

    fwrite(bytes, 1, n, to);
    fclose(to);
}

TEST(sums_state_and_back)
{
    struct sums s = { .chunks = 3, .context = 4 }, back = {0};
    struct fail f = {0};
    struct arena a = {0};
    size_t nbytes;
    char *bytes;

    in_fresh_folder();
    CHECK(sums_resume(&back, path, "abc", &f) == 0 && back.n == 0);         /* no file */
    experts(&s)->sum[0] = 1 / 3.;
    CHECK(sums_save(&s, path, "abc", &f) == 0);
    CHECK(sums_resume(&back, path, "abd", &f) == 0 && back.n == 0 && back.chunks == 0);
    CHECK(sums_resume(&back, path, "abc", &f) == 0);
    CHECK(back.n == 1 && back.chunks == 3 && back.entry[0].sum[0] == 1 / 3. && back.entry[0].count[1] == 1);
    sums_release(&back);
    bytes = file_read_text(path, 1 << 20, &a, &nbytes, &f);
    for (size_t n = 0; n < nbytes - 8; n += 3) {        /* the last 8 bytes are padding */
        write_bytes(bytes, n);
        f = (struct fail){0};
        CHECK(sums_resume(&back, path, "abc", &f) != 0 && f.kind == FAIL_USAGE);
        sums_release(&back);
    }
    arena_release(&a);
    sums_release(&s);
    leave_folder();
}

/* ---- runs ---- */

enum { CONTEXT = 20, TEXT = 18000, PER_ROUND = 8192 / CONTEXT };

struct run {
    struct model *model;
    struct vocab *vocab;
    struct arena arena;
    char text[TEXT];
    struct collect_options options;
    struct sums sums;
    uint64_t resumed, done, total;
    uint64_t break_at;          /* tokens times layers after which a weight is spoilt; 0: never */
    struct fail fail;
};

static void note_progress(void *ctx, const char *what, uint64_t done, uint64_t total)
{
    struct run *r = ctx;

    (void)what;
    r->done = done;
    r->total = total;
    if (r->break_at && done >= r->break_at)
        *(float *)tiny_data(r->model, "blk.1.ffn_down.weight") = NAN;
}

static void run_open(struct run *r)
{
    struct tiny shape = TINY;
    int32_t *ids = tiny_tokens(TEXT, 26, 2);

    shape.vocabulary = TINY_PIECES;
    *r = (struct run){ .options = { .context = CONTEXT, .progress = note_progress, .ctx = r } };
    r->model = tiny_model(&shape);
    r->vocab = tiny_vocab(&r->arena, &r->fail);
    for (size_t i = 0; i < TEXT; i++)
        r->text[i] = (char)('a' + ids[i]);
    free(ids);
}

static int run(struct run *r)
{
    sums_release(&r->sums);
    r->fail = (struct fail){0};
    return collect(r->model, r->vocab, r->text, TEXT, &r->options, &r->sums, &r->resumed, &r->fail);
}

static void run_close(struct run *r)
{
    sums_release(&r->sums);
    model_close(r->model);
    arena_release(&r->arena);
}

static bool same_sums(const struct sums *a, const struct sums *b)
{
    bool same = a->n == b->n && a->chunks == b->chunks;

    for (size_t i = 0; same && i < a->n; i++) {
        const struct sums_entry *e = &a->entry[i], *o = &b->entry[name_index_find(&b->names, e->name)];
        same = e->columns == o->columns && e->count[0] == o->count[0] &&
               memcmp(e->sum, o->sum, e->columns * sizeof *e->sum) == 0;
    }
    return same;
}

/* The embeddings of all tokens, normed, are what the first layer's q, k and v are multiplied with. */
TEST(collect_counts_every_token_of_every_chunk)
{
    struct run r;
    double want[32] = {0};

    run_open(&r);
    r.options.chunks = 30;
    r.options.process_output = true;
    CHECK(run(&r) == 0);
    CHECK_U64(r.sums.n, 2 * 7 + 1);
    CHECK_U64(r.sums.chunks, 30);
    CHECK_U64(r.sums.context, CONTEXT);
    CHECK(r.done == 30 * CONTEXT * 2 && r.total == r.done && r.resumed == 0);
    for (size_t i = 0; i < r.sums.n; i++)
        CHECK_U64(r.sums.entry[i].count[0], 30 * CONTEXT);
    CHECK_STR(r.sums.entry[14].name, "output.weight");
    const float *embedding = tiny_data(r.model, "token_embd.weight"), *gain = tiny_data(r.model, "blk.0.attn_norm.weight");
    double eps = meta_f64(&r.model->meta, "llama.attention.layer_norm_rms_epsilon", 0);
    for (size_t t = 0; t < 30 * CONTEXT; t++) {
        /* BOS, the three bytes of U+2581 that SentencePiece puts in front of a text, the text */
        static const unsigned char front[3] = { 0xe2, 0x96, 0x81 };
        size_t id = t % CONTEXT == 0 ? 1 : TINY_BYTES_AT + (t <= 3 ? front[t - 1] : (unsigned char)r.text[t - 4]);
        const float *x = embedding + id * 32;
        double square = 0;
        for (size_t i = 0; i < 32; i++)
            square += (double)x[i] * (double)x[i];
        for (size_t i = 0; i < 32; i++)
            want[i] += (double)x[i] * (double)x[i] / (square / 32 + eps) * (double)gain[i] * (double)gain[i];
    }
    for (size_t i = 0; i < 32; i++)
        if (!(fabs(r.sums.entry[0].sum[i] - want[i]) < 1e-5 * want[i]))
            test_failed(__FILE__, __LINE__, "column %zu: %g, expected %g", i, r.sums.entry[0].sum[i], want[i]);
    run_close(&r);
}

TEST(collect_does_not_depend_on_threads)
{
    struct run a, b;

    run_open(&a);
    run_open(&b);
    a.options.chunks = b.options.chunks = 110;
    CHECK(run(&a) == 0);
    for (int n = 1; n < 6; n += 2) {
        omp_set_num_threads(n);
        int bad = run(&b);
        omp_set_num_threads(omp_get_num_procs());
        CHECK(bad == 0 && same_sums(&a.sums, &b.sums));
    }
    run_close(&a);
    run_close(&b);
}

TEST(collect_goes_on_where_a_run_stopped)
{
    struct run a, b;
    float whole;

    in_fresh_folder();
    run_open(&a);
    run_open(&b);
    CHECK(run(&a) == 0);
    b.options.state = path;
    b.break_at = 3 * PER_ROUND * CONTEXT;       /* in the second round; a round passes two layers */
    whole = *(float *)tiny_data(b.model, "blk.1.ffn_down.weight");
    CHECK(run(&b) != 0);
    CHECK(strstr(b.fail.text, "the hidden state behind layer 1"));
    *(float *)tiny_data(b.model, "blk.1.ffn_down.weight") = whole;
    b.break_at = 0;
    CHECK(run(&b) == 0);
    CHECK_U64(b.resumed, PER_ROUND);
    CHECK(same_sums(&a.sums, &b.sums));
    b.options.chunks = 2;                       /* another command has another state */
    CHECK(run(&b) == 0 && b.resumed == 0 && b.sums.chunks == 2);
    run_close(&a);
    run_close(&b);
    leave_folder();
}

TEST(collect_until_all_have_enough)
{
    struct run r;

    run_open(&r);
    r.options.least = 9000;
    CHECK(run(&r) == 0);
    CHECK_U64(r.sums.chunks, 2 * PER_ROUND);
    CHECK(sums_least(&r.sums) >= 9000);
    r.options.chunks = 500;                     /* at least */
    r.options.least = 1;
    CHECK(run(&r) == 0);
    CHECK_U64(r.sums.chunks, 500);
    r.options.chunks = 10;
    r.options.least = 1000000;                  /* more than there is */
    CHECK(run(&r) == 0);
    CHECK_U64(r.sums.chunks, (TEXT + 4) / CONTEXT);
    run_close(&r);
}

TEST(collect_refuses_short_texts_and_spoilt_weights)
{
    struct run r;

    run_open(&r);
    r.options.context = TEXT;
    CHECK(run(&r) != 0 && r.fail.kind == FAIL_INPUT && strstr(r.fail.text, "the text is too short"));
    r.options.context = CONTEXT;
    r.options.chunks = 5;
    *(float *)tiny_data(r.model, "blk.0.attn_v.weight") = INFINITY;
    CHECK(run(&r) != 0 && r.fail.kind == FAIL_INPUT && strstr(r.fail.text, "finite"));
    run_close(&r);
}
