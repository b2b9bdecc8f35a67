/* within.c - runs a command and says no when it took too long or too much memory:
 *
 *     within SECONDS MEGABYTES TRIES COMMAND...
 *
 * Of TRIES runs the fastest counts, since other programs may take the time of one; the largest resident set of any. The command's
 * standard output is dropped. Exit status: 0, 1 over a limit, 2 the command failed. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* 0 and the figures, or -1: the command failed. */
static int run(char **argv, double *seconds, double *megabytes)
{
    double from = now();
    struct rusage use;
    int status;
    pid_t child = fork();

    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, 1);
        execvp(argv[0], argv);
        perror(argv[0]);
        _exit(127);
    }
    if (child < 0 || wait4(child, &status, 0, &use) != child || !WIFEXITED(status) || WEXITSTATUS(status))
        return -1;
    *seconds = now() - from;
    *megabytes = (double)use.ru_maxrss / 1024;
    return 0;
}

int main(int argc, char **argv)
{
    double best = 1e9, most = 0, seconds, megabytes;

    if (argc < 5) {
        fputs("usage: within SECONDS MEGABYTES TRIES COMMAND...\n", stderr);
        return 2;
    }
    for (int i = 0; i < atoi(argv[3]); i++) {
        if (run(argv + 4, &seconds, &megabytes))
            return 2;
        best = seconds < best ? seconds : best;
        most = megabytes > most ? megabytes : most;
    }
    printf("%.2f s of %s, %.0f MB of %s\n", best, argv[1], most, argv[2]);
    return best > atof(argv[1]) || most > atof(argv[2]);
}
