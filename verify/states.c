/* states.c - see states.h.
 *
 * The journal, little-endian: a header of 64 bytes (magic, digest, slots, floats of a slot), and records of 32 bytes:
 *
 *     group   kind 1 | stream * groups + group | steps passed | slot | XXH3-64 of the slot's bytes | XXH3-64 of this record
 *     note    kind 2 | key                     | 0            | 0    | a double                    | XXH3-64 of this record
 *     end     kind 3 | 0                       | 0            | 0    | 0                           | XXH3-64 of this record
 *
 * Behind an end no group counts that was written before it.
 */
#include "verify/states.h"

#include "formats/file.h"
#include "formats/output.h"
#include "formats/usage.h"

#include <assert.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

enum { GROUP = 1, NOTE = 2, END = 3 };
enum { SAVE_SHARE = 20 };               /* at most one second in so many is spent with saving */
enum { NOWHERE = UINT32_MAX };

struct header {
    char magic[8];
    char digest[40];
    uint64_t nslots, slot_floats;
};
_Static_assert(sizeof(struct header) == 64, "as the comment says");

struct record {
    uint32_t kind, what, passed, slot;
    uint64_t payload, check;
};
_Static_assert(sizeof(struct record) == 32, "as the comment says");

struct group {
    size_t passed, floats;
    uint32_t slot;                      /* the last one written; NOWHERE: none */
    size_t saved;                       /* steps passed of what lies there */
};

struct note {
    uint32_t key;
    double value;
};

struct states {
    struct states_options options;
    struct group *group;                /* streams x groups */
    size_t ngroups, nslots;
    bool *taken;                        /* of the slots */
    float *memory;                      /* ngroups x group_floats, in `room`; NULL: spilled */
    struct note *note;                  /* those of an earlier run by key, then this one's */
    size_t nnotes, nearlier, notes_cap;
    int fd, journal;                    /* -1: not open yet; an anonymous file has no journal */
    const char *path, *journal_path;
    bool resumed;
    double save_after;                  /* seconds_now() */
    struct arena room;
    struct arena arena;                 /* owns all of the above */
};

static uint64_t slot_nbytes(const struct states *s)
{
    return s->options.group_floats * sizeof(float);
}

/* ---- files ---- */

static int write_fully(const struct states *s, int fd, const void *bytes, uint64_t n, uint64_t at, struct fail *f)
{
    if (fd_write(fd, bytes, n, at) == n)
        return 0;
    fail_errno(f, "the states between two layers cannot be written");
    fail_hint(f, "%llu bytes are needed beside the candidate; --memory N keeps them in memory",
              (unsigned long long)s->nslots * slot_nbytes(s));
    return fail_in(f, s->path);
}

static int read_fully(const struct states *s, int fd, void *bytes, uint64_t n, uint64_t at, struct fail *f)
{
    if (fd_read(fd, bytes, n, at) == n)
        return 0;
    fail_errno(f, "the states between two layers cannot be read");
    return fail_in(f, s->path);
}

static int append(struct states *s, struct record r, struct fail *f)
{
    off_t end;

    if (s->journal < 0)
        return 0;
    r.check = XXH3_64bits(&r, offsetof(struct record, check));
    end = lseek(s->journal, 0, SEEK_END);
    return write_fully(s, s->journal, &r, sizeof r, (uint64_t)end, f);
}

static int append_note(struct states *s, const struct note *n, struct fail *f)
{
    struct record r = { .kind = NOTE, .what = n->key };

    memcpy(&r.payload, &n->value, sizeof r.payload);
    return append(s, r, f);
}

/* A file without a name, for where nothing may be written beside the candidate. */
static int open_anonymous(struct states *s, struct fail *f)
{
    const char *dir = getenv("TMPDIR");
    char *path = arena_printf(&s->arena, "%s/bantam-XXXXXX", dir && *dir ? dir : "/tmp");

    s->path = path;
    if ((s->fd = mkstemp(path)) < 0) {
        fail_errno(f, "a file for the states between two layers cannot be made");
        return fail_in(f, path);
    }
    unlink(path);
    return 0;
}

static int begin_journal(struct states *s, struct fail *f)
{
    struct header h = { .magic = "BANTAMV1", .nslots = s->nslots, .slot_floats = s->options.group_floats };

    snprintf(h.digest, sizeof h.digest, "%s", s->options.digest);
    if (ftruncate(s->journal, 0) != 0 || write_fully(s, s->journal, &h, sizeof h, 0, f) != 0)
        return fail_errno(f, "the journal cannot be begun");
    for (size_t i = 0; i < s->nnotes; i++)
        if (append_note(s, &s->note[i], f) != 0)
            return -1;
    return 0;
}

/* Both files, locked; -1 without a failure: nothing can be written there. */
static int open_named(struct states *s, bool create, struct fail *f)
{
    int flags = O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0);

    s->path = s->options.path;
    s->fd = open(s->path, flags, 0666);
    s->journal = s->fd < 0 ? -1 : open(s->journal_path, flags, 0666);
    if (s->journal < 0) {
        if (s->fd >= 0)
            close(s->fd);
        s->fd = -1;
        return -1;
    }
    return file_lock(s->fd, s->path, f);
}

static int open_files(struct states *s, struct fail *f)
{
    if (s->fd >= 0)
        return 0;
    if (s->options.path && open_named(s, true, f) == 0)
        return space_check(s->path, s->nslots * slot_nbytes(s), f) != 0 ? -1 : begin_journal(s, f);
    return failed(f) ? -1 : open_anonymous(s, f);
}

/* ---- what an earlier run has left ---- */

static bool replay(struct states *s, const struct record *r)
{
    if (r->check != XXH3_64bits(r, offsetof(struct record, check)))
        return false;
    if (r->kind == NOTE) {
        double value;
        memcpy(&value, &r->payload, sizeof value);
        s->note = arena_grow(&s->arena, s->note, &s->notes_cap, s->nnotes + 1, sizeof *s->note);
        s->note[s->nnotes++] = (struct note){ r->what, value };
        return true;
    }
    return r->kind == END || (r->kind == GROUP && r->what < s->ngroups && r->slot < s->nslots);
}

static void forget_groups(struct states *s)
{
    for (size_t i = 0; i < s->ngroups; i++)
        s->group[i] = (struct group){ .slot = NOWHERE };
    memset(s->taken, 0, s->nslots * sizeof *s->taken);
}

/* Group records come in the order of writing: the last one of a group counts. hash: of each group's slot. */
static size_t replay_all(struct states *s, const struct record *record, size_t n, uint64_t *hash)
{
    size_t good = 0;

    for (; good < n && replay(s, &record[good]); good++) {
        const struct record *r = &record[good];
        if (r->kind == END)
            forget_groups(s);
        if (r->kind != GROUP)
            continue;
        struct group *g = &s->group[r->what];
        if (g->slot != NOWHERE)
            s->taken[g->slot] = false;
        *g = (struct group){ .passed = r->passed, .saved = r->passed, .slot = r->slot, .floats = s->options.group_floats };
        s->taken[r->slot] = true;
        hash[r->what] = r->payload;
    }
    return good;
}

/* Every slot that counts holds what its record says; states for memory are read on the way. */
static bool slots_whole(struct states *s, const uint64_t *hash, struct arena *tmp)
{
    for (size_t i = 0; i < s->ngroups; i++) {
        struct group *g = &s->group[i];
        float *to = s->memory ? s->memory + i * s->options.group_floats : arena_raw(tmp, slot_nbytes(s));
        if (g->slot == NOWHERE)
            continue;
        if (fd_read(s->fd, to, slot_nbytes(s), g->slot * slot_nbytes(s)) != slot_nbytes(s) ||
            XXH3_64bits(to, slot_nbytes(s)) != hash[i])
            return false;
        arena_reset(tmp);
    }
    return true;
}

static void forget(struct states *s)
{
    forget_groups(s);
    s->nnotes = s->nearlier = 0;
}

static int by_key(const void *a, const void *b)
{
    const struct note *x = a, *y = b;

    return (x->key > y->key) - (x->key < y->key);
}

static bool take_up(struct states *s, struct arena *tmp)
{
    struct header h;
    off_t end = lseek(s->journal, 0, SEEK_END);
    size_t n = end < (off_t)sizeof h ? 0 : ((size_t)end - sizeof h) / sizeof(struct record), good;
    struct record *record = arena_array(tmp, struct record, n);
    uint64_t *hash = arena_array(tmp, uint64_t, s->ngroups);
    struct fail f = {0};
    struct arena rows = {0};
    bool whole;

    if (!n || read_fully(s, s->journal, &h, sizeof h, 0, &f) != 0 || memcmp(h.magic, "BANTAMV1", 8) != 0 ||
        strncmp(h.digest, s->options.digest, sizeof h.digest) != 0 || h.nslots != s->nslots ||
        h.slot_floats != s->options.group_floats || read_fully(s, s->journal, record, n * sizeof *record, sizeof h, &f) != 0)
        return false;
    good = replay_all(s, record, n, hash);
    whole = good && slots_whole(s, hash, &rows) && ftruncate(s->journal, (off_t)(sizeof h + good * sizeof *record)) == 0;
    arena_release(&rows);
    return whole;
}

static int resume(struct states *s, struct fail *f)
{
    struct arena tmp = {0};
    int bad = 0;

    if (!s->options.path || !path_exists(s->journal_path))
        return 0;
    if (open_named(s, false, f) != 0)
        return failed(f) ? -1 : 0;
    s->resumed = take_up(s, &tmp);
    if (!s->resumed) {
        forget(s);
        bad = begin_journal(s, f);
    }
    s->nearlier = s->nnotes;
    if (s->nnotes)
        qsort(s->note, s->nnotes, sizeof *s->note, by_key);
    arena_release(&tmp);
    return bad;
}

/* ---- opening ---- */

struct states *states_open(const struct states_options *options, struct fail *f)
{
    struct arena arena = {0};
    struct states *s = arena_new(&arena, struct states);

    *s = (struct states){ .options = *options, .fd = -1, .journal = -1, .ngroups = options->streams * options->groups,
                          .save_after = seconds_now() + options->seconds, .arena = arena };
    s->options.digest = arena_strdup(&s->arena, options->digest ? options->digest : "");      /* a journal may be begun when the caller's is gone */
    s->nslots = s->ngroups + 1;
    s->group = arena_array(&s->arena, struct group, s->ngroups);
    s->taken = arena_array(&s->arena, bool, s->nslots);
    forget(s);
    if (!options->spill)
        s->memory = arena_raw(&s->room, s->ngroups * slot_nbytes(s));
    if (options->path)
        s->journal_path = arena_printf(&s->arena, "%s.journal", options->path);
    if (resume(s, f) == 0)
        return s;
    states_close(s, true);
    return NULL;
}

void states_close(struct states *s, bool keep)
{
    if (!s)
        return;
    struct arena arena = s->arena;      /* holds s itself */
    if (s->journal >= 0) {
        if (!keep) {
            unlink(s->journal_path);
            unlink(s->path);
        }
        close(s->journal);
    }
    if (s->fd >= 0)
        close(s->fd);
    arena_release(&s->room);
    arena_release(&arena);
}

bool states_resumed(const struct states *s)
{
    return s->resumed;
}

/* ---- groups ---- */

static size_t index_of(const struct states *s, size_t stream, size_t group)
{
    assert(stream < s->options.streams && group < s->options.groups);
    return stream * s->options.groups + group;
}

size_t states_passed(const struct states *s, size_t stream, size_t group)
{
    return s->group[index_of(s, stream, group)].passed;
}

float *states_get(struct states *s, size_t stream, size_t group, size_t first, size_t n, struct arena *tmp, struct fail *f)
{
    size_t i = index_of(s, stream, group);
    float *to;

    assert(first + n <= s->options.group_floats);
    if (s->memory)
        return s->memory + i * s->options.group_floats + first;
    to = arena_raw(tmp, n * sizeof *to);
    if (s->group[i].slot == NOWHERE)
        return to;                      /* to be filled */
    return read_fully(s, s->fd, to, n * sizeof *to, s->group[i].slot * slot_nbytes(s) + first * sizeof *to, f) == 0 ? to : NULL;
}

/* The states of group i into a free slot, then the record, then the old slot is free. */
static int write_group(struct states *s, size_t i, const float *x, size_t n, struct fail *f)
{
    struct group *g = &s->group[i];
    struct record r = { .kind = GROUP, .what = (uint32_t)i, .passed = (uint32_t)g->passed };
    struct arena tmp = {0};
    int bad;

    while (s->taken[r.slot])
        r.slot++;
    if (n < s->options.group_floats) {          /* slots are written whole, so that they can be checked whole */
        float *all = arena_alloc(&tmp, slot_nbytes(s));
        x = memcpy(all, x, n * sizeof *x);
    }
    r.payload = s->journal >= 0 ? XXH3_64bits(x, slot_nbytes(s)) : 0;
    bad = write_fully(s, s->fd, x, slot_nbytes(s), r.slot * slot_nbytes(s), f) != 0 || append(s, r, f) != 0;
    arena_release(&tmp);
    if (bad)
        return -1;
    s->taken[r.slot] = true;
    if (g->slot != NOWHERE)
        s->taken[g->slot] = false;
    g->slot = r.slot;
    g->saved = g->passed;
    return 0;
}

int states_put(struct states *s, size_t stream, size_t group, size_t passed, const float *x, size_t n, struct fail *f)
{
    size_t i = index_of(s, stream, group);

    s->group[i].passed = passed;
    s->group[i].floats = n;
    if (s->memory) {
        float *to = s->memory + i * s->options.group_floats;
        if (to != x)
            memcpy(to, x, n * sizeof *x);
        return 0;
    }
    return open_files(s, f) != 0 ? -1 : write_group(s, i, x, n, f);
}

int states_save(struct states *s, struct fail *f)
{
    double start = seconds_now();

    reach("layer");
    if (!s->memory || !s->options.path || start < s->save_after)
        return 0;
    if (s->fd < 0 && open_named(s, true, f) != 0)
        return failed(f) ? -1 : (s->options.path = NULL, 0);       /* nothing can be written there: then not */
    if (lseek(s->journal, 0, SEEK_END) == 0 && begin_journal(s, f) != 0)
        return -1;
    for (size_t i = 0; i < s->ngroups; i++)
        if (s->group[i].saved != s->group[i].passed &&
            write_group(s, i, s->memory + i * s->options.group_floats, s->group[i].floats, f) != 0)
            return -1;
    s->save_after = seconds_now() + fmax(s->options.seconds, SAVE_SHARE * (seconds_now() - start));
    return 0;
}

/* ---- notes ---- */

int states_note(struct states *s, uint32_t key, double value, struct fail *f)
{
    s->note = arena_grow(&s->arena, s->note, &s->notes_cap, s->nnotes + 1, sizeof *s->note);
    s->note[s->nnotes++] = (struct note){ key, value };
    return append_note(s, &s->note[s->nnotes - 1], f);
}

bool states_noted(const struct states *s, uint32_t key, double *value)
{
    const struct note wanted = { .key = key }, *found = s->nearlier ? bsearch(&wanted, s->note, s->nearlier, sizeof wanted, by_key) : NULL;

    if (found)
        *value = found->value;
    return found != NULL;
}

int states_keep_notes(struct states *s, struct fail *f)
{
    arena_release(&s->room);
    s->memory = NULL;
    if (s->journal >= 0 && append(s, (struct record){ .kind = END }, f) != 0)
        return -1;
    forget_groups(s);
    if (s->fd >= 0 && ftruncate(s->fd, 0) != 0)
        return fail_errno(f, "the states between two layers cannot be given up"), fail_in(f, s->path);
    return 0;
}
