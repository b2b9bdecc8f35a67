/* tokenizer_ref.c - vocabularies and ids against what other programs made (../shared/ref); skipped where that is absent. */
#include "formats/file.h"
#include "formats/json.h"
#include "formats/model.h"
#include "tests/unit/test.h"
#include "tests/unit/tokenizer_cases.h"
#include "tokenizer/tokenizer.h"

#include <stdlib.h>

static const char *shared(struct arena *a, const char *rest)
{
    const char *root = getenv("BANTAM_SHARED");

    return path_join(a, root && *root ? root : "../shared", rest);
}

static const char *const models[] = {
    "llama2", "llama3", "llama3.1", "mistral", "mixtral", "ministral3", "grok1", "phi3", "qwen2", "qwen2moe", "qwen3", "qwen3moe",
    "gpt2", "starcoder", "starcoder2", "bloom", "dbrx", "falcon", "gemma", "gemma2", "gemma3",
};
enum { NMODELS = sizeof models / sizeof *models };

/* Keys that the family's own conversion adds or names, not the tokenizer's files. */
static bool is_family_key(const char *model, const char *key)
{
    static const struct {
        const char *model, *key;
    } list[] = {
        { "gemma", "add_space_prefix" }, { "gemma", "eot_token_id" }, { "falcon", "ggml.pre" },
    };

    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        if (strncmp(model, list[i].model, strlen(list[i].model)) == 0 && strstr(key, list[i].key))
            return true;
    return false;
}

static bool same_array(const struct meta_array *a, const cJSON *want)
{
    const cJSON *item;
    uint64_t i = 0;

    cJSON_ArrayForEach(item, want) {
        if (i == a->n)
            return false;
        if (a->type == META_STRING) {
            const struct meta_string *s = (const struct meta_string *)a->items + i;

            if (!cJSON_IsString(item) || s->n != strlen(item->valuestring) || memcmp(s->s, item->valuestring, s->n) != 0)
                return false;
        } else if ((float)meta_array_f64(a, i) != (float)item->valuedouble) {
            return false;
        }
        i++;
    }
    return i == a->n;
}

static bool same_value(const struct meta_value *v, const cJSON *want)
{
    const cJSON *x = cJSON_GetObjectItemCaseSensitive(want, "value");

    switch (v->type) {
    case META_STRING:
        return strcmp(json_str(want, "type", ""), "STRING") == 0 && strcmp(v->s.s, json_str(want, "value", "")) == 0;
    case META_BOOL:
        return cJSON_IsBool(x) && cJSON_IsTrue(x) == (v->u != 0);
    case META_UINT32:
        return strcmp(json_str(want, "type", ""), "UINT32") == 0 && (double)v->u == x->valuedouble;
    case META_ARRAY:
        return same_array(&v->a, x);
    default:
        return false;
    }
}

/* Every tokenizer.* key that convert_hf_to_gguf.py wrote, with its value, in its order. */
static int check_keys(const char *model, const struct meta *m, const cJSON *kv)
{
    const cJSON *item;
    size_t at = 0;

    cJSON_ArrayForEach(item, kv) {
        const struct meta_value *v;

        if (strncmp(item->string, "tokenizer.", 10) != 0 || is_family_key(model, item->string))
            continue;
        v = meta_get(m, item->string);
        if (!v || !same_value(v, item)) {
            test_failed(__FILE__, __LINE__, "%s: key %s %s", model, item->string, v ? "differs" : "is missing");
            return -1;
        }
        while (at < m->n && strcmp(m->entry[at].key, item->string) != 0)
            at++;
        if (at == m->n) {
            test_failed(__FILE__, __LINE__, "%s: key %s is out of order", model, item->string);
            return -1;
        }
    }
    return 0;
}

/* tokens.json without the escapes of U+0000, which json_parse() refuses: that case is dropped. */
static cJSON *read_cases(const char *path, struct arena *a)
{
    struct fail f = {0};
    size_t n;
    char *text = file_read_text(path, 1 << 24, a, &n, &f), *nul, *start, *end;

    if (text && (nul = strstr(text, "\\u0000")) != NULL) {
        for (start = nul; strncmp(start, "{\"text\"", 7) != 0; start--)
            ;
        end = strstr(nul, "]}");
        memset(start, ' ', (size_t)(end + 3 - start));
    }
    return text ? cJSON_GetObjectItemCaseSensitive(json_parse(text, strlen(text), path, a, &f), "cases") : NULL;
}

static int check_model(const char *model, struct arena *a)
{
    struct fail f = {0};
    const char *dir = shared(a, arena_printf(a, "ref/models/%s", model));
    cJSON *expected = json_read(path_join(a, dir, "expected.json"), 1 << 26, a, &f);
    cJSON *kv = cJSON_GetObjectItemCaseSensitive(expected, "kv"), *cases = read_cases(path_join(a, dir, "tokens.json"), a);
    const cJSON *tokens = cJSON_GetObjectItemCaseSensitive(kv, "tokenizer.ggml.tokens");
    uint64_t nrows = (uint64_t)cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(tokens, "value"));
    struct vocab *v = vocab_open_dir(path_join(a, dir, "hf"), nrows, NULL, a, &f), *written;

    if (!v || !cases || check_keys(model, &v->meta, kv) || check_cases(model, v, cases, a)) {
        test_failed(__FILE__, __LINE__, "%s: %s", model, f.text);
        return -1;
    }
    written = vocab_open_meta(&v->meta, a, &f);
    if (!written || check_cases(model, written, cases, a) || tokenizer_compare(v, written, &f)) {
        test_failed(__FILE__, __LINE__, "%s as written: %s", model, f.text);
        return -1;
    }
    return 0;
}

TEST(reference_directories_give_their_keys_and_ids)
{
    struct arena a = {0};

    if (!path_exists(shared(&a, "ref/models")))
        test_skip("no ../shared");
    else
        for (int i = 0; i < NMODELS; i++) {
            check_model(models[i], &a);
            arena_reset(&a);
        }
    arena_release(&a);
}

/* ---- whole vocabularies of llama.cpp, with its own test texts ---- */

static int check_vocab(const char *name, struct arena *a)
{
    static const char separator[] = "\n__ggml_vocab_test__\n";
    struct fail f = {0};
    const char *path = shared(a, arena_printf(a, "ref/vocab/ggml-vocab-%s.gguf", name));
    struct model *m = model_open(path, &f);
    struct vocab *v = m ? vocab_open_meta(&m->meta, a, &f) : NULL;
    struct tokenizer *t = v ? tokenizer_open(v, &f) : NULL;
    char *in = file_read_text(arena_printf(a, "%s.inp", path), 1 << 20, a, NULL, &f);
    char *out = file_read_text(arena_printf(a, "%s.out", path), 1 << 20, a, NULL, &f);
    int bad = t && in && out ? 0 : -1;

    while (!bad && in) {
        char *next = strstr(in, separator), *line = strchr(out, '\n'), *id = out;
        size_t n = next ? (size_t)(next - in) : strlen(in), nids, i = 0;
        int32_t *ids = tokenizer_encode(t, in, n, (struct token_options){ false, false }, a, &nids, &f);

        if (line)
            *line = 0;
        for (long want; ids && !bad && (want = strtol(id, &line, 10), line != id); id = line)
            bad = i >= nids || ids[i++] != want;
        bad |= !ids || i != nids;
        if (bad)
            test_failed(__FILE__, __LINE__, "%s: '%.*s' differs at id %zu", name, (int)n, in, i);
        out += strlen(out) + 1;
        in = next ? next + sizeof separator - 1 : NULL;
    }
    if (failed(&f))
        test_failed(__FILE__, __LINE__, "%s: %s", name, f.text);
    tokenizer_close(t);
    model_close(m);
    return bad;
}

TEST(whole_vocabularies_give_llama_cpp_s_ids)
{
    static const char *const names[] = { "llama-spm", "llama-bpe", "gpt-2", "qwen2", "starcoder", "phi-3", "falcon", "mpt" };
    struct arena a = {0};

    if (!path_exists(shared(&a, "ref/vocab")))
        test_skip("no ../shared");
    else
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            check_vocab(names[i], &a);
            arena_reset(&a);
        }
    arena_release(&a);
}
