/* tokenizer_model.c - any bytes as tokenizer.json or tekken.json (when they start like one) or tokenizer.model: opened, and where that
 * works a text is encoded, decoded, and compared with what GGUF would carry. */
#include "formats/file.h"
#include "tokenizer/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static char dir[200], json[240], tekken[240], model[240];

static void remove_dir(void)
{
    unlink(json);
    unlink(tekken);
    unlink(model);
    rmdir(dir);
}

static bool make_dir(void)
{
    const char *root = getenv("TMPDIR");

    if (*dir)
        return true;
    snprintf(dir, sizeof dir, "%s/bantam-fuzz-XXXXXX", root && *root ? root : "/tmp");
    if (!mkdtemp(dir))
        return false;
    snprintf(json, sizeof json, "%s/tokenizer.json", dir);
    snprintf(tekken, sizeof tekken, "%s/tekken.json", dir);
    snprintf(model, sizeof model, "%s/tokenizer.model", dir);
    atexit(remove_dir);
    return true;
}

static void use(const struct vocab *v, struct arena *a, struct fail *f)
{
    static const char text[] = "Hello  w\xc3\xb6rld 123\r\n\xe4\xb8\xad\xff <s>'ll \xf0\x9f\x90\x94";
    struct tokenizer *t = tokenizer_open(v, f);
    struct vocab *written;
    size_t n;
    int32_t *ids = t ? tokenizer_encode(t, text, sizeof text, (struct token_options){ true, true }, a, &n, f) : NULL;

    if (ids)
        tokenizer_decode(t, ids, n, true, a, &n, f);
    tokenizer_close(t);
    *f = (struct fail){0};
    written = vocab_open_meta(&v->meta, a, f);
    if (written)
        tokenizer_compare(v, written, f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    bool is_json = n && (*data == '{' || *data == ' ' || *data == '\n');
    const char *path = !is_json ? model : memmem(data, n, "default_vocab_size", 18) ? tekken : json;
    struct arena a = {0};
    struct fail f = {0};
    struct vocab *v;
    FILE *out;

    if (!make_dir() || !(out = fopen(path, "wb")))
        return 0;
    fwrite(data, 1, n, out);
    fclose(out);
    vocab_summary_dir(dir, &a);
    v = vocab_open_dir(dir, 0, is_json ? "gpt-2" : NULL, &a, &f);
    if (v)
        use(v, &a, &f);
    arena_release(&a);
    unlink(path);
    return 0;
}
