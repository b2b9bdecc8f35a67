/* json.h - cJSON behind limits: a parse failure names file, line and column; nothing nests beyond 128 levels.
 *
 * The tree is cJSON's own (read it with cJSON_ArrayForEach; object lookup is linear). It is freed with the arena. */
#ifndef BANTAM_JSON_H
#define BANTAM_JSON_H

#include "formats/arena.h"
#include "formats/fail.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

/* Parses n bytes (a UTF-8 byte-order mark is skipped; bytes behind the value, other than white space, are refused;
 * duplicate keys in one object are refused with the key's name). `what` names the text in messages: a path. The
 * tree is deleted when `owner` is reset or released. NULL: FAIL_INPUT. */
cJSON *json_parse(const char *text, size_t n, const char *what, struct arena *owner, struct fail *);

/* The same from a file of at most `limit` bytes. A missing file is FAIL_INPUT. */
cJSON *json_read(const char *path, uint64_t limit, struct arena *owner, struct fail *);

const char *json_str(const cJSON *object, const char *key, const char *fallback);     /* fallback if absent or no string */
bool json_u64(const cJSON *item, uint64_t *out);            /* a whole number from 0 to 2^53? */

#endif
