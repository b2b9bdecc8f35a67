/* account.c - nothing of the source disappears without a line in the account. */
#include "convert/account.h"
#include "tests/unit/test.h"

TEST(account_names_pending_keys_before_tensors)
{
    struct account a = {0};
    struct fail f = {0};

    account_expect(&a, ACCOUNT_TENSOR, "x.weight");
    account_expect(&a, ACCOUNT_KEY, "logit_scale");
    account_expect(&a, ACCOUNT_KEY, "hidden_size");
    account_used(&a, ACCOUNT_KEY, "hidden_size", "llama.embedding_length", NULL);
    CHECK(account_check(&a, &f) == -1);
    CHECK(f.kind == FAIL_INPUT);
    CHECK_STR(f.text, "1 key means nothing to this program, and may change what the weights compute: 'logit_scale'");
    account_release(&a);
}

TEST(account_lists_three_and_counts_all)
{
    struct account a = {0};
    struct fail f = {0};

    for (int i = 0; i < 5; i++)
        account_expect(&a, ACCOUNT_TENSOR, (const char *[]){ "a", "b", "c", "d", "e" }[i]);
    account_ignored(&a, ACCOUNT_TENSOR, "b", "why");
    CHECK(account_check(&a, &f) == -1);
    CHECK_STR(f.text, "4 tensors have no place in this model family: 'a', 'c', 'd', ...");
    account_release(&a);
}

TEST(account_object_covers_its_keys_only)
{
    struct account a = {0};
    struct fail f = {0};

    account_expect(&a, ACCOUNT_KEY, "rope.factor");
    account_expect(&a, ACCOUNT_KEY, "rope.type");
    account_expect(&a, ACCOUNT_KEY, "rope_theta");
    account_used(&a, ACCOUNT_KEY, "rope", "x", "how");
    CHECK(a.entry[0].fate == ACCOUNT_USED && a.entry[1].fate == ACCOUNT_USED);
    CHECK(a.entry[2].fate == ACCOUNT_PENDING);
    account_ignored(&a, ACCOUNT_KEY, "rope.factor", "later");
    CHECK_STR(a.entry[0].to, "x");                          /* the first fate stays */
    account_ignored(&a, ACCOUNT_KEY, "rope_theta", "why");
    CHECK(account_check(&a, &f) == 0 && !failed(&f));
    account_release(&a);
}

TEST(account_finds_tensors_in_any_order)
{
    struct account a = {0};
    struct fail f = {0};
    char name[20];

    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "t%d", i);
        account_expect(&a, ACCOUNT_TENSOR, name);
    }
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "t%d", i * 37 % 100);
        account_used(&a, ACCOUNT_TENSOR, name, "there", NULL);
    }
    CHECK_U64(a.n, 100);
    CHECK(account_check(&a, &f) == 0);
    account_used(&a, ACCOUNT_TENSOR, "of nowhere", "there", NULL);
    CHECK_U64(a.n, 101);
    account_release(&a);
}
