/* general.c - the general.* keys. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "convert/general.h"

#include "formats/file.h"

#include <ctype.h>
#include <limits.h>
#include <math.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- model ids ---- */
enum part_type { VERSION = 1, TYPE = 2, SIZE = 4, FINETUNE = 8, BASENAME = 16 };
enum { PARTS_MAX = 64 };

struct part {
    char *text;
    unsigned types;
};

/* Does the whole of `text` match, in any letter case? */
static bool matches(const char *pattern, const char *text)
{
    int error;
    size_t at;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                                     PCRE2_CASELESS | PCRE2_ANCHORED | PCRE2_ENDANCHORED, &error, &at, NULL);
    pcre2_match_data *data = pcre2_match_data_create_from_pattern(code, NULL);
    bool yes = pcre2_match(code, (PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, 0, 0, data, NULL) >= 0;

    pcre2_match_data_free(data);
    pcre2_code_free(code);
    return yes;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A size such as "8B" far from the model's own is a context length such as "128k". */
static bool is_foreign_size(const char *part, uint64_t weights)
{
    size_t n = strlen(part);
    const char *units = "KMBT", *unit = part[n - 1] ? strchr(units, part[n - 1]) : NULL;
    char *end;
    double count = strtod(part, &end);

    if (!weights || !is_digit(part[0]) || end != part + n - 1)
        return false;
    count *= unit ? pow(1000, (double)(unit - units + 1)) : 1;
    return fabs(count - (double)weights) > floor(7 * (double)weights / 8);
}

/* "7b1" -> "7.1b", "1_5b" -> "1.5b", "7b" -> "7B". */
static char *normal_size(const char *part, struct arena *a)
{
    size_t n = strlen(part);
    char *s = arena_strdup(a, part);

    for (char *p = s; *p; p++)
        if (*p == '_')
            *p = '.';
    if (is_digit(s[n - 1]))
        s = arena_printf(a, "%.*s.%c%c", (int)n - 2, s, s[n - 1], s[n - 2]);
    n = strlen(s);
    if (n > 1 && is_digit(s[n - 2]))
        s[n - 1] = (char)toupper((unsigned char)s[n - 1]);
    return s;
}

static void classify(struct part *p, bool first, uint64_t weights, struct arena *a)
{
    if (matches("(v|iter)?\\d+([.]\\d+)*", p->text)) {
        p->types = VERSION;
    } else if (matches("i?q\\d(_\\w)*|b?fp?(16|32)", p->text)) {
        p->types = TYPE;
        for (char *s = p->text; *s; s++)
            *s = (char)toupper((unsigned char)*s);
    } else if (!first && matches("((A|\\d+x)?\\d+([._]\\d+)?[KMBT]\\d?|small|mini|medium|large|x?xl)", p->text)) {
        p->text = normal_size(p->text, a);
        p->types = is_foreign_size(p->text, weights) ? FINETUNE : SIZE;
        if (p->types == FINETUNE) {
            char *last = p->text + strlen(p->text) - 1;
            *last = (char)tolower((unsigned char)*last);
        }
    } else if (!first && matches("chat|instruct|vision|lora", p->text)) {
        p->types = FINETUNE;
    }
}

/* Sizes in words ("large") only count where no number does. */
static void prefer_numbers(struct part *p, size_t n)
{
    bool number = false;

    for (size_t i = 0; i < n; i++)
        number |= (p[i].types & SIZE) && p[i].text[strcspn(p[i].text, "0123456789")];
    for (size_t i = 0; number && i < n; i++) {
        bool word = true;
        for (const char *s = p[i].text; *s; s++)
            word &= isalpha((unsigned char)*s) != 0;
        if (word)
            p[i].types &= ~(unsigned)SIZE;
    }
}

/* The base name is what stands at the start, versions included unless they come last. */
static void mark_basename(struct part *p, size_t n)
{
    bool start = true;

    for (size_t i = 0; i < n; i++) {
        if (start && ((!p[i].types && isalpha((unsigned char)p[i].text[0])) || (p[i].types & VERSION))) {
            p[i].types |= BASENAME;
        } else {
            start = false;
            if (!p[i].types)
                p[i].types = FINETUNE;
        }
    }
    while (n-- && (p[n].types & BASENAME) && p[n].types != BASENAME)
        p[n].types &= ~(unsigned)BASENAME;
}

/* The parts of a type (and not of type `but`) joined with '-'; NULL: none. */
static const char *join(const struct part *p, size_t n, unsigned type, unsigned but, struct arena *a)
{
    const char *s = NULL;

    for (size_t i = 0; i < n; i++) {
        bool again = false;
        for (size_t k = 0; type == SIZE && k < i; k++)
            again |= (p[k].types & SIZE) && strcmp(p[k].text, p[i].text) == 0;
        if ((p[i].types & type) && !(p[i].types & but) && !again)
            s = s ? arena_printf(a, "%s-%s", s, p[i].text) : p[i].text;
    }
    return s;
}

struct model_id model_id_parse(const char *id, uint64_t weights, struct arena *a)
{
    const char *slash = strchr(id, '/');
    struct model_id m = { .name = id };
    struct part part[PARTS_MAX] = {0};
    size_t n = 0;

    if (strchr(id, ' '))                /* a sentence, not an id */
        return m;
    if (slash) {
        m.name = slash + 1;
        m.organization = slash > id && *id != '.' ? arena_copy(a, id, (size_t)(slash - id)) : NULL;
    }
    for (char *rest = arena_strdup(a, m.name), *s; n < PARTS_MAX && (s = strsep(&rest, "-")) != NULL;)
        if (*s)
            part[n++].text = s;
    for (size_t i = 0; i < n; i++)
        classify(&part[i], i == 0, weights, a);
    prefer_numbers(part, n);
    mark_basename(part, n);
    m.size_label = join(part, n, SIZE, 0, a);
    m.finetune = join(part, n, FINETUNE, 0, a);
    m.version = join(part, n, VERSION, BASENAME, a);
    if (m.size_label || m.finetune || m.version)        /* otherwise too ambiguous */
        m.basename = join(part, n, BASENAME, 0, a);
    return m;
}

/* As Python's title(): a capital at the start of every run of letters. */
static void capitalize(char *word)
{
    bool inside = false;

    for (; *word; word++) {
        if (!inside)
            *word = (char)toupper((unsigned char)*word);
        inside = isalpha((unsigned char)*word) || (unsigned char)*word >= 0x80;
    }
}

static bool is_lower(const char *word)
{
    bool any = false;

    for (; *word; word++) {
        if (isupper((unsigned char)*word))
            return false;
        any |= islower((unsigned char)*word) != 0;
    }
    return any;
}

const char *id_to_title(const char *id, struct arena *a)
{
    size_t room = strlen(id) + 2, n = 0;
    char *out = arena_alloc(a, room);

    for (char *rest = arena_strdup(a, id), *word; (word = strsep(&rest, "- \t\n")) != NULL;) {
        if (!*word)
            continue;
        if (is_lower(word) && !matches("v\\d+(?:\\.\\d+)*|\\d.*", word))
            capitalize(word);
        n += (size_t)snprintf(out + n, room - n, "%s%s", n ? " " : "", word);
    }
    return out;
}

/* ---- size ---- */
static const char *rounded(double count, struct arena *a)
{
    static const struct {
        double above, scale;
        char unit;
    } units[] = { { 1e12, 1e-12, 'T' }, { 1e9, 1e-9, 'B' }, { 1e6, 1e-6, 'M' }, { -1, 1e-3, 'K' } };
    size_t i = 0;
    double scaled, whole;

    while (!(count > units[i].above))
        i++;
    scaled = count * units[i].scale;
    whole = nearbyint(scaled);
    return arena_printf(a, "%.*f%c", whole >= 10 ? 0 : whole >= 1 ? 1 : 2, scaled, units[i].unit);
}

const char *size_label(uint64_t weights, uint64_t experts, uint64_t expert_weights, struct arena *a)
{
    if (!experts)
        return rounded((double)weights, a);
    return arena_printf(a, "%llux%s", (unsigned long long)experts,
                        rounded((double)(weights - experts * expert_weights + expert_weights), a));
}

/* ---- keys ---- */
static const cJSON *member(const cJSON *object, const char *names)
{
    for (const char *p = names;; p += strcspn(p, "|") + 1) {
        const cJSON *item;
        cJSON_ArrayForEach(item, object)
            if (strlen(item->string) == strcspn(p, "|") && strncmp(item->string, p, strcspn(p, "|")) == 0 &&
                !cJSON_IsNull(item))
                return item;
        if (!p[strcspn(p, "|")])
            return NULL;
    }
}

/* A string as it is, a list of strings joined with ','; NULL for anything else. */
static const char *text_of(const cJSON *item, struct arena *a)
{
    const char *s = NULL;
    const cJSON *one;

    if (cJSON_IsString(item))
        return item->valuestring;
    if (!cJSON_IsArray(item))
        return NULL;
    cJSON_ArrayForEach(one, item)
        if (cJSON_IsString(one))
            s = s ? arena_printf(a, "%s,%s", s, one->valuestring) : one->valuestring;
    return s;
}

static void put_sampling(const cJSON *generation, struct meta *m, struct arena *a)
{
    static const struct {
        const char *key, *names;
        enum meta_type type;
    } settings[] = {
        { "general.sampling.sequence", "sequence", META_STRING },
        { "general.sampling.top_k", "top_k", META_INT32 },
        { "general.sampling.top_p", "top_p", META_FLOAT32 },
        { "general.sampling.min_p", "min_p", META_FLOAT32 },
        { "general.sampling.xtc_probability", "xtc_probability", META_FLOAT32 },
        { "general.sampling.xtc_threshold", "xtc_threshold", META_FLOAT32 },
        { "general.sampling.temp", "temperature", META_FLOAT32 },
        { "general.sampling.penalty_last_n", "penalty_last_n", META_INT32 },
        { "general.sampling.penalty_repeat", "penalty_repeat|repetition_penalty", META_FLOAT32 },
        { "general.sampling.mirostat", "mirostat", META_INT32 },
        { "general.sampling.mirostat_tau", "mirostat_tau", META_FLOAT32 },
        { "general.sampling.mirostat_eta", "mirostat_eta", META_FLOAT32 },
    };

    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        const cJSON *item = member(generation, settings[i].names);
        if (settings[i].type == META_STRING && cJSON_IsString(item))
            meta_set_str(m, a, settings[i].key, item->valuestring);
        else if (settings[i].type == META_FLOAT32 && cJSON_IsNumber(item))
            meta_set_f32(m, a, settings[i].key, (float)item->valuedouble);
        else if (settings[i].type == META_INT32 && cJSON_IsNumber(item))
            meta_set_i32(m, a, settings[i].key, item->valueint);
    }
}

/* 'models--ORG--NAME/snapshots/REVISION' is how the Hugging Face cache spells ORG/NAME; otherwise the last part of the path. */
static const char *directory_id(const char *dir, struct arena *a)
{
    char whole[PATH_MAX];
    const char *path = realpath(dir, whole) ? whole : dir, *base, *mark = strstr(path, "/models--"), *org, *end;
    size_t n = strlen(dir);

    if (mark && (org = mark + strlen("/models--"), end = strstr(org, "/snapshots/")) != NULL) {
        const char *sep = strstr(org, "--");
        if (sep && sep < end && !memchr(org, '/', (size_t)(end - org)))
            return arena_printf(a, "%.*s/%.*s", (int)(sep - org), org, (int)(end - sep - 2), sep + 2);
    }
    while (n > 1 && dir[n - 1] == '/')
        n--;
    base = path_base(arena_copy(a, dir, n));
    return !*base || strcmp(base, ".") == 0 || strcmp(base, "..") == 0 ? arena_strdup(a, path_base(path)) : base;
}

/* A field comes from the card, else from the first id that has the part at `offset` of struct model_id. */
#define PART(part) offsetof(struct model_id, part)
enum { NO_PART = -1 };

static const char *part_of(const struct model_id *id, int offset)
{
    const char *s;

    if (offset == NO_PART)
        return NULL;
    memcpy(&s, (const char *)id + offset, sizeof s);
    return s && *s ? s : NULL;
}

static void put_fields(const struct general_source *s, struct meta *m, struct arena *a)
{
    static const struct {
        const char *key, *names;
        int part;
        bool titled;            /* written as a title when it comes from an id */
    } fields[] = {
        { "general.name", "name|model_name", PART(name), true },
        { "general.author", "author|model_author|model_creator", NO_PART, false },
        { "general.version", "version|model_version", PART(version), false },
        { "general.organization", "organization|model_organization", PART(organization), true },
        { "general.finetune", "finetune|model_finetune", PART(finetune), false },
        { "general.basename", "basename|model_basename|model_type", PART(basename), false },
        { "general.description", "description|model_description", NO_PART, false },
        { "general.size_label", "size_label|model_size_label", PART(size_label), false },
        { "general.license", "license", NO_PART, false },
        { "general.license.name", "license_name", NO_PART, false },
        { "general.license.link", "license_link", NO_PART, false },
        { "general.source.url", "url|model_url", NO_PART, false },
        { "general.source.doi", "doi|model_doi", NO_PART, false },
        { "general.source.uuid", "uuid|model_uuid", NO_PART, false },
        { "general.source.repo_url", "repo_url|model_repo_url", NO_PART, false },
    };
    struct model_id id[2] = {0};
    const char *path = s->name_or_path, *slash = path ? strchr(path, '/') : NULL;

    if (path && *path && !(slash && strchr(slash + 1, '/')))
        id[0] = model_id_parse(path, s->weights, a);
    id[1] = model_id_parse(directory_id(s->dir, a), s->weights, a);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const char *text = text_of(member(s->card, fields[i].names), a);
        for (size_t k = 0; !text && k < 2; k++)
            if ((text = part_of(&id[k], fields[i].part)) != NULL && fields[i].titled)
                text = id_to_title(text, a);
        if (!text && fields[i].part == PART(size_label) && s->weights)
            text = size_label(s->weights, s->experts, s->expert_weights, a);
        if (text)
            meta_set_str(m, a, fields[i].key, text);
    }
}

/* ---- what a model stems from ---- */
static void put_origin_field(struct meta *m, struct arena *a, const char *kind, size_t i, const char *field, const char *text)
{
    if (text && *text)
        meta_set_str(m, a, arena_printf(a, "general.%s.%zu.%s", kind, i, field), text);
}

/* The id in a URL of huggingface.co, ORG/NAME; NULL: another kind of URL. */
static const char *id_in_url(const char *url)
{
    const char *host = strncmp(url, "https://", 8) == 0 ? url + 8 : strncmp(url, "http://", 7) == 0 ? url + 7 : "";

    if (strncmp(host, "huggingface.co/", 15) != 0 || !matches("[^/]+/[^/]+", host + 15))
        return NULL;
    return host + 15;
}

static void put_origin_id(struct meta *m, struct arena *a, const char *kind, size_t i, const char *text, uint64_t weights)
{
    bool url = strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0 || strncmp(text, "ssh://", 6) == 0;
    const char *id = url ? id_in_url(text) : text;
    struct model_id part = id ? model_id_parse(id, weights, a) : (struct model_id){0};

    put_origin_field(m, a, kind, i, "name", part.name ? id_to_title(part.name, a) : NULL);
    put_origin_field(m, a, kind, i, "version", part.version);
    put_origin_field(m, a, kind, i, "organization", part.organization ? id_to_title(part.organization, a) : NULL);
    if (url)
        put_origin_field(m, a, kind, i, "repo_url", text);
    else if (part.organization)
        put_origin_field(m, a, kind, i, "repo_url",
                         arena_printf(a, "https://huggingface.co/%s/%s", part.organization, part.name));
}

static void put_origin(struct meta *m, struct arena *a, const char *kind, size_t i, const cJSON *item, uint64_t weights)
{
    static const char *const fields[] = {
        "name", "author", "version", "organization", "description", "url", "doi", "uuid", "repo_url"
    };

    if (cJSON_IsString(item))
        put_origin_id(m, a, kind, i, item->valuestring, weights);
    for (size_t k = 0; cJSON_IsObject(item) && k < sizeof fields / sizeof *fields; k++)
        put_origin_field(m, a, kind, i, fields[k], text_of(member(item, fields[k]), a));
}

static void put_origins(const struct general_source *s, struct meta *m, struct arena *a, const char *kind, const char *names)
{
    const cJSON *list = member(s->card, names), *item;
    const char *count = arena_printf(a, "general.%s.count", kind);
    size_t n = 0;

    if (cJSON_IsString(list)) {
        meta_set_u32(m, a, count, 1);
        put_origin(m, a, kind, 0, list, s->weights);
    } else if (cJSON_IsArray(list)) {
        meta_set_u32(m, a, count, (uint32_t)cJSON_GetArraySize(list));
        for (item = list->child; item; item = item->next)
            put_origin(m, a, kind, n++, item, s->weights);
    }
}

/* All strings under both names, a single string counting as a list of one. */
static void put_list(const struct general_source *s, struct meta *m, struct arena *a, const char *key, const char *const names[2])
{
    struct meta_string *items = NULL;
    size_t n = 0, cap = 0;

    for (int i = 0; i < 2; i++) {
        const cJSON *list = member(s->card, names[i]), *item = cJSON_IsArray(list) ? list->child : list;
        for (; item; item = cJSON_IsArray(list) ? item->next : NULL) {
            if (!cJSON_IsString(item))
                continue;
            items = arena_grow(a, items, &cap, n + 1, sizeof *items);
            items[n].s = arena_strdup(a, item->valuestring);
            items[n].n = strlen(item->valuestring);
            n++;
        }
    }
    if (n)
        meta_set_array(m, a, key, META_STRING, n, items);
}

void general_keys(const struct general_source *s, struct meta *m, struct arena *a)
{
    meta_set_str(m, a, "general.type", "model");
    put_sampling(s->generation, m, a);
    put_fields(s, m, a);
    put_origins(s, m, a, "base_model", "base_model|base_models|base_model_sources");
    put_origins(s, m, a, "dataset", "datasets|dataset|dataset_sources");
    put_list(s, m, a, "general.tags", (const char *const[]){ "tags", "pipeline_tag" });
    put_list(s, m, a, "general.languages", (const char *const[]){ "languages", "language" });
}
