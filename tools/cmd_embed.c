/* cmd_embed.c - embed: sentence vectors of an encoder. */
#include "formats/file.h"
#include "formats/output.h"
#include "formats/text.h"
#include "tools/canonical.h"
#include "tools/commands.h"
#include "tools/encoders.h"
#include "tools/report.h"
#include "verify/embed.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

static const char *const pooling_names[] = { [POOLING_MEAN] = "mean", [POOLING_CLS] = "cls", [POOLING_LAST] = "last" };

const char *pooling_name(const struct model *m)
{
    struct arena tmp = {0};
    const char *key = arena_printf(&tmp, "%s.pooling_type", meta_str(&m->meta, "general.architecture", ""));
    uint64_t pooling = meta_u64(&m->meta, key, 0);

    arena_release(&tmp);
    return pooling_names[pooling >= POOLING_MEAN && pooling <= POOLING_LAST ? pooling : POOLING_MEAN];
}

struct vectors {
    struct sentences texts;
    size_t width, longest;
    const float *x;                 /* a text a row */
};

/* ---- files ---- */

/* Numbers as text in nine digits, which say a float32 exactly. */
static void put_row(struct arena *a, char **to, size_t *n, size_t *cap, const float *x, size_t width, const char *separator)
{
    for (size_t i = 0; i < width; i++) {
        *to = arena_grow(a, *to, cap, *n + 40, 1);
        *n += (size_t)snprintf(*to + *n, 40, "%s%.9g", i ? separator : "", (double)x[i]);
    }
}

static char *as_lines(const struct vectors *v, struct arena *a, size_t *n)
{
    char *text = NULL;
    size_t cap = 0;

    *n = 0;
    for (size_t t = 0; t < v->texts.n; t++) {
        put_row(a, &text, n, &cap, v->x + t * v->width, v->width, " ");
        assert(text);
        text[(*n)++] = '\n';
    }
    return text;
}

/* NumPy's format 1.0: a magic, the length of a header that ends at a multiple of 64, the header, the numbers. */
static char *as_npy(const struct vectors *v, struct arena *a, size_t *n)
{
    enum { HEAD = 128 };
    size_t nbytes = v->texts.n * v->width * sizeof *v->x;
    char *bytes = arena_raw(a, HEAD + nbytes);
    static const char magic[] = "\x93NUMPY\x01";

    memset(bytes, ' ', HEAD);
    memcpy(bytes, magic, 8);
    bytes[8] = HEAD - 10;
    bytes[9] = 0;
    int some = snprintf(bytes + 10, HEAD - 10, "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }", v->texts.n, v->width);
    bytes[10 + some] = ' ';
    bytes[HEAD - 1] = '\n';
    if (nbytes)
        memcpy(bytes + HEAD, v->x, nbytes);
    *n = HEAD + nbytes;
    return bytes;
}

static int write_file(const struct args *a, const struct vectors *v, struct fail *f)
{
    struct arena tmp = {0};
    const char *bytes = (const char *)v->x;
    size_t n = v->texts.n * v->width * sizeof *v->x;
    int bad;

    if (ends_with(a->out, ".npy"))
        bytes = as_npy(v, &tmp, &n);
    else if (!ends_with(a->out, ".f32"))
        bytes = as_lines(v, &tmp, &n);
    bad = file_write(a->out, bytes, n, f);
    arena_release(&tmp);
    return bad;
}

/* ---- stdout ---- */

static cJSON *vectors_json(const struct args *a, const struct model *m, const struct vectors *v)
{
    cJSON *root = cJSON_CreateObject(), *list;
    struct arena tmp = {0};

    if (a->out)
        json_add_text(root, "out", a->out);
    cJSON_AddItemToObject(root, "sentences", json_whole(v->texts.n));
    cJSON_AddItemToObject(root, "tokens", json_whole(v->texts.start[v->texts.n]));
    cJSON_AddItemToObject(root, "context", json_whole(v->longest));
    cJSON_AddItemToObject(root, "embedding_length", json_whole(v->width));
    cJSON_AddStringToObject(root, "pooling", pooling_name(m));
    cJSON_AddTrueToObject(root, "normalized");
    if (a->out)
        return root;
    list = cJSON_AddArrayToObject(root, "embeddings");
    for (size_t t = 0; t < v->texts.n; t++) {
        char *row = NULL;
        size_t n = 0, cap = 0;

        put_row(&tmp, &row, &n, &cap, v->x + t * v->width, v->width, ",");
        cJSON_AddItemToArray(list, cJSON_CreateRaw(arena_printf(&tmp, "[%s]", row)));
        arena_reset(&tmp);
    }
    arena_release(&tmp);
    return root;
}

static int show(const struct args *a, const struct model *m, const struct vectors *v, struct fail *f)
{
    struct arena tmp = {0};
    size_t n;
    char *lines;

    if (a->json)
        return json_print(vectors_json(a, m, v), f);
    if (a->out)
        return 0;
    lines = as_lines(v, &tmp, &n);
    fwrite(lines, 1, n, stdout);
    arena_release(&tmp);
    return stdout_done(f);
}

/* ---- embed ---- */

int sentences_of(struct args *a, struct model *m, struct vocab *found, const char *text, size_t nbytes, struct sentences *out,
                 size_t *longest, struct fail *f)
{
    struct vocab *v = canonical_vocab(m, found, f);

    if (!v || sentences_longest(m, longest, f) != 0)
        return -1;
    if (a->context > encoder_positions(m))
        return fail(f, FAIL_USAGE, "--context %" PRIu64 " is more than the %zu positions of the model", a->context, encoder_positions(m));
    *longest = a->context ? a->context : *longest;
    return sentences_read(out, v, text, nbytes, *longest, a->chunks, &a->arena, f) != 0 ? fail_in(f, a->text ? a->text : m->path) : 0;
}

static int embed(struct args *a, struct model *m, struct vocab *found, struct fail *f)
{
    struct meter meter;
    struct embed_options options = { .progress = meter_steps, .ctx = &meter };
    struct embedded e;
    struct vectors v = {0};
    size_t nbytes;
    char *text;
    int bad;

    if (!encoder_is(m)) {
        fail(f, FAIL_INPUT, "'%s' is no encoder: it predicts the next token, and makes no vectors of texts",
             meta_str(&m->meta, "general.architecture", ""));
        return fail_in(f, m->path);
    }
    if (!(text = read_text(a, &nbytes, f)) || sentences_of(a, m, found, text, nbytes, &v.texts, &v.longest, f) != 0)
        return -1;
    meter_start(&meter, a, "embedding");
    bad = embed_run(&m, 1, &v.texts, &options, &a->arena, &e, f);
    meter_end(&meter);
    if (bad)
        return -1;
    v.width = e.width;
    v.x = e.vector;
    return a->out && write_file(a, &v, f) != 0 ? -1 : show(a, m, &v, f);
}

static int run_embed(struct args *a, struct fail *f)
{
    struct vocab *found = NULL;
    struct model *m;
    int bad = -1;

    if (!a->text)
        return fail(f, FAIL_USAGE, "'embed' needs --text FILE"), fail_hint(f, "every line of it becomes a vector");
    if (a->out && !a->force && path_exists(a->out))
        return fail(f, FAIL_USAGE, "'%s' exists already", a->out), fail_hint(f, "--force replaces it");
    if (a->out && text_spared(a, f) != 0)
        return -1;
    if ((m = canonical_open(a, a->operand.item[0], &found, f)) && (!a->out || model_spared(m, a->out, f) == 0))
        bad = embed(a, m, found, f);
    model_close(m);
    return bad;
}

static const char *const options[] = { "text", "out", "context", "chunks", "force", "ignore-key", NULL };

const struct command command_embed = {
    .name = "embed", .operands = "MODEL", .about = "sentence vectors of an encoder, one a line of the text",
    .detail = "Makes a vector of each line of the text with MODEL, an encoder such as BERT, MiniLM or BGE: pooled as the model says, of length\n"
              "1. Lines are cut where sentence-transformers would cut them, or at --context N tokens; --chunks N takes the first N lines.\n"
              "Without -o, vectors go to stdout, a line each; FILE.npy is NumPy's format, FILE.f32 raw little-endian float32, any\n"
              "other FILE has a line of numbers for each.",
    .options = options, .min_operands = 1, .max_operands = 1, .run = run_embed
};
