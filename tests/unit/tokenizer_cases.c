/* tokenizer_cases.c - see tokenizer_cases.h. */
#include "tests/unit/tokenizer_cases.h"
#include "formats/file.h"
#include "tests/unit/test.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

int check_ids(const char *what, struct tokenizer *t, const char *text, size_t n, const cJSON *want, struct arena *a)
{
    struct fail f = {0};
    size_t nids = 0, i = 0;
    int32_t *ids = tokenizer_encode(t, text, n, (struct token_options){ false, false }, a, &nids, &f);
    const cJSON *item;

    cJSON_ArrayForEach(item, want) {
        if (!ids || i == nids || ids[i] != item->valueint) {
            test_failed(__FILE__, __LINE__, "%s: '%s' differs at id %zu %s", what, text, i, f.text);
            return -1;
        }
        i++;
    }
    if (ids && i == nids)
        return 0;
    test_failed(__FILE__, __LINE__, "%s: '%s' has %zu ids, expected %zu %s", what, text, nids, i, f.text);
    return -1;
}

int check_cases(const char *what, const struct vocab *v, const cJSON *cases, struct arena *a)
{
    struct fail f = {0};
    struct tokenizer *t = tokenizer_open(v, &f);
    const cJSON *one;
    int bad = 0;

    if (!t || !cases) {
        test_failed(__FILE__, __LINE__, "%s: %s", what, t ? "no cases" : f.text);
        tokenizer_close(t);
        return -1;
    }
    cJSON_ArrayForEach(one, cases) {
        const char *text = json_str(one, "text", "");

        if (!bad)
            bad = check_ids(what, t, text, strlen(text), cJSON_GetObjectItemCaseSensitive(one, "ids"), a);
    }
    tokenizer_close(t);
    return bad;
}

static char temporary[200];

void temporary_remove(void)
{
    DIR *d = *temporary ? opendir(temporary) : NULL;
    const struct dirent *e;

    while (d && (e = readdir(d)))
        if (e->d_name[0] != '.')
            unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        closedir(d);
    if (*temporary)
        rmdir(temporary);
    *temporary = 0;
}

const char *temporary_dir(const char *name, const void *bytes, size_t n)
{
    const char *root = getenv("TMPDIR");
    char path[300];
    FILE *out;

    temporary_remove();
    snprintf(temporary, sizeof temporary, "%s/bantam-tokenizer-XXXXXX", root && *root ? root : "/tmp");
    if (!mkdtemp(temporary))
        return "";
    snprintf(path, sizeof path, "%s/%s", temporary, name);
    out = fopen(path, "wb");
    if (out) {
        fwrite(bytes, 1, n, out);
        fclose(out);
    }
    return temporary;
}
