/* hyper.c - the hyperparameters of a model, from its metadata: stream.h. */
#include "verify/stream.h"

#include <math.h>
#include <string.h>

static const char *key_of(struct stream *s, const char *key)
{
    return arena_printf(&s->arena, "%s.%s", s->family, key);
}

static double number(struct stream *s, const char *key, double fallback)
{
    return meta_f64(&s->model->meta, key_of(s, key), fallback);
}

/* A whole number from 1 to MAX_LENGTH; absent: `fallback`, and 0 as fallback means that the key is required. */
static int read_length(struct stream *s, const char *key, size_t fallback, size_t *out, struct fail *f)
{
    const char *name = key_of(s, key);
    const struct meta_value *v = meta_get(&s->model->meta, name);
    uint64_t n = meta_u64(&s->model->meta, name, v ? 0 : fallback);

    if (!v && !fallback)
        return fail(f, FAIL_INPUT, "the metadata lacks '%s'", name);
    if (v && v->type == META_ARRAY)
        return fail(f, FAIL_INPUT, "'%s' differs from layer to layer, which the forward pass does not support", name);
    if (n < 1 || n > MAX_LENGTH)
        return fail(f, FAIL_INPUT, "'%s' must be a whole number from 1 to %d", name, MAX_LENGTH);
    *out = n;
    return 0;
}

/* The header's window, the config's where the format could not carry it, or the family's. */
static int read_window(struct stream *s, struct fail *f)
{
    const char *key = key_of(s, "attention.sliding_window");
    const struct meta_value *which = meta_get(&s->model->hints, key_of(s, "attention.sliding_window_pattern"));

    s->window = meta_u64(&s->model->meta, key, meta_u64(&s->model->hints, key, s->block.window));
    if (!which)
        return 0;
    if (which->type != META_ARRAY || which->a.type != META_BOOL || which->a.n != s->layers)
        return fail(f, FAIL_INPUT, "which of %zu layers have a window is not said of each", s->layers);
    s->windowed = which->a.items;
    return 0;
}

static int read_attention(struct stream *s, struct fail *f)
{
    struct attention *a = &s->attention;
    size_t width = s->length[WIDTH];

    if (read_length(s, "attention.head_count", 0, &a->heads, f) != 0 ||
        read_length(s, "attention.head_count_kv", a->heads, &a->kv_heads, f) != 0)
        return -1;
    if (a->heads % a->kv_heads != 0)
        return fail(f, FAIL_INPUT, "%zu heads cannot share %zu key and value heads evenly", a->heads, a->kv_heads);
    if (width % a->heads != 0 && !meta_get(&s->model->meta, key_of(s, "attention.key_length")))
        return fail(f, FAIL_INPUT, "a width of %zu does not divide into %zu heads", width, a->heads);
    if (read_length(s, "attention.key_length", width / a->heads, &a->key, f) != 0 ||
        read_length(s, "attention.value_length", width / a->heads, &a->value, f) != 0)
        return -1;
    if (a->heads * a->key > MAX_LENGTH || a->heads * a->value > MAX_LENGTH)
        return fail(f, FAIL_INPUT, "%zu heads of %zu and %zu numbers are too many", a->heads, a->key, a->value);
    a->context = s->context;
    if (read_window(s, f) != 0)
        return -1;
    a->scale = (float)number(s, "attention.output_scale", 1 / sqrt((double)(s->layers == s->block.wide_scale_layers ? width / a->heads : a->key)));
    s->clamp = (float)number(s, "attention.clamp_kqv", 0);
    a->softcap = (float)number(s, "attn_logit_softcapping", 0);
    s->softcap = (float)number(s, "final_logit_softcapping", 0);
    if (!(a->softcap >= 0 && s->softcap >= 0 && s->clamp >= 0))
        return fail(f, FAIL_INPUT, "a cap under '%s' is negative", s->family);
    s->length[HEAD] = a->key;
    s->length[QUERY] = a->heads * a->key;
    s->length[KEY] = a->kv_heads * a->key;
    s->length[VALUE] = a->kv_heads * a->value;
    s->length[QUERY_KEY] = s->length[QUERY] + s->length[KEY];
    s->length[QKV] = s->length[QUERY_KEY] + s->length[VALUE];
    s->length[MIXED] = a->heads * a->value;
    s->length[HIDDEN_2] = 2 * s->length[HIDDEN];
    if (s->block.has & HAS_ALIBI)
        a->slope = op_alibi_slopes(a->heads, &s->arena);
    return 0;
}

/* Queries far behind the trained context are scaled up, as Llama 4 does: by 1 + beta log(1 + floor(position / context)). */
static void read_temperature(struct stream *s)
{
    double beta = number(s, "attention.temperature_scale", 0);

    if (beta == 0 || !isfinite(beta))
        return;
    s->temperature = arena_array(&s->arena, float, s->longest);
    for (size_t p = 0; p < s->longest; p++)
        s->temperature[p] = (float)(1 + beta * log(1 + floor((double)p / s->rope.original_context)));
}

/* YaRN's temperature as a factor of cosine and sine (transformers: attention_factor). What yarn_attn_factor says replaces it, and
 * the attn_factor that stands beside it is for readers that do not know that key. */
static double magnitude(struct stream *s, const struct rope *r)
{
    double all_dimensions = number(s, "rope.scaling.yarn_log_multiplier", 0), log_factor = 0.1 * log(fmax(r->factor, 1));
    double attention = number(s, "rope.scaling.attn_factor", 1);

    if (!r->yarn)
        return attention;
    return number(s, "rope.scaling.yarn_attn_factor", attention * (1 + log_factor) / (1 + all_dimensions * log_factor));
}

/* A model that scales dynamically (transformers' name) has another base for all positions of a sequence that is longer than it was
 * trained for. No GGUF says so. */
static double dynamic_base(struct stream *s, const struct rope *r)
{
    double factor = meta_f64(&s->model->hints, key_of(s, "rope.scaling.dynamic_factor"), 0);
    double over = (double)s->longest / number(s, "context_length", (double)s->longest), rot = (double)r->rot;

    return factor > 0 && over > 1 && rot > 2 ? r->base * pow(factor * over - (factor - 1), rot / (rot - 2)) : r->base;
}

static int read_rope(struct stream *s, struct fail *f)
{
    struct rope *r = &s->rope;
    const char *type = meta_str(&s->model->meta, key_of(s, "rope.scaling.type"), "linear");

    if (read_length(s, "rope.dimension_count", s->attention.key, &r->rot, f) != 0)
        return -1;
    if (r->rot % 2 != 0 || r->rot > s->attention.key)
        return fail(f, FAIL_INPUT, "%zu numbers of a head of %zu cannot turn in pairs", r->rot, s->attention.key);
    r->base = number(s, "rope.freq_base", 10000);
    r->base = dynamic_base(s, r);
    r->factor = strcmp(type, "none") == 0 ? 1 : number(s, "rope.scaling.factor", number(s, "rope.scale_linear", 1));
    r->factor = r->factor == 0 ? 1 : r->factor;         /* GGUF's 0: no scaling */
    r->original_context = number(s, "rope.scaling.original_context_length", number(s, "context_length", (double)s->longest));
    r->beta_fast = number(s, "rope.scaling.yarn_beta_fast", 32);
    r->beta_slow = number(s, "rope.scaling.yarn_beta_slow", 1);
    r->yarn = strcmp(type, "yarn") == 0;
    r->magnitude = magnitude(s, r);
    if (!r->yarn && strcmp(type, "none") != 0 && strcmp(type, "linear") != 0 && strcmp(type, "longrope") != 0)
        return fail(f, FAIL_INPUT, "rope scaling of type '%s' is not supported", type);
    if (!(r->base > 0 && r->factor > 0 && r->original_context > 0 && r->beta_fast > 0 && r->beta_slow > 0 &&
          isfinite(r->base + r->factor + r->magnitude)))
        return fail(f, FAIL_INPUT, "the numbers under '%s' make no sense", key_of(s, "rope"));
    s->window_rope = *r;
    if (meta_get(&s->model->meta, key_of(s, "rope.freq_base_swa")) || s->block.window_rope_base > 0)
        s->window_rope = (struct rope){ .rot = r->rot, .base = number(s, "rope.freq_base_swa", (double)s->block.window_rope_base),
                                        .factor = 1, .magnitude = 1 };
    if (!(s->window_rope.base > 0 && isfinite(s->window_rope.base)))
        return fail(f, FAIL_INPUT, "'%s' makes no sense", key_of(s, "rope.freq_base_swa"));
    read_temperature(s);
    return 0;
}

/* Written only where it is not the family's own. */
static int read_activation(struct stream *s, struct fail *f)
{
    const char *name = meta_str(&s->model->meta, key_of(s, "hidden_activation"), "");
    int act = act_named(name);

    if (act < 0)
        return fail(f, FAIL_INPUT, "'%s' is '%s', which is not known", key_of(s, "hidden_activation"), name);
    s->block.act = (enum act_kind)act;
    return 0;
}

/* Of a mixture; without the key for their number there are none. */
static int read_experts(struct stream *s, struct fail *f)
{
    if (meta_u64(&s->model->meta, key_of(s, "expert_count"), 0) == 0)
        return 0;
    s->block.has |= HAS_EXPERTS;
    if (read_length(s, "expert_count", 0, &s->length[EXPERTS], f) != 0 ||
        read_length(s, "expert_used_count", 0, &s->experts_used, f) != 0 ||
        read_length(s, "expert_feed_forward_length", s->length[HIDDEN], &s->length[EXPERT_HIDDEN], f) != 0)
        return -1;
    if (s->experts_used > s->length[EXPERTS])
        return fail(f, FAIL_INPUT, "of %zu experts %zu cannot be used", s->length[EXPERTS], s->experts_used);
    return s->block.has & HAS_SHARED_EXPERT ? read_length(s, "expert_shared_feed_forward_length", 0, &s->length[SHARED_HIDDEN], f) : 0;
}

int stream_read_hyperparameters(struct stream *s, struct fail *f)
{
    static const char *const eps_keys[] = {
        [NORM_RMS] = "attention.layer_norm_rms_epsilon", [NORM_LAYER] = "attention.layer_norm_epsilon",
    };
    const struct arch *arch;

    s->family = meta_str(&s->model->meta, "general.architecture", "");
    arch = arch_named(s->family);
    if (!arch)
        return fail(f, FAIL_INPUT, "there is no forward pass for models of architecture '%s'", s->family);
    if (arch->encoder && !s->encoder) {
        fail(f, FAIL_INPUT, "'%s' is an encoder: it makes vectors of texts, and predicts no next token", s->family);
        return fail_hint(f, "'bantam embed' runs it, and 'bantam verify' compares two of them");
    }
    if (s->encoder && !arch->encoder)
        return fail(f, FAIL_INPUT, "'%s' is no encoder: it predicts the next token, and makes no vectors of texts", s->family);
    s->block = arch->block;
    s->eps = (float)number(s, eps_keys[s->block.norm], -1);
    if (!(s->eps >= 0))
        return fail(f, FAIL_INPUT, "the metadata lacks '%s'", key_of(s, eps_keys[s->block.norm]));
    s->length[ONE] = 1;
    if (meta_str(&s->model->meta, key_of(s, "hidden_activation"), NULL) && read_activation(s, f) != 0)
        return -1;
    if (read_length(s, "block_count", 0, &s->layers, f) != 0 || read_length(s, "embedding_length", 0, &s->length[WIDTH], f) != 0 ||
        read_length(s, "feed_forward_length", 0, &s->length[HIDDEN], f) != 0 || read_attention(s, f) != 0 ||
        read_experts(s, f) != 0)
        return -1;
    s->embedding_scale = (float)number(s, "embedding_scale", s->block.has & HAS_EMBEDDING_SCALE ? sqrt((double)s->length[WIDTH]) : 1);
    s->logit_scale = (float)number(s, "logit_scale", 1);
    return s->block.rope == ROPE_NONE ? 0 : read_rope(s, f);
}
