/* json.c - see json.h. cJSON is lenient and recursive, so a scan of our own comes first: it bounds the nesting, and
 * refuses what cJSON would let through or cut short (invalid UTF-8, raw control characters, U+0000 in a string). */
#include "formats/json.h"
#include "formats/file.h"
#include "formats/index.h"
#include "formats/text.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { MAX_DEPTH = 128 };

/* Where byte `at` is, as editors count: both from 1, columns in bytes. */
static int fail_at(const char *text, size_t at, const char *what, struct fail *f, const char *problem)
{
    size_t line = 1, start = 0;

    for (size_t i = 0; i < at; i++)
        if (text[i] == '\n') {
            line++;
            start = i + 1;
        }
    fail(f, FAIL_INPUT, "%s at line %zu, column %zu", problem, line, at - start + 1);
    return fail_in(f, what);
}

/* From behind the opening quote to behind the closing one; NULL with *problem and *at set. */
static size_t scan_string(const char *text, size_t i, size_t n, const char **problem)
{
    while (i < n && text[i] != '"') {
        size_t step = utf8_length(text + i, n - i);

        if (step == 0)
            *problem = "invalid UTF-8";
        else if ((uint8_t)text[i] < 0x20)
            *problem = "control character inside a string";
        else if (text[i] == '\\' && n - i >= 6 && memcmp(text + i, "\\u0000", 6) == 0)
            *problem = "character U+0000 inside a string";
        else if (text[i] == '\\')
            step = 2;
        if (*problem)
            return i;
        i += step;
    }
    if (i >= n) {
        *problem = "string without an end";
        return n;
    }
    return i + 1;
}

static int scan(const char *text, size_t n, const char *what, struct fail *f)
{
    const char *problem = NULL;
    int depth = 0;
    size_t i = 0;

    while (i < n && !problem) {
        char c = text[i++];

        if (c == '"')
            i = scan_string(text, i, n, &problem);
        else if (c == '{' || c == '[')
            problem = ++depth > MAX_DEPTH ? "more than 128 levels of nesting" : NULL;
        else if (c == '}' || c == ']')
            depth--;
    }
    if (!problem && depth > 0)
        problem = "JSON ends inside an object or array";
    return problem ? fail_at(text, i, what, f, problem) : 0;
}

/* ---- duplicate keys ---- */

static int check_object(const cJSON *object, const char *what, struct arena *tmp, struct fail *f)
{
    struct name_index seen = {0};
    const cJSON *c;

    cJSON_ArrayForEach(c, object)
        if (!name_index_add(&seen, tmp, c->string)) {
            fail(f, FAIL_INPUT, "key '%s' stands twice in one object", c->string);
            return fail_in(f, what);
        }
    return 0;
}

static int check_duplicates(const cJSON *item, const char *what, struct arena *tmp, struct fail *f)
{
    const cJSON *c;

    if (cJSON_IsObject(item)) {
        arena_reset(tmp);
        if (check_object(item, what, tmp, f))
            return -1;
    }
    cJSON_ArrayForEach(c, item)
        if (c->child && check_duplicates(c, what, tmp, f))      /* as deep as the scan allowed */
            return -1;
    return 0;
}

/* ---- parsing ---- */

static void delete_tree(void *tree, size_t n)
{
    (void)n;
    cJSON_Delete(tree);
}

static cJSON *parse(const char *text, size_t n, const char *what, struct fail *f)
{
    const char *end = NULL;
    cJSON *tree = cJSON_ParseWithLengthOpts(text, n, &end, false);
    size_t at = end >= text && end <= text + n ? (size_t)(end - text) : 0;

    if (!tree) {
        fail_at(text, at, what, f, "JSON is malformed");
        return NULL;
    }
    while (at < n && strchr(" \t\r\n", text[at]) && text[at])
        at++;
    if (at < n) {
        fail_at(text, at, what, f, "more text behind the end of the JSON value");
        cJSON_Delete(tree);
        return NULL;
    }
    return tree;
}

cJSON *json_parse(const char *text, size_t n, const char *what, struct arena *owner, struct fail *f)
{
    struct arena tmp = {0};
    cJSON *tree;
    int bad;

    if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
        n -= 3;
    }
    if (scan(text, n, what, f) || !(tree = parse(text, n, what, f)))
        return NULL;
    arena_on_reset(owner, delete_tree, tree, 0);
    bad = check_duplicates(tree, what, &tmp, f);
    arena_release(&tmp);
    return bad ? NULL : tree;
}

cJSON *json_read(const char *path, uint64_t limit, struct arena *owner, struct fail *f)
{
    struct arena tmp = {0};
    size_t n;
    char *text = file_read_text(path, limit, &tmp, &n, f);
    cJSON *tree = text ? json_parse(text, n, path, owner, f) : NULL;

    arena_release(&tmp);
    return tree;
}

/* ---- reading the tree ---- */

const char *json_str(const cJSON *object, const char *key, const char *fallback)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

    return cJSON_IsString(item) ? item->valuestring : fallback;
}

bool json_u64(const cJSON *item, uint64_t *out)
{
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble <= 0x1p53)
        || item->valuedouble != floor(item->valuedouble))
        return false;
    *out = (uint64_t)item->valuedouble;
    return true;
}
