/* evidence.c - the places that speak of a license. See evidence.h. */
#include "convert/evidence.h"

#include "convert/card.h"
#include "formats/file.h"
#include "formats/text.h"

#include <dirent.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MOST_FILES = 64, MOST_PARENTS = 64, MOST_EXTRA = 10, MOST_UNEXPLAINED = 150 };

static struct evidence *add(struct evidence_list *list, struct arena *a, enum evidence_place place, const char *where, const char *field)
{
    list->item = arena_grow(a, list->item, &list->cap, list->n + 1, sizeof *list->item);
    list->item[list->n] = (struct evidence){ .place = place, .where = where, .field = field };
    return &list->item[list->n++];
}

/* ---- declared ---- */

/* "https://www.llama.com/x/" and "http://llama.com/x" are one address. */
static const char *bare_link(const char *link, size_t *n)
{
    static const char *const starts[] = { "https://", "http://", "www." };

    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (strncasecmp(link, starts[i], strlen(starts[i])) == 0)
            link += strlen(starts[i]);
    *n = strcspn(link, "?#");
    while (*n && link[*n - 1] == '/')
        (*n)--;
    return link;
}

static const struct license *license_of_link(const char *link)
{
    size_t n, m;
    const char *bare = bare_link(link, &n);

    for (size_t i = 0; n && i < license_count(); i++) {
        const char *known = license_at(i)->link ? bare_link(license_at(i)->link, &m) : NULL;

        if (known && n == m && strncasecmp(bare, known, n) == 0)
            return license_at(i);
    }
    return NULL;
}

/* Names that several agreements with different clauses go by. */
static bool is_ambiguous(const char *name)
{
    static const char *const names[] = { "modified-mit", "nvidia-license", "nvidia-open-model-agreement", "nvidia-nemotron-open-model-license",
                                         "license", "custom", NULL };

    for (size_t i = 0; names[i]; i++)
        if (strcasecmp(name, names[i]) == 0)
            return true;
    return false;
}

/* The hub's ids of families. */
static bool is_family(const char *name)
{
    static const char *const names[] = { "bsd", "cc", "gpl", "lgpl", "gfdl", NULL };

    for (size_t i = 0; names[i]; i++)
        if (strcasecmp(name, names[i]) == 0)
            return true;
    return false;
}

static bool says_nothing(const char *id)
{
    return !*id || strcasecmp(id, "other") == 0 || strcasecmp(id, "unknown") == 0 || strcasecmp(id, "none") == 0;
}

static void declare(struct evidence *e, const char *id, const char *name, const char *link, struct arena *a)
{
    const char *word = id && !says_nothing(id) ? id : name;

    e->says = arena_printf(a, "%s%s%s%s%s", id ? id : "", id && name ? ", " : "", name ? name : "", (id || name) && link ? ", " : "", link ? link : "");
    e->tag = word ? word : id;
    if (word && (strpbrk(word, ",") || strcasestr(word, " or ") || strcasestr(word, " and "))) {
        e->note = "several licenses are declared at once";
        return;
    }
    e->license = word ? license_named(word) : NULL;
    if (!e->license && link)
        e->license = license_of_link(link);
    e->level = e->license ? LEVEL_DECLARED : LEVEL_NONE;
    if (!e->license && word && is_ambiguous(word))
        e->note = "several agreements go by this name: only the text decides";
    else if (!e->license && word && is_family(word))
        e->note = "names a family of licenses, not one of them";
    else if (!e->license && word && !says_nothing(word))
        e->note = "not in the table of licenses";
    else if (!e->license)
        e->note = "names no license";
}

/* ---- texts ---- */

static bool is_part(const struct text_finding *f, const char *part)
{
    return strcmp(f->part, part) == 0;
}

/* Does this finding say which license the text is? Policies, appendices and short headers do not. */
static bool is_license_text(const struct text_finding *f)
{
    return f->match != TEXT_NAMED && is_part(f, "license");
}

/* What the findings come to: one license, none, or several. */
static void conclude_text(struct evidence *e)
{
    const struct text_finding *best = NULL;
    bool several = false, altered = false;

    for (size_t i = 0; i < e->text->nfindings; i++) {
        const struct text_finding *f = &e->text->finding[i];

        altered |= f->match == TEXT_ALTERED;
        if (is_license_text(f)) {
            several |= best && best->license != f->license;
            best = best && best->match <= f->match ? best : f;
        }
    }
    if (several) {
        e->note = "holds the texts of several licenses";
        e->level = LEVEL_ALTERED;
        return;
    }
    if (best) {
        /* what a gate says beside the license is about the gate */
        bool clean = best->match != TEXT_ALTERED && ((e->text->extra < MOST_EXTRA && !altered) || e->place == PLACE_GATE);

        e->license = best->license;
        e->level = !clean ? LEVEL_ALTERED : best->match == TEXT_EXACT ? LEVEL_EXACT : LEVEL_PHRASES;
        return;
    }
    for (size_t i = 0; i < e->text->nfindings && e->text->extra < MOST_UNEXPLAINED; i++) {
        const struct text_finding *f = &e->text->finding[i];

        if (is_part(f, "policy")) {
            e->aside = true;
        } else if (!e->license || e->license == f->license) {
            e->license = f->license;
            e->level = LEVEL_DECLARED;
        } else {
            e->license = NULL;
            e->level = LEVEL_NONE;
            e->note = "names several licenses";
            return;
        }
    }
}

static void read_text(struct evidence *e, const char *bytes, size_t n, struct arena *a)
{
    e->bytes = bytes;
    e->nbytes = n;
    e->text = license_text_recognize(bytes, n, a);
    if (n > LICENSE_TEXT_MAX)
        e->note = "only its first 4 MB were looked at";
    conclude_text(e);
}

static bool name_holds(const char *name, const char *word)
{
    return strcasestr(name, word) != NULL;
}

static void read_file(struct evidence_list *list, struct arena *a, enum evidence_place place, const char *where, const char *path)
{
    struct evidence *e = add(list, a, place, where, NULL);
    struct fail f = {0};
    struct file file;
    size_t n;

    if (file_open(&file, path, &f)) {
        e->note = arena_printf(a, "could not be read: %s", f.text);
        return;
    }
    n = file.nbytes > LICENSE_TEXT_MAX + 1 ? LICENSE_TEXT_MAX + 1 : file.nbytes;
    read_text(e, arena_copy(a, file.data, n), n, a);
    file_close(&file);
    if (name_holds(where, "notice"))
        e->aside = true;
    if (name_holds(where, "license-code") || name_holds(where, "license_code") || name_holds(where, "license.code")) {
        e->aside = true;
        e->note = "of code, by its name";
    }
}

/* ---- files ---- */

static bool is_license_file(const char *name)
{
    static const char *const patterns[] = { "LICEN[SC]E*", "NOTICE*", "COPYING*", "*USE?POLICY*", "UNLICENSE*", "*[-_. ]LICEN[SC]E*", "EULA*", "TERMS?OF?USE*", NULL },
                      *const code[] = { ".part", ".json", ".py", ".c", ".h", ".sh", ".yml", ".yaml", ".js", ".gguf", ".safetensors", NULL };
    bool is = false;

    for (size_t i = 0; patterns[i]; i++)
        is |= fnmatch(patterns[i], name, FNM_CASEFOLD) == 0;
    for (size_t i = 0; code[i]; i++)
        is &= !ends_with(name, code[i]);
    return is;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "model.Q4_K_M.LICENSE" belongs to model.Q4_K_M.gguf and to no other model beside it. */
static bool is_foreign(const char *name, const char *stem)
{
    static const char *const kinds[] = { "LICEN[SC]E*", "NOTICE*", "COPYING*", "*USE?POLICY*", "* LICEN[SC]E*", "EULA*", "TERMS?OF?USE*", NULL };
    size_t n = stem ? strlen(stem) : 0;

    if (n && strncmp(name, stem, n) == 0 && name[n] == '.')
        return false;
    for (size_t i = 0; kinds[i]; i++)
        if (fnmatch(kinds[i], name, FNM_CASEFOLD) == 0)
            return false;
    return strchr(name, '.') != NULL && stem != NULL;
}

static void list_dir(const char *dir, const char *before, const char *stem, const char **names, size_t *n, struct arena *a)
{
    DIR *d = opendir(dir);
    const struct dirent *e;

    while (d && *n < MOST_FILES && (e = readdir(d)))
        if (e->d_name[0] != '.' && (*before || (is_license_file(e->d_name) && !is_foreign(e->d_name, stem))) &&
            !path_is_dir(path_join(a, dir, e->d_name)))
            names[(*n)++] = arena_printf(a, "%s%s", before, e->d_name);
    if (d)
        closedir(d);
}

size_t evidence_files(const char *dir, const char *stem, const char ***names, struct arena *a)
{
    size_t n = 0;

    *names = arena_array(a, const char *, MOST_FILES);
    list_dir(dir, "", stem, *names, &n, a);
    list_dir(path_join(a, dir, "LICENSES"), "LICENSES/", NULL, *names, &n, a);
    qsort(*names, n, sizeof **names, by_name);
    return n;
}

char *evidence_stem(const char *path, struct arena *a)
{
    const char *base = path_base(path), *dot = strrchr(base, '.');
    struct shard_name s = dot ? shard_name(base, dot) : (struct shard_name){0};

    return arena_copy(a, base, s.count ? s.stem : dot && dot > base ? (size_t)(dot - base) : strlen(base));
}

/* ---- parents ---- */

static void add_parent(struct evidence_list *list, struct arena *a, const char *id, const char *relation, const char *from)
{
    struct parent *p;

    if (!id || !*id || list->nparents == MOST_PARENTS)
        return;
    for (size_t i = 0; i < list->nparents; i++)
        if (strcasecmp(list->parent[i].id, id) == 0)
            return;
    list->parent = arena_grow(a, list->parent, &list->parent_cap, list->nparents + 1, sizeof *list->parent);
    p = &list->parent[list->nparents++];
    *p = (struct parent){ .id = id, .relation = relation, .from = from };
    p->license = license_of_repository(id, &p->sure, &p->source);
}

void evidence_add_parent(struct evidence_list *list, const struct parent *p, struct arena *a)
{
    size_t before = list->nparents;

    add_parent(list, a, p->id, p->relation, p->from);
    if (list->nparents > before)
        list->parent[before] = *p;
}

static const char *text_member(const cJSON *object, const char *key)
{
    return json_str(object, key, NULL);
}

static void add_parents(struct evidence_list *list, struct arena *a, const cJSON *item, const char *relation, const char *from)
{
    if (cJSON_IsString(item)) {
        add_parent(list, a, arena_strdup(a, item->valuestring), relation, from);
    } else if (cJSON_IsArray(item)) {
        for (item = item->child; item; item = item->next)
            if (cJSON_IsString(item))
                add_parent(list, a, arena_strdup(a, item->valuestring), relation, from);
    }
}

static const char *hub_id(const char *url)
{
    static const char host[] = "https://huggingface.co/";

    return url && strncmp(url, host, sizeof host - 1) == 0 && url[sizeof host - 1] ? url + sizeof host - 1 : NULL;
}

static const char *base_key(const struct meta *keys, struct arena *a, uint64_t i, const char *field)
{
    return meta_str(keys, arena_printf(a, "general.base_model.%" PRIu64 ".%s", i, field), NULL);
}

static void key_parents(struct evidence_list *list, const struct meta *keys, struct arena *a)
{
    uint64_t n = meta_u64(keys, "general.base_model.count", 0);

    for (uint64_t i = 0; i < n && i < MOST_PARENTS; i++) {
        const char *id = hub_id(base_key(keys, a, i, "repo_url")), *name = base_key(keys, a, i, "name"),
                   *organization = base_key(keys, a, i, "organization");

        if (!id && name)
            id = organization ? arena_printf(a, "%s/%s", organization, name) : name;
        add_parent(list, a, id, NULL, "general.base_model keys");
    }
}

/* mergekit's configuration: every "model" in it, at whatever depth, and the base. */
static void merge_parents(struct evidence_list *list, struct arena *a, const cJSON *item, int depth)
{
    for (item = item && depth < 8 ? item->child : NULL; item; item = item->next) {
        bool names = item->string && (strcmp(item->string, "model") == 0 || strcmp(item->string, "base_model") == 0);

        if (names && cJSON_IsString(item))
            add_parent(list, a, arena_strdup(a, item->valuestring), "merge", "mergekit_config.yml");
        else if (!cJSON_IsString(item))
            merge_parents(list, a, item, depth + 1);
    }
}

/* ---- places ---- */

static void read_keys(const struct evidence_source *s, struct evidence_list *list, struct arena *a)
{
    const char *id = meta_str(s->keys, "general.license", NULL), *name = meta_str(s->keys, "general.license.name", NULL),
               *link = meta_str(s->keys, "general.license.link", NULL), *text = meta_str(s->keys, "general.license.text", NULL),
               *spec = meta_str(s->keys, "modelspec.license", NULL);
    const char *where = s->name ? s->name : path_base(s->path);

    if (id || name || link)
        declare(add(list, a, PLACE_KEYS, where, "general.license"), id, name, link, a);
    if (text)
        read_text(add(list, a, PLACE_KEYS, where, "general.license.text"), text, strlen(text), a);
    if (spec && strlen(spec) > 200)
        read_text(add(list, a, PLACE_HEADER, where, "modelspec.license"), spec, strlen(spec), a);
    else if (spec)
        declare(add(list, a, PLACE_HEADER, where, "modelspec.license"), spec, NULL, strstr(spec, "://") ? spec : NULL, a);
    list->replaced = meta_str(s->keys, "bantam.license.replaced", NULL);
    key_parents(list, s->keys, a);
}

/* A list is declared as its members between commas. */
static const char *joined(const cJSON *item, struct arena *a)
{
    const char *s = cJSON_IsString(item) ? item->valuestring : NULL;

    if (cJSON_IsArray(item))
        for (item = item->child; item; item = item->next)
            if (cJSON_IsString(item))
                s = s ? arena_printf(a, "%s,%s", s, item->valuestring) : item->valuestring;
    return s;
}

/* Cohere's addendum goes along with the plain tag of CC-BY-NC-4.0. */
static const char *card_note(const char *path, const struct license *l, struct arena *a)
{
    enum { LOOKED_AT = 1 << 20 };
    struct fail f = {0};
    struct file file;
    bool found;

    if (!l || strcmp(l->id, "cc-by-nc-4.0") != 0 || file_open(&file, path, &f))
        return NULL;
    (void)a;
    file.nbytes = file.nbytes < LOOKED_AT ? file.nbytes : LOOKED_AT;
    found = memmem(file.data, file.nbytes, "c4ai-cc-by-nc-license", 21) || memmem(file.data, file.nbytes, "cohere-labs-cc-by-nc-license", 28);
    file_close(&file);
    return found ? "the card links Cohere's acceptable use addendum, which goes with it" : NULL;
}

static void read_card(const char *dir, struct evidence_list *list, struct arena *a)
{
    const char *path = path_join(a, dir, "README.md"), *id, *name, *link, *prompt, *eu;
    struct fail f = {0};
    cJSON *card = card_read(path, a, &f);

    if (failed(&f))
        add(list, a, PLACE_CARD, "README.md", NULL)->note = arena_strdup(a, f.text);
    if (!card)
        return;
    id = joined(cJSON_GetObjectItemCaseSensitive(card, "license"), a);
    name = text_member(card, "license_name");
    link = text_member(card, "license_link");
    prompt = text_member(card, "extra_gated_prompt");
    eu = text_member(card, "extra_gated_eu_disallowed");
    if (id || name || link) {
        struct evidence *e = add(list, a, PLACE_CARD, "README.md", "license");

        declare(e, id, name, link, a);
        e->note = e->note ? e->note : card_note(path, e->license, a);
    }
    if (prompt) {
        struct evidence *e = add(list, a, PLACE_GATE, "README.md", "extra_gated_prompt");

        read_text(e, prompt, strlen(prompt), a);
        e->aside = e->level < LEVEL_ALTERED;
    }
    list->gate_eu = eu && strcasecmp(eu, "true") == 0;
    add_parents(list, a, cJSON_GetObjectItemCaseSensitive(card, "base_model"), text_member(card, "base_model_relation"), "README.md");
}

static void read_configs(const char *dir, struct evidence_list *list, struct arena *a)
{
    static const char *const merges[] = { "mergekit_config.yml", "mergekit_config.yaml" };
    static const char *const senses[] = { "vision_config", "audio_config", "vision_tower", "mm_vision_tower", "image_token_index", "image_token_id" };
    const char *adapter = path_join(a, dir, "adapter_config.json"), *config = path_join(a, dir, "config.json");
    struct fail f = {0};
    cJSON *root = path_exists(adapter) ? json_read(adapter, 1 << 20, a, &f) : NULL;

    if (root)
        add_parent(list, a, text_member(root, "base_model_name_or_path"), "adapter", "adapter_config.json");
    for (size_t i = 0; i < 2; i++)
        if ((root = yaml_read(path_join(a, dir, merges[i]), a, &f)) != NULL)
            merge_parents(list, a, root, 0);
    f = (struct fail){0};
    root = path_exists(config) ? json_read(config, 16 << 20, a, &f) : NULL;
    for (size_t i = 0; root && i < sizeof senses / sizeof *senses; i++)
        if (cJSON_GetObjectItemCaseSensitive(root, senses[i]))
            list->multimodal = ANSWER_YES;
    if (root && list->multimodal == ANSWER_UNKNOWN)
        list->multimodal = ANSWER_NO;
}

/* A GGUF file holds the language model; its encoder of images or sound lies beside it, or its keys tell of one. */
static void read_senses(const struct evidence_source *s, const char *dir, struct evidence_list *list)
{
    const char *family = meta_str(s->keys, "general.architecture", "");
    DIR *d;
    const struct dirent *e;

    if (list->multimodal == ANSWER_YES || !*family)
        return;
    for (size_t i = 0; i < s->keys->n; i++)
        if (strstr(s->keys->entry[i].key, ".vision.") || strstr(s->keys->entry[i].key, ".audio.") || strstr(s->keys->entry[i].key, "has_vision_encoder"))
            list->multimodal = ANSWER_YES;
    d = list->multimodal == ANSWER_YES ? NULL : opendir(dir);
    while (d && (e = readdir(d)))
        if (starts_with(e->d_name, "mmproj") && ends_with(e->d_name, ".gguf"))
            list->multimodal = ANSWER_YES;
    if (d)
        closedir(d);
    if (strcmp(family, "mllama") == 0 || strcmp(family, "clip") == 0)
        list->multimodal = ANSWER_YES;
    else if (list->multimodal == ANSWER_UNKNOWN && strcmp(family, "llama4") != 0)    /* whose repositories are multimodal */
        list->multimodal = ANSWER_NO;
}

/* "models--ORG--NAME" is how the hub's cache spells ORG/NAME. */
static const char *cached_id(const char *path, struct arena *a)
{
    const char *mark = strstr(path, "models--"), *org = mark ? mark + strlen("models--") : NULL, *sep = org ? strstr(org, "--") : NULL;
    size_t n = sep ? strcspn(sep + 2, "/") : 0;

    return sep && !memchr(org, '/', (size_t)(sep - org)) && n ? arena_printf(a, "%.*s/%.*s", (int)(sep - org), org, (int)n, sep + 2) : NULL;
}

static const char *own_repository(const struct evidence_source *s, struct arena *a)
{
    const char *id = s->keys ? hub_id(meta_str(s->keys, "general.repo_url", NULL)) : NULL;

    if (!id && s->name && (starts_with(s->name, "hf:") || starts_with(s->name, "lmstudio:"))) {
        id = strchr(s->name, ':') + 1;
        id = arena_copy(a, id, strcspn(id, "@"));
    }
    return id ? id : cached_id(s->path, a);
}

void evidence_gather(const struct evidence_source *s, struct evidence_list *list, struct arena *a)
{
    bool is_dir = path_is_dir(s->path);
    const char *dir = is_dir ? s->path : path_dir(a, s->path), **names;
    size_t n = evidence_files(dir, is_dir ? NULL : evidence_stem(s->path, a), &names, a);

    *list = (struct evidence_list){ .repository = own_repository(s, a) };
    if (s->keys)
        read_keys(s, list, a);
    read_card(dir, list, a);
    for (size_t i = 0; i < n; i++)
        read_file(list, a, PLACE_FILE, names[i], path_join(a, dir, names[i]));
    for (size_t i = 0; i < s->nlayers; i++)
        read_file(list, a, PLACE_LAYER, s->layer[i].name, s->layer[i].path);
    read_configs(dir, list, a);
    if (s->keys && s->gguf)
        read_senses(s, dir, list);
}
