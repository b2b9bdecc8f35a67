/* letters.c - growing memory, UTF-8, the byte-level alphabet and pieces that spell a byte. See rules.h. */
#include "tokenizer/rules.h"

#include <stdlib.h>
#include <string.h>

void *heap_grow(void *old, size_t n, size_t size)
{
    size_t nbytes;
    void *p = __builtin_mul_overflow(n, size, &nbytes) ? NULL : realloc(old, nbytes ? nbytes : 1);

    if (!p)
        arena_exhausted(n);
    return p;
}

char *pool_take(struct pool *p, size_t n)
{
    enum { BLOCK = 64 << 10 };
    char *s;

    if (n + 1 > BLOCK / 4)
        return arena_raw(p->a, n + 1);
    if (n + 1 > p->left) {
        p->at = arena_raw(p->a, BLOCK);
        p->left = BLOCK;
    }
    s = p->at;
    p->at += n + 1;
    p->left -= n + 1;
    return s;
}

struct meta_string pool_copy(struct pool *p, const void *bytes, size_t n)
{
    char *s = pool_take(p, n);

    memcpy(s, bytes, n);
    s[n] = 0;
    return (struct meta_string){ s, n };
}

size_t utf8_span(const uint8_t *s, size_t n)
{
    size_t at = 0;

    for (size_t step; at < n && (step = utf8_length((const char *)s + at, n - at)) > 0; at += step)
        ;
    return at;
}

uint32_t utf8_char(const uint8_t *s, size_t nbytes)
{
    uint32_t c = nbytes == 1 ? s[0] : s[0] & (0xffu >> (nbytes + 1));

    for (size_t i = 1; i < nbytes; i++)
        c = c << 6 | (s[i] & 0x3f);
    return c;
}

size_t utf8_put(uint32_t c, char *to)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (char)(0xc0 | c >> 6);
        to[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        to[0] = (char)(0xe0 | c >> 12);
        to[1] = (char)(0x80 | (c >> 6 & 0x3f));
        to[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | c >> 18);
    to[1] = (char)(0x80 | (c >> 12 & 0x3f));
    to[2] = (char)(0x80 | (c >> 6 & 0x3f));
    to[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

bool is_white_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a)
           || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

/* The 68 bytes that cannot be seen take the characters from U+0100 on, in order: 0x00..0x20, 0x7f..0xa0, 0xad. */
uint32_t byte_level_char(uint8_t b)
{
    if (b <= 0x20)
        return 0x100u + b;
    if (b >= 0x7f && b <= 0xa0)
        return 0x100u + 0x21 + (b - 0x7fu);
    return b == 0xad ? 0x143 : b;
}

int byte_level_byte(uint32_t c)
{
    if (c >= 0x100 && c <= 0x120)
        return (int)(c - 0x100);
    if (c >= 0x121 && c <= 0x142)
        return (int)(c - 0x121 + 0x7f);
    if (c == 0x143)
        return 0xad;
    return c > 0x20 && c < 0x100 && byte_level_char((uint8_t)c) == c ? (int)c : -1;
}

struct meta_string byte_level_decode(struct meta_string piece, struct pool *pool)
{
    const uint8_t *s = (const uint8_t *)piece.s;
    char *out = pool_take(pool, piece.n);
    size_t n = 0;

    for (size_t at = 0, step; at < piece.n; at += step) {
        int b;

        step = utf8_length((const char *)s + at, piece.n - at);
        b = step ? byte_level_byte(utf8_char(s + at, step)) : -1;
        if (b < 0)
            return (struct meta_string){ NULL, 0 };
        out[n++] = (char)b;
    }
    out[n] = 0;
    return (struct meta_string){ out, n };
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int byte_piece_value(struct meta_string p)
{
    int high, low;

    if (p.n != 6 || memcmp(p.s, "<0x", 3) != 0 || p.s[5] != '>')
        return -1;
    high = hex_digit(p.s[3]);
    low = hex_digit(p.s[4]);
    return high < 0 || low < 0 ? -1 : 16 * high + low;
}

/* The value of a base64 digit; -1: none. */
static int base64_digit(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' : c >= 'a' && c <= 'z' ? c - 'a' + 26 : c >= '0' && c <= '9' ? c - '0' + 52
         : c == '+' ? 62 : c == '/' ? 63 : -1;
}

long base64_decode(struct meta_string text, uint8_t *out)
{
    uint32_t bits = 0;
    long n = 0;
    int nbits = 0;

    for (size_t i = 0; i < text.n && text.s[i] != '='; i++) {
        int digit = base64_digit(text.s[i]);

        if (digit < 0)
            return -1;
        bits = bits << 6 | (uint32_t)digit;
        nbits += 6;
        if (nbits >= 8) {
            nbits -= 8;
            out[n++] = (uint8_t)(bits >> nbits);
        }
    }
    return n;
}

static bool has_ends(const char *s, size_t n, const char *start, const char *end)
{
    size_t ns = strlen(start), ne = strlen(end);

    return n >= ns && n >= ne && memcmp(s, start, ns) == 0 && memcmp(s + n - ne, end, ne) == 0;
}

bool looks_special(const char *s, size_t n)
{
    static const char *const whole[] = { "<pad>", "<mask>", "<2mass>", "[@BOS@]" };

    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        if (n == strlen(whole[i]) && memcmp(s, whole[i], n) == 0)
            return true;
    return has_ends(s, n, "<|", "|>") || has_ends(s, n, "<\xef\xbd\x9c", "\xef\xbd\x9c>") || has_ends(s, n, "<unused", ">");
}
