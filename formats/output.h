/* output.h - files that are written as OUT.part, synced, and renamed when they are complete. */
#ifndef BANTAM_OUTPUT_H
#define BANTAM_OUTPUT_H

#include "formats/arena.h"
#include "formats/fail.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* FAIL_SYSTEM when the file system that holds PATH (or will) has less than nbytes free. */
int space_check(const char *path, uint64_t nbytes, struct fail *);

/* One output file: written as "PATH.part" at any offset by any thread, then synced and renamed. */
struct output {
    const char *path;           /* final name, in the arena given to output_open */
    const char *part;           /* where the bytes are now */
    int fd;
    uint64_t nbytes;            /* as planned */
    bool fresh;                 /* nothing but holes was there when it was opened: zeros need not be written */
};

/* Opens (and keeps the contents of) PATH.part, locks it against a second run (flock), sets its size; with `fresh`
 * its old contents are dropped. Checks free space for what is not yet allocated: FAIL_SYSTEM names what is missing.
 * Many files at once: space_check() their sum first. SIGXFSZ must be ignored (tools/ does) for EFBIG to arrive here.
 * PATH may be an existing non-regular file such as /dev/full: then it is written in place, in order of offsets. */
int output_open(struct output *, const char *path, uint64_t nbytes, bool fresh, struct arena *, struct fail *);
/* Thread-safe. Zeros stay a hole in a new file: weights that are holes in a sparse source take no room in the result either. */
int output_write(struct output *, const void *bytes, uint64_t n, uint64_t offset, struct fail *);
/* Has the disk begin with bytes [from, to), which all are written, while others are made: the sync at the end then finds little left to do.
 * A page that goes on behind `to` is left to the range that starts there, for it would be written twice, or wait for the sync. */
void output_start(const struct output *, uint64_t from, uint64_t to);
int output_commit(struct output *, struct fail *);      /* fsync, rename, fsync of the directory; closes */
void output_abandon(struct output *);                   /* closes, and leaves PATH.part for the next run */

/* Locks an open file against other runs until it is closed. Waits up to two seconds: a run that was just killed takes a
 * moment to die. Then FAIL_SYSTEM says that another run is writing `path`. */
int file_lock(int fd, const char *path, struct fail *);

/* The folder that PATH lies in, and those above it, where they are not there yet. FAIL_SYSTEM. */
int make_dirs(const char *path, struct fail *f);

/* A whole small file, by the same road: PATH.part, sync, rename. */
int file_write(const char *path, const void *bytes, size_t n, struct fail *);

#endif
