/* kernels.c - every encoding on every instruction set of this CPU: the golden bytes of ggml, the bytes of base, rows
 * that nobody likes; with --bench [NAME...] the speed of each, in million weights per second and thread. */
#include "quant/isa.h"
#include "quant/type.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define GUARD 64            /* bytes after an output that must stay as they are */
#define GUARD_BYTE 0xa5
#define GOLDEN_DIR "tests/golden/quant"
#define GOLDEN_MAGIC 0x31514742u    /* layout: tests/gen/quant_golden.py */

/* One encoding under test. Each ISA's row stands at the same index. */
struct subject {
    size_t row;
    const struct isa *isa[8];       /* usable ones; isa[0] is base */
    size_t nisa;
    size_t passed, failed;
};

struct random { uint64_t state; };

static uint32_t next(struct random *r)
{
    r->state = r->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(r->state >> 32);
}

static float uniform(struct random *r)
{
    return ((float)(next(r) >> 8) + 0.5f) * 0x1p-24f;
}

static float gaussian(struct random *r)
{
    return sqrtf(-2 * logf(uniform(r))) * cosf(6.2831853f * uniform(r));
}

static float student4(struct random *r)
{
    float sum = 0;
    for (int i = 0; i < 4; i++) {
        float g = gaussian(r);
        sum += g * g;
    }
    return gaussian(r) / sqrtf(sum / 4);
}

static float from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static const struct qtype *subject_type(const struct subject *s, size_t isa)
{
    return s->isa[isa]->types[s->row];
}

/* ---- classes of rows: x[i] given its index, so that blocks of any size meet each pattern ---- */

static float row_gaussian(struct random *r, size_t i) { (void)i; return 0.05f * gaussian(r); }
static float row_student(struct random *r, size_t i) { (void)i; return 0.03f * student4(r); }
static float row_outliers(struct random *r, size_t i) { (void)i; return gaussian(r) * (next(r) % 150 ? 0.02f : 1.5f); }
static float row_zeros(struct random *r, size_t i) { (void)r; (void)i; return 0.0f; }
static float row_signed_zeros(struct random *r, size_t i) { (void)i; return next(r) & 1 ? -0.0f : 0.0f; }
static float row_constants(struct random *r, size_t i) { (void)r; return ldexpf(i / 96 & 1 ? -0.7f : 0.3f, (int)(i / 32 % 60) - 30); }
static float row_denormals(struct random *r, size_t i) { (void)i; return from_bits(next(r) & 0x807fffff) * (i / 64 & 1 ? 1.0f : 1e-3f); }
static float row_tiny(struct random *r, size_t i) { return gaussian(r) * expf(-28 - (float)(i / 32 % 56)); }
static float row_huge(struct random *r, size_t i) { return fmaxf(fminf(gaussian(r) * (i / 256 & 1 ? 1e38f : 1e20f), 3e38f), -3e38f); }
static float row_negative(struct random *r, size_t i) { (void)i; return -fabsf(gaussian(r)); }
static float row_positive(struct random *r, size_t i) { (void)i; return fabsf(gaussian(r)); }
static float row_scaled(struct random *r, size_t i) { return gaussian(r) * expf((float)(i / 16 * 7 % 23) - 11); }
static float row_sparse(struct random *r, size_t i) { (void)i; return next(r) % 20 ? 0 : gaussian(r); }
static float row_integers(struct random *r, size_t i) { (void)i; return (float)(next(r) % 33) - 16; }
static float row_halves(struct random *r, size_t i) { (void)i; return 0.5f * ((float)(next(r) % 9) - 4); }
static float row_ternary(struct random *r, size_t i) { (void)i; return 0.037f * ((float)(next(r) % 3) - 1); }
static float row_bf16(struct random *r, size_t i)
{
    float x = row_gaussian(r, i);
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return from_bits(bits & 0xffff0000);
}
static float row_one_huge(struct random *r, size_t i) { return i % 256 == 77 ? 3e38f : 1e-3f * gaussian(r); }
static float row_bits(struct random *r, size_t i)
{
    uint32_t bits = next(r);
    (void)i;
    return from_bits((bits & 0x7f800000) == 0x7f800000 ? bits & 0xbfffffff : bits);
}

static const struct row_class {
    const char *name;
    float (*weight)(struct random *, size_t i);
} classes[] = {
    { "gaussian", row_gaussian }, { "student-t", row_student }, { "outliers", row_outliers }, { "zeros", row_zeros },
    { "signed zeros", row_signed_zeros }, { "constants", row_constants }, { "denormals", row_denormals },
    { "1e-36..1e-12", row_tiny }, { "huge", row_huge }, { "negative", row_negative }, { "positive", row_positive },
    { "scaled groups", row_scaled }, { "sparse", row_sparse }, { "integers", row_integers }, { "halves", row_halves },
    { "ternary", row_ternary }, { "bf16", row_bf16 }, { "one huge weight", row_one_huge }, { "random bits", row_bits },
};
#define NCLASSES (sizeof classes / sizeof *classes)

/* Importances: spread, uniform, with zeros, zero over whole groups. NULL for kind 0. */
static const char *const importance_names[] = { "plain", "importance", "uniform", "half zero", "tiny" };
#define NIMPORTANCES (sizeof importance_names / sizeof *importance_names)

static const float *importance(size_t kind, float *w, size_t n)
{
    struct random r = { 99 + kind };

    for (size_t i = 0; i < n; i++) {
        float spread = expf(1.5f * gaussian(&r));
        w[i] = kind == 2 ? 1 : kind == 4 ? 1e-9f * spread : kind == 3 && (i < 48 || next(&r) & 1) ? 0 : spread;
    }
    return kind ? w : NULL;
}

/* ---- checks ---- */

static void check(struct subject *s, bool good, const char *isa, const char *what, const char *detail)
{
    if (good) {
        s->passed++;
        return;
    }
    s->failed++;
#pragma omp critical
    fprintf(stderr, "FAILED %s %s: %s: %s\n", subject_type(s, 0)->name, isa, what, detail);
}

static void *buffer(size_t n)
{
    void *p = malloc(n + GUARD);
    if (!p)
        abort();
    memset(p, GUARD_BYTE, n + GUARD);
    return p;
}

static bool guarded(const void *p, size_t n)
{
    const uint8_t *guard = (const uint8_t *)p + n;
    for (size_t i = 0; i < GUARD; i++)
        if (guard[i] != GUARD_BYTE)
            return false;
    return true;
}

/* Bits, except that every NaN equals every other. */
static bool same_floats(const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(a + i, b + i, sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i])))
            return false;
    return true;
}

/* Rows of one class and one kind of importance, and what base makes of them. */
struct trial {
    size_t nrows, row_blocks, n, nbytes;
    const float *x, *w;
    const uint8_t *bytes;
    const float *back;
    const char *name;       /* of class, importance and shape, for messages */
};

static void check_isa(struct subject *s, size_t isa, const struct trial *t)
{
    const struct qtype *q = subject_type(s, isa);
    uint8_t *bytes = buffer(t->nbytes);
    float *back = buffer(t->n * sizeof *back);

    q->encode(t->x, t->w, bytes, t->nrows, t->row_blocks);
    check(s, memcmp(bytes, t->bytes, t->nbytes) == 0, s->isa[isa]->name, t->name, "not the bytes of base");
    check(s, guarded(bytes, t->nbytes), s->isa[isa]->name, t->name, "encode wrote past the end");
    q->decode(t->bytes, back, t->n / (size_t)q->block);
    check(s, same_floats(back, t->back, t->n), s->isa[isa]->name, t->name, "not the floats of base");
    check(s, guarded(back, t->n * sizeof *back), s->isa[isa]->name, t->name, "decode wrote past the end");
    free(bytes);
    free(back);
}

/* Each row must come out as it does among its neighbors. */
static void check_alone(struct subject *s, size_t isa, const struct trial *t)
{
    const struct qtype *q = subject_type(s, isa);
    size_t stride = t->nbytes / t->nrows, columns = t->n / t->nrows;
    bool same = true;

    for (size_t row = 0; row < t->nrows; row++) {
        uint8_t *bytes = buffer(stride);
        q->encode(t->x + row * columns, t->w, bytes, 1, t->row_blocks);
        same = same && memcmp(bytes, t->bytes + row * stride, stride) == 0 && guarded(bytes, stride);
        free(bytes);
    }
    check(s, same, s->isa[isa]->name, t->name, "a row depends on its neighbors");
}

static const struct qtype *isa_type(const struct isa *isa, enum half_kind half)
{
    size_t row = 0;

    while (isa->types[row]->half != half)
        row++;
    return isa->types[row];
}

/* From 16-bit floats at odd addresses come the bytes that come from the floats they decode to. */
static void check_half(struct subject *s, size_t isa, const struct trial *t, enum half_kind half)
{
    const struct qtype *q = subject_type(s, isa), *source = isa_type(s->isa[isa], half);
    uint8_t *want = buffer(t->nbytes), *got = buffer(t->nbytes), *stored = buffer(2 * t->n + 1);
    uint16_t *aligned = buffer(2 * t->n);
    float *x = buffer(t->n * sizeof *x);

    source->encode(t->x, NULL, aligned, 1, t->n);
    for (size_t i = 0; i < t->n; i++)
        if ((aligned[i] & 0x7c00) == 0x7c00)        /* what is infinite, and some more */
            aligned[i] &= 0x83ff;
    source->decode(aligned, x, t->n);
    memcpy(stored + 1, aligned, 2 * t->n);
    q->encode(x, t->w, want, t->nrows, t->row_blocks);
    q->encode_half(stored + 1, half, t->w, got, t->nrows, t->row_blocks);
    check(s, memcmp(want, got, t->nbytes) == 0, s->isa[isa]->name, t->name, "other bytes from 16-bit floats");
    check(s, guarded(got, t->nbytes), s->isa[isa]->name, t->name, "encode_half wrote past the end");
    free(want);
    free(got);
    free(stored);
    free(aligned);
    free(x);
}

static void try_rows(struct subject *s, const struct row_class *c, size_t kind, size_t nrows, size_t row_blocks)
{
    const struct qtype *base = subject_type(s, 0);
    size_t columns = row_blocks * (size_t)base->block, n = nrows * columns;
    size_t nbytes = nrows * row_blocks * (size_t)base->nbytes;
    float *x = buffer(n * sizeof *x), *w = buffer(columns * sizeof *w), *back = buffer(n * sizeof *back);
    uint8_t *bytes = buffer(nbytes);
    struct random r = { 7 * n + nrows + kind };
    char name[160];

    for (size_t i = 0; i < n; i++)
        x[i] = c->weight(&r, i);
    const float *weight = importance(kind, w, columns);
    snprintf(name, sizeof name, "%s, %s, %zu rows of %zu", c->name, importance_names[kind], nrows, columns);
    base->encode(x, weight, bytes, nrows, row_blocks);
    base->decode(bytes, back, nrows * row_blocks);
    struct trial t = { nrows, row_blocks, n, nbytes, x, weight, bytes, back, name };
    for (size_t isa = 0; isa < s->nisa; isa++) {
        check_isa(s, isa, &t);
        check_alone(s, isa, &t);
        for (enum half_kind half = HALF_BF16; base->encode_half && half <= HALF_F16; half++)
            check_half(s, isa, &t, half);
    }
    free(x);
    free(w);
    free(back);
    free(bytes);
}

static void check_classes(struct subject *s)
{
    const struct qtype *q = subject_type(s, 0);
    static const size_t shapes[][2] = { { 1, 1 }, { 3, 5 }, { 1, 17 }, { 2, 35 } };     /* rows, blocks */
    size_t nshapes = q->block > 64 ? 3 : 4;

    for (size_t c = 0; c < NCLASSES; c++)
        for (size_t kind = q->needs_weight; kind < NIMPORTANCES; kind++) {
            if (kind > 1 && c % 4)
                continue;       /* the rarer importances on every fourth class: the rest is the same code */
            for (size_t i = c ? nshapes - 2 : 0; i < nshapes; i++)
                try_rows(s, &classes[c], kind, shapes[i][0], shapes[i][1]);
        }
}

/* Bytes no encoder wrote still decode, to the same floats everywhere. */
static void check_random_bytes(struct subject *s)
{
    const struct qtype *q = subject_type(s, 0);
    size_t nblocks = 67, nbytes = nblocks * (size_t)q->nbytes, n = nblocks * (size_t)q->block;
    uint8_t *bytes = buffer(nbytes);
    float *want = buffer(n * sizeof *want);
    struct random r = { 5 };

    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < nbytes; i++)
            bytes[i] = (uint8_t)next(&r);
        if (strcmp(q->name, "bool") == 0)
            for (size_t i = 0; i < nbytes; i++)
                bytes[i] &= 1;
        q->decode(bytes, want, nblocks);
        for (size_t isa = 0; isa < s->nisa; isa++) {
            float *got = buffer(n * sizeof *got);
            subject_type(s, isa)->decode(bytes, got, nblocks);
            check(s, same_floats(got, want, n), s->isa[isa]->name, "random bytes", "not the floats of base");
            check(s, guarded(got, n * sizeof *got), s->isa[isa]->name, "random bytes", "decode wrote past the end");
            free(got);
        }
    }
    free(bytes);
    free(want);
}

/* What is lost on gaussian weights, relative to their size. A block of b bits per weight loses about 2^-b times a
 * factor below 2.6; plain floats are better than that, absmax scales with two or three levels are worse. */
static double error_bound(const struct qtype *q)
{
    static const struct { const char *name; double bound; } known[] = {
        { "f32", 0 }, { "f16", 0x1p-11 }, { "bf16", 0x1p-8 },
        { "tq1_0", 1 }, { "tq2_0", 1 }, { "q2_0", 1 }, { "f64", 0 },
        { "nvfp4", 0.13 }, { "mxfp4", 0.13 },
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].name, q->name) == 0)
            return known[i].bound;
    return 2.6 * exp2(-8.0 * q->nbytes / q->block);
}

static void check_error(struct subject *s)
{
    const struct qtype *q = subject_type(s, 0);
    size_t nblocks = 4096 / (size_t)q->block, n = nblocks * (size_t)q->block;
    float *x = buffer(n * sizeof *x), *w = buffer(n * sizeof *w), *back = buffer(n * sizeof *back);
    uint8_t *bytes = buffer(nblocks * (size_t)q->nbytes);
    struct random r = { 3 };
    char text[80];

    for (size_t i = 0; i < n; i++)
        x[i] = row_gaussian(&r, i);
    for (size_t kind = q->needs_weight ? 2 : 0; kind <= 2; kind += 2) {
        double lost = 0, all = 0;
        q->encode(x, importance(kind, w, n), bytes, 1, nblocks);
        q->decode(bytes, back, nblocks);
        for (size_t i = 0; i < n; i++) {
            lost += pow((double)x[i] - back[i], 2);
            all += pow(x[i], 2);
        }
        double error = sqrt(lost / all);
        snprintf(text, sizeof text, "relative error %.6f is above %.6f", error, error_bound(q));
        check(s, error <= error_bound(q), "base", importance_names[kind], text);
    }
    free(x);
    free(w);
    free(back);
    free(bytes);
}

/* ---- golden bytes ---- */

struct golden {
    uint32_t magic, columns, rows, nbytes, flags, reserved;
};

static uint64_t fnv(const void *p, size_t n)
{
    const uint8_t *byte = p;
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ byte[i]) * 0x100000001b3u;
    return h;
}

/* The sign of a NaN that arithmetic makes is the CPU's: set on x86, clear on ARM. Goldens are x86's. */
#ifdef __x86_64__
enum { NAN_AS_GOLDEN = true };
#else
enum { NAN_AS_GOLDEN = false };
#endif

static void sign_nans(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (x[i] != x[i])
            x[i] = copysignf(x[i], -1);
}

/* All blocks are equal; elsewhere than on x86, those are left out whose golden bytes (decoded: `back`) hold a NaN. */
static bool same_blocks(const struct qtype *q, const uint8_t *got, const uint8_t *want, const float *back, size_t n)
{
    for (size_t k = 0; k < n / (size_t)q->block; k++, got += q->nbytes, want += q->nbytes) {
        bool nan = false;

        for (int i = 0; i < q->block; i++, back++)
            nan |= *back != *back;
        if (!(nan && !NAN_AS_GOLDEN) && memcmp(got, want, (size_t)q->nbytes) != 0)
            return false;
    }
    return true;
}

static void check_golden_part(struct subject *s, const struct golden *g, const float *x, const float *w,
                              const uint8_t *want, uint64_t want_hash)
{
    size_t n = (size_t)g->rows * g->columns;

    for (size_t isa = 0; isa < s->nisa; isa++) {
        const struct qtype *q = subject_type(s, isa);
        uint8_t *bytes = buffer(g->nbytes);
        float *back = buffer(n * sizeof *back);

        q->encode(x, w, bytes, g->rows, g->columns / (size_t)q->block);
        q->decode(want, back, n / (size_t)q->block);
        check(s, same_blocks(q, bytes, want, back, n), s->isa[isa]->name, w ? "importance" : "plain", "not the golden bytes");
        sign_nans(back, n);
        check(s, fnv(back, n * sizeof *back) == want_hash, s->isa[isa]->name, w ? "importance" : "plain",
              "not the golden floats");
        free(bytes);
        free(back);
    }
}

static void check_golden(struct subject *s)
{
    const struct qtype *q = subject_type(s, 0);
    static _Thread_local uint8_t file[1 << 16];
    struct golden g;
    char path[128];

    snprintf(path, sizeof path, GOLDEN_DIR "/%s.bin", q->name);
    FILE *f = fopen(path, "rb");
    size_t size = f ? fread(file, 1, sizeof file, f) : 0;
    if (f)
        fclose(f);
    memcpy(&g, file, sizeof g);
    size_t n = (size_t)g.rows * g.columns, parts = (g.flags & 1) + (g.flags >> 1 & 1);
    size_t want = sizeof g + 4 * (n + g.columns) + parts * ((size_t)g.nbytes + 8);
    check(s, g.magic == GOLDEN_MAGIC && size == want, "base", path, "no golden file, or not a whole one");
    if (size != want)
        return;
    const float *x = (const float *)(file + sizeof g), *w = x + n;
    const uint8_t *bytes = (const uint8_t *)(w + g.columns), *hashes = bytes + parts * g.nbytes;
    check(s, g.nbytes == n / (size_t)q->block * (size_t)q->nbytes, "base", path, "another block size");
    for (uint32_t flag = 1; flag <= 2; flag++) {
        uint64_t hash;
        if (!(g.flags & flag))
            continue;
        memcpy(&hash, hashes, sizeof hash);
        check_golden_part(s, &g, x, flag == 2 ? w : NULL, bytes, hash);
        bytes += g.nbytes;
        hashes += sizeof hash;
    }
}

static void check_subject(struct subject *s)
{
    const struct qtype *q = subject_type(s, 0);

    for (size_t isa = 1; isa < s->nisa; isa++) {
        const struct qtype *other = subject_type(s, isa);
        check(s, strcmp(q->name, other->name) == 0 && q->nbytes == other->nbytes && q->block == other->block,
              s->isa[isa]->name, "table", "another row than base");
    }
    check_random_bytes(s);
    if (!q->encode)
        return;
    check_classes(s);
    check_error(s);
    if (q->gguf_id >= 0)
        check_golden(s);
}

/* ---- speed ---- */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

enum job { ENCODE, ENCODE_WEIGHTED, DECODE, NJOBS };

static void work(enum job job, const struct qtype *q, float *x, const float *w, void *bytes, size_t nblocks)
{
    if (job == DECODE)
        q->decode(bytes, x, nblocks);
    else
        q->encode(x, job == ENCODE_WEIGHTED ? w : NULL, bytes, 1, nblocks);
}

/* Million weights a second: the best of several runs over data that stays in cache, half a second at most. */
static double speed(enum job job, const struct qtype *q, float *x, const float *w, void *bytes, size_t n)
{
    size_t nblocks = n / (size_t)q->block;
    double best = 1e9, end = now() + 0.25;

    for (int run = 0; run < 3 || (run < 2000 && now() < end); run++) {
        double start = now();
        work(job, q, x, w, bytes, nblocks);
        best = fmin(best, now() - start);
    }
    return 1e-6 * (double)n / best;
}

static void bench_type(const struct subject *s)
{
    size_t n = 1 << 15;
    float *x = buffer(n * sizeof *x), *w = buffer(n * sizeof *w), *back = buffer(n * sizeof *back);
    void *bytes = buffer(n * 8);
    struct random r = { 1 };

    for (size_t i = 0; i < n; i++)
        x[i] = row_gaussian(&r, i);
    importance(1, w, n);
    memset(bytes, 0, n * 8);
    printf("%-10s", subject_type(s, 0)->name);
    for (size_t isa = 0; isa < s->nisa; isa++)
        for (enum job job = 0; job < NJOBS; job++) {
            const struct qtype *q = subject_type(s, isa);
            if (job != DECODE && (!q->encode || (job == ENCODE && q->needs_weight)))
                printf("%10s", "-");
            else
                printf("%10.1f", speed(job, q, job == DECODE ? back : x, w, bytes, n));
        }
    putchar('\n');
    fflush(stdout);
    free(x);
    free(w);
    free(back);
    free(bytes);
}

static void bench(const struct subject *s, size_t n, int nnames, char **names)
{
    printf("Mweights/s  ");
    for (size_t isa = 0; isa < s->nisa; isa++)
        printf("%-30s", s->isa[isa]->name);
    printf("\n%-10s", "encoding");
    for (size_t isa = 0; isa < s->nisa; isa++)
        printf("%10s%10s%10s", "encode", "weighted", "decode");
    putchar('\n');
    for (size_t i = 0; i < n; i++) {
        bool wanted = nnames == 0;
        for (int k = 0; k < nnames; k++)
            wanted = wanted || strcmp(names[k], subject_type(&s[i], 0)->name) == 0;
        if (wanted)
            bench_type(&s[i]);
    }
}

int main(int argc, char **argv)
{
    struct subject subject[128] = { 0 };
    size_t n = qtype_count(), nisa, passed = 0, failed = 0;
    const struct isa *isa = isa_all(&nisa);

    if (n > sizeof subject / sizeof *subject)
        return 1;
    for (size_t i = 0; i < n; i++) {
        subject[i].row = i;
        for (size_t k = 0; k < nisa; k++)
            if (isa[k].usable())
                subject[i].isa[subject[i].nisa++] = &isa[k];
    }
    if (argc > 1 && strcmp(argv[1], "--bench") == 0) {
        bench(subject, n, argc - 2, argv + 2);
        return 0;
    }
#pragma omp parallel for schedule(dynamic)
    for (size_t i = 0; i < n; i++)
        if (argc < 2 || strcmp(argv[1], subject_type(&subject[i], 0)->name) == 0)
            check_subject(&subject[i]);
    for (size_t i = 0; i < n; i++) {
        passed += subject[i].passed;
        failed += subject[i].failed;
    }
    printf("kernels: %zu passed, %zu failed\n", passed, failed);
    return failed != 0 || passed == 0;
}
