/* attend.c - attention in which every token of a text sees all others, for texts of different length. See ops.h. */
#include "verify/ops.h"

#include "formats/file.h"
#include "verify/matmul.h"

enum { QUERIES = 128 };         /* of one head that share a block of scores */

/* Queries [first, first + n) of one head of a text of `length` tokens; q, k, v and out point to the text's first. */
static void attend_all(const struct attention *a, const float *q, const float *k, const float *v, size_t length, size_t first, size_t n,
                       float *scores, float *out, struct arena *room)
{
    size_t q_stride = a->heads * a->key, k_stride = a->kv_heads * a->key;
    size_t v_stride = a->kv_heads * a->value, out_stride = a->heads * a->value;

    matmul_rows((struct matrix){ q + first * q_stride, n, a->key, q_stride }, (struct matrix){ k, length, a->key, k_stride }, a->scale, scores,
                length, room);
    for (size_t i = 0; i < n; i++)
        op_softmax(scores + i * length, length);
    matmul_columns((struct matrix){ scores, n, length, length }, (struct matrix){ v, length, a->value, v_stride }, out + first * out_stride,
                   out_stride, room);
}

/* Head h of text t, block after block of its queries. */
static void attend_text(const struct attention *a, const float *q, const float *k, const float *v, const size_t *start, size_t h,
                        float *scores, float *out, struct arena *room)
{
    size_t at = start[0], length = start[1] - start[0], kv = h / (a->heads / a->kv_heads);

    for (size_t first = 0; first < length; first += QUERIES)
        attend_all(a, q + (at * a->heads + h) * a->key, k + (at * a->kv_heads + kv) * a->key, v + (at * a->kv_heads + kv) * a->value, length,
                   first, min_u64(length - first, QUERIES), scores, out + (at * a->heads + h) * a->value, room);
}

void op_attention_all(const struct attention *a, const float *q, const float *k, const float *v, const size_t *start, size_t n, float *out)
{
    size_t longest = 1;

    for (size_t t = 0; t < n; t++)
        longest = max_u64(longest, start[t + 1] - start[t]);
#pragma omp parallel
    {
        struct arena tmp = {0}, room = {0};
        float *scores = arena_raw(&tmp, min_u64(longest, QUERIES) * longest * sizeof *scores);
#pragma omp for collapse(2) schedule(dynamic)
        for (size_t t = 0; t < n; t++)
            for (size_t h = 0; h < a->heads; h++)
                attend_text(a, q, k, v, start + t, h, scores, out, &room);
        arena_release(&room);
        arena_release(&tmp);
    }
}
