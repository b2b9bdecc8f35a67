/* provenance.c - see provenance.h. */
#include "tools/provenance.h"

#include "formats/file.h"
#include "tools/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xxhash.h>

static const uint64_t hashed_nbytes = 4000000000u;      /* of all files together: a second or two from the page cache */

bool provenance_is_fixed(void)
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");

    return epoch && *epoch;
}

static const char *date_text(struct arena *a)
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    time_t when = epoch && *epoch ? (time_t)strtoll(epoch, NULL, 10) : time(NULL);
    struct tm tm;
    char text[64] = "";

    if (gmtime_r(&when, &tm))
        strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &tm);
    return arena_strdup(a, text);
}

/* A word as a shell would have to be given it. */
static const char *shell_word(struct arena *a, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=:,+@%";
    const char *quote;

    if (*word && !word[strspn(word, plain)])
        return word;
    quote = strchr(word, '\'');
    if (!quote)
        return arena_printf(a, "'%s'", word);
    return arena_printf(a, "'%.*s'\\'%s", (int)(quote - word), word, shell_word(a, quote + 1));
}

static const char *command_text(struct arena *a, const struct args *args)
{
    const char *text = "bantam";

    for (int i = 1; i < args->argc; i++)
        text = arena_printf(a, "%s %s", text, shell_word(a, args->argv[i]));
    return text;
}

struct provenance provenance_begin(struct html *h, const struct args *args)
{
    struct provenance p = { h, hashed_nbytes };

    html_list_begin(h);
    html_list_item(h, "Command", command_text(h->arena, args), true);
    html_list_item(h, "Program", "bantam " BANTAM_VERSION, false);
    html_list_item(h, "Date", date_text(h->arena), false);
    return p;
}

void provenance_item(struct provenance *p, const char *term, const char *text)
{
    html_list_item(p->html, term, text, false);
}

void provenance_file(struct provenance *p, const char *term, const char *path)
{
    enum { PORTION = 16 << 20 };
    struct arena tmp = {0};
    struct file file;
    struct fail f = {0};
    char size[SIZE_TEXT];
    const char *hash = "";

    if (file_open(&file, path, &f) == 0) {
        if (file.nbytes <= p->left) {
            XXH3_state_t *state = XXH3_createState();
            XXH3_128bits_reset(state);
            for (uint64_t at = 0; at < file.nbytes; at += PORTION) {
                uint64_t n = file.nbytes - at < PORTION ? file.nbytes - at : PORTION;
                XXH3_128bits_update(state, file_range(&file, at, n, &tmp), n);
                arena_reset(&tmp);
            }
            XXH128_hash_t sum = XXH3_128bits_digest(state);
            XXH3_freeState(state);
            p->left -= file.nbytes;
            hash = arena_printf(p->html->arena, ", XXH3-128 %016" PRIx64 "%016" PRIx64, (uint64_t)sum.high64, (uint64_t)sum.low64);
        }
        html_list_item(p->html, term, arena_printf(p->html->arena, "%s: %s%s", path, size_text(size, file.nbytes), hash), true);
        file_close(&file);
    } else {
        html_list_item(p->html, term, path, true);
    }
    arena_release(&tmp);
}

void provenance_model(struct provenance *p, const char *term, const struct model *m)
{
    enum { LISTED = 8 };

    for (size_t i = 0; i < m->nfiles && i < LISTED; i++)
        provenance_file(p, i ? "" : term, m->file[i].path);
    if (m->nfiles > LISTED)
        html_list_item(p->html, "", arena_printf(p->html->arena, "and %zu more files", m->nfiles - LISTED), false);
}

void provenance_end(struct provenance *p)
{
    html_list_end(p->html);
}
