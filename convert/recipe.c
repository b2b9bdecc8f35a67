/* recipe.c - which encoding each tensor gets, by the tables of mixes.c.
 *
 * Facts from llama.cpp (October 2026): src/llama-quant.cpp for what rules ask and what is kept, conversion/base.py for what a converter
 * leaves in F32.
 *
 * A recipe is a base encoding and a list of rules {which tensors, which layers, conditions, encoding}. Three lists are
 * walked, first match wins: rules that go before every mix, the recipe's own, and those that come last. Tensors are
 * visited layer by layer and in byte order of their names, whatever their order in the file, because some rules count.
 * (With --keep-split llama-quantize goes by the order in the file, where blk.10 may well come before blk.2.) */
#include "convert/mixes.h"

#include "convert/arch.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <inttypes.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- names. '^' and '$' anchor a pattern; otherwise it may stand anywhere ---- */
static const struct { const char *pattern; enum category category; } categories[] = {
    { "^output.weight$", OUTPUT },
    { "^token_embd.weight$", TOKEN_EMBD },
    { "^per_layer_token_embd.weight$", TOKEN_EMBD },
    { "attn_qkv.weight", ATTN_V },
    { "attn_kv_b.weight", ATTN_V },
    { "attn_v.weight", ATTN_V },
    { "attn_k.weight", ATTN_K },
    { "attn_q.weight", ATTN_Q },
    { "attn_output.weight", ATTN_OUT },
    { "ffn_up", FFN_UP },
    { "ffn_gate", FFN_GATE },
    { "ffn_down", FFN_DOWN },
    { "attn_q_a", LATENT_Q },
    { "attn_q_b", LATENT_Q },
    { "nextn.eh_proj", LATENT_Q },
};

/* Never quantized, beside tensors of one dimension and those not called "...weight". */
static const struct { const char *pattern; unsigned when; } kept[] = {
    { "_norm.weight", 0 }, { "ffn_gate_inp.weight", 0 }, { "ffn_gate_tid2eid.weight", 0 }, { "altup", 0 },
    { "laurel", 0 }, { "per_layer_model_proj", 0 }, { "^position_embd.weight$", 0 }, { "^token_types.weight$", 0 },
    { "ssm_conv1d", 0 }, { "shortconv.conv.weight", 0 }, { "indexer.k_proj.weight", 0 }, { "indexer.q_proj.weight", 0 },
    { "time_mix_first.weight", 0 }, { "time_mix_w0.weight", 0 }, { "time_mix_w1.weight", 0 },
    { "time_mix_w2.weight", 0 }, { "time_mix_v0.weight", 0 }, { "time_mix_v1.weight", 0 },
    { "time_mix_v2.weight", 0 }, { "time_mix_a0.weight", 0 }, { "time_mix_a1.weight", 0 },
    { "time_mix_a2.weight", 0 }, { "time_mix_g1.weight", 0 }, { "time_mix_g2.weight", 0 },
    { "time_mix_decay_w1.weight", 0 }, { "time_mix_decay_w2.weight", 0 }, { "time_mix_lerp_fused.weight", 0 },
    { "attn_rel_b.weight", 0 }, { ".position_embd", 0 }, { "sam.pos_embd", 0 }, { "sam.neck.", 0 },
    { "sam.net_", 0 }, { ".rel_pos", 0 }, { ".patch_embd", 0 }, { ".patch_merger", 0 }, { "a.rvq.codebook", 0 },
    { "mm.a.code_embd", 0 },
    { "hc_", GLM5_NEXT }, { "indexer.attn_q_b", GLM5_NEXT }, { "indexer.attn_k", GLM5_NEXT },
    { "indexer.proj", GLM5_NEXT }, { "indexer_compressor_gate", GLM5_NEXT }, { "indexer_compressor_ape", GLM5_NEXT },
    { "ssm_f_a.weight", GLM5_NEXT }, { "ssm_f_b.weight", GLM5_NEXT }, { "ssm_g_a.weight", GLM5_NEXT },
    { "ssm_g_b.weight", GLM5_NEXT }, { "ssm_beta.weight", GLM5_NEXT }, { "attn_kv_a_mqa.weight", GLM5_NEXT },
    { "attn_k_b.weight", GLM5_NEXT }, { "attn_v_b.weight", GLM5_NEXT },
};

/* F32 in every converted file, beside tensors of one dimension and those not called "....weight". */
#define ROUTER ".ffn_gate_inp.weight$"
static const char *const converted_f32[] = {
    "_norm.weight$", ROUTER, ".ffn_gate_inp_shexp.weight$", "^position_embd.weight$",
    "^token_types.weight$", ".ssm_conv1d.weight$", ".shortconv.conv.weight$", ".time_mix_first.weight$",
    ".time_mix_w1.weight$", ".time_mix_w2.weight$", ".time_mix_decay_w1.weight$", ".time_mix_decay_w2.weight$",
    ".time_mix_lerp_fused.weight$", ".norm1.weight$", ".norm2.weight$", "^v.position_embd.weight$",
    "^a.position_embd.weight$", ".altup_correct_coef.weight$", ".altup_predict_coef.weight$", ".ssm_conv1d_q.weight$",
    ".ssm_conv1d_k.weight$", ".ssm_conv1d_v.weight$", ".indexer.proj.weight$",
};

/* What takes the place of an encoding that the rows do not fit; F16 where this does not fit either. */
static const struct { const char *type, *instead; } fallbacks[] = {
    { "iq1_s", "iq4_nl" }, { "iq1_m", "iq4_nl" }, { "iq2_xxs", "iq4_nl" }, { "iq2_xs", "iq4_nl" }, { "iq2_s", "iq4_nl" },
    { "iq3_xxs", "iq4_nl" }, { "iq3_s", "iq4_nl" }, { "iq4_xs", "iq4_nl" }, { "q2_0", "q4_0" }, { "q2_k", "q4_0" },
    { "q3_k", "q4_0" }, { "tq1_0", "q4_0" }, { "tq2_0", "q4_0" }, { "q4_k", "q5_0" }, { "q5_k", "q5_1" }, { "q6_k", "q8_0" },
};

/* Garbage without an importance matrix, says llama-quantize; the output and embedding matrices are exempt. */
static const struct { const char *type, *recipe; } needs_weight[] = {
    { "iq3_xxs", NULL }, { "iq2_xxs", NULL }, { "iq2_xs", NULL }, { "iq2_s", NULL }, { "iq1_m", NULL }, { "iq1_s", NULL },
    { "q2_k", "Q2_K_S" },
};

static const struct { const char *arch; uint64_t layers; bool grouped; } size_70b[] = {
    { "llama", 80, true }, { "deci", 80, false }, { "jais2", 68, false }, { "olmo", 80, false }, { "qwen2", 80, false },
};

#define COUNT(a) (sizeof (a) / sizeof *(a))

static bool name_matches(const char *name, const char *pattern)
{
    bool head = *pattern == '^';
    const char *text = pattern + head;
    size_t n = strlen(text), length = strlen(name);
    bool tail = n && text[n - 1] == '$';

    n -= tail;
    if (n > length || (head && tail && n != length))
        return false;
    if (head)
        return memcmp(name, text, n) == 0;
    if (tail)
        return memcmp(name + length - n, text, n) == 0;
    return strstr(name, text) != NULL;
}

bool recipe_is_outtype(const struct recipe *r)
{
    return r->base && (r->traits & CONVERTER);
}

bool recipe_is_general(const struct recipe *r)
{
    return r->base && !recipe_named(r->about) &&
           (name_matches(r->base, "_k$") || name_matches(r->base, "^iq") || name_matches(r->base, "^q8_0$"));
}

static enum category find_category(const char *name)
{
    for (size_t i = 0; i < COUNT(categories); i++)
        if (name_matches(name, categories[i].pattern))
            return categories[i].category;
    return OTHER;
}

/* ---- what the rules ask about the model ---- */
struct pattern {
    pcre2_code *code;
};

struct choosing {
    const struct recipe *recipe;
    const struct recipe_options *options;
    const struct model *model;
    const struct qtype *base;           /* NULL: each as its source */
    struct pattern *pattern;            /* of options->override */
    unsigned facts;                     /* GQA4 ... FEW_BITS; STACKED and MISFIT are a tensor's */
    bool tied;                          /* no output.weight: the embeddings serve as one */
    uint64_t nexperts, nlayers;
    uint64_t total_attn_v;              /* attn_v is counted against its own number, the others against nlayers */
    uint64_t met[CATEGORIES];
};

/* A per-layer key of the architecture, which may be a number or an array: its first item. */
static uint64_t arch_u64(const struct meta *meta, const char *arch, const char *suffix, uint64_t fallback)
{
    char key[256];

    if ((size_t)snprintf(key, sizeof key, "%s.%s", arch, suffix) >= sizeof key)
        return fallback;
    const struct meta_value *v = meta_get(meta, key);
    if (!v || v->type != META_ARRAY)
        return meta_u64(meta, key, fallback);
    if (v->a.n == 0 || meta_type_bytes(v->a.type) == 0)
        return fallback;
    return (uint64_t)meta_array_i64(&v->a, 0);
}

static bool is_70b(const char *arch, uint64_t layers, bool grouped)
{
    for (size_t i = 0; i < COUNT(size_70b); i++)
        if (strcmp(arch, size_70b[i].arch) == 0)
            return layers == size_70b[i].layers && (grouped || !size_70b[i].grouped);
    return false;
}

static void learn_model(struct choosing *c)
{
    const struct meta *meta = c->options->meta ? c->options->meta : &c->model->meta;
    const char *arch = meta_str(meta, "general.architecture", "");
    uint64_t heads = arch_u64(meta, arch, "attention.head_count", 0);
    uint64_t kv_heads = arch_u64(meta, arch, "attention.head_count_kv", heads);
    uint64_t group = kv_heads ? heads / kv_heads : 0;

    c->nlayers = arch_u64(meta, arch, "block_count", 0);
    c->nexperts = arch_u64(meta, arch, "expert_count", 0);
    c->facts = c->recipe->traits | (c->options->has_imatrix ? IMATRIX : 0) | (group >= 4 ? GQA4 : 0) |
               (group >= 4 || c->nexperts >= 4 ? SPARSE4 : 0) | (c->nexperts == 8 ? EXPERTS8 : 0) |
               (strcmp(arch, "falcon") == 0 ? FALCON : 0) | (strcmp(arch, "glm5-next") == 0 ? GLM5_NEXT : 0) |
               (strcmp(arch, "bailingmoe3") == 0 ? BAILING3 : 0) |
               (is_70b(arch, c->nlayers, heads != kv_heads) ? LLM_70B : 0);
    c->tied = true;
    for (size_t i = 0; i < c->model->ntensors; i++) {
        enum category category = find_category(c->model->tensor[i].name);
        c->total_attn_v += category == ATTN_V;
        c->tied &= category != OUTPUT;
    }
}

/* Layer of "blk.N...."; -1 for other names. */
static int64_t layer_of(const char *name)
{
    int64_t layer = 0;
    const char *p = name + 4;

    if (strncmp(name, "blk.", 4) != 0 || *p < '0' || *p > '9')
        return -1;
    for (; *p >= '0' && *p <= '9' && layer < INT32_MAX; p++)
        layer = 10 * layer + (*p - '0');
    return layer;
}

/* Dimensions as ggml counts them: shape[] reversed, ones at the end dropped, at least one left. */
static int dimensions(const struct tensor *t)
{
    int leading = 0;

    while (leading < t->rank - 1 && t->shape[leading] == 1)
        leading++;
    return t->rank - leading;
}

static bool may_quantize(const struct choosing *c, const struct tensor *t)
{
    if (dimensions(t) < 2 || !name_matches(t->name, "weight$"))
        return false;
    if (c->options->leave_output && strcmp(t->name, "output.weight") == 0)
        return false;
    for (size_t i = 0; i < COUNT(kept); i++)
        if ((c->facts & kept[i].when) == kept[i].when && name_matches(t->name, kept[i].pattern))
            return false;
    return true;
}

/* ---- the rules ---- */
static bool layer_matches(const struct choosing *c, enum category category, enum rule_layers layers, uint64_t layer)
{
    uint64_t met = c->met[category];
    uint64_t n = category == ATTN_V ? c->total_attn_v : c->nlayers;
    uint64_t eighth = n / 8, last = 7 * n / 8;

    switch (layers) {
    case ALL:
        return true;
    case FIRST_2:
        return met < 2;
    case FIRST_4:
        return met < 4;
    case FIRST_8TH:
        return layer < eighth;
    case FIRST_16TH:
        return layer < n / 16;
    case MET_8TH:
        return met < eighth;
    case MIDDLE:
        return layer >= eighth && layer < last;
    case MORE_BITS:
        return layer < eighth || layer >= last || (layer - eighth) % 3 == 2;
    }
    return false;
}

static const char *first_match(const struct choosing *c, const struct recipe_rule *rule, enum category category,
                               uint64_t layer, unsigned facts)
{
    for (; rule->type; rule++)
        if ((rule->category == ANY || rule->category == category) && (facts & rule->when) == rule->when &&
            (facts & rule->unless) == 0 && layer_matches(c, category, rule->layers, layer))
            return rule->type;
    return NULL;
}

static int missing_type(const char *name, const char *tensor, struct fail *f)
{
    return fail(f, FAIL_USAGE, "tensor '%s' should be %s, which this build cannot encode", tensor, name);
}

/* What the mix gives to one tensor; also moves the counters on. NULL: see *f. */
static const struct qtype *choose_by_rules(struct choosing *c, const struct tensor *t, enum category category, struct fail *f)
{
    const struct recipe_rule *lists[3] = { mixes_before, c->recipe->rules, mixes_after };
    bool by_name = c->nexperts > 1 && (category == FFN_DOWN || category == FFN_GATE || category == FFN_UP) &&
                   !(c->facts & FEW_BITS);
    uint64_t layer = by_name ? (uint64_t)layer_of(t->name) : c->met[category];
    unsigned facts = c->facts | (dimensions(t) > 2 ? STACKED : 0) |
                     (tensor_row(t) % (uint64_t)c->base->block ? MISFIT : 0);
    const char *name = NULL;

    if (by_name && layer >= c->nlayers) {       /* layer_of() gave -1: no layer at all */
        fail(f, FAIL_INPUT, "tensor '%s' belongs to none of the model's %" PRIu64 " layers", t->name, c->nlayers);
        return NULL;
    }
    for (size_t i = 0; i < 3 && !name; i++)
        name = first_match(c, lists[i], category, layer, facts);
    c->met[category]++;
    const struct qtype *type = name ? qtype_named(name) : c->base;
    if (!type)
        missing_type(name, t->name, f);
    return type;
}

static const struct qtype *find_override(const struct choosing *c, const char *name)
{
    const struct qtype *found = NULL;
    pcre2_match_data *match = pcre2_match_data_create(1, NULL);

    for (size_t i = 0; i < c->options->noverrides && !found; i++)
        if (pcre2_match(c->pattern[i].code, (PCRE2_SPTR)name, PCRE2_ZERO_TERMINATED, 0, 0, match, NULL) >= 0)
            found = c->options->override[i].type;
    pcre2_match_data_free(match);
    return found;
}

/* What the user asked for this tensor; NULL: nothing. (llama-quantize drops --tensor-type when the base is a float.) */
static const struct qtype *choose_as_told(const struct choosing *c, const struct tensor *t, enum category category)
{
    const struct recipe_options *o = c->options;
    const struct qtype *override = find_override(c, t->name);
    bool by_layer = strcmp(t->name, "per_layer_token_embd.weight") == 0;    /* large enough to be named on its own */

    if (o->embedding_type && category == TOKEN_EMBD && !(by_layer && override))
        return o->embedding_type;
    if (o->output_type && category == OUTPUT)
        return o->output_type;
    return override;
}

static const struct qtype *choose_by_recipe(struct choosing *c, const struct tensor *t, enum category category, struct fail *f)
{
    if (c->options->pure || c->base->block == 1)
        return c->base;
    if (category == TOKEN_EMBD && c->tied) {
        if (c->options->output_type)
            return c->options->output_type;
        category = OUTPUT;
    }
    return choose_by_rules(c, t, category, f);
}

/* ---- rows that do not fit ---- */
static const struct qtype *fit(const struct tensor *t, const struct qtype *type, struct fail *f)
{
    uint64_t row = tensor_row(t);
    const char *name = NULL;

    if (row % (uint64_t)type->block == 0)
        return type;
    for (size_t i = 0; i < COUNT(fallbacks) && !name; i++)
        if (strcmp(fallbacks[i].type, type->name) == 0)
            name = fallbacks[i].instead;
    if (!name && type->block <= 32)     /* no smaller block to go to */
        name = type->name;
    if (!name) {
        fail(f, FAIL_INPUT, "tensor '%s' has rows of %" PRIu64 " weights, %s takes multiples of %d, and no other encoding stands in"
             " for it", t->name, row, type->label, type->block);
        fail_hint(f, "choose another type, or one for this tensor: --tensor-type '%s=TYPE'", t->name);
        return NULL;
    }
    const struct qtype *instead = qtype_named(name);
    if (!instead)
        missing_type(name, t->name, f);
    return instead && row % (uint64_t)instead->block ? qtype_named("f16") : instead;
}

/* ---- what a converter does ---- */
static bool is_float(const struct qtype *type)
{
    return strcmp(type->name, "f32") == 0 || strcmp(type->name, "f16") == 0 || strcmp(type->name, "bf16") == 0;
}

/* `m`: of the canonical model. */
static bool stays_f32(const struct meta *m, const struct tensor *t)
{
    const struct arch *arch = arch_named(meta_str(m, "general.architecture", ""));

    if (t->rank <= 1 || !name_matches(t->name, ".weight$"))
        return true;
    for (size_t i = 0; i < COUNT(converted_f32); i++)
        if (name_matches(t->name, converted_f32[i]))
            return !(arch && arch->typed_router && name_matches(t->name, ROUTER));
    return false;
}

/* `base` NULL: as the source, which F64 and other types that are no weights of GGUF are not. */
static const struct qtype *choose_converted(const struct meta *m, const struct tensor *t, const struct qtype *base)
{
    if (stays_f32(m, t) || (!base && !is_float(t->type) && t->type->block == 1))
        return qtype_named("f32");
    return base ? base : t->type;
}

/* ---- together ---- */
static bool is_converted_first(const struct model *m)
{
    return m->format && strcmp(m->format->name, "gguf") != 0;
}

/* What the tensor's type is when llama-quantize sees it: a model that is not GGUF is converted first. */
static const struct qtype *type_before(const struct model *m, const struct tensor *t)
{
    return is_converted_first(m) ? choose_converted(&m->meta, t, NULL) : t->type;
}

static int check_choice(const struct choosing *c, const struct tensor *t, const struct qtype *type, struct fail *f)
{
    const struct recipe_options *o = c->options;

    if (type == t->type)
        return 0;
    if (t->type->block > 1 && !o->allow_requantize) {
        fail(f, FAIL_INPUT, "tensor '%s' is already quantized (%s), and quantizing it again to %s loses more than quantizing the"
             " original would", t->name, t->type->label, type->label);
        return fail_hint(f, "start from the unquantized model, or give --allow-requantize");
    }
    if (!t->type->decode)
        return fail(f, FAIL_INPUT, "tensor '%s' is %s, which cannot be decoded", t->name, t->type->label);
    if (!type->encode)
        return missing_type(type->label, t->name, f);
    bool needed = recipe_needs_weight(c->recipe, t->name, type) || type->needs_weight;
    if (needed && !o->has_imatrix && !o->dry_run) {
        fail(f, FAIL_USAGE, "tensor '%s' cannot be quantized to %s without an importance matrix", t->name, type->label);
        return fail_hint(f, "give one with --imatrix FILE, or choose a larger type");
    }
    return 0;
}

static int choose_one(struct choosing *c, const struct tensor *t, struct recipe_choice *choice, struct fail *f)
{
    const struct meta *meta = c->options->meta ? c->options->meta : &c->model->meta;
    bool convert = c->options->as_converted && (c->recipe->traits & CONVERTER);
    bool free = convert ? !stays_f32(meta, t) : (c->base || (c->recipe->traits & CONVERTER)) && may_quantize(c, t);
    enum category category = find_category(t->name);
    const struct qtype *wanted = free ? choose_as_told(c, t, category) : NULL, *type;

    if (!wanted && convert)
        wanted = choose_converted(meta, t, c->base);
    else if (!wanted && free && c->base)
        wanted = choose_by_recipe(c, t, category, f);
    else if (!wanted)
        wanted = type_before(c->model, t);
    type = wanted && wanted != t->type ? fit(t, wanted, f) : wanted;
    if (!type || check_choice(c, t, type, f) != 0)
        return -1;
    choice->type = type;
    choice->instead_of = type != wanted ? wanted : NULL;
    return 0;
}

static int by_layer_and_name(const void *a, const void *b, void *ctx)
{
    const struct model *m = ((const struct choosing *)ctx)->model;
    const char *x = m->tensor[*(const size_t *)a].name, *y = m->tensor[*(const size_t *)b].name;
    int64_t i = layer_of(x), j = layer_of(y);

    return i != j ? (i > j) - (i < j) : strcmp(x, y);
}

static int choose_all(struct choosing *c, struct recipe_choice *choice, struct arena *scratch, struct fail *f)
{
    const struct model *m = c->model;
    size_t *order = arena_array(scratch, size_t, m->ntensors);

    for (size_t i = 0; i < m->ntensors; i++)
        order[i] = i;
    if (!c->options->in_file_order || is_converted_first(m))
        qsort_r(order, m->ntensors, sizeof *order, by_layer_and_name, c);
    for (size_t i = 0; i < m->ntensors; i++)
        if (choose_one(c, &m->tensor[order[i]], &choice[order[i]], f) != 0)
            return -1;
    return 0;
}

/* Tensor names are lower case, and llama-quantize lowers its patterns, so case is ignored. */
static int compile_patterns(struct choosing *c, struct fail *f)
{
    const struct recipe_options *o = c->options;

    for (size_t i = 0; i < o->noverrides; i++) {
        int error;
        PCRE2_SIZE at;
        c->pattern[i].code = pcre2_compile((PCRE2_SPTR)o->override[i].pattern, PCRE2_ZERO_TERMINATED, PCRE2_CASELESS, &error,
                                           &at, NULL);
        if (!c->pattern[i].code) {
            PCRE2_UCHAR why[120];
            pcre2_get_error_message(error, why, sizeof why);
            return fail(f, FAIL_USAGE, "pattern '%s' is no regular expression: %s at character %zu", o->override[i].pattern,
                        (const char *)why, at + 1);
        }
    }
    return 0;
}

int recipe_choose(const struct recipe *recipe, const struct model *m, const struct recipe_options *options,
                  struct recipe_choice *choice, struct fail *f)
{
    struct arena scratch = {0};
    struct choosing c = { .recipe = recipe, .options = options, .model = m };
    int bad;

    if (recipe->base && !(c.base = qtype_named(recipe->base)))
        return fail(f, FAIL_USAGE, "type %s needs the encoding %s, which this build does not have", recipe->name, recipe->base);
    c.pattern = arena_array(&scratch, struct pattern, options->noverrides);
    learn_model(&c);
    bad = compile_patterns(&c, f);
    if (bad == 0)
        bad = choose_all(&c, choice, &scratch, f);
    for (size_t i = 0; i < options->noverrides; i++)
        pcre2_code_free(c.pattern[i].code);
    arena_release(&scratch);
    return bad;
}

bool recipe_needs_weight(const struct recipe *recipe, const char *tensor_name, const struct qtype *type)
{
    enum category category = find_category(tensor_name);

    if (category == OUTPUT || category == TOKEN_EMBD)
        return false;
    for (size_t i = 0; i < COUNT(needs_weight); i++)
        if (strcmp(type->name, needs_weight[i].type) == 0)
            return !needs_weight[i].recipe || strcmp(recipe->name, needs_weight[i].recipe) == 0;
    return false;
}

static uint32_t file_type_of(const struct qtype *type)
{
    for (size_t i = 0; i < recipe_count(); i++)
        if (recipe_at(i)->base && strcmp(recipe_at(i)->base, type->name) == 0)
            return recipe_at(i)->file_type;
    return 0;
}

uint32_t recipe_file_type(const struct recipe *recipe, const struct model *m, const struct recipe_choice *choice)
{
    if (recipe->base)
        return recipe->file_type;
    if (meta_get(&m->meta, "general.file_type"))
        return (uint32_t)meta_u64(&m->meta, "general.file_type", 0);
    for (size_t i = 0; i < m->ntensors; i++)
        if (dimensions(&m->tensor[i]) > 1 && strcmp(choice[i].type->name, "f32") != 0)
            return file_type_of(choice[i].type);
    return 0;
}
