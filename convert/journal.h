/* journal.h - which chunks of an output are written: OUT.part.journal.
 *
 *     head    "bantam-journal1\n"   digest of everything that decides the bytes (XXH3-128)
 *     record  u64 chunk   u64 XXH3 of the chunk's bytes   u64 XXH3 of those two and the digest
 *     record  u64 ~0 ...                                  all chunks were written, renaming may have begun
 *
 * The journal is created before the first .part: a .part without a journal is somebody else's file. Each record is
 * appended in one write(). A run that finds a journal with its own digest goes on with what it lists; torn or foreign
 * records fail their own hash and count for nothing. */
#ifndef BANTAM_JOURNAL_H
#define BANTAM_JOURNAL_H

#include "formats/arena.h"
#include "formats/fail.h"

#include <stdbool.h>
#include <stdint.h>
#include <xxhash.h>

#define JOURNAL_ALL UINT64_MAX  /* stands in a record for all chunks */

struct journal {
    const char *path;
    int fd;                     /* -1: not open */
    XXH128_canonical_t digest;
    uint64_t nchunks;
    uint64_t *hash;             /* nchunks, of those ... */
    bool *listed;               /* ... that an earlier run has written */
    bool resumed;               /* it was there, with our digest */
    bool all_written;
};

/* Opens and locks the journal of an earlier run and reads what it says; path, digest and nchunks are set, fd is -1, the rest
 * zero. Changes no file; no journal: nothing happens. `out` is what a second run would be writing. FAIL_USAGE: a file of
 * another kind is in the way. FAIL_SYSTEM: another run holds the lock. */
int journal_read(struct journal *, const char *out, struct arena *, struct fail *);

/* Makes the journal, or empties that of another command. */
int journal_start(struct journal *, struct fail *);

/* Safe from many threads. */
int journal_append(struct journal *, uint64_t chunk, uint64_t hash, struct fail *);

#endif
