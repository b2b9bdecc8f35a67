/* groups.c - see groups.h. */
#include "verify/groups.h"

struct groups groups_of(const char *const *name, size_t n, const size_t *of, size_t tokens, struct arena *a)
{
    struct groups g = { .item = arena_array(a, struct group, n), .n = n };

    for (size_t i = 0; i < tokens; i++)
        g.item[of[i]].n++;
    for (size_t k = 0; k < n; k++)
        g.item[k] = (struct group){ .name = name[k], .which = arena_array(a, size_t, g.item[k].n) };
    for (size_t i = 0; i < tokens; i++)
        g.item[of[i]].which[g.item[of[i]].n++] = i;
    return g;
}

struct groups groups_by_confidence(const struct token_said *said, size_t tokens, struct arena *a)
{
    static const char *const names[] = { "sure", "middling", "unsure" };
    static const char *const abouts[] = { "sure (90 % or more)", "middling (50 % or more)", "unsure (less than 50 %)" };
    size_t *of = arena_array(a, size_t, tokens);
    struct groups g;

    for (size_t i = 0; i < tokens; i++)
        of[i] = said[i].top >= 0.9 ? 0 : said[i].top >= 0.5 ? 1 : 2;
    g = groups_of(names, sizeof names / sizeof *names, of, tokens, a);
    for (size_t k = 0; k < g.n; k++)
        g.item[k].about = abouts[k];
    return g;
}
