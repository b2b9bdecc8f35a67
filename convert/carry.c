/* carry.c - the license goes along with what is written. See carry.h. */
#include "convert/carry.h"

#include "formats/file.h"
#include "formats/output.h"
#include "formats/store.h"
#include "formats/text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { MOST_CARRIED = 80 };

void carry_source(const struct model *source, const char *argument, struct evidence_source *s, struct arena *a)
{
    struct store_item item = {0};
    struct fail none = {0};
    const char *rest;

    *s = (struct evidence_source){ .path = arena_strdup(a, source->path), .keys = &source->meta,
                                   .gguf = strcmp(source->format->name, "gguf") == 0 };
    if (argument && store_of(argument, &rest))
        s->name = arena_strdup(a, argument);
    if (s->name && store_find(argument, a, &item, &none) == 0 && item.nlicenses) {
        struct evidence_layer *layer = arena_array(a, struct evidence_layer, item.nlicenses);

        for (size_t i = 0; i < item.nlicenses; i++)
            layer[i] = (struct evidence_layer){ arena_printf(a, "license layer %zu", i + 1), item.license[i] };
        s->layer = layer;
        s->nlayers = item.nlicenses;
    }
}

/* ---- keys ---- */

/* What a tag looks like: "llama3.1", "Apache-2.0 OR MIT", "LicenseRef-x". */
static int check_id(const char *id, struct fail *f)
{
    bool good = isalnum((unsigned char)*id) && strlen(id) < 120;

    for (const char *p = id; *p; p++)
        good &= isalnum((unsigned char)*p) || strchr(" .+-_()", *p);
    if (good)
        return 0;
    fail(f, FAIL_USAGE, "--license: '%s' is no license id", id);
    return fail_hint(f, "an id such as apache-2.0, llama3.1 or qwen; 'bantam help licenses' lists those whose terms are known");
}

static void set_or_remove(struct model *m, const char *key, const char *value)
{
    if (value)
        meta_set_str(&m->meta, &m->arena, key, value);
    else
        meta_remove(&m->meta, key);
}

/* hub, name and link as a card has them. */
struct tag {
    const char *id, *name, *link;
};

static struct tag tag_of(const struct license *l, const char *id)
{
    if (!l)
        return (struct tag){ .id = id };
    return (struct tag){ l->hub, strcmp(l->hub, "other") == 0 ? l->id : NULL, l->link };
}

static void set_tag(struct model *m, struct tag t)
{
    set_or_remove(m, "general.license", t.id);
    set_or_remove(m, "general.license.name", t.name);
    set_or_remove(m, "general.license.link", t.link);
}

/* "README.md: apache-2.0; LICENSE: llama3.1", and what an earlier override had replaced. */
static const char *replaced_text(const struct licensing *l, struct arena *a)
{
    const char *s = NULL;

    for (size_t i = 0; i < l->evidence.n; i++) {
        const struct evidence *e = &l->evidence.item[i];
        const char *what = e->license ? e->license->id : e->says && *e->says ? e->says : NULL;

        if (what && !e->aside)
            s = arena_printf(a, "%s%s%s: %s%s", s ? s : "", s ? "; " : "", e->where, e->level == LEVEL_ALTERED ? "altered " : "", what);
    }
    s = s ? s : "nothing";
    return l->evidence.replaced ? arena_printf(a, "%s; before that: %s", s, l->evidence.replaced) : s;
}

/* The texts of all license files, one behind the other under their names; a single one as it is. */
static int set_text(struct model *m, const struct licensing *l, struct fail *f)
{
    struct arena a = {0};
    const char *text = NULL, *first = NULL;
    int bad = 0;

    for (size_t i = 0; i < l->evidence.n && !bad; i++) {
        const struct evidence *e = &l->evidence.item[i];

        if (!e->bytes || (e->place != PLACE_FILE && e->place != PLACE_LAYER && e->place != PLACE_KEYS && e->place != PLACE_GATE))
            continue;
        if (!utf8_valid(e->bytes, e->nbytes) || e->nbytes > LICENSE_TEXT_MAX || memchr(e->bytes, '\0', e->nbytes)) {
            fail(f, FAIL_INPUT, "is no UTF-8 text of at most %d MB, as a key can hold", LICENSE_TEXT_MAX >> 20);
            bad = fail_in(f, e->where);
        } else if (!text) {
            text = e->bytes;
            first = e->where;
        } else {
            text = arena_printf(&a, "%s%s\n\n---- %s ----\n\n%s", first ? arena_printf(&a, "---- %s ----\n\n", first) : "", text, e->where, e->bytes);
            first = NULL;
        }
    }
    if (!bad && !text)
        bad = fail(f, FAIL_INPUT, "--with-license-text: no license text lies beside the model"), fail_hint(f, "put the text into a file LICENSE beside it");
    if (!bad)
        meta_set_str(&m->meta, &m->arena, "general.license.text", text);
    arena_release(&a);
    return bad ? -1 : 0;
}

int carry_keys(struct model *m, const struct carry_options *o, const struct licensing *l, struct fail *f)
{
    const char *said = meta_str(&m->meta, "general.license", NULL);

    if (o->license) {
        const struct license *known = license_named(o->license);

        if (check_id(o->license, f))
            return -1;
        meta_set_str(&m->meta, &m->arena, "bantam.license.replaced", replaced_text(l, &m->arena));
        set_tag(m, tag_of(known, o->license));
    } else if (!said && l->verdict == VERDICT_TEXT) {
        set_tag(m, tag_of(l->license, NULL));
    }
    return o->with_text ? set_text(m, l, f) : 0;
}

/* ---- files beside a file ---- */

struct carried {
    const char *name;
    const char *bytes;
    size_t n;
};

/* Everything that lies beside the source or in a store's layers, whole. */
static int collect(const struct licensing *l, const char *dir, struct carried *list, size_t *n, struct arena *a, struct fail *f)
{
    size_t layers = 0;

    *n = 0;
    for (size_t i = 0; i < l->evidence.n && *n < MOST_CARRIED; i++) {
        const struct evidence *e = &l->evidence.item[i];
        struct carried *c = &list[*n];

        if (e->place == PLACE_LAYER) {
            *c = (struct carried){ layers++ ? arena_printf(a, "LICENSE.%zu", layers) : "LICENSE", e->bytes, e->nbytes };
        } else if (e->place == PLACE_FILE) {
            c->name = e->where;
            c->bytes = file_read_text(path_join(a, dir, e->where), 64 << 20, a, &c->n, f);
        } else {
            continue;
        }
        if (failed(f))
            return -1;
        *n += c->bytes != NULL;
    }
    return 0;
}

static bool same_contents(const char *path, const struct carried *c)
{
    struct fail none = {0};
    struct file file;
    bool same;

    if (file_open(&file, path, &none))
        return false;
    same = file.nbytes == c->n && memcmp(file.data, c->bytes, c->n) == 0;
    file_close(&file);
    return same;
}

static int put_file(const struct carried *c, const char *dir, const char *stem, bool force, bool dry_run, const char **written, struct arena *a,
                    struct fail *f)
{
    const char *name = c->name, *path = path_join(a, dir, name);

    if (path_exists(path) && !same_contents(path, c)) {
        name = arena_printf(a, "%s.%s", stem, path_base(name));
        path = path_join(a, dir, name);
        if (path_exists(path) && !same_contents(path, c) && !force) {
            fail(f, FAIL_USAGE, "exists with other contents, and would be replaced by '%s' of the model", c->name);
            fail_hint(f, "--force replaces it, --no-license-files leaves license files out");
            return fail_in(f, path);
        }
    }
    *written = name;
    if (dry_run || same_contents(path, c))
        return 0;
    return make_dirs(path, f) || file_write(path, c->bytes, c->n, f) ? -1 : 0;
}

int carry_files(const struct licensing *l, const char *source_dir, const char *out, bool force, bool dry_run, const char ***written,
                struct arena *a, struct fail *f)
{
    struct carried *list = arena_array(a, struct carried, MOST_CARRIED);
    const char *dir = path_dir(a, out), *stem = evidence_stem(out, a);
    struct stat st;
    size_t n;

    *written = arena_array(a, const char *, MOST_CARRIED + 1);
    if (stat(out, &st) == 0 && !S_ISREG(st.st_mode))        /* a device has no directory of its own */
        return 0;
    if (collect(l, source_dir, list, &n, a, f))
        return -1;
    for (size_t i = 0; i < n; i++)
        if (put_file(&list[i], dir, stem, force, dry_run, &(*written)[i], a, f))
            return -1;
    return 0;
}

/* ---- files of a directory ---- */

static bool is_license_name(const char *name)
{
    static const char *const parts[] = { "license", "licence", "notice", "copying", "use_policy", "use-policy" };

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strcasestr(name, parts[i]) && strcasecmp(name, "README.md") != 0)
            return true;
    return false;
}

static bool has_name(const struct plan_extra *list, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i].name, name) == 0)
            return true;
    return false;
}

/* Between double quotes, as YAML and JSON write it. */
static const char *quoted(const char *s, struct arena *a)
{
    char *out = arena_alloc(a, 2 * strlen(s) + 3), *p = out;

    for (*p++ = '"'; *s; s++) {
        if (*s == '"' || *s == '\\')
            *p++ = '\\';
        *p++ = (unsigned char)*s < ' ' ? ' ' : *s;
    }
    *p = '"';
    return out;
}

/* Bare where YAML takes it so. */
static const char *quoted_if(const char *s, struct arena *a)
{
    bool plain = isalpha((unsigned char)*s);

    for (const char *p = s; *p; p++)
        plain &= isalnum((unsigned char)*p) || strchr("._-+/", *p) || (*p == ':' && p[1] == '/');
    return plain ? s : quoted(s, a);
}

static const char *tag_lines(struct tag t, const char *replaced, struct arena *a)
{
    return arena_printf(a, "license: %s\n%s%s%s%s%s%s%s%s%s", quoted_if(t.id, a), t.name ? "license_name: " : "", t.name ? quoted_if(t.name, a) : "",
                        t.name ? "\n" : "", t.link ? "license_link: " : "", t.link ? quoted_if(t.link, a) : "", t.link ? "\n" : "", replaced ? "license_replaced: " : "",
                        replaced ? quoted(replaced, a) : "", replaced ? "\n" : "");
}

static bool is_tag_line(const char *line)
{
    static const char *const keys[] = { "license:", "license_name:", "license_link:", "license_replaced:" };

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (starts_with(line, keys[i]))
            return true;
    return false;
}

/* The card with other license lines: old ones go, with the indented lines and list items that belong to them. */
static const char *retag_card(const char *card, const char *lines, struct arena *a)
{
    const char *p = starts_with(card, "\xEF\xBB\xBF") ? card + 3 : card;
    size_t most = strlen(card) + strlen(lines) + 16, n;
    char *out = arena_alloc(a, most);
    bool dropping = false;

    p += strspn(p, " \r\n");
    if (!starts_with(p, "---") || !strchr(p, '\n'))
        return arena_printf(a, "---\n%s---\n%s", lines, card);
    p = strchr(p, '\n') + 1;
    n = (size_t)snprintf(out, most, "---\n%s", lines);
    while (*p && !starts_with(p, "---")) {
        size_t len = strcspn(p, "\n"), whole = len + (p[len] == '\n');

        dropping = is_tag_line(p) || (dropping && (*p == ' ' || *p == '\t' || *p == '-'));
        if (!dropping) {
            memcpy(out + n, p, whole);
            n += whole;
        }
        p += whole;
    }
    memcpy(out + n, p, strlen(p) + 1);
    return out;
}

/* A card for a model whose license was in its keys. */
static const char *card_of_keys(const struct meta *keys, struct arena *a)
{
    struct tag t = { meta_str(keys, "general.license", NULL), meta_str(keys, "general.license.name", NULL), meta_str(keys, "general.license.link", NULL) };
    uint64_t n = meta_u64(keys, "general.base_model.count", 0);
    const char *text;

    if (!t.id)
        return NULL;
    text = arena_printf(a, "---\n%s", tag_lines(t, meta_str(keys, "bantam.license.replaced", NULL), a));
    for (uint64_t i = 0; i < n && i < 64; i++) {
        const char *url = meta_str(keys, arena_printf(a, "general.base_model.%" PRIu64 ".repo_url", i), NULL);

        if (url && starts_with(url, "https://huggingface.co/") && !strpbrk(url, " \"\n"))
            text = arena_printf(a, "%s%s- %s\n", text, strstr(text, "base_model:") ? "" : "base_model:\n", url + strlen("https://huggingface.co/"));
    }
    return arena_printf(a, "%s---\n", text);
}

static void put_card(struct plan_extra *list, size_t *n, const char *text, struct arena *a)
{
    size_t i = 0;

    (void)a;
    while (i < *n && strcmp(list[i].name, "README.md") != 0)
        i++;
    *n += i == *n;
    list[i] = (struct plan_extra){ "README.md", text, strlen(text) };
}

int carry_extra(const struct licensing *l, const struct carry_options *o, const struct meta *keys, const char *source_dir,
                const struct plan_extra **list, size_t *n, struct arena *a, struct fail *f)
{
    struct plan_extra *mine = arena_array(a, struct plan_extra, *n + MOST_CARRIED + 1);
    struct carried *beside = arena_array(a, struct carried, MOST_CARRIED);
    const char *card = NULL;
    size_t kept = 0, found = 0;

    if (o->license && check_id(o->license, f))
        return -1;
    for (size_t i = 0; i < *n; i++)
        if (!o->no_files || !is_license_name((*list)[i].name))
            mine[kept++] = (*list)[i];
    if (!o->no_files && collect(l, source_dir, beside, &found, a, f))
        return -1;
    for (size_t i = 0; i < found; i++)
        if (!has_name(mine, kept, beside[i].name))
            mine[kept++] = (struct plan_extra){ beside[i].name, beside[i].bytes, beside[i].n };
    for (size_t i = 0; i < kept; i++)
        if (strcmp(mine[i].name, "README.md") == 0)
            card = arena_copy(a, mine[i].bytes, mine[i].n);
    if (!card && keys)
        card = card_of_keys(keys, a);
    if (o->license)
        card = retag_card(card ? card : "", tag_lines(tag_of(license_named(o->license), o->license), replaced_text(l, a), a), a);
    if (card)
        put_card(mine, &kept, card, a);
    *list = mine;
    *n = kept;
    return 0;
}
