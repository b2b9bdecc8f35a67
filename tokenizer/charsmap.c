/* charsmap.c - SentencePiece's precompiled table of replacements, a normalizer of its own. See rules.h.
 *
 * u32 size of a double array in bytes, the array (u32 units), then the replacements, each closed by a NUL. A unit of
 * the double array (darts-clone): bits 0..7 label, bit 8 "a value is below", bits 10..30 offset (times 256 if bit 9);
 * a value unit has bit 31. */
#include "tokenizer/rules.h"

#include <string.h>

static uint32_t unit_at(const char *table, size_t i)
{
    uint32_t unit;

    memcpy(&unit, table + 4 + 4 * i, 4);
    return unit;
}

static uint32_t unit_offset(uint32_t unit)
{
    return unit >> 10 << ((unit & 512) >> 6);
}

/* The longest entry that text starts with: its length, and the place of its replacement. 0: none. */
static size_t find(const char *table, size_t nunits, const char *text, size_t n, uint32_t *value)
{
    size_t found = 0, node = 0;
    uint32_t unit = nunits ? unit_at(table, 0) : 0;

    node ^= unit_offset(unit);
    for (size_t i = 0; i < n; i++) {
        node ^= (uint8_t)text[i];
        if (node >= nunits)
            break;
        unit = unit_at(table, node);
        if ((unit & 0x800000ffu) != (uint8_t)text[i])
            break;
        node ^= unit_offset(unit);
        if (unit & 256 && node < nunits) {
            *value = unit_at(table, node) & 0x7fffffffu;
            found = i + 1;
        }
    }
    return found;
}

void charsmap_map(const char *table, size_t ntable, const char *text, size_t n, struct buffer *to)
{
    const char *strings;
    uint32_t nbytes = 0;
    size_t nstrings;

    if (ntable >= 4)
        memcpy(&nbytes, table, 4);
    if (ntable < 4 || nbytes > ntable - 4) {
        buffer_put(to, text, n);
        return;
    }
    strings = table + 4 + nbytes;
    nstrings = ntable - 4 - nbytes;
    for (size_t at = 0, step; at < n; at += step) {
        uint32_t value;

        step = find(table, nbytes / 4, text + at, n - at, &value);
        if (step && value < nstrings) {
            buffer_put(to, strings + value, strnlen(strings + value, nstrings - value));
        } else {
            step = utf8_length(text + at, n - at);
            buffer_put(to, text + at, step);
        }
    }
}
