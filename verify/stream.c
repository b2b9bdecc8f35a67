/* stream.c - streams opened and closed, their hidden states, and products with weights. */
#include "verify/stream.h"

#include "formats/file.h"
#include "verify/product.h"
#include "verify/rows.h"

#include <string.h>

/* ---- opening ---- */

size_t stream_temporaries(const struct stream *s)
{
    const size_t *n = s->length;

    size_t hidden = max_u64(n[HIDDEN], max_u64(n[EXPERT_HIDDEN], n[SHARED_HIDDEN]));

    return 3 * n[WIDTH] + max_u64(n[QUERY] + n[KEY] + n[VALUE] + n[MIXED] + (s->options.tree ? s->rope.rot + 1 : 0),
                                  2 * hidden + (n[EXPERTS] ? 2 * n[WIDTH] + n[EXPERTS] + 4 * s->experts_used : 0));
}

static int check_tokens(const struct stream *s, struct fail *f)
{
    for (size_t i = 0; i < s->nchunks * s->context; i++)
        if (s->tokens[i] < 0 || (size_t)s->tokens[i] >= s->vocabulary)
            return fail(f, FAIL_INPUT, "token id %d is outside the model's vocabulary of %zu", s->tokens[i], s->vocabulary);
    return 0;
}

/* As many chunks as there is room for the temporaries of. */
static void choose_group(struct stream *s)
{
    size_t work = s->options.work_nbytes, group = GROUP_NBYTES, chunk = s->context * stream_temporaries(s) * sizeof(float);

    group = work && work / 4 * 3 < group ? work / 4 * 3 : group;
    s->group = max_u64(1, GROUP_TOKENS / s->context);
    if (s->group > group / chunk)
        s->group = max_u64(1, group / chunk);
    if (s->options.tree)
        s->group = 1;
}

static size_t longest_of(const struct tree *tree, size_t n)
{
    size_t most = 1;

    for (size_t i = 0; i < n; i++)
        most = max_u64(most, tree[i].longest);
    return most;
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
    s->longest = s->options.tree ? longest_of(s->options.tree, nchunks) : context;
    s->space = s->options.space ? s->options.space : &s->own_space;
    if (context < 1 || context > MAX_LENGTH)
        fail(f, FAIL_USAGE, "a context of %zu tokens is not possible", context);
    else if (stream_read_hyperparameters(s, f) == 0 && stream_find_tensors(s, f) == 0 && check_tokens(s, f) == 0) {
        choose_group(s);
        return s;
    }
    fail_in(f, model->path);
    stream_close(s);
    return NULL;
}

void workspace_release(struct workspace *w)
{
    arena_release(&w->input);
    arena_release(&w->work);
    arena_release(&w->packed);
}

void stream_release_buffers(struct stream *s)
{
    if (s->space == &s->own_space) {
        workspace_release(s->space);
        return;
    }
    arena_reset(&s->space->input);
    arena_reset(&s->space->work);
}

void stream_close(struct stream *s)
{
    if (!s)
        return;
    struct arena arena = s->arena;      /* holds s itself */
    states_close(s->own_states, false);
    workspace_release(&s->own_space);
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

/* ---- hidden states ---- */

size_t stream_group(const struct stream *s)
{
    return s->group;
}

size_t stream_groups(const struct stream *s, size_t group)
{
    return s->nchunks / group + (s->nchunks % group != 0);
}

size_t stream_group_floats(const struct stream *s, size_t group)
{
    return (group < s->nchunks ? group : s->nchunks) * s->context * s->length[WIDTH];
}

void stream_attach(struct stream *s, struct states *states, size_t index, size_t group)
{
    s->states = states;
    s->index = index;
    s->group = group;
}

int stream_own_states(struct stream *s, struct fail *f)
{
    struct states_options options = { .streams = 1, .groups = stream_groups(s, s->group), .group_floats = stream_group_floats(s, s->group) };

    if (!s->states)
        s->states = s->own_states = states_open(&options, f);
    return s->states ? 0 : -1;
}

const float *stream_range(struct stream *s, size_t token, size_t most, size_t *n, struct arena *tmp, struct fail *f)
{
    size_t per_group = s->group * s->context, first = token % per_group, width = s->length[WIDTH];

    *n = most < per_group - first ? most : per_group - first;
    return states_get(s->states, s->index, token / per_group, first * width, *n * width, tmp, f);
}

int stream_gather(struct stream *s, const size_t *at, size_t n, float *out, struct fail *f)
{
    size_t width = s->length[WIDTH];
    struct arena tmp = {0};
    int bad = 0;

    for (size_t i = 0, some; i < n && !bad; i += some) {
        const float *x;

        for (some = 1; i + some < n && at[i + some] == at[i] + some; )
            some++;
        if ((x = stream_range(s, at[i], some, &some, &tmp, f)))
            memcpy(out + i * width, x, some * width * sizeof *x);
        else
            bad = -1;
        arena_reset(&tmp);
    }
    arena_release(&tmp);
    return bad;
}

/* ---- steps ---- */

float *stream_buffer(struct stream *s, size_t n, size_t width)
{
    return arena_raw(&s->space->work, n * width * sizeof(float));
}

int stream_vector(struct stream *s, const struct tensor *t, const float **out, struct fail *f)
{
    *out = t ? model_rows_f32(s->model, t, 0, 1, &s->space->work, f) : NULL;
    return t && !*out ? -1 : 0;
}

void stream_observe(struct stream *s, const struct tensor *t, size_t expert, const float *x, size_t n)
{
    if (s->options.observe)
        s->options.observe(s->options.ctx, t, expert, x, n);
}

/* Not bfloat16 where rounding a weight would lose what its type holds. */
static const struct units *units_for(const struct stream *s, const struct tensor *w)
{
    bool fast = s->options.fast && (w->type->block > 1 || strcmp(w->type->name, "bf16") == 0);

    return fast && units_bf16() ? units_bf16() : units_f32();
}

int stream_product(struct stream *s, const struct affine *a, const float *x, size_t n, float *y, struct fail *f)
{
    size_t rows = a->rows, first = a->first + a->expert * rows;
    const float *bias;

    if (stream_vector(s, a->b, &bias, f) != 0)
        return -1;
    if (a->first == 0)
        stream_observe(s, a->w, a->expert, x, n);
    if (product(units_for(s, a->w), s->model, a->w, first, rows, x, n, y, rows, &s->space->packed, f) != 0)
        return -1;
    if (bias)
        op_add(y, NULL, bias + a->first, n, rows);
    return 0;
}

int stream_norm(struct stream *s, const struct affine *a, const float *x, size_t n, float *y, struct fail *f)
{
    const float *gain, *bias;

    if (!a->w)
        return 0;
    if (stream_vector(s, a->w, &gain, f) != 0 || stream_vector(s, a->b, &bias, f) != 0)
        return -1;
    op_norm(s->block.norm, x, n, tensor_row(a->w), gain, bias, s->eps, y);
    return 0;
}
