/* store_put.c - see store_put.h. */
#include "formats/store_put.h"

#include "formats/file.h"
#include "formats/output.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static struct put_file *add(struct put_list *l, struct arena *a, const char *path)
{
    l->file = arena_grow(a, l->file, &l->cap, l->n + 1, sizeof *l->file);
    l->file[l->n] = (struct put_file){ .path = path };
    return &l->file[l->n++];
}

static int copy_bytes(struct output *o, const struct file *src, const struct put_options *opt, struct fail *f)
{
    enum { STEP = 4 << 20 };
    struct arena tmp = {0};

    for (uint64_t at = 0; at < src->nbytes && !failed(f); at += STEP) {
        uint64_t n = src->nbytes - at < STEP ? src->nbytes - at : STEP;

        if (output_write(o, file_range(src, at, n, &tmp), n, at, f) == 0)
            output_start(o, at, at + n);
        arena_reset(&tmp);
        if (opt->progress)
            opt->progress(opt->ctx, n);
    }
    arena_release(&tmp);
    return failed(f) ? -1 : 0;
}

/* A copy that shares its blocks with the source, where the file system can (Btrfs, XFS). */
static bool reflink(int to, const char *src)
{
    int from = open(src, O_RDONLY | O_CLOEXEC);
    bool done = from >= 0 && ioctl(to, FICLONE, from) == 0;

    if (from >= 0)
        close(from);
    return done;
}

static int hard_link(struct put_file *p, const char *src, struct fail *f)
{
    if (link(src, p->path)) {
        fail_errno(f, "'%s' cannot be linked to '%s'", src, p->path);
        return fail_hint(f, errno == EXDEV ? "they are on different file systems: leave out --link to copy" : "leave out --link to copy");
    }
    p->how = "linked";
    return 0;
}

/* The bytes of `src`, which has p->nbytes of them, under p->path, which does not exist. */
static int place(struct put_file *p, const char *src, const struct put_options *opt, struct arena *a, struct fail *f)
{
    struct output o;
    struct file file;
    bool cloned;
    int bad;

    if (make_dirs(p->path, f) || output_open(&o, p->path, opt->link ? 0 : p->nbytes, true, a, f))
        return -1;
    cloned = opt->link && reflink(o.fd, src);
    if (opt->link && !cloned) {
        unlink(o.part);
        output_abandon(&o);
        return hard_link(p, src, f);
    }
    p->how = cloned ? "reflinked" : "copied";
    bad = 0;
    if (!cloned && (bad = file_open(&file, src, f)) == 0) {
        bad = file.nbytes == p->nbytes ? copy_bytes(&o, &file, opt, f) : fail(f, FAIL_INPUT, "'%s' changed while it was read", src);
        file_close(&file);
    }
    if (!bad)
        fchmod(o.fd, 0644);     /* the runtime may be a service of another user */
    bad = bad || output_commit(&o, f);
    if (bad)
        unlink(o.part);
    output_abandon(&o);
    return bad ? -1 : 0;
}

static int hash_source(struct put_file *p, const char *src, const struct put_options *opt, struct fail *f)
{
    struct stat st;

    if (stat(src, &st))
        return fail_errno(f, "'%s' cannot be examined", src);
    p->nbytes = (uint64_t)st.st_size;
    return sha256_file(src, p->sha256, opt->progress, opt->ctx, f);
}

/* Is p->path there with p's bytes? `trusted`: its name is its hash, so its size is enough. FAIL_USAGE: with other bytes. */
static int there(struct put_file *p, bool trusted, struct fail *f)
{
    char hex[SHA256_TEXT];
    struct stat st;

    if (stat(p->path, &st))
        return 0;
    if ((uint64_t)st.st_size == p->nbytes && (trusted || (sha256_file(p->path, hex, NULL, NULL, f) == 0 && strcmp(hex, p->sha256) == 0))) {
        p->how = "there already";
        return 0;
    }
    if (!failed(f)) {
        fail(f, FAIL_USAGE, "is there already with other contents, and is left as it is");
        fail_hint(f, trusted ? "let the runtime remove it, then give the same command again" : "choose another name, or remove it first");
    }
    return fail_in(f, p->path);
}

static int put(struct put_file *p, const char *src, bool trusted, const struct put_options *opt, struct arena *a, struct fail *f)
{
    if (there(p, trusted, f))
        return -1;
    return p->how || opt->dry_run ? 0 : place(p, src, opt, a, f);
}

int put_copy(struct put_list *l, const char *src, const char *dir, const char *name, const struct put_options *opt, struct arena *a,
             struct fail *f)
{
    struct put_file *p = add(l, a, path_join(a, dir, name));

    return hash_source(p, src, opt, f) ? -1 : put(p, src, false, opt, a, f);
}

int put_blob(struct put_list *l, const char *src, const char *dir, const struct put_options *opt, struct arena *a, struct fail *f)
{
    struct put_file *p = add(l, a, NULL);

    if (hash_source(p, src, opt, f))
        return -1;
    p->path = path_join(a, dir, arena_printf(a, "sha256-%s", p->sha256));
    return put(p, src, true, opt, a, f);
}

static int write_new(struct put_file *p, const void *bytes, size_t n, struct fail *f)
{
    if (make_dirs(p->path, f) || file_write(p->path, bytes, n, f))
        return -1;
    chmod(p->path, 0644);
    p->how = "written";
    return 0;
}

int put_blob_text(struct put_list *l, const void *bytes, size_t n, const char *dir, const struct put_options *opt, struct arena *a,
                  struct fail *f)
{
    struct put_file *p = add(l, a, NULL);

    sha256_bytes(bytes, n, p->sha256);
    p->nbytes = n;
    p->path = path_join(a, dir, arena_printf(a, "sha256-%s", p->sha256));
    if (there(p, true, f))
        return -1;
    return p->how || opt->dry_run ? 0 : write_new(p, bytes, n, f);
}

int put_visible(struct put_list *l, const char *path, const void *bytes, size_t n, const struct put_options *opt, struct arena *a,
                struct fail *f)
{
    struct put_file *p = add(l, a, path);

    sha256_bytes(bytes, n, p->sha256);
    p->nbytes = n;
    if (!opt->replace && there(p, false, f))
        return -1;
    return p->how || opt->dry_run ? 0 : write_new(p, bytes, n, f);
}
