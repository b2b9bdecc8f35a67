/* special.c - special token ids, add_bos and its kin, and chat templates, as gguf-py's SpecialVocab finds them.
 *
 * The order in which things are found is the order of the keys: ids named by tokenizer_config.json and known to
 * tokenizer.json's added tokens come first, then ids of config.json; the first that is found stays. Whether BOS, EOS
 * and a separator are added is read off tokenizer.json's post-processor, then tokenizer_config.json. */
#include "formats/file.h"
#include "formats/json.h"
#include "tokenizer/rules.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { BOS, EOS, UNK, SEP, PAD, CLS, MASK, EOT, EOM, KINDS };
enum { MAX_TEMPLATE = 16 << 20, MAX_TEMPLATES = 64 };

static const struct {
    const char *type;       /* "bos": bos_token, bos_token_id, add_bos_token */
    const char *id_key;     /* NULL: GGUF has no such key */
    const char *add_key;
} kinds[KINDS] = {
    [BOS] = { "bos", "tokenizer.ggml.bos_token_id", "tokenizer.ggml.add_bos_token" },
    [EOS] = { "eos", "tokenizer.ggml.eos_token_id", "tokenizer.ggml.add_eos_token" },
    [UNK] = { "unk", "tokenizer.ggml.unknown_token_id", NULL },
    [SEP] = { "sep", "tokenizer.ggml.seperator_token_id", "tokenizer.ggml.add_sep_token" },
    [PAD] = { "pad", "tokenizer.ggml.padding_token_id", NULL },
    [CLS] = { "cls", NULL, NULL },
    [MASK] = { "mask", "tokenizer.ggml.mask_token_id", NULL },
    [EOT] = { "eot", "tokenizer.ggml.eot_token_id", NULL },
    [EOM] = { "eom", "tokenizer.ggml.eom_token_id", NULL },
};

/* A special token as tokenizer_config.json names it: a string, or an object with "content". */
struct named {
    const char *text;       /* NULL: none */
    bool object;            /* then it equals no string of the post-processor */
};

enum answer { UNSAID, NO, YES };

struct special {
    const struct special_request *r;
    struct named token[KINDS];
    enum answer add[KINDS];
    enum kind add_order[KINDS], id_order[KINDS];
    uint32_t id[KINDS];
    bool has_id[KINDS], considered[KINDS];
    int nadd, nid;
};

static const cJSON *member(const cJSON *o, const char *start, const char *type, const char *end)
{
    char key[40];

    snprintf(key, sizeof key, "%s%s%s", start, type, end);
    return cJSON_GetObjectItemCaseSensitive(o, key);
}

static struct named named_token(const cJSON *config, enum kind k)
{
    const cJSON *item = member(config, "", kinds[k].type, "_token");
    struct named t = { cJSON_IsString(item) ? item->valuestring : json_str(item, "content", NULL), cJSON_IsObject(item) };

    if (t.text && !*t.text)
        t.text = NULL;
    return t;
}

static void say(struct special *s, enum kind k, bool yes)
{
    if (s->add[k] == UNSAID)
        s->add_order[s->nadd++] = k;
    s->add[k] = yes ? YES : NO;
}

static bool names(const struct special *s, enum kind k, const char *text)
{
    return s->token[k].text && !s->token[k].object && strcmp(s->token[k].text, text) == 0;
}

/* ---- the post-processor ---- */

static const char *special_of(const cJSON *entry)
{
    const char *id = json_str(cJSON_GetObjectItemCaseSensitive(entry, "SpecialToken"), "id", NULL);

    return id && *id ? id : NULL;
}

static bool is_sequence(const cJSON *entry, const char *id)
{
    return strcmp(json_str(cJSON_GetObjectItemCaseSensitive(entry, "Sequence"), "id", ""), id) == 0;
}

static void read_first(struct special *s, const char *first)
{
    if (!s->r->tokenizer_config) {
        s->token[BOS] = (struct named){ first, false };
    } else if (!names(s, BOS, first) && !names(s, CLS, first)) {
        if (!s->token[BOS].text)
            s->token[BOS] = (struct named){ first, false };
        if (!s->token[CLS].text)
            s->token[CLS] = (struct named){ first, false };
    }
    say(s, BOS, names(s, BOS, first) || names(s, CLS, first));
}

/* What closes the text is EOS from here on; what was called EOS ends a turn or a message. */
static void read_last(struct special *s, const char *last)
{
    if (s->r->tokenizer_config && !names(s, EOS, last)) {
        enum kind was = s->considered[EOT] ? EOM : EOT;

        if (!s->considered[was]) {
            s->considered[was] = true;
            s->token[was] = s->token[EOS];
        }
    }
    s->token[EOS] = (struct named){ last, false };
    say(s, EOS, true);
}

/* A [sep] [eos] B of a pair, between what opens and closes it. */
static void read_pair(struct special *s, const cJSON *pair, const char *first, const char *last)
{
    int n = cJSON_GetArraySize(pair), from = 0;
    const char *one, *two;
    bool sep = false;

    if (n && first && special_of(cJSON_GetArrayItem(pair, 0)) && strcmp(special_of(cJSON_GetArrayItem(pair, 0)), first) == 0)
        from = 1;
    if (n && last && special_of(cJSON_GetArrayItem(pair, n - 1)) && strcmp(special_of(cJSON_GetArrayItem(pair, n - 1)), last) == 0)
        n--;
    if (n - from < 3 || !is_sequence(cJSON_GetArrayItem(pair, from), "A") || !is_sequence(cJSON_GetArrayItem(pair, n - 1), "B"))
        return;
    one = special_of(cJSON_GetArrayItem(pair, from + 1));
    two = n - from == 4 ? special_of(cJSON_GetArrayItem(pair, from + 2)) : NULL;
    if (one && (names(s, SEP, one) || names(s, EOS, one)) && !last)
        sep = true;
    if (two && (names(s, SEP, two) || names(s, EOS, two)))
        sep = true;
    say(s, SEP, sep);
    if (sep && !s->token[SEP].text && s->r->tokenizer_config)
        s->token[SEP] = s->token[EOS];
}

static void read_template(struct special *s, const cJSON *processor)
{
    const cJSON *single = cJSON_GetObjectItemCaseSensitive(processor, "single");
    int n = cJSON_GetArraySize(single);
    const char *first = n > 1 ? special_of(cJSON_GetArrayItem(single, 0)) : NULL;
    const char *last = n > 1 ? special_of(cJSON_GetArrayItem(single, n - 1)) : NULL;

    if (first)
        read_first(s, first);
    if (last)
        read_last(s, last);
    read_pair(s, cJSON_GetObjectItemCaseSensitive(processor, "pair"), first, last);
}

static void read_roberta(struct special *s, const cJSON *processor)
{
    static const struct {
        enum kind kind, otherwise;
        const char *member;
    } ends[] = { { CLS, BOS, "cls" }, { SEP, EOS, "sep" } };

    say(s, BOS, true);
    say(s, EOS, true);
    say(s, SEP, true);
    for (int i = 0; i < 2; i++) {
        const cJSON *pair = cJSON_GetObjectItemCaseSensitive(processor, ends[i].member), *text = cJSON_GetArrayItem(pair, 0);

        if (!s->token[ends[i].kind].text && s->r->tokenizer_config)
            s->token[ends[i].kind] = cJSON_IsString(text) ? (struct named){ text->valuestring, false } : s->token[ends[i].otherwise];
    }
}

static void read_processor(struct special *s, const cJSON *processor)
{
    const char *type = json_str(processor, "type", "");

    if (strcmp(type, "RobertaProcessing") == 0) {
        read_roberta(s, processor);
    } else if (strcmp(type, "TemplateProcessing") == 0) {
        read_template(s, processor);
    } else if (strcmp(type, "ByteLevel") == 0) {
        if (s->add[BOS] == UNSAID)
            say(s, BOS, false);
        if (s->add[EOS] == UNSAID)
            say(s, EOS, false);
    }
}

static void read_post_processor(struct special *s, const cJSON *post)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(post, "processors"), *item;

    if (!list && cJSON_IsObject(post))
        read_processor(s, post);
    cJSON_ArrayForEach(item, list)
        read_processor(s, item);
}

/* ---- ids ---- */

static void set_id(struct special *s, enum kind k, const cJSON *item)
{
    uint64_t id;

    if (s->has_id[k] || !json_u64(item, &id) || id > UINT32_MAX || (s->r->npieces && id >= s->r->npieces))
        return;
    s->id[k] = (uint32_t)id;
    s->has_id[k] = true;
    s->id_order[s->nid++] = k;
}

static const cJSON *added_id(const cJSON *added_tokens, const char *content)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, added_tokens)
        if (strcmp(json_str(item, "content", ""), content) == 0)
            return cJSON_GetObjectItemCaseSensitive(item, "id");
    return NULL;
}

static void read_ids(struct special *s)
{
    const cJSON *text_config = cJSON_GetObjectItemCaseSensitive(s->r->config, "text_config");
    const cJSON *added = s->r->json ? s->r->json->added_tokens : NULL;

    for (enum kind k = 0; s->r->tokenizer_config && k < KINDS; k++) {
        const cJSON *add = member(s->r->tokenizer_config, "add_", kinds[k].type, "_token");

        if (!s->considered[k])
            continue;
        if (cJSON_IsBool(add) && s->add[k] == UNSAID)
            say(s, k, cJSON_IsTrue(add));
        if (s->token[k].text)
            set_id(s, k, added_id(added, s->token[k].text));
    }
    for (enum kind k = 0; k < KINDS; k++) {
        const cJSON *id = member(s->r->config, "", kinds[k].type, "_token_id");

        if (s->considered[k])
            set_id(s, k, id && !cJSON_IsNull(id) ? id : member(text_config, "", kinds[k].type, "_token_id"));
    }
}

/* ---- chat templates ---- */

struct templates {
    const char *name[MAX_TEMPLATES], *text[MAX_TEMPLATES];
    size_t n;
};

static void add_template(struct templates *t, const char *name, const char *text)
{
    if (name && text && *name && t->n < MAX_TEMPLATES) {
        t->name[t->n] = name;
        t->text[t->n++] = text;
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The *.jinja files of additional_chat_templates/, by name so that nothing depends on the file system's order. */
static int read_additional(const char *dir, struct templates *t, struct arena *tmp, struct fail *f)
{
    const char *path = path_join(tmp, dir, "additional_chat_templates"), *name[MAX_TEMPLATES];
    DIR *d = opendir(path);
    struct dirent *entry;
    size_t n = 0;

    if (!d)
        return 0;
    while (n < MAX_TEMPLATES - 1 && (entry = readdir(d)) != NULL)
        if (ends_with(entry->d_name, ".jinja"))
            name[n++] = arena_strdup(tmp, entry->d_name);
    closedir(d);
    qsort(name, n, sizeof *name, by_name);
    for (size_t i = 0; i < n; i++) {
        char *text = file_read_text(path_join(tmp, path, name[i]), MAX_TEMPLATE, tmp, NULL, f);

        if (!text)
            return -1;
        add_template(t, arena_printf(tmp, "%.*s", (int)(strlen(name[i]) - 6), name[i]), text);
    }
    return 0;
}

static void add_from_json(struct templates *t, const cJSON *item)
{
    const cJSON *one;

    if (cJSON_IsString(item))
        add_template(t, "default", item->valuestring);
    cJSON_ArrayForEach(one, item)
        add_template(t, json_str(one, "name", NULL), json_str(one, "template", NULL));
}

/* tokenizer_config.json first; else chat_template.jinja with its companions; else chat_template.json. */
static int find_templates(const struct special_request *r, struct templates *t, struct arena *tmp, struct fail *f)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(r->tokenizer_config, "chat_template");
    const char *jinja = path_join(tmp, r->dir, "chat_template.jinja"), *json = path_join(tmp, r->dir, "chat_template.json");
    char *text;

    if (cJSON_IsString(item) || cJSON_IsArray(item)) {
        add_from_json(t, item);
    } else if (path_exists(jinja)) {
        if (!(text = file_read_text(jinja, MAX_TEMPLATE, tmp, NULL, f)))
            return -1;
        add_template(t, "default", text);
        return read_additional(r->dir, t, tmp, f);
    } else if (path_exists(json)) {
        const cJSON *tree = json_read(json, MAX_TEMPLATE, tmp, f);

        if (!tree)
            return -1;
        add_from_json(t, cJSON_GetObjectItemCaseSensitive(tree, "chat_template"));
    }
    return 0;
}

/* Only letters and digits stand in a key. */
static const char *clean_name(const char *name, struct arena *tmp)
{
    char *s = arena_strdup(tmp, name), *to = s;

    for (const char *p = name; *p; to++) {
        size_t n = utf8_length(p, strlen(p));

        *to = (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ? *p : '_';
        p += n ? n : 1;
    }
    *to = 0;
    return s;
}

static void write_templates(const struct templates *t, struct meta *m, struct arena *a, struct arena *tmp)
{
    struct meta_string *listed = arena_array(a, struct meta_string, t->n + 1);
    const char *plain = NULL;
    size_t n = 0;

    for (size_t i = 0; i < t->n; i++) {
        const char *name = clean_name(t->name[i], tmp);
        const char *key = arena_printf(tmp, "tokenizer.chat_template.%s", name);

        if (strcmp(name, "default") == 0) {
            plain = t->text[i];
            continue;
        }
        if (!meta_get(m, key))
            listed[n++] = (struct meta_string){ arena_strdup(a, name), strlen(name) };
        meta_set_str(m, a, key, t->text[i]);
    }
    if (n)
        meta_set_array(m, a, "tokenizer.chat_templates", META_STRING, n, listed);
    if (plain)
        meta_set_str(m, a, "tokenizer.chat_template", plain);
}

/* ---- normalizer keys ---- */

struct normalizer {
    enum answer lower, strip_accents;
};

static void read_normalizer(const cJSON *o, struct normalizer *n, int depth)
{
    const char *type = json_str(o, "type", "");
    const cJSON *item;

    if (strcmp(type, "Lowercase") == 0)
        n->lower = YES;
    if (strcmp(type, "StripAccents") == 0)
        n->strip_accents = YES;
    if (strcmp(type, "BertNormalizer") == 0) {
        if (cJSON_IsBool(item = cJSON_GetObjectItemCaseSensitive(o, "lowercase")))
            n->lower = cJSON_IsTrue(item) ? YES : NO;
        if (cJSON_IsBool(item = cJSON_GetObjectItemCaseSensitive(o, "strip_accents")))
            n->strip_accents = cJSON_IsTrue(item) ? YES : NO;
    }
    if (depth < 8)
        cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(o, "normalizers"))
            read_normalizer(item, n, depth + 1);
}

static void write_normalizer(const cJSON *o, struct meta *m, struct arena *a)
{
    struct normalizer n = { UNSAID, UNSAID };

    read_normalizer(o, &n, 0);
    if (n.lower != UNSAID)
        meta_set_bool(m, a, "tokenizer.ggml.normalizer.lowercase", n.lower == YES);
    if (n.strip_accents != UNSAID)
        meta_set_bool(m, a, "tokenizer.ggml.normalizer.strip_accents", n.strip_accents == YES);
}

int special_write(const struct special_request *r, struct meta *m, struct arena *a, struct arena *tmp, struct fail *f)
{
    struct special s = { .r = r };
    struct templates t = { .n = 0 };

    for (enum kind k = 0; k < KINDS; k++) {
        s.considered[k] = k < EOT || (k == EOT && r->code_llama);
        s.token[k] = named_token(r->tokenizer_config, k);
    }
    if (r->json) {
        if (!s.token[BOS].text && s.token[CLS].text)
            s.token[BOS] = s.token[CLS];
        if (!s.token[EOS].text && s.token[SEP].text)
            s.token[EOS] = s.token[SEP];
        read_post_processor(&s, r->json->post_processor);
    }
    read_ids(&s);
    if (find_templates(r, &t, tmp, f))
        return -1;
    for (int i = 0; i < s.nid; i++)
        if (kinds[s.id_order[i]].id_key)
            meta_set_u32(m, a, kinds[s.id_order[i]].id_key, s.id[s.id_order[i]]);
    for (int i = 0; i < s.nadd; i++)
        if (kinds[s.add_order[i]].add_key)
            meta_set_bool(m, a, kinds[s.add_order[i]].add_key, s.add[s.add_order[i]] == YES);
    write_templates(&t, m, a, tmp);
    if (r->json)
        write_normalizer(r->json->normalizer, m, a);
    return 0;
}
