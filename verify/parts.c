/* parts.c - what a layer consists of, as a table, and the tensors found by it: stream.h. */
#include "verify/stream.h"

#include <inttypes.h>
#include <math.h>

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
    { "attn_norm", AT(attn_norm), ONE, WIDTH, NONE, NONE, 0, HAS_SUM_NORMS, NORM },
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
    { "ffn_norm", AT(ffn_norm), ONE, WIDTH, NONE, NONE, 0, HAS_PARALLEL_MLP | HAS_OUTPUT_NORM_FIRST | HAS_SUM_NORMS, NORM },
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
    { "attn_output_norm", AT(attn_post_norm), ONE, WIDTH, NONE, NONE, HAS_SUM_NORMS, 0, NORM },
    { "layer_output_norm", AT(ffn_post_norm), ONE, WIDTH, NONE, NONE, HAS_SUM_NORMS, 0, NORM },
#undef AT
};

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
    unsigned has = s->block.has;

    if (!model_tensor(s->model, arena_printf(&s->arena, "blk.%zu.ffn_gate_inp.weight", index)) &&
        model_tensor(s->model, arena_printf(&s->arena, "blk.%zu.ffn_down.weight", index)))
        has &= ~(unsigned)HAS_EXPERTS;              /* some layers of a mixture may be dense */
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const struct part *p = &parts[i];
        const char *stem = arena_printf(&s->arena, "blk.%zu.%s", index, p->name);
        struct affine *a = (struct affine *)((char *)l + p->at);
        if ((p->flags & GATED && s->block.mlp != MLP_GATED) || (has & p->with) != p->with || has & p->without)
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
    const struct tensor *t = model_tensor(s->model, "position_embd.weight"), *types = model_tensor(s->model, "token_types.weight");
    size_t width = s->length[WIDTH];

    if (s->block.has & HAS_TOKEN_TYPES && types && tensor_rows(types) && find_affine(s, "token_types", tensor_rows(types), width, 0, &s->token_types, f) != 0)
        return -1;
    if (s->block.has & HAS_EMBEDDING_NORM && find_affine(s, "token_embd_norm", 1, width, NORM, &s->embedding_norm, f) != 0)
        return -1;
    if (!(s->block.has & HAS_POSITIONS))
        return 0;
    if (t && tensor_rows(t) < s->longest)
        return fail(f, FAIL_INPUT, "a context of %zu tokens is longer than the %" PRIu64 " positions of '%s'", s->longest,
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
        (!s->encoder && find_affine(s, "output_norm", 1, width, NORM, &s->output_norm, f) != 0) || find_embedding_parts(s, f) != 0)
        return -1;
    s->output = s->embedding;
    return model_tensor(s->model, "output.weight") ? find_affine(s, "output", s->vocabulary, width, 0, &s->output, f) : 0;
}

/* Llama 3.1's factors are one tensor; longrope has two, for contexts up to the original one and beyond. */
static int build_rope(struct stream *s, struct fail *f)
{
    const char *name = model_tensor(s->model, "rope_freqs.weight") ? "rope_freqs.weight"
                       : (double)s->longest > s->rope.original_context ? "rope_factors_long.weight" : "rope_factors_short.weight";
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
    s->rope_table = arena_array(&s->arena, float, s->longest * s->rope.rot);
    op_rope_table(&s->rope, s->longest, s->rope_table);
    s->window_rope.factors = s->rope.factors;
    s->window_rope_table = arena_array(&s->arena, float, s->longest * s->rope.rot);
    op_rope_table(&s->window_rope, s->longest, s->window_rope_table);
    return 0;
}

int stream_find_tensors(struct stream *s, struct fail *f)
{
    if (s->layers > s->model->ntensors)
        return fail(f, FAIL_INPUT, "'%s.block_count' is %zu, but there are only %zu tensors", s->family, s->layers,
                    s->model->ntensors);
    s->layer = arena_array(&s->arena, struct layer, s->layers);
    for (size_t i = 0; i < s->layers; i++)
        if (find_layer(s, i, f) != 0)
            return -1;
    return find_ends(s, f) != 0 || build_rope(s, f) != 0 ? -1 : 0;
}
