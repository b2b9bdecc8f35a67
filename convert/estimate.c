/* estimate.c - see estimate.h. */
#include "convert/estimate.h"

#include "convert/cut.h"
#include "formats/file.h"
#include "formats/usage.h"

#include <omp.h>
#include <string.h>

enum { SAMPLE_ROWS = 8, SAMPLE_ROW = 1024, LEAST_NANOSECONDS = 1000000, STRIP = 1 << 15,
       BESIDE = 4 << 20 };             /* journal, chunks, code that had not run yet, what malloc keeps: 0 to 3 MB seen, 9 from directories */

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

/* What one thread holds of a tensor: rows as they come, as many copies as there are on the way, and as they go. */
static uint64_t held(const struct tensor *t, const struct qtype *from, uint64_t copies)
{
    uint64_t rows = chunk_rows(t), row = tensor_row(t);

    return rows * (copies * qtype_row_bytes(from, row) + tensor_row_bytes(t)) + 4 * max_u64(row, STRIP);
}

struct estimate estimate_run(const struct model *m, const struct qtype *const *from, const float *const *weight)
{
    struct arena tmp = {0};
    struct rate *known = arena_array(&tmp, struct rate, m->ntensors);
    uint64_t most = 0, read = 0, written = 0;
    uint64_t copies = strcmp(m->format->name, "gguf") == 0 ? 1 : 2;         /* rows may be moved to become GGUF's */
    double rate = model_read_rate(m);
    size_t n = 0, threads = (size_t)omp_get_max_threads(), cores = (size_t)omp_get_num_procs();
    struct estimate e = {0};

    for (size_t i = 0; i < m->ntensors; i++) {
        const struct tensor *t = &m->tensor[i];

        most = max_u64(most, held(t, from[i], copies));
        read += tensor_rows(t) * qtype_row_bytes(from[i], tensor_row(t));
        written += tensor_bytes(t);
        if (t->type != from[i])
            e.seconds += (double)tensor_weights(t) * rate_of(known, &n, from[i], t->type, weight && weight[i]);
    }
    arena_release(&tmp);
    e.peak_nbytes = peak_nbytes() + threads * most + m->panel_nbytes + copies * BESIDE;
    e.seconds = e.seconds / (double)min_u64(threads, cores) + (rate > 0 ? (double)read / rate : 0) +
                (double)written / ESTIMATE_WRITE_RATE + ESTIMATE_ONCE;
    return e;
}
