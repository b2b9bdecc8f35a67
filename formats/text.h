/* text.h - the few questions that readers and planners ask of names and other text. */
#ifndef BANTAM_TEXT_H
#define BANTAM_TEXT_H

#include "formats/arena.h"

#include <stdbool.h>
#include <stddef.h>

bool starts_with(const char *s, const char *start);
bool ends_with(const char *s, const char *end);

/* "dir/NAME-00002-of-00007.gguf" taken apart: `stem` bytes of path before the '-'. count == 0: not such a name. */
struct shard_name {
    unsigned no, count;         /* from 1 */
    size_t stem;
};

struct shard_name shard_name(const char *path, const char *suffix);
char *shard_path(struct arena *, const char *stem, size_t nstem, unsigned no, unsigned count, const char *suffix);

/* Bytes of the UTF-8 sequence at s, of which `left` > 0 bytes may be read; 0 if it is none: overlong forms, surrogates
 * and values beyond U+10FFFF are none. */
size_t utf8_length(const char *s, size_t left);
bool utf8_valid(const char *s, size_t n);

#endif
