/* imatrix.c - both kinds of matrix, what is refused, and what a model makes of them. The files: tests/gen/imatrix.py. */
#include "convert/imatrix.h"
#include "tests/unit/formats.h"
#include "tests/unit/test.h"
#include "tests/unit/toy.h"

#include <dirent.h>
#include <unistd.h>

static struct imatrix *golden(const char *name, struct fail *f)
{
    struct arena a = {0};
    struct imatrix *m = imatrix_open(golden_path(&a, name), f);

    arena_release(&a);
    return m;
}

/* Two tensors of the matrices' names: three experts of 8 rows, and 16 rows. */
static struct toy *toy_of_two(void)
{
    struct toy *toy = toy_new();

    toy_add(toy, "blk.0.ffn_up_exps.weight", "f32", 3, 8, 4);
    toy_add(toy, "blk.0.attn_q.weight", "f32", 0, 16, 4);
    return toy;
}

static const struct recipe_choice *all_become(const struct model *m, struct arena *a)
{
    struct recipe_choice *choice = arena_array(a, struct recipe_choice, m->ntensors);

    for (size_t i = 0; i < m->ntensors; i++)
        choice[i].type = qtype_named("q8_0");
    return choice;
}

TEST(imatrix_reads_both_kinds)
{
    static const char *const names[] = { "imatrix/experts.gguf", "imatrix/old.dat", "imatrix/old-with-text.dat" };
    static const uint64_t chunks[] = { 7, 0, 9 }, datasets[] = { 2, 0, 1 };

    for (size_t i = 0; i < 3; i++) {
        struct fail f = {0};
        struct imatrix *m = golden(names[i], &f);

        CHECK_STR(f.text, "");
        CHECK_U64(m->n, 2);
        CHECK_U64(m->legacy, i > 0);
        CHECK_STR(m->entry[0].name, "blk.0.ffn_up_exps.weight");
        CHECK_U64(m->entry[0].nmatrices, i ? 1 : 3);
        CHECK_U64(m->entry[0].ncolumns, i ? 12 : 4);
        CHECK(m->entry[0].sum[10] == 8 && m->entry[1].sum[3] == 40);
        CHECK_U64(m->nchunks, chunks[i]);
        CHECK_U64(m->ndatasets, datasets[i]);
        CHECK(!m->ndatasets || strcmp(m->dataset[0], "calib.txt") == 0);
        imatrix_close(m);
    }
}

/* llama-quantize divides by the count; an expert without tokens counts ones, an old entry without calls stays. */
TEST(imatrix_weights_are_means)
{
    static const float want[][12] = { { 1, 2, 3, 4, 1, 1, 1, 1, 1, 0, 2, .25f },
                                      { 2.f / 5, 4.f / 5, 6.f / 5, 8.f / 5, 0, 0, 0, 0, 4.f / 5, 0, 8.f / 5, 1.f / 5 } };
    static const float last[] = { 4, 40 };

    for (size_t i = 0; i < 2; i++) {
        struct arena a = {0};
        struct fail f = {0};
        struct imatrix *m = golden(i ? "imatrix/old.dat" : "imatrix/experts.gguf", &f);
        struct toy *toy = toy_of_two();
        struct imatrix_match match;

        CHECK(m && imatrix_match(m, &toy->base, all_become(&toy->base, &a), NULL, &match, &a, &f) == 0);
        CHECK_U64(match.used, 2);
        CHECK(memcmp(match.weight[0], want[i], sizeof want[i]) == 0);
        CHECK(match.weight[1][3] == last[i]);
        CHECK_U64(match.nremarks, i ? 1 : 2);
        CHECK_U64(match.remark[0].kind, i ? IMATRIX_ZERO : IMATRIX_UNSEEN);
        CHECK_U64(match.remark[0].n, i ? 5 : 1);
        imatrix_close(m);
        model_close(&toy->base);
        arena_release(&a);
    }
}

TEST(imatrix_names_starved_experts)
{
    struct arena a = {0};
    struct fail f = {0};
    struct imatrix *m = golden("imatrix/experts.gguf", &f);
    struct toy *toy = toy_of_two();
    struct imatrix_match match;

    CHECK(m);
    m->entry[0].nstarved = 2;
    CHECK(imatrix_match(m, &toy->base, all_become(&toy->base, &a), NULL, &match, &a, &f) == 0);
    CHECK_U64(match.nremarks, 3);
    CHECK(match.remark[1].kind == IMATRIX_STARVED && match.remark[1].n == 2 && match.remark[1].of == 3);
    CHECK_STR(match.remark[1].name, "blk.0.ffn_up_exps.weight");
    imatrix_close(m);
    model_close(&toy->base);
    arena_release(&a);
}

TEST(imatrix_is_compared_with_the_model)
{
    struct arena a = {0};
    struct fail f = {0};
    struct imatrix *m = golden("imatrix/experts.gguf", &f);
    struct toy *toy = toy_of_two();
    struct imatrix_match match;
    const struct recipe_choice *choice = all_become(&toy->base, &a);

    toy->base.tensor[0].name = "blk.0.ffn_gate_exps.weight";
    CHECK(imatrix_match(m, &toy->base, choice, NULL, &match, &a, &f) == 0);
    CHECK_U64(match.nremarks, 2);
    CHECK_U64(match.remark[0].kind, IMATRIX_ABSENT);
    CHECK_STR(match.remark[0].name, "blk.0.ffn_gate_exps.weight");
    CHECK_U64(match.remark[1].kind, IMATRIX_UNKNOWN);
    CHECK_STR(match.remark[1].name, "blk.0.ffn_up_exps.weight");
    toy->base.tensor[1].shape[1] = 8;
    CHECK(imatrix_match(m, &toy->base, choice, NULL, &match, &a, &f) != 0);
    CHECK_STR(f.text, "entry 'blk.0.attn_q.weight' has 4 values, tensor 'blk.0.attn_q.weight' needs 8");
    toy->base.tensor[1].name = "blk.0.attn_k.weight";
    f = (struct fail){0};
    CHECK(imatrix_match(m, &toy->base, choice, NULL, &match, &a, &f) != 0);
    CHECK_STR(f.text, "none of its 2 entries has the name of a tensor; the first is 'blk.0.ffn_up_exps.weight'");
    imatrix_close(m);
    model_close(&toy->base);
    arena_release(&a);
}

TEST(imatrix_is_found_by_the_name_before)
{
    static const char *const before[] = { "blk.7.gone.weight", "blk.0.attn_q.weight" };
    struct arena a = {0};
    struct fail f = {0};
    struct imatrix *m = golden("imatrix/experts.gguf", &f);
    struct toy *toy = toy_of_two();
    struct imatrix_match match;

    CHECK(imatrix_match(m, &toy->base, all_become(&toy->base, &a), before, &match, &a, &f) == 0);
    CHECK(!match.weight[0] && match.weight[1] && match.nremarks == 1);
    imatrix_close(m);
    model_close(&toy->base);
    arena_release(&a);
}

TEST(imatrix_entries_are_selected_by_parts_of_names)
{
    static const char *const ffn[] = { "ffn", NULL }, *const q[] = { "attn_q", "nothing", NULL };
    struct fail f = {0};
    struct imatrix *m = golden("imatrix/experts.gguf", &f);
    uint64_t digest = m->digest;

    imatrix_select(m, NULL, NULL);
    CHECK(m->n == 2 && m->digest == digest);
    imatrix_select(m, ffn, NULL);
    CHECK(m->n == 1 && m->digest != digest);
    imatrix_select(m, NULL, q);
    CHECK_U64(m->n, 1);
    imatrix_select(m, NULL, ffn);
    CHECK_U64(m->n, 0);
    imatrix_close(m);
}

TEST(imatrix_provenance_is_four_keys)
{
    struct arena a = {0};
    struct fail f = {0};
    struct meta meta = {0};
    struct imatrix *m = golden("imatrix/experts.gguf", &f);

    meta_set_str(&meta, &a, "quantize.imatrix.dataset", "an older one");
    meta_set_str(&meta, &a, "general.name", "x");
    m->path = "dir/experts.gguf";
    imatrix_provenance(m, &meta, &a);
    CHECK_U64(meta.n, 5);
    CHECK_STR(meta.entry[1].key, "quantize.imatrix.file");
    CHECK_STR(meta.entry[1].value.s.s, "dir/experts.gguf");
    CHECK_STR(meta.entry[2].value.s.s, "calib.txt");
    CHECK_STR(meta.entry[3].key, "quantize.imatrix.entries_count");
    CHECK(meta.entry[3].value.type == META_UINT32 && meta.entry[3].value.u == 2);
    CHECK_STR(meta.entry[4].key, "quantize.imatrix.chunks_count");
    CHECK_U64(meta.entry[4].value.u, 7);
    imatrix_close(m);
    arena_release(&a);
}

TEST(imatrix_refuses_what_is_bad)
{
    struct arena a = {0};
    DIR *dir = opendir(bad_path(&a, "imatrix"));
    size_t n = 0;

    CHECK(dir);
    for (struct dirent *e; (e = readdir(dir)); ) {
        size_t length = strlen(e->d_name);
        struct fail f = {0};

        if (length < 4 || e->d_name[0] == '.' || strcmp(e->d_name + length - 4, ".txt") == 0)
            continue;
        const char *path = bad_path(&a, arena_printf(&a, "imatrix/%s", e->d_name));
        char *want = file_read_text(arena_printf(&a, "%s.txt", path), 1000, &a, &length, &f);
        CHECK(want && length);
        want[length - 1] = '\0';
        CHECK(!imatrix_open(path, &f));
        CHECK_STR(f.text, want);
        CHECK_U64(f.kind, FAIL_INPUT);
        n++;
    }
    closedir(dir);
    CHECK(n >= 19);
    arena_release(&a);
}

TEST(imatrix_refuses_every_prefix)
{
    static const char *const names[] = { "imatrix/experts.gguf", "imatrix/old.dat" };

    for (size_t i = 0; i < 2; i++) {
        struct arena a = {0};
        struct fail f = {0};
        struct file file;

        CHECK(file_open(&file, golden_path(&a, names[i]), &f) == 0);
        for (uint64_t n = 0; n < file.nbytes; n++) {
            struct fail cut = {0};
            int fd;
            struct imatrix *m = imatrix_open(memory_file(&a, file.data, n, &fd), &cut);

            CHECK(!m || (i == 0 && n + 32 > file.nbytes));      /* all that is missing may be padding */
            imatrix_close(m);
            close(fd);
        }
        file_close(&file);
        arena_release(&a);
    }
}
