/* embed.c - texts to tokens and on to vectors, in waves. See embed.h. */
#include "verify/embed.h"

#include "formats/file.h"
#include "formats/json.h"

#include <string.h>

enum {
    JSON_NBYTES = 1 << 20,
    WAVE_NBYTES = 128 << 20,            /* of hidden states of one model */
};

/* ---- texts ---- */

/* A number from 1 to `longest` in that file of the directory lowers it; *found tells of any number. */
static int lower(const struct model *m, const char *file, const char *key, size_t *longest, bool *found, struct fail *f)
{
    struct arena tmp = {0};
    const char *path = path_join(&tmp, m->dir, file);
    const cJSON *config = path_exists(path) ? json_read(path, JSON_NBYTES, &tmp, f) : NULL;
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(config, key);

    *found = cJSON_IsNumber(item);
    if (*found && item->valuedouble >= 1 && item->valuedouble < (double)*longest)
        *longest = (size_t)item->valuedouble;
    arena_release(&tmp);
    return failed(f) ? -1 : 0;
}

int sentences_longest(const struct model *m, size_t *longest, struct fail *f)
{
    bool found = false;

    *longest = encoder_positions(m);
    if (*longest == 0)
        return fail(f, FAIL_INPUT, "the metadata does not say how many positions there are"), fail_in(f, m->path);
    if (!m->dir)
        return 0;
    if (lower(m, "sentence_bert_config.json", "max_seq_length", longest, &found, f) != 0)
        return -1;
    return found ? 0 : lower(m, "tokenizer_config.json", "model_max_length", longest, &found, f);
}

static size_t count_lines(const char *text, size_t nbytes, size_t most)
{
    size_t n = nbytes && text[nbytes - 1] != '\n';

    for (size_t i = 0; i < nbytes; i++)
        n += text[i] == '\n';
    return most && n > most ? most : n;
}

int sentences_read(struct sentences *out, const struct vocab *v, const char *text, size_t nbytes, size_t longest, size_t most, struct arena *a,
               struct fail *f)
{
    const struct token_options options = { .add_special = true, .parse_special = true };
    struct tokenizer *t = tokenizer_open(v, f);
    size_t n = count_lines(text, nbytes, most), *start = arena_array(a, size_t, n + 1), cap = 0;
    struct arena tmp = {0};
    int32_t *token = NULL;
    int bad = t ? 0 : -1;

    if (t && n == 0)
        bad = fail(f, FAIL_INPUT, "the text is empty: every line of it is a text to make a vector of");
    for (size_t i = 0; i < n && !bad; i++) {
        const char *end = memchr(text, '\n', nbytes);
        size_t length = end ? (size_t)(end - text) : nbytes, some = 0;
        int32_t *id = tokenizer_encode(t, text, length, options, &tmp, &some, f);
        if (!id) {
            bad = -1;
            break;
        }
        if (some > longest) {
            id[longest - 1] = v->add_eos ? id[some - 1] : id[longest - 1];
            some = longest;
        }
        token = arena_grow(a, token, &cap, start[i] + some + 1, sizeof *token);
        if (some)
            memcpy(token + start[i], id, some * sizeof *token);
        start[i + 1] = start[i] + some;
        arena_reset(&tmp);
        text += length + (end != NULL);
        nbytes -= length + (end != NULL);
    }
    arena_release(&tmp);
    tokenizer_close(t);
    *out = (struct sentences){ token, start, n };
    return bad;
}

/* ---- vectors ---- */

struct run {
    struct encoder **encoder;
    size_t n, layers, width;
    struct moments *sums;               /* of each model but the first, layer by layer */
    struct embedded *out;
};

static int open_all(struct run *r, struct model *const *model, size_t longest, struct arena *a, struct fail *f)
{
    for (size_t k = 0; k < r->n; k++) {
        struct encoder *e = r->encoder[k] = encoder_open(model[k], longest, f);
        if (!e)
            return -1;
        r->layers = encoder_layers(r->encoder[0]);
        r->width = encoder_width(r->encoder[0]);
        if (encoder_layers(e) != r->layers || encoder_width(e) != r->width) {
            fail(f, FAIL_INPUT, "there are %zu layers of width %zu, and in the original %zu of %zu", encoder_layers(e), encoder_width(e),
                 r->layers, r->width);
            return fail_in(f, model[k]->path);
        }
    }
    r->sums = arena_array(a, struct moments, r->n * r->layers);
    return 0;
}

/* Token by token in order, so that the figure depends on nothing else. */
static void compare_layer(struct run *r, size_t k, size_t layer, size_t tokens)
{
    const float *x = encoder_hidden(r->encoder[0]), *y = encoder_hidden(r->encoder[k]);

    for (size_t i = 0; i < tokens; i++) {
        struct moments m = moments_of(x + i * r->width, y + i * r->width, r->width);
        moments_add(&r->sums[k * r->layers + layer], &m);
    }
}

/* Texts that go through the network together: at least one, and as many as have room. */
static size_t texts_of_wave(const struct sentences *x, size_t first, size_t width)
{
    size_t n = 1;

    while (first + n < x->n && (x->start[first + n + 1] - x->start[first]) * width * sizeof(float) <= WAVE_NBYTES)
        n++;
    return n;
}

/* The vectors of texts [first, first + x->n), which x holds with starts from 0. */
static int wave(struct run *r, const struct sentences *x, size_t first, struct fail *f)
{
    for (size_t k = 0; k < r->n; k++)
        if (encoder_embed(r->encoder[k], x, f) != 0)
            return -1;
    for (size_t layer = 0; layer < r->layers; layer++)
        for (size_t k = 0; k < r->n; k++) {
            if (encoder_layer(r->encoder[k], layer, f) != 0)
                return -1;
            if (k)
                compare_layer(r, k, layer, x->start[x->n]);
        }
    for (size_t k = 0; k < r->n; k++)
        encoder_pool(r->encoder[k], r->out[k].vector + first * r->width);
    return 0;
}

static int all_waves(struct run *r, const struct sentences *texts, const struct embed_options *o, struct fail *f)
{
    struct arena tmp = {0};
    int bad = 0;

    for (size_t first = 0, some; first < texts->n && !bad; first += some) {
        some = texts_of_wave(texts, first, r->width);
        size_t *start = arena_array(&tmp, size_t, some + 1);
        for (size_t t = 0; t <= some; t++)
            start[t] = texts->start[first + t] - texts->start[first];
        bad = wave(r, &(struct sentences){ texts->token + texts->start[first], start, some }, first, f);
        if (o && o->progress)
            o->progress(o->ctx, "texts", first + some, texts->n);
        arena_reset(&tmp);
    }
    arena_release(&tmp);
    return bad;
}

int embed_run(struct model *const *model, size_t n, const struct sentences *texts, const struct embed_options *o, struct arena *a,
              struct embedded *out, struct fail *f)
{
    struct run r = { .encoder = arena_array(a, struct encoder *, n), .n = n, .out = out };
    size_t longest = 1;
    int bad;

    for (size_t t = 0; t < texts->n; t++)
        longest = texts->start[t + 1] - texts->start[t] > longest ? texts->start[t + 1] - texts->start[t] : longest;
    bad = open_all(&r, model, longest, a, f);
    for (size_t k = 0; k < n && !bad; k++)
        out[k] = (struct embedded){ .width = r.width, .layers = r.layers, .vector = arena_array(a, float, texts->n * r.width),
                                    .layer_nmse = k ? arena_array(a, double, r.layers) : NULL };
    bad = bad || all_waves(&r, texts, o, f) != 0;
    for (size_t k = 1; k < n && !bad; k++)
        for (size_t layer = 0; layer < r.layers; layer++)
            out[k].layer_nmse[layer] = moments_nmse(&r.sums[k * r.layers + layer]);
    for (size_t k = 0; k < n; k++)
        encoder_close(r.encoder[k]);
    return bad ? -1 : 0;
}
