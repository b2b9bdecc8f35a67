/* file.h - read-only maps, a cursor that cannot leave them, and names of files.
 *
 * A cursor is a position in bytes from outside. Each cursor_*() checks the end first; after the first overrun it
 * returns zeros and cursor_ok() is false, so a parser reads a whole record and checks once.
 * Lifetime: what cursor_bytes() returns belongs to the map. Threads: a map may be read by many, a cursor by one. */
#ifndef BANTAM_FILE_H
#define BANTAM_FILE_H

#include "formats/arena.h"
#include "formats/fail.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- checked arithmetic on sizes from outside: false when the result does not fit ---- */
static inline bool mul_u64(uint64_t a, uint64_t b, uint64_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

static inline bool add_u64(uint64_t a, uint64_t b, uint64_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

/* The next multiple of `unit`; n + unit must fit. */
static inline uint64_t round_up(uint64_t n, uint64_t unit)
{
    return (n + unit - 1) / unit * unit;
}

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* ---- a descriptor: n bytes at an offset, in as many calls as it takes ---- */
/* The number of bytes done; fewer than n: errno says why, ENODATA being the end of the file. */
uint64_t fd_read(int fd, void *to, uint64_t n, uint64_t offset);
uint64_t fd_write(int fd, const void *from, uint64_t n, uint64_t offset);

/* ---- a read-only file ---- */
struct file {
    const char *path;           /* owned */
    const uint8_t *data;        /* PROT_READ; not NULL even when the file is empty */
    uint64_t nbytes;
    uint64_t mapped;            /* bytes of `data`: all, or fewer as file_open_weights() says */
    int fd;                     /* of a file of weights; -1: none */
};

/* Maps a regular file. Fails (FAIL_SYSTEM for the OS; FAIL_INPUT for a name that does not exist, a
 * directory, pipe or device, and for a git-lfs pointer in place of the file). A file that is
 * cut short while mapped would raise SIGBUS: tools/ turns that into status 3. */
int file_open(struct file *, const char *path, struct fail *);

/* The same for a file of weights: its descriptor stays open, as file_range() reads rather than maps. Where `ulimit -v` leaves less
 * address space than the file is long, only its first bytes are mapped, enough for a header. */
int file_open_weights(struct file *, const char *path, struct fail *);
int file_refuse_empty(const struct file *, struct fail *);      /* FAIL_INPUT for one without a byte */
void file_close(struct file *);

enum { FILE_TRIM_NBYTES = 32 << 20 };   /* what stays resident of maps that were read, about, and at most */

/* [offset, offset + n), for rows: of a file of weights read into `tmp`, unless it is much; else in the map, made resident in one
 * system call and let go again when `tmp` is reset, so that resident memory does not grow with what has been read. The range must
 * lie in the file (asserted). Should reading fail, SIGBUS is raised, as a map would. */
const uint8_t *file_range(const struct file *, uint64_t offset, uint64_t n, struct arena *tmp);

/* The whole of a small text file into `a`, NUL-terminated; larger than `limit`: FAIL_INPUT. *n may be NULL. */
char *file_read_text(const char *path, uint64_t limit, struct arena *a, size_t *n, struct fail *);

bool path_exists(const char *path);
bool path_is_dir(const char *path);
bool path_same(const char *a, const char *b);         /* both exist and are one file, through whatever links */
char *path_join(struct arena *, const char *dir, const char *name);

/* Names of the files in a directory that end with `end`, in order, hidden ones left out, in `a`; *n of them. FAIL_SYSTEM. */
int path_list(const char *dir, const char *end, struct arena *a, const char ***name, size_t *n, struct fail *f);
const char *path_base(const char *path);        /* behind the last '/' */
char *path_dir(struct arena *, const char *path);       /* before it; "." when there is none */

/* path_list() of all names; a directory that is not there or may not be listed has none. */
const char **dir_names(const char *dir, struct arena *, size_t *n);

/* ---- the cursor ---- */
struct cursor {
    const uint8_t *data;
    uint64_t nbytes, at;
    bool over;
};

struct cursor cursor_at(const uint8_t *data, uint64_t nbytes);
bool cursor_ok(const struct cursor *);
uint64_t cursor_left(const struct cursor *);
uint8_t cursor_u8(struct cursor *);
uint32_t cursor_u32(struct cursor *);
uint64_t cursor_u64(struct cursor *);
const uint8_t *cursor_bytes(struct cursor *, uint64_t n);       /* NULL when fewer are left */

#endif
