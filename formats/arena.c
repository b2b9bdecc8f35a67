/* arena.c - see arena.h. */
#include "formats/arena.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif

/* Under AddressSanitizer what has not been handed out is poisoned, and allocations keep apart. */
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
enum { GAP = 64 };
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
enum { GAP = 0 };
#endif

enum { ALIGN = 64, FIRST_BLOCK = 16 << 10, LARGEST_STEP = 8 << 20, HUGE_PAGE = 2 << 20 };

struct arena_block {
    struct arena_block *prev;
    size_t size, used;          /* bytes behind this header */
};
_Static_assert(sizeof(struct arena_block) <= ALIGN, "the header takes one unit of alignment");

struct arena_cleanup {
    struct arena_cleanup *prev;
    void (*fn)(void *data, size_t n);
    void *data;
    size_t n;
};

_Noreturn void arena_exhausted(size_t n)
{
    fprintf(stderr, "bantam: out of memory: %zu bytes more were needed\n", n);
    _exit(4);
}

static uint8_t *bytes_of(struct arena_block *b)
{
    return (uint8_t *)b + ALIGN;
}

/* Large blocks ask for huge pages: filling one is mostly page faults otherwise (opening a vocabulary of 150,000: half
 * the time). */
static struct arena_block *block_new(size_t size, struct arena_block *prev)
{
    size_t align = size < HUGE_PAGE ? ALIGN : HUGE_PAGE;
    size_t nbytes = (ALIGN + size + align - 1) / align * align;
    struct arena_block *b = aligned_alloc(align, nbytes);

    if (!b)
        arena_exhausted(size);
    if (align == HUGE_PAGE)
        madvise(b, nbytes, MADV_HUGEPAGE);      /* refused: ordinary pages, then */
    size = nbytes - ALIGN;
    *b = (struct arena_block){ .prev = prev, .size = size };
    ASAN_POISON_MEMORY_REGION(bytes_of(b), size);
    return b;
}

static void block_free(struct arena_block *b)
{
    ASAN_UNPOISON_MEMORY_REGION(bytes_of(b), b->size);
    free(b);
}

/* Blocks double up to a limit, so that neither many small nor few large requests waste much. */
static void add_block(struct arena *a, size_t need)
{
    size_t size = a->block ? 2 * a->block->size : FIRST_BLOCK;

    if (size > LARGEST_STEP)
        size = LARGEST_STEP;
    a->block = block_new(size > need ? size : need, a->block);
}

void *arena_raw(struct arena *a, size_t n)
{
    size_t need;
    uint8_t *p;

    if (n > SIZE_MAX / 2)
        arena_exhausted(n);
    need = (n + GAP + ALIGN - 1) / ALIGN * ALIGN;
    if (need == 0)
        need = ALIGN;
    if (!a->block || a->block->size - a->block->used < need)
        add_block(a, need);
    p = bytes_of(a->block) + a->block->used;
    a->block->used += need;
    ASAN_UNPOISON_MEMORY_REGION(p, n);
    return p;
}

void *arena_alloc(struct arena *a, size_t n)
{
    return memset(arena_raw(a, n), 0, n);
}

void *arena_array_of(struct arena *a, size_t n, size_t size)
{
    size_t nbytes;

    if (__builtin_mul_overflow(n, size, &nbytes))
        arena_exhausted(SIZE_MAX);
    return arena_alloc(a, nbytes);
}

void *arena_grow(struct arena *a, void *old, size_t *cap, size_t need, size_t size)
{
    size_t want = *cap ? *cap : 16;
    void *p;

    if (need <= *cap)
        return old;
    while (want < need)
        if (__builtin_mul_overflow(want, (size_t)2, &want))
            arena_exhausted(SIZE_MAX);
    p = arena_array_of(a, want, size);
    if (*cap)
        memcpy(p, old, *cap * size);
    *cap = want;
    return p;
}

char *arena_copy(struct arena *a, const void *bytes, size_t n)
{
    char *p = arena_raw(a, n + 1);

    if (n)
        memcpy(p, bytes, n);
    p[n] = 0;
    return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
    return arena_copy(a, s, strlen(s));
}

char *arena_printf(struct arena *a, const char *format, ...)
{
    va_list ap, again;
    char *p;
    int n;

    va_start(ap, format);
    va_copy(again, ap);
    n = vsnprintf(NULL, 0, format, ap);
    va_end(ap);
    assert(n >= 0);
    p = arena_raw(a, (size_t)n + 1);
    vsnprintf(p, (size_t)n + 1, format, again);
    va_end(again);
    return p;
}

void arena_on_reset(struct arena *a, void (*fn)(void *data, size_t n), void *data, size_t n)
{
    struct arena_cleanup *c = arena_raw(a, sizeof *c);

    *c = (struct arena_cleanup){ .prev = a->cleanup, .fn = fn, .data = data, .n = n };
    a->cleanup = c;
}

static void run_cleanups(struct arena *a)
{
    while (a->cleanup) {
        struct arena_cleanup *c = a->cleanup;

        a->cleanup = c->prev;
        c->fn(c->data, c->n);
    }
}

static size_t free_blocks(struct arena *a)
{
    size_t used = 0;

    while (a->block) {
        struct arena_block *b = a->block;

        a->block = b->prev;
        used += b->used;
        block_free(b);
    }
    return used;
}

/* Several blocks become one with room for all that was in them: a loop whose rounds need about the same stops
 * calling malloc after its first round. */
void arena_reset(struct arena *a)
{
    run_cleanups(a);
    if (!a->block)
        return;
    if (a->block->prev) {
        size_t used = free_blocks(a);

        a->block = block_new(used, NULL);
    }
    a->block->used = 0;
    ASAN_POISON_MEMORY_REGION(bytes_of(a->block), a->block->size);
}

/* `a` itself may lie in one of its blocks, as a model's does. */
void arena_release(struct arena *a)
{
    struct arena own = *a;

    *a = (struct arena){0};
    run_cleanups(&own);
    free_blocks(&own);
}
