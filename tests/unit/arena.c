#include "formats/arena.h"
#include "tests/unit/test.h"

TEST(arena_is_aligned_and_zeroed)
{
    struct arena a = {0};

    for (size_t n = 0; n < 3000; n += 37) {
        uint8_t *p = arena_alloc(&a, n);

        CHECK((uintptr_t)p % 64 == 0);
        for (size_t i = 0; i < n; i++)
            CHECK(p[i] == 0);
        memset(p, 0xff, n);
    }
    arena_reset(&a);
    for (size_t n = 0; n < 3000; n += 37) {
        uint8_t *p = arena_alloc(&a, n);

        for (size_t i = 0; i < n; i++)
            CHECK(p[i] == 0);
    }
    arena_release(&a);
    CHECK(!a.block);
}

/* The same requests every round: from the second round on they all come from one block. */
TEST(arena_steady_loop_stops_allocating)
{
    struct arena a = {0};
    struct arena_block *kept = NULL;

    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 20; i++)
            arena_raw(&a, 1000003 * (size_t)(i % 5));
        if (round == 1)
            kept = a.block;
        else if (round > 1)
            CHECK(a.block == kept);
        arena_reset(&a);
    }
    arena_release(&a);
}

static char order[8];

static void note(void *data, size_t n)
{
    (void)n;
    strcat(order, data);
}

TEST(arena_cleanups_run_last_in_first_out_and_once)
{
    struct arena a = {0};
    static char name[3][2] = { "1", "2", "3" };

    order[0] = 0;
    for (int i = 0; i < 3; i++)
        arena_on_reset(&a, note, name[i], 0);
    arena_reset(&a);
    CHECK_STR(order, "321");
    arena_reset(&a);
    arena_release(&a);
    CHECK_STR(order, "321");
}

TEST(arena_grow_keeps_items)
{
    struct arena a = {0};
    uint32_t *item = NULL;
    size_t cap = 0;

    for (uint32_t i = 0; i < 10000; i++) {
        item = arena_grow(&a, item, &cap, i + 1, sizeof *item);
        item[i] = i;
    }
    for (uint32_t i = 0; i < 10000; i++)
        CHECK_U64(item[i], i);
    arena_release(&a);
}

TEST(arena_text)
{
    struct arena a = {0};

    CHECK_STR(arena_printf(&a, "%s-%05d", "x", 7), "x-00007");
    CHECK_STR(arena_copy(&a, "abcdef", 3), "abc");
    CHECK_STR(arena_strdup(&a, ""), "");
    arena_release(&a);
}
