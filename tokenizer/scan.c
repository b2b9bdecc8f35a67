/* scan.c - see scan.h. */
#include "tokenizer/scan.h"
#include "tokenizer/rules.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 128 };

static bool spoil(struct scan *s)
{
    s->bad = true;
    s->at = s->end;
    return false;
}

char scan_peek(struct scan *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\r' || *s->at == '\t'))
        s->at++;
    return s->at < s->end ? *s->at : 0;
}

bool scan_enter(struct scan *s, char open)
{
    if (scan_peek(s) != open)
        return spoil(s);
    s->at++;
    if (scan_peek(s) != open + 2)       /* '[' and ']', '{' and '}' are two apart */
        return true;
    s->at++;
    return false;
}

bool scan_more(struct scan *s, char close)
{
    char c = scan_peek(s);

    if (c != ',' && c != close)
        return spoil(s);
    s->at++;
    return c == ',';
}

bool scan_string(struct scan *s, struct meta_string *raw)
{
    const char *p;

    if (scan_peek(s) != '"')
        return spoil(s);
    for (p = ++s->at; p < s->end && *p != '"'; p++)
        if ((uint8_t)*p < 0x20 || (*p == '\\' && ++p == s->end))
            return spoil(s);
    if (p >= s->end)
        return spoil(s);
    *raw = (struct meta_string){ s->at, (uint64_t)(p - s->at) };
    s->at = p + 1;
    return true;
}

bool scan_key(struct scan *s, struct meta_string *raw)
{
    if (!scan_string(s, raw))
        return false;
    if (scan_peek(s) != ':')
        return spoil(s);
    s->at++;
    return true;
}

double scan_number(struct scan *s)
{
    char text[64], *end;
    size_t n = 0;
    double d;

    scan_peek(s);
    while (n + 1 < sizeof text && s->at < s->end && *s->at && strchr("+-.0123456789eE", *s->at))
        text[n++] = *s->at++;
    text[n] = 0;
    d = strtod(text, &end);
    if (n == 0 || *end)
        spoil(s);
    return d;
}

bool scan_skip(struct scan *s)
{
    struct meta_string raw;
    int depth = 0;

    do {
        char c = scan_peek(s);

        if (c == '"') {
            scan_string(s, &raw);
        } else if (c == '{' || c == '[') {
            s->at++;
            if (++depth > MAX_DEPTH)
                spoil(s);
        } else if (c == '}' || c == ']') {
            s->at++;
            depth--;
        } else if (c == 0 || depth < 0) {
            spoil(s);
        } else if (depth > 0 && (c == ',' || c == ':')) {
            s->at++;
        } else {
            const char *start = s->at;

            while (s->at < s->end && *s->at > ' ' && !strchr(",:]}\"[{", *s->at))
                s->at++;
            if (s->at == start)
                spoil(s);
        }
    } while (!s->bad && depth > 0);
    return !s->bad && depth == 0;
}

bool scan_value(struct scan *s, struct meta_string *span)
{
    scan_peek(s);
    span->s = s->at;
    if (!scan_skip(s))
        return false;
    span->n = (uint64_t)(s->at - span->s);
    return true;
}

/* ---- strings ---- */

/* Four hex digits at p; -1: not there. */
static int32_t hex4(const char *p, const char *end)
{
    int32_t value = 0;

    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;

        if (digit < 0)
            return -1;
        value = 16 * value + digit;
    }
    return value;
}

/* Behind "\u": the character, from one escape or a pair of surrogates; -1: broken. */
static int32_t unescape_char(const char **p, const char *end)
{
    int32_t high = hex4(*p, end), low;

    *p += 4;
    if (high < 0xd800 || high > 0xdfff)
        return high;
    if (high > 0xdbff || end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u')
        return -1;
    low = hex4(*p + 2, end);
    *p += 6;
    return low < 0xdc00 || low > 0xdfff ? -1 : 0x10000 + ((high - 0xd800) << 10 | (low - 0xdc00));
}

static int32_t unescape_one(const char **p, const char *end)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = *(*p)++;
    const char *at = c ? strchr(from, c) : NULL;

    return c == 'u' ? unescape_char(p, end) : at ? to[at - from] : -1;
}

struct meta_string scan_unescape(struct scan *s, struct meta_string raw, struct pool *pool)
{
    const char *p = raw.s, *end = raw.s + raw.n;
    char *out = pool_take(pool, raw.n);
    size_t n = 0;

    while (p < end) {
        const char *stop = memchr(p, '\\', (size_t)(end - p));
        size_t plain = (size_t)((stop ? stop : end) - p);
        int32_t c;

        memcpy(out + n, p, plain);
        n += plain;
        p += plain;
        if (p == end)
            break;
        p++;
        c = p < end ? unescape_one(&p, end) : -1;
        if (c < 0) {
            spoil(s);
            return (struct meta_string){ NULL, 0 };
        }
        n += utf8_put((uint32_t)c, out + n);
    }
    out[n] = 0;
    if (utf8_span((const uint8_t *)out, n) == n)
        return (struct meta_string){ out, n };
    spoil(s);
    return (struct meta_string){ NULL, 0 };
}
