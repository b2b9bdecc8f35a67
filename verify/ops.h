/* ops.h - the arithmetic of a transformer over plain float arrays: product, norm, rope, attention, activation.
 *
 * Matrices are row-major, a token a row. Nothing here knows models or can fail. Loops are cut into tiles of fixed shape
 * and each tile is computed by one thread alone, so results do not depend on the number of threads. Sums that feed a
 * division or a root are kept in double; products are float32 (matmul.h). */
#ifndef BANTAM_OPS_H
#define BANTAM_OPS_H

#include "convert/arch.h"
#include "formats/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* y = x / sqrt(mean(x^2) + eps) * gain (RMS), or (x - mean) / sqrt(variance + eps) * gain + bias (layer norm), for each
 * of n rows. `bias` may be NULL. y may be x. In parallel. */
void op_norm(enum norm_kind, const float *x, size_t n, size_t width, const float *gain, const float *bias, float eps,
             float *y);

/* x += y, over n rows of `width` with `bias` (width floats, may be NULL) added to each. y NULL: only the bias. In parallel. */
void op_add(float *x, const float *y, const float *bias, size_t n, size_t width);

/* Row t of n rows of `width` is multiplied by by[t % period]. In parallel. */
void op_scale(float *x, size_t n, size_t width, const float *by, size_t period);

/* Each of n rows of `experts` numbers becomes a choice of `used` experts, the largest of its softmax (the lower of equals), and their
 * probabilities, which `shares` makes sum to one: n x used of each. In parallel. */
void op_route(const float *x, size_t n, size_t experts, size_t used, bool shares, int32_t *index, float *weight);

/* to[i] = from[row[i]], for n rows of `width`. In parallel. */
void op_gather(const float *from, const int32_t *row, size_t n, size_t width, float *to);

/* to[row[i]] += by[i] * y[i], for n rows of `width`; no row twice; `row` NULL: row i. In parallel. */
void op_add_scaled(float *to, const int32_t *row, const float *by, const float *y, size_t n, size_t width);

/* Every number to the nearest of half precision, unless that is beyond its range. In parallel. */
void op_halve(float *x, size_t n);

/* Every number into [-limit, limit]. In parallel. */
void op_clamp(float *x, size_t n, float limit);

/* x = 1 / (1 + exp(-x)). By one thread. */
void op_sigmoid(float *x, size_t n);

/* x = cap * tanh(x / cap), in place; cap > 0. By one thread. */
void op_softcap(float *x, size_t n, float cap);

/* ALiBi's slopes (arXiv 2108.12409): powers of 2^(-8 / p) for the first p heads, p the largest power of two that is not more
 * than `heads`, odd powers of 2^(-4 / p) for the others. */
const float *op_alibi_slopes(size_t heads, struct arena *);

/* gate = act(gate) * up; up NULL: gate = act(gate). n floats. In parallel. */
void op_activate(enum act_kind, float *gate, const float *up, size_t n);

/* How positions turn pairs of numbers. The angle of pair i at position p is p * base^(-2i/rot) / factors[i], then scaled
 * down by `factor` (linear scaling), or by YaRN's ramp between the two (arXiv 2309.00071, as transformers has it):
 * pairs that turn more than beta_fast times in the original context keep their angle, less than beta_slow are scaled. */
struct rope {
    size_t rot;                 /* numbers of a head that turn, even */
    double base, factor;
    const float *factors;       /* rot / 2, or NULL: all 1 */
    bool yarn;
    double original_context, beta_fast, beta_slow;
    double magnitude;           /* cosine and sine are multiplied by this */
};

/* Fills table[context][rot / 2][2] with cosine and sine. */
void op_rope_table(const struct rope *, size_t context, float *table);

/* Turns the heads of n tokens in place; token t stands at position t % context; a head is `length` numbers, of which
 * the first `rot` turn. In parallel. */
void op_rope(enum rope_kind, const float *table, size_t rot, size_t context, float *x, size_t n, size_t heads,
             size_t length);

/* Causal attention within sequences of `context` tokens. */
struct attention {
    size_t context, heads, kv_heads;    /* heads is a multiple of kv_heads; head h reads kv head h / (heads / kv_heads) */
    size_t key, value;                  /* length of a head in q and k, and in v */
    size_t from;                        /* of each sequence q and out have the tokens from here on; k and v have all */
    size_t window;                      /* a token sees itself and the window - 1 before it; 0: all before it */
    float scale;                        /* of the products, before the softmax */
    float softcap;                      /* of the scaled products; 0: none */
    const float *slope;                 /* of each head: subtracted for each token of distance; NULL: none */
    bool halved;                        /* weights are rounded to half precision; not for texts without a mask */
};

/* k: n x kv_heads*key, v: n x kv_heads*value; n a multiple of context; with m = n / context * (context - from), q: m x heads*key, out:
 * m x heads*value.
 * In parallel over sequences, heads and blocks of queries. */
void op_attention(const struct attention *, const float *q, const float *k, const float *v, size_t n, float *out);

/* Without a mask: text t is tokens start[t] ... start[t + 1] - 1 of q, k, v and out, and each of them sees all of it. `context`,
 * `from`, `window`, `softcap` and `slope` do not matter. In parallel over texts and heads. */
void op_attention_all(const struct attention *, const float *q, const float *k, const float *v, const size_t *start, size_t n, float *out);

/* In place: exp(x[i] - max) / sum over n > 0 numbers. Weights below the least normal float become 0. */
void op_softmax(float *x, size_t n);

/* Is every one of n numbers finite? */
bool op_finite(const float *x, size_t n);

#endif
