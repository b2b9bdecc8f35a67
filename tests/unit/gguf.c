#include "formats/text.h"
#include "tests/unit/formats.h"
#include "tests/unit/test.h"

static const struct meta_array *array(const struct model *m, const char *key)
{
    const struct meta_value *v = meta_get(&m->meta, key);

    return v && v->type == META_ARRAY ? &v->a : NULL;
}

TEST(gguf_reads_every_type_of_value)
{
    struct model *m = open_golden("formats/types.gguf");
    const struct meta_string *s;

    CHECK(m);
    CHECK_U64(meta_u64(&m->meta, "value.uint8", 0), 200);
    CHECK(meta_get(&m->meta, "value.int8")->i == -100);
    CHECK_U64(meta_u64(&m->meta, "value.uint16", 0), 60000);
    CHECK(meta_get(&m->meta, "value.int16")->i == -30000);
    CHECK_U64(meta_u64(&m->meta, "value.uint32", 0), 4000000000);
    CHECK(meta_get(&m->meta, "value.int32")->i == -2000000000);
    CHECK_U64(meta_u64(&m->meta, "value.uint64", 0), (UINT64_C(1) << 63) + 1);
    CHECK(meta_get(&m->meta, "value.int64")->i == -(INT64_C(1) << 62));
    CHECK((float)meta_f64(&m->meta, "value.float32", 0) == 0.1f);
    CHECK(meta_f64(&m->meta, "value.float64", 0) == 0.1);
    CHECK(meta_bool(&m->meta, "value.bool", false));
    CHECK_STR(meta_str(&m->meta, "value.string", ""), "gr\xc3\xbc\xc3\x9f dich");
    CHECK_U64(array(m, "array.strings")->n, 4);
    s = array(m, "array.strings")->items;
    CHECK_STR(s[0].s, "a");
    CHECK(s[1].n == 0 && s[1].s[0] == 0);
    CHECK_STR(s[2].s, "\xe4\xbd\xa0\xe5\xa5\xbd");
    CHECK(s[3].n == 300 && strlen(s[3].s) == 300);
    CHECK(meta_array_i64(array(m, "array.ints"), 1) == -2);
    CHECK(meta_array_f64(array(m, "array.floats"), 1) == -1.5);
    CHECK(array(m, "array.bools")->type == META_BOOL && meta_array_i64(array(m, "array.bools"), 2) == 1);
    CHECK_U64(meta_array_i64(array(m, "array.bytes"), 2), 255);
    model_close(m);
}

TEST(gguf_reads_nested_arrays)
{
    struct model *m = open_golden("formats/nested.gguf");
    const struct meta_array *row;

    CHECK(m && array(m, "nested"));
    CHECK(array(m, "nested")->type == META_ARRAY && array(m, "nested")->n == 3);
    row = array(m, "nested")->items;
    CHECK(row[0].n == 2 && row[1].n == 0 && row[2].n == 1);
    CHECK(meta_array_i64(&row[0], 1) == 2 && meta_array_i64(&row[2], 0) == 3);
    model_close(m);
}

TEST(gguf_reads_tensors_of_both_versions_and_any_alignment)
{
    static const char *const names[] = { "formats/types.gguf", "formats/version2.gguf", "formats/aligned.gguf",
                                         "formats/split-00001-of-00003.gguf" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct model *m = open_golden(names[i]);

        CHECK(m && has_tensors(m));
        CHECK_STR(m->format->name, "gguf");
        CHECK(!m->dir);
        CHECK(!model_tensor(m, "f33"));
        CHECK(model_tensor(m, "i8")->rank == 4 && model_tensor(m, "i8")->shape[3] == 3);
        CHECK(model_tensor(m, "f32")->shape[0] == 5 && model_tensor(m, "f32")->shape[1] == 3);
        model_close(m);
    }
}

TEST(gguf_split_is_one_model)
{
    struct model *m = open_golden("formats/split-00001-of-00003.gguf");

    CHECK(m);
    CHECK_U64(m->nfiles, 3);
    CHECK(ends_with(m->file[2].path, "split-00003-of-00003.gguf"));
    CHECK_U64(m->tensor[6].file, 2);
    CHECK(!meta_get(&m->meta, "split.count") && !meta_get(&m->meta, "split.no"));
    CHECK_U64(meta_u64(&m->meta, "value.uint8", 0), 200);
    model_close(m);
}
