/* vocab_dir.c - a vocabulary from the tokenizer files of a directory: which files there are. See vocab.h and opening.h.
 *
 * There are six cases, told apart as convert_hf_to_gguf.py does: tokenizer.model (BPE or unigram), sentencepiece.bpe.model (unigram, with
 * ids of its own), a byte-level BPE, a BPE in SentencePiece's manner with byte fallback, a unigram tokenizer.json, and WordPiece (tokenizer.json or vocab.txt). */
#include "formats/file.h"
#include "formats/text.h"
#include "tokenizer/opening.h"

#include <inttypes.h>

enum { MAX_JSON = 64 << 20 };

int opening_read_json(struct opening *o, const char *name, const cJSON **out)
{
    const char *path = path_join(&o->tmp, o->dir, name);

    if (path_exists(path) && !(*out = json_read(path, MAX_JSON, &o->tmp, o->f)))
        return -1;
    return 0;
}

/* What a directory without config.json has beside params.json is Mistral's, and so is what stands alone. */
static bool is_native(struct opening *o, bool has_hf)
{
    return !has_hf || (!path_exists(path_join(&o->tmp, o->dir, "config.json")) && path_exists(path_join(&o->tmp, o->dir, "params.json")));
}

static int read_pair(struct opening *o)
{
    const char *class = json_str(o->tokenizer_config, "tokenizer_class", ""), *type = json_str(o->config, "model_type", "");
    const cJSON *prefix = cJSON_GetObjectItemCaseSensitive(o->tokenizer_config, "add_prefix_space");
    struct pair_files p = { o->dir, starts_with(class, "Qwen2") || starts_with(type, "qwen"), cJSON_IsTrue(prefix) };

    return pair_files_read(&p, &o->s, o->f);
}

static int read_files(struct opening *o)
{
    const char *model = path_join(&o->tmp, o->dir, "tokenizer.model"), *fairseq = path_join(&o->tmp, o->dir, FAIRSEQ_FILE), *json = path_join(&o->tmp, o->dir, "tokenizer.json"),
               *txt = path_join(&o->tmp, o->dir, "vocab.txt");
    const char *vocab = path_join(&o->tmp, o->dir, "vocab.json"), *merges = path_join(&o->tmp, o->dir, "merges.txt");

    o->fairseq = !path_exists(model) && path_exists(fairseq);
    if (o->fairseq)
        model = fairseq;
    o->spm = path_exists(model);
    o->native = is_native(o, o->spm || path_exists(json)) ? mistral_tokenizer(o->dir, &o->tmp) : NULL;
    if (o->native) {
        o->spm = !ends_with(o->native, ".json");
        return mistral_read(o->dir, o->native, &o->s, &o->mistral, o->f);
    }
    if (opening_read_json(o, "config.json", &o->config) || opening_read_json(o, "tokenizer_config.json", &o->tokenizer_config)
        || (path_exists(json) && !(o->json = hf_outline_read(json, &o->tmp, o->f))))
        return -1;
    if (o->spm)
        return spm_model_read(model, &o->s, o->f);
    if (o->json)
        return hf_json_read(o->json, &o->s, o->f);
    o->pair = path_exists(vocab) && path_exists(merges);
    if (o->pair)
        return read_pair(o);
    if (path_exists(txt))
        return vocab_txt_read(txt, &o->s, o->f);
    fail(o->f, FAIL_INPUT, "the directory has no tokenizer: neither tokenizer.model, sentencepiece.bpe.model, tokenizer.json, tekken.json, vocab.txt nor vocab.json with merges.txt");
    return fail_in(o->f, o->dir);
}

struct vocab *vocab_open_dir(const char *dir, uint64_t nrows, const char *pre, struct arena *a, struct fail *f)
{
    struct opening o = { .dir = dir, .pre = pre, .nrows = nrows, .f = f, .v = arena_new(a, struct vocab), .pool = { .a = a } };
    int bad;

    o.s.a = a;
    o.s.tmp = &o.tmp;
    o.s.unk = -1;
    if (nrows > INT32_MAX)
        bad = fail(f, FAIL_INPUT, "a vocabulary of %" PRIu64 " rows is not supported", nrows);
    else
        bad = read_files(&o) || opening_complete(&o) || opening_write_keys(&o);
    if (bad)
        fail_in(f, dir);
    source_release(&o.s);
    arena_release(&o.tmp);
    return bad ? NULL : o.v;
}
