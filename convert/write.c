/* write.c - copy rows, journal chunks: the only parallel loop of a conversion.
 *
 * The output is cut into chunks (cut.h). Any thread makes any chunk and writes it at its place; then it appends a record to
 * OUT.part.journal (journal.h). A run that finds the journal of an earlier one of the same command reads back each chunk it
 * lists and keeps those whose hash agrees. File heads are written when all else is there, so no .part looks finished. */
#include "convert/write.h"

#include "convert/cut.h"
#include "convert/journal.h"
#include "formats/file.h"
#include "formats/output.h"
#include "formats/usage.h"

#include <dirent.h>
#include <fcntl.h>
#include <omp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

struct out_file {
    struct output output;
    bool open;
    bool finished;              /* an earlier run has renamed it */
};

struct writing {
    struct model *model;
    const struct plan *plan;
    const struct write_options *options;
    struct chunks chunks;
    struct out_file *file;
    bool in_place;              /* OUT is a device: no journal, one thread, in order */
    struct journal journal;
    bool started, made_dir;     /* from `started` on, OUT.part, journal and directory are ours */
    uint64_t done, resumed;     /* bytes */
    uint64_t failed_at;         /* the lowest chunk that failed */
    bool *written;              /* which chunks are ... */
    size_t begun;               /* ... and up to which one without a gap: the disk was told to begin with these */
    omp_lock_t telling;
    double told;                /* when progress was last told */
    struct arena arena;
};

/* ---- what decides the bytes ---- */
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
    for (size_t i = 0; i < w->plan->nfiles; i++) {
        const struct plan_file *p = &w->plan->file[i];
        digest_text(x, p->path);
        digest_u64(x, p->nbytes);
        XXH3_128bits_update(x, p->head, p->head_nbytes);
    }
    for (size_t i = 0; i < w->options->nextra; i++) {
        digest_text(x, w->options->extra[i].name);
        XXH3_128bits_update(x, w->options->extra[i].bytes, w->options->extra[i].n);
    }
    for (size_t i = 0; i < w->chunks.n; i++) {
        digest_u64(x, w->chunks.item[i].offset);
        digest_u64(x, w->chunks.item[i].nbytes);
    }
    XXH128_canonicalFromHash(&out, XXH3_128bits_digest(x));
    XXH3_freeState(x);
    return out;
}

/* ---- what is there already ---- */
static bool chunk_agrees(const struct writing *w, size_t i, int fd, struct arena *tmp)
{
    const struct chunk *c = &w->chunks.item[i];
    void *bytes;

    if (!w->journal.listed[i])
        return false;
    bytes = arena_raw(tmp, c->nbytes);
    return fd_read(fd, bytes, c->nbytes, c->offset) == c->nbytes && XXH3_64bits(bytes, c->nbytes) == w->journal.hash[i];
}

/* Is the file under its final name the one that an earlier run of this command made whole? */
static bool is_ours(const struct writing *w, size_t file)
{
    const struct plan_file *p = &w->plan->file[file];
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
        ours = fd_read(fd, head, p->head_nbytes, 0) == p->head_nbytes &&
               memcmp(head, p->head, p->head_nbytes) == 0;
    }
    for (size_t i = 0; i < w->chunks.n && ours; i++)
        if (w->chunks.item[i].file == file) {
            arena_reset(&tmp);
            ours = chunk_agrees(w, i, fd, &tmp);
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
    DIR *dir = opendir(w->plan->out);
    struct dirent *e;

    while (dir && (e = readdir(dir)) != NULL && !failed(f)) {
        size_t n = strlen(e->d_name);
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && (n < 5 || strcmp(e->d_name + n - 5, ".part") != 0))
            refuse_existing(w->plan->out, f);
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

    if (spared(w, w->plan->out, f) && w->plan->out_is_dir && !w->options->force && !w->journal.resumed)
        look_into_directory(w, f);
    for (size_t i = 0; i < w->plan->nfiles && !failed(f) && spared(w, w->plan->file[i].path, f); i++) {
        const char *path = w->plan->file[i].path, *part = arena_printf(&tmp, "%s.part", path);
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
        p->fn(p->ctx, __atomic_load_n(&w->done, __ATOMIC_RELAXED), w->plan->nbytes);
    }
    if (!last)
        omp_unset_lock(&w->telling);
}

static int write_chunk(struct writing *w, size_t i, struct arena *tmp, struct fail *f)
{
    const struct chunk *c = &w->chunks.item[i];
    struct output *out = &w->file[c->file].output;
    const void *bytes;

    if (w->file[c->file].finished || (w->journal.resumed && chunk_agrees(w, i, out->fd, tmp))) {
        __atomic_add_fetch(&w->resumed, c->nbytes, __ATOMIC_RELAXED);
        return 0;
    }
    bytes = chunk_bytes(w->model, &w->chunks, i, tmp, f);
    if (!bytes || output_write(out, bytes, c->nbytes, c->offset, f) != 0)
        return -1;
    reach("chunk");
    if (!w->in_place && journal_append(&w->journal, i, XXH3_64bits(bytes, c->nbytes), f) != 0)
        return -1;
    reach("record");
    return 0;
}

/* Chunk i is written. */
static void start_chunks(struct writing *w, size_t i)
{
    const struct chunk *c = w->chunks.item;
    size_t first, until;

    #pragma omp critical(write_started)
    {
        w->written[i] = true;
        for (first = until = w->begun; until < w->chunks.n && w->written[until]; until++)
            ;
        w->begun = until;
    }
    for (size_t last; first < until; first = last + 1) {
        for (last = first; last + 1 < until && c[last + 1].file == c[first].file; last++)
            ;
        if (w->file[c[first].file].open)
            output_start(&w->file[c[first].file].output, c[first].offset, c[last].offset + c[last].nbytes);
    }
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
        for (size_t i = 0; i < w->chunks.n; i++) {
            struct fail mine = {0};
            if (i > __atomic_load_n(&w->failed_at, __ATOMIC_RELAXED))
                continue;
            if (write_chunk(w, i, &tmp, &mine) == 0) {
                __atomic_add_fetch(&w->done, w->chunks.item[i].nbytes, __ATOMIC_RELAXED);
                start_chunks(w, i);
            }
            fail_lowest(f, &w->failed_at, i, &mine);
            arena_reset(&tmp);
            tell_progress(w, false);
        }
        arena_release(&tmp);
    }
    return failed(f) ? -1 : 0;
}

static int open_outputs(struct writing *w, struct fail *f)
{
    if (w->plan->nfiles > 1 && !w->journal.resumed && space_check(w->plan->out, w->plan->nbytes, f) != 0)
        return -1;
    for (size_t i = 0; i < w->plan->nfiles; i++) {
        const struct plan_file *p = &w->plan->file[i];
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
    for (size_t i = 0; i < w->plan->nfiles; i++) {
        const struct plan_file *p = &w->plan->file[i];
        if (!w->file[i].open)
            continue;
        if (output_write(&w->file[i].output, p->head, p->head_nbytes, 0, f) != 0)
            return -1;
        output_start(&w->file[i].output, 0, p->head_nbytes);
    }
    return 0;
}

static int write_extras(struct writing *w, struct fail *f)
{
    struct arena tmp = {0};

    for (size_t i = 0; i < w->options->nextra && !failed(f); i++) {
        const struct plan_extra *x = &w->options->extra[i];
        const char *path = path_join(&tmp, w->plan->out, x->name);
        if (make_dirs(path, f) == 0)
            file_write(path, x->bytes, x->n, f);
    }
    arena_release(&tmp);
    return failed(f) ? -1 : 0;
}

/* All files are safe on disk before the first gets its name. */
static int sync_all(struct writing *w, struct fail *f)
{
    for (size_t i = 0; i < w->plan->nfiles && !w->in_place; i++)
        if (w->file[i].open && fsync(w->file[i].output.fd)) {
            fail_errno(f, "cannot be synced");
            return fail_in(f, w->file[i].output.part);
        }
    return 0;
}

static int commit(struct writing *w, struct fail *f)
{
    for (size_t i = 0; i < w->plan->nfiles; i++) {
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
    omp_pause_resource_all(omp_pause_soft);     /* or threads turn round for some milliseconds, looking for work, while the disk is waited for */
    if (sync_all(w, f) != 0)
        return -1;
    if (!w->in_place && journal_append(&w->journal, JOURNAL_ALL, 0, f) != 0)
        return -1;
    reach("commit");
    if (write_extras(w, f) != 0 || commit(w, f) != 0)
        return -1;
    reach("done");
    w->done = w->plan->nbytes;
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
    if (!w->plan->out_is_dir || path_is_dir(w->plan->out))
        return 0;
    w->made_dir = mkdir(w->plan->out, 0777) == 0;
    if (w->made_dir)
        return 0;
    fail_errno(f, "the directory cannot be made");
    return fail_in(f, w->plan->out);
}

static const char *journal_path(struct writing *w)
{
    const char *out = w->plan->out;
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
    for (size_t i = 0; i < w->plan->nfiles && w->file; i++)
        if (w->file[i].open)
            unlink(w->file[i].output.part);
    unlink(w->journal.path);
    if (failed(f) && w->made_dir)
        rmdir(w->plan->out);
}

static void end(struct writing *w, const struct fail *f)
{
    if (w->started)
        clean_up(w, f);
    for (size_t i = 0; i < w->plan->nfiles && w->file; i++)
        if (w->file[i].open)
            output_abandon(&w->file[i].output);
    if (w->journal.fd >= 0)
        close(w->journal.fd);
    omp_destroy_lock(&w->telling);
    arena_release(&w->arena);
}

static int write_planned(struct writing *w, struct fail *f)
{
    w->in_place = !w->plan->out_is_dir && is_device(w->plan->out);
    w->file = arena_array(&w->arena, struct out_file, w->plan->nfiles);
    w->chunks = chunks_cut(w->model, w->plan, &w->arena);
    w->written = arena_array(&w->arena, bool, w->chunks.n);
    w->journal.nchunks = w->chunks.n;
    w->journal.path = journal_path(w);
    w->journal.digest = digest_all(w);
    if (w->in_place)
        return write_all(w, f);
    if (journal_read(&w->journal, w->plan->out, &w->arena, f) != 0 || look_for_existing(w, f) != 0)
        return -1;
    if (!w->journal.resumed && journal_start(&w->journal, f) != 0)
        return -1;
    w->started = true;
    if (make_directory(w, f) != 0)
        return -1;
    return write_all(w, f);
}

int model_write(struct model *m, const struct plan *plan, const struct write_options *options, struct write_result *result, struct fail *f)
{
    struct writing w = { .model = m, .plan = plan, .options = options, .journal = { .fd = -1 } };
    double began = seconds_now();

    omp_init_lock(&w.telling);
    int bad = write_planned(&w, f);
    if (bad == 0 && result)
        *result = (struct write_result){ .nbytes = w.plan->nbytes, .resumed_nbytes = w.resumed, .nfiles = w.plan->nfiles,
                                         .seconds = seconds_now() - began };
    end(&w, f);
    return bad;
}
