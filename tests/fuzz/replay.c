/* replay.c - main() for a fuzz target without libFuzzer: runs it over the files named, and over those in directories
 * named. What matters is that it comes back; sanitizers see the rest. Linked with libFuzzer instead (make fuzz), the
 * same target makes up its own inputs. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int ran, unreadable;

static void run_file(const char *path, size_t n)
{
    uint8_t *data = malloc(n ? n : 1);      /* exactly n, so that a sanitizer sees the byte behind */
    FILE *in = fopen(path, "rb");

    if (data && in && fread(data, 1, n, in) == n) {
        LLVMFuzzerTestOneInput(data, n);
        ran++;
    } else {
        printf("%s cannot be read\n", path);
        unreadable++;
    }
    if (in)
        fclose(in);
    free(data);
}

static void run(const char *path)
{
    struct stat st;
    const struct dirent *e;
    char below[4096];
    DIR *d;

    if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
        run_file(path, (size_t)st.st_size);
    if (!(d = opendir(path)))
        return;
    while ((e = readdir(d)))
        if (e->d_name[0] != '.' && snprintf(below, sizeof below, "%s/%s", path, e->d_name) < (int)sizeof below)
            run(below);
    closedir(d);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        run(argv[i]);
    printf("fuzz: %d passed, %d failed\n", ran, unreadable);
    return unreadable ? 1 : 0;
}
