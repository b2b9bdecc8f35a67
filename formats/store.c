/* store.c - the table of stores, and what they share: home directories and names that stay below a folder. */
#include "formats/store.h"

#include "formats/file.h"
#include "formats/text.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROW(name) extern const struct store store_##name;
#include "formats/stores.def"
#undef ROW

static const struct store *const stores[] = {
#define ROW(name) &store_##name,
#include "formats/stores.def"
#undef ROW
};

size_t store_count(void)
{
    return sizeof stores / sizeof *stores;
}

const struct store *store_at(size_t i)
{
    return stores[i];
}

const struct store *store_of(const char *model, const char **rest)
{
    for (size_t i = 0; i < store_count(); i++) {
        size_t n = strlen(stores[i]->name);

        if (starts_with(model, stores[i]->name) && model[n] == ':' && !path_exists(model)) {
            *rest = model + n + 1;
            return stores[i];
        }
    }
    return NULL;
}

int store_find(const char *model, struct arena *a, struct store_item *item, struct fail *f)
{
    const char *rest = model;
    const struct store *s = store_of(model, &rest);

    *item = (struct store_item){ .name = model };
    if (!s)
        return fail(f, FAIL_INPUT, "'%s' names no store", model);
    return s->find(rest, a, item, f) ? fail_in(f, model) : 0;
}

struct store_item *store_add(struct store_items *l, struct arena *a, const char *name)
{
    l->item = arena_grow(a, l->item, &l->cap, l->n + 1, sizeof *l->item);
    l->item[l->n] = (struct store_item){ .name = name };
    return &l->item[l->n++];
}

static const char *home_dir(void)
{
    const char *home = getenv("HOME");
    const struct passwd *p;

    if (home && *home)
        return home;
    p = getpwuid(getuid());
    return p && p->pw_dir ? p->pw_dir : ".";
}

char *home_path(struct arena *a, const char *path)
{
    if (path[0] == '~' && (path[1] == '/' || path[1] == 0))
        return path[1] ? path_join(a, home_dir(), path + 2) : arena_strdup(a, home_dir());
    return arena_strdup(a, path);
}

const char *env_path(const char *variable, struct arena *a)
{
    const char *value = getenv(variable);

    return value && *value ? home_path(a, value) : NULL;
}

bool name_is_below(const char *name)
{
    if (*name == 0 || *name == '/' || ends_with(name, "/"))
        return false;
    for (const char *p = name; *p; p++)
        if ((unsigned char)*p < 32 || *p == '\\' || (*p == '.' && (p == name || p[-1] == '/')) || (*p == '/' && p[1] == '/'))
            return false;
    return true;
}
