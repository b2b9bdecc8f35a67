/* mistral.c - a directory as Mistral publishes it, without tokenizer.json: which file is the tokenizer, and what
 * convert_hf_to_gguf.py (_set_vocab_mistral of conversion/base.py) makes of it. See rules.h. */
#include "formats/file.h"
#include "formats/text.h"
#include "tokenizer/rules.h"
#include "tokenizer/vocab.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TEMPLATE = 16 << 20 };

/* "v3", "v7m1": the 3, the 7; 0: none. */
unsigned mistral_version(const char *s)
{
    char *end;
    unsigned long n = s[0] == 'v' && s[1] >= '0' && s[1] <= '9' ? strtoul(s + 1, &end, 10) : 0;

    return n && n < 1000 && (*end == '\0' || *end == 'm') ? (unsigned)n : 0;
}

static unsigned version_of_file(const char *name)
{
    return starts_with(name, "tokenizer.model.") ? mistral_version(name + strlen("tokenizer.model.")) : 0;
}

/* tekken.json goes before SentencePiece models, and of these the latest version counts. */
const char *mistral_tokenizer(const char *dir, struct arena *a)
{
    const char *best = NULL;
    unsigned version = 0;
    struct dirent *e;
    DIR *d;

    if (path_exists(path_join(a, dir, "tekken.json")))
        return "tekken.json";
    if (!(d = opendir(dir)))
        return NULL;
    while ((e = readdir(d)) != NULL) {
        unsigned v = version_of_file(e->d_name);

        if (v > version || (v && v == version && strcmp(e->d_name, best) > 0)) {
            best = arena_strdup(a, e->d_name);
            version = v;
        }
    }
    closedir(d);
    return best ? best : path_exists(path_join(a, dir, "tokenizer.model")) ? "tokenizer.model" : NULL;
}

int mistral_read(const char *dir, const char *name, struct source *s, struct mistral *m, struct fail *f)
{
    const char *path = path_join(s->tmp, dir, name);

    m->tekken = ends_with(name, ".json");
    m->version = version_of_file(name);
    return m->tekken ? tekken_read(path, s, &m->version, f) : spm_model_read(path, s, f);
}

/* ---- keys ---- */

static int32_t find_special(const struct vocab *v, const char *text)
{
    for (uint64_t i = 0; i < v->n; i++)
        if (v->type[i] != PIECE_NORMAL && strcmp(v->piece[i].s, text) == 0)
            return (int32_t)i;
    return -1;
}

void mistral_write_ids(struct vocab *v, struct arena *a)
{
    int32_t eos = find_special(v, "</s>"), pad = find_special(v, "<pad>");
    const struct {
        const char *key;
        int32_t id;
    } ids[] = {
        { "tokenizer.ggml.bos_token_id", find_special(v, "<s>") }, { "tokenizer.ggml.eos_token_id", eos },
        { "tokenizer.ggml.unknown_token_id", find_special(v, "<unk>") },
        { "tokenizer.ggml.padding_token_id", pad >= 0 ? pad : eos },
    };

    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        if (ids[i].id >= 0)
            meta_set_u32(&v->meta, a, ids[i].key, (uint32_t)ids[i].id);
}

/* Names by which llama.cpp knows Mistral's formats of chats. Versions from 11 on are at heart version 7 with other calls of tools,
 * and normally come with a chat_template.jinja. */
static const char *template_name(const struct mistral *m)
{
    static const struct {
        unsigned from;
        const char *spm, *tekken;
    } names[] = {
        { 7, "mistral-v7", "mistral-v7-tekken" }, { 3, "mistral-v3", "mistral-v3-tekken" }, { 1, "mistral-v1", "mistral-v1" },
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (m->version >= names[i].from)
            return m->tekken ? names[i].tekken : names[i].spm;
    return NULL;
}

int mistral_write_rest(const struct mistral *m, const char *dir, struct vocab *v, struct arena *a, struct arena *tmp, struct fail *f)
{
    const char *jinja = path_join(tmp, dir, "chat_template.jinja"), *text = template_name(m);

    meta_set_bool(&v->meta, a, "tokenizer.ggml.add_bos_token", true);
    meta_set_bool(&v->meta, a, "tokenizer.ggml.add_eos_token", false);
    if (path_exists(jinja) && !(text = file_read_text(jinja, MAX_TEMPLATE, tmp, NULL, f)))
        return -1;
    if (text)
        meta_set_str(&v->meta, a, "tokenizer.chat_template", text);
    return 0;
}
