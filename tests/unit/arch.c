/* arch.c - what every row of the table of families must satisfy. */
#include "convert/arch.h"
#include "tests/unit/test.h"

TEST(arch_is_found_by_name_and_class)
{
    CHECK(arch_named("llama") && !arch_named("nothing"));
    CHECK(arch_of_class("MistralForCausalLM") == arch_named("llama"));
    CHECK(!arch_of_class("LlamaForSequenceClassification"));
    for (size_t i = 0; i < arch_count(); i++) {
        const struct arch *a = arch_at(i);
        CHECK(strcmp(arch_named(a->name)->name, a->name) == 0);          /* the first of that name */
        CHECK(a->hf_classes[0] || a->native);
        for (const char *const *c = a->hf_classes; *c; c++)
            CHECK(arch_of_class(*c) == a);
    }
}

static bool layered(const char *name)
{
    return strstr(name, "{L}") != NULL;
}

/* Of two rows, one has the condition and the other its contrary. */
static bool excluded(const char *a, const char *b)
{
    return a && b && (*a == '!') != (*b == '!') && strcmp(a + (*a == '!'), b + (*b == '!')) == 0;
}

/* Of their name: a family that goes one way may have a row for each of several conditions. */
static bool chosen(const struct arch *a, const char *when, const char *otherwise)
{
    return a->one_way && when && otherwise && strcmp(when, otherwise) != 0;
}

/* Both columns name a tensor once, so that a map can be read in either direction. */
TEST(arch_names_are_invertible)
{
    for (size_t i = 0; i < arch_count(); i++)
        for (const struct name_map *t = arch_at(i)->tensors; t->theirs; t++) {
            CHECK(layered(t->theirs) == layered(t->ours));
            CHECK(t->rows != DIM_NONE);
            for (const struct name_map *u = arch_at(i)->tensors; u < t; u++)
                CHECK((strcmp(t->theirs, u->theirs) != 0 || t->layout != u->layout || chosen(arch_at(i), t->when, u->when)) && (strcmp(t->ours, u->ours) != 0 || excluded(t->when, u->when)));
        }
}

TEST(arch_names_of_experts)
{
    struct arena a = {0};
    struct place p;

    CHECK(arch_match("a.{L}.b.{E}.c", "a.12.b.0.c", 10, &p) && p.layer == 12 && p.expert == 0);
    CHECK(!arch_match("a.{L}.b.{E}.c", "a.12.b.01.c", 11, &p));
    CHECK(!arch_match("a.{L}.b.{E}.c", "a.12.b..c", 9, &p));
    CHECK(!arch_match("a.{L}.b.{E}.c", "a.12.b.3.cc", 11, &p));
    CHECK(!arch_match("a.{L}.b.{E}.c", "a.1234567890.b.3.c", 18, &p));
    CHECK(!arch_match("a.{L}", "a.", 2, &p));
    CHECK_STR(arch_spell(&a, "a.{L}.b.{E}.c", (struct place){ 12, 3 }, ".weight"), "a.12.b.3.c.weight");
    CHECK_STR(arch_spell(&a, "a{b", (struct place){ 0, 0 }, ""), "a{b");
    arena_release(&a);
}

TEST(arch_keys_are_typed)
{
    for (size_t i = 0; i < arch_count(); i++)
        for (const struct key_map *k = arch_at(i)->keys; k->to || k->put; k++)
            CHECK(k->put || (k->from && (k->type == META_UINT32 || k->type == META_FLOAT32 || k->type == META_BOOL ||
                                         k->type == META_STRING)));
}

TEST(arch_dim_multiplies_heads)
{
    struct arena a = {0};
    struct meta m = {0};

    meta_set_u32(&m, &a, "llama.attention.head_count", 6);
    meta_set_u32(&m, &a, "llama.attention.head_count_kv", 2);
    meta_set_u32(&m, &a, "llama.attention.key_length", 24);
    CHECK_U64(arch_dim(&m, "llama", DIM_Q), 144);
    CHECK_U64(arch_dim(&m, "llama", DIM_KV), 48);
    CHECK_U64(arch_dim(&m, "llama", DIM_NONE), 0);
    CHECK_U64(arch_dim(&m, "llama", DIM_VOCAB), 0);
    arena_release(&a);
}

TEST(arch_dim_of_fused_matrices)
{
    struct arena a = {0};
    struct meta m = {0};

    meta_set_u32(&m, &a, "phi3.embedding_length", 24);
    meta_set_u32(&m, &a, "phi3.feed_forward_length", 5);
    meta_set_u32(&m, &a, "phi3.attention.head_count", 6);
    meta_set_u32(&m, &a, "phi3.attention.head_count_kv", 2);
    CHECK_U64(arch_dim(&m, "phi3", DIM_HEAD), 4);
    CHECK_U64(arch_dim(&m, "phi3", DIM_QKV), 40);
    CHECK_U64(arch_dim(&m, "phi3", DIM_FF2), 10);
    arena_release(&a);
}

TEST(activations_have_the_names_of_transformers)
{
    CHECK(act_named("silu") == ACT_SILU && act_named("gelu") == ACT_GELU && act_named("gelu_new") == ACT_GELU_TANH);
    CHECK(act_named("quick_gelu") < 0);
}
