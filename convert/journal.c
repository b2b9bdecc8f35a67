/* journal.c - see journal.h. */
#include "convert/journal.h"

#include "formats/file.h"
#include "formats/output.h"
#include "formats/usage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "bantam-journal1\n"

struct journal_head {
    char magic[16];             /* without the NUL */
    XXH128_canonical_t digest;
};

struct record {
    uint64_t chunk, hash, check;
};
_Static_assert(sizeof(struct record) == 24, "a record is 24 bytes on disk");

static uint64_t record_check(const struct journal *j, uint64_t chunk, uint64_t hash)
{
    struct { uint64_t chunk, hash; XXH128_canonical_t digest; } all = { chunk, hash, j->digest };

    return XXH3_64bits(&all, sizeof all);
}

static bool take_record(struct journal *j, const struct record *r)
{
    if (r->check != record_check(j, r->chunk, r->hash))
        return false;
    if (r->chunk == JOURNAL_ALL) {
        j->all_written = true;
    } else if (r->chunk < j->nchunks) {
        j->hash[r->chunk] = r->hash;
        j->listed[r->chunk] = true;
    }
    return true;
}

/* A torn record may stand anywhere, a run having died there and another gone on behind it: bytes are skipped until a
 * record's own hash agrees again. */
static void read_records(struct journal *j, uint64_t end)
{
    struct arena tmp = {0};
    uint64_t n = end > sizeof(struct journal_head) ? end - sizeof(struct journal_head) : 0;
    uint8_t *bytes = arena_raw(&tmp, n);
    struct record r;

    n = fd_read(j->fd, bytes, n, sizeof(struct journal_head));
    for (uint64_t at = 0; at + sizeof r <= n;) {
        memcpy(&r, bytes + at, sizeof r);
        at += take_record(j, &r) ? sizeof r : 1;
    }
    arena_release(&tmp);
}

int journal_read(struct journal *j, const char *out, struct arena *a, struct fail *f)
{
    struct journal_head head;
    struct stat st;
    uint64_t n;

    j->hash = arena_array(a, uint64_t, j->nchunks);
    j->listed = arena_array(a, bool, j->nchunks);
    j->fd = open(j->path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
    if (j->fd < 0 && errno == ENOENT)
        return 0;
    if (j->fd >= 0 && file_lock(j->fd, out, f) != 0)
        return -1;
    if (j->fd < 0 || fstat(j->fd, &st))
        return fail_errno(f, "the journal cannot be read"), fail_in(f, j->path);
    if (st.st_nlink == 0) {         /* the run we waited for has ended well and taken its journal away */
        close(j->fd);
        j->fd = -1;
        return 0;
    }
    /* The journal of a run that died while it made it is a beginning of ours, or empty. */
    n = fd_read(j->fd, &head, sizeof head, 0);
    if (memcmp(head.magic, MAGIC, n < sizeof head.magic ? n : sizeof head.magic) != 0) {
        fail(f, FAIL_USAGE, "is in the way: it is no journal of bantam's");
        fail_in(f, j->path);
        return fail_hint(f, "move it away, or write to another name");
    }
    j->resumed = n == sizeof head && memcmp(&head.digest, &j->digest, sizeof j->digest) == 0;
    if (j->resumed)
        read_records(j, (uint64_t)st.st_size);
    return 0;
}

int journal_start(struct journal *j, struct fail *f)
{
    struct journal_head head = { .magic = MAGIC, .digest = j->digest };

    if (j->fd < 0)
        j->fd = open(j->path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
    if (j->fd < 0 || flock(j->fd, LOCK_EX | LOCK_NB) || ftruncate(j->fd, 0) ||
        write(j->fd, &head, sizeof head) != (ssize_t)sizeof head || fsync(j->fd)) {
        fail_errno(f, "the journal cannot be written");
        return fail_in(f, j->path);
    }
    return 0;
}

int journal_append(struct journal *j, uint64_t chunk, uint64_t hash, struct fail *f)
{
    struct record r = { chunk, hash, record_check(j, chunk, hash) };

    if (getenv("BANTAM_TEST_KILL") && write(j->fd, &r, sizeof r / 2) == (ssize_t)sizeof r / 2)
        reach("journal");       /* a torn record; when this run lives on, the whole one follows it */
    if (write(j->fd, &r, sizeof r) == (ssize_t)sizeof r)
        return 0;
    fail_errno(f, "the journal cannot be written");
    return fail_in(f, j->path);
}
