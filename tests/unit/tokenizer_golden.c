/* tokenizer_golden.c - the small tokenizers of tests/golden/tokenizer: ids, keys, recognition, round trips. */
#include "formats/file.h"
#include "tests/unit/test.h"
#include "tests/unit/tokenizer_cases.h"
#include "tokenizer/rules.h"

#include <stdlib.h>

#define GOLDEN "tests/golden/tokenizer/"

/* What GGUF makes of the tokenizer. */
enum fate {
    CARRIED,            /* the same ids */
    CARRIED_MOSTLY,     /* the built-in text cannot tell; the texts of cases.json can */
    REFUSED,            /* the built-in text comes out differently */
};

static bool is_as_expected(const struct vocab *v, const struct vocab_summary *s, const char *model, const char *pre)
{
    return strcmp(meta_str(&v->meta, "tokenizer.ggml.model", ""), model) == 0 && strcmp(v->pre, pre) == 0 && s->model
           && strcmp(s->model, model) == 0 && s->pre && strcmp(s->pre, pre) == 0;
}

static void check_golden(const char *name, const char *model, const char *pre, enum fate fate)
{
    struct arena a = {0};
    struct fail f = {0};
    const char *dir = arena_printf(&a, GOLDEN "%s", name);
    struct vocab *v = vocab_open_dir(dir, 0, NULL, &a, &f), *written = v ? vocab_open_meta(&v->meta, &a, &f) : NULL;
    cJSON *cases = json_read(path_join(&a, dir, "cases.json"), 1 << 24, &a, &f);
    struct vocab_summary summary = vocab_summary_dir(dir, &a);
    int bad = written && cases ? check_cases(name, v, cases, &a) : -1;

    if (!bad && fate == CARRIED)
        bad = check_cases(name, written, cases, &a);
    if (!bad)
        bad = (tokenizer_compare(v, written, &f) != 0) != (fate == REFUSED);
    if (bad || !is_as_expected(v, &summary, model, pre))
        test_failed(__FILE__, __LINE__, "%s as %s, %s (%s)", name, model, v ? v->pre : "", f.text);
    arena_release(&a);
}

TEST(tokenizer_golden_byte_level)
{
    check_golden("llama3-added", "gpt2", "chatglm-bpe", CARRIED_MOSTLY);    /* lstrip, rstrip, single_word have no key */
    check_golden("gpt2-nfc", "gpt2", "gpt-2", CARRIED_MOSTLY);              /* nor has NFC */
    check_golden("starcoder", "gpt2", "starcoder", CARRIED);
    check_golden("tekken", "gpt2", "tekken", CARRIED);
    check_golden("pair", "gpt2", "gpt-2", CARRIED);                         /* vocab.json and merges.txt */
}

TEST(tokenizer_golden_sentencepiece)
{
    check_golden("spm-bpe", "llama", "default", CARRIED);
    check_golden("spm-unigram", "t5", "default", CARRIED);
    check_golden("spm-user", "llama", "default", REFUSED);                  /* it takes out spaces in a row */
    check_golden("spm-chat", "llama", "default", CARRIED_MOSTLY);           /* "no space behind a user-defined piece" has no key */
    check_golden("llama2-json", "llama", "default", CARRIED);
    check_golden("metaspace-first", "llama", "default", CARRIED_MOSTLY);    /* "unless there is a space" has no key */
}

/* ---- round trips ---- */

static const char *const byte_level[] = { "llama3-added", "starcoder" };

/* Random bytes, most of them UTF-8 now and then. */
static size_t random_text(char *out, size_t most)
{
    static const char *const some[] = { "the hen", "\xe4\xb8\xad", " ", "\r\n", "\xf0\x9f\x90\x94", "cafe\xcc\x81", "1234", "  ", "'ll", "\xff" };
    size_t n = 0, target = (size_t)rand() % most;

    while (n + 8 < target) {
        const char *s = some[(size_t)rand() % 10];

        if (rand() % 3) {
            memcpy(out + n, s, strlen(s));
            n += strlen(s);
        } else {
            out[n++] = (char)(rand() % 256);
        }
    }
    return n;
}

TEST(tokenizer_byte_level_gives_any_bytes_back)
{
    for (size_t k = 0; k < 2; k++) {
        struct arena a = {0}, tmp = {0};
        struct fail f = {0};
        struct vocab *v = vocab_open_dir(arena_printf(&a, GOLDEN "%s", byte_level[k]), 0, NULL, &a, &f);
        struct tokenizer *t = v ? tokenizer_open(v, &f) : NULL;
        int wrong = t ? 0 : -1;

        srand(7);
        for (int i = 0; i < 400 && !wrong; i++) {
            char text[300];
            size_t n = random_text(text, sizeof text), nids, nback;
            int32_t *ids = tokenizer_encode(t, text, n, (struct token_options){ false, false }, &tmp, &nids, &f);
            char *back = ids ? tokenizer_decode(t, ids, nids, false, &tmp, &nback, &f) : NULL;

            wrong = !back || nback != n || memcmp(back, text, n) != 0;
            arena_reset(&tmp);
        }
        tokenizer_close(t);
        arena_release(&tmp);
        arena_release(&a);
        CHECK_STR(f.text, "");
        CHECK(!wrong);
    }
}

TEST(tokenizer_long_runs_are_not_quadratic)
{
    enum { N = 1 << 18 };           /* quadratic would be minutes */
    static const char *const names[] = { "llama3-added", "spm-bpe", "llama2-json", "spm-unigram" };
    char *text = malloc(N);

    CHECK(text);
    for (size_t k = 0; k < 4; k++)
        for (const char *c = "a 1\n!"; *c; c++) {
            struct arena a = {0};
            struct fail f = {0};
            struct vocab *v = vocab_open_dir(arena_printf(&a, GOLDEN "%s", names[k]), 0, NULL, &a, &f);
            struct tokenizer *t = v ? tokenizer_open(v, &f) : NULL;
            size_t n = 0, nback = 0;
            int32_t *ids;

            memset(text, *c, N);
            ids = t ? tokenizer_encode(t, text, N, (struct token_options){ false, false }, &a, &n, &f) : NULL;
            if (ids)
                tokenizer_decode(t, ids, n, false, &a, &nback, &f);
            if (k != 3 && nback != N)       /* that one drops the spaces at the ends */
                test_failed(__FILE__, __LINE__, "%s: %zu bytes back: %s", names[k], nback, f.text);
            tokenizer_close(t);
            arena_release(&a);
        }
    free(text);
}

/* ---- special tokens ---- */

TEST(tokenizer_special_tokens_are_text_unless_parsed)
{
    struct arena a = {0};
    struct fail f = {0};
    struct vocab *v = vocab_open_dir(GOLDEN "llama3-added", 0, NULL, &a, &f);
    struct tokenizer *t = v ? tokenizer_open(v, &f) : NULL;
    size_t plain = 0, parsed = 0, bytes = 0;
    int32_t *ids = NULL;

    if (t) {
        tokenizer_encode(t, "<|endoftext|>", 13, (struct token_options){ false, false }, &a, &plain, &f);
        ids = tokenizer_encode(t, "<|endoftext|>", 13, (struct token_options){ false, true }, &a, &parsed, &f);
        tokenizer_decode(t, ids, parsed, false, &a, &bytes, &f);
    }
    tokenizer_close(t);
    arena_release(&a);
    CHECK(plain > 1);
    CHECK_U64(parsed, 1);
    CHECK_U64(bytes, 0);        /* and it decodes to nothing unless asked for */
}

TEST(tokenizer_decode_refuses_ids_out_of_range)
{
    struct arena a = {0};
    struct fail f = {0};
    struct vocab *v = vocab_open_dir(GOLDEN "starcoder", 0, NULL, &a, &f);
    struct tokenizer *t = v ? tokenizer_open(v, &f) : NULL;
    size_t n;
    const char *text = t ? tokenizer_decode(t, (const int32_t[]){ 5, 400 }, 2, false, &a, &n, &f) : "";

    tokenizer_close(t);
    arena_release(&a);
    CHECK(!text);
    CHECK_STR(f.text, "token id 400 is out of range: the vocabulary has 400 pieces");
}

TEST(vocabulary_is_padded_to_the_rows)
{
    struct arena a = {0};
    struct fail f = {0};
    struct vocab *v = vocab_open_dir(GOLDEN "starcoder", 403, NULL, &a, &f);
    bool padded = v && v->n == 403 && strcmp(v->piece[402].s, "[PAD402]") == 0 && v->type[402] == PIECE_UNUSED;

    CHECK_STR(f.text, "");
    v = vocab_open_dir(GOLDEN "starcoder", 399, NULL, &a, &f);
    arena_release(&a);
    CHECK(padded && !v);
    CHECK_STR(f.text, "the tokenizer has a piece with id 399, but the model has only 399 embedding rows");
}
