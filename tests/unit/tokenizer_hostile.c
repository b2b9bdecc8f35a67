/* tokenizer_hostile.c - broken and malicious tokenizer files: refused with a sentence, never a crash. */
#include "formats/file.h"
#include "tests/unit/test.h"
#include "tests/unit/tokenizer_cases.h"
#include "tokenizer/rules.h"

#include <stdlib.h>

static const char *open_text(const char *name, const char *bytes, size_t n, struct fail *f)
{
    struct arena a = {0};
    const char *dir = temporary_dir(name, bytes, n);
    struct vocab *v = vocab_open_dir(dir, 0, NULL, &a, f);
    struct tokenizer *t = v ? tokenizer_open(v, f) : NULL;
    size_t nids;

    vocab_summary_dir(dir, &a);
    if (t)
        tokenizer_encode(t, "some \xc3\xa9 text\n", 13, (struct token_options){ true, true }, &a, &nids, f);
    tokenizer_close(t);
    arena_release(&a);
    temporary_remove();
    return v ? "opened" : f->text;
}

/* No prefix of a file may open; those of a SentencePiece model that end between two messages are whole models. */
static void cut(const char *path, const char *name, size_t step, bool whole_only)
{
    struct arena a = {0};
    struct fail f = {0};
    size_t n;
    char *text = file_read_text(path, 1 << 20, &a, &n, &f);

    CHECK(text);
    for (size_t i = 0; i < n; i += i < 600 || n - i < 300 ? 1 : step) {
        struct fail g = {0};
        bool opened = strcmp(open_text(name, text, i, &g), "opened") == 0;

        if ((opened && whole_only) || (!opened && !failed(&g)))
            test_failed(__FILE__, __LINE__, "%s cut at %zu of %zu: %s", path, i, n, opened ? "opened" : "no reason");
    }
    arena_release(&a);
}

TEST(tokenizer_files_cut_anywhere_do_not_crash)
{
    cut("tests/golden/tokenizer/starcoder/tokenizer.json", "tokenizer.json", 37, false);    /* a new line ends it */
    cut("tests/golden/tokenizer/llama2-json/tokenizer.json", "tokenizer.json", 101, false);
    cut("tests/golden/tokenizer/spm-user/tokenizer.model", "tokenizer.model", 53, false);
    cut("tests/golden/tokenizer/tekken/tekken.json", "tekken.json", 211, true);
    cut("tests/golden/tokenizer/spm-user/tokenizer.model", "tokenizer.model.v7m1", 431, false);
}

TEST(tokenizer_files_with_flipped_bytes_do_not_crash)
{
    static const char *const files[][2] = {
        { "tests/golden/tokenizer/llama3-added/tokenizer.json", "tokenizer.json" },
        { "tests/golden/tokenizer/spm-bpe/tokenizer.model", "tokenizer.model" },
        { "tests/golden/tokenizer/spm-unigram/tokenizer.model", "tokenizer.model" },
        { "tests/golden/tokenizer/tekken/tekken.json", "tekken.json" },
    };

    srand(11);
    for (size_t k = 0; k < 4; k++) {
        struct arena a = {0};
        struct fail f = {0};
        size_t n;
        char *text = file_read_text(files[k][0], 1 << 20, &a, &n, &f);

        CHECK(text);
        for (int i = 0; i < 300; i++) {
            size_t at = (size_t)rand() % (i % 2 ? n : 2000);
            char old = text[at];
            struct fail g = {0};

            text[at] = (char)(rand() % 256);
            open_text(files[k][1], text, n, &g);
            text[at] = old;
        }
        arena_release(&a);
    }
}

#define JSON(members) "{\"model\": {\"type\": \"BPE\", " members "}}"

TEST(tokenizer_json_is_refused_with_a_reason)
{
    static const struct {
        const char *json, *why;
    } list[] = {
        { "", "JSON is malformed at line 1, column 1" },
        { "[]", "this is not a tokenizer.json: an object with a 'model' was expected" },
        { "{\"model\": {\"type\": \"WordLevel\", \"vocab\": {}}}",
          "tokenizer.json holds a model of type 'WordLevel': only BPE, Unigram and WordPiece are supported" },
        { "{\"model\": {\"type\": \"WordPiece\", \"continuing_subword_prefix\": \"@@\", \"vocab\": {}}}",
          "tokenizer.json marks pieces inside a word by '@@', and GGUF knows only '##'" },
        { JSON("\"vocab\": {\"a\": 0, \"b\": 0}, \"merges\": []"), "pieces 'a' and 'b' have the same id 0" },
        { JSON("\"vocab\": {\"a\": 1e9}, \"merges\": []"), "piece 'a' has id 1e+09: no whole number below 10" },
        { JSON("\"vocab\": {\"a\": -1}, \"merges\": []"), "piece 'a' has id -1: no whole number below 9" },
        { JSON("\"vocab\": {\"a\": 0, \"b\": 1}, \"merges\": [\"a b\"]"),
          "merge 0 of 'a' and 'b' needs a piece that the vocabulary does not have" },
        { JSON("\"vocab\": {\"a\": 0}, \"merges\": [\"a\"]"), "merge 0 of tokenizer.json is no pair of pieces" },
        { JSON("\"vocab\": {\"\\ud800\": 0}, \"merges\": []"), "tokenizer.json's vocabulary is malformed" },
        { JSON("\"end_of_word_suffix\": \"</w>\", \"vocab\": {}, \"merges\": []"),
          "tokenizer.json marks the pieces of a word by 'end_of_word_suffix', which is not supported" },
        { "{\"pre_tokenizer\": {\"type\": \"UnicodeScripts\"}, \"model\": {\"type\": \"BPE\", \"vocab\": {}}}",
          "tokenizer.json's pre_tokenizer has a step of type 'UnicodeScripts', which is not supported" },
        { "{\"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"x\"}, \"behavior\": \"Often\"}, \"model\": {\"type\": \"BPE\","
          " \"vocab\": {}}}", "tokenizer.json splits with behavior 'Often', which is not known" },
    };

    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        struct fail f = {0};

        CHECK_STR(open_text("tokenizer.json", list[i].json, strlen(list[i].json), &f), list[i].why);
        CHECK(f.kind == FAIL_INPUT && f.where[0]);
    }
}

#define TEKKEN(sizes, rest) "{\"config\": {\"pattern\": \"x\", \"version\": \"v3\", " sizes "}, " rest "}"
#define SIZES "\"default_vocab_size\": 3, \"default_num_special_tokens\": 1"

TEST(tekken_json_is_refused_with_a_reason)
{
    static const struct {
        const char *json, *why;
    } list[] = {
        { "{\"vocab\": []}", "this is not a tekken.json: an object with 'config' and 'vocab' was expected" },
        { TEKKEN("\"default_vocab_size\": 3", "\"vocab\": []"),
          "tekken.json's config lacks 'default_vocab_size' or 'default_num_special_tokens'" },
        { TEKKEN("\"default_vocab_size\": 1e15, \"default_num_special_tokens\": 1", "\"vocab\": []"),
          "tekken.json says that it has 1000000000000000 tokens, 1 of them special, which cannot be" },
        { TEKKEN("\"default_vocab_size\": 1e15, \"default_num_special_tokens\": 1e15", "\"vocab\": []"),
          "tekken.json says that it has 1000000000000000 tokens, 1000000000000000 of them special, which cannot be" },
        { TEKKEN(SIZES, "\"vocab\": []"), "tekken.json's vocab has 0 tokens, but its config announces 2" },
        { TEKKEN(SIZES, "\"vocab\": [{\"rank\": 1, \"token_bytes\": \"YQ==\"}]"), "token 0 of tekken.json has rank 1: they must stand in order" },
        { TEKKEN(SIZES, "\"vocab\": [{\"rank\": 0, \"token_bytes\": \"?\"}]"), "token 0 of tekken.json has no usable 'token_bytes'" },
        { TEKKEN(SIZES, "\"vocab\": [{\"rank\": 0, \"token_bytes\": \"\"}]"), "token 0 of tekken.json has no usable 'token_bytes'" },
        { TEKKEN(SIZES, "\"vocab\": [{\"rank\": 0}]"), "token 0 of tekken.json has no usable 'token_bytes'" },
        { TEKKEN(SIZES, "\"vocab\": {\"a\": 0}"), "tekken.json's vocab is malformed at token 0" },
        { TEKKEN(SIZES, "\"vocab\": [{\"rank\": 0, \"token_bytes\": \"YQ==\"}, {\"rank\": 1, \"token_bytes\": \"YQ==\"}]"),
          "tokens 0 and 1 of tekken.json are the same bytes" },
        { TEKKEN(SIZES, "\"special_tokens\": [{\"rank\": 1, \"token_str\": \"<s>\"}], \"vocab\": []"),
          "special token '<s>' of tekken.json has rank 1, but there are 1" },
        { TEKKEN(SIZES, "\"special_tokens\": [{\"rank\": 0, \"token_str\": \"a\"}, {\"rank\": 0, \"token_str\": \"b\"}], \"vocab\": []"),
          "two special tokens of tekken.json have rank 0" },
        { TEKKEN(SIZES, "\"special_tokens\": [{\"rank\": 0}], \"vocab\": []"),
          "a special token of tekken.json has no 'token_str' or no 'rank'" },
    };

    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        struct fail f = {0};

        CHECK_STR(open_text("tekken.json", list[i].json, strlen(list[i].json), &f), list[i].why);
        CHECK(f.kind == FAIL_INPUT && f.where[0]);
    }
}

/* The regex is only compiled when text is to be split, so the name is given here. */
static const char *open_regex(const char *regex, struct fail *f)
{
    struct arena a = {0};
    char *json = arena_printf(&a, "{\"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Split\", \"pattern\": {\"Regex\": "
                              "\"%s\"}, \"behavior\": \"Isolated\"}, {\"type\": \"ByteLevel\", \"use_regex\": false, \"add_prefix_space\": "
                              "false}]}, \"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": []}}", regex);
    struct vocab *v = vocab_open_dir(temporary_dir("tokenizer.json", json, strlen(json)), 0, "gpt-2", &a, f);
    struct tokenizer *t = v ? tokenizer_open(v, f) : NULL;
    char text[4001];
    size_t n;

    memset(text, 'a', sizeof text);
    text[4000] = '!';
    if (t)
        tokenizer_encode(t, text, sizeof text, (struct token_options){ false, false }, &a, &n, f);
    tokenizer_close(t);
    arena_release(&a);
    temporary_remove();
    return f->text;
}

TEST(tokenizer_regexes_from_files_are_bounded)
{
    struct fail broken = {0}, slow = {0}, deep = {0}, set = {0};

    CHECK(strstr(open_regex("(a", &broken), "regex '(a' cannot be used: missing closing parenthesis"));
    CHECK(strstr(open_regex("(a+)+$", &slow), "gave up on the text"));
    CHECK(strstr(open_regex("[^a[^b]]", &deep), "has a negated class inside a class, which is not supported"));
    CHECK(strstr(open_regex("[a", &set), "has a class without an end, which is not supported"));
}

/* ---- what an unknown pre-tokenizer is told ---- */

TEST(unknown_pre_tokenizer_names_the_nearest_and_the_difference)
{
    static const struct step mine[] = {
        { .kind = STEP_SPLIT, .text = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,2}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
                                      "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+" },
        { .kind = STEP_BYTES }, { .kind = STEP_END } };
    struct vocab_rules r = { .split = mine, .ignore_merges = true };
    struct fail f = {0};

    CHECK(!pre_kind_of(&r, true, "llama", &f));
    CHECK_STR(f.text, "the pre-tokenizer is not known: the nearest is 'llama-bpe', but the regex of step 1 differs at character 62: "
              "'2}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+' where that has "
              "'3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+'");
    CHECK(strstr(f.hint, "--pre-tokenizer NAME"));
}

TEST(regex_translation_respells_what_differs)
{
    static const struct {
        const char *onig, *pcre;
    } list[] = {
        { "a{,3}b", "a{0,3}b" }, { "x{1,3}+", "(?:x{1,3})+" }, { "(?m:.)", "(?s:.)" }, { "\\u00e9", "\\x{00e9}" },
        { "[a[bc]]", "[abc]" }, { "[\\p{L}&&[^a]]+", "(?:(?=[^a])[\\p{L}])+" }, { "\\d", "[\\p{Nd}]" },
        { "[^\\s]", "[^\\t-\\r\\x85\\p{Z}]" }, { "[[:alpha:]x]", "[[:alpha:]x]" }, { "a{b}", "a{b}" },
    };
    struct arena a = {0};
    struct fail f = {0};

    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        const char *got = regex_translate(list[i].onig, &a, &f);

        if (!got || strcmp(got, list[i].pcre) != 0)
            test_failed(__FILE__, __LINE__, "'%s' became '%s', expected '%s'", list[i].onig, got ? got : f.text, list[i].pcre);
    }
    arena_release(&a);
}

/* ---- GGUF keys ---- */

TEST(vocabulary_keys_that_disagree_are_refused)
{
    struct arena a = {0};
    struct meta_string pieces[] = { { "a", 1 }, { "b", 1 } };
    float scores[] = { 0, -1 };
    struct meta m = {0};
    struct fail none = {0}, length = {0}, model = {0}, pre = {0};

    CHECK(!vocab_open_meta(&m, &a, &none));
    CHECK_STR(none.text, "key 'tokenizer.ggml.model' is missing: the file has no vocabulary");
    meta_set_str(&m, &a, "tokenizer.ggml.model", "llama");
    meta_set_array(&m, &a, "tokenizer.ggml.tokens", META_STRING, 2, pieces);
    meta_set_array(&m, &a, "tokenizer.ggml.scores", META_FLOAT32, 1, scores);
    CHECK(!vocab_open_meta(&m, &a, &length));
    CHECK_STR(length.text, "key 'tokenizer.ggml.scores' has 1 items, but there are 2 pieces");
    meta_set_str(&m, &a, "tokenizer.ggml.model", "rwkv");
    CHECK(!vocab_open_meta(&m, &a, &model));
    CHECK_STR(model.text, "tokenizer model 'rwkv' is not supported: only llama, gpt2, t5 and bert are");
    meta_remove(&m, "tokenizer.ggml.scores");
    meta_set_array(&m, &a, "tokenizer.ggml.merges", META_STRING, 1, pieces);
    meta_set_str(&m, &a, "tokenizer.ggml.model", "gpt2");
    meta_set_str(&m, &a, "tokenizer.ggml.pre", "nobody");
    CHECK(!vocab_open_meta(&m, &a, &pre));
    CHECK_STR(pre.text, "pre-tokenizer 'nobody' is not known");
    arena_release(&a);
}
