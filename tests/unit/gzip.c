/* gzip.c - plain and packed texts read alike; bombs and damage are refused. */
#include "formats/gzip.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

static char path[] = "/tmp/bantam-gzip-XXXXXX";

/* Packs `text` as one member behind what the file holds. */
static void pack(const char *mode, const char *text, size_t n)
{
    gzFile to = gzopen(path, mode);

    gzwrite(to, text, (unsigned)n);
    gzclose(to);
}

TEST(gzip_reads_plain_packed_and_joined_texts)
{
    struct arena a = {0};
    struct fail f = {0};
    size_t n = 0;
    int fd = mkstemp(path);
    char *text;

    CHECK(fd >= 0 && write(fd, "plain", 5) == 5 && close(fd) == 0);
    text = gzip_read_text(path, 100, &a, &n, &f);
    CHECK(text && n == 5 && strcmp(text, "plain") == 0);
    pack("wb", "first ", 6);
    pack("ab", "second", 6);
    text = gzip_read_text(path, 100, &a, &n, &f);
    CHECK(text && n == 12 && strcmp(text, "first second") == 0);
    pack("wb", (const char[1000]){ 0 }, 1000);
    CHECK(gzip_read_text(path, 1000, &a, &n, &f) && n == 1000);
    CHECK(!gzip_read_text(path, 999, &a, &n, &f) && f.kind == FAIL_INPUT);
    unlink(path);
    arena_release(&a);
}

TEST(gzip_refuses_bombs_and_cut_streams)
{
    enum { ZEROS = 10 << 20 };
    struct arena a = {0};
    struct fail f = {0};
    char *zeros = calloc(1, ZEROS);
    size_t n;

    strcpy(path + strlen(path) - 6, "XXXXXX");
    CHECK(close(mkstemp(path)) == 0);
    pack("wb", zeros, ZEROS);
    CHECK(!gzip_read_text(path, 1 << 20, &a, &n, &f) && f.kind == FAIL_INPUT);
    CHECK_STR(f.text, "holds more than 1048576 bytes of text when unpacked");
    CHECK(truncate(path, 5000) == 0);
    f = (struct fail){0};
    CHECK(!gzip_read_text(path, ZEROS, &a, &n, &f) && f.kind == FAIL_INPUT);
    CHECK(strncmp(f.text, "is damaged or cut short", 23) == 0);
    unlink(path);
    free(zeros);
    arena_release(&a);
}
