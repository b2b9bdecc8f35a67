/* write.c - the writer: same bytes whatever happens on the way. Runs are children, so that they can be killed. */
#include "convert/quantize.h"
#include "convert/write.h"
#include "formats/file.h"
#include "formats/output.h"
#include "tests/unit/test.h"
#include "tests/unit/toy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <omp.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SPLIT = 1300000, SPLIT_FILES = 3 };

static char folder[64], out[80];

static void in_fresh_folder(void)
{
    snprintf(folder, sizeof folder, "%s/bantam-write-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(folder))
        abort();
    snprintf(out, sizeof out, "%s/x", folder);
}

/* Removes the folder; the number of files that were in it. */
static int leave_folder(void)
{
    DIR *dir = opendir(folder);
    struct dirent *e;
    char path[400];
    int n = 0;

    while ((e = readdir(dir)) != NULL) {
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_name[0] != '.' && (unlink(path) == 0 || rmdir(path) == 0))
            n++;
    }
    closedir(dir);
    rmdir(folder);
    return n;
}

/* Small tensors to batch, large ones to cut, a row longer than a chunk; from f32 to q8_0. */
static struct model *toy_model(const char *broken, uint64_t at)
{
    struct fail f = {0};
    struct toy *m = toy_new();
    struct recipe_choice choice[64];
    static char names[40][20];

    m->broken = broken;
    m->broken_at = at;
    m->broken_value = NAN;
    toy_add(m, "norm", "f32", 0, 0, 320);
    toy_add(m, "big", "f32", 0, 1100, 1024);
    for (int i = 0; i < 20; i++) {
        snprintf(names[i], sizeof names[i], "small.%d", i);
        toy_add(m, names[i], "f32", 0, i % 3 + 1, 32 * (uint64_t)(i + 1));
    }
    toy_add(m, "long", "f32", 0, 2, (1 << 20) + 32);
    toy_add(m, "experts", "f32", 3, 100, 2880);
    for (size_t i = 0; i < m->base.ntensors; i++)
        choice[i].type = m->base.tensor[i].rank > 1 ? qtype_named("q8_0") : m->base.tensor[i].type;
    return model_quantize(&m->base, recipe_named("q8_0"), choice, NULL, &f);
}

static int write_planned(struct model *m, uint64_t split, const struct write_options *o, struct write_result *r, struct fail *f)
{
    struct plan p = {0};
    int bad = toy_format.plan(m, out, &(struct plan_options){ .split_nbytes = split }, &p, f) || model_write(m, &p, o, r, f);

    plan_release(&p);
    model_close(m);
    return bad;
}

static int write_toy(struct model *m, uint64_t split, bool force, struct write_result *r, struct fail *f)
{
    const struct write_options o = { .force = force };

    return write_planned(m, split, &o, r, f);
}

/* What the child of run_child() is: LLVM's OpenMP does not survive fork(), so it is this program anew, running this one. */
TEST(write_child)
{
    const char *words = getenv("BANTAM_TEST_CHILD");
    struct fail f = {0};
    struct write_result r;
    uint64_t split;
    int force, broken_at = 0;

    if (!words || sscanf(words, "%79s %" SCNu64 " %d %n", out, &split, &force, &broken_at) < 3)
        return;
    omp_set_num_threads(1);
    _exit(write_toy(toy_model(words[broken_at] ? words + broken_at : NULL, 5), split, force, &r, &f) ? (int)f.kind + 1 : 0);
}

/* One undisturbed run in a child, which kills itself at `point` (NULL: does not); its wait status. */
static int run_child(const char *point, uint64_t split, bool force, const char *broken)
{
    char words[200];
    pid_t pid;
    int status;

    snprintf(words, sizeof words, "%s %" PRIu64 " %d %s", out, split, force, broken ? broken : "");
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        setenv("BANTAM_TEST_CHILD", words, 1);
        if (point)
            setenv("BANTAM_TEST_KILL", point, 1);
        execl("/proc/self/exe", "unit", "write_child", (char *)NULL);
        _exit(127);
    }
    waitpid(pid, &status, 0);
    return status;
}

static char *slurp(const char *path, struct arena *a, size_t *n)
{
    struct fail f = {0};

    *n = 0;
    return path_exists(path) ? file_read_text(path, 1u << 30, a, n, &f) : NULL;
}

/* The bytes of OUT, or of OUT-1, OUT-2 ... one after another. */
static char *slurp_all(uint64_t split, struct arena *a, size_t *n)
{
    char *all = NULL, *one;
    size_t m, total = 0;

    if (!split)
        return slurp(out, a, n);
    for (int k = 1; (one = slurp(arena_printf(a, "%s-%d", out, k), a, &m)) != NULL; k++) {
        char *both = arena_raw(a, total + m + 1);
        if (total)
            memcpy(both, all, total);
        memcpy(both + total, one, m);
        all = both;
        total += m;
    }
    *n = total;
    return all;
}

/* What the model's files should be: rows asked for one tensor at a time, by one thread. */
static char *expected(uint64_t split, struct arena *a, size_t *n)
{
    struct plan p = {0};
    struct fail f = {0};
    struct plan_options o = { .split_nbytes = split };
    struct model *m = toy_model(NULL, 0);
    struct arena tmp = {0};
    char *all, **start;

    toy_plan(m, out, &o, &p, &f);
    all = arena_alloc(a, p.nbytes);
    start = arena_array(a, char *, p.nfiles);
    *n = 0;
    for (size_t k = 0; k < p.nfiles; k++) {
        start[k] = all + *n;
        memcpy(start[k], p.file[k].head, 64);
        *n += p.file[k].nbytes;
    }
    for (size_t i = 0; i < m->ntensors; i++) {
        const struct tensor *t = &m->tensor[i];
        for (uint64_t row = 0; row < tensor_rows(t); row++) {
            const void *bytes = model_rows(m, t, row, 1, &tmp, &f);
            memcpy(start[p.tensor[i].file] + p.tensor[i].offset + row * tensor_row_bytes(t), bytes, tensor_row_bytes(t));
            arena_reset(&tmp);
        }
    }
    arena_release(&tmp);
    plan_release(&p);
    model_close(m);
    return all;
}

static bool as_expected(uint64_t split)
{
    static struct { struct arena arena; char *bytes; size_t n; } want[2];      /* made once, whole and split */
    struct arena a = {0};
    size_t n;
    char *got = slurp_all(split, &a, &n);

    if (!want[split != 0].bytes)
        want[split != 0].bytes = expected(split, &want[split != 0].arena, &want[split != 0].n);
    bool same = got && n == want[split != 0].n && memcmp(got, want[split != 0].bytes, n) == 0;

    arena_release(&a);
    return same;
}

TEST(write_makes_the_same_bytes_with_any_number_of_threads)
{
    int before = omp_get_max_threads();

    for (int threads = 1; threads < 8; threads = 2 * threads + 1)
        for (uint64_t split = 0; split <= SPLIT; split += SPLIT) {
            struct fail f = {0};
            struct write_result r;
            in_fresh_folder();
            omp_set_num_threads(threads);
            CHECK(write_toy(toy_model(NULL, 0), split, false, &r, &f) == 0);
            CHECK(r.resumed_nbytes == 0 && r.nfiles == (split ? SPLIT_FILES : 1));
            CHECK(as_expected(split));
            CHECK_U64(leave_folder(), r.nfiles);
        }
    omp_set_num_threads(before);
}

/* Dies at each point in turn until a run survives; goes on after each death. */
static bool survives(const char *point, uint64_t split, bool force)
{
    char kill[40];

    for (int n = 1; n < 60; n++) {
        in_fresh_folder();
        if (force)      /* an older OUT, of other bytes */
            for (int k = 0; k < (split ? SPLIT_FILES : 1); k++) {
                struct fail f = {0};
                struct arena a = {0};
                file_write(split ? arena_printf(&a, "%s-%d", out, k + 1) : out, "old", 3, &f);
                arena_release(&a);
            }
        snprintf(kill, sizeof kill, "%s:%d", point, n);
        int status = run_child(kill, split, force, NULL);
        bool died = WIFSIGNALED(status);
        struct write_result r = {0};
        struct fail f = {0};
        if (!died && status != 0)
            return test_failed(__FILE__, __LINE__, "%s: status %d", kill, status), false;
        if (died && write_toy(toy_model(NULL, 0), split, force, &r, &f) != 0)
            return test_failed(__FILE__, __LINE__, "%s: %s", kill, f.text), false;
        if (!as_expected(split))
            return test_failed(__FILE__, __LINE__, "%s, split %d: wrong bytes", kill, split != 0), false;
        if (leave_folder() != (split ? SPLIT_FILES : 1))
            return test_failed(__FILE__, __LINE__, "%s: files left behind", kill), false;
        if (died && strcmp(point, "record") == 0 && r.resumed_nbytes == 0)
            return test_failed(__FILE__, __LINE__, "%s: nothing was kept", kill), false;
        if (!died)
            return n > 1;
    }
    return false;
}

TEST(write_resumes_after_death_at_any_point)
{
    static const char *const points[] = { "plan", "chunk", "journal", "record", "head", "commit", "rename", "done" };

    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        CHECK(survives(points[i], 0, false));
        CHECK(survives(points[i], SPLIT, i % 2));
    }
}

TEST(write_dies_again_and_again_and_still_gets_there)
{
    char kill[40];
    int runs = 0;

    in_fresh_folder();
    for (;; runs++) {
        snprintf(kill, sizeof kill, "%s:%d", runs % 3 ? "record" : "journal", 1 + runs % 2);
        int status = run_child(kill, SPLIT, false, NULL);
        if (!WIFSIGNALED(status)) {
            CHECK_U64(status, 0);
            break;
        }
    }
    CHECK(runs > 4);
    CHECK(as_expected(SPLIT));
    CHECK_U64(leave_folder(), SPLIT_FILES);
}

TEST(write_does_again_what_was_damaged)
{
    char part[100];
    struct fail f = {0};
    struct write_result r;

    in_fresh_folder();
    CHECK(WIFSIGNALED(run_child("head:1", 0, false, NULL)));
    snprintf(part, sizeof part, "%s.part", out);
    int fd = open(part, O_WRONLY);
    CHECK(pwrite(fd, "damage", 6, 2000000) == 6);
    close(fd);
    CHECK(write_toy(toy_model(NULL, 0), 0, false, &r, &f) == 0);
    CHECK(r.resumed_nbytes > 0 && r.resumed_nbytes < r.nbytes - 100000);
    CHECK(as_expected(0));
    leave_folder();
}

TEST(write_starts_anew_for_another_command)
{
    struct fail f = {0};
    struct write_result r;

    in_fresh_folder();
    CHECK(WIFSIGNALED(run_child("head:1", SPLIT, false, NULL)));
    CHECK(write_planned(toy_model(NULL, 0), SPLIT, &(struct write_options){ .salt = 1 }, &r, &f) == 0);
    CHECK_U64(r.resumed_nbytes, 0);
    CHECK(as_expected(SPLIT));
    CHECK_U64(leave_folder(), SPLIT_FILES);
}

TEST(write_refuses_an_existing_output)
{
    struct fail f = {0};
    struct arena a = {0};
    size_t n;

    in_fresh_folder();
    CHECK(file_write(out, "old", 3, &f) == 0);
    CHECK(write_toy(toy_model(NULL, 0), 0, false, NULL, &f) != 0);
    CHECK_U64(f.kind, FAIL_USAGE);
    CHECK(strstr(f.text, "exists already") && strstr(f.hint, "--force"));
    CHECK_STR(slurp(out, &a, &n), "old");
    arena_release(&a);
    CHECK_U64(leave_folder(), 1);
}

TEST(write_leaves_alone_a_part_that_is_not_ours)
{
    char part[100];
    struct fail f = {0};

    in_fresh_folder();
    snprintf(part, sizeof part, "%s.part", out);
    CHECK(file_write(part, "a download", 10, &f) == 0);
    CHECK(write_toy(toy_model(NULL, 0), 0, true, NULL, &f) != 0);
    CHECK_U64(f.kind, FAIL_USAGE);
    CHECK(strstr(f.text, "is in the way"));
    CHECK_U64(leave_folder(), 1);
    in_fresh_folder();
    f = (struct fail){0};
    snprintf(part, sizeof part, "%s.part.journal", out);
    CHECK(file_write(part, "dear diary", 10, &f) == 0);
    CHECK(write_toy(toy_model(NULL, 0), 0, true, NULL, &f) != 0);
    CHECK(strstr(f.text, "no journal of bantam's"));
    CHECK_U64(leave_folder(), 1);
}

TEST(write_tells_of_the_first_bad_weight_and_leaves_nothing)
{
    for (int threads = 1; threads < 5; threads++) {
        struct fail f = {0};
        in_fresh_folder();
        omp_set_num_threads(threads);
        CHECK(write_toy(toy_model("big", 1100000), 0, false, NULL, &f) != 0);
        CHECK_U64(f.kind, FAIL_INPUT);
        CHECK_STR(f.text, "tensor 'big' has the value NaN at index 1100000");
        CHECK_U64(leave_folder(), 0);
    }
}

TEST(write_reports_a_full_disk)
{
    struct fail f = {0};
    struct rlimit all, little;
    int status;

    if (!path_exists("/dev/full"))
        return test_skip("no /dev/full");
    strcpy(out, "/dev/full");
    CHECK(write_toy(toy_model(NULL, 0), 0, false, NULL, &f) != 0);
    CHECK_U64(f.kind, FAIL_SYSTEM);
    in_fresh_folder();
    getrlimit(RLIMIT_FSIZE, &all);
    signal(SIGXFSZ, SIG_IGN);
    little = (struct rlimit){ 1 << 20, all.rlim_max };
    setrlimit(RLIMIT_FSIZE, &little);
    status = run_child(NULL, 0, false, NULL);
    setrlimit(RLIMIT_FSIZE, &all);
    CHECK_U64(WEXITSTATUS(status), FAIL_SYSTEM + 1);
    CHECK_U64(leave_folder(), 0);
}

TEST(write_goes_on_when_there_is_space_again)
{
    struct fail f = {0};
    struct write_result r;
    char filler[100];

    in_fresh_folder();
    if (mount("none", folder, "tmpfs", 0, "size=12m") != 0) {
        leave_folder();
        return test_skip("a small file system needs root");
    }
    CHECK(WIFSIGNALED(run_child("record:2", 0, false, NULL)));
    snprintf(filler, sizeof filler, "%s/filler", folder);
    int fd = open(filler, O_WRONLY | O_CREAT, 0600);
    CHECK(posix_fallocate(fd, 0, 10 << 20) == 0);
    close(fd);
    CHECK(write_toy(toy_model(NULL, 0), 0, false, &r, &f) != 0);
    CHECK_U64(f.kind, FAIL_SYSTEM);
    unlink(filler);
    f = (struct fail){0};
    CHECK(write_toy(toy_model(NULL, 0), 0, false, &r, &f) == 0);
    CHECK(r.resumed_nbytes > 0 && as_expected(0));
    umount(folder);
    leave_folder();
}

TEST(write_refuses_a_second_run_at_the_same_time)
{
    struct fail f = {0};
    int fds[2], status;
    pid_t pid;

    in_fresh_folder();
    CHECK(WIFSIGNALED(run_child("head:1", 0, false, NULL)));
    CHECK(pipe(fds) == 0);
    fflush(stdout);
    pid = fork();
    if (pid == 0) {     /* holds the journal as a run does, until the pipe closes */
        char path[100], c;
        snprintf(path, sizeof path, "%s.part.journal", out);
        int fd = open(path, O_RDWR);
        close(fds[1]);
        c = (char)flock(fd, LOCK_EX | LOCK_NB);
        if (write(fd, &c, 0) < 0 || read(fds[0], &c, 1) < 0)
            _exit(1);
        _exit(0);
    }
    close(fds[0]);
    for (int i = 0; i < 200 && !failed(&f); i++) {     /* until the child has it */
        char path[100];
        snprintf(path, sizeof path, "%s.part.journal", out);
        int fd = open(path, O_RDWR);
        if (flock(fd, LOCK_EX | LOCK_NB) != 0)
            write_toy(toy_model(NULL, 0), 0, false, NULL, &f);
        close(fd);
        usleep(10000);
    }
    close(fds[1]);
    waitpid(pid, &status, 0);
    CHECK_U64(f.kind, FAIL_SYSTEM);
    CHECK(strstr(f.text, "another run is writing"));
    f = (struct fail){0};
    CHECK(write_toy(toy_model(NULL, 0), 0, false, NULL, &f) == 0 && as_expected(0));
    leave_folder();
}
