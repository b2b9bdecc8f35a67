/* bantam.c - main(): the command table, what all commands share, and failure kind -> exit status. */
#include "formats/file.h"
#include "formats/usage.h"
#include "tools/commands.h"
#include "tools/report.h"

#include <malloc.h>
#include <omp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct command *const commands[] = {
#define ROW(name) &command_##name,
#include "tools/commands.def"
#undef ROW
    NULL
};

/* A mapped file that shrinks under us raises SIGBUS on the next touch; an interrupt leaves OUT.part for the next run.
 * Only async-signal-safe calls here. */
static void on_signal(int sig)
{
    static const char cut[] = "bantam: a file became shorter while it was being read\n"
                              "hint: wait until whatever writes it is done, then run the same command again\n";
    static const char stop[] = "\nbantam: interrupted; the same command again goes on where it stopped\n";
    ssize_t ignored = sig == SIGBUS ? write(STDERR_FILENO, cut, sizeof cut - 1) : write(STDERR_FILENO, stop, sizeof stop - 1);

    (void)ignored;
    _exit(sig == SIGBUS ? 3 : 128 + sig);
}

static void catch_signals(void)
{
    struct sigaction action = { .sa_handler = on_signal };

    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    action.sa_handler = SIG_IGN;
    sigaction(SIGXFSZ, &action, NULL);      /* past `ulimit -f`, write() then fails with EFBIG */
    sigaction(SIGPIPE, &action, NULL);      /* a closed pipe is a failed write, told like any other */
}

static int tell(const struct fail *f)
{
    static const int status[] = { [FAIL_NONE] = 0, [FAIL_NO] = 1, [FAIL_USAGE] = 2, [FAIL_INPUT] = 3, [FAIL_SYSTEM] = 4 };

    fflush(stdout);
    fprintf(stderr, "bantam: %s%s%s\n", f->where, *f->where ? ": " : "", f->text);
    if (*f->hint)
        fprintf(stderr, "hint: %s\n", f->hint);
    return status[f->kind];
}

/* libgomp calls exit(1) when it gets no thread: that is no answer of ours. What exit() would tidy up the kernel does as well. */
static bool answered;

static void leave(int status, void *unused)
{
    (void)unused;
    fflush(NULL);
    _exit(answered ? status : 4);
}

static void leave_at_once(void)
{
#ifndef SANITIZED               /* which look for leaks at exit */
    on_exit(leave, NULL);
#endif
}

/* As many threads as were asked for (0: as there are cores), but no more than have room for their stacks and what they work on. malloc
 * reserves address space for every thread, too: under a limit (`ulimit -v`) it makes do with less. */
static void start_threads(uint64_t wanted)
{
    enum { THREAD_NBYTES = 64 << 20, MOST_THREADS = 1024 };
    uint64_t left = address_space_left(), n = wanted ? min_u64(wanted, MOST_THREADS) : (uint64_t)omp_get_max_threads();

#ifdef M_ARENA_MAX
    if (left != UINT64_MAX)
        mallopt(M_ARENA_MAX, 1);
#endif
    omp_set_num_threads((int)max_u64(1, min_u64(n, left / THREAD_NBYTES)));
}

int main(int argc, char **argv)
{
    struct args args = {0};
    struct fail f = {0};
    const struct command *c;
    int status = 0;

    catch_signals();
    leave_at_once();
    if (args_parse(&args, argc, argv, &c, &f)) {
        status = tell(&f);
    } else if (!c && argc > 1 && strcmp(argv[1], "--version") == 0) {
        printf("bantam %s\n", BANTAM_VERSION);
    } else if (!c || args.help) {
        args_print_usage(argc < 2 ? stderr : stdout, c);
        status = argc < 2 ? 2 : 0;
    } else {
        start_threads(args.threads);
        if (c->run(&args, &f))
            status = tell(&f);
    }
    arena_release(&args.arena);
    answered = true;
    return status;
}
