#include "formats/file.h"
#include "formats/output.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <unistd.h>

static struct fail f;
static char dir[64];

/* A fresh directory per test; leave() removes what the tests below create. */
static void enter(void)
{
    f = (struct fail){0};
    strcpy(dir, "/tmp/bantam-file-XXXXXX");
    if (!mkdtemp(dir))
        test_failed(__FILE__, __LINE__, "no directory");
}

static void leave(void)
{
    static const char *const names[] = { "out", "out.part", "in" };
    struct arena a = {0};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(path_join(&a, dir, names[i]));
    rmdir(dir);
    arena_release(&a);
}

TEST(cursor_refuses_overrun)
{
    static const uint8_t bytes[] = { 1, 3, 0, 0, 0, 4, 0, 0 };
    struct cursor c = cursor_at(bytes, sizeof bytes);

    CHECK_U64(cursor_u8(&c), 1);
    CHECK_U64(cursor_u32(&c), 3);
    CHECK_U64(cursor_left(&c), 3);
    CHECK(cursor_ok(&c));
    CHECK_U64(cursor_u32(&c), 0);
    CHECK(!cursor_ok(&c));
    CHECK_U64(cursor_u8(&c), 0);
    CHECK_U64(cursor_left(&c), 0);
    c = cursor_at(bytes, sizeof bytes);
    CHECK(!cursor_bytes(&c, UINT64_MAX));
    CHECK(!cursor_bytes(&c, 0));            /* after an overrun nothing is given */
    c = cursor_at(bytes, 0);
    CHECK(cursor_bytes(&c, 0) && cursor_ok(&c));
}

TEST(path_pieces)
{
    struct arena a = {0};

    CHECK_STR(path_base("a/b/c.gguf"), "c.gguf");
    CHECK_STR(path_base("c.gguf"), "c.gguf");
    CHECK_STR(path_dir(&a, "a/b/c.gguf"), "a/b");
    CHECK_STR(path_dir(&a, "c.gguf"), ".");
    CHECK_STR(path_dir(&a, "/c.gguf"), "/");
    CHECK_STR(path_join(&a, "a", "b"), "a/b");
    CHECK_STR(path_join(&a, "a/", "b"), "a/b");
    CHECK_STR(path_join(&a, "", "b"), "b");
    arena_release(&a);
}

TEST(file_maps_and_lets_go)
{
    struct arena a = {0}, tmp = {0};
    struct file file;
    char *path;
    uint8_t *bytes = arena_alloc(&a, 100000);

    enter();
    path = path_join(&a, dir, "in");
    for (size_t i = 0; i < 100000; i++)
        bytes[i] = (uint8_t)(i * 7);
    CHECK(file_write(path, bytes, 100000, &f) == 0);
    CHECK(file_open(&file, path, &f) == 0);
    CHECK_U64(file.nbytes, 100000);
    for (int round = 0; round < 3; round++) {
        CHECK(memcmp(file_range(&file, 4097, 90000, &tmp), bytes + 4097, 90000) == 0);
        CHECK(memcmp(file_range(&file, 99999, 1, &tmp), bytes + 99999, 1) == 0);
        CHECK(file_range(&file, 100000, 0, &tmp));
        arena_reset(&tmp);
    }
    file_close(&file);
    CHECK(file_write(path, "", 0, &f) == 0);
    CHECK(file_open(&file, path, &f) == 0 && file.data && file.nbytes == 0);
    file_close(&file);
    arena_release(&tmp);
    arena_release(&a);
    leave();
}

static uint64_t resident(void)
{
    FILE *in = fopen("/proc/self/statm", "r");
    unsigned long total = 0, pages = 0;

    if (!in || fscanf(in, "%lu %lu", &total, &pages) != 2)
        pages = 0;
    if (in)
        fclose(in);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* 64 MB read in pieces of one: what has been read must not stay. */
TEST(file_ranges_do_not_pile_up)
{
    enum { MEGABYTE = 1 << 20, PIECES = 64 };
    struct arena a = {0}, tmp = {0};
    struct file file;
    uint64_t before, sum = 0;
    char *path;

    enter();
    path = path_join(&a, dir, "in");
    CHECK(file_write(path, "", 0, &f) == 0);
    CHECK(truncate(path, PIECES * MEGABYTE) == 0);
    CHECK(file_open(&file, path, &f) == 0);
    before = resident();
    for (uint64_t i = 0; i < PIECES; i++) {
        const uint8_t *p = file_range(&file, i * MEGABYTE, MEGABYTE, &tmp);

        for (size_t at = 0; at < MEGABYTE; at += 4096)
            sum += p[at];
        arena_reset(&tmp);
    }
    CHECK_U64(sum, 0);
    CHECK(before > 0 && resident() < before + 16 * MEGABYTE);
    file_close(&file);
    arena_release(&tmp);
    arena_release(&a);
    leave();
}

TEST(file_open_refusals)
{
    struct file file;

    f = (struct fail){0};
    CHECK(file_open(&file, "/nonexistent", &f) == -1 && f.kind == FAIL_INPUT);
    CHECK_STR(f.where, "/nonexistent");
    f = (struct fail){0};
    CHECK(file_open(&file, "/tmp", &f) == -1 && f.kind == FAIL_INPUT);
    CHECK_STR(f.text, "is a directory, a file was expected");
    f = (struct fail){0};
    CHECK(file_open(&file, "/dev/null", &f) == -1 && f.kind == FAIL_INPUT);
    file_close(&file);
}

TEST(file_read_text_is_limited)
{
    struct arena a = {0};
    size_t n;
    char *path;

    enter();
    path = path_join(&a, dir, "in");
    CHECK(file_write(path, "hello", 5, &f) == 0);
    CHECK_STR(file_read_text(path, 5, &a, &n, &f), "hello");
    CHECK_U64(n, 5);
    CHECK(!file_read_text(path, 4, &a, &n, &f));
    CHECK_STR(f.text, "has 5 bytes, more than the 4 that such a file may have");
    arena_release(&a);
    leave();
}

TEST(output_is_part_until_committed)
{
    struct arena a = {0};
    struct output o, second;
    struct fail other = {0};
    char *path;

    enter();
    path = path_join(&a, dir, "out");
    CHECK(output_open(&o, path, 10, true, &a, &f) == 0);
    CHECK(output_write(&o, "world", 5, 5, &f) == 0);
    CHECK(!path_exists(path));
    CHECK(output_open(&second, path, 10, true, &a, &other) == -1 && other.kind == FAIL_SYSTEM);
    CHECK(strstr(other.text, "another run is writing"));
    output_abandon(&o);

    CHECK(output_open(&o, path, 10, false, &a, &f) == 0);       /* goes on with what is there */
    CHECK(output_write(&o, "hello", 5, 0, &f) == 0);
    CHECK(output_commit(&o, &f) == 0);
    CHECK(!path_exists(arena_printf(&a, "%s.part", path)));
    CHECK_STR(file_read_text(path, 10, &a, NULL, &f), "helloworld");

    CHECK(output_open(&o, path, 4, false, &a, &f) == 0);        /* the old file stays until the rename */
    CHECK_STR(file_read_text(path, 10, &a, NULL, &f), "helloworld");
    CHECK(output_commit(&o, &f) == 0);
    CHECK_U64(strlen(file_read_text(path, 10, &a, NULL, &f)), 0);
    CHECK(!failed(&f));
    arena_release(&a);
    leave();
}

TEST(output_keeps_a_part_and_fresh_drops_it)
{
    struct arena a = {0};
    struct output o;
    char *path, *part;

    enter();
    path = path_join(&a, dir, "out");
    part = arena_printf(&a, "%s.part", path);
    CHECK(file_write(part, "0123456789", 10, &f) == 0);
    CHECK(output_open(&o, path, 4, false, &a, &f) == 0);
    output_abandon(&o);
    CHECK_STR(file_read_text(part, 10, &a, NULL, &f), "0123");
    CHECK(output_open(&o, path, 4, true, &a, &f) == 0);
    output_abandon(&o);
    CHECK_STR(file_read_text(part, 10, &a, NULL, &f), "");
    arena_release(&a);
    leave();
}

TEST(output_full_disk)
{
    struct arena a = {0};
    struct output o;
    char *path;

    enter();
    CHECK(output_open(&o, "/dev/full", 100, true, &a, &f) == 0);
    CHECK(output_write(&o, "x", 1, 0, &f) == -1);
    CHECK(f.kind == FAIL_SYSTEM);
    CHECK_STR(f.where, "/dev/full");
    CHECK_STR(f.text, "cannot be written at byte 0 of 100: No space left on device");
    CHECK(f.hint[0]);
    output_abandon(&o);

    f = (struct fail){0};
    path = path_join(&a, dir, "out");
    CHECK(output_open(&o, path, UINT64_C(1) << 52, true, &a, &f) == -1);
    CHECK(f.kind == FAIL_SYSTEM && strstr(f.text, "needs 4503599627370496 more bytes"));
    CHECK(!path_exists(arena_printf(&a, "%s.part", path)));     /* nothing is left behind */
    arena_release(&a);
    leave();
}

TEST(output_refusals)
{
    struct arena a = {0};
    struct output o;

    f = (struct fail){0};
    CHECK(output_open(&o, "/nonexistent/out", 1, true, &a, &f) == -1 && f.kind == FAIL_SYSTEM);
    f = (struct fail){0};
    CHECK(output_open(&o, "/tmp", 1, true, &a, &f) == -1);
    CHECK_STR(f.text, "is a directory, a file was to be written");
    arena_release(&a);
}
