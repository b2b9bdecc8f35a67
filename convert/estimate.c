/* estimate.c - see estimate.h. */
#include "convert/estimate.h"

#include "convert/cut.h"
#include "formats/usage.h"

#include <omp.h>
#include <string.h>

enum { SAMPLE_ROWS = 8, SAMPLE_ROW = 1024, LEAST_NANOSECONDS = 1000000, STRIP = 1 << 15,
       FILE_PAGES = 20 << 20 };        /* what Linux was seen to keep mapped of files beside what was asked for */

/* About normally distributed, always the same. */
static void make_up(float *x, size_t n)
{
    uint64_t state = 1;

    for (size_t i = 0; i < n; i++) {
        float sum = 0;
        for (int k = 0; k < 4; k++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            sum += (float)(int32_t)(state >> 32) / 2147483648.0f;
        }
        x[i] = sum / 50;
    }
}

/* Seconds per weight of decoding `from` and encoding `to`, the best of what fits into a millisecond, at least two runs. */
static double measure(const struct qtype *from, const struct qtype *to, const float *weight)
{
    static float x[SAMPLE_ROWS * SAMPLE_ROW], y[SAMPLE_ROWS * SAMPLE_ROW];
    static uint8_t source[8 * sizeof x], out[8 * sizeof x];
    size_t n = SAMPLE_ROWS * SAMPLE_ROW;
    double began = seconds_now(), best = 1e9;

    if (!from->encode || !to->encode)
        return 0;
    make_up(x, n);
    from->encode(x, NULL, source, SAMPLE_ROWS, SAMPLE_ROW / (size_t)from->block);
    for (int run = 0; run < 2 || seconds_now() - began < 1e-9 * LEAST_NANOSECONDS; run++) {
        double start = seconds_now(), took;

        from->decode(source, y, n / (size_t)from->block);
        to->encode(y, weight, out, SAMPLE_ROWS, SAMPLE_ROW / (size_t)to->block);
        took = seconds_now() - start;
        best = took < best ? took : best;
    }
    return best / (double)n;
}

/* One measured pair. */
struct rate {
    const struct qtype *from, *to;
    bool weighted;
    double seconds;
};

static double rate_of(struct rate *known, size_t *n, const struct qtype *from, const struct qtype *to, bool weighted)
{
    static float ones[SAMPLE_ROW];

    for (size_t i = 0; i < *n; i++)
        if (known[i].from == from && known[i].to == to && known[i].weighted == weighted)
            return known[i].seconds;
    for (size_t i = 0; i < SAMPLE_ROW; i++)
        ones[i] = 1;
    known[*n] = (struct rate){ from, to, weighted, measure(from, to, weighted ? ones : NULL) };
    return known[(*n)++].seconds;
}

/* What one thread holds of a tensor: rows as they come, perhaps once more where an adapter moves them, and as they go. All
 * of it twice, since a thread's arena has room for as much again, in whole huge pages. */
static uint64_t held(const struct tensor *t, const struct qtype *from)
{
    uint64_t rows = chunk_rows(t), row = tensor_row(t);

    return 2 * (rows * (2 * qtype_row_bytes(from, row) + tensor_row_bytes(t)) + 4 * (row < STRIP ? STRIP : row));
}

struct estimate estimate_run(const struct model *m, const struct qtype *const *from, const float *const *weight)
{
    struct arena tmp = {0};
    struct rate *known = arena_array(&tmp, struct rate, m->ntensors);
    uint64_t most = 0, nbytes = 0;
    size_t n = 0, threads = (size_t)omp_get_max_threads();
    struct estimate e = {0};

    for (size_t i = 0; i < m->ntensors; i++) {
        const struct tensor *t = &m->tensor[i];
        uint64_t one = held(t, from[i]);

        most = one > most ? one : most;
        nbytes += tensor_bytes(t) + tensor_rows(t) * qtype_row_bytes(from[i], tensor_row(t));
        if (t->type != from[i])
            e.seconds += (double)tensor_weights(t) * rate_of(known, &n, from[i], t->type, weight && weight[i]);
    }
    arena_release(&tmp);
    e.peak_nbytes = peak_nbytes() + threads * most + FILE_PAGES;
    e.seconds = e.seconds / (double)threads + (double)nbytes / ESTIMATE_DISK_RATE;
    return e;
}
