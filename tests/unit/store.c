/* store.c - names that leave their folder are refused; Ollama's names are taken apart as types/model/name.go does. */
#include "formats/store.h"

#include "formats/sha256.h"
#include "tests/unit/test.h"

TEST(store_names_stay_below_their_folder)
{
    static const char *const good[] = { "a", "a/b", "a.b/c-d", "a b" }, *const bad[] = { "", "/a", "a/", "a//b", "../a", "a/../b", ".a", "a\\b", "a\nb" };

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        CHECK(name_is_below(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(!name_is_below(bad[i]));
}

TEST(ollama_names_have_their_defaults)
{
    static const struct { const char *name, *host, *space, *model, *tag, *shown; } rows[] = {
        { "llama3.1", "registry.ollama.ai", "library", "llama3.1", "latest", "llama3.1:latest" },
        { "llama3.1:8b", "registry.ollama.ai", "library", "llama3.1", "8b", "llama3.1:8b" },
        { "me/own:q4_K_M", "registry.ollama.ai", "me", "own", "q4_K_M", "me/own:q4_K_M" },
        { "hf.co/org/repo:Q8_0", "hf.co", "org", "repo", "Q8_0", "hf.co/org/repo:Q8_0" },
        { "https://localhost:5000/a/b", "localhost:5000", "a", "b", "latest", "localhost:5000/a/b:latest" },
    };
    static const char *const bad[] = { "", ":", "a:", "a/b/c/d/e:f", "a..b/c", "-a", "a/b:c/d:", "../a", "a b" };
    struct arena a = {0};
    struct ollama_name o;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fail f = {0};

        CHECK(ollama_parse(rows[i].name, &a, &o, &f) == 0);
        CHECK_STR(o.host, rows[i].host);
        CHECK_STR(o.space, rows[i].space);
        CHECK_STR(o.model, rows[i].model);
        CHECK_STR(o.tag, rows[i].tag);
        CHECK_STR(ollama_short(&o, &a), rows[i].shown);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fail f = {0};

        CHECK(ollama_parse(bad[i], &a, &o, &f) == -1);
        CHECK(f.kind == FAIL_INPUT);
    }
    arena_release(&a);
}

TEST(ollama_digests_are_sha256_and_nothing_else)
{
    static const char hex[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    struct arena a = {0};

    CHECK_STR(ollama_blob("/m", arena_printf(&a, "sha256:%s", hex), &a), arena_printf(&a, "/m/blobs/sha256-%s", hex));
    CHECK_STR(ollama_blob("/m", arena_printf(&a, "sha256-%s", hex), &a), arena_printf(&a, "/m/blobs/sha256-%s", hex));
    CHECK(!ollama_blob("/m", "sha256:../../../../../../../../../../../../../../../../../../../../../../etc", &a));
    CHECK(!ollama_blob("/m", "md5:0", &a));
    CHECK(!ollama_blob("/m", "", &a));
    arena_release(&a);
}

/* FIPS 180-4's own examples. */
TEST(sha256_of_known_texts)
{
    char hex[SHA256_TEXT];

    sha256_bytes("abc", 3, hex);
    CHECK_STR(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256_bytes("", 0, hex);
    CHECK_STR(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}
