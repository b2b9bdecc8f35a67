/* write.c - plan the files, copy rows, journal chunks: the only parallel loop of a conversion.
 *
 * The output is cut into chunks: whole rows of one tensor, or several small tensors that lie side by side. Any thread
 * makes any chunk and writes it at its place. Then it appends a record to OUT.part.journal, in one write():
 *
 *     head    "bantam-journal1\n"   digest of everything that decides the bytes (XXH3-128)
 *     record  u64 chunk   u64 XXH3 of the chunk's bytes   u64 XXH3 of those two and the digest
 *     record  u64 ~0 ...                                  all chunks were written, renaming may have begun
 *
 * The journal is created before the first .part: a .part without a journal is somebody else's file. A run that finds a
 * journal with its own digest reads back each chunk it lists and keeps those whose hash agrees; torn or foreign records
 * fail their own hash and count for nothing. File heads are written when all else is there, so no .part looks finished. */
#include "convert/write.h"

#include "formats/file.h"
#include "formats/usage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define MAGIC "bantam-journal1\n"
#define ALL_WRITTEN UINT64_MAX

enum {
    CHUNK_WEIGHTS = 1 << 20,    /* weights of a chunk, or one row if that is longer */
    BATCH_BYTES = 1 << 18,      /* tensors up to this size share a chunk... */
    BATCH_GAP = 4096            /* ...when there is no more than this between them */
};

/* Bytes [offset, offset + nbytes) of a file: rows [row, row + nrows) of one tensor, or `ntensors` whole ones that follow each other. */
struct chunk {
    size_t tensor, ntensors;
    uint64_t row, nrows;
    unsigned file;
    uint64_t offset, nbytes;
    uint64_t hash;
    bool listed;                /* the journal has a hash for it */
};

struct journal_head {
    char magic[16];             /* without the NUL */
    XXH128_canonical_t digest;
};

struct record {
    uint64_t chunk, hash, check;
};
_Static_assert(sizeof(struct record) == 24, "a record is 24 bytes on disk");

struct journal {
    const char *path;
    int fd;
    XXH128_canonical_t digest;
    bool resumed;               /* it was there, with our digest */
    bool all_written;
};

struct out_file {
    struct output output;
    bool open;
    bool finished;              /* an earlier run has renamed it */
};

struct writing {
    struct model *model;
    const struct write_options *options;
    struct plan plan;
    struct chunk *chunk;
    size_t nchunks, cap;
    struct out_file *file;
    bool in_place;              /* OUT is a device: no journal, one thread, in order */
    struct journal journal;
    bool started, made_dir;     /* from `started` on, OUT.part, journal and directory are ours */
    uint64_t done, resumed;     /* bytes */
    uint64_t failed_at;         /* the lowest chunk that failed */
    omp_lock_t telling;
    double told;                /* when progress was last told */
    struct arena arena;
};

/* ---- chunks ---- */
static struct chunk *add_chunk(struct writing *w)
{
    w->chunk = arena_grow(&w->arena, w->chunk, &w->cap, w->nchunks + 1, sizeof *w->chunk);
    w->chunk[w->nchunks] = (struct chunk){0};
    return &w->chunk[w->nchunks++];
}

/* Does small tensor i continue the batch that the last chunk is? */
static struct chunk *batch_for(const struct writing *w, size_t i)
{
    struct chunk *last = w->nchunks ? &w->chunk[w->nchunks - 1] : NULL;
    const struct plan_tensor *at = &w->plan.tensor[i];
    uint64_t nbytes = tensor_bytes(&w->model->tensor[i]);

    if (!last || last->ntensors == 0 || last->file != at->file || at->offset < last->offset + last->nbytes ||
        at->offset - (last->offset + last->nbytes) > BATCH_GAP || at->offset + nbytes - last->offset > BATCH_BYTES)
        return NULL;
    return last;
}

static void cut_small(struct writing *w, size_t i)
{
    const struct plan_tensor *at = &w->plan.tensor[i];
    struct chunk *c = batch_for(w, i);

    if (!c) {
        c = add_chunk(w);
        *c = (struct chunk){ .tensor = i, .file = at->file, .offset = at->offset };
    }
    c->ntensors = i + 1 - c->tensor;        /* empty tensors in between are of the batch, and add nothing */
    c->nbytes = at->offset + tensor_bytes(&w->model->tensor[i]) - c->offset;
}

uint64_t write_rows_at_once(const struct tensor *t)
{
    uint64_t rows = tensor_rows(t), step = CHUNK_WEIGHTS / (tensor_row(t) ? tensor_row(t) : 1);

    step = step ? step : 1;
    return rows < step ? rows : step;
}

static void cut_large(struct writing *w, size_t i)
{
    const struct tensor *t = &w->model->tensor[i];
    const struct plan_tensor *at = &w->plan.tensor[i];
    uint64_t rows = tensor_rows(t), step = write_rows_at_once(t);

    for (uint64_t row = 0; row < rows; row += step) {
        uint64_t n = rows - row < step ? rows - row : step;
        struct chunk *c = add_chunk(w);
        *c = (struct chunk){ .tensor = i, .row = row, .nrows = n, .file = at->file,
                             .offset = at->offset + row * tensor_row_bytes(t), .nbytes = n * tensor_row_bytes(t) };
    }
}

static void cut_chunks(struct writing *w)
{
    for (size_t i = 0; i < w->model->ntensors; i++) {
        uint64_t nbytes = tensor_bytes(&w->model->tensor[i]);
        if (nbytes > BATCH_BYTES)
            cut_large(w, i);
        else if (nbytes)
            cut_small(w, i);
    }
}

/* The bytes of a chunk, in tmp or in the model's map. NULL: see *f. */
static const void *make_chunk(struct writing *w, const struct chunk *c, struct arena *tmp, struct fail *f)
{
    uint8_t *bytes;

    if (!c->ntensors)
        return model_rows(w->model, &w->model->tensor[c->tensor], c->row, c->nrows, tmp, f);
    bytes = arena_alloc(tmp, c->nbytes);
    for (size_t i = c->tensor; i < c->tensor + c->ntensors; i++) {
        const struct tensor *t = &w->model->tensor[i];
        uint64_t nbytes = tensor_bytes(t);
        const void *rows = nbytes ? model_rows(w->model, t, 0, tensor_rows(t), tmp, f) : NULL;
        if (nbytes && !rows)
            return NULL;
        if (nbytes)
            memcpy(bytes + (w->plan.tensor[i].offset - c->offset), rows, nbytes);
    }
    return bytes;
}

/* ---- the journal ---- */
static void digest_text(XXH3_state_t *x, const char *s)
{
    XXH3_128bits_update(x, s ? s : "", strlen(s ? s : "") + 1);
}

static void digest_u64(XXH3_state_t *x, uint64_t u)
{
    XXH3_128bits_update(x, &u, sizeof u);
}

static void digest_sources(XXH3_state_t *x, const struct model *m)
{
    for (size_t i = 0; i < m->nfiles; i++) {
        struct stat st = {0};
        digest_text(x, m->file[i].path);
        if (stat(m->file[i].path, &st) == 0) {
            digest_u64(x, (uint64_t)st.st_size);
            digest_u64(x, (uint64_t)st.st_mtim.tv_sec);
            digest_u64(x, (uint64_t)st.st_mtim.tv_nsec);
        }
    }
    for (size_t i = 0; i < m->ntensors; i++)
        digest_text(x, m->tensor[i].name);
}

/* Of all that decides the bytes: the program, the sources, the plan, and what the caller adds as `salt`. */
static XXH128_canonical_t digest_all(const struct writing *w)
{
    XXH3_state_t *x = XXH3_createState();
    XXH128_canonical_t out;

    XXH3_128bits_reset(x);
    digest_text(x, BANTAM_VERSION);
    digest_u64(x, w->options->salt);
    digest_sources(x, w->model);
    for (size_t i = 0; i < w->plan.nfiles; i++) {
        const struct plan_file *p = &w->plan.file[i];
        digest_text(x, p->path);
        digest_u64(x, p->nbytes);
        XXH3_128bits_update(x, p->head, p->head_nbytes);
    }
    for (size_t i = 0; i < w->options->nextra; i++) {
        digest_text(x, w->options->extra[i].name);
        XXH3_128bits_update(x, w->options->extra[i].bytes, w->options->extra[i].n);
    }
    for (size_t i = 0; i < w->nchunks; i++) {
        digest_u64(x, w->chunk[i].offset);
        digest_u64(x, w->chunk[i].nbytes);
    }
    XXH128_canonicalFromHash(&out, XXH3_128bits_digest(x));
    XXH3_freeState(x);
    return out;
}

static uint64_t record_check(const struct journal *j, uint64_t chunk, uint64_t hash)
{
    struct { uint64_t chunk, hash; XXH128_canonical_t digest; } all = { chunk, hash, j->digest };

    return XXH3_64bits(&all, sizeof all);
}

static void take_record(struct writing *w, const struct record *r)
{
    if (r->check != record_check(&w->journal, r->chunk, r->hash))
        return;
    if (r->chunk == ALL_WRITTEN) {
        w->journal.all_written = true;
    } else if (r->chunk < w->nchunks) {
        w->chunk[r->chunk].hash = r->hash;
        w->chunk[r->chunk].listed = true;
    }
}

static ssize_t read_fully(int fd, void *to, size_t n, off_t offset)
{
    size_t got = 0;

    while (got < n) {
        ssize_t k = pread(fd, (uint8_t *)to + got, n - got, offset + (off_t)got);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            break;
        got += (size_t)k;
    }
    return (ssize_t)got;
}

/* A torn record may stand anywhere, a run having died there and another gone on behind it: bytes are skipped until a
 * record's own hash agrees again. */
static void read_records(struct writing *w, off_t end)
{
    struct arena tmp = {0};
    size_t n = end > (off_t)sizeof(struct journal_head) ? (size_t)end - sizeof(struct journal_head) : 0;
    uint8_t *bytes = arena_raw(&tmp, n);
    struct record r;

    n = (size_t)read_fully(w->journal.fd, bytes, n, sizeof(struct journal_head));
    for (size_t at = 0; at + sizeof r <= n;) {
        memcpy(&r, bytes + at, sizeof r);
        bool whole = r.check == record_check(&w->journal, r.chunk, r.hash);
        take_record(w, &r);
        at += whole ? sizeof r : 1;
    }
    arena_release(&tmp);
}

/* Opens and locks the journal of an earlier run and reads what it says; changes nothing. No journal: nothing happens. */
static int read_journal(struct writing *w, struct fail *f)
{
    struct journal *j = &w->journal;
    struct journal_head head;
    struct stat st;
    ssize_t n;

    j->fd = open(j->path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
    if (j->fd < 0 && errno == ENOENT)
        return 0;
    if (j->fd >= 0 && file_lock(j->fd, w->plan.out, f) != 0)
        return -1;
    if (j->fd < 0 || fstat(j->fd, &st) || (n = read_fully(j->fd, &head, sizeof head, 0)) < 0)
        return fail_errno(f, "the journal cannot be read"), fail_in(f, j->path);
    if (st.st_nlink == 0) {         /* the run we waited for has ended well and taken its journal away */
        close(j->fd);
        j->fd = -1;
        return 0;
    }
    /* The journal of a run that died while it made it is a beginning of ours, or empty. */
    if (memcmp(head.magic, MAGIC, (size_t)n < sizeof head.magic ? (size_t)n : sizeof head.magic) != 0) {
        fail(f, FAIL_USAGE, "is in the way: it is no journal of bantam's");
        fail_in(f, j->path);
        return fail_hint(f, "move it away, or write to another name");
    }
    j->resumed = n == (ssize_t)sizeof head && memcmp(&head.digest, &j->digest, sizeof j->digest) == 0;
    if (j->resumed)
        read_records(w, st.st_size);
    return 0;
}

/* Makes the journal, or empties that of another command. */
static int start_journal(struct journal *j, struct fail *f)
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

static int append_record(struct writing *w, uint64_t chunk, uint64_t hash, struct fail *f)
{
    struct journal *j = &w->journal;
    struct record r = { chunk, hash, record_check(j, chunk, hash) };

    if (w->in_place)
        return 0;
    if (getenv("BANTAM_TEST_KILL") && write(j->fd, &r, sizeof r / 2) == (ssize_t)sizeof r / 2)
        reach("journal");       /* a torn record; when this run lives on, the whole one follows it */
    if (write(j->fd, &r, sizeof r) == (ssize_t)sizeof r)
        return 0;
    fail_errno(f, "the journal cannot be written");
    return fail_in(f, j->path);
}

/* ---- what is there already ---- */
static bool chunk_agrees(const struct chunk *c, int fd, struct arena *tmp)
{
    void *bytes = arena_raw(tmp, c->nbytes);

    return read_fully(fd, bytes, c->nbytes, (off_t)c->offset) == (ssize_t)c->nbytes &&
           XXH3_64bits(bytes, c->nbytes) == c->hash;
}

/* Is the file under its final name the one that an earlier run of this command made whole? */
static bool is_ours(const struct writing *w, size_t file)
{
    const struct plan_file *p = &w->plan.file[file];
    struct arena tmp = {0};
    struct stat st;
    int fd;
    bool ours;

    if (!w->journal.all_written)
        return false;
    fd = open(p->path, O_RDONLY | O_CLOEXEC);
    ours = fd >= 0 && fstat(fd, &st) == 0 && (uint64_t)st.st_size == p->nbytes;
    if (ours) {
        void *head = arena_raw(&tmp, p->head_nbytes);
        ours = read_fully(fd, head, p->head_nbytes, 0) == (ssize_t)p->head_nbytes &&
               memcmp(head, p->head, p->head_nbytes) == 0;
    }
    for (size_t i = 0; i < w->nchunks && ours; i++)
        if (w->chunk[i].file == file) {
            arena_reset(&tmp);
            ours = w->chunk[i].listed && chunk_agrees(&w->chunk[i], fd, &tmp);
        }
    if (fd >= 0)
        close(fd);
    arena_release(&tmp);
    return ours;
}

static int refuse_existing(const char *path, struct fail *f)
{
    fail(f, FAIL_USAGE, "exists already");
    fail_in(f, path);
    return fail_hint(f, "--force replaces it, when the new one is complete");
}

/* Without a journal, a .part is somebody else's. */
static int refuse_foreign_part(const char *part, struct fail *f)
{
    fail(f, FAIL_USAGE, "is in the way, and no journal says that it is bantam's");
    fail_in(f, part);
    return fail_hint(f, "move it away, or write to another name");
}

/* A directory may be there if it is empty but for what a killed run has left. */
static int look_into_directory(const struct writing *w, struct fail *f)
{
    DIR *dir = opendir(w->plan.out);
    struct dirent *e;

    while (dir && (e = readdir(dir)) != NULL && !failed(f)) {
        size_t n = strlen(e->d_name);
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && (n < 5 || strcmp(e->d_name + n - 5, ".part") != 0))
            refuse_existing(w->plan.out, f);
    }
    if (dir)
        closedir(dir);
    return failed(f) ? -1 : 0;
}

static bool spared(const struct writing *w, const char *path, struct fail *f)
{
    return w->options->over_source || model_spared(w->model, path, f) == 0;
}

/* Files that were renamed before a run was killed are left as they are; any other is in the way unless `force`. */
static int look_for_existing(struct writing *w, struct fail *f)
{
    struct arena tmp = {0};

    if (spared(w, w->plan.out, f) && w->plan.out_is_dir && !w->options->force && !w->journal.resumed)
        look_into_directory(w, f);
    for (size_t i = 0; i < w->plan.nfiles && !failed(f) && spared(w, w->plan.file[i].path, f); i++) {
        const char *path = w->plan.file[i].path, *part = arena_printf(&tmp, "%s.part", path);
        if (w->journal.fd < 0 && path_exists(part))
            refuse_foreign_part(part, f);
        w->file[i].finished = path_exists(path) && !path_exists(part) && is_ours(w, i);
        if (!w->file[i].finished && path_exists(path) && !w->options->force)
            refuse_existing(path, f);
    }
    arena_release(&tmp);
    return failed(f) ? -1 : 0;
}

/* ---- the loop ---- */
static void tell_progress(struct writing *w, bool last)
{
    const struct progress *p = &w->options->progress;

    if (!p->fn || !(last || omp_test_lock(&w->telling)))
        return;
    double t = seconds_now();
    if (last || t - w->told > 0.2) {
        w->told = t;
        p->fn(p->ctx, __atomic_load_n(&w->done, __ATOMIC_RELAXED), w->plan.nbytes);
    }
    if (!last)
        omp_unset_lock(&w->telling);
}

static int write_chunk(struct writing *w, size_t i, struct arena *tmp, struct fail *f)
{
    struct chunk *c = &w->chunk[i];
    struct output *out = &w->file[c->file].output;
    const void *bytes;

    if (w->file[c->file].finished || (c->listed && chunk_agrees(c, out->fd, tmp))) {
        __atomic_add_fetch(&w->resumed, c->nbytes, __ATOMIC_RELAXED);
        return 0;
    }
    bytes = make_chunk(w, c, tmp, f);
    if (!bytes || output_write(out, bytes, c->nbytes, c->offset, f) != 0)
        return -1;
    reach("chunk");
    if (append_record(w, i, XXH3_64bits(bytes, c->nbytes), f) != 0)
        return -1;
    reach("record");
    return 0;
}

/* Chunks are handed out in order, so when one fails all below it are done or being done: the failure of the lowest is
 * the same whatever the timing. */
static int write_chunks(struct writing *w, struct fail *f)
{
    w->failed_at = UINT64_MAX;
    #pragma omp parallel if (!w->in_place)
    {
        struct arena tmp = {0};

        #pragma omp for schedule(dynamic, 1)
        for (size_t i = 0; i < w->nchunks; i++) {
            struct fail mine = {0};
            if (i > __atomic_load_n(&w->failed_at, __ATOMIC_RELAXED))
                continue;
            if (write_chunk(w, i, &tmp, &mine) == 0) {
                __atomic_add_fetch(&w->done, w->chunk[i].nbytes, __ATOMIC_RELAXED);
            } else {
                #pragma omp critical (write_failed)
                if (i < w->failed_at) {
                    *f = mine;
                    __atomic_store_n(&w->failed_at, i, __ATOMIC_RELAXED);
                }
            }
            arena_reset(&tmp);
            tell_progress(w, false);
        }
        arena_release(&tmp);
    }
    return failed(f) ? -1 : 0;
}

static int open_outputs(struct writing *w, struct fail *f)
{
    if (w->plan.nfiles > 1 && !w->journal.resumed && space_check(w->plan.out, w->plan.nbytes, f) != 0)
        return -1;
    for (size_t i = 0; i < w->plan.nfiles; i++) {
        const struct plan_file *p = &w->plan.file[i];
        if (w->file[i].finished)
            continue;
        if (output_open(&w->file[i].output, p->path, p->nbytes, !w->journal.resumed, &w->arena, f) != 0)
            return -1;
        w->file[i].open = true;
    }
    return 0;
}

static int write_heads(struct writing *w, struct fail *f)
{
    for (size_t i = 0; i < w->plan.nfiles; i++) {
        const struct plan_file *p = &w->plan.file[i];
        if (w->file[i].open && output_write(&w->file[i].output, p->head, p->head_nbytes, 0, f) != 0)
            return -1;
    }
    return 0;
}

static int write_extras(struct writing *w, struct fail *f)
{
    struct arena tmp = {0};

    for (size_t i = 0; i < w->options->nextra && !failed(f); i++) {
        const struct plan_extra *x = &w->options->extra[i];
        file_write(path_join(&tmp, w->plan.out, x->name), x->bytes, x->n, f);
    }
    arena_release(&tmp);
    return failed(f) ? -1 : 0;
}

/* All files are safe on disk before the first gets its name. */
static int sync_all(struct writing *w, struct fail *f)
{
    for (size_t i = 0; i < w->plan.nfiles && !w->in_place; i++)
        if (w->file[i].open && fsync(w->file[i].output.fd)) {
            fail_errno(f, "cannot be synced");
            return fail_in(f, w->file[i].output.part);
        }
    return 0;
}

static int commit(struct writing *w, struct fail *f)
{
    for (size_t i = 0; i < w->plan.nfiles; i++) {
        if (!w->file[i].open)
            continue;
        w->file[i].open = false;
        if (output_commit(&w->file[i].output, f) != 0)
            return -1;
        reach("rename");
    }
    return 0;
}

static int write_all(struct writing *w, struct fail *f)
{
    if (open_outputs(w, f) != 0)
        return -1;
    reach("plan");
    if (write_chunks(w, f) != 0 || write_heads(w, f) != 0)
        return -1;
    reach("head");
    if (sync_all(w, f) != 0)
        return -1;
    if (append_record(w, ALL_WRITTEN, 0, f) != 0)
        return -1;
    reach("commit");
    if (write_extras(w, f) != 0 || commit(w, f) != 0)
        return -1;
    reach("done");
    w->done = w->plan.nbytes;
    tell_progress(w, true);
    return 0;
}

/* ---- beginning and end ---- */
static bool is_device(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

static int make_directory(struct writing *w, struct fail *f)
{
    if (!w->plan.out_is_dir || path_is_dir(w->plan.out))
        return 0;
    w->made_dir = mkdir(w->plan.out, 0777) == 0;
    if (w->made_dir)
        return 0;
    fail_errno(f, "the directory cannot be made");
    return fail_in(f, w->plan.out);
}

static const char *journal_path(struct writing *w)
{
    const char *out = w->plan.out;
    size_t n = strlen(out);

    while (n > 1 && out[n - 1] == '/')
        n--;
    return arena_printf(&w->arena, "%.*s.part.journal", (int)n, out);
}

/* Takes away what nobody needs: the journal after success; all of it when this command had done nothing yet, or when
 * the input is at fault, which it will be the next time too. Only files that this command made are touched. */
static void clean_up(struct writing *w, const struct fail *f)
{
    bool nothing_yet = !w->journal.resumed && w->done == 0;

    if (failed(f) && (w->journal.all_written || !(nothing_yet || f->kind == FAIL_INPUT)))
        return;
    for (size_t i = 0; i < w->plan.nfiles && w->file; i++)
        if (w->file[i].open)
            unlink(w->file[i].output.part);
    unlink(w->journal.path);
    if (failed(f) && w->made_dir)
        rmdir(w->plan.out);
}

static void end(struct writing *w, const struct fail *f)
{
    if (w->started)
        clean_up(w, f);
    for (size_t i = 0; i < w->plan.nfiles && w->file; i++)
        if (w->file[i].open)
            output_abandon(&w->file[i].output);
    if (w->journal.fd >= 0)
        close(w->journal.fd);
    omp_destroy_lock(&w->telling);
    plan_release(&w->plan);
    arena_release(&w->arena);
}

static int write_planned(struct writing *w, struct fail *f)
{
    w->in_place = !w->plan.out_is_dir && is_device(w->plan.out);
    w->file = arena_array(&w->arena, struct out_file, w->plan.nfiles);
    cut_chunks(w);
    w->journal.path = journal_path(w);
    w->journal.digest = digest_all(w);
    if (w->in_place)
        return write_all(w, f);
    if (read_journal(w, f) != 0 || look_for_existing(w, f) != 0)
        return -1;
    if (!w->journal.resumed && start_journal(&w->journal, f) != 0)
        return -1;
    w->started = true;
    if (make_directory(w, f) != 0)
        return -1;
    return write_all(w, f);
}

int model_write(struct model *m, const struct write_options *options, struct write_result *result, struct fail *f)
{
    struct writing w = { .model = m, .options = options, .journal = { .fd = -1 } };
    double began = seconds_now();

    if (!m)
        return -1;
    omp_init_lock(&w.telling);
    int bad = options->format->plan(m, options->out, &options->plan, &w.plan, f);
    if (bad == 0)
        bad = write_planned(&w, f);
    if (bad == 0 && result)
        *result = (struct write_result){ .nbytes = w.plan.nbytes, .resumed_nbytes = w.resumed, .nfiles = w.plan.nfiles,
                                         .seconds = seconds_now() - began };
    end(&w, f);
    return bad;
}
