/* texts.c - what is read as which kind, how categories are cut, and that the cut changes no figure it should not. */
#include "verify/texts.h"

#include "formats/file.h"
#include "tests/unit/formats.h"
#include "tests/unit/test.h"
#include "tests/unit/tiny.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

static struct arena a;
static struct fail f;

static const char *write_text(const char *suffix, const char *text)
{
    char *path = arena_printf(&a, "/tmp/bantam-text-XXXXXX%s", suffix);
    int fd = mkstemps(path, (int)strlen(suffix));

    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || close(fd) != 0)
        test_failed(__FILE__, __LINE__, "'%s' could not be written", path);
    return path;
}

static int read_as(struct texts *t, const char *suffix, const char *text)
{
    const char *path = write_text(suffix, text);
    int bad;

    f = (struct fail){0};
    bad = texts_read(t, path, &a, &f);
    unlink(path);
    return bad;
}

TEST(texts_are_plain_or_jsonl)
{
    struct texts t;

    CHECK(read_as(&t, "", "plain {\"text\": 1}\n") == 0 && t.plain && t.n == 1);
    CHECK(read_as(&t, "", "{ int x; }\n{\"text\":\"a\"}\n") == 0 && t.plain);
    CHECK(read_as(&t, "", "{\"x\":\"a\"}\n") == 0 && t.plain);
    CHECK(read_as(&t, "", "") == 0 && t.plain);
    CHECK(read_as(&t, "", "{\"text\":\"a\"}") == 0 && !t.plain && t.n == 1 && t.part[0].nbytes == 1);
    CHECK(read_as(&t, ".jsonl", "{\"text\":\"a\",\"category\":\"x\"}\n{\"text\":\"b\"}\n\n{\"category\":\"x\",\"text\":\"c\\n\"}\n") == 0 && t.n == 2);
    CHECK_STR(t.part[0].category, "x");
    CHECK(t.part[0].nbytes == 5 && memcmp(t.part[0].text, "a\n\nc\n", 5) == 0);
    CHECK_STR(t.part[1].category, "");
    CHECK(texts_read(&t, NULL, &a, &f) == 0 && t.builtin && t.n == 5);
    arena_release(&a);
}

TEST(texts_refuse_what_is_bad)
{
    const char **name, *dir = bad_path(&a, "texts");
    size_t n;

    f = (struct fail){0};
    CHECK(path_list(dir, ".txt", &a, &name, &n, &f) == 0 && n >= 6);
    for (size_t i = 0; i < n; i++) {
        char *path = path_join(&a, dir, name[i]);
        size_t length;
        char *want = file_read_text(path, 1000, &a, &length, &f);
        struct fail refused = {0};
        struct texts t;
        CHECK(want && length > 1);
        want[length - 1] = '\0';
        path[strlen(path) - strlen(".txt")] = '\0';
        CHECK(texts_read(&t, path, &a, &refused) == -1 && refused.kind == FAIL_INPUT);
        CHECK_STR(refused.text, want);
    }
    arena_release(&a);
}

/* A token is a byte here: BOS, and a space in front that is three. */
TEST(texts_are_cut_by_category)
{
    struct texts t;
    struct score_input in;
    struct groups g;
    struct vocab *v = tiny_vocab(&a, &f);
    struct score_options o = { .context = 20 };

    CHECK(read_as(&t, ".jsonl", "{\"text\":\"abcdefghijklmnopqrstuvwxyzabcdefghi\",\"category\":\"x\"}\n"     /* 4 + 35: a chunk and 19 */
                             "{\"text\":\"abc\",\"category\":\"short\"}\n"
                             "{\"text\":\"abcdefghijklmnop\",\"category\":\"y\"}\n") == 0);                /* 4 + 16 */
    CHECK(texts_input(&in, &g, &t, v, &o, &a, &f) == 0);
    CHECK_U64(in.nchunks, 3);
    CHECK_U64(in.context, 20);
    CHECK_U64(g.n, 3);
    CHECK(g.item[0].n == 9 + 9 && g.item[1].n == 0 && g.item[2].n == 9 && in.n == 27);
    CHECK(in.at[0] == 10 && in.at[8] == 18 && in.at[9] == 20 + 9 && in.at[17] == 20 + 17 && in.at[18] == 50);
    for (size_t i = 0; i < in.n; i++)
        CHECK(in.next[i] == in.token[in.at[i] + 1]);
    CHECK(in.token[0] == 1 && in.token[20] == 1 && in.token[40] == 1 && in.token[39] == in.token[38]);
    o.chunks = 2;
    CHECK(texts_input(&in, &g, &t, v, &o, &a, &f) == 0 && in.nchunks == 2 && g.item[0].n == 9 && g.item[2].n == 9);
    o = (struct score_options){ .context = 1000 };
    CHECK(texts_input(&in, &g, &t, v, &o, &a, &f) == 0 && in.context == 39 && in.nchunks == 2);
    o.context = 2;
    CHECK(texts_input(&in, &g, &t, v, &o, &a, &f) == -1 && f.kind == FAIL_USAGE);
    CHECK(read_as(&t, ".jsonl", "{\"text\":\"abc\"}\n{\"text\":\"\",\"category\":\"y\"}") == 0);
    o.context = 20;
    CHECK(texts_input(&in, &g, &t, v, &o, &a, &f) == -1 && f.kind == FAIL_INPUT);
    arena_release(&a);
}

/* Padding behind a shorter chunk: what is said before it stays what a chunk of that length says. */
TEST(texts_padding_changes_no_loss)
{
    enum { LENGTH = 1 + 3 + 14 + 3 * 3 };        /* BOS, a blank in front, letters, blanks of three bytes */
    struct tiny shape = TINY;
    struct texts t;
    struct score_input in;
    struct groups g;
    struct score s;
    struct vocab *v = tiny_vocab(&a, &f);
    struct model *m;
    size_t width;

    shape.vocabulary = TINY_PIECES;
    m = tiny_model(&shape);
    CHECK(read_as(&t, ".jsonl", "{\"text\":\"a longer text for the first chunk\",\"category\":\"x\"}\n{\"text\":\"and a shorter one\",\"category\":\"y\"}\n") == 0);
    CHECK(texts_input(&in, &g, &t, v, &(struct score_options){0}, &a, &f) == 0 && in.nchunks == 2 && in.context > LENGTH);
    CHECK(score_run(&(struct score_models){ .original = m }, &in, &(struct score_options){0}, &a, &s, &f) == 0);
    const int32_t *ids = in.token + in.context;
    const float *x = score_logits(m, ids, LENGTH, &a, &width, &f);
    for (size_t i = 0; i < g.item[1].n; i++) {
        size_t at = in.at[g.item[1].which[i]] - in.context;
        double sum = 0, loss = s.token[g.item[1].which[i]].loss;
        for (size_t k = 0; k < width; k++)
            sum += exp((double)x[at * width + k]);
        CHECK(fabs(loss - (log(sum) - (double)x[at * width + (size_t)ids[at + 1]])) < 1e-5);
    }
    CHECK_U64(g.item[1].n, 13);
    model_close(m);
    arena_release(&a);
}

TEST(groups_by_confidence_take_every_token_once)
{
    const struct token_said said[5] = { { .top = 0.95 }, { .top = 0.2 }, { .top = 0.9 }, { .top = 0.5 }, { .top = 0.4999 } };
    struct groups g = groups_by_confidence(said, 5, &a);

    CHECK(g.n == 3 && g.item[0].n == 2 && g.item[1].n == 1 && g.item[2].n == 2);
    CHECK(g.item[0].which[1] == 2 && g.item[1].which[0] == 3 && g.item[2].which[0] == 1 && g.item[2].which[1] == 4);
    arena_release(&a);
}
