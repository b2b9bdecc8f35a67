/* account.c - where every source tensor and every config key went. */
#include "convert/account.h"

#include <stdio.h>
#include <string.h>

static void add(struct account *a, struct account_entry e)
{
    a->entry = arena_grow(&a->arena, a->entry, &a->cap, a->n + 1, sizeof *a->entry);
    e.name = arena_strdup(&a->arena, e.name);
    a->entry[a->n++] = e;
}

void account_expect(struct account *a, enum account_kind kind, const char *name)
{
    add(a, (struct account_entry){ .kind = kind, .name = name });
}

/* Is `name` the key, or the object that the key lies in? */
static bool covers(const char *name, const char *key)
{
    size_t n = strlen(name);

    return strncmp(key, name, n) == 0 && (key[n] == '\0' || key[n] == '.');
}

/* The first fate of an entry stays: a key that gives two results is listed with the first. */
static void fix(struct account_entry *e, enum account_fate fate, const char *to, const char *how)
{
    if (e->fate == ACCOUNT_PENDING)
        e->fate = fate, e->to = to, e->how = how;
}

/* Tensors are settled in the order they were expected, so the search starts behind the last one found. */
static struct account_entry *find_tensor(struct account *a, const char *name)
{
    for (size_t k = 0; k < a->n; k++) {
        size_t i = (a->next + k) % a->n;
        if (a->entry[i].kind == ACCOUNT_TENSOR && strcmp(a->entry[i].name, name) == 0) {
            a->next = i + 1;
            return &a->entry[i];
        }
    }
    return NULL;
}

static bool fix_keys(struct account *a, const char *name, enum account_fate fate, const char *to, const char *how)
{
    bool known = false;

    for (size_t i = 0; i < a->n; i++)
        if (a->entry[i].kind == ACCOUNT_KEY && covers(name, a->entry[i].name)) {
            known = true;
            fix(&a->entry[i], fate, to, how);
        }
    return known;
}

static void settle(struct account *a, enum account_kind kind, const char *name, enum account_fate fate, const char *to,
                   const char *how)
{
    struct account_entry *e = kind == ACCOUNT_TENSOR ? find_tensor(a, name) : NULL;

    to = e && e->fate == ACCOUNT_USED && fate == ACCOUNT_USED ? arena_printf(&a->arena, "%s, %s", e->to, to)       /* parts of it */
                                                              : arena_strdup(&a->arena, to);
    how = how ? arena_strdup(&a->arena, how) : NULL;
    if (e)
        fix(e, fate, to, how);
    else if (kind == ACCOUNT_TENSOR || !fix_keys(a, name, fate, to, how))
        add(a, (struct account_entry){ kind, fate, name, to, how });
}

void account_used(struct account *a, enum account_kind kind, const char *name, const char *to, const char *how)
{
    settle(a, kind, name, ACCOUNT_USED, to, how);
}

void account_ignored(struct account *a, enum account_kind kind, const char *name, const char *why)
{
    settle(a, kind, name, ACCOUNT_IGNORED, why, NULL);
}

/* Names of the pending entries of one kind, "'a', 'b', 'c'", at most three. */
static size_t pending(const struct account *a, enum account_kind kind, char *names, size_t nbytes)
{
    size_t n = 0, at = 0;

    names[0] = '\0';
    for (size_t i = 0; i < a->n; i++) {
        if (a->entry[i].kind != kind || a->entry[i].fate != ACCOUNT_PENDING)
            continue;
        if (n++ < 3 && at < nbytes)
            at += (size_t)snprintf(names + at, nbytes - at, "%s'%s'", at ? ", " : "", a->entry[i].name);
    }
    return n;
}

int account_check(const struct account *a, struct fail *f)
{
    char names[400];
    size_t n = pending(a, ACCOUNT_KEY, names, sizeof names);

    if (n) {
        fail(f, FAIL_INPUT, "%zu key%s mean%s nothing to this program, and may change what the weights compute: %s%s", n, n == 1 ? "" : "s", n == 1 ? "s" : "", names, n > 3 ? ", ..." : "");
        return fail_hint(f, "if a key changes nothing in the result, say so with --ignore-key KEY");
    }
    n = pending(a, ACCOUNT_TENSOR, names, sizeof names);
    if (n)
        return fail(f, FAIL_INPUT, "%zu tensor%s no place in this model family: %s%s", n, n == 1 ? " has" : "s have", names,
                    n > 3 ? ", ..." : "");
    return 0;
}

void account_release(struct account *a)
{
    arena_release(&a->arena);
    *a = (struct account){0};
}
