/* formats.h - one fuzz target for a format: opens the bytes as a file of it and reads every row. */
#ifndef BANTAM_FUZZ_FORMATS_H
#define BANTAM_FUZZ_FORMATS_H

#include "formats/model.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static inline void read_rows(struct model *m)
{
    struct arena tmp = {0};
    struct fail f = {0};

    for (size_t i = 0; i < m->ntensors; i++) {
        model_rows_f32(m, &m->tensor[i], 0, tensor_rows(&m->tensor[i]), &tmp, &f);
        model_tensor(m, m->tensor[i].name);
        arena_reset(&tmp);
    }
    arena_release(&tmp);
}

/* Written with a plan, what was read must be accepted again: a plan of any model either fails or is a valid header. */
static inline void make_plan(const struct model *m)
{
    const struct plan_options options = { .split_nbytes = 64 };
    struct fail f = {0};
    struct plan p;

    for (int split = 0; split < 2; split++)
        if (m->format->plan(m, "out", split ? &options : NULL, &p, &f) == 0)
            plan_release(&p);
}

static inline int open_as(const struct format *format, const uint8_t *data, size_t n)
{
    int fd = memfd_create("input", MFD_CLOEXEC);
    char path[40];
    struct fail f = {0};
    struct model *m = NULL;

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (fd >= 0 && write(fd, data, n) == (ssize_t)n)
        m = format->open(path, &f);
    if (m) {
        read_rows(m);
        make_plan(m);
    }
    model_close(m);
    close(fd);
    return 0;
}

#endif
