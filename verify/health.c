/* health.c - the table of codes, failures to open, and what sizes tell. */
#include "verify/health.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct row {
    const char *code, *remedy;
    enum health_level level;
} rows[] = {
#define HEALTH(name, word, level_, text) { .code = word, .remedy = text, .level = HEALTH_##level_ },
#include "verify/health.def"
#undef HEALTH
};

const char *health_word(enum health_code code)
{
    return rows[code].code;
}

enum health_level health_level(enum health_code code)
{
    return rows[code].level;
}

const char *health_remedy(enum health_code code)
{
    return rows[code].remedy;
}

const char *health_level_word(enum health_level level)
{
    static const char *const words[] = { "note", "warning", "error" };

    return words[level];
}

void health_add(struct health *h, enum health_code code, const char *where, const char *format, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    h->item = arena_grow(h->arena, h->item, &h->cap, h->n + 1, sizeof *h->item);
    h->item[h->n++] = (struct health_finding){ code, where ? arena_strdup(h->arena, where) : NULL, arena_strdup(h->arena, text) };
}

/* The readers' sentences, by a part that no other has; tests/cli/doctor holds the two together. */
static const struct {
    const char *part;
    enum health_code code;
} failures[] = {
    { "git-lfs pointer", HEALTH_CODE_NOT_DOWNLOADED },
    { "link to a file that does not exist", HEALTH_CODE_NOT_DOWNLOADED },
    { "files are missing", HEALTH_CODE_MISSING_SHARD },
    { "not in a file beside the index", HEALTH_CODE_INDEX_MISMATCH },
    { "but the index", HEALTH_CODE_INDEX_MISMATCH },
    { "where the index says", HEALTH_CODE_INDEX_MISMATCH },
    { "stands twice", HEALTH_CODE_DUPLICATE_TENSOR },
    { "overlap", HEALTH_CODE_OVERLAP },
    { "at its end that belong to no tensor", HEALTH_CODE_TRAILING_BYTES },
    { "bytes too short", HEALTH_CODE_SHORT_FILE },
    { "is empty", HEALTH_CODE_SHORT_FILE },
    { "has only", HEALTH_CODE_SHORT_FILE },
    { "bytes inside", HEALTH_CODE_SHORT_FILE },
    { "follow", HEALTH_CODE_SHORT_FILE },
    { "are allowed", HEALTH_CODE_HEADER_LIMIT },
    { "has at most", HEALTH_CODE_HEADER_LIMIT },
    { "nested more than", HEALTH_CODE_HEADER_LIMIT },
    { "a name that is empty", HEALTH_CODE_HEADER_LIMIT },
    { "being edited", HEALTH_CODE_INTERRUPTED_EDIT },
};

void health_of_failure(struct health *h, const struct fail *f)
{
    enum health_code code = HEALTH_CODE_UNREADABLE;

    for (size_t i = sizeof failures / sizeof *failures; i-- > 0; )
        if (strstr(f->text, failures[i].part))
            code = failures[i].code;
    health_add(h, code, *f->where ? f->where : NULL, "%s", f->text);
}

void health_of_files(struct health *h, const struct model *m)
{
    enum { PADDING = 1 << 20 };     /* the most that an alignment may ask for behind the last tensor */

    for (size_t file = 0; file < m->nfiles; file++) {
        uint64_t end = 0;

        for (size_t i = 0; i < m->ntensors; i++)
            if (m->tensor[i].file == file && m->tensor[i].offset + tensor_bytes(&m->tensor[i]) > end)
                end = m->tensor[i].offset + tensor_bytes(&m->tensor[i]);
        uint64_t alignment = meta_u64(&m->meta, "general.alignment", 32);

        if (alignment == 0 || alignment > PADDING)
            alignment = 32;
        if (end && m->file[file].nbytes > round_up(end, alignment))
            health_add(h, HEALTH_CODE_TRAILING_BYTES, m->file[file].path, "%" PRIu64 " bytes behind the last tensor belong to nothing",
                       m->file[file].nbytes - end);
    }
}
