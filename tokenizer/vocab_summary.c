/* vocab_summary.c - which tokenizer lies in a directory, without building it. See vocab.h. */
#include "formats/file.h"
#include "formats/json.h"
#include "formats/text.h"
#include "tokenizer/rules.h"
#include "tokenizer/scan.h"
#include "tokenizer/vocab.h"

#include <string.h>

enum { MAX_JSON = 64 << 20 };

bool vocab_dir_has_one(const char *dir)
{
    struct arena tmp = {0};
    bool found = path_exists(path_join(&tmp, dir, "tokenizer.json")) || path_exists(path_join(&tmp, dir, "vocab.txt")) || path_exists(path_join(&tmp, dir, FAIRSEQ_FILE)) || mistral_tokenizer(dir, &tmp) != NULL ||
                 (path_exists(path_join(&tmp, dir, "vocab.json")) && path_exists(path_join(&tmp, dir, "merges.txt")));

    arena_release(&tmp);
    return found;
}

/* The head of tokenizer.json: up to the vocabulary, which nearly always comes last. */
struct head {
    struct meta_string pre_tokenizer, type, byte_fallback, ignore_merges;
};

static void read_head(const char *text, size_t n, struct head *h)
{
    struct scan s = { text, text + n, false };

    for (bool more = scan_enter(&s, '{'); more; more = scan_more(&s, '}')) {
        struct meta_string key, value, *to = NULL;
        bool model;

        if (!scan_key(&s, &key))
            return;
        model = key.n == 5 && memcmp(key.s, "model", 5) == 0 && scan_peek(&s) == '{';
        if (model && h->pre_tokenizer.s) {          /* all that is wanted stands before "vocab" */
            read_head(s.at, (size_t)(s.end - s.at), h);
            return;
        }
        if ((key.n == 5 && memcmp(key.s, "vocab", 5) == 0) || !scan_value(&s, &value))
            return;
        to = key.n == 13 && memcmp(key.s, "pre_tokenizer", 13) == 0 ? &h->pre_tokenizer
           : key.n == 4 && memcmp(key.s, "type", 4) == 0 ? &h->type
           : key.n == 13 && memcmp(key.s, "byte_fallback", 13) == 0 ? &h->byte_fallback
           : key.n == 13 && memcmp(key.s, "ignore_merges", 13) == 0 ? &h->ignore_merges : NULL;
        if (to)
            *to = value;
        if (model)
            read_head(value.s, value.n, h);
    }
}

static bool says(struct meta_string s, const char *what)
{
    return s.s && s.n == strlen(what) && memcmp(s.s, what, s.n) == 0;
}

static void summarize_bert(const cJSON *config, struct vocab_summary *out)
{
    uint64_t rows = 0;

    json_u64(cJSON_GetObjectItemCaseSensitive(config, "vocab_size"), &rows);
    *out = (struct vocab_summary){ "bert", bert_pre_name(rows), false };
}

static void summarize_json(const char *path, const cJSON *config, struct vocab_summary *out, struct arena *tmp)
{
    struct fail f = {0};
    struct file file;
    struct head h = {0};
    struct vocab_rules r = {0};
    const cJSON *pre = NULL;

    if (file_open(&file, path, &f))
        return;
    read_head((const char *)file.data, file.nbytes, &h);
    if (h.pre_tokenizer.s)
        pre = json_parse(h.pre_tokenizer.s, h.pre_tokenizer.n, path, tmp, &f);
    if (says(h.type, "\"WordPiece\"")) {
        summarize_bert(config, out);
    } else if (!failed(&f) && hf_rules_read(NULL, pre, &r, tmp, &f) == 0) {
        const struct pre_kind *k;

        r.ignore_merges = says(h.ignore_merges, "true");
        out->model = r.byte_level ? "gpt2" : says(h.type, "\"Unigram\"") ? "t5" : says(h.byte_fallback, "true") ? "llama" : NULL;
        k = r.byte_level ? pre_kind_of(&r, r.ignore_merges, json_str(config, "model_type", ""), &f) : NULL;
        out->pre = k ? k->name : out->model && !r.byte_level ? "default" : NULL;
    }
    file_close(&file);
}

static void summarize_spm(const char *path, struct vocab_summary *out, struct arena *tmp)
{
    struct source s = { .a = tmp, .tmp = tmp };
    struct fail f = {0};

    if (spm_model_read(path, &s, &f) == 0)
        *out = (struct vocab_summary){ s.rules.algorithm == ALGORITHM_UNIGRAM ? "t5" : "llama", "default", false };
    source_release(&s);
}

static const cJSON *read_optional(const char *dir, const char *name, struct arena *tmp)
{
    const char *path = path_join(tmp, dir, name);
    struct fail f = {0};

    return path_exists(path) ? json_read(path, MAX_JSON, tmp, &f) : NULL;
}

struct vocab_summary vocab_summary_dir(const char *dir, struct arena *a)
{
    struct vocab_summary out = {0};
    struct arena tmp = {0};
    const cJSON *config = read_optional(dir, "config.json", &tmp), *tokenizer_config = read_optional(dir, "tokenizer_config.json", &tmp);
    const char *json = path_join(&tmp, dir, "tokenizer.json"), *native = mistral_tokenizer(dir, &tmp);
    const char *class = json_str(tokenizer_config, "tokenizer_class", ""), *type = json_str(config, "model_type", "");

    (void)a;
    if (native && (!path_exists(json) || !path_exists(path_join(&tmp, dir, "config.json"))) && ends_with(native, ".json"))
        out = (struct vocab_summary){ "gpt2", "tekken", false };
    else if (native && !path_exists(json))
        summarize_spm(path_join(&tmp, dir, native), &out, &tmp);
    else if (path_exists(path_join(&tmp, dir, "tokenizer.model")))
        summarize_spm(path_join(&tmp, dir, "tokenizer.model"), &out, &tmp);
    else if (path_exists(path_join(&tmp, dir, FAIRSEQ_FILE)))
        summarize_spm(path_join(&tmp, dir, FAIRSEQ_FILE), &out, &tmp);
    else if (path_exists(json))
        summarize_json(json, config, &out, &tmp);
    else if (path_exists(path_join(&tmp, dir, "vocab.json")))
        out = (struct vocab_summary){ "gpt2", starts_with(class, "Qwen2") || starts_with(type, "qwen") ? "qwen2" : "gpt-2", false };
    else if (path_exists(path_join(&tmp, dir, "vocab.txt")))
        summarize_bert(config, &out);
    out.chat_template = cJSON_GetObjectItemCaseSensitive(tokenizer_config, "chat_template")
                        || path_exists(path_join(&tmp, dir, "chat_template.jinja")) || path_exists(path_join(&tmp, dir, "chat_template.json"));
    arena_release(&tmp);
    return out;
}
