/* text.c - see text.h. */
#include "formats/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

bool starts_with(const char *s, const char *start)
{
    return strncmp(s, start, strlen(start)) == 0;
}

bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), nend = strlen(end);

    return n >= nend && memcmp(s + n - nend, end, nend) == 0;
}

/* Five digits; -1 if they are none. */
static long five_digits(const char *p)
{
    long n = 0;

    for (int i = 0; i < 5; i++) {
        if (p[i] < '0' || p[i] > '9')
            return -1;
        n = 10 * n + (p[i] - '0');
    }
    return n;
}

struct shard_name shard_name(const char *path, const char *suffix)
{
    static const size_t tail = sizeof "-00001-of-00007" - 1;
    size_t n = strlen(path);
    const char *p;
    long no, count;

    if (!ends_with(path, suffix) || n < tail + strlen(suffix))
        return (struct shard_name){0};
    p = path + n - strlen(suffix) - tail;
    if (p[0] != '-' || memcmp(p + 6, "-of-", 4) != 0)
        return (struct shard_name){0};
    no = five_digits(p + 1);
    count = five_digits(p + 10);
    if (no < 1 || count < no)
        return (struct shard_name){0};
    return (struct shard_name){ (unsigned)no, (unsigned)count, (size_t)(p - path) };
}

char *shard_path(struct arena *a, const char *stem, size_t nstem, unsigned no, unsigned count, const char *suffix)
{
    return arena_printf(a, "%.*s-%05u-of-%05u%s", (int)nstem, stem, no, count, suffix);
}

size_t utf8_length(const char *s, size_t left)
{
    const uint8_t *p = (const uint8_t *)s;
    static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 : (p[0] & 0xf8) == 0xf0 ? 4 : 0;
    uint32_t c;

    if (n < 2 || n > left)
        return n > left ? 0 : n;
    c = p[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : n;
}

bool utf8_valid(const char *s, size_t n)
{
    for (size_t i = 0; i < n; ) {
        size_t step = utf8_length(s + i, n - i);

        if (step == 0)
            return false;
        i += step;
    }
    return true;
}
