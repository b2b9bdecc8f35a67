#include "formats/meta.h"
#include "tests/unit/test.h"

TEST(meta_sets_in_place_and_in_order)
{
    struct arena a = {0};
    struct meta m = {0};

    meta_set_str(&m, &a, "a", "one");
    meta_set_u32(&m, &a, "b", 7);
    meta_set_f32(&m, &a, "c", 1e-5f);
    meta_set_i32(&m, &a, "a", -3);
    CHECK_U64(m.n, 3);
    CHECK_STR(m.entry[0].key, "a");
    CHECK(meta_get(&m, "a")->type == META_INT32 && meta_get(&m, "a")->i == -3);
    CHECK((float)meta_f64(&m, "c", 0) == 1e-5f);
    meta_remove(&m, "a");
    meta_remove(&m, "none");
    CHECK_U64(m.n, 2);
    CHECK_STR(m.entry[0].key, "b");
    arena_release(&a);
}

TEST(meta_converts_numbers_that_fit)
{
    struct arena a = {0};
    struct meta m = {0};

    meta_set_i32(&m, &a, "negative", -1);
    meta_set_f32(&m, &a, "whole", 12.0f);
    meta_set_f32(&m, &a, "half", 0.5f);
    meta_set_bool(&m, &a, "yes", true);
    meta_set_str(&m, &a, "text", "12");
    CHECK_U64(meta_u64(&m, "negative", 99), 99);
    CHECK_U64(meta_u64(&m, "whole", 99), 12);
    CHECK_U64(meta_u64(&m, "half", 99), 99);
    CHECK_U64(meta_u64(&m, "yes", 99), 99);
    CHECK_U64(meta_u64(&m, "text", 99), 99);
    CHECK_U64(meta_u64(&m, "absent", 99), 99);
    CHECK(meta_f64(&m, "negative", 5) == -1);
    CHECK(meta_f64(&m, "text", 5) == 5);
    CHECK(meta_bool(&m, "yes", false));
    CHECK(meta_bool(&m, "whole", true));
    CHECK_STR(meta_str(&m, "text", ""), "12");
    CHECK_STR(meta_str(&m, "yes", "no text"), "no text");
    arena_release(&a);
}

TEST(meta_scalars_of_every_type)
{
    static const uint8_t ones[9] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    double d = -2.5;

    CHECK_U64(meta_scalar(META_UINT8, ones + 1).u, 0xff);
    CHECK_U64(meta_scalar(META_UINT16, ones + 1).u, 0xffff);
    CHECK_U64(meta_scalar(META_UINT32, ones + 1).u, 0xffffffff);
    CHECK_U64(meta_scalar(META_UINT64, ones + 1).u, UINT64_MAX);
    CHECK(meta_scalar(META_INT8, ones + 1).i == -1);
    CHECK(meta_scalar(META_INT16, ones + 1).i == -1);
    CHECK(meta_scalar(META_INT32, ones + 1).i == -1);
    CHECK(meta_scalar(META_INT64, ones + 1).i == -1);
    CHECK(meta_scalar(META_FLOAT64, &d).f == -2.5);
    CHECK_U64(meta_scalar(META_BOOL, "\1").u, 1);
}

TEST(meta_arrays_as_numbers)
{
    static const int16_t i16[] = { -5, 300 };
    static const float f32[] = { 0.5f, -1e30f };
    struct meta_array i = { META_INT16, 2, i16 }, f = { META_FLOAT32, 2, f32 };

    CHECK(meta_array_i64(&i, 0) == -5 && meta_array_f64(&i, 1) == 300);
    CHECK(meta_array_f64(&f, 0) == 0.5 && meta_array_i64(&f, 0) == 0);
    CHECK(meta_array_i64(&f, 1) == 0);      /* out of range */
}

TEST(meta_copy_replaces_and_appends)
{
    struct arena a = {0};
    struct meta from = {0}, to = {0};

    meta_set_u32(&from, &a, "x", 1);
    meta_set_u32(&from, &a, "y", 2);
    meta_copy(&to, &a, &from);
    CHECK_U64(to.n, 2);
    meta_set_u32(&from, &a, "y", 3);
    meta_set_u32(&from, &a, "z", 4);
    meta_copy(&to, &a, &from);
    CHECK_U64(to.n, 3);
    CHECK_U64(meta_u64(&to, "y", 0), 3);
    arena_release(&a);
}
