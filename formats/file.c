/* file.c - see file.h. */
#include "formats/file.h"
#include "formats/text.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the formats are little-endian and so are the hosts: cursor_*() and the blocks of quant/ copy bytes as they are"
#endif

/* ---- descriptors ---- */

uint64_t fd_read(int fd, void *to, uint64_t n, uint64_t offset)
{
    uint64_t done = 0;

    while (done < n) {
        ssize_t some = pread(fd, (uint8_t *)to + done, n - done, (off_t)(offset + done));

        if (some == 0)
            errno = ENODATA;
        else if (some > 0)
            done += (uint64_t)some;
        if (some == 0 || (some < 0 && errno != EINTR))
            break;
    }
    return done;
}

uint64_t fd_write(int fd, const void *from, uint64_t n, uint64_t offset)
{
    uint64_t done = 0;

    while (done < n) {
        ssize_t some = pwrite(fd, (const uint8_t *)from + done, n - done, (off_t)(offset + done));

        if (some > 0)
            done += (uint64_t)some;
        else if (some == 0 || errno != EINTR)
            break;
    }
    return done;
}

/* ---- read-only maps ---- */

enum {
    HEADER_NBYTES = 16 << 20,   /* room for the vocabularies of today: 256,000 pieces take 7 MB */
    READ_NBYTES = 8 << 20,      /* a chunk of a conversion with some to spare */
};

/* The descriptor of a regular file and its size, or -1. */
static int open_regular(const char *path, uint64_t *nbytes, struct fail *f)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);     /* a pipe must not make us wait for its writer */
    struct stat st;

    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        fail(f, FAIL_INPUT, "does not exist");      /* a wrong name, not a fault of the system */
        return fail_in(f, path);
    }
    if (fd < 0) {
        fail_errno(f, "cannot be opened");
        return fail_in(f, path);
    }
    if (fstat(fd, &st))
        fail_errno(f, "cannot be examined");
    else if (S_ISDIR(st.st_mode))
        fail(f, FAIL_INPUT, "is a directory, a file was expected");
    else if (!S_ISREG(st.st_mode))
        fail(f, FAIL_INPUT, "is a pipe or a device, a regular file was expected");
    if (failed(f)) {
        close(fd);
        return fail_in(f, path);
    }
    *nbytes = (uint64_t)st.st_size;
    return fd;
}

/* What `git clone` leaves when git-lfs is missing: three lines in place of the file. */
static int refuse_pointer(const void *bytes, uint64_t n, struct fail *f)
{
    static const char start[] = "version https://git-lfs";

    if (n < sizeof start - 1 || memcmp(bytes, start, sizeof start - 1) != 0)
        return 0;
    fail(f, FAIL_INPUT, "was not downloaded: it is a git-lfs pointer of %" PRIu64 " bytes", n);
    return fail_hint(f, "run 'git lfs pull' in its directory, or download the file again");
}

/* How much of a file of n bytes is mapped: all of it, unless a limit on address space (`ulimit -v`) says that the model may not
 * take so much of it. Then it is the header that matters, and rows are read. */
static uint64_t to_map(uint64_t n)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || n <= limit.rlim_cur / 16)
        return n;
    return n < HEADER_NBYTES ? n : HEADER_NBYTES;
}

static int open_map(struct file *file, const char *path, bool in_part, struct fail *f)
{
    static const uint8_t nothing[1];
    const void *map = nothing;
    uint64_t nbytes = 0;
    int fd = open_regular(path, &nbytes, f);

    *file = (struct file){0};
    if (fd < 0)
        return -1;
    uint64_t mapped = in_part ? to_map(nbytes) : nbytes;
    if (nbytes)
        map = mmap(NULL, mapped, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        fail_errno(f, "cannot be mapped into memory");
        close(fd);
        return fail_in(f, path);
    }
    if (!in_part) {
        close(fd);
        fd = -1;
    }
    *file = (struct file){ .path = strdup(path), .data = map, .nbytes = nbytes, .mapped = mapped, .fd = fd };
    if (!file->path)
        arena_exhausted(strlen(path));
    if (refuse_pointer(map, mapped, f)) {
        file_close(file);
        return fail_in(f, path);
    }
    return 0;
}

int file_open(struct file *file, const char *path, struct fail *f)
{
    return open_map(file, path, false, f);
}

int file_open_weights(struct file *file, const char *path, struct fail *f)
{
    return open_map(file, path, true, f);
}

int file_refuse_empty(const struct file *file, struct fail *f)
{
    if (file->nbytes == 0) {
        fail(f, FAIL_INPUT, "is empty");
        fail_hint(f, "download the file again");
    }
    return fail_in(f, file->path), failed(f) ? -1 : 0;
}

void file_close(struct file *file)
{
    if (file->mapped) {
        munmap((void *)file->data, file->mapped);
        if (file->fd >= 0)
            close(file->fd);
    }
    free((void *)file->path);
    *file = (struct file){0};
}

/* Pages of a map that somebody read. */
struct range {
    uint8_t *pages, *map;
    size_t n, mapped;
};

/* A fault maps neighbors too, which whoever read them has let go before: of files that lie in the page cache in large pieces up to 2 MB. So
 * from time to time everything goes; who is still reading faults once more. */
static void let_go(void *data, size_t n)
{
    static size_t passed;
    const struct range *r = data;

    madvise(r->pages, n, MADV_DONTNEED);
    if (__atomic_add_fetch(&passed, n, __ATOMIC_RELAXED) < FILE_TRIM_NBYTES)
        return;
    __atomic_store_n(&passed, 0, __ATOMIC_RELAXED);
    madvise(r->map, r->mapped, MADV_DONTNEED);
}

static const uint8_t *read_range(const struct file *file, uint64_t offset, uint64_t n, struct arena *tmp)
{
    uint8_t *to = arena_raw(tmp, n);

    if (fd_read(file->fd, to, n, offset) != n)
        raise(SIGBUS);
    return to;
}

/* Weights are read a chunk at a time, which leaves them in the cache: quantizing to Q8_0 takes 10 to 15 % less CPU time than
 * with mapped pages, to Q3_K_S 5 %, from a cold disk no less. More than that at once stays where it is: in pages that one call populates
 * and that are dropped afterwards. */
const uint8_t *file_range(const struct file *file, uint64_t offset, uint64_t n, struct arena *tmp)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), first = offset / page * page;
    uint8_t *pages = (uint8_t *)file->data + first;

    assert(offset <= file->nbytes && n <= file->nbytes - offset);
    if (n == 0)
        return file->data;
    if (offset + n > file->mapped || (file->fd >= 0 && n <= READ_NBYTES))
        return read_range(file, offset, n, tmp);
#ifdef MADV_POPULATE_READ
    madvise(pages, offset + n - first, MADV_POPULATE_READ);     /* older kernels refuse: then pages fault in one by one */
#endif
    struct range *r = arena_new(tmp, struct range);
    *r = (struct range){ .pages = pages, .n = offset + n - first, .map = (uint8_t *)file->data, .mapped = file->mapped };
    arena_on_reset(tmp, let_go, r, r->n);
    return file->data + offset;
}

char *file_read_text(const char *path, uint64_t limit, struct arena *a, size_t *n, struct fail *f)
{
    uint64_t nbytes = 0;
    char *text = NULL;
    int fd = open_regular(path, &nbytes, f);

    if (fd < 0)
        return NULL;
    if (nbytes > limit) {
        fail(f, FAIL_INPUT, "has %" PRIu64 " bytes, more than the %" PRIu64 " that such a file may have", nbytes, limit);
    } else {
        text = arena_raw(a, nbytes + 1);
        text[nbytes] = 0;
        if (fd_read(fd, text, nbytes, 0) != nbytes)
            errno == ENODATA ? fail(f, FAIL_SYSTEM, "became shorter while it was read") : fail_errno(f, "cannot be read");
        if (failed(f) || refuse_pointer(text, nbytes, f))
            text = NULL;
    }
    close(fd);
    fail_in(f, path);
    if (n)
        *n = nbytes;
    return text;
}

bool path_exists(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0;
}

bool path_is_dir(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool path_same(const char *a, const char *b)
{
    struct stat one, other;

    return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

char *path_join(struct arena *a, const char *dir, const char *name)
{
    size_t n = strlen(dir);

    if (n == 0)
        return arena_strdup(a, name);
    return arena_printf(a, "%s%s%s", dir, dir[n - 1] == '/' ? "" : "/", name);
}

const char *path_base(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

char *path_dir(struct arena *a, const char *path)
{
    const char *base = path_base(path);

    if (base == path)
        return arena_strdup(a, ".");
    return arena_copy(a, path, base - path == 1 ? 1 : (size_t)(base - path) - 1);
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int path_list(const char *dir, const char *end, struct arena *a, const char ***name, size_t *n, struct fail *f)
{
    DIR *d = opendir(dir);
    const struct dirent *e;
    size_t cap = 0;

    *name = NULL;
    *n = 0;
    if (!d)
        return fail_errno(f, "cannot be listed"), fail_in(f, dir);
    while ((e = readdir(d)))
        if (e->d_name[0] != '.' && ends_with(e->d_name, end)) {
            *name = arena_grow(a, *name, &cap, *n + 1, sizeof **name);
            (*name)[(*n)++] = arena_strdup(a, e->d_name);
        }
    closedir(d);
    if (*n)
        qsort(*name, *n, sizeof **name, by_bytes);
    return 0;
}

const char **dir_names(const char *dir, struct arena *a, size_t *n)
{
    struct fail missing = {0};
    const char **name;

    path_list(dir, "", a, &name, n, &missing);
    return name;
}

/* ---- the cursor ---- */

struct cursor cursor_at(const uint8_t *data, uint64_t nbytes)
{
    return (struct cursor){ .data = data, .nbytes = nbytes };
}

bool cursor_ok(const struct cursor *c)
{
    return !c->over;
}

uint64_t cursor_left(const struct cursor *c)
{
    return c->over ? 0 : c->nbytes - c->at;
}

const uint8_t *cursor_bytes(struct cursor *c, uint64_t n)
{
    const uint8_t *p = c->data + c->at;

    if (c->over || n > c->nbytes - c->at) {
        c->over = true;
        return NULL;
    }
    c->at += n;
    return p;
}

#define CURSOR_READ(type)                               \
    type value = 0;                                     \
    const uint8_t *p = cursor_bytes(c, sizeof value);   \
    if (p)                                              \
        memcpy(&value, p, sizeof value);                \
    return value

uint8_t cursor_u8(struct cursor *c) { CURSOR_READ(uint8_t); }
uint32_t cursor_u32(struct cursor *c) { CURSOR_READ(uint32_t); }
uint64_t cursor_u64(struct cursor *c) { CURSOR_READ(uint64_t); }
