/* gzip.c - zlib behind a limit: what a bomb would blow up to is refused before it is made. */
#include "formats/gzip.h"

#include "formats/file.h"

#include <inttypes.h>
#include <zlib.h>

/* Room for more text: grows `*text` up to `limit` bytes and the NUL. */
static int make_room(z_stream *z, char **text, size_t *cap, uint64_t limit, struct arena *a, struct fail *f)
{
    size_t used = *cap ? (size_t)((char *)z->next_out - *text) : 0, most = limit + 1;

    if (used > limit)
        return fail(f, FAIL_INPUT, "holds more than %" PRIu64 " bytes of text when unpacked", limit);
    *text = arena_grow(a, *text, cap, used + (1 << 16) < most ? used + (1 << 16) : most, 1);
    if (*cap > most)
        *cap = most;
    z->next_out = (Bytef *)*text + used;
    z->avail_out = (uInt)(*cap - used < 1u << 30 ? *cap - used : 1u << 30);
    return 0;
}

/* Members follow each other in one file; each starts a stream anew. */
static int unpack(z_stream *z, char **text, size_t *cap, uint64_t limit, struct arena *a, struct fail *f)
{
    int status = Z_OK;

    while (z->avail_in || status != Z_STREAM_END) {
        if (status == Z_STREAM_END && inflateReset(z) != Z_OK)
            break;
        if (!z->avail_out && make_room(z, text, cap, limit, a, f))
            return -1;
        status = inflate(z, Z_NO_FLUSH);
        if (status != Z_OK && status != Z_STREAM_END && !(status == Z_BUF_ERROR && !z->avail_out))
            return fail(f, FAIL_INPUT, "is damaged or cut short: gzip data cannot be unpacked behind byte %lu", z->total_in);
    }
    return 0;
}

char *gzip_read_text(const char *path, uint64_t limit, struct arena *a, size_t *n, struct fail *f)
{
    struct arena packed = {0};
    size_t cap = 0, nbytes;
    char *bytes = file_read_text(path, limit, &packed, &nbytes, f), *text = NULL;
    z_stream z = { .next_in = (Bytef *)bytes, .avail_in = (uInt)nbytes };

    if (!bytes || nbytes < 2 || (unsigned char)bytes[0] != 0x1f || (unsigned char)bytes[1] != 0x8b) {
        text = bytes ? arena_copy(a, bytes, nbytes) : NULL;
        *n = nbytes;
    } else if (inflateInit2(&z, 15 + 16) != Z_OK) {
        fail(f, FAIL_SYSTEM, "zlib could not be started");
    } else {
        if (unpack(&z, &text, &cap, limit, a, f) == 0 && (z.avail_out || make_room(&z, &text, &cap, limit, a, f) == 0)) {
            *n = (size_t)((char *)z.next_out - text);
            text[*n] = '\0';
        }
        inflateEnd(&z);
    }
    arena_release(&packed);
    fail_in(f, path);
    return failed(f) ? NULL : text;
}
