/* canonical.c - see canonical.h. */
#include "tools/canonical.h"

#include "convert/rename.h"
#include "formats/gzip.h"

enum { TEXT_LIMIT = 1 << 30 };

struct model *canonical_open(const struct args *a, const char *path, struct vocab **found, struct fail *f)
{
    struct rename_options rename = { .ignore_keys = a->ignore_key.item };
    struct model *m = model_rename(model_open(path, f), &rename, NULL, found, f);

    if (!m)
        fail_in(f, path);
    return m;
}

struct vocab *canonical_vocab(struct model *m, struct vocab *found, struct fail *f)
{
    return found ? found : vocab_open_meta(&m->meta, &m->arena, f);
}

int needs_text(const struct args *a, const char *command, struct fail *f)
{
    return a->text ? 0 : (fail(f, FAIL_USAGE, "'%s' needs --text FILE", command),
                          fail_hint(f, "any UTF-8 text of at least a few thousand words in the model's language"));
}

int text_spared(const struct args *a, struct fail *f)
{
    if (!path_same(a->text, a->out))
        return 0;
    fail(f, FAIL_USAGE, "is the text that is read, and is never replaced");
    return fail_in(f, a->out);
}

char *read_text(struct args *a, size_t *nbytes, struct fail *f)
{
    return gzip_read_text(a->text, TEXT_LIMIT, &a->arena, nbytes, f);
}
