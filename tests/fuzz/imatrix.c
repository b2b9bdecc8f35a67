/* imatrix.c - any bytes as an importance matrix. */
#include "convert/imatrix.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    int fd = memfd_create("input", MFD_CLOEXEC);
    char path[40];
    struct fail f = {0};

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (fd >= 0 && write(fd, data, n) == (ssize_t)n)
        imatrix_close(imatrix_open(path, &f));
    close(fd);
    return 0;
}
