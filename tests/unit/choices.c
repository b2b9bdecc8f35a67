/* choices.c - prompts letter by letter, log-likelihoods against logits of single sequences, counting. */
#include "verify/choices.h"

#include "tests/unit/formats.h"
#include "tests/unit/test.h"
#include "tests/unit/tiny.h"
#include "verify/prompts.h"
#include "verify/score.h"

#include <math.h>

struct room {
    struct arena arena;
    struct fail fail;
    struct questions questions;
    struct vocab *vocab;
    struct model *model[2];
};

static void room_open(struct room *r, const char *file, uint32_t context)
{
    struct tiny shape = TINY;

    *r = (struct room){0};
    shape.vocabulary = TINY_PIECES;
    shape.ff = 64;
    r->model[0] = tiny_model(&shape);
    shape.seed = 7;
    r->model[1] = tiny_model(&shape);
    meta_set_u32(&r->model[0]->meta, &r->model[0]->arena, "llama.context_length", context);
    r->vocab = tiny_vocab(&r->arena, &r->fail);
    questions_read(&r->questions, golden_path(&r->arena, file), &r->arena, &r->fail);
}

static void room_close(struct room *r)
{
    model_close(r->model[0]);
    model_close(r->model[1]);
    arena_release(&r->arena);
}

TEST(prompt_has_the_published_layout)
{
    struct room r;
    size_t n;

    room_open(&r, "choices/data", 4096);
    CHECK_U64(r.questions.list.n, 7);
    CHECK_STR(prompt_text(&r.questions, &r.questions.list.item[6], 1, &r.arena, &n),
              "The following are multiple choice questions (with answers) about small numbers.\n\n"
              "What is 1 plus 1?\nA. 2\nB. 3\nC. 4\nAnswer: A\n\n"
              "What is 2, plus 3?\nA. 4\nB. 5\nC. 6\nAnswer:");
    CHECK_STR(prompt_text(&r.questions, &r.questions.list.item[5], 0, &r.arena, &n),
              "The following are multiple choice questions (with answers) about small numbers.\n\n"
              "Is seven a prime number?\nA. yes\nB. no\nC. sometimes\nAnswer:");
    CHECK_U64(n, 81 + 58);
    room_close(&r);
}

static int32_t *encode(struct room *r, const char *text, size_t *n)
{
    struct tokenizer *t = tokenizer_open(r->vocab, &r->fail);
    int32_t *ids = tokenizer_encode(t, text, strlen(text), (struct token_options){ .add_special = true }, &r->arena, n, &r->fail);

    tokenizer_close(t);
    return ids;
}

/* The sum of log-probabilities of the tokens of `more` behind `prompt`, each sequence on its own. */
static double loglik(struct room *r, struct model *m, const char *prompt, const char *more)
{
    size_t skip, n, width;
    double sum = 0;

    encode(r, prompt, &skip);
    int32_t *ids = encode(r, arena_printf(&r->arena, "%s%s", prompt, more), &n);
    const float *x = score_logits(m, ids, n, &r->arena, &width, &r->fail);
    for (size_t i = skip; i < n; i++) {
        double all = 0;
        for (size_t k = 0; k < width; k++)
            all += exp((double)x[(i - 1) * width + k]);
        sum += (double)x[(i - 1) * width + (size_t)ids[i]] - log(all);
    }
    return sum;
}

static void check_logliks(const char *file, size_t shots)
{
    struct room r;
    struct choices c;
    struct choices_options o = { .shots = shots, .has_shots = true };

    room_open(&r, file, 4096);
    CHECK(choices_plan(&c, &r.questions, r.model, 2, r.vocab, &o, &r.arena, &r.fail) == 0);
    CHECK(choices_run(&c, &o, &r.arena, &r.fail) == 0);
    choices_close(&c, false);
    CHECK_U64(c.asked, r.questions.list.n);
    for (size_t i = 0; i < c.n; i++)
        for (size_t m = 0; m < 2; m++) {
            const struct question *q = &r.questions.list.item[i];
            double best[RULES] = { -INFINITY, -INFINITY };
            size_t n, pick[RULES] = {0};
            char *prompt = prompt_text(&r.questions, q, shots, &r.arena, &n);
            for (size_t k = 0; k < q->nchoices; k++) {
                const char *more[RULES] = { arena_printf(&r.arena, " %c", (int)('A' + k)), arena_printf(&r.arena, " %s", q->choice[k]) };
                for (size_t rule = 0; rule < RULES; rule++) {
                    double want = loglik(&r, r.model[m], prompt, more[rule]), got = c.said[m][rule].loglik[c.first[i] + k];
                    size_t nbytes = rule == RULE_OPTION ? strlen(q->choice[k]) : 1;
                    if (!(fabs(got - want) < 1e-5 + 1e-6 * fabs(want)))
                        test_failed(__FILE__, __LINE__, "question %zu, option %zu: %.9g, expected %.9g", i, k, got, want);
                    want /= (double)(nbytes ? nbytes : 1);
                    pick[rule] = want > best[rule] ? k : pick[rule];
                    best[rule] = want > best[rule] ? want : best[rule];
                }
            }
            CHECK(c.said[m][RULE_LETTER].pick[i] == pick[RULE_LETTER] && c.said[m][RULE_OPTION].pick[i] == pick[RULE_OPTION]);
        }
    room_close(&r);
}

TEST(choices_log_likelihoods_are_those_of_single_sequences)
{
    check_logliks("choices/data", 1);
    check_logliks("choices/mixed.jsonl", 0);
}

/* The arrangement of a question's sequences: letters of two tokens share one, options have one each. */
TEST(prompt_shares_sequences)
{
    struct room r;
    struct prompt p;
    struct tokenizer *t;
    size_t n;

    room_open(&r, "choices/data", 4096);
    CHECK((t = tokenizer_open(r.vocab, &r.fail)));
    CHECK(prompt_build(&p, t, r.vocab, &r.questions, &r.questions.list.item[5], 0, &r.arena, &r.fail) == 0);
    CHECK_U64(p.nsequences, 3);
    CHECK(p.span[0].sequence == p.span[1].sequence && p.span[0].n == 4 && p.span[0].at == p.span[4].at);
    encode(&r, arena_printf(&r.arena, "%s sometimes", prompt_text(&r.questions, &r.questions.list.item[5], 0, &r.arena, &n)), &n);
    CHECK_U64(p.longest, n - 1);
    tokenizer_close(t);
    room_close(&r);
}

TEST(choices_drop_worked_examples_that_do_not_fit)
{
    struct room r;
    struct choices c;
    struct choices_options o = {0};

    room_open(&r, "choices/data", 372);
    CHECK(choices_plan(&c, &r.questions, r.model, 1, r.vocab, &o, &r.arena, &r.fail) == 0);
    CHECK_U64(c.most_shots, SHOTS_DEFAULT);
    CHECK_U64(c.context, 372);
    CHECK(c.shots[0] == 1 && c.shots[1] == 0 && c.shots[5] == 1 && c.asked == 7);
    room_close(&r);
    room_open(&r, "choices/data", 300);
    CHECK(choices_plan(&c, &r.questions, r.model, 1, r.vocab, &o, &r.arena, &r.fail) == 0);
    CHECK(c.asked == 6 && c.left_out[1] && !c.left_out[0]);
    CHECK(choices_accuracy(&c, 0, RULE_LETTER, ALL_SUBJECTS).n == 6 && choices_accuracy(&c, 0, RULE_LETTER, 0).n == 4);
    room_close(&r);
    room_open(&r, "choices/data", 50);
    CHECK(choices_plan(&c, &r.questions, r.model, 1, r.vocab, &o, &r.arena, &r.fail) == -1);
    CHECK_STR(r.fail.text, "no question fits into the 50 tokens that the model can take");
    room_close(&r);
    room_open(&r, "choices/data", 4096);
    o = (struct choices_options){ .shots = 2, .has_shots = true };
    CHECK(choices_plan(&c, &r.questions, r.model, 1, r.vocab, &o, &r.arena, &r.fail) == -1);
    CHECK_STR(r.fail.text, "subject 'small_numbers' has 1 worked examples, where 2 are wanted before each question");
    room_close(&r);
}

/* ---- counting ---- */

static bool near(double a, double b)
{
    return fabs(a - b) < 5e-5;
}

/* R: binom::binom.confint(method = "wilson"). */
TEST(shares_have_wilson_intervals)
{
    struct share s = share_of(8, 10);

    CHECK(s.value == 0.8 && near(s.low, 0.4902) && near(s.high, 0.9433));
    s = share_of(0, 20);
    CHECK(s.low == 0 && near(s.high, 0.1611));
    s = share_of(20, 20);
    CHECK(s.high == 1 && near(s.low, 0.8389));
    s = share_of(0, 0);
    CHECK(s.value == 0 && s.low == 0 && s.high == 1);
}

TEST(flips_are_counted_by_what_they_did)
{
    static uint8_t before[5] = { 0, 1, 2, 3, 0 }, now[5] = { 0, 0, 1, 2, 3 };
    struct question q[5] = { { .answer = 0 }, { .answer = 1 }, { .answer = 1 }, { .answer = 0, .subject = 1 }, { .answer = 0 } };
    struct picks said[2][RULES] = { [0][RULE_LETTER].pick = before, [1][RULE_LETTER].pick = now };
    struct questions list = { .list = { q, 5, 5 } };
    struct choices c = { .questions = &list, .n = 5, .said = said, .left_out = (bool[5]){ [4] = true } };
    struct flips flips = choices_flips(&c, 1, RULE_LETTER);

    CHECK(flips.lost == 1 && flips.won == 1 && flips.other == 1);
    CHECK(choices_agreement(&c, 1, 0, RULE_LETTER, ALL_SUBJECTS).count == 1);
    CHECK(choices_agreement(&c, 1, 0, RULE_LETTER, 1).n == 1);
    CHECK(choices_accuracy(&c, 0, RULE_LETTER, ALL_SUBJECTS).count == 2);
}
