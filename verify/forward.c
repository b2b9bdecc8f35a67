/* forward.c - the forward pass. Top to bottom: what a layer consists of, the hyperparameters, opening; then the network
 * itself, as the papers write it: embeddings, attention and mlp of each layer, logits. */
#include "verify/forward.h"

#include "convert/arch.h"
#include "verify/ops.h"
#include "verify/rows.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum {
    GROUP_TOKENS = 2048,            /* tokens that pass a layer together: whole chunks, at least one ... */
    GROUP_NBYTES = 256 << 20,       /* ... and no more than have room for their temporaries here */
    SLAB_NBYTES = 64 << 20,         /* decoded rows of one weight at a time, in whole panels, at least one */
    MAX_LENGTH = 1 << 24,           /* of any vector: far beyond any model, and products of two fit easily */
};

/* ---- what a layer consists of ---- */

/* y = w x + b, or a norm's gain w and bias b; of a matrix that is several in one, rows [first, first + rows). */
struct affine {
    const struct tensor *w, *b;     /* b: NULL if there is none */
    size_t first, rows;
    size_t expert;                  /* the matrix of a tensor of rank 3 */
};

/* Of experts, tensors of rank 3. */
struct mlp {
    struct affine gate, up, down;
};

struct layer {
    struct affine attn_norm, attn_norm_2, q, k, v, q_norm, k_norm, o, attn_post_norm;
    struct affine ffn_norm, ffn_post_norm, router, shared_gate;
    struct mlp mlp, experts, shared;
};

/* MIXED: what attention hands to o. */
enum length { NONE, ONE, WIDTH, QUERY, KEY, VALUE, QUERY_KEY, QKV, HEAD, MIXED, HIDDEN, HIDDEN_2, EXPERTS, EXPERT_HIDDEN, SHARED_HIDDEN,
              LENGTHS };
enum {
    NORM = 1,                       /* biased only by layer norm, and then always */
    GATED = 2,                      /* only in a gated mlp */
    OPTIONAL = 4,
    STACK = 8,                      /* of rank 3: `whole` rows for each expert */
};

static const struct part {
    const char *name;
    size_t at;                      /* offset of its struct affine in struct layer */
    enum length whole, width;       /* of the tensor; ONE row: a vector */
    enum length first, rows;        /* the portion that it is; NONE rows: all */
    unsigned with, without;         /* of enum block_part: families that have (not) these */
    unsigned flags;
} parts[] = {
#define AT(member) offsetof(struct layer, member)
    { "attn_norm", AT(attn_norm), ONE, WIDTH, NONE, NONE, 0, 0, NORM },
    { "attn_norm_2", AT(attn_norm_2), ONE, WIDTH, NONE, NONE, HAS_PARALLEL_MLP, 0, NORM | OPTIONAL },
    { "attn_q", AT(q), QUERY, WIDTH, NONE, NONE, 0, HAS_FUSED_QKV, 0 },
    { "attn_k", AT(k), KEY, WIDTH, NONE, NONE, 0, HAS_FUSED_QKV, 0 },
    { "attn_v", AT(v), VALUE, WIDTH, NONE, NONE, 0, HAS_FUSED_QKV, 0 },
    { "attn_qkv", AT(q), QKV, WIDTH, NONE, QUERY, HAS_FUSED_QKV, 0, 0 },
    { "attn_qkv", AT(k), QKV, WIDTH, QUERY, KEY, HAS_FUSED_QKV, 0, 0 },
    { "attn_qkv", AT(v), QKV, WIDTH, QUERY_KEY, VALUE, HAS_FUSED_QKV, 0, 0 },
    { "attn_q_norm", AT(q_norm), ONE, HEAD, NONE, NONE, HAS_QK_NORM, 0, NORM },
    { "attn_k_norm", AT(k_norm), ONE, HEAD, NONE, NONE, HAS_QK_NORM, 0, NORM },
    { "attn_output", AT(o), WIDTH, MIXED, NONE, NONE, 0, 0, 0 },
    { "post_attention_norm", AT(attn_post_norm), ONE, WIDTH, NONE, NONE, HAS_POST_NORMS, 0, NORM },
    { "attn_output_norm", AT(attn_post_norm), ONE, WIDTH, NONE, NONE, HAS_OUTPUT_NORMS, 0, NORM },
    { "ffn_norm", AT(ffn_norm), ONE, WIDTH, NONE, NONE, 0, HAS_PARALLEL_MLP | HAS_OUTPUT_NORM_FIRST, NORM },
    { "attn_output_norm", AT(ffn_norm), ONE, WIDTH, NONE, NONE, HAS_OUTPUT_NORM_FIRST, 0, NORM },
    { "ffn_gate", AT(mlp.gate), HIDDEN, WIDTH, NONE, NONE, 0, HAS_FUSED_GATE | HAS_EXPERTS, GATED },
    { "ffn_up", AT(mlp.up), HIDDEN, WIDTH, NONE, NONE, 0, HAS_FUSED_GATE | HAS_EXPERTS, 0 },
    { "ffn_up", AT(mlp.gate), HIDDEN_2, WIDTH, NONE, HIDDEN, HAS_FUSED_GATE, HAS_EXPERTS, 0 },
    { "ffn_up", AT(mlp.up), HIDDEN_2, WIDTH, HIDDEN, HIDDEN, HAS_FUSED_GATE, HAS_EXPERTS, 0 },
    { "ffn_down", AT(mlp.down), WIDTH, HIDDEN, NONE, NONE, 0, HAS_EXPERTS, 0 },
    { "ffn_gate_inp", AT(router), EXPERTS, WIDTH, NONE, NONE, HAS_EXPERTS, 0, 0 },
    { "ffn_gate_exps", AT(experts.gate), EXPERT_HIDDEN, WIDTH, NONE, NONE, HAS_EXPERTS, 0, STACK | GATED },
    { "ffn_up_exps", AT(experts.up), EXPERT_HIDDEN, WIDTH, NONE, NONE, HAS_EXPERTS, 0, STACK },
    { "ffn_down_exps", AT(experts.down), WIDTH, EXPERT_HIDDEN, NONE, NONE, HAS_EXPERTS, 0, STACK },
    { "ffn_gate_inp_shexp", AT(shared_gate), ONE, WIDTH, NONE, NONE, HAS_EXPERTS | HAS_SHARED_EXPERT, 0, 0 },
    { "ffn_gate_shexp", AT(shared.gate), SHARED_HIDDEN, WIDTH, NONE, NONE, HAS_EXPERTS | HAS_SHARED_EXPERT, 0, GATED },
    { "ffn_up_shexp", AT(shared.up), SHARED_HIDDEN, WIDTH, NONE, NONE, HAS_EXPERTS | HAS_SHARED_EXPERT, 0, 0 },
    { "ffn_down_shexp", AT(shared.down), WIDTH, SHARED_HIDDEN, NONE, NONE, HAS_EXPERTS | HAS_SHARED_EXPERT, 0, 0 },
    { "post_ffw_norm", AT(ffn_post_norm), ONE, WIDTH, NONE, NONE, HAS_POST_NORMS, 0, NORM },
    { "layer_output_norm", AT(ffn_post_norm), ONE, WIDTH, NONE, NONE, HAS_OUTPUT_NORMS, 0, NORM },
#undef AT
};

struct stream {
    struct model *model;
    const char *family;             /* general.architecture */
    struct block_shape block;
    struct attention attention;
    size_t window;                  /* of the layers that have one; 0: none */
    float eps, softcap;             /* softcap: of the logits; 0: none */
    float clamp;                    /* of queries, keys and values; 0: none */
    float embedding_scale, logit_scale;
    size_t experts_used;            /* for each token */
    size_t length[LENGTHS], layers, vocabulary;
    struct affine embedding, embedding_norm, positions, output_norm, output;
    struct layer *layer;
    struct rope rope, window_rope;  /* of layers without and with a window */
    float *rope_table, *window_rope_table;  /* op_rope_table's */
    float *temperature;             /* factors of the queries at each position of a sequence; NULL: all 1 */

    const int32_t *tokens;
    size_t nchunks, context, group; /* chunks that pass a layer together */
    float *hidden;
    struct stream_options options;

    struct arena arena;             /* owns all of the above but the model and the tokens */
    struct arena work;              /* buffers of one call */
    struct arena slab;              /* decoded rows of one weight */
};

/* ---- hyperparameters ---- */

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
    s->window = meta_u64(&s->model->meta, key_of(s, "attention.sliding_window"), s->block.window);
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
    s->temperature = arena_array(&s->arena, float, s->context);
    for (size_t p = 0; p < s->context; p++)
        s->temperature[p] = (float)(1 + beta * log(1 + floor((double)p / s->rope.original_context)));
}

/* YaRN's temperature as a factor of cosine and sine (transformers: attention_factor). */
static double yarn_magnitude(struct stream *s, double factor)
{
    double all_dimensions = number(s, "rope.scaling.yarn_log_multiplier", 0), log_factor = 0.1 * log(fmax(factor, 1));

    return number(s, "rope.scaling.yarn_attn_factor", (1 + log_factor) / (1 + all_dimensions * log_factor));
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
    r->factor = strcmp(type, "none") == 0 ? 1 : number(s, "rope.scaling.factor", number(s, "rope.scale_linear", 1));
    r->factor = r->factor == 0 ? 1 : r->factor;         /* GGUF's 0: no scaling */
    r->original_context = number(s, "rope.scaling.original_context_length", number(s, "context_length", (double)s->context));
    r->beta_fast = number(s, "rope.scaling.yarn_beta_fast", 32);
    r->beta_slow = number(s, "rope.scaling.yarn_beta_slow", 1);
    r->yarn = strcmp(type, "yarn") == 0;
    r->magnitude = number(s, "rope.scaling.attn_factor", 1) * (r->yarn ? yarn_magnitude(s, r->factor) : 1);
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

static int read_hyperparameters(struct stream *s, struct fail *f)
{
    static const char *const eps_keys[] = {
        [NORM_RMS] = "attention.layer_norm_rms_epsilon", [NORM_LAYER] = "attention.layer_norm_epsilon",
    };
    const struct arch *arch;

    s->family = meta_str(&s->model->meta, "general.architecture", "");
    arch = arch_named(s->family);
    if (!arch)
        return fail(f, FAIL_INPUT, "there is no forward pass for models of architecture '%s'", s->family);
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

/* ---- tensors ---- */

/* The tensor of that name, rows x width (a vector if rows is 1), or NULL in *out if it is absent and need not be there. */
static int find(struct stream *s, const char *name, size_t rows, size_t width, bool needed, const struct tensor **out,
                struct fail *f)
{
    const struct tensor *t = *out = model_tensor(s->model, name);

    if (!t)
        return needed ? fail(f, FAIL_INPUT, "tensor '%s' is missing", name) : 0;
    if (!(t->rank == 2 || (t->rank == 1 && rows == 1)) || tensor_rows(t) != rows || tensor_row(t) != width)
        return fail(f, FAIL_INPUT, "tensor '%s' has %" PRIu64 " rows of %" PRIu64 ", the metadata imply %zu of %zu", name,
                    tensor_rows(t), tensor_row(t), rows, width);
    return 0;
}

/* Weight and bias of `stem`, by `flags` of a part; only a layer norm must have the bias. */
static int find_affine(struct stream *s, const char *stem, size_t rows, size_t width, unsigned flags, struct affine *out,
                       struct fail *f)
{
    const char *weight = arena_printf(&s->arena, "%s.weight", stem), *bias = arena_printf(&s->arena, "%s.bias", stem);

    out->rows = rows;
    if (find(s, weight, rows, width, !(flags & OPTIONAL), &out->w, f) != 0)
        return -1;
    return find(s, bias, 1, rows == 1 ? width : rows, out->w && flags & NORM && s->block.norm == NORM_LAYER && !(s->block.has & HAS_BARE_NORMS),
                &out->b, f);
}

/* A tensor with a matrix of `rows` x `width` for each expert. */
static int find_stack(struct stream *s, const char *stem, size_t rows, size_t width, struct affine *out, struct fail *f)
{
    const char *name = arena_printf(&s->arena, "%s.weight", stem);
    const struct tensor *t = out->w = model_tensor(s->model, name);

    out->rows = rows;
    if (!t)
        return fail(f, FAIL_INPUT, "tensor '%s' is missing", name);
    if (t->rank != 3 || t->shape[0] != s->length[EXPERTS] || t->shape[1] != rows || t->shape[2] != width)
        return fail(f, FAIL_INPUT, "tensor '%s' is not %zu matrices of %zu rows of %zu, which the metadata imply", name,
                    s->length[EXPERTS], rows, width);
    return 0;
}

static int find_layer(struct stream *s, size_t index, struct fail *f)
{
    struct layer *l = &s->layer[index];

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const struct part *p = &parts[i];
        const char *stem = arena_printf(&s->arena, "blk.%zu.%s", index, p->name);
        struct affine *a = (struct affine *)((char *)l + p->at);
        if ((p->flags & GATED && s->block.mlp != MLP_GATED) || (s->block.has & p->with) != p->with || s->block.has & p->without)
            continue;
        if (p->flags & STACK ? find_stack(s, stem, s->length[p->whole], s->length[p->width], a, f)
                             : find_affine(s, stem, s->length[p->whole], s->length[p->width], p->flags, a, f))
            return -1;
        if (p->rows != NONE) {
            a->first = s->length[p->first];
            a->rows = s->length[p->rows];
        }
    }
    if (s->block.has & HAS_PARALLEL_MLP) {
        l->ffn_norm = l->attn_norm;
        l->attn_norm = l->attn_norm_2.w ? l->attn_norm_2 : l->attn_norm;
    }
    return 0;
}

/* What the embeddings of some families have beside them; sequences end where positions do. */
static int find_embedding_parts(struct stream *s, struct fail *f)
{
    const struct tensor *t = model_tensor(s->model, "position_embd.weight");
    size_t width = s->length[WIDTH];

    if (s->block.has & HAS_EMBEDDING_NORM && find_affine(s, "token_embd_norm", 1, width, NORM, &s->embedding_norm, f) != 0)
        return -1;
    if (!(s->block.has & HAS_POSITIONS))
        return 0;
    if (t && tensor_rows(t) < s->context)
        return fail(f, FAIL_INPUT, "a context of %zu tokens is longer than the %" PRIu64 " positions of '%s'", s->context,
                    tensor_rows(t), t->name);
    return find_affine(s, "position_embd", t ? tensor_rows(t) : 1, width, 0, &s->positions, f);
}

/* Embedding and output matrix have as many rows as the vocabulary has pieces; without `output` they are one. */
static int find_ends(struct stream *s, struct fail *f)
{
    const struct tensor *t = model_tensor(s->model, "token_embd.weight");
    size_t width = s->length[WIDTH];

    s->vocabulary = t ? tensor_rows(t) : 1;
    if (s->vocabulary < 2 || s->vocabulary > INT32_MAX)
        return fail(f, FAIL_INPUT, t ? "tensor '%s' has too few or too many rows" : "tensor '%s' is missing", "token_embd.weight");
    if (find_affine(s, "token_embd", s->vocabulary, width, 0, &s->embedding, f) != 0 ||
        find_affine(s, "output_norm", 1, width, NORM, &s->output_norm, f) != 0 || find_embedding_parts(s, f) != 0)
        return -1;
    s->output = s->embedding;
    return model_tensor(s->model, "output.weight") ? find_affine(s, "output", s->vocabulary, width, 0, &s->output, f) : 0;
}

static int find_tensors(struct stream *s, struct fail *f)
{
    if (s->layers > s->model->ntensors)
        return fail(f, FAIL_INPUT, "'%s' is %zu, but there are only %zu tensors", key_of(s, "block_count"), s->layers,
                    s->model->ntensors);
    s->layer = arena_array(&s->arena, struct layer, s->layers);
    for (size_t i = 0; i < s->layers; i++)
        if (find_layer(s, i, f) != 0)
            return -1;
    return find_ends(s, f);
}

/* Llama 3.1's factors are one tensor; longrope has two, for contexts up to the original one and beyond. */
static int build_rope(struct stream *s, struct fail *f)
{
    const char *name = model_tensor(s->model, "rope_freqs.weight") ? "rope_freqs.weight"
                       : (double)s->context > s->rope.original_context ? "rope_factors_long.weight" : "rope_factors_short.weight";
    const struct tensor *t;

    if (s->block.rope == ROPE_NONE)
        return 0;
    if (find(s, name, 1, s->rope.rot / 2, false, &t, f) != 0)
        return -1;
    if (t && !(s->rope.factors = model_rows_f32(s->model, t, 0, 1, &s->arena, f)))
        return -1;
    for (size_t i = 0; t && i < s->rope.rot / 2; i++)
        if (!(s->rope.factors[i] > 0 && isfinite(s->rope.factors[i])))
            return fail(f, FAIL_INPUT, "tensor '%s' holds %g at %zu, which is no factor of a frequency", name,
                        (double)s->rope.factors[i], i);
    s->rope_table = arena_array(&s->arena, float, s->context * s->rope.rot);
    op_rope_table(&s->rope, s->context, s->rope_table);
    s->window_rope.factors = s->rope.factors;
    s->window_rope_table = arena_array(&s->arena, float, s->context * s->rope.rot);
    op_rope_table(&s->window_rope, s->context, s->window_rope_table);
    return 0;
}

/* ---- opening ---- */

static size_t largest(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Floats that a token needs while it passes a layer: see attention_block(), mlp_block() and mixture(). */
static size_t temporaries(const struct stream *s)
{
    const size_t *n = s->length;

    size_t hidden = largest(n[HIDDEN], largest(n[EXPERT_HIDDEN], n[SHARED_HIDDEN]));

    return 3 * n[WIDTH] + largest(n[QUERY] + n[KEY] + n[VALUE] + n[MIXED],
                                  2 * hidden + (n[EXPERTS] ? 2 * n[WIDTH] + n[EXPERTS] + 4 * s->experts_used : 0));
}

static int check_tokens(const struct stream *s, struct fail *f)
{
    for (size_t i = 0; i < s->nchunks * s->context; i++)
        if (s->tokens[i] < 0 || (size_t)s->tokens[i] >= s->vocabulary)
            return fail(f, FAIL_INPUT, "token id %d is outside the model's vocabulary of %zu", s->tokens[i], s->vocabulary);
    return 0;
}

struct stream *stream_open(struct model *model, const int32_t *tokens, size_t nchunks, size_t context,
                           const struct stream_options *options, struct fail *f)
{
    struct arena arena = {0};
    struct stream *s = arena_new(&arena, struct stream);

    s->arena = arena;
    s->model = model;
    s->tokens = tokens;
    s->nchunks = nchunks;
    s->context = context;
    if (options)
        s->options = *options;
    ops_init();
    if (context < 1 || context > MAX_LENGTH)
        fail(f, FAIL_USAGE, "a context of %zu tokens is not possible", context);
    else if (read_hyperparameters(s, f) == 0 && find_tensors(s, f) == 0 && check_tokens(s, f) == 0 && build_rope(s, f) == 0) {
        s->group = largest(1, GROUP_TOKENS / context);
        while (s->group > 1 && s->group * context * temporaries(s) * sizeof(float) > GROUP_NBYTES)
            s->group--;
        s->hidden = arena_raw(&s->arena, nchunks * context * s->length[WIDTH] * sizeof(float));
        return s;
    }
    fail_in(f, model->path);
    stream_close(s);
    return NULL;
}

/* Between calls it is the other model's turn to use the memory. */
static void release_buffers(struct stream *s)
{
    arena_release(&s->work);
    arena_release(&s->slab);
}

void stream_close(struct stream *s)
{
    if (!s)
        return;
    struct arena arena = s->arena;      /* holds s itself */
    release_buffers(s);
    arena_release(&arena);
}

size_t stream_layers(const struct stream *s)
{
    return s->layers;
}

size_t stream_width(const struct stream *s)
{
    return s->length[WIDTH];
}

size_t stream_vocabulary(const struct stream *s)
{
    return s->vocabulary;
}

static float *hidden_at(const struct stream *s, size_t token)
{
    return s->hidden + token * s->length[WIDTH];
}

int stream_gather(struct stream *s, const size_t *at, size_t n, float *out, struct fail *f)
{
    size_t width = s->length[WIDTH];

    (void)f;
    for (size_t i = 0; i < n; i++)
        memcpy(out + i * width, hidden_at(s, at[i]), width * sizeof *out);
    return 0;
}

/* ---- the network ---- */

static float *buffer(struct stream *s, size_t n, size_t width)
{
    return arena_raw(&s->work, n * width * sizeof(float));
}

/* A vector of the model; absent: NULL in *out. */
static int vector(struct stream *s, const struct tensor *t, const float **out, struct fail *f)
{
    *out = t ? model_rows_f32(s->model, t, 0, 1, &s->work, f) : NULL;
    return t && !*out ? -1 : 0;
}

static void observe(struct stream *s, const struct tensor *t, size_t expert, const float *x, size_t n)
{
    if (s->options.observe)
        s->options.observe(s->options.ctx, t, expert, x, n);
}

/* y (n x a->rows) = a->w x + a->b. The weight is decoded slab by slab, each slab once for all n tokens. The observer hears of
 * several in one matrix once. */
static int product(struct stream *s, const struct affine *a, const float *x, size_t n, float *y, struct fail *f)
{
    size_t rows = a->rows, first = a->first + a->expert * rows, width = tensor_row(a->w), panel_nbytes = OPS_PANEL * width * sizeof(float);
    size_t slab = OPS_PANEL * largest(1, SLAB_NBYTES / panel_nbytes);
    const float *bias = NULL;
    int bad = vector(s, a->b, &bias, f);

    arena_reset(&s->slab);
    float *w = arena_raw(&s->slab, (slab < rows ? slab : rows) * width * sizeof *w);
    if (a->first == 0)
        observe(s, a->w, a->expert, x, n);
    for (size_t r = 0; r < rows && !bad; r += slab) {
        size_t some = rows - r < slab ? rows - r : slab;
        bad = rows_decode(s->model, a->w, first + r, some, w, f);
        if (!bad)
            op_product(x, n, width, w, some, y + r, rows);
    }
    if (bias && !bad)
        op_add(y, NULL, bias + a->first, n, rows);
    return bad;
}

/* Rows of the norm's own width; an absent norm changes nothing. y may be x. */
static int norm(struct stream *s, const struct affine *a, const float *x, size_t n, float *y, struct fail *f)
{
    const float *gain, *bias;

    if (!a->w)
        return 0;
    if (vector(s, a->w, &gain, f) != 0 || vector(s, a->b, &bias, f) != 0)
        return -1;
    op_norm(s->block.norm, x, n, tensor_row(a->w), gain, bias, s->eps, y);
    return 0;
}

/* The same positions for every chunk. */
static int add_positions(struct stream *s, struct fail *f)
{
    size_t width = s->length[WIDTH];
    float *positions = buffer(s, s->context, width);

    if (rows_decode(s->model, s->positions.w, 0, s->context, positions, f) != 0)
        return -1;
    for (size_t chunk = 0; chunk < s->nchunks; chunk++)
        op_add(hidden_at(s, chunk * s->context), positions, NULL, s->context, width);
    return 0;
}

int stream_embed(struct stream *s, struct fail *f)
{
    size_t n = s->nchunks * s->context, width = s->length[WIDTH];
    int bad = rows_gather(s->model, s->embedding.w, s->tokens, n, s->hidden, f);

    if (!bad && s->embedding_scale != 1)
        op_scale(s->hidden, n, width, &s->embedding_scale, 1);
    if (!bad && s->positions.w)
        bad = add_positions(s, f);
    if (!bad)
        bad = norm(s, &s->embedding_norm, s->hidden, n, s->hidden, f);
    release_buffers(s);
    return bad ? fail_in(f, s->model->path) : 0;
}

/* Of every so many layers the last has no window. */
static bool has_window(const struct stream *s, const struct layer *l)
{
    size_t index = (size_t)(l - s->layer), period = s->block.window_period;

    return s->window && (!period || index % period < period - 1);
}

/* x += Wo attention(rope(Wq norm(x)), rope(Wk norm(x)), Wv norm(x)), where some families norm heads and sums */
static int attention_block(struct stream *s, const struct layer *l, float *x, size_t n, struct fail *f)
{
    struct attention inner = s->attention;
    const struct attention *a = &inner;
    const float *table = has_window(s, l) ? s->window_rope_table : s->rope_table;
    float *y = buffer(s, n, s->length[WIDTH]), *mixed = buffer(s, n, s->length[MIXED]);
    float *q = buffer(s, n, s->length[QUERY]), *k = buffer(s, n, s->length[KEY]), *v = buffer(s, n, s->length[VALUE]);

    if (norm(s, &l->attn_norm, x, n, y, f) != 0 || product(s, &l->q, y, n, q, f) != 0 ||
        product(s, &l->k, y, n, k, f) != 0 || product(s, &l->v, y, n, v, f) != 0)
        return -1;
    if (s->clamp > 0) {
        op_clamp(q, n * s->length[QUERY], s->clamp);
        op_clamp(k, n * s->length[KEY], s->clamp);
        op_clamp(v, n * s->length[VALUE], s->clamp);
    }
    if (norm(s, &l->q_norm, q, n * a->heads, q, f) != 0 || norm(s, &l->k_norm, k, n * a->kv_heads, k, f) != 0)
        return -1;
    inner.window = has_window(s, l) ? s->window : 0;
    op_rope(s->block.rope, table, s->rope.rot, s->context, q, n, a->heads, a->key);
    op_rope(s->block.rope, table, s->rope.rot, s->context, k, n, a->kv_heads, a->key);
    if (s->temperature)
        op_scale(q, n, s->length[QUERY], s->temperature, s->context);
    op_attention(a, q, k, v, n, mixed);
    if (product(s, &l->o, mixed, n, y, f) != 0 || norm(s, &l->attn_post_norm, y, n, y, f) != 0)
        return -1;
    op_add(x, y, NULL, n, s->length[WIDTH]);
    return 0;
}

/* y = Wdown (act(Wgate x) * Wup x), or without a gate Wdown act(Wup x), for n rows; y may be x. `hidden` has room for two rows of
 * the mlp's own length for each. */
static int mlp(struct stream *s, struct mlp m, size_t expert, const float *x, size_t n, float *hidden, float *y, struct fail *f)
{
    bool gated = s->block.mlp == MLP_GATED;
    float *up = hidden, *gate = gated ? hidden + n * m.up.rows : up;

    m.gate.expert = m.up.expert = m.down.expert = expert;
    if (product(s, &m.up, x, n, up, f) != 0 || (gated && product(s, &m.gate, x, n, gate, f) != 0))
        return -1;
    op_activate(s->block.act, gate, gated ? up : NULL, n * m.up.rows);
    return product(s, &m.down, gate, n, y, f);
}

/* Which experts n tokens are sent to, in the tokens' order, and the weight of what comes back. */
struct routes {
    int32_t *expert, *token;        /* n x used; of one expert, the tokens ... */
    float *weight, *share;          /* ... and their weights */
};

/* The tokens of an expert, at most one of a token's choices, into r->token and r->share; their number. */
static size_t tokens_of(const struct stream *s, const struct routes *r, size_t expert, size_t n)
{
    size_t some = 0;

    for (size_t i = 0; i < n * s->experts_used; i++)
        if ((size_t)r->expert[i] == expert) {
            r->token[some] = (int32_t)(i / s->experts_used);
            r->share[some++] = r->weight[i];
        }
    return some;
}

/* sum += sigmoid(Wgate x) mlp(x) for every token. `out` is room for n rows. */
static int shared_expert(struct stream *s, const struct layer *l, const float *x, size_t n, float *hidden, float *out, float *sum,
                         struct fail *f)
{
    float *share = buffer(s, n, 1);

    if (mlp(s, l->shared, 0, x, n, hidden, out, f) != 0 || product(s, &l->shared_gate, x, n, share, f) != 0)
        return -1;
    op_sigmoid(share, n);
    op_add_scaled(sum, NULL, share, out, n, s->length[WIDTH]);
    return 0;
}

/* y = the sum over the experts that each of the n rows of y is sent to, expert after expert, each decoded once. */
static int mixture(struct stream *s, const struct layer *l, float *y, size_t n, struct fail *f)
{
    size_t width = s->length[WIDTH], experts = s->length[EXPERTS], used = s->experts_used;
    float *logits = buffer(s, n, experts), *in = buffer(s, n, width), *sum = buffer(s, n, width);
    float *hidden = buffer(s, n, 2 * largest(s->length[EXPERT_HIDDEN], s->length[SHARED_HIDDEN]));
    struct routes r = { arena_raw(&s->work, n * used * sizeof *r.expert), arena_raw(&s->work, n * sizeof *r.token),
                        buffer(s, n, used), buffer(s, n, 1) };

    if (product(s, &l->router, y, n, logits, f) != 0)
        return -1;
    if (!op_finite(logits, n * experts))
        return fail(f, FAIL_INPUT, "the numbers of '%s', which choose experts, are not finite", l->router.w->name);
    op_route(logits, n, experts, used, s->block.has & HAS_EXPERT_SHARES, r.expert, r.weight);
    memset(sum, 0, n * width * sizeof *sum);
    for (size_t e = 0; e < experts; e++) {
        size_t some = tokens_of(s, &r, e, n);
        op_gather(y, r.token, some, width, in);
        if (some && mlp(s, l->experts, e, in, some, hidden, in, f) != 0)
            return -1;
        op_add_scaled(sum, r.token, r.share, in, some, width);
    }
    if (s->block.has & HAS_SHARED_EXPERT && shared_expert(s, l, y, n, hidden, in, sum, f) != 0)
        return -1;
    memcpy(y, sum, n * width * sizeof *y);
    return 0;
}

/* x += mlp(norm(in)) */
static int mlp_block(struct stream *s, const struct layer *l, const float *in, float *x, size_t n, struct fail *f)
{
    float *y = buffer(s, n, s->length[WIDTH]);

    if (norm(s, &l->ffn_norm, in, n, y, f) != 0)
        return -1;
    if (s->block.has & HAS_EXPERTS ? mixture(s, l, y, n, f)
                                   : mlp(s, l->mlp, 0, y, n, buffer(s, n, 2 * s->length[HIDDEN]), y, f))
        return -1;
    if (norm(s, &l->ffn_post_norm, y, n, y, f) != 0)
        return -1;
    op_add(x, y, NULL, n, s->length[WIDTH]);
    return 0;
}

/* Both halves of a layer for the chunks from `chunk` on that pass it together; *n receives their tokens. */
static int group_through(struct stream *s, size_t layer, size_t chunk, size_t *n, struct fail *f)
{
    size_t chunks = s->nchunks - chunk < s->group ? s->nchunks - chunk : s->group;
    float *x = hidden_at(s, chunk * s->context);
    const float *in = x;            /* what the mlp reads */

    *n = chunks * s->context;
    if (s->block.has & HAS_PARALLEL_MLP)
        in = memcpy(buffer(s, *n, s->length[WIDTH]), x, *n * s->length[WIDTH] * sizeof *x);
    if (attention_block(s, &s->layer[layer], x, *n, f) != 0)
        return -1;
    if (in == x)
        arena_reset(&s->work);
    if (mlp_block(s, &s->layer[layer], in, x, *n, f) != 0)
        return -1;
    arena_reset(&s->work);
    if (!op_finite(x, *n * s->length[WIDTH]))
        return fail(f, FAIL_INPUT, "the hidden state behind layer %zu ('blk.%zu') is not finite", layer, layer);
    return 0;
}

int stream_layer(struct stream *s, size_t layer, struct fail *f)
{
    int bad = 0;

    for (size_t chunk = 0; chunk < s->nchunks && !bad; chunk += s->group) {
        size_t n;
        bad = group_through(s, layer, chunk, &n, f);
        if (!bad && s->options.progress)
            s->options.progress(s->options.ctx, n);
    }
    release_buffers(s);
    return bad ? fail_in(f, s->model->path) : 0;
}

int stream_observe_output(struct stream *s, size_t first, size_t n, struct fail *f)
{
    int bad = 0;

    for (size_t some; n && !bad; first += some, n -= some) {
        some = n < GROUP_TOKENS ? n : GROUP_TOKENS;
        float *x = buffer(s, some, s->length[WIDTH]);
        bad = norm(s, &s->output_norm, hidden_at(s, first), some, x, f);
        if (!bad)
            observe(s, s->output.w, 0, x, some);
        arena_reset(&s->work);
    }
    release_buffers(s);
    return bad ? fail_in(f, s->model->path) : 0;
}

int stream_logits(struct stream *s, const size_t *at, size_t n, float *logits, struct fail *f)
{
    size_t width = s->length[WIDTH];
    float *x = buffer(s, n, width);
    int bad;

    bad = stream_gather(s, at, n, x, f) != 0 || norm(s, &s->output_norm, x, n, x, f) != 0 || product(s, &s->output, x, n, logits, f) != 0;
    if (!bad && s->logit_scale != 1)
        op_scale(logits, n, s->vocabulary, &s->logit_scale, 1);
    if (!bad && s->softcap > 0)
        op_softcap(logits, n * s->vocabulary, s->softcap);
    if (!bad && !op_finite(logits, n * s->vocabulary))
        bad = fail(f, FAIL_INPUT, "the logits ('%s') are not finite", s->output.w->name);
    release_buffers(s);
    return bad ? fail_in(f, s->model->path) : 0;
}
