/* license.c - the table of licenses, and the repositories that are known to be under one. */
#include "formats/license.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#define SAID(topic, text) { TOPIC_##topic, text, LICENSE_CONFIRMED }
#define TOLD(topic, text) { TOPIC_##topic, text, LICENSE_SECONDARY }
#define READ_AS(topic, text) { TOPIC_##topic, text, LICENSE_READING }
#define OPEN(topic, text) { TOPIC_##topic, text, LICENSE_UNCONFIRMED }
#define FACTS(...) (const struct license_fact[]){ __VA_ARGS__, { TOPICS, NULL, LICENSE_CONFIRMED } }

static const struct license table[] = {
#include "formats/licenses.def"
};

size_t license_count(void)
{
    return sizeof table / sizeof *table;
}

const struct license *license_at(size_t i)
{
    return &table[i];
}

static bool in_list(const char *list, const char *word, size_t n)
{
    for (const char *p = list; p && *p; p += strcspn(p, "|"), p += *p == '|')
        if (strcspn(p, "|") == n && strncasecmp(p, word, n) == 0)
            return true;
    return false;
}

static bool is_named(const struct license *l, const char *id, size_t n)
{
    static const char ref[] = "LicenseRef-scancode-";
    size_t nref = sizeof ref - 1;

    return (strlen(l->id) == n && strncasecmp(l->id, id, n) == 0) || in_list(l->aliases, id, n) || in_list(l->spdx, id, n) ||
           in_list(l->name, id, n) || (l->ref && n > nref && strncasecmp(id, ref, nref) == 0 && in_list(l->ref, id + nref, n - nref));
}

const struct license *license_named(const char *id)
{
    size_t n = strlen(id);

    for (size_t i = 0; i < license_count(); i++)
        if (is_named(&table[i], id, n))
            return &table[i];
    return NULL;
}

/* Names of repositories as patterns. The license follows from the release that the name says, so far as the facts page lists it:
 * where a text or card was read CONFIRMED, where others report it SECONDARY, where the name alone says it READING. */
static const struct repository {
    const char *pattern, *license;
    enum license_sure sure;
    const char *source;
} repositories[] = {
    { "meta-llama/llama-2-*", "llama2", LICENSE_READING, "the name of the release" },
    { "meta-llama/meta-llama-3-*", "llama3", LICENSE_READING, "the name of the release" },
    { "meta-llama/meta-llama-3.1-*", "llama3.1", LICENSE_READING, "the name of the release" },
    { "meta-llama/llama-3.1-*", "llama3.1", LICENSE_READING, "the name of the release" },
    { "meta-llama/llama-3.2-*", "llama3.2", LICENSE_READING, "the name of the release" },
    { "meta-llama/llama-3.3-*", "llama3.3", LICENSE_READING, "the name of the release" },
    { "meta-llama/llama-4-*", "llama4", LICENSE_READING, "the name of the release" },
    { "google/gemma-[1237]*", "gemma", LICENSE_READING, "the name of the release: Gemma 1 to 3" },
    { "google/gemma-4-*", "apache-2.0", LICENSE_SECONDARY, "a dated reading of 2026-08-25" },
    { "qwen/qwen-7b*", "tongyi-qianwen", LICENSE_CONFIRMED, "QwenLM/Qwen" },
    { "qwen/qwen-72b*", "tongyi-qianwen", LICENSE_CONFIRMED, "QwenLM/Qwen" },
    { "qwen/qwen2-72b*", "tongyi-qianwen", LICENSE_CONFIRMED, "the card of Qwen/Qwen2-72B" },
    { "qwen/qwen2.5-72b*", "qwen", LICENSE_CONFIRMED, "ScanCode qwen-2024" },
    { "qwen/qwen2.5-3b*", "qwen-research", LICENSE_CONFIRMED, "Qwen/Qwen2.5-3B LICENSE" },
    { "qwen/qwen2-0.5b*", "apache-2.0", LICENSE_CONFIRMED, "the Qwen team in discussion 1 of Qwen/Qwen2-72B" },
    { "qwen/qwen2-1.5b*", "apache-2.0", LICENSE_CONFIRMED, "the Qwen team in discussion 1 of Qwen/Qwen2-72B" },
    { "qwen/qwen2-7b*", "apache-2.0", LICENSE_CONFIRMED, "the Qwen team in discussion 1 of Qwen/Qwen2-72B" },
    { "qwen/qwen3-*", "apache-2.0", LICENSE_SECONDARY, "a license catalogue of 2026-09-24" },
    { "mistralai/mistral-7b-*", "apache-2.0", LICENSE_CONFIRMED, "cards of mistralai" },
    { "mistralai/mixtral-8x*", "apache-2.0", LICENSE_CONFIRMED, "the card of mistralai/Mixtral-8x7B-v0.1" },
    { "mistralai/codestral-22b-*", "mnpl", LICENSE_CONFIRMED, "the card of Codestral 22B" },
    { "mistralai/mistral-large-instruct-24*", "mrl", LICENSE_CONFIRMED, "cards that link MRL-0.1" },
    { "mistralai/ministral-8b-instruct-2410", "mrl", LICENSE_SECONDARY, "a license audit of 2026-07-27" },
    { "mistralai/ministral-3-*-2512", "apache-2.0", LICENSE_SECONDARY, "a license audit of 2026-07-27" },
    { "mistralai/pixtral-large-*", "mrl", LICENSE_CONFIRMED, "cards that link MRL-0.1" },
    { "mistralai/mistral-small-instruct-2409", "mrl", LICENSE_CONFIRMED, "cards that link MRL-0.1" },
    { "mistralai/mistral-small-3*", "apache-2.0", LICENSE_SECONDARY, "a license audit of 2026-07-27" },
    { "mistralai/devstral-2-123b*", "mistral-modified-mit", LICENSE_SECONDARY, "a license audit of 2026-07-27" },
    { "mistralai/devstral-small-2*", "apache-2.0", LICENSE_SECONDARY, "a license audit of 2026-07-27" },
    { "databricks/dbrx-*", "databricks-open-model-license", LICENSE_CONFIRMED, "the card of databricks/dbrx-instruct" },
    { "xai-org/grok-1", "apache-2.0", LICENSE_CONFIRMED, "xai-org/grok-1 README" },
    { "xai-org/grok-2", "grok2-community", LICENSE_CONFIRMED, "xai-org/grok-2 LICENSE" },
    { "bigscience/bloom*", "bigscience-bloom-rail-1.0", LICENSE_CONFIRMED, "ScanCode bigscience-rail-1.0" },
    { "bigcode/starcoder*", "bigcode-openrail-m", LICENSE_CONFIRMED, "ScanCode bigcode-open-rail-m-v1" },
    { "deepseek-ai/deepseek-r1", "mit", LICENSE_SECONDARY, "a license catalogue of 2026-09-24" },
    { "deepseek-ai/deepseek-v3-0324", "mit", LICENSE_SECONDARY, "a license catalogue of 2026-09-24" },
    { "deepseek-ai/deepseek-v3", "deepseek", LICENSE_CONFIRMED, "deepseek-ai/DeepSeek-V3 LICENSE-MODEL" },
    { "deepseek-ai/deepseek-llm-*", "deepseek", LICENSE_CONFIRMED, "cards of deepseek-ai" },
    { "deepseek-ai/deepseek-coder-*", "deepseek", LICENSE_CONFIRMED, "cards of deepseek-ai" },
    { "microsoft/phi-2", "mit", LICENSE_CONFIRMED, "the card of microsoft/phi-2 since January 2024" },
    { "microsoft/phi-4", "mit", LICENSE_CONFIRMED, "the license layer of a Phi-4 copy" },
    { "allenai/olmo-2-1124-*", "apache-2.0", LICENSE_CONFIRMED, "the card of allenai/OLMo-2-1124-7B" },
    { "cerebras/cerebras-gpt-*", "apache-2.0", LICENSE_CONFIRMED, "the card of cerebras/Cerebras-GPT-13B" },
    { "coherefor*/c4ai-command-r*", "cc-by-nc-4.0", LICENSE_CONFIRMED, "cards of its derivatives" },
    { "cohere*/aya-*", "cc-by-nc-4.0", LICENSE_CONFIRMED, "cards of its derivatives" },
    { "tiiuae/falcon-40b*", "apache-2.0", LICENSE_CONFIRMED, "tiiuae/falcon-40b commit b046281" },
    { "tiiuae/falcon-7b*", "apache-2.0", LICENSE_CONFIRMED, "tiiuae/falcon-40b commit b046281" },
    { "tiiuae/falcon-180b*", "falcon-180b", LICENSE_CONFIRMED, "tiiuae/falcon-180b-license" },
    { "tiiuae/falcon-11b*", "falcon-2-11b", LICENSE_CONFIRMED, "ScanCode falcon-2-11b-1.0" },
    { "writer/palmyra-med-70b*", "writer-open-model-license", LICENSE_CONFIRMED, "cards of Writer" },
    { "writer/palmyra-fin-70b*", "writer-open-model-license", LICENSE_CONFIRMED, "cards of Writer" },
    { "writer/palmyra-creative*", "writer-open-model-license", LICENSE_CONFIRMED, "cards of Writer" },
    { "writer/palmyra-base", "apache-2.0", LICENSE_CONFIRMED, "cards of Writer" },
    { "writer/palmyra-small", "apache-2.0", LICENSE_CONFIRMED, "cards of Writer" },
    { "moonshotai/kimi-k2-*", "kimi-k2", LICENSE_CONFIRMED, "MoonshotAI/Kimi-K2 LICENSE" },
    { "black-forest-labs/flux.1-dev", "flux-1-dev-non-commercial-license", LICENSE_CONFIRMED, "black-forest-labs/flux LICENSE-FLUX1-dev" },
    { "lgai-exaone/exaone-3.5-*", "exaone", LICENSE_CONFIRMED, "LG-AI-EXAONE/EXAONE-3.5 LICENSE" },
};

const struct license *license_of_repository(const char *id, enum license_sure *sure, const char **source)
{
    for (size_t i = 0; i < sizeof repositories / sizeof *repositories; i++)
        if (fnmatch(repositories[i].pattern, id, FNM_CASEFOLD) == 0) {
            *sure = repositories[i].sure;
            *source = repositories[i].source;
            return license_named(repositories[i].license);
        }
    return NULL;
}

/* Commercial use first, then where it is excluded, then thresholds, outputs, and what has to be done. */
int license_weight(const struct license *l)
{
    static const int use[] = { [LICENSE_USE_UNKNOWN] = 3, [LICENSE_USE_YES] = 0, [LICENSE_USE_CONDITIONAL] = 2, [LICENSE_USE_NO] = 4 };
    int w = 1000 * use[l->commercial];

    w += l->excluded ? l->excluded_multimodal ? 200 : 400 : 0;
    w += l->threshold[0].measure ? 100 : 0;
    w += l->outputs >= OUTPUTS_NO_TRAINING ? 60 : l->outputs >= OUTPUTS_BOUND ? 40 : l->outputs == OUTPUTS_SHOW ? 20 : 0;
    return w + (l->prefix ? 8 : 0) + (l->show ? 4 : 0) + __builtin_popcount(l->ship);
}

const char *license_use_word(enum license_use u)
{
    static const char *const words[] = { "unknown", "yes", "conditional", "no" };

    return words[u];
}

const char *license_sure_word(enum license_sure s)
{
    static const char *const words[] = { "confirmed", "secondary", "reading", "unconfirmed" };

    return words[s];
}

const char *license_topic_word(enum license_topic t)
{
    static const char *const words[] = { "commercial", "threshold", "ship", "show", "name", "use_policy", "outputs", "region", "patents",
                                         "termination", "other" };

    return words[t];
}

const char *license_measure_word(enum license_measure m)
{
    static const char *const words[] = { "none", "monthly_active_users", "annual_revenue_usd", "monthly_revenue_usd" };

    return words[m];
}

const char *license_effect_word(enum license_effect e)
{
    static const char *const words[] = { "ask_for_a_license", "rights_end", "no_rights", "show_the_name" };

    return words[e];
}

const char *license_outputs_word(enum license_outputs o)
{
    static const char *const words[] = { "unknown", "not_mentioned", "free", "no_claim", "training_with_name_or_display", "bound_by_use_restrictions",
                                         "research_only", "no_training_of_other_models" };

    return words[o];
}

const char *license_threshold_text(const struct license_threshold *t, struct arena *a)
{
    static const char *const what[] = { "", "monthly active users", "US dollars of annual revenue", "US dollars of monthly revenue" };
    static const char *const effect[] = { "no rights until the licensor grants a license", "all rights end", "no rights at all", "the name must be shown" };

    return arena_printf(a, "above %" PRIu64 " million %s%s%s (%s): %s", t->above / 1000000, what[t->measure], t->date ? ", as of " : "",
                        t->date ? t->date : "", t->window, effect[t->effect]);
}
