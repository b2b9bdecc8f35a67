#include "formats/text.h"
#include "tests/unit/formats.h"
#include "tests/unit/test.h"

TEST(safetensors_reads_every_dtype)
{
    struct model *m = open_golden("formats/types.safetensors");

    CHECK(m);
    CHECK_U64(m->ntensors, 13);
    CHECK(has_weights(m, "f32", "f32", 15) && has_weights(m, "f16", "f16", 24) && has_weights(m, "bf16", "bf16", 24));
    CHECK(has_weights(m, "f64", "f64", 3) && has_weights(m, "i8", "i8", 24) && has_weights(m, "i32", "i32", 7));
    CHECK(has_weights(m, "i64", "i64", 2) && has_weights(m, "e4m3", "f8_e4m3", 5) && has_weights(m, "rank6", "f32", 12));
    CHECK(has_weights(m, "scalar", "f32", 1) && model_tensor(m, "scalar")->rank == 0);
    CHECK(model_tensor(m, "rank6")->rank == 6 && model_tensor(m, "rank6")->shape[5] == 3);
    CHECK(model_tensor(m, "empty")->rank == 2 && tensor_bytes(model_tensor(m, "empty")) == 0);
    CHECK_STR(meta_str(&m->meta, "note", ""), "gr\xc3\xbc\xc3\x9f \"dich\"\n");
    for (size_t i = 1; i < m->ntensors; i++)
        CHECK(m->tensor[i].offset >= m->tensor[i - 1].offset);
    model_close(m);
}

TEST(safetensors_copies_rows_that_are_not_aligned)
{
    struct model *m = open_golden("formats/odd.safetensors");
    struct arena tmp = {0};
    struct fail f = {0};
    const void *rows;

    CHECK(m);
    CHECK(model_tensor(m, "b")->offset % 4 != 0);
    rows = model_rows(m, model_tensor(m, "b"), 1, 1, &tmp, &f);
    CHECK(rows && (uintptr_t)rows % 4 == 0);
    CHECK(has_weights(m, "b", "f32", 10));
    arena_release(&tmp);
    model_close(m);
}

TEST(safetensors_shards_by_directory_and_by_index)
{
    static const char *const names[] = { "formats/shards", "formats/shards/model.safetensors.index.json" };

    for (size_t i = 0; i < 2; i++) {
        struct model *m = open_golden(names[i]);

        CHECK(m);
        CHECK_U64(m->nfiles, 2);
        CHECK_U64(m->ntensors, 3);
        CHECK(has_weights(m, "a", "f32", 16) && has_weights(m, "b", "f32", 3) && has_weights(m, "c", "bf16", 8));
        CHECK(m->dir && ends_with(m->dir, "formats/shards"));
        CHECK_STR(path_base(m->file[model_tensor(m, "c")->file].path), "model-00002-of-00002.safetensors");
        model_close(m);
    }
}
