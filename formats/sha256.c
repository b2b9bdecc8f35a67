/* sha256.c - see sha256.h. */
#include "formats/sha256.h"

#include "formats/arena.h"
#include "formats/file.h"

#include <openssl/evp.h>

static EVP_MD_CTX *start(void)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();

    if (!c || EVP_DigestInit_ex(c, EVP_sha256(), NULL) != 1)
        arena_exhausted(256);
    return c;
}

static void finish(EVP_MD_CTX *c, char hex[SHA256_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[32];

    EVP_DigestFinal_ex(c, digest, NULL);
    EVP_MD_CTX_free(c);
    for (int i = 0; i < 32; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[64] = 0;
}

int sha256_file(const char *path, char hex[SHA256_TEXT], void (*done)(void *ctx, uint64_t n), void *ctx, struct fail *f)
{
    enum { STEP = 4 << 20 };
    struct arena tmp = {0};
    struct file file;
    EVP_MD_CTX *c;

    if (file_open(&file, path, f))
        return -1;
    c = start();
    for (uint64_t at = 0; at < file.nbytes; at += STEP) {
        uint64_t n = file.nbytes - at < STEP ? file.nbytes - at : STEP;

        EVP_DigestUpdate(c, file_range(&file, at, n, &tmp), n);
        arena_reset(&tmp);
        if (done)
            done(ctx, n);
    }
    finish(c, hex);
    arena_release(&tmp);
    file_close(&file);
    return 0;
}

void sha256_bytes(const void *bytes, size_t n, char hex[SHA256_TEXT])
{
    EVP_MD_CTX *c = start();

    EVP_DigestUpdate(c, bytes, n);
    finish(c, hex);
}
