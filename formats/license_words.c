/* license_words.c - a text as its words: what does not count is left out here. See license_text.h. */
#include "formats/license_text.h"

#include "formats/text.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>
#include <xxhash.h>

enum { WORD_MAX = 200, CODE_SKIP = -1 };
static const uint64_t base = 0x9E3779B97F4A7C15u | 1;      /* of the polynomial; odd, so that no power of it is 0 */

struct reader {
    const char *s;
    size_t n, i;
    struct license_words *w;
    char *clean;                /* the words, each with a blank behind it */
    size_t nclean, word;        /* where the open word begins in `clean`, and in the text */
    bool open;
};

/* One code point; bytes that are no UTF-8 count as Windows-1252, which old copies of licenses are written in. */
static int32_t peek(const struct reader *r, size_t at, size_t *used)
{
    utf8proc_int32_t code;
    utf8proc_ssize_t n;

    *used = 1;
    if (at >= r->n)
        return 0;
    if ((signed char)r->s[at] >= 0)
        return r->s[at];
    n = utf8proc_iterate((const utf8proc_uint8_t *)r->s + at, (utf8proc_ssize_t)(r->n - at), &code);
    if (n <= 0) {
        unsigned char c = (unsigned char)r->s[at];

        return c == 0x91 || c == 0x92 ? 0x2019 : c == 0x96 || c == 0x97 ? 0x2013 : c;
    }
    *used = (size_t)n;
    return code;
}

/* SPDX's varietal spellings, as far as whole words go. */
static const char *const spelling[][2] = {
    { "acknowledgement", "acknowledgment" }, { "analogue", "analog" }, { "analyse", "analyze" }, { "artefact", "artifact" },
    { "authorisation", "authorization" }, { "authorise", "authorize" }, { "authorised", "authorized" }, { "calibre", "caliber" },
    { "cancelled", "canceled" }, { "capitalisations", "capitalizations" }, { "catalogue", "catalog" },
    { "categorise", "categorize" }, { "centre", "center" }, { "emphasised", "emphasized" }, { "favour", "favor" },
    { "favourite", "favorite" }, { "fulfil", "fulfill" }, { "fulfilment", "fulfillment" }, { "initialise", "initialize" },
    { "judgement", "judgment" }, { "labelling", "labeling" }, { "labour", "labor" }, { "licence", "license" },
    { "licenced", "licensed" }, { "licences", "licenses" }, { "maximise", "maximize" }, { "modelled", "modeled" },
    { "modelling", "modeling" }, { "offence", "offense" }, { "optimise", "optimize" }, { "organisation", "organization" },
    { "organisations", "organizations" }, { "organise", "organize" }, { "practise", "practice" }, { "programme", "program" },
    { "realise", "realize" }, { "recognise", "recognize" }, { "recognised", "recognized" }, { "signalling", "signaling" },
    { "sublicence", "sublicense" }, { "unauthorised", "unauthorized" }, { "utilisation", "utilization" },
    { "utilise", "utilize" }, { "whilst", "while" }, { "wilful", "willful" },
};

static int by_spelling(const void *key, const void *row)
{
    return strcmp(key, *(const char *const *)row);
}

static void respell(struct reader *r)
{
    char *word = r->clean + r->w->clean_at[r->w->n];
    const char *const *row;

    r->clean[r->nclean] = '\0';
    row = bsearch(word, spelling, sizeof spelling / sizeof *spelling, sizeof *spelling, by_spelling);
    if (row) {
        memcpy(word, row[1], strlen(row[1]));       /* never longer by more than one letter, for which a blank was kept */
        r->nclean = (size_t)(word - r->clean) + strlen(row[1]);
    }
}

static void end_word(struct reader *r)
{
    struct license_words *w = r->w;

    if (!r->open)
        return;
    respell(r);
    w->hash[w->n] = XXH3_64bits(r->clean + w->clean_at[w->n], r->nclean - w->clean_at[w->n]);
    w->sum[w->n + 1] = w->sum[w->n] * base + w->hash[w->n];
    w->at[w->n] = (uint32_t)r->word;
    w->end[w->n] = (uint32_t)r->i;
    r->clean[r->nclean++] = ' ';
    w->clean_at[++w->n] = (uint32_t)r->nclean;
    r->open = false;
}

static void put_code(struct reader *r, int32_t code)
{
    utf8proc_uint8_t bytes[4];
    utf8proc_ssize_t n = utf8proc_encode_char(code, bytes);

    if (!r->open) {
        r->open = true;
        r->word = r->i;
    }
    memcpy(r->clean + r->nclean, bytes, (size_t)n);
    r->nclean += (size_t)n;
    if (r->nclean - r->w->clean_at[r->w->n] > WORD_MAX)
        end_word(r);
}

static void one_code_word(struct reader *r, int32_t code, size_t used)
{
    end_word(r);
    put_code(r, code);
    r->i += used;
    end_word(r);
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* At most `most` bytes further, so that hostile texts are not read again and again. */
static size_t skip_until(const struct reader *r, size_t from, const char *enders, size_t most)
{
    size_t i = from;

    while (i < r->n && i - from < most && !is_space(r->s[i]) && r->s[i] && !strchr(enders, r->s[i]))
        i++;
    return i;
}

/* Of a tag such as <br>, </p> or <a href="x">; what only stands between angle brackets is text. */
static size_t tag_end(const struct reader *r)
{
    size_t i = r->i + 1, most = r->n - r->i > 200 ? r->i + 200 : r->n;
    bool attribute = false;

    i += i < most && r->s[i] == '/';
    if (i >= most || (r->s[i] | 0x20) < 'a' || (r->s[i] | 0x20) > 'z')
        return 0;
    while (i < most && ((r->s[i] >= '0' && r->s[i] <= '9') || ((r->s[i] | 0x20) >= 'a' && (r->s[i] | 0x20) <= 'z')))
        i++;
    if (i < most && r->s[i] == ' ')
        for (; i < most && r->s[i] != '>' && r->s[i] != '<' && r->s[i] != '\n'; i++)
            attribute |= r->s[i] == '=' || r->s[i] == '/';
    else
        attribute = true;
    i += i < most && r->s[i] == '/';
    return attribute && i < most && r->s[i] == '>' ? i + 1 : 0;
}

/* An address, a tag, an entity or the target of a link begins here: one byte behind it; 0: none does. */
static size_t markup_end(const struct reader *r)
{
    static const char *const schemes[] = { "http://", "https://", "www." };
    const char *s = r->s + r->i;
    size_t left = r->n - r->i, end;

    for (size_t k = 0; !r->open && k < sizeof schemes / sizeof *schemes; k++)
        if (left > strlen(schemes[k]) && strncasecmp(s, schemes[k], strlen(schemes[k])) == 0)
            return skip_until(r, r->i, "<>\")]}|", r->n);
    if (*s == '<' && (end = tag_end(r)) != 0)
        return end;
    if (*s == '&' && (end = skip_until(r, r->i + 1, ";&<", 10)) < r->n && r->s[end] == ';' && end - r->i > 1 && end - r->i < 9)
        return end + 1;
    if (*s == ']' && left > 1 && s[1] == '(') {
        end = skip_until(r, r->i + 2, ")", 400);
        return end < r->n && r->s[end] == ')' ? end + 1 : 0;
    }
    return 0;
}

/* Is the open word a prefix that is written with a hyphen or without, and does its word go on, perhaps in the next line behind
 * a mark of quotation or comment? Then where. */
static size_t hyphen_joins(const struct reader *r, size_t behind)
{
    static const char *const prefixes[] = { "non", "sub", "re", "co" };
    size_t first = r->w->clean_at[r->w->n], n = r->nclean - first, i = behind;
    bool line = false;

    if (!r->open || n > 3)
        return 0;
    for (; i < r->n && i - behind < 80 && (is_space(r->s[i]) || (line && strchr(">#*|/", r->s[i]))); i++)
        line |= r->s[i] == '\n';
    if (i >= r->n || (r->s[i] | 0x20) < 'a' || (r->s[i] | 0x20) > 'z')
        return 0;
    for (size_t k = 0; k < sizeof prefixes / sizeof *prefixes; k++)
        if (n == strlen(prefixes[k]) && memcmp(r->clean + first, prefixes[k], n) == 0)
            return i;
    return 0;
}

/* What a code point that is no ASCII letter or digit is taken for: a letter (its lower case), 'c' for the copyright sign,
 * '-' for dashes, '.' where clauses end, ' ' for what separates, CODE_SKIP for nothing at all. */
static int32_t kind_of(int32_t code)
{
    switch (code) {
    case '\'': case '`': case 0x2018: case 0x2019: case 0x201A: case 0x201B: case 0x2032: case 0x02BC: return CODE_SKIP;
    case '-': case 0x2010: case 0x2011: case 0x2012: case 0x2013: case 0x2014: case 0x2015: case 0x2212: return '-';
    case '.': case ';': case ':': return '.';
    case 0xA9: return 'c';
    case '$': case '%': case 0xA3: case 0xA5: case 0x20AC: return '$';
    default: break;
    }
    if (code < 0x80)
        return ' ';
    switch (utf8proc_category(code)) {
    case UTF8PROC_CATEGORY_LU: case UTF8PROC_CATEGORY_LL: case UTF8PROC_CATEGORY_LT: case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO: case UTF8PROC_CATEGORY_MN: case UTF8PROC_CATEGORY_MC: case UTF8PROC_CATEGORY_ND:
        return utf8proc_tolower(code);
    case UTF8PROC_CATEGORY_CF: return CODE_SKIP;        /* soft hyphens, zero widths, byte-order marks */
    default: return ' ';
    }
}

static void end_clause(struct reader *r)
{
    end_word(r);
    if (r->w->n)
        r->w->stop[r->w->n - 1] = true;
}

static void read_code(struct reader *r)
{
    size_t used, end = markup_end(r);
    int32_t code = peek(r, r->i, &used), kind;

    if (end) {
        bool stop = end > r->i && r->s[end - 1] == '.';

        if (stop)
            end_clause(r);
        end_word(r);
        r->i = end;
        return;
    }
    if ((code >= '0' && code <= '9') || (code >= 'a' && code <= 'z') || (code >= 'A' && code <= 'Z')) {
        put_code(r, code >= 'A' && code <= 'Z' ? code | 0x20 : code);
        r->i += used;
        return;
    }
    kind = kind_of(code);
    if (kind == '$' || (kind == 'c' && code != 'c')) {
        one_code_word(r, kind == 'c' ? 'c' : code, used);
        return;
    }
    if (kind == '-' && (end = hyphen_joins(r, r->i + used)) != 0) {
        r->i = end;
        return;
    }
    if (kind == '.' && (r->i + used >= r->n || is_space(r->s[r->i + used])))
        end_clause(r);
    else if (kind == ' ' || kind == '-' || kind == '.')
        end_word(r);
    else if (kind != CODE_SKIP)
        put_code(r, kind);
    r->i += used;
}

/* UTF-16 with a byte-order mark, as UTF-8; anything else as it is, behind its mark. */
static const char *as_utf8(const char *text, size_t *n, struct arena *a)
{
    const uint8_t *p = (const uint8_t *)text;
    bool big = *n >= 2 && p[0] == 0xFE && p[1] == 0xFF, little = *n >= 2 && p[0] == 0xFF && p[1] == 0xFE;
    char *out;
    size_t made = 0;

    if (!big && !little)
        return text;
    out = arena_raw(a, *n / 2 * 3 + 4);
    for (size_t i = 2; i + 1 < *n; i += 2) {
        int32_t code = big ? p[i] << 8 | p[i + 1] : p[i + 1] << 8 | p[i];

        if (code >= 0xD800 && code < 0xDC00 && i + 3 < *n) {
            int32_t low = big ? p[i + 2] << 8 | p[i + 3] : p[i + 3] << 8 | p[i + 2];
            code = low >= 0xDC00 && low < 0xE000 ? 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00) : ' ';
            i += 2;
        }
        if (code >= 0xD800 && code < 0xE000)
            code = ' ';
        made += (size_t)utf8proc_encode_char(code, (utf8proc_uint8_t *)out + made);
    }
    *n = made;
    return out;
}

void license_words_of(struct license_words *w, const char *text, size_t nbytes, struct arena *a)
{
    struct reader r = { .w = w };
    size_t most;

    nbytes = nbytes < LICENSE_TEXT_MAX ? nbytes : LICENSE_TEXT_MAX;
    text = as_utf8(text, &nbytes, a);
    most = nbytes + 2;                          /* a currency sign is a word of its own, so words may touch */
    *w = (struct license_words){ .text = text, .nbytes = nbytes };
    w->hash = arena_raw(a, most * sizeof *w->hash);
    w->sum = arena_raw(a, (most + 1) * sizeof *w->sum);
    w->at = arena_raw(a, most * sizeof *w->at);
    w->end = arena_raw(a, most * sizeof *w->end);
    w->clean_at = arena_raw(a, (most + 1) * sizeof *w->clean_at);
    w->stop = arena_alloc(a, most);
    w->sum[0] = w->clean_at[0] = 0;
    r.s = text;
    r.n = nbytes;
    r.clean = arena_raw(a, 3 * nbytes + 16);
    w->clean = r.clean;
    while (r.i < r.n)
        read_code(&r);
    end_clause(&r);
}

uint64_t license_words_hash(const struct license_words *w, size_t first, size_t n)
{
    uint64_t power = 1, b = base;

    for (size_t e = n; e; e >>= 1, b *= b)
        power *= e & 1 ? b : 1;
    return w->sum[first + n] - w->sum[first] * power;
}

void license_words_sha256(const struct license_words *w, size_t first, size_t n, uint8_t digest[32])
{
    size_t nbytes = n ? w->clean_at[first + n] - w->clean_at[first] - 1 : 0;       /* without the last blank */

    SHA256((const unsigned char *)w->clean + w->clean_at[first], nbytes, digest);
}

size_t license_words_line(const struct license_words *w, size_t word)
{
    size_t line = 1, end = word < w->n ? w->at[word] : w->nbytes;

    for (const char *p = w->text; (p = memchr(p, '\n', (size_t)(w->text + end - p))) != NULL; p++)
        line++;
    return line;
}

size_t license_words_find(const struct license_words *w, const char *phrase, size_t from)
{
    struct arena a = {0};
    struct license_words p;
    size_t found = SIZE_MAX;

    license_words_of(&p, phrase, strlen(phrase), &a);
    for (size_t i = from; p.n && i + p.n <= w->n && found == SIZE_MAX; i++)
        if (w->hash[i] == p.hash[0] && memcmp(w->hash + i, p.hash, p.n * sizeof *p.hash) == 0)
            found = i;
    arena_release(&a);
    return found;
}
