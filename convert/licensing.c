/* licensing.c - conclusions from the evidence. See licensing.h. */
#include "convert/licensing.h"

#include "formats/file.h"
#include "formats/store.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MOST_CONFLICTS = 64, MOST_OBLIGATIONS = 64, MOST_DUTIES = 128 };

static void add_conflict(struct licensing *l, struct arena *a, const char *text)
{
    if (!l->conflict)
        l->conflict = arena_array(a, const char *, MOST_CONFLICTS);
    for (size_t i = 0; i < l->nconflicts; i++)
        if (strcmp(l->conflict[i], text) == 0)
            return;
    if (l->nconflicts < MOST_CONFLICTS)
        l->conflict[l->nconflicts++] = text;
}

/* "README.md says apache-2.0", "LICENSE is the text of llama3.1" */
static const char *testimony(const struct evidence *e, struct arena *a)
{
    if (e->text && e->level == LEVEL_DECLARED)
        return arena_printf(a, "%s speaks of %s", e->where, e->license->id);
    return arena_printf(a, e->text ? "%s is the text of %s" : "%s says %s", e->field && e->text ? e->field : e->where, e->license->id);
}

/* The bare tag of a family agrees with any of its members. */
static bool agree(const struct license *x, const struct license *y)
{
    bool bare = strcmp(x->id, "openrail") == 0 || strcmp(y->id, "openrail") == 0;

    return x == y || (bare && x->family && y->family && strcmp(x->family, y->family) == 0);
}

/* Is every word of the license there, and something else as well? */
static bool is_whole(const struct evidence *e)
{
    for (size_t i = 0; i < e->text->nfindings; i++)
        if (e->text->finding[i].license == e->license && e->text->finding[i].match == TEXT_ALTERED)
            return false;
    return true;
}

static void find_conflicts(struct licensing *l, struct arena *a)
{
    const struct evidence_list *v = &l->evidence;

    for (size_t i = 0; i < v->n; i++)
        for (size_t k = i + 1; k < v->n; k++) {
            const struct evidence *x = &v->item[i], *y = &v->item[k];
            const struct evidence *text = x->level > y->level ? x : y, *tag = text == x ? y : x;

            if (!x->license || !y->license || x->aside || y->aside || x->level == LEVEL_ALTERED || y->level == LEVEL_ALTERED ||
                agree(x->license, y->license))
                continue;
            add_conflict(l, a, arena_printf(a, "%s, but %s", testimony(tag, a), testimony(text, a)));
        }
    for (size_t i = 0; i < v->n; i++) {
        const struct evidence *e = &v->item[i];

        if (e->aside || e->level != LEVEL_ALTERED)
            continue;
        if (!e->license)
            add_conflict(l, a, arena_printf(a, "%s %s", e->where, e->note));
        else
            add_conflict(l, a, arena_printf(a, is_whole(e) ? "%s holds more than the %s" : "%s is the %s, but not word for word", e->where,
                                            e->license->name));
    }
}

/* ---- the license ---- */

/* The best evidence; *several when evidence as good says otherwise. */
static const struct evidence *decisive(const struct evidence_list *v, bool *several)
{
    const struct evidence *best = NULL;

    *several = false;
    for (size_t i = 0; i < v->n; i++) {
        const struct evidence *e = &v->item[i];
        bool text = e->level >= LEVEL_PHRASES, best_text = best && best->level >= LEVEL_PHRASES;

        if (e->aside || e->level == LEVEL_NONE || (best_text && !text))
            continue;
        if (!best || (text && !best_text) || (e->level == LEVEL_ALTERED && best->level == LEVEL_DECLARED)) {
            best = e;
            *several = false;
        } else if (best->level == LEVEL_ALTERED && e->level == LEVEL_DECLARED) {
            continue;
        } else if (!e->license || !best->license || !agree(e->license, best->license)) {
            *several = true;
        } else if (e->level > best->level || strcmp(best->license->id, "openrail") == 0 ||
                   (e->level == best->level && e->place == PLACE_FILE && best->place != PLACE_FILE)) {
            best = e;
        }
    }
    return best;
}

static void conclude(struct licensing *l)
{
    bool several;
    const struct evidence *e = decisive(&l->evidence, &several);

    l->decisive = e;
    l->level = e ? e->level : LEVEL_NONE;
    if (!e)
        l->verdict = VERDICT_UNKNOWN;
    else if (e->level == LEVEL_ALTERED)
        l->altered = e->license;
    else if (!several)
        l->license = e->license;
    if (e && (l->nconflicts || several))
        l->verdict = l->altered && l->nconflicts == 1 ? VERDICT_ALTERED : VERDICT_CONFLICT;
    else if (e)
        l->verdict = e->level == LEVEL_EXACT ? VERDICT_TEXT : e->level == LEVEL_PHRASES ? VERDICT_PHRASES : VERDICT_DECLARED;
    for (size_t i = 0; i < l->evidence.n && !l->declared; i++)
        if (l->evidence.item[i].tag && *l->evidence.item[i].tag && !l->evidence.item[i].aside)
            l->declared = l->evidence.item[i].tag;
}

/* ---- obligations ---- */

static void oblige(struct licensing *l, const struct license *license, const char *because, enum license_sure sure, bool own)
{
    for (size_t i = 0; i < l->nobligations; i++)
        if (l->obligation[i].license == license) {
            l->obligation[i].own |= own;
            return;
        }
    if (license && l->nobligations < MOST_OBLIGATIONS)
        l->obligation[l->nobligations++] = (struct obligation){ license, because, sure, own };
}

static int strictest_first(const void *a, const void *b)
{
    const struct obligation *x = a, *y = b;
    int d = license_weight(y->license) - license_weight(x->license);

    return d ? d : strcmp(x->license->id, y->license->id);
}

/* "apache-2.0,mit", "Apache-2.0 OR MIT": each of them is a candidate. */
static void oblige_all(struct licensing *l, const struct evidence *e, struct arena *a)
{
    char *rest = arena_strdup(a, e->says);

    for (char *word; (word = strsep(&rest, ", ()")) != NULL; )
        oblige(l, *word ? license_named(word) : NULL, e->where, LICENSE_CONFIRMED, true);
}

static void find_obligations(struct licensing *l, struct arena *a)
{
    const struct evidence_list *v = &l->evidence;

    l->obligation = arena_array(a, struct obligation, MOST_OBLIGATIONS);
    for (int level = LEVEL_EXACT; level > LEVEL_NONE; level--)
        for (size_t i = 0; i < v->n; i++) {
            const struct evidence *e = &v->item[i];

            /* a tag that a text overrules counts where it is stricter */
            if (e->license && !e->aside && (int)e->level == level &&
                (!l->license || e->license == l->license || license_weight(e->license) > license_weight(l->license)))
                oblige(l, e->license, e->where, LICENSE_CONFIRMED, true);
            for (size_t k = 0; e->text && !e->aside && e->level == LEVEL_ALTERED && !e->license && k < e->text->nfindings; k++)
                oblige(l, e->text->finding[k].license, e->where, LICENSE_CONFIRMED, true);
        }
    for (size_t i = 0; i < v->n && !l->license; i++)
        if (v->item[i].says && !v->item[i].license && !v->item[i].aside)
            oblige_all(l, &v->item[i], a);
    for (size_t i = 0; i < v->nparents; i++)
        if (v->parent[i].license)
            oblige(l, v->parent[i].license, arena_printf(a, "base model %s", v->parent[i].id), v->parent[i].sure, false);
    if (!l->nobligations && v->repository) {
        enum license_sure sure = LICENSE_UNCONFIRMED;
        const char *source = NULL;
        const struct license *known = license_of_repository(v->repository, &sure, &source);

        oblige(l, known, arena_printf(a, "the repository %s: %s", v->repository, known ? source : ""), sure, true);
    }
    if (l->nobligations)
        qsort(l->obligation, l->nobligations, sizeof *l->obligation, strictest_first);
}

/* What a model declares for itself does not lift what its parents ask for. */
static void compare_parents(struct licensing *l, struct arena *a)
{
    for (size_t i = 0; l->license && i < l->evidence.nparents; i++) {
        const struct parent *p = &l->evidence.parent[i];

        if (p->license && !agree(p->license, l->license) && license_weight(p->license) > license_weight(l->license))
            add_conflict(l, a, arena_printf(a, "%s, but the base model %s is under %s (%s), whose terms go along with it",
                                            testimony(l->decisive, a), p->id, p->license->id, license_sure_word(p->sure)));
    }
}

/* ---- what has to go along ---- */

static const struct evidence *find_part(const struct evidence_list *v, const struct license *license, const char *part)
{
    for (size_t i = 0; i < v->n; i++)
        for (size_t k = 0; v->item[i].text && k < v->item[i].text->nfindings; k++) {
            const struct text_finding *f = &v->item[i].text->finding[k];

            if (f->license == license && strcmp(f->part, part) == 0 && (f->match == TEXT_EXACT || f->match == TEXT_PHRASES || strcmp(part, "notice") == 0))
                return &v->item[i];
        }
    return NULL;
}

/* A file that holds the line of a notice, word for word; where a license has no line of its own, any notice file. */
static const struct evidence *find_notice(const struct evidence_list *v, const struct license *license, struct arena *a)
{
    for (size_t i = 0; i < v->n; i++) {
        const struct evidence *e = &v->item[i];
        struct license_words w;

        if (!e->bytes || e->level >= LEVEL_ALTERED)      /* the license itself quotes the line */
            continue;
        if (!license->notice && strcasestr(e->where, "notice"))
            return e;
        license_words_of(&w, e->bytes, e->nbytes, a);
        if (license->notice && license_words_find(&w, license->notice, 0) != SIZE_MAX)
            return e;
    }
    return NULL;
}

static const struct evidence *find_policy(const struct evidence_list *v, const struct license *license)
{
    const struct evidence *e = find_part(v, license, "policy");

    for (size_t i = 0; i < v->n && !e; i++)
        if (strcasestr(v->item[i].where, "policy") && (!v->item[i].license || v->item[i].license == license))
            e = &v->item[i];
    return e;
}

static void find_duties(struct licensing *l, struct arena *a)
{
    l->duty = arena_array(a, struct duty, MOST_DUTIES);
    for (size_t i = 0; i < l->nobligations; i++)
        for (unsigned bit = SHIP_TEXT; bit <= SHIP_ATTRIBUTION; bit <<= 1) {
            const struct license *license = l->obligation[i].license;
            const struct evidence *e = bit == SHIP_TEXT ? find_part(&l->evidence, license, "license")
                                       : bit == SHIP_NOTICE ? find_notice(&l->evidence, license, a)
                                       : bit == SHIP_POLICY ? find_policy(&l->evidence, license) : NULL;

            if ((license->ship & bit) && l->nduties < MOST_DUTIES)
                l->duty[l->nduties++] = (struct duty){ license, bit, bit > SHIP_POLICY ? ANSWER_UNKNOWN : e ? ANSWER_YES : ANSWER_NO,
                                                       e ? e->where : NULL };
        }
}

/* ---- names ---- */

/* Does `name` begin with `prefix`, whatever stands between letters and digits? The licensor's own "Meta-Llama-3" does. */
static bool begins(const char *name, const char *prefix)
{
    if (strncasecmp(name, "meta-", 5) == 0 || strncasecmp(name, "meta ", 5) == 0)
        name += 5;
    for (;; prefix++) {
        while (*prefix && !isalnum((unsigned char)*prefix))
            prefix++;
        while (*name && !isalnum((unsigned char)*name))
            name++;
        if (!*prefix || tolower((unsigned char)*name) != tolower((unsigned char)*prefix))
            return !*prefix;
        name++;
    }
}

static void check_names(struct licensing *l, const char *const *names, size_t n, struct arena *a)
{
    l->naming = arena_array(a, struct naming, l->nobligations);
    for (size_t i = 0; i < l->nobligations; i++) {
        const struct license *license = l->obligation[i].license;
        struct naming *r = &l->naming[l->nnamings];

        if (!license->prefix)
            continue;
        *r = (struct naming){ .license = license, .obeys = ANSWER_UNKNOWN };
        for (size_t k = 0; k < n; k++)
            if (names[k] && *names[k] && r->obeys != ANSWER_NO) {
                r->name = names[k];
                r->obeys = begins(names[k], license->prefix) ? ANSWER_YES : ANSWER_NO;
            }
        l->nnamings++;
    }
}

bool licensing_name_obeys(const struct license *license, const char *name)
{
    return !license->prefix || begins(name, license->prefix);
}

/* ---- parents that lie on this machine ---- */

static void read_all(const struct evidence_source *s, struct licensing *l, int *budget, struct arena *a);

/* Where a parent is: a path that its child's configuration names, or a snapshot in the hub's cache. NULL: not here. */
static const char *find_parent(const char *id, const char *dir, struct arena *a)
{
    const char *beside = *id == '/' ? id : path_join(a, dir, id), *name = arena_printf(a, "hf:%s", id);
    struct store_item item = {0};
    struct fail none = {0};

    if (path_is_dir(beside) && !path_same(beside, dir))
        return beside;
    return strchr(id, '/') && *id != '.' && *id != '/' && store_find(name, a, &item, &none) == 0 ? item.path : NULL;
}

/* What a parent's own files say counts more than the name of its repository; its parents are the model's as well. */
static void follow_parents(struct licensing *l, const char *dir, int *budget, struct arena *a)
{
    size_t n = l->evidence.nparents;

    for (size_t i = 0; i < n && *budget > 0; i++) {
        const char *path = find_parent(l->evidence.parent[i].id, dir, a);
        struct evidence_source s = { .path = path };
        struct licensing p = {0};

        if (!path)
            continue;
        --*budget;
        read_all(&s, &p, budget, a);
        if (p.license) {
            struct parent *mine = &l->evidence.parent[i];

            mine->license = p.license;
            mine->sure = p.level >= LEVEL_PHRASES ? LICENSE_CONFIRMED : LICENSE_SECONDARY;
            mine->source = arena_printf(a, "its %s on this machine", p.decisive->where);
        }
        for (size_t k = 0; k < p.evidence.nparents; k++) {
            p.evidence.parent[k].from = arena_printf(a, "%s of %s", p.evidence.parent[k].from, l->evidence.parent[i].id);
            evidence_add_parent(&l->evidence, &p.evidence.parent[k], a);
        }
    }
}

static void read_all(const struct evidence_source *s, struct licensing *l, int *budget, struct arena *a)
{
    *l = (struct licensing){0};
    evidence_gather(s, &l->evidence, a);
    find_conflicts(l, a);
    conclude(l);
    follow_parents(l, path_is_dir(s->path) ? s->path : path_dir(a, s->path), budget, a);
}

void licensing_of(const struct evidence_source *s, const char *const *names, size_t n, struct licensing *l, struct arena *a)
{
    int budget = 32;            /* ancestors: configurations may name each other in circles */

    read_all(s, l, &budget, a);
    compare_parents(l, a);
    if (l->nconflicts && l->verdict < VERDICT_ALTERED)
        l->verdict = VERDICT_CONFLICT;
    find_obligations(l, a);
    find_duties(l, a);
    check_names(l, names, n, a);
}

/* ---- words ---- */

const char *verdict_word(enum verdict v)
{
    static const char *const words[] = { "text", "phrases", "declared", "altered", "conflict", "not determined" };

    return words[v];
}

const char *evidence_place_word(enum evidence_place p)
{
    static const char *const words[] = { "gguf_keys", "model_card", "gate", "file", "safetensors_header", "license_layer" };

    return words[p];
}

const char *evidence_level_word(enum evidence_level l)
{
    static const char *const words[] = { "none", "declared", "altered", "phrases", "exact" };

    return words[l];
}

const char *duty_what(unsigned ship)
{
    switch (ship) {
    case SHIP_TEXT: return "the license text";
    case SHIP_NOTICE: return "a notice file";
    case SHIP_POLICY: return "the use policy";
    case SHIP_CHANGES: return "a statement that files were modified";
    case SHIP_FLOW_DOWN: return "the use restrictions, as a clause of your own terms";
    default: return "copyright lines and attribution";
    }
}
