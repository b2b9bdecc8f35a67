/* formats.c - the readers as a whole: hostile files, cut files, flipped bytes. */
#include "tests/unit/formats.h"
#include "formats/output.h"
#include "formats/text.h"
#include "tests/unit/test.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

char *golden_path(struct arena *a, const char *name)
{
    const char *root = getenv("BANTAM_GOLDEN");

    return path_join(a, root ? root : "tests/golden", name);
}

char *bad_path(struct arena *a, const char *name)
{
    return arena_printf(a, "%s/../bad/%s", golden_path(a, "."), name);
}

struct model *open_golden(const char *name)
{
    struct arena a = {0};
    struct fail f = {0};
    struct model *m;

    m = model_open(golden_path(&a, name), &f);
    if (!m)
        test_failed(__FILE__, __LINE__, "%s: %s", name, f.text);
    arena_release(&a);
    return m;
}

char *memory_file(struct arena *a, const void *bytes, size_t n, int *fd)
{
    *fd = memfd_create("test", MFD_CLOEXEC);
    if (*fd < 0 || write(*fd, bytes, n) != (ssize_t)n)
        test_failed(__FILE__, __LINE__, "no file in memory");
    return arena_printf(a, "/proc/self/fd/%d", *fd);
}

double sum_of_rows(struct model *m)
{
    struct arena tmp = {0};
    struct fail f = {0};
    double sum = 0;

    for (size_t i = 0; i < m->ntensors; i++) {
        const struct tensor *t = &m->tensor[i];
        const float *x = model_rows_f32(m, t, 0, tensor_rows(t), &tmp, &f);

        for (uint64_t k = 0; x && k < tensor_weights(t); k++)
            sum += isfinite(x[k]) ? (double)x[k] : 0;
        arena_reset(&tmp);
    }
    arena_release(&tmp);
    return sum;
}

bool has_weights(struct model *m, const char *name, const char *type, uint64_t n)
{
    const struct tensor *t = model_tensor(m, name);
    struct arena tmp = {0};
    struct fail f = {0};
    const float *x = NULL;
    bool same;

    if (!t || strcmp(t->type->name, type) != 0 || tensor_weights(t) != n || !(x = model_rows_f32(m, t, 0, tensor_rows(t), &tmp, &f))) {
        test_failed(__FILE__, __LINE__, "tensor %s: %s, %" PRIu64 " weights", name, t ? t->type->name : "absent",
                    t ? tensor_weights(t) : 0);
        return false;
    }
    same = true;
    for (uint64_t k = 0; k < n; k++)
        if (fabs((double)x[k] - ((double)(k % 7) - 3)) > 0.02) {        /* q8_0 is not exact */
            test_failed(__FILE__, __LINE__, "tensor %s: weight %" PRIu64 " is %g", name, k, (double)x[k]);
            same = false;
            break;
        }
    arena_release(&tmp);
    return same;
}

bool has_tensors(struct model *m)
{
    return m->ntensors == 7 && has_weights(m, "f32", "f32", 15) && has_weights(m, "f16", "f16", 24)
        && has_weights(m, "f64", "f64", 3) && has_weights(m, "i8", "i8", 24) && has_weights(m, "i32", "i32", 7)
        && has_weights(m, "bf16", "bf16", 24) && has_weights(m, "q8_0", "q8_0", 128);
}

/* ---- refused inputs ---- */

/* The sentence and the hint, with the directory of bad inputs taken out. */
static char *told(struct arena *a, const struct fail *f, const char *root)
{
    char *text = arena_printf(a, "%s\n%s%s%s", f->text, f->hint[0] ? "hint: " : "", f->hint, f->hint[0] ? "\n" : ""), *at;

    while ((at = strstr(text, root)))
        memmove(at, at + strlen(root), strlen(at + strlen(root)) + 1);
    return text;
}

static bool refuse(struct arena *a, const char *root, const char *name)
{
    struct fail f = {0};
    struct model *m = model_open(path_join(a, root, name), &f);
    char *txt = arena_printf(a, "%s/%s.txt", root, name), *want;

    if (m || f.kind != FAIL_INPUT || !f.where[0]) {
        test_failed(__FILE__, __LINE__, "%s: %s", name, m ? "accepted" : f.text);
        model_close(m);
        return false;
    }
    if (getenv("BLESS"))
        return file_write(txt, told(a, &f, root), strlen(told(a, &f, root)), &(struct fail){0}) == 0;
    want = file_read_text(txt, 2000, a, NULL, &(struct fail){0});
    if (want && strcmp(told(a, &f, root), want) == 0)
        return true;
    test_failed(__FILE__, __LINE__, "%s: told \"%s\", expected \"%s\"", name, told(a, &f, root), want ? want : "(no .txt)");
    return false;
}

TEST(formats_bad_inputs_are_refused_with_their_sentence)
{
    struct arena a = {0};
    char *root = bad_path(&a, "formats/");
    DIR *d = opendir(root);
    const struct dirent *e;
    int n = 0, refused = 0;

    CHECK(d);
    while ((e = readdir(d)))
        if (e->d_name[0] != '.' && !ends_with(e->d_name, ".txt")) {
            n++;
            refused += refuse(&a, root, e->d_name);
        }
    closedir(d);
    CHECK_U64(refused, n);
    CHECK(n > 80);
    arena_release(&a);
}

/* ---- damaged golden files ---- */

static const char *const golden[] = {
    "formats/types.gguf", "formats/version2.gguf", "formats/aligned.gguf", "formats/nested.gguf",
    "formats/types.safetensors", "formats/odd.safetensors",
};
enum { NGOLDEN = sizeof golden / sizeof *golden };

/* Opens n bytes as a model of `format`, reads all of it, and says whether it was accepted. */
static bool open_bytes(const struct format *format, const uint8_t *bytes, size_t n, struct fail *f)
{
    struct arena a = {0};
    int fd;
    char *path = memory_file(&a, bytes, n, &fd);
    struct model *m = format->open(path, f);

    if (m)
        sum_of_rows(m);
    model_close(m);
    close(fd);
    arena_release(&a);
    return m != NULL;
}

static const struct format *format_of(const char *name)
{
    return format_named(ends_with(name, ".gguf") ? "gguf" : "safetensors");
}

/* Where the last tensor ends: GGUF may pad behind it, and without the padding nothing is missing. */
static size_t data_end(const char *path)
{
    struct fail f = {0};
    struct model *m = model_open(path, &f);
    uint64_t end = 0;

    for (size_t i = 0; m && i < m->ntensors; i++)
        if (m->tensor[i].offset + tensor_bytes(&m->tensor[i]) > end)
            end = m->tensor[i].offset + tensor_bytes(&m->tensor[i]);
    model_close(m);
    return end ? (size_t)end : SIZE_MAX;
}

TEST(formats_no_prefix_is_accepted)
{
    for (int i = 0; i < NGOLDEN; i++) {
        struct arena a = {0};
        struct fail f = {0};
        size_t n, end = data_end(golden_path(&a, golden[i]));
        char *bytes = file_read_text(golden_path(&a, golden[i]), 1 << 20, &a, &n, &f);

        CHECK(bytes);
        for (size_t cut = 0; cut < n && cut < end; cut++) {
            struct fail why = {0};

            if (open_bytes(format_of(golden[i]), (const uint8_t *)bytes, cut, &why))
                test_failed(__FILE__, __LINE__, "%s is accepted when cut after %zu bytes", golden[i], cut);
            else if (why.kind != FAIL_INPUT || !why.text[0])
                test_failed(__FILE__, __LINE__, "%s cut after %zu bytes: %s", golden[i], cut, why.text);
        }
        arena_release(&a);
    }
}

/* Each byte becomes something else in four ways: refused or accepted, but nothing worse. */
TEST(formats_flipped_bytes_do_no_harm)
{
    static const uint8_t flip[] = { 0x01, 0x80, 0xff, 0x20 };

    for (int i = 0; i < NGOLDEN; i++) {
        struct arena a = {0};
        struct fail f = {0};
        size_t n;
        char *bytes = file_read_text(golden_path(&a, golden[i]), 1 << 20, &a, &n, &f);

        CHECK(bytes);
        for (size_t at = 0; at < n; at++)
            for (size_t k = 0; k < sizeof flip; k++) {
                struct fail why = {0};

                bytes[at] = (char)(bytes[at] ^ flip[k]);
                if (!open_bytes(format_of(golden[i]), (const uint8_t *)bytes, n, &why) && why.kind != FAIL_INPUT)
                    test_failed(__FILE__, __LINE__, "%s byte %zu: %s", golden[i], at, why.text);
                bytes[at] = (char)(bytes[at] ^ flip[k]);
            }
        arena_release(&a);
    }
}

/* ---- finding the model ---- */

TEST(formats_are_found_by_name)
{
    CHECK_STR(format_of_output("x.gguf")->name, "gguf");
    CHECK_STR(format_of_output("x.safetensors")->name, "safetensors");
    CHECK_STR(format_of_output("some/dir")->name, "safetensors");
    CHECK(!format_named("onnx"));
}

TEST(formats_dangling_link_is_an_incomplete_download)
{
    struct arena a = {0};
    struct fail f = {0};
    char dir[] = "/tmp/bantam-formats-XXXXXX", *link;

    CHECK(mkdtemp(dir));
    link = path_join(&a, dir, "model.safetensors");
    CHECK(symlink("../../blobs/gone", link) == 0);
    CHECK(!model_open(dir, &f));
    CHECK(f.kind == FAIL_INPUT);
    CHECK_STR(f.text, "is a link to a file that does not exist");
    unlink(link);
    rmdir(dir);
    arena_release(&a);
}

TEST(formats_name_what_does_not_exist)
{
    struct fail f = {0};

    CHECK(!model_open("hf:no-such-owner/name", &f));
    CHECK(f.kind == FAIL_INPUT);
    f = (struct fail){0};
    CHECK(!model_open("/nonexistent/model.gguf", &f));
    CHECK(f.kind == FAIL_INPUT);
}
