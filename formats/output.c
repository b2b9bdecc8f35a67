/* output.c - see output.h. */
#include "formats/output.h"
#include "formats/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

int space_check(const char *path, uint64_t nbytes, struct fail *f)
{
    struct arena a = {0};
    const char *dir = path_is_dir(path) ? path : path_dir(&a, path);
    struct statvfs v;

    if (statvfs(dir, &v)) {
        fail_errno(f, "its directory cannot be examined");
        fail_in(f, path);
    } else if (v.f_blocks && (uint64_t)v.f_bavail * v.f_frsize < nbytes) {      /* no blocks: it does not tell */
        fail(f, FAIL_SYSTEM, "needs %" PRIu64 " more bytes, but its file system has only %" PRIu64 " free", nbytes,
             (uint64_t)v.f_bavail * v.f_frsize);
        fail_hint(f, "free some space or write to another file system");
        fail_in(f, path);
    }
    arena_release(&a);
    return failed(f) ? -1 : 0;
}

static bool in_place(const struct output *o)
{
    return o->part == o->path;
}

int file_lock(int fd, const char *path, struct fail *f)
{
    enum { TRIES = 40 };
    const struct timespec pause = { .tv_nsec = 50 * 1000 * 1000 };

    for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK; i++) {
        if (i == TRIES) {
            fail(f, FAIL_SYSTEM, "another run is writing '%s'", path);
            return fail_hint(f, "wait until it has ended, or write to another name");
        }
        nanosleep(&pause, NULL);
    }
    return 0;
}

/* Opens and locks PATH.part. Another run may rename it between our open and our lock: what we then hold is the
 * finished file, so look again. */
static int open_part(struct output *o, struct stat *st, struct fail *f)
{
    for (;;) {
        struct stat named;

        o->fd = open(o->part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
        if (o->fd < 0)
            return fail_errno(f, "'%s' cannot be created", o->part);
        if (file_lock(o->fd, o->part, f))
            return -1;
        if (fstat(o->fd, st))
            return fail_errno(f, "'%s' cannot be examined", o->part);
        if (!S_ISREG(st->st_mode))
            return fail(f, FAIL_SYSTEM, "'%s' is in the way: it is not a regular file", o->part);
        if (stat(o->part, &named) == 0 && named.st_ino == st->st_ino && named.st_dev == st->st_dev)
            return 0;
        close(o->fd);
    }
}

static int size_part(struct output *o, bool fresh, struct stat *st, struct fail *f)
{
    uint64_t have;

    if (fresh && (ftruncate(o->fd, 0) || fstat(o->fd, st)))
        return fail_errno(f, "'%s' cannot be emptied", o->part);
    have = (uint64_t)st->st_blocks * 512;
    if (have < o->nbytes && space_check(o->path, o->nbytes - have, f))
        return -1;
    if (ftruncate(o->fd, (off_t)o->nbytes)) {
        fail_errno(f, "'%s' cannot be given its size of %" PRIu64 " bytes", o->part, o->nbytes);
        return errno == EFBIG ? fail_hint(f, "the limit on file sizes (ulimit -f) or the file system forbids it") : -1;
    }
    return 0;
}

int output_open(struct output *o, const char *path, uint64_t nbytes, bool fresh, struct arena *a, struct fail *f)
{
    struct stat st;
    bool existed;
    int bad;

    *o = (struct output){ .path = arena_strdup(a, path), .fd = -1, .nbytes = nbytes };
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        o->part = o->path;
        if (S_ISDIR(st.st_mode))
            fail(f, FAIL_SYSTEM, "is a directory, a file was to be written");
        else if ((o->fd = open(path, O_WRONLY | O_CLOEXEC)) < 0)
            fail_errno(f, "cannot be opened for writing");
        fail_in(f, path);
        return failed(f) ? -1 : 0;
    }
    o->part = arena_printf(a, "%s.part", path);
    existed = path_exists(o->part);
    bad = open_part(o, &st, f) || size_part(o, fresh, &st, f);
    o->fresh = fresh || !existed;
    if (!bad)
        return 0;
    if (o->fd >= 0 && !existed)
        unlink(o->part);
    output_abandon(o);
    return fail_in(f, path);
}

static int write_failed(const struct output *o, uint64_t offset, struct fail *f)
{
    int error = errno;

    fail_errno(f, "cannot be written at byte %" PRIu64 " of %" PRIu64, offset, o->nbytes);
    if (error == ENOSPC || error == EDQUOT)
        fail_hint(f, "free some space and give the same command again: it goes on where this one stopped");
    else if (error == EFBIG)
        fail_hint(f, "the limit on file sizes (ulimit -f) or the file system forbids it");
    return fail_in(f, o->path);
}

static bool all_zero(const uint8_t *p, uint64_t n)
{
    return n && p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

int output_write(struct output *o, const void *bytes, uint64_t n, uint64_t offset, struct fail *f)
{
    const uint8_t *p = bytes;
    uint64_t done;

    assert(in_place(o) || (offset <= o->nbytes && n <= o->nbytes - offset));
    if (o->fresh && all_zero(p, n))
        return 0;
    done = fd_write(o->fd, p, n, offset);
    if (done < n)
        return write_failed(o, offset + done, f);
    return 0;
}

/* What goes wrong on the way the sync at the end tells. */
void output_start(const struct output *o, uint64_t from, uint64_t to)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

    from = from / page * page;
    if (to != o->nbytes)
        to = to / page * page;
    if (to > from)
        sync_file_range(o->fd, (off_t)from, (off_t)(to - from), SYNC_FILE_RANGE_WRITE);
}

static int sync_dir(const char *path, struct fail *f)
{
    struct arena a = {0};
    int fd = open(path_dir(&a, path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    arena_release(&a);
    if (fd < 0)
        return 0;       /* a directory that may be written but not read: the rename stands, only its moment is open */
    if (fsync(fd) && errno != EINVAL)
        fail_errno(f, "its directory cannot be synced");
    close(fd);
    return failed(f) ? -1 : 0;
}

int output_commit(struct output *o, struct fail *f)
{
    if (fsync(o->fd) && !(in_place(o) && errno == EINVAL))
        fail_errno(f, "cannot be synced");
    else if (!in_place(o) && rename(o->part, o->path))
        fail_errno(f, "'%s' cannot be renamed to its final name", o->part);
    output_abandon(o);
    if (!failed(f) && !in_place(o))
        sync_dir(o->path, f);
    fail_in(f, o->path);
    return failed(f) ? -1 : 0;
}

void output_abandon(struct output *o)
{
    if (o->fd >= 0)
        close(o->fd);
    o->fd = -1;
}

int file_write(const char *path, const void *bytes, size_t n, struct fail *f)
{
    struct arena a = {0};
    struct output o;
    int bad = output_open(&o, path, n, true, &a, f);

    if (!bad) {
        bad = output_write(&o, bytes, n, 0, f) || output_commit(&o, f);
        output_abandon(&o);
    }
    arena_release(&a);
    return bad ? -1 : 0;
}

int make_dirs(const char *path, struct fail *f)
{
    struct arena a = {0};
    char *dir = path_dir(&a, path);

    for (char *p = dir + 1; p[-1]; p++)
        if (*p == '/' || *p == 0) {
            char keep = *p;

            *p = 0;
            if (mkdir(dir, 0777) && errno != EEXIST) {
                fail_errno(f, "folder '%s' cannot be made", dir);
                break;
            }
            *p = keep;
            if (!keep)
                break;
        }
    arena_release(&a);
    return failed(f) ? -1 : 0;
}
