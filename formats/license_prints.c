/* license_prints.c - the fingerprints of known texts, and how they are made. See license_text.h. */
#include "formats/license_text.h"

#define LIST(...) (const uint32_t[]){ __VA_ARGS__ }, sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t)
#define PRINT(id, part, revision, nwords, head, whole, sha, shift, samples, clauses) \
    { id, part, revision, nwords, head, whole, { BYTES sha }, shift, LIST samples, LIST clauses },
#define BYTES(...) __VA_ARGS__

static const struct license_print prints[] = {
#include "formats/license_prints.def"
};

size_t license_print_count(void)
{
    return sizeof prints / sizeof *prints;
}

const struct license_print *license_print_at(size_t i)
{
    return &prints[i];
}

unsigned license_sample_shift(size_t nwords)
{
    unsigned shift = 0;

    while (nwords >> shift > LICENSE_SAMPLES)
        shift++;
    return shift;
}

bool license_sample_of(const struct license_words *w, size_t word, unsigned shift, uint32_t *sample)
{
    uint64_t h = license_words_hash(w, word, LICENSE_SHINGLE);

    h ^= h >> 32;
    h *= 0xD6E8FEB86659FD93u;
    h ^= h >> 32;
    *sample = (uint32_t)(h >> 32);
    return (h & ((UINT64_C(1) << shift) - 1)) == 0;
}

size_t license_clause_end(const struct license_words *w, size_t first)
{
    enum { SHORTEST = 5 };
    size_t end = first + 1;

    while (end < w->n && !(w->stop[end - 1] && end - first >= SHORTEST))
        end++;
    return end;
}
