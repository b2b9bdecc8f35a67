#include "formats/index.h"
#include "tests/unit/test.h"

TEST(index_numbers_names_in_order)
{
    struct arena a = {0};
    struct name_index x = {0};

    CHECK(name_index_find(&x, "n0") == -1);
    for (int i = 0; i < 5000; i++)
        CHECK(name_index_add(&x, &a, arena_printf(&a, "n%d", i)));
    CHECK(!name_index_add(&x, &a, "n17"));
    CHECK_U64(x.n, 5000);
    for (int i = 0; i < 5000; i++)
        CHECK(name_index_find(&x, arena_printf(&a, "n%d", i)) == i);
    CHECK(name_index_find(&x, "n5000") == -1);
    CHECK(name_index_find(&x, "") == -1);
    arena_release(&a);
}
