/* card.c - any bytes as a model card. */
#include "convert/card.h"

#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    int fd = memfd_create("README.md", MFD_CLOEXEC);
    struct arena a = {0};
    struct fail f = {0};
    char path[40];

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (fd >= 0 && write(fd, data, n) == (ssize_t)n)
        card_read(path, &a, &f);
    close(fd);
    arena_release(&a);
    return 0;
}
