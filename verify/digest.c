/* digest.c - see digest.h. */
#include "verify/digest.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

struct digest *digest_new(void)
{
    XXH3_state_t *x = XXH3_createState();

    if (!x)
        arena_exhausted(1);
    XXH3_128bits_reset(x);
    digest_bytes((struct digest *)x, BANTAM_VERSION, sizeof BANTAM_VERSION);
    return (struct digest *)x;
}

void digest_bytes(struct digest *d, const void *bytes, size_t n)
{
    XXH3_128bits_update((XXH3_state_t *)d, &n, sizeof n);
    XXH3_128bits_update((XXH3_state_t *)d, bytes, n);
}

void digest_u64(struct digest *d, uint64_t u)
{
    XXH3_128bits_update((XXH3_state_t *)d, &u, sizeof u);
}

void digest_model(struct digest *d, const struct model *m)
{
    for (size_t i = 0; i < m->meta.n; i++) {
        const struct meta_entry *e = &m->meta.entry[i];
        digest_bytes(d, e->key, strlen(e->key));
        if (e->value.type == META_STRING)
            digest_bytes(d, e->value.s.s, e->value.s.n);
        else if (e->value.type != META_ARRAY)
            digest_u64(d, e->value.u);
    }
    for (size_t i = 0; i < m->nfiles; i++) {
        struct stat st = {0};
        digest_bytes(d, m->file[i].path, strlen(m->file[i].path));
        if (stat(m->file[i].path, &st) == 0) {
            digest_u64(d, (uint64_t)st.st_size);
            digest_u64(d, (uint64_t)st.st_mtim.tv_sec);
            digest_u64(d, (uint64_t)st.st_mtim.tv_nsec);
        }
    }
}

void digest_end(struct digest *d, char text[DIGEST_TEXT])
{
    XXH128_hash_t h = XXH3_128bits_digest((XXH3_state_t *)d);

    XXH3_freeState((XXH3_state_t *)d);
    snprintf(text, DIGEST_TEXT, "%016llx%016llx", (unsigned long long)h.high64, (unsigned long long)h.low64);
}
