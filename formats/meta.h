/* meta.h - typed key/values in file order: what a GGUF header carries beside its tensors.
 *
 * Layout source: ggml docs/gguf.md. Strings are bytes with a length and also NUL-terminated here. Everything
 * hangs on the arena given to the setters and lives as long as it. */
#ifndef BANTAM_META_H
#define BANTAM_META_H

#include "formats/arena.h"

#include <stdbool.h>
#include <stdint.h>

enum meta_type {        /* the numbers are GGUF's on disk */
    META_UINT8, META_INT8, META_UINT16, META_INT16, META_UINT32, META_INT32, META_FLOAT32, META_BOOL,
    META_STRING, META_ARRAY, META_UINT64, META_INT64, META_FLOAT64, META_TYPES
};

struct meta_string {
    const char *s;      /* NUL-terminated; may hold NULs and bytes that are not UTF-8 */
    uint64_t n;
};

/* n items of `type`: packed little-endian scalars as on disk, aligned for their type (bool: one byte each), struct
 * meta_string, or struct meta_array when arrays nest. */
struct meta_array {
    enum meta_type type;
    uint64_t n;
    const void *items;
};

struct meta_value {
    enum meta_type type;
    union {
        uint64_t u;     /* unsigned types and bool */
        int64_t i;      /* signed types */
        double f;       /* float32 (exactly a float) and float64 */
        struct meta_string s;
        struct meta_array a;
    };
};

struct meta_entry {
    const char *key;
    struct meta_value value;
};

struct meta {
    struct meta_entry *entry;
    size_t n, cap;
};

size_t meta_type_bytes(enum meta_type);             /* of a scalar; 0 for string and array */
const char *meta_type_name(enum meta_type);         /* "uint32", "string": as gguf tools print it */
struct meta_value meta_scalar(enum meta_type, const void *bytes);   /* from its little-endian bytes, aligned or not */

const struct meta_value *meta_get(const struct meta *, const char *key);   /* NULL: no such key */

/* Conveniences that convert between number types when the value fits; `fallback` if absent or of another kind. */
uint64_t meta_u64(const struct meta *, const char *key, uint64_t fallback);
double meta_f64(const struct meta *, const char *key, double fallback);
bool meta_bool(const struct meta *, const char *key, bool fallback);
const char *meta_str(const struct meta *, const char *key, const char *fallback);

/* Item i of a numeric array as a number; the array must be numeric and i < n (asserted). */
double meta_array_f64(const struct meta_array *, uint64_t i);
int64_t meta_array_i64(const struct meta_array *, uint64_t i);

/* Setters: replace in place if the key exists, else append. Keys and strings are copied into the arena; array
 * items are not (they must live as long as the arena). */
void meta_set(struct meta *, struct arena *, const char *key, struct meta_value);
void meta_set_u32(struct meta *, struct arena *, const char *key, uint32_t);
void meta_set_i32(struct meta *, struct arena *, const char *key, int32_t);
void meta_set_f32(struct meta *, struct arena *, const char *key, float);
void meta_set_bool(struct meta *, struct arena *, const char *key, bool);
void meta_set_str(struct meta *, struct arena *, const char *key, const char *);
void meta_set_array(struct meta *, struct arena *, const char *key, enum meta_type, uint64_t n, const void *items);
/* For readers that have made sure the key is new: appends without a search; key and string are not copied. */
void meta_append(struct meta *, struct arena *, const char *key, struct meta_value);
void meta_remove(struct meta *, const char *key);                       /* absent: nothing happens */
void meta_copy(struct meta *to, struct arena *, const struct meta *from);  /* entries only; items are shared */

#endif
