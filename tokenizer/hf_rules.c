/* hf_rules.c - "normalizer" and "pre_tokenizer" of a tokenizer.json as steps. See rules.h.
 *
 * What Hugging Face's tokenizers does for each type is told in terms of the few steps there are: ByteLevel with its own
 * regex is a split and the byte alphabet, Digits is a split at \p{N}, Metaspace replaces, prepends and splits. */
#include "formats/json.h"
#include "tokenizer/regexes.h"
#include "tokenizer/rules.h"

#include <string.h>

enum { MAX_LIST = 24, MAX_NESTING = 8 };

struct list {
    struct step step[MAX_LIST + 1];
    size_t n;
    struct vocab_rules *rules;
    struct arena *a;
    struct fail *f;
    const char *what;           /* "normalizer", "pre_tokenizer" */
};

static int add(struct list *l, struct step s)
{
    if (l->n == MAX_LIST)
        return fail(l->f, FAIL_INPUT, "tokenizer.json's %s has more than %d steps", l->what, MAX_LIST);
    l->step[l->n++] = s;
    return 0;
}

static bool flag(const cJSON *o, const char *key, bool fallback)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(o, key);

    return cJSON_IsBool(item) ? cJSON_IsTrue(item) : fallback;
}

static char *copy(struct list *l, const char *s)
{
    return arena_strdup(l->a, s ? s : "");
}

static int unknown(struct list *l, const char *type)
{
    return fail(l->f, FAIL_INPUT, "tokenizer.json's %s has a step of type '%s', which is not supported", l->what, type);
}

/* {"String": "..."} or {"Regex": "..."} into text and literal. */
static int read_pattern(struct list *l, const cJSON *o, struct step *s)
{
    const cJSON *pattern = cJSON_GetObjectItemCaseSensitive(o, "pattern");
    const char *string = cJSON_IsString(pattern) ? pattern->valuestring : json_str(pattern, "String", NULL);
    const char *regex = json_str(pattern, "Regex", NULL);

    if (!string && !regex)
        return fail(l->f, FAIL_INPUT, "a step of tokenizer.json's %s has no pattern", l->what);
    s->literal = string != NULL;
    s->text = copy(l, string ? string : regex);
    return 0;
}

static int read_behavior(struct list *l, const char *name, enum split_behavior *behavior)
{
    static const char *const names[] = { "Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous" };

    for (int i = 0; i < 5; i++)
        if (strcasecmp(names[i], name) == 0) {
            *behavior = (enum split_behavior)i;
            return 0;
        }
    return fail(l->f, FAIL_INPUT, "tokenizer.json splits with behavior '%s', which is not known", name);
}

/* ---- normalizers ---- */

static int add_charsmap(struct list *l, const cJSON *o)
{
    const char *in = json_str(o, "precompiled_charsmap", "");
    char *out = arena_raw(l->a, strlen(in) + 1);
    long n = base64_decode((struct meta_string){ in, strlen(in) }, (uint8_t *)out);

    if (n < 0)
        return fail(l->f, FAIL_INPUT, "tokenizer.json's precompiled_charsmap is not base64");
    return n ? add(l, (struct step){ .kind = STEP_CHARSMAP, .text = out, .ntext = (size_t)n }) : 0;
}

/* Accents go with upper case unless strip_accents says otherwise. */
static int add_bert_normalizer(struct list *l, const cJSON *o)
{
    bool lowercase = flag(o, "lowercase", true);
    struct bert_rules r = { flag(o, "clean_text", true), flag(o, "handle_chinese_chars", true), flag(o, "strip_accents", lowercase), lowercase };
    struct step step[BERT_NORM_STEPS];
    size_t n = bert_norm_steps(r, step);

    for (size_t i = 0; i < n; i++)
        if (add(l, step[i]))
            return -1;
    return 0;
}

static int add_normalizer(struct list *l, const cJSON *o, const char *type)
{
    static const struct {
        const char *name;
        enum step_kind kind;
    } plain[] = {
        { "NFC", STEP_NFC }, { "NFD", STEP_NFD }, { "NFKC", STEP_NFKC }, { "NFKD", STEP_NFKD },
        { "Lowercase", STEP_LOWERCASE }, { "StripAccents", STEP_STRIP_ACCENTS },
    };

    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (strcmp(type, plain[i].name) == 0)
            return add(l, (struct step){ .kind = plain[i].kind });
    if (strcmp(type, "BertNormalizer") == 0)
        return add_bert_normalizer(l, o);
    if (strcmp(type, "Strip") == 0)
        return add(l, (struct step){ .kind = STEP_STRIP, .left = flag(o, "strip_left", true), .right = flag(o, "strip_right", true) });
    if (strcmp(type, "Prepend") == 0)
        return add(l, (struct step){ .kind = STEP_PREPEND, .text = copy(l, json_str(o, "prepend", "")) });
    if (strcmp(type, "Precompiled") == 0)
        return add_charsmap(l, o);
    if (strcmp(type, "Replace") == 0) {
        struct step s = { .kind = STEP_REPLACE, .with = copy(l, json_str(o, "content", "")) };

        return read_pattern(l, o, &s) ? -1 : add(l, s);
    }
    return unknown(l, type);
}

/* ---- pre-tokenizers ---- */

static int add_split(struct list *l, const char *regex, enum split_behavior behavior, bool invert)
{
    return add(l, (struct step){ .kind = STEP_SPLIT, .text = regex, .behavior = behavior, .invert = invert });
}

static int add_byte_level(struct list *l, const cJSON *o)
{
    if ((flag(o, "add_prefix_space", true) && add(l, (struct step){ .kind = STEP_PREFIX_SPACE }))
        || (flag(o, "use_regex", true) && add_split(l, REGEX_GPT2, SPLIT_ISOLATED, false)))
        return -1;
    return l->rules->byte_level ? 0 : (l->rules->byte_level = true, add(l, (struct step){ .kind = STEP_BYTES }));
}

/* prepend_scheme took the place of add_prefix_space. */
static int add_metaspace(struct list *l, const cJSON *o)
{
    const char *scheme = json_str(o, "prepend_scheme", flag(o, "add_prefix_space", true) ? "always" : "never");
    struct step s = { .kind = STEP_METASPACE, .text = copy(l, json_str(o, "replacement", LOWER_ONE_EIGHTH)) };

    s.only_first = strcmp(scheme, "first") == 0;
    s.never = strcmp(scheme, "never") == 0;
    if (add(l, s))
        return -1;
    if (!flag(o, "split", true))
        return 0;
    return add(l, (struct step){ .kind = STEP_SPLIT, .text = s.text, .literal = true, .behavior = SPLIT_MERGED_NEXT });
}

static int add_pre_tokenizer(struct list *l, const cJSON *o, const char *type)
{
    if (strcmp(type, "ByteLevel") == 0)
        return add_byte_level(l, o);
    if (strcmp(type, "Split") == 0) {
        struct step s = { .kind = STEP_SPLIT, .invert = flag(o, "invert", false) };

        return read_pattern(l, o, &s) || read_behavior(l, json_str(o, "behavior", ""), &s.behavior) ? -1 : add(l, s);
    }
    if (strcmp(type, "Digits") == 0)
        return add_split(l, REGEX_DIGIT, flag(o, "individual_digits", false) ? SPLIT_ISOLATED : SPLIT_CONTIGUOUS, false);
    if (strcmp(type, "Punctuation") == 0) {
        enum split_behavior behavior = SPLIT_ISOLATED;

        return read_behavior(l, json_str(o, "behavior", "Isolated"), &behavior) ? -1
             : add_split(l, REGEX_PUNCTUATION, behavior, false);
    }
    if (strcmp(type, "Whitespace") == 0)
        return add_split(l, "\\w+|[^\\w\\s]+", SPLIT_REMOVED, true);
    if (strcmp(type, "WhitespaceSplit") == 0)
        return add_split(l, "\\s", SPLIT_REMOVED, false);
    if (strcmp(type, "CharDelimiterSplit") == 0)
        return add(l, (struct step){ .kind = STEP_SPLIT, .text = copy(l, json_str(o, "delimiter", " ")), .literal = true,
                                     .behavior = SPLIT_REMOVED });
    if (strcmp(type, "BertPreTokenizer") == 0)
        return add(l, (struct step){ .kind = STEP_WORDS });
    if (strcmp(type, "Metaspace") == 0)
        return add_metaspace(l, o);
    return unknown(l, type);
}

/* ---- sequences of them ---- */

static int read_list(struct list *l, const cJSON *o, const char *member,
                     int (*one)(struct list *, const cJSON *, const char *type), int depth)
{
    const char *type = json_str(o, "type", NULL);
    const cJSON *item;

    if (!o || cJSON_IsNull(o))
        return 0;
    if (!type || depth > MAX_NESTING)
        return fail(l->f, FAIL_INPUT, "tokenizer.json's %s %s", l->what, type ? "nests too deeply" : "has a step without a type");
    if (strcmp(type, "Sequence") != 0)
        return one(l, o, type);
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(o, member))
        if (read_list(l, item, member, one, depth + 1))
            return -1;
    return 0;
}

static const struct step *keep(struct list *l)
{
    struct step *kept = arena_array(l->a, struct step, l->n + 1);

    memcpy(kept, l->step, l->n * sizeof *kept);
    return kept;            /* the last one is zeros: STEP_END */
}

int hf_rules_read(const cJSON *normalizer, const cJSON *pre_tokenizer, struct vocab_rules *rules, struct arena *a, struct fail *f)
{
    struct list norm = { .rules = rules, .a = a, .f = f, .what = "normalizer" };
    struct list split = { .rules = rules, .a = a, .f = f, .what = "pre_tokenizer" };

    if (read_list(&norm, normalizer, "normalizers", add_normalizer, 0)
        || read_list(&split, pre_tokenizer, "pretokenizers", add_pre_tokenizer, 0))
        return -1;
    rules->norm = keep(&norm);
    rules->split = keep(&split);
    return 0;
}
