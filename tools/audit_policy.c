/* audit_policy.c - reads a policy and holds licenses against it. */
#include "tools/audit_policy.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

enum { MOST_REASONS = 64 };

/* ---- reading ---- */

static int read_flag(const cJSON *item, bool *out, struct fail *f)
{
    *out = cJSON_IsTrue(item);
    return cJSON_IsBool(item) ? 0 : fail(f, FAIL_INPUT, "'%s' is true or false", item->string);
}

static int read_regions(const cJSON *item, unsigned *out, struct fail *f)
{
    static const char *const codes[] = { "EU", "GB", "KR" };
    const cJSON *one = cJSON_IsArray(item) ? item->child : item;

    for (; one; one = cJSON_IsArray(item) ? one->next : NULL) {
        if (!cJSON_IsString(one))
            return fail(f, FAIL_INPUT, "'%s' is a region such as \"EU\", or a list of them", item->string);
        for (unsigned i = 0; i < 3; i++)
            *out |= strcasecmp(one->valuestring, codes[i]) == 0 ? 1u << i : 0;      /* elsewhere no known license excludes anything */
        *out |= strcasecmp(one->valuestring, "UK") == 0 ? REGION_UK : 0;
    }
    return 0;
}

static int read_level(const cJSON *item, enum evidence_level *out, struct fail *f)
{
    for (int i = LEVEL_NONE; i <= LEVEL_EXACT; i++)
        if (cJSON_IsString(item) && i != LEVEL_ALTERED && strcmp(item->valuestring, evidence_level_word((enum evidence_level)i)) == 0) {
            *out = (enum evidence_level)i;
            return 0;
        }
    return fail(f, FAIL_INPUT, "'%s' is \"exact\", \"phrases\", \"declared\" or \"none\"", item->string);
}

static int read_ids(const cJSON *item, const cJSON **out, struct fail *f)
{
    const cJSON *one;

    *out = item;
    if (!cJSON_IsArray(item))
        return fail(f, FAIL_INPUT, "'%s' is a list of license ids", item->string);
    cJSON_ArrayForEach(one, item)
        if (!cJSON_IsString(one) || !license_named(one->valuestring))
            return fail(f, FAIL_INPUT, "'%s' holds '%s', which is no license id that is known", item->string, cJSON_IsString(one) ? one->valuestring : "?"),
                   fail_hint(f, "'bantam help licenses' lists them");
    return 0;
}

static int read_figure(const cJSON *item, struct audit_policy *p, int i, struct fail *f)
{
    p->has[i] = true;
    return json_u64(item, &p->figure[i]) ? 0 : fail(f, FAIL_INPUT, "'%s' is a whole number", item->string);
}

static int read_key(const cJSON *item, struct audit_policy *p, struct fail *f)
{
    static const char *const figures[] = { "monthly_active_users", "annual_revenue_usd", "monthly_revenue_usd" };
    const struct {
        const char *name;
        bool *at;
    } flags[] = { { "commercial", &p->commercial }, { "train_on_outputs", &p->train_on_outputs }, { "allow_conflicts", &p->allow_conflicts },
                  { "require_files", &p->need_files }, { "require_names", &p->need_names }, { "require_base_models", &p->need_base_models },
                  { "allow_unknown_base_licenses", &p->allow_unknown_parents } };

    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (strcmp(item->string, flags[i].name) == 0)
            return read_flag(item, flags[i].at, f);
    for (int i = 0; i < 3; i++)
        if (strcmp(item->string, figures[i]) == 0)
            return read_figure(item, p, i, f);
    if (strcmp(item->string, "region") == 0)
        return read_regions(item, &p->regions, f);
    if (strcmp(item->string, "evidence") == 0)
        return read_level(item, &p->evidence, f);
    if (strcmp(item->string, "allowed") == 0 || strcmp(item->string, "denied") == 0)
        return read_ids(item, *item->string == 'a' ? &p->allowed : &p->denied, f);
    if (strcmp(item->string, "comment") == 0 || strcmp(item->string, "name") == 0) {
        p->name = strcmp(item->string, "name") == 0 && cJSON_IsString(item) ? item->valuestring : p->name;
        return 0;
    }
    fail(f, FAIL_INPUT, "there is no key '%s' in a policy", item->string);
    return fail_hint(f, "a key that is not understood would not be kept: docs/audit.md lists them");
}

int audit_policy_read(const char *path, struct audit_policy *p, struct arena *a, struct fail *f)
{
    cJSON *root = json_read(path, 1 << 20, a, f);
    const cJSON *item;

    *p = (struct audit_policy){ .evidence = LEVEL_DECLARED };
    if (root && !cJSON_IsObject(root))
        fail(f, FAIL_INPUT, "a policy is a JSON object");
    for (item = root && !failed(f) ? root->child : NULL; item; item = item->next)
        if (read_key(item, p, f))
            break;
    return failed(f) ? fail_in(f, path) : 0;
}

/* ---- judging ---- */

struct judgment {
    const struct audit_policy *policy;
    const struct licensing *l;
    const char **reason;
    size_t n;
    struct arena *a;
};

static void object(struct judgment *j, const char *reason)
{
    for (size_t i = 0; i < j->n; i++)
        if (strcmp(j->reason[i], reason) == 0)
            return;
    if (j->n < MOST_REASONS)
        j->reason[j->n++] = reason;
}

static bool holds(const cJSON *list, const struct license *k)
{
    const cJSON *one;

    cJSON_ArrayForEach(one, list)
        if (license_named(one->valuestring) == k)
            return true;
    return false;
}

static void judge_evidence(struct judgment *j)
{
    const struct licensing *l = j->l;

    if (!l->license && j->policy->evidence > LEVEL_NONE)
        object(j, l->altered ? arena_printf(j->a, "the license is not determined: %s is an altered text of %s", l->decisive->where, l->altered->id)
                             : "the license is not determined");
    else if (l->license && l->level < j->policy->evidence)
        object(j, arena_printf(j->a, "evidence of the license is '%s', '%s' is asked for", evidence_level_word(l->level), evidence_level_word(j->policy->evidence)));
    for (size_t i = 0; i < l->nconflicts && !j->policy->allow_conflicts; i++)
        object(j, l->conflict[i]);
    if (j->policy->need_base_models && !l->evidence.nparents)
        object(j, "nothing says what the model was made from");
    for (size_t i = 0; i < l->evidence.nparents && !j->policy->allow_unknown_parents; i++)
        if (!l->evidence.parent[i].license)
            object(j, arena_printf(j->a, "the license of the base model %s is not known", l->evidence.parent[i].id));
}

/* A threshold that shows a name only is kept by showing it. Above the others, or not knowing, is no. */
static void judge_threshold(struct judgment *j, const struct license *k, const struct license_threshold *t)
{
    int i = (int)t->measure - MEASURE_MONTHLY_USERS;

    if (t->effect == EFFECT_SHOW)
        return;
    if (!j->policy->has[i])
        object(j, arena_printf(j->a, "%s: the policy does not say the %s, which decide", k->id, license_measure_word(t->measure)));
    else if (j->policy->figure[i] > t->above)
        object(j, arena_printf(j->a, "%s: %s", k->id, license_threshold_text(t, j->a)));
}

static void judge_use(struct judgment *j, const struct license *k)
{
    if (k->commercial == LICENSE_USE_NO)
        object(j, arena_printf(j->a, "%s does not allow commercial use", k->id));
    else if (k->commercial == LICENSE_USE_UNKNOWN)
        object(j, arena_printf(j->a, "%s: nothing is confirmed about commercial use", k->id));
    else if (k->commercial == LICENSE_USE_CONDITIONAL && !k->threshold[0].measure)
        object(j, arena_printf(j->a, "%s allows commercial use on conditions only", k->id));
    for (size_t i = 0; i < 2 && k->threshold[i].measure; i++)
        judge_threshold(j, k, &k->threshold[i]);
}

static void judge_region(struct judgment *j, const struct license *k)
{
    unsigned hit = k->excluded & j->policy->regions;
    enum answer senses = j->l->evidence.multimodal;

    if (!hit || (k->excluded_multimodal && senses == ANSWER_NO))
        return;
    object(j, arena_printf(j->a, "%s %s %s%s%s", k->id, k->excluded_multimodal && senses == ANSWER_UNKNOWN ? "may exclude" : "excludes",
                           hit & REGION_EU ? "the EU " : "", hit & REGION_UK ? "the UK " : "", hit & REGION_KR ? "South Korea" : ""));
}

static void judge_license(struct judgment *j, const struct obligation *o)
{
    const struct license *k = o->license;

    if (j->policy->allowed && !holds(j->policy->allowed, k))
        object(j, arena_printf(j->a, "%s (%s) is not among the allowed licenses", k->id, o->because));
    if (holds(j->policy->denied, k))
        object(j, arena_printf(j->a, "%s (%s) is denied", k->id, o->because));
    if (j->policy->commercial)
        judge_use(j, k);
    judge_region(j, k);
    if (j->policy->train_on_outputs && (k->outputs == OUTPUTS_NO_TRAINING || k->outputs == OUTPUTS_RESEARCH || k->outputs == OUTPUTS_UNKNOWN))
        object(j, arena_printf(j->a, "%s: outputs may not train other models, or it is not known that they may", k->id));
}

const char **audit_reasons(const struct audit_policy *p, const struct licensing *l, size_t *n, struct arena *a)
{
    struct judgment j = { p, l, arena_array(a, const char *, MOST_REASONS), 0, a };

    judge_evidence(&j);
    for (size_t i = 0; i < l->nobligations; i++)
        judge_license(&j, &l->obligation[i]);
    if (l->evidence.gate_eu && (p->regions & REGION_EU))
        object(&j, "its gate is closed to the EU");
    for (size_t i = 0; i < l->nduties && p->need_files; i++)
        if (l->duty[i].present == ANSWER_NO)
            object(&j, arena_printf(a, "%s of %s is missing beside the model", duty_what(l->duty[i].ship), l->duty[i].license->id));
    for (size_t i = 0; i < l->nnamings && p->need_names; i++)
        if (l->naming[i].obeys == ANSWER_NO)
            object(&j, arena_printf(a, "the name '%s' does not begin with \"%s\"", l->naming[i].name, l->naming[i].license->prefix));
    *n = j.n;
    return j.reason;
}
