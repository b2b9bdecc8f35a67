/* arena.h - memory that is freed all at once.
 *
 * A model owns one arena, a thread one scratch arena that is reset per chunk. Running out of memory ends the
 * program inside arena_alloc() with status 4; no caller checks. A count that came from a file must have been
 * compared with the bytes left in that file before it sizes anything here. Not thread-safe: one arena, one thread. */
#ifndef BANTAM_ARENA_H
#define BANTAM_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct arena_block;
struct arena_cleanup;

/* All zeros is an empty arena: `struct arena a = {0};`. */
struct arena {
    struct arena_block *block;
    struct arena_cleanup *cleanup;
};

/* n zeroed bytes, 64-byte aligned; never NULL (n == 0 gives a valid unique-enough pointer). */
void *arena_alloc(struct arena *, size_t n);

/* The same without zeroing, for buffers that are overwritten whole. */
void *arena_raw(struct arena *, size_t n);

/* n * size with the multiplication checked (overflow ends the program like lack of memory). */
void *arena_array_of(struct arena *, size_t n, size_t size);
#define arena_array(arena, type, n) ((type *)arena_array_of((arena), (n), sizeof(type)))
#define arena_new(arena, type) arena_array(arena, type, 1)

/* Grows an array by doubling: returns `old` or a copy with room for at least `need` items; *cap is updated. */
void *arena_grow(struct arena *, void *old, size_t *cap, size_t need, size_t size);

char *arena_copy(struct arena *, const void *bytes, size_t n);         /* NUL added */
char *arena_strdup(struct arena *, const char *);
char *arena_printf(struct arena *, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* fn(data, n) runs at the next reset or release, last in first out: how a map's pages are let go after a chunk. */
void arena_on_reset(struct arena *, void (*fn)(void *data, size_t n), void *data, size_t n);

void arena_reset(struct arena *);       /* runs the cleanups; keeps one block with room for as much again */
void arena_release(struct arena *);     /* runs the cleanups, frees everything; `a` may lie in its own memory */

/* How every lack of memory ends: one sentence on stderr and exit status 4, the only output outside tools/. */
_Noreturn void arena_exhausted(size_t n);

#endif
