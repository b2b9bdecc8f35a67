/* plan.h - what the formats' planners share: a header that grows in the plan's arena, and shards by size. */
#ifndef BANTAM_PLAN_H
#define BANTAM_PLAN_H

#include "formats/model.h"

struct buffer {
    struct arena *arena;        /* the only member to set; NULL: nothing is kept, n counts */
    char *bytes;
    size_t n, cap;
};

struct buffer buffer_of(struct arena *, size_t n);      /* empty, with room for n bytes: up to these it is not moved */
char *buffer_more(struct buffer *, size_t n);              /* n bytes more, the caller's to fill; NULL where nothing is kept */
void put(struct buffer *, const void *bytes, size_t n);
void put_zeros(struct buffer *, size_t n);
void put_u32(struct buffer *, uint32_t);
void put_u64(struct buffer *, uint64_t);
void put_text(struct buffer *, const char *);
void put_format(struct buffer *, const char *format, ...) __attribute__((format(printf, 2, 3)));     /* up to 255 bytes */
void put_json_string(struct buffer *, const char *, size_t n);     /* quoted and escaped; must be UTF-8 */

/* Starts a plan: `out`, one file per shard (paths and heads are the caller's to fill) and each tensor's file. A shard is
 * closed before the tensor that would take it beyond options->split_nbytes, each tensor counted with padding to
 * `alignment`, metadata not counted: as llama.cpp's gguf-split does. A larger tensor has a shard of its own. With
 * options->keep_files: the source's files. */
void plan_shards(struct plan *, const struct model *, const char *out, const struct plan_options *options,
                 uint64_t alignment);

#endif
