/* states.h - the hidden states of all tokens of several streams between two layers, in memory or in a file.
 *
 * Tokens come in groups that pass a layer together. Of each group the store knows how many layers it has passed. When the states do not
 * fit in memory they live in the file PATH, in slots of one size; a group's new states go to a free slot before its old one is
 * given up, and only then a line about it to PATH.journal. So a run that is killed at any moment is continued by the next run
 * with the same digest: every group from the last layer that it has passed whole. When everything fits in memory, the same file is
 * written now and then. Both files are removed at the end, and none is made for a short run.
 *
 *     PATH            slot 0 | slot 1 | ...        n x width floats each, of any stream and group
 *     PATH.journal    header, then records of 32 bytes: see states.c */
#ifndef BANTAM_STATES_H
#define BANTAM_STATES_H

#include "formats/arena.h"
#include "formats/fail.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct states;

struct states_options {
    size_t streams, groups;             /* groups of each stream */
    size_t group_floats;                /* of the largest group */
    bool spill;                         /* in the file all the time */
    const char *path;                   /* NULL: nothing is kept for a next run, and a spill file is anonymous, in $TMPDIR */
    const char *digest;                 /* what the run depends on; a journal with another one is begun anew. Copied; NULL: without a path */
    double seconds;                     /* between two savings when states are in memory */
};

/* Takes up what an earlier run has left. The path is borrowed until states_close(). Another run with that path: FAIL_SYSTEM. NULL: see *f. */
struct states *states_open(const struct states_options *, struct fail *);

/* Closes; `keep`: what is in the files stays for the next run, otherwise they are removed. NULL is fine. */
void states_close(struct states *, bool keep);

/* How many steps group g of a stream has passed (the embedding is the first); 0 at the start. */
size_t states_passed(const struct states *, size_t stream, size_t group);

/* n floats of group g from number `first` on: in memory, or read into `tmp`. NULL: see *f. */
float *states_get(struct states *, size_t stream, size_t group, size_t first, size_t n, struct arena *tmp, struct fail *);

/* The whole of group g after step `passed`: n floats at x, which in memory may be what states_get() gave. */
int states_put(struct states *, size_t stream, size_t group, size_t passed, const float *x, size_t n, struct fail *);

/* Numbers that the next run finds again: one for each key. */
int states_note(struct states *, uint32_t key, double value, struct fail *);
bool states_noted(const struct states *, uint32_t key, double *value);      /* by an earlier run */

/* Nothing but the notes will be needed any more: frees the memory and the room on disk. */
int states_keep_notes(struct states *, struct fail *);

/* In memory: writes the groups to the file if it is time. */
int states_save(struct states *, struct fail *);

bool states_resumed(const struct states *);

#endif
