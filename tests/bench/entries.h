/* entries.h - what make_model and make_sparse share: the list of a model's bf16 tensors, and a safetensors header of it. */
#ifndef BANTAM_BENCH_ENTRIES_H
#define BANTAM_BENCH_ENTRIES_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct entry {
    char name[96];
    uint64_t rows, columns;     /* columns 0: a vector of `rows` */
};

static inline uint64_t entry_bytes(const struct entry *e)
{
    return 2 * e->rows * (e->columns ? e->columns : 1);
}

/* DIR/NAME for writing; ends the program when that cannot be. */
static inline FILE *create(const char *dir, const char *name)
{
    char path[4096];
    FILE *to;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (!(to = fopen(path, "wb"))) {
        perror(path);
        exit(1);
    }
    return to;
}

/* Writes the header; the bytes that the whole file will have. */
static inline uint64_t put_header(FILE *to, const struct entry *e, size_t n)
{
    char *head = malloc(256 * n + 64), *p = head;
    uint64_t at = 0, nbytes;

    p += sprintf(p, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (size_t i = 0; i < n; i++) {
        p += sprintf(p, ",\"%s\":{\"dtype\":\"BF16\",\"shape\":[%llu", e[i].name, (unsigned long long)e[i].rows);
        if (e[i].columns)
            p += sprintf(p, ",%llu", (unsigned long long)e[i].columns);
        p += sprintf(p, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)at, (unsigned long long)(at + entry_bytes(&e[i])));
        at += entry_bytes(&e[i]);
    }
    *p++ = '}';
    while ((p - head) % 8)
        *p++ = ' ';
    nbytes = (uint64_t)(p - head);
    fwrite(&nbytes, 8, 1, to);
    fwrite(head, 1, nbytes, to);
    free(head);
    return 8 + nbytes + at;
}

#endif
