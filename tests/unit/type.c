/* type.c - the table of encodings, and the 16- and 8-bit floats exhaustively. */
#include "quant/half.h"
#include "quant/isa.h"
#include "quant/type.h"
#include "tests/unit/test.h"

#include <math.h>

TEST(type_table_finds_names_ids_and_dtypes)
{
    CHECK(qtype_named("Q8_0") && qtype_named("Q8_0")->gguf_id == 8);
    CHECK(qtype_named("q8_0") == qtype_of_gguf(8));
    CHECK(qtype_of_gguf(30) == qtype_of_safetensors("BF16"));
    CHECK(!qtype_named("q9_9") && !qtype_of_gguf(4) && !qtype_of_gguf(0xffffffff) && !qtype_of_safetensors("bf16"));
    for (size_t i = 0; i < qtype_count(); i++) {
        const struct qtype *t = qtype_at(i);
        CHECK(qtype_named(t->name) == t && qtype_named(t->label) == t);
        CHECK(t->gguf_id < 0 || qtype_of_gguf((uint32_t)t->gguf_id) == t);
        CHECK(!t->safetensors || qtype_of_safetensors(t->safetensors) == t);
        CHECK(i == 0 || t->gguf_id < 0 || t->gguf_id > qtype_at(i - 1)->gguf_id);
        CHECK(t->decode && t->block > 0 && t->nbytes > 0);
    }
}

TEST(type_row_bytes_refuses_broken_blocks)
{
    const struct qtype *q = qtype_named("q8_0");
    CHECK_U64(qtype_row_bytes(q, 64), 68);
    CHECK_U64(qtype_row_bytes(q, 33), 0);
    CHECK_U64(qtype_row_bytes(qtype_named("f32"), (uint64_t)1 << 56), (uint64_t)1 << 58);
}

/* Every half is a float that rounds back to it; NaN comes back as ggml's NaN. */
TEST(half_round_trips_all_values)
{
    for (unsigned h = 0; h < 0x10000; h++) {
        float x = f32_from_f16((uint16_t)h);
        bool nan = (h & 0x7fff) > 0x7c00;
        CHECK((isnan(x) != 0) == nan);
        CHECK_U64(f16_from_f32(x), nan ? (h & 0x8000) | 0x7e00 : h);
        CHECK(nan || !isfinite(x) || x == ldexpf((h & 0x8000 ? -1.0f : 1.0f) * (float)((h & 0x3ff) + (h & 0x7c00 ? 0x400 : 0)),
                                                (int)(h >> 10 & 31) - 25 + !(h & 0x7c00)));
    }
}

/* Half way between two halves the even one wins; a hair more or less decides. */
TEST(half_rounds_to_nearest_even)
{
    for (unsigned h = 0; h < 0x7bff; h++) {
        float low = f32_from_f16((uint16_t)h), high = f32_from_f16((uint16_t)(h + 1)), middle = (low + high) / 2;
        CHECK_U64(f16_from_f32(middle), h + (h & 1));
        CHECK_U64(f16_from_f32(nextafterf(middle, 0)), h);
        CHECK_U64(f16_from_f32(nextafterf(middle, INFINITY)), h + 1);
        CHECK_U64(f16_from_f32(-middle), 0x8000 | (h + (h & 1)));
    }
    CHECK_U64(f16_from_f32(65519.996f), 0x7bff);
    CHECK_U64(f16_from_f32(65520.0f), 0x7c00);
    CHECK_U64(f16_from_f32(-3e38f), 0xfc00);
}

TEST(bf16_rounds_to_nearest_even_and_keeps_nan)
{
    CHECK_U64(bf16_from_f32(1.00390625f), 0x3f80);          /* 1 + 2^-8: half way, even below */
    CHECK_U64(bf16_from_f32(1.01171875f), 0x3f82);
    CHECK_U64(bf16_from_f32(3.4e38f), 0x7f80);
    CHECK(isnan(f32_from_bf16(bf16_from_f32(NAN))));
    CHECK(f32_from_bf16(0xc040) == -3.0f);
}

static float decoded(const char *type, const void *number)
{
    float x;
    qtype_named(type)->decode(number, &x, 1);
    return x;
}

TEST(numbers_become_the_nearest_float)
{
    CHECK(decoded("f64", &(double){ -0.1 }) == -0.1f);
    CHECK(isinf(decoded("f64", &(double){ 1e300 })));
    CHECK(decoded("i64", &(int64_t){ INT64_MIN }) == -0x1p63f);
    CHECK(decoded("u64", &(uint64_t){ UINT64_MAX }) == 0x1p64f);
    CHECK(decoded("i8", &(int8_t){ -128 }) == -128 && decoded("u8", &(uint8_t){ 255 }) == 255);
    CHECK(decoded("i16", &(int16_t){ -300 }) == -300 && decoded("u16", &(uint16_t){ 65535 }) == 65535);
    CHECK(decoded("i32", &(int32_t){ -70000 }) == -70000 && decoded("u32", &(uint32_t){ 1u << 31 }) == 0x1p31f);
    CHECK(decoded("bool", &(uint8_t){ 1 }) == 1 && decoded("bool", &(uint8_t){ 0 }) == 0);
}

/* Values of the OFP8 specification: largest, smallest normal, largest and smallest subnormal, specials. */
TEST(float8_values_of_the_specification)
{
    static const struct { const char *type; uint8_t code; float value; } known[] = {
        { "f8_e4m3", 0x7e, 448 }, { "f8_e4m3", 0x08, 0x1p-6f }, { "f8_e4m3", 0x07, 0.875f * 0x1p-6f },
        { "f8_e4m3", 0x01, 0x1p-9f }, { "f8_e4m3", 0xb8, -1 }, { "f8_e4m3", 0x00, 0 }, { "f8_e4m3", 0x78, 256 },
        { "f8_e5m2", 0x7b, 57344 }, { "f8_e5m2", 0x04, 0x1p-14f }, { "f8_e5m2", 0x03, 0.75f * 0x1p-14f },
        { "f8_e5m2", 0x01, 0x1p-16f }, { "f8_e5m2", 0xbc, -1 }, { "f8_e5m2", 0xfc, -INFINITY },
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        CHECK(decoded(known[i].type, &known[i].code) == known[i].value);
    CHECK(isnan(decoded("f8_e4m3", &(uint8_t){ 0x7f })) && isnan(decoded("f8_e4m3", &(uint8_t){ 0xff })));
    CHECK(isnan(decoded("f8_e5m2", &(uint8_t){ 0x7d })) && isnan(decoded("f8_e5m2", &(uint8_t){ 0xff })));
}
