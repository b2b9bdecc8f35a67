/* plan.c - tests of the planners of all formats: what is written is what the reference writes, or reads back the same. */
#include "formats/output.h"
#include "formats/text.h"
#include "tests/unit/formats.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <unistd.h>

static struct fail f;

/* What any writer does with a plan, in one thread. */
static bool write_plan(struct model *m, const struct plan *p)
{
    struct arena a = {0};
    struct output *o = arena_array(&a, struct output, p->nfiles);
    bool good = true;

    for (size_t i = 0; good && i < p->nfiles; i++)
        good = output_open(&o[i], p->file[i].path, p->file[i].nbytes, true, &a, &f) == 0
            && output_write(&o[i], p->file[i].head, p->file[i].head_nbytes, 0, &f) == 0;
    for (size_t i = 0; good && i < m->ntensors; i++) {
        const struct tensor *t = &m->tensor[i];
        const void *rows = model_rows(m, t, 0, tensor_rows(t), &a, &f);

        good = rows && output_write(&o[p->tensor[i].file], rows, tensor_bytes(t), p->tensor[i].offset, &f) == 0;
    }
    for (size_t i = 0; good && i < p->nfiles; i++)
        good = output_commit(&o[i], &f) == 0;
    arena_release(&a);
    if (!good)
        test_failed(__FILE__, __LINE__, "%s: %s", p->out, f.text);
    return good;
}

/* Writes model m to DIR/name and opens the result. */
static struct model *rewrite(struct model *m, const char *dir, const char *name, uint64_t split, uint64_t head)
{
    struct arena a = {0};
    const char *out = path_join(&a, dir, name);
    struct plan_options options = { .split_nbytes = split, .head_nbytes = head };
    struct plan p;
    struct model *again = NULL;

    if (format_of_output(out)->plan(m, out, &options, &p, &f) == 0) {
        if (write_plan(m, &p))
            again = model_open(p.nfiles > 1 && !p.out_is_dir && ends_with(p.file[p.nfiles - 1].path, ".json")
                               ? p.file[p.nfiles - 1].path : p.file[0].path, &f);
        plan_release(&p);
    }
    arena_release(&a);
    return again;
}

static bool same_file(const char *a, const char *b)
{
    struct arena tmp = {0};
    size_t na, nb;
    const char *x = file_read_text(a, 1 << 20, &tmp, &na, &f), *y = file_read_text(b, 1 << 20, &tmp, &nb, &f);
    bool same = x && y && na == nb && memcmp(x, y, na) == 0;

    arena_release(&tmp);
    return same;
}

static void remove_all(struct model *m)
{
    for (size_t i = 0; m && i < m->nfiles; i++)
        unlink(m->file[i].path);
    model_close(m);
}

/* Where the data starts: the length of a header without room for edits. */
static uint64_t first_offset(const struct model *m)
{
    uint64_t least = UINT64_MAX;

    for (size_t i = 0; i < m->ntensors; i++)
        least = m->tensor[i].offset < least ? m->tensor[i].offset : least;
    return least;
}

TEST(plan_gguf_gives_the_bytes_of_gguf_py)
{
    static const char *const names[] = { "formats/types.gguf", "formats/aligned.gguf" };
    char dir[] = "/tmp/bantam-plan-XXXXXX";

    CHECK(mkdtemp(dir));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct arena a = {0};
        struct model *m = open_golden(names[i]), *again = m ? rewrite(m, dir, "x.gguf", 0, first_offset(m)) : NULL;

        CHECK(again && has_tensors(again));
        CHECK(same_file(golden_path(&a, names[i]), again->path));
        remove_all(again);
        model_close(m);
        arena_release(&a);
    }
    rmdir(dir);
}

TEST(plan_gguf_splits_by_size)
{
    char dir[] = "/tmp/bantam-plan-XXXXXX";
    struct model *m = open_golden("formats/aligned.gguf"), *again;

    CHECK(mkdtemp(dir) && m);
    again = rewrite(m, dir, "x.gguf", 100, 0);
    CHECK(again && has_tensors(again));
    CHECK(again->nfiles > 2);
    CHECK(ends_with(again->path, "x-00001-of-00005.gguf"));
    CHECK_U64(meta_u64(&again->meta, "general.alignment", 0), 128);
    remove_all(again);
    model_close(m);
    rmdir(dir);
}

TEST(plan_safetensors_and_back)
{
    char dir[] = "/tmp/bantam-plan-XXXXXX";
    struct model *m = open_golden("formats/types.safetensors"), *again, *shards;

    CHECK(mkdtemp(dir) && m);
    again = rewrite(m, dir, "x.safetensors", 0, 0);
    CHECK(again && again->ntensors == m->ntensors);
    for (size_t i = 0; i < m->ntensors; i++) {
        const struct tensor *t = model_tensor(again, m->tensor[i].name);

        CHECK(t && t->type == m->tensor[i].type && t->rank == m->tensor[i].rank);
        CHECK(t->offset % (uint64_t)t->type->nbytes == 0);
        CHECK(tensor_weights(t) == 0 || has_weights(again, "f32", "f32", 15));
    }
    CHECK_STR(meta_str(&again->meta, "note", ""), "gr\xc3\xbc\xc3\x9f \"dich\"\n");
    CHECK_STR(meta_str(&again->meta, "format", ""), "pt");
    shards = rewrite(m, dir, "y.safetensors", 64, 0);
    CHECK(shards && shards->ntensors == m->ntensors && shards->nfiles > 3);
    CHECK(has_weights(shards, "f64", "f64", 3) && has_weights(shards, "rank6", "f32", 12));
    unlink(shards->path);
    remove_all(shards);
    remove_all(again);
    model_close(m);
    CHECK(rmdir(dir) == 0);
}

TEST(plan_refuses_what_the_format_cannot_hold)
{
    struct model *m = open_golden("formats/types.gguf"), *s = open_golden("formats/types.safetensors");
    struct plan p;

    CHECK(m && s);
    f = (struct fail){0};
    CHECK(format_named("safetensors")->plan(m, "x", NULL, &p, &f) == -1);
    CHECK_STR(f.text, "tensor 'q8_0' is of type Q8_0, which safetensors cannot hold");
    f = (struct fail){0};
    CHECK(format_named("gguf")->plan(s, "x.gguf", NULL, &p, &f) == -1);
    CHECK(f.kind == FAIL_INPUT && strstr(f.text, "GGUF"));
    m->tensor[0].name = "a name of more than sixty-three bytes, which ggml has no room for";
    f = (struct fail){0};
    CHECK(format_named("gguf")->plan(m, "x.gguf", NULL, &p, &f) == -1);
    CHECK(strstr(f.text, "has a name of 65 bytes; GGUF has at most 63"));
    model_close(m);
    model_close(s);
}

TEST(plan_safetensors_directory)
{
    struct model *m = open_golden("formats/shards");
    struct plan p;

    CHECK(m);
    CHECK(format_named("safetensors")->plan(m, "some/dir", NULL, &p, &f) == 0);
    CHECK(p.out_is_dir && p.nfiles == 1);
    CHECK_STR(p.file[0].path, "some/dir/model.safetensors");
    CHECK_U64(p.nbytes, p.file[0].nbytes);
    plan_release(&p);
    CHECK(format_named("safetensors")->plan(m, "some/dir", &(struct plan_options){ .split_nbytes = 64 }, &p, &f) == 0);
    CHECK_U64(p.nfiles, 3);
    CHECK_STR(p.file[1].path, "some/dir/model-00002-of-00002.safetensors");
    CHECK_STR(p.file[2].path, "some/dir/model.safetensors.index.json");
    CHECK_U64(p.file[2].nbytes, p.file[2].head_nbytes);
    plan_release(&p);
    model_close(m);
}
