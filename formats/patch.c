/* patch.c - see patch.h. */
#include "formats/patch.h"

#include "formats/file.h"
#include "formats/output.h"
#include "formats/usage.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

static const char MAGIC[8] = { 'B', 'A', 'N', 'T', 'A', 'M', 'U', 'N' };
enum { UNDO_HEAD = sizeof MAGIC + 2 * sizeof(uint64_t), MOST = 1 << 30 };

static char *undo_path(const char *path, struct arena *a)
{
    return arena_printf(a, "%s.undo", path);
}

bool patch_pending(const char *path)
{
    struct arena a = {0};
    bool pending = path_exists(undo_path(path, &a));

    arena_release(&a);
    return pending;
}

static int write_at(int fd, const uint8_t *p, uint64_t n, uint64_t at, struct fail *f)
{
    uint64_t done = fd_write(fd, p, n, at);

    return done == n ? 0 : fail_errno(f, "cannot be written at byte %ju", (uintmax_t)(at + done));
}

/* The first n bytes, synced; half of them first where a test wants to die in between. */
static int overwrite(const char *path, int fd, const uint8_t *bytes, uint64_t n, struct fail *f)
{
    if (write_at(fd, bytes, n / 2, 0, f))
        return fail_in(f, path);
    reach("head");
    if (write_at(fd, bytes + n / 2, n - n / 2, n / 2, f))
        return fail_in(f, path);
    return fsync(fd) ? (fail_errno(f, "cannot be synced"), fail_in(f, path)) : 0;
}

static int open_locked(const char *path, struct fail *f)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return fail_errno(f, "cannot be opened for writing"), fail_in(f, path);
    if (file_lock(fd, path, f)) {
        close(fd);
        return -1;
    }
    return fd;
}

/* ---- the undo file ---- */

static bool undo_is_whole(const struct file *undo)
{
    struct cursor c = cursor_at(undo->data, undo->nbytes);
    const uint8_t *magic = cursor_bytes(&c, sizeof MAGIC);
    uint64_t n = cursor_u64(&c), hash = cursor_u64(&c);

    return magic && memcmp(magic, MAGIC, sizeof MAGIC) == 0 && n == cursor_left(&c) && XXH3_64bits(undo->data + UNDO_HEAD, n) == hash;
}

static int write_undo(const char *path, const char *undo, uint64_t n, struct fail *f)
{
    struct arena a = {0};
    struct file old;
    uint64_t hash;
    uint8_t *bytes;
    int bad = file_open(&old, path, f);

    if (bad)
        return -1;
    if (old.nbytes <= n || n > MOST) {
        bad = fail(f, FAIL_SYSTEM, "has %ju bytes, of which %ju cannot be replaced in place", (uintmax_t)old.nbytes, (uintmax_t)n);
    } else {
        bytes = arena_raw(&a, UNDO_HEAD + n);
        hash = XXH3_64bits(old.data, n);
        memcpy(bytes, MAGIC, sizeof MAGIC);
        memcpy(bytes + sizeof MAGIC, &n, sizeof n);
        memcpy(bytes + sizeof MAGIC + sizeof n, &hash, sizeof hash);
        memcpy(bytes + UNDO_HEAD, old.data, n);
        bad = file_write(undo, bytes, UNDO_HEAD + n, f);
    }
    file_close(&old);
    arena_release(&a);
    return bad;
}

static int remove_undo(const char *undo, struct fail *f)
{
    return unlink(undo) ? fail_errno(f, "'%s' cannot be removed", undo) : 0;
}

int patch_recover(const char *path, struct fail *f)
{
    struct arena a = {0};
    const char *undo = undo_path(path, &a);
    struct file kept;
    int fd = -1, bad;

    if (!path_exists(undo)) {
        arena_release(&a);
        return 0;
    }
    bad = file_open(&kept, undo, f);
    if (!bad) {
        if (undo_is_whole(&kept)) {
            fd = open_locked(path, f);
            bad = fd < 0 || overwrite(path, fd, kept.data + UNDO_HEAD, kept.nbytes - UNDO_HEAD, f);
        }
        file_close(&kept);
    }
    if (!bad)
        bad = remove_undo(undo, f);
    if (fd >= 0)
        close(fd);
    arena_release(&a);
    return bad ? -1 : 0;
}

int patch_head(const char *path, const void *bytes, uint64_t n, struct fail *f)
{
    struct arena a = {0};
    const char *undo = undo_path(path, &a);
    int fd = open_locked(path, f), bad = fd < 0 || write_undo(path, undo, n, f);

    if (!bad) {
        reach("undo");
        bad = overwrite(path, fd, bytes, n, f);
        if (!bad)
            bad = remove_undo(undo, f);
    }
    if (fd >= 0)
        close(fd);
    arena_release(&a);
    return bad ? -1 : 0;
}
