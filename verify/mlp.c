/* mlp.c - the second half of a layer: an mlp, or a mixture of experts. See stream.h. */
#include "verify/stream.h"

#include "formats/file.h"

#include <string.h>

/* y = Wdown (act(Wgate x) * Wup x), or without a gate Wdown act(Wup x), for n rows; y may be x. `hidden` has room for two rows of
 * the mlp's own length for each. */
static int mlp(struct stream *s, struct mlp m, size_t expert, const float *x, size_t n, float *hidden, float *y, struct fail *f)
{
    bool gated = s->block.mlp == MLP_GATED;
    float *up = hidden, *gate = gated ? hidden + n * m.up.rows : up;

    m.gate.expert = m.up.expert = m.down.expert = expert;
    if (stream_product(s, &m.up, x, n, up, f) != 0 || (gated && stream_product(s, &m.gate, x, n, gate, f) != 0))
        return -1;
    op_activate(s->block.act, gate, gated ? up : NULL, n * m.up.rows);
    return stream_product(s, &m.down, gate, n, y, f);
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
    float *share = stream_buffer(s, n, 1);

    if (mlp(s, l->shared, 0, x, n, hidden, out, f) != 0 || stream_product(s, &l->shared_gate, x, n, share, f) != 0)
        return -1;
    op_sigmoid(share, n);
    op_add_scaled(sum, NULL, share, out, n, s->length[WIDTH]);
    return 0;
}

/* y = the sum over the experts that each of the n rows of y is sent to, expert after expert, each decoded once. */
static int mixture(struct stream *s, const struct layer *l, float *y, size_t n, struct fail *f)
{
    size_t width = s->length[WIDTH], experts = s->length[EXPERTS], used = s->experts_used;
    float *logits = stream_buffer(s, n, experts), *in = stream_buffer(s, n, width), *sum = stream_buffer(s, n, width);
    float *hidden = stream_buffer(s, n, 2 * max_u64(s->length[EXPERT_HIDDEN], s->length[SHARED_HIDDEN]));
    struct routes r = { arena_raw(&s->space->work, n * used * sizeof *r.expert), arena_raw(&s->space->work, n * sizeof *r.token),
                        stream_buffer(s, n, used), stream_buffer(s, n, 1) };

    if (stream_product(s, &l->router, y, n, logits, f) != 0)
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

int stream_mlp(struct stream *s, const struct layer *l, const float *in, float *x, size_t n, struct fail *f)
{
    float *y = stream_buffer(s, n, s->length[WIDTH]);

    if (stream_norm(s, &l->ffn_norm, in, n, y, f) != 0)
        return -1;
    if (l->router.w ? mixture(s, l, y, n, f)
                    : mlp(s, l->mlp, 0, y, n, stream_buffer(s, n, 2 * s->length[HIDDEN]), y, f))
        return -1;
    if (stream_norm(s, &l->ffn_post_norm, y, n, y, f) != 0)
        return -1;
    op_add(x, y, NULL, n, s->length[WIDTH]);
    return 0;
}
