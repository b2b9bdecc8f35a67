/* questions.c - directories as MMLU has them, JSONL, and everything in tests/bad/choices. */
#include "verify/questions.h"

#include "formats/file.h"
#include "tests/unit/formats.h"
#include "tests/unit/test.h"

static struct arena a;
static struct fail f;

static int read(struct questions *q, const char *path)
{
    f = (struct fail){0};
    return questions_read(q, path, &a, &f);
}

TEST(questions_of_a_directory)
{
    struct questions q;

    CHECK(read(&q, golden_path(&a, "choices/data")) == 0);
    CHECK_U64(q.list.n, 7);
    CHECK_U64(q.nsubjects, 2);
    CHECK_STR(q.subject[0].name, "kitchen_gardens");
    CHECK_STR(q.subject[1].name, "small_numbers");
    CHECK_U64(q.subject[0].shots.n, 2);
    CHECK_U64(q.subject[1].shots.n, 1);
    CHECK_U64(q.subject[0].n, 5);
    CHECK_STR(q.list.item[1].text, "What does \"to mulch\" mean, in a garden?");
    CHECK_STR(q.list.item[1].choice[3], "to dig\ntwice");
    CHECK_U64(q.list.item[2].line, 4);
    CHECK_U64(q.list.item[5].nchoices, 3);
    CHECK_U64(q.list.item[6].answer, 1);
    CHECK_STR(q.subject[0].shots.item[1].choice[2], "thyme");
    arena_release(&a);
}

/* test/ itself and one file of it find the same shots; val/ is asked when it is what was named. */
TEST(questions_of_parts_of_a_directory)
{
    struct questions q;

    CHECK(read(&q, golden_path(&a, "choices/data/test")) == 0);
    CHECK(q.list.n == 7 && q.subject[0].shots.n == 2 && q.subject[1].shots.n == 1);
    CHECK(read(&q, golden_path(&a, "choices/data/test/kitchen_gardens_test.csv")) == 0);
    CHECK(q.list.n == 5 && q.nsubjects == 1 && q.subject[0].shots.n == 2);
    CHECK(read(&q, golden_path(&a, "choices/data/val")) == 0);
    CHECK(q.list.n == 1 && q.subject[0].shots.n == 2);
    CHECK(read(&q, golden_path(&a, "choices/data/dev")) == 0);
    CHECK(q.list.n == 3 && q.nsubjects == 2 && q.subject[0].shots.n == 0);
    CHECK(read(&q, golden_path(&a, "choices")) == 0);
    CHECK_U64(q.list.n, 4);
    CHECK(read(&q, golden_path(&a, "hf")) != 0 && f.kind == FAIL_INPUT);
    CHECK_STR(f.text, "holds no .csv or .jsonl file of questions");
    CHECK(read(&q, golden_path(&a, "choices/none.csv")) != 0 && f.kind == FAIL_INPUT);
    arena_release(&a);
}

TEST(questions_of_jsonl)
{
    struct questions q;

    CHECK(read(&q, golden_path(&a, "choices/mixed.jsonl")) == 0);
    CHECK_U64(q.list.n, 4);
    CHECK_U64(q.nsubjects, 3);
    CHECK_STR(q.subject[1].name, "letters_of_the_alphabet");
    CHECK_STR(q.subject[2].name, "mixed");
    CHECK(q.list.item[0].subject == 0 && q.list.item[2].subject == 0 && q.list.item[2].answer == 0 && q.list.item[3].answer == 1);
    CHECK_STR(q.list.item[1].text, "What is «ß» called?");
    CHECK_U64(q.list.item[2].line, 4);
    arena_release(&a);
}

TEST(questions_refuse_what_is_bad)
{
    const char **name, *dir = bad_path(&a, "choices");
    size_t n, tried = 0;

    f = (struct fail){0};
    CHECK(path_list(dir, ".txt", &a, &name, &n, &f) == 0);
    for (size_t i = 0; i < n; i++) {
        char *sentence = path_join(&a, dir, name[i]);
        size_t length;
        struct fail none = {0};
        char *want = file_read_text(sentence, 1000, &a, &length, &none);
        struct questions q;
        CHECK(want && length > 1);
        want[length - 1] = '\0';
        sentence[strlen(sentence) - strlen(".txt")] = '\0';
        CHECK(read(&q, sentence) == -1);
        CHECK_STR(f.text, want);
        CHECK_STR(f.where, sentence);
        CHECK_U64(f.kind, FAIL_INPUT);
        tried++;
    }
    CHECK(tried >= 26);
    arena_release(&a);
}

TEST(answers_are_letters_or_numbers)
{
    struct questions q;

    CHECK(read(&q, golden_path(&a, "choices/answers/answers.jsonl")) == 0);
    CHECK(q.list.n == 3 && q.list.item[0].answer == 1 && q.list.item[1].answer == 2 && q.list.item[2].answer == 1);
    arena_release(&a);
}
