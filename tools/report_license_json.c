/* report_license_json.c - the license report for scripts. */
#include "tools/report_license.h"

#include <string.h>

static cJSON *places_json(const struct text_place *p, size_t n)
{
    cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; i < n; i++) {
        cJSON *o = cJSON_CreateObject();

        cJSON_AddItemToObject(o, "line", json_whole(p[i].line));
        json_add_text(o, "text", p[i].excerpt);
        cJSON_AddItemToArray(list, o);
    }
    return list;
}

static double rounded(double similarity)
{
    return (double)(int64_t)(similarity * 10000 + 0.5) / 10000;
}

static cJSON *finding_json(const struct text_finding *f)
{
    static const char *const matches[] = { "exact", "phrases", "altered", "named" };
    cJSON *o = cJSON_CreateObject();

    json_add_text(o, "license", f->license->id);
    json_add_text(o, "part", f->part);
    if (*f->revision)
        json_add_text(o, "revision", f->revision);
    json_add_text(o, "match", matches[f->match]);
    cJSON_AddNumberToObject(o, "similarity", rounded(f->similarity));
    cJSON_AddItemToObject(o, "line", json_whole(f->line));
    cJSON_AddItemToObject(o, "words", json_whole(f->nwords));
    if (f->match == TEXT_ALTERED) {
        cJSON_AddItemToObject(o, "changes", places_json(f->place, f->nplaces));
        cJSON_AddItemToObject(o, "missing_clauses", json_whole(f->missing));
    }
    return o;
}

static void add_text_report(cJSON *o, const struct text_report *t)
{
    cJSON *list = cJSON_AddArrayToObject(o, "texts");

    cJSON_AddItemToObject(o, "words", json_whole(t->nwords));
    for (size_t i = 0; i < t->nfindings; i++)
        cJSON_AddItemToArray(list, finding_json(&t->finding[i]));
    list = cJSON_AddArrayToObject(o, "nearest");
    for (size_t i = 0; i < t->nnear; i++) {
        cJSON *near = cJSON_CreateObject();

        json_add_text(near, "license", t->near[i].license->id);
        cJSON_AddNumberToObject(near, "similarity", rounded(t->near[i].similarity));
        cJSON_AddItemToArray(list, near);
    }
    cJSON_AddItemToObject(o, "additional_words", json_whole(t->extra));
    cJSON_AddItemToObject(o, "additions", places_json(t->addition, t->nadditions));
}

static cJSON *evidence_json(const struct licensing *l)
{
    cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; i < l->evidence.n; i++) {
        const struct evidence *e = &l->evidence.item[i];
        cJSON *o = cJSON_CreateObject();

        json_add_text(o, "place", evidence_place_word(e->place));
        json_add_text(o, "path", e->where);
        json_add_text(o, "field", e->field);
        json_add_text(o, "says", e->says);
        json_add_text(o, "license", e->license ? e->license->id : NULL);
        json_add_text(o, "level", evidence_level_word(e->level));
        if (e->text)
            add_text_report(o, e->text);
        json_add_text(o, "note", e->note);
        cJSON_AddItemToArray(list, o);
    }
    return list;
}

static cJSON *marked(const char *text, enum license_sure sure, const char *source)
{
    cJSON *o = cJSON_CreateObject();

    json_add_text(o, "text", text);
    json_add_text(o, "mark", license_sure_word(sure));
    cJSON_AddBoolToObject(o, "confirmed", sure == LICENSE_CONFIRMED);
    json_add_text(o, "source", source);
    return o;
}

static cJSON *thresholds_json(const struct license *k, struct arena *a)
{
    cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; i < 2 && k->threshold[i].measure; i++) {
        const struct license_threshold *t = &k->threshold[i];
        cJSON *o = marked(license_threshold_text(t, a), t->sure, k->source);

        json_add_text(o, "measure", license_measure_word(t->measure));
        cJSON_AddItemToObject(o, "above", json_whole(t->above));
        json_add_text(o, "as_of", t->date);
        json_add_text(o, "window", t->window);
        json_add_text(o, "effect", license_effect_word(t->effect));
        cJSON_AddItemToArray(list, o);
    }
    return list;
}

static cJSON *ship_json(const struct licensing *l, const struct license *k)
{
    static const char *const states[] = { "not_checked", "missing", "present" };
    cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; i < l->nduties; i++) {
        const struct duty *d = &l->duty[i];
        cJSON *o;

        if (d->license != k)
            continue;
        o = cJSON_CreateObject();
        json_add_text(o, "what", duty_what(d->ship));
        json_add_text(o, "state", states[d->present]);
        json_add_text(o, "file", d->where);
        json_add_text(o, "line", d->ship == SHIP_NOTICE ? k->notice : NULL);
        json_add_text(o, "source", k->source);
        cJSON_AddItemToArray(list, o);
    }
    return list;
}

static cJSON *region_json(const struct licensing *l, const struct license *k, struct arena *a)
{
    static const char *const codes[] = { "EU", "GB", "KR" }, *const applies[] = { "unknown", "no", "yes" };
    cJSON *list = cJSON_CreateArray();

    (void)a;
    for (int i = 0; i < 3; i++)
        if (k->excluded & 1u << i) {
            cJSON *o = cJSON_CreateObject();

            json_add_text(o, "region", codes[i]);
            json_add_text(o, "condition", k->excluded_multimodal ? "multimodal models" : NULL);
            json_add_text(o, "applies", k->excluded_multimodal ? applies[l->evidence.multimodal] : "yes");
            cJSON_AddItemToArray(list, o);
        }
    return list;
}

static cJSON *name_json(const struct licensing *l, const struct license *k)
{
    for (size_t i = 0; i < l->nnamings; i++)
        if (l->naming[i].license == k) {
            cJSON *o = cJSON_CreateObject();

            json_add_text(o, "prefix", k->prefix);
            json_add_text(o, "name", l->naming[i].name);
            cJSON_AddItemToObject(o, "obeys", l->naming[i].obeys == ANSWER_UNKNOWN ? cJSON_CreateNull() : cJSON_CreateBool(l->naming[i].obeys == ANSWER_YES));
            return o;
        }
    return cJSON_CreateNull();
}

static cJSON *terms_json(const struct licensing *l, const struct license *k)
{
    struct arena a = {0};
    cJSON *o = cJSON_CreateObject(), *list;

    json_add_text(o, "commercial", license_use_word(k->commercial));
    cJSON_AddItemToObject(o, "thresholds", thresholds_json(k, &a));
    cJSON_AddItemToObject(o, "ship", ship_json(l, k));
    json_add_text(o, "show", k->show);
    cJSON_AddItemToObject(o, "name", name_json(l, k));
    json_add_text(o, "outputs", license_outputs_word(k->outputs));
    cJSON_AddItemToObject(o, "regions_excluded", region_json(l, k, &a));
    list = cJSON_AddArrayToObject(o, "facts");
    for (const struct license_fact *f = k->facts; f && f->text; f++) {
        cJSON *fact = marked(f->text, f->sure, k->source);

        json_add_text(fact, "topic", license_topic_word(f->topic));
        cJSON_AddItemToArray(list, fact);
    }
    json_add_text(o, "source", k->source);
    arena_release(&a);
    return o;
}

static cJSON *obligations_json(const struct licensing *l)
{
    cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; i < l->nobligations; i++) {
        cJSON *o = cJSON_CreateObject();

        json_add_text(o, "license", l->obligation[i].license->id);
        json_add_text(o, "because", l->obligation[i].because);
        json_add_text(o, "mark", license_sure_word(l->obligation[i].sure));
        cJSON_AddBoolToObject(o, "own", l->obligation[i].own);
        cJSON_AddItemToObject(o, "terms", terms_json(l, l->obligation[i].license));
        cJSON_AddItemToArray(list, o);
    }
    return list;
}

/* The license's own identifier on SPDX's list, else a LicenseRef where ScanCode has one. */
static const char *spdx_of(const struct license *k, struct arena *a)
{
    return k->spdx ? k->spdx : k->ref ? arena_printf(a, "LicenseRef-scancode-%s", k->ref) : NULL;
}

cJSON *license_json(const struct licensing *l)
{
    const struct license *k = l->license;
    struct arena a = {0};
    struct license_lines lines = license_lines_of(l, &a);
    cJSON *o = cJSON_CreateObject(), *list;

    json_add_text(o, "id", k ? k->id : NULL);
    json_add_text(o, "name", k ? k->name : NULL);
    json_add_text(o, "spdx", k ? spdx_of(k, &a) : NULL);
    json_add_text(o, "link", k ? k->link : NULL);
    json_add_text(o, "declared", l->declared);
    json_add_text(o, "altered_copy_of", l->altered ? l->altered->id : NULL);
    json_add_text(o, "verdict", verdict_word(l->verdict));
    json_add_text(o, "evidence_level", evidence_level_word(l->level));
    list = cJSON_AddArrayToObject(o, "summary");
    cJSON_AddItemToArray(list, json_text(lines.verdict, strlen(lines.verdict)));
    cJSON_AddItemToArray(list, json_text(lines.use, strlen(lines.use)));
    cJSON_AddItemToArray(list, json_text(lines.todo, strlen(lines.todo)));
    cJSON_AddItemToObject(o, "evidence", evidence_json(l));
    cJSON_AddItemToObject(o, "terms", k ? terms_json(l, k) : cJSON_CreateObject());
    cJSON_AddItemToObject(o, "obligations", obligations_json(l));
    list = cJSON_AddArrayToObject(o, "conflicts");
    for (size_t i = 0; i < l->nconflicts; i++)
        cJSON_AddItemToArray(list, json_text(l->conflict[i], strlen(l->conflict[i])));
    list = cJSON_AddArrayToObject(o, "missing");
    for (size_t i = 0; i < l->nduties; i++)
        if (l->duty[i].present == ANSWER_NO)
            cJSON_AddItemToArray(list, cJSON_CreateString(arena_printf(&a, "%s of %s", duty_what(l->duty[i].ship), l->duty[i].license->id)));
    json_add_text(o, "replaced", l->evidence.replaced);
    arena_release(&a);
    return o;
}

cJSON *base_models_json(const struct licensing *l)
{
    cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; i < l->evidence.nparents; i++) {
        const struct parent *p = &l->evidence.parent[i];
        cJSON *o = cJSON_CreateObject();
        const char *slash = strchr(p->id, '/');

        json_add_text(o, "id", p->id);
        json_add_text(o, "name", slash ? slash + 1 : p->id);
        cJSON_AddItemToObject(o, "organization", slash ? json_text(p->id, (uint64_t)(slash - p->id)) : cJSON_CreateNull());
        json_add_text(o, "relation", p->relation);
        json_add_text(o, "from", p->from);
        json_add_text(o, "license", p->license ? p->license->id : NULL);
        json_add_text(o, "mark", p->license ? license_sure_word(p->sure) : NULL);
        json_add_text(o, "source", p->license ? p->source : NULL);
        cJSON_AddItemToArray(list, o);
    }
    return list;
}
