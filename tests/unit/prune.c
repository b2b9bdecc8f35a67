/* prune.c - layers that go, and the keys that follow. */
#include "convert/prune.h"
#include "tests/unit/test.h"
#include "tests/unit/toy.h"

/* Six layers of one tensor, and one tensor that is of no layer. */
static struct toy *toy_of_six(void)
{
    static const char *const names[] = { "blk.0.w", "blk.1.w", "blk.2.w", "blk.3.w", "blk.4.w", "blk.5.w", "output_norm.weight" };
    static const uint32_t heads[] = { 10, 11, 12, 13, 14, 15 };
    static const int32_t sections[] = { 1, 2, 3, 4, 5, 6 }, numbers[] = { 1, 4, 5 };
    static const bool sliding[] = { true, false, true, false, true };
    struct toy *toy = toy_new();
    struct meta *meta = &toy->base.meta;
    struct arena *a = &toy->base.arena;

    for (size_t i = 0; i < 7; i++)
        toy_add(toy, names[i], "f32", 0, 2, 4);
    meta_set_str(meta, a, "general.architecture", "toy");
    meta_set_u32(meta, a, "toy.block_count", 6);
    meta_set_array(meta, a, "toy.attention.head_count", META_UINT32, 6, heads);
    meta_set_array(meta, a, "toy.rope.dimension_sections", META_INT32, 6, sections);
    meta_set_array(meta, a, "toy.attention.sliding_window_pattern", META_BOOL, 5, sliding);
    meta_set_array(meta, a, "toy.ple.layers", META_INT32, 3, numbers);
    meta_set_u32(meta, a, "toy.leading_dense_block_count", 2);
    meta_set_u32(meta, a, "toy.nextn_predict_layers", 1);
    return toy;
}

static bool holds(const struct model *m, const char *key, size_t n, const int64_t *want)
{
    const struct meta_value *v = meta_get(&m->meta, key);

    if (!v || v->type != META_ARRAY || v->a.n != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (meta_array_i64(&v->a, i) != want[i])
            return false;
    return true;
}

TEST(prune_takes_names_and_keys_along)
{
    static const uint64_t layers[] = { 4, 1, 4 };
    const char *const *before = NULL;
    struct fail f = {0};
    struct arena tmp = {0};
    struct toy *toy = toy_of_six();
    float want = toy_weight(toy, &toy->base.tensor[5], 0);
    struct model *m = model_prune(&toy->base, layers, 3, &before, &f);

    CHECK(m);
    CHECK_U64(m->ntensors, 5);
    CHECK_STR(m->tensor[0].name, "blk.0.w");
    CHECK_STR(m->tensor[1].name, "blk.1.w");
    CHECK_STR(before[1], "blk.2.w");
    CHECK_STR(m->tensor[3].name, "blk.3.w");
    CHECK_STR(before[3], "blk.5.w");
    CHECK_STR(m->tensor[4].name, "output_norm.weight");
    CHECK(*(const float *)model_rows(m, &m->tensor[3], 0, 1, &tmp, &f) == want);
    CHECK_U64(meta_u64(&m->meta, "toy.block_count", 0), 4);
    CHECK(holds(m, "toy.attention.head_count", 4, (const int64_t[]){ 10, 12, 13, 15 }));
    CHECK(holds(m, "toy.rope.dimension_sections", 6, (const int64_t[]){ 1, 2, 3, 4, 5, 6 }));
    CHECK(holds(m, "toy.attention.sliding_window_pattern", 3, (const int64_t[]){ 1, 1, 0 }));
    CHECK(holds(m, "toy.ple.layers", 1, (const int64_t[]){ 3 }));
    CHECK_U64(meta_u64(&m->meta, "toy.leading_dense_block_count", 0), 1);
    CHECK_U64(meta_u64(&m->meta, "toy.nextn_predict_layers", 0), 1);
    model_close(m);
    arena_release(&tmp);
}

static struct fail refused(const uint64_t *layers, size_t n, uint32_t every)
{
    struct fail f = {0};
    struct toy *toy = toy_of_six();

    if (every)
        meta_set_u32(&toy->base.meta, &toy->base.arena, "toy.full_attention_interval", every);
    model_close(model_prune(&toy->base, layers, n, NULL, &f));
    return f;
}

TEST(prune_refuses_what_is_not_there)
{
    static const uint64_t all[] = { 0, 1, 2, 3, 4, 5, 6 };
    struct fail f = refused(all + 6, 1, 0);

    CHECK_STR(f.text, "there is no layer 6 to prune: the model has 6, counted from 0");
    CHECK_U64(f.kind, FAIL_USAGE);
    f = refused(all, 6, 0);
    CHECK_STR(f.text, "all 6 layers would be pruned");
}

TEST(prune_keeps_patterns_whole)
{
    static const uint64_t layers[] = { 1, 2 };
    struct fail f = refused(layers, 1, 2);

    CHECK_STR(f.text, "layer 2 would become layer 1, but 'toy.full_attention_interval' says that the layers repeat every 2");
    f = refused(layers, 2, 2);
    CHECK_U64(f.kind, FAIL_NONE);
}
