/* unrename.c - the GGUF files of tests/golden/hf turned back must be the Hugging Face models they were made from. */
#include "convert/rename.h"
#include "convert/unrename.h"
#include "formats/file.h"
#include "formats/output.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <unistd.h>

static const char *golden(struct arena *a, const char *name, const char *suffix)
{
    const char *dir = getenv("BANTAM_GOLDEN");

    return arena_printf(a, "%s/hf/%s%s", dir ? dir : "tests/golden", name, suffix);
}

/* Every tensor but tables of the source, in portions of three rows. */
static void check_tensors(struct model *got, struct model *source)
{
    struct arena tmp = {0};
    struct fail f = {0};

    for (size_t i = 0; i < source->ntensors; i++) {
        const struct tensor *want = &source->tensor[i], *t = model_tensor(got, want->name);
        if (strstr(want->name, "inv_freq"))
            continue;
        if (!t)
            test_failed(__FILE__, __LINE__, "%s is missing", want->name);
        for (uint64_t first = 0, n; t && first < tensor_rows(t); first += n) {
            const float *x, *y;
            n = tensor_rows(t) - first < 3 ? tensor_rows(t) - first : 3;
            x = model_rows_f32(got, t, first, n, &tmp, &f);
            y = model_rows_f32(source, want, first, n, &tmp, &f);
            if (!x || !y || memcmp(x, y, n * tensor_row(t) * sizeof *x) != 0)
                test_failed(__FILE__, __LINE__, "%s differs in rows %d + %d", t->name, (int)first, (int)n);
            arena_reset(&tmp);
        }
    }
    arena_release(&tmp);
}

/* The config must lead to the keys it was made from, with the source's weights. */
static void check_config(const char *config, const char *source, const struct model *gguf)
{
    struct arena a = {0};
    struct fail f = {0};
    struct rename_options o = { .no_vocabulary = true };
    char dir[] = "/tmp/bantam-unrename-XXXXXX", *real = realpath(source, NULL);
    struct model *m = NULL;
    const char *path[2];

    CHECK(mkdtemp(dir) && real);
    path[0] = path_join(&a, dir, "config.json");
    path[1] = path_join(&a, dir, "model.safetensors.index.json");
    if (!path_exists(path_join(&a, real, "model.safetensors.index.json"))) {
        path[1] = path_join(&a, dir, "model.safetensors");
        CHECK(symlink(path_join(&a, real, "model.safetensors"), path[1]) == 0);
        CHECK(file_write(path[0], config, strlen(config), &f) == 0);
        m = model_rename(model_open(dir, &f), &o, NULL, NULL, &f);
        CHECK_STR(f.text, "");
        for (size_t i = 0; i < gguf->meta.n; i++) {
            const struct meta_entry *e = &gguf->meta.entry[i];
            const struct meta_value *v = meta_get(&m->meta, e->key);
            if (strncmp(e->key, "llama.", 6) == 0 && (!v || v->type != e->value.type || (v->type != META_STRING && v->u != e->value.u)))
                test_failed(__FILE__, __LINE__, "%s differs", e->key);
        }
        unlink(path[0]);
        unlink(path[1]);
    }
    model_close(m);
    rmdir(dir);
    free(real);
    arena_release(&a);
}

static void check_back(const char *name)
{
    struct arena a = {0};
    struct fail f = {0};
    struct account account = {0};
    const char *config = NULL;
    struct model *back = model_unrename(model_open(golden(&a, name, ".gguf"), &f), NULL, &config, &account, &f),
                 *source = model_open(golden(&a, name, ""), &f), *gguf = model_open(golden(&a, name, ".gguf"), &f);

    CHECK_STR(f.text, "");
    CHECK(back && source && gguf && config);
    check_tensors(back, source);
    check_config(config, golden(&a, name, ""), gguf);
    CHECK(account_check(&account, &f) == 0);
    account_release(&account);
    model_close(back);
    model_close(source);
    model_close(gguf);
    arena_release(&a);
}

TEST(unrename_llama3_with_biases) { check_back("today"); }
TEST(unrename_linear) { check_back("yesterday"); }
TEST(unrename_mistral_tied_with_wide_heads) { check_back("mistral"); }
TEST(unrename_yarn) { check_back("yarn"); }

TEST(unrename_finds_llama3_parameters)
{
    struct arena a = {0};
    struct fail f = {0};
    const char *config = NULL;
    struct model *m = model_unrename(model_open(golden(&a, "today", ".gguf"), &f), NULL, &config, NULL, &f);
    const cJSON *scaling;

    CHECK(m);
    scaling = cJSON_GetObjectItem(json_parse(config, strlen(config), "config", &a, &f), "rope_scaling");
    CHECK_STR(json_str(scaling, "rope_type", ""), "llama3");
    CHECK(cJSON_GetObjectItem(scaling, "factor")->valuedouble == 8);
    CHECK(cJSON_GetObjectItem(scaling, "original_max_position_embeddings")->valuedouble == 16384);
    model_close(m);
    arena_release(&a);
}

/* What may be wrong with a GGUF file of a known format. */
static void no_blocks(struct model *m)     { meta_remove(&m->meta, "llama.block_count"); }
static void fewer_blocks(struct model *m)  { meta_set_u32(&m->meta, &m->arena, "llama.block_count", 1); }
static void more_blocks(struct model *m)   { meta_set_u32(&m->meta, &m->arena, "llama.block_count", 3); }
static void experts(struct model *m)       { meta_set_u32(&m->meta, &m->arena, "llama.expert_count", 8); }
static void part_of_head(struct model *m)  { meta_set_u32(&m->meta, &m->arena, "llama.rope.dimension_count", 2); }
static void odd_scaling(struct model *m)   { meta_set_str(&m->meta, &m->arena, "llama.rope.scaling.type", "ntk"); }
static void wrong_type(struct model *m)    { meta_set_f32(&m->meta, &m->arena, "llama.embedding_length", 8); }
static void odd_family(struct model *m)    { meta_set_str(&m->meta, &m->arena, "general.architecture", "none"); }
static void odd_heads(struct model *m)     { meta_set_u32(&m->meta, &m->arena, "llama.attention.head_count", 3); }
static void odd_tensor(struct model *m)    { m->tensor[0].name = "blk.0.what.weight"; }
static void fewer_tensors(struct model *m) { m->ntensors--; }

static const struct {
    void (*spoil)(struct model *);
    const char *text;
} cases[] = {
    { no_blocks, "key 'llama.block_count' is missing" },
    { fewer_blocks, "tensor 'blk.1.attn_norm.weight' belongs to layer 1, but block_count is 1" },
    { more_blocks, "tensor 'blk.2.attn_norm.weight' is missing" },
    { experts, "1 key means nothing to this program, and may change what the weights compute: 'llama.expert_count'" },
    { part_of_head, "key 'llama.rope.dimension_count' differs from the width of a head, 4" },
    { odd_scaling, "key 'llama.rope.scaling.type' is 'ntk', which is not known (known: none, linear, yarn, longrope)" },
    { wrong_type, "key 'llama.embedding_length' is of type float32 where uint32 is expected" },
    { odd_family, "architecture 'none' is not known" },
    { odd_heads, "num_attention_heads is 3, no multiple of num_key_value_heads (2)" },
    { odd_tensor, "1 tensor has no place in this model family: 'blk.0.what.weight'" },
    { fewer_tensors, "tensor 'output_norm.weight' is missing" },
};

TEST(unrename_refuses_what_has_no_place)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena a = {0};
        struct fail f = {0};
        const char *config = NULL;
        struct model *m = model_open(golden(&a, "yesterday", ".gguf"), &f);

        CHECK(m);
        cases[i].spoil(m);
        m = model_unrename(m, NULL, &config, NULL, &f);
        if (m || f.kind != FAIL_INPUT || strcmp(f.text, cases[i].text) != 0)
            test_failed(__FILE__, __LINE__, "case %zu: \"%s\"", i, f.text);
        model_close(m);
        arena_release(&a);
    }
}

TEST(unrename_of_yarn_with_an_attention_factor_that_is_said_twice)
{
    static const char twice[] = "llama.rope.scaling.attn_factor", once[] = "llama.rope.scaling.yarn_attn_factor";

    for (int lone = 0; lone < 2; lone++) {
        struct arena a = {0};
        struct fail f = {0};
        struct account account = {0};
        const char *config = NULL;
        struct model *m = model_open(golden(&a, "yarn", ".gguf"), &f);

        CHECK(m && meta_get(&m->meta, once));
        meta_set_f32(&m->meta, &m->arena, twice, 1.05f);
        if (lone)
            meta_remove(&m->meta, once);
        m = model_unrename(m, NULL, &config, &account, &f);
        CHECK_STR(f.text, lone ? "key 'llama.rope.scaling.attn_factor' has no place in config.json without 'yarn_attn_factor'" : "");
        CHECK((m != NULL) == !lone);
        CHECK(lone || account_check(&account, &f) == 0);
        account_release(&account);
        model_close(m);
        arena_release(&a);
    }
}
