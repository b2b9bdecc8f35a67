/* lines.c - see lines.h. */
#include "formats/lines.h"

#include "formats/text.h"

#include <string.h>

int lines_open(struct lines *l, const char *text, size_t n, struct fail *f)
{
    size_t line = 1, mark = n >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;

    for (size_t i = 0, step; i < n; i += step) {
        step = utf8_length(text + i, n - i);
        line += text[i] == '\n';
        if (!step) {
            fail(f, FAIL_INPUT, "line %zu is not UTF-8: byte 0x%02x at offset %zu", line, (unsigned)(unsigned char)text[i], i);
            return fail_hint(f, "if it is Latin-1: iconv -f latin1 -t utf-8");
        }
        if (!text[i])
            return fail(f, FAIL_INPUT, "line %zu holds a NUL byte at offset %zu: this is no text", line, i);
    }
    *l = (struct lines){ .at = text + mark, .left = n - mark };
    return 0;
}

bool lines_next(struct lines *l, const char **line, size_t *n)
{
    const char *end;

    if (!l->left)
        return false;
    end = memchr(l->at, '\n', l->left);
    *line = l->at;
    *n = end ? (size_t)(end - l->at) : l->left;
    l->at += *n + (end ? 1 : 0);
    l->left -= *n + (end ? 1 : 0);
    l->no++;
    if (*n && (*line)[*n - 1] == '\r')
        --*n;
    return true;
}

static bool blank(const char *line, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r')
            return false;
    return true;
}

cJSON *lines_next_json(struct lines *l, struct arena *owner, struct fail *f)
{
    struct fail inner = {0};
    const char *line, *at;
    size_t n;
    cJSON *item;

    do {
        if (!lines_next(l, &line, &n))
            return NULL;
    } while (blank(line, n));
    item = json_parse(line, n, "", owner, &inner);
    if (cJSON_IsObject(item))
        return item;
    at = strstr(inner.text, " at line 1, ");        /* json.h's place in the line, which is all it was shown */
    fail(f, inner.kind ? inner.kind : FAIL_INPUT, "line %zu: %.*s%s", l->no, (int)(at ? at - inner.text : (long)strlen(inner.text)), inner.text,
         at ? at + strlen(" at line 1") : item ? "a JSON object is wanted" : "");
    return NULL;
}
