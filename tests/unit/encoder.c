/* encoder.c - tiny encoders against transformers' vectors and against the GGUF files of llama.cpp's converter; what is refused. All of
 * tests/golden/encoder is made by tests/gen/encoders.py. */
#include "verify/encoder.h"

#include "convert/rename.h"
#include "formats/file.h"
#include "formats/text.h"
#include "tests/unit/test.h"
#include "tests/unit/tokenizer_cases.h"
#include "verify/embed.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <unistd.h>

enum { TEXTS = 10, COLUMNS = 16 };

static const char *golden(struct arena *a, const char *rest)
{
    const char *dir = getenv("BANTAM_GOLDEN");

    return path_join(a, dir ? dir : "tests/golden", arena_printf(a, "encoder/%s", rest));
}

static struct model *open_encoder(const char *path, struct vocab **v, struct arena *a, struct fail *f)
{
    struct rename_options o = {0};
    struct model *m = model_rename(model_open(path, f), &o, NULL, v, f);

    if (m && !*v)
        *v = vocab_open_meta(&m->meta, a, f);
    return m;
}

static const float *read_floats(const char *path, size_t n, struct arena *a)
{
    struct fail f = {0};
    size_t nbytes;
    char *bytes = file_read_text(path, 1 << 20, a, &nbytes, &f);
    float *x = arena_array(a, float, n);

    if (bytes && nbytes == n * sizeof *x)
        memcpy(x, bytes, nbytes);
    else
        test_failed(__FILE__, __LINE__, "%s has not %zu numbers", path, n);
    return x;
}

static double worst_difference(const float *x, const float *y, size_t n)
{
    double worst = 0;

    for (size_t i = 0; i < n; i++)
        worst = fmax(worst, fabs((double)x[i] - (double)y[i]));
    return worst;
}

/* The texts as `m` reads them, cut at `longest` tokens (0: where the model's own files say). */
static void read_texts(struct sentences *x, const struct model *m, const struct vocab *v, size_t longest, struct arena *a)
{
    struct fail f = {0};
    size_t n;
    char *text = file_read_text(golden(a, "texts.txt"), 1 << 20, a, &n, &f);

    CHECK(text && v);
    CHECK(longest || sentences_longest(m, &longest, &f) == 0);
    CHECK_U64(sentences_read(x, v, text, n, longest, 0, a, &f), 0);
    CHECK_U64(x->n, TEXTS);
}

static void check_ids_of(const struct sentences *x, const char *path, struct arena *a)
{
    struct fail f = {0};
    char *line = file_read_text(path, 1 << 20, a, NULL, &f);

    CHECK(line);
    for (size_t t = 0; t < x->n; t++, line++)
        for (size_t i = x->start[t]; i < x->start[t + 1]; i++)
            CHECK_U64(strtoul(line, &line, 10), (unsigned long)x->token[i]);
}

static void check_vectors(const char *name, const char *suffix, size_t longest, double bound)
{
    struct arena a = {0};
    struct fail f = {0};
    struct vocab *v = NULL;
    const char *stem = golden(&a, name);
    struct model *m = open_encoder(arena_printf(&a, "%s%s", stem, suffix), &v, &a, &f);
    struct sentences x;
    struct embedded e;
    double off;

    if (!m)
        test_failed(__FILE__, __LINE__, "%s: %s", f.where, f.text);
    read_texts(&x, m, v, longest, &a);
    check_ids_of(&x, arena_printf(&a, "%s.ids", stem), &a);
    CHECK_U64(embed_run(&m, 1, &x, NULL, &a, &e, &f), 0);
    CHECK_U64(e.width, COLUMNS);
    off = worst_difference(e.vector, read_floats(arena_printf(&a, "%s.vectors", stem), TEXTS * COLUMNS, &a), TEXTS * COLUMNS);
    if (!(off < bound))
        test_failed(__FILE__, __LINE__, "%s%s is off by %g", name, suffix, off);
    model_close(m);
    arena_release(&a);
}

/* The bound of a GGUF: what its converter loses is the name of the activation (gelu_new). */
TEST(encoder_mean_of_lower_case) { check_vectors("mean", "", 0, 1e-6); check_vectors("mean", ".gguf", 12, 1e-6); }
TEST(encoder_cls_of_upper_case_from_vocab_txt) { check_vectors("cls", "", 0, 1e-6); }
TEST(encoder_without_token_types) { check_vectors("distil", "", 0, 1e-6); check_vectors("distil", ".gguf", 0, 1e-6); }
TEST(encoder_positions_behind_padding) { check_vectors("roberta", "", 0, 1e-6); check_vectors("roberta", ".gguf", 0, 1e-6); }
TEST(encoder_xlm_roberta) { check_vectors("xlm", "", 0, 1e-6); check_vectors("xlm", ".gguf", 0, 1e-6); }
TEST(encoder_xlm_roberta_of_sentencepiece_alone) { check_vectors("xlm-spm", "", 0, 1e-6); }
TEST(encoder_classifier_in_shards) { check_vectors("classifier", "", 0, 1e-6); check_vectors("classifier", ".gguf", 0, 1e-3); }

TEST(encoder_hidden_states_are_those_of_transformers)
{
    static const char *const names[] = { "mean", "cls", "classifier", "distil", "roberta", "xlm", "xlm-spm" };

    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        struct arena a = {0};
        struct fail f = {0};
        struct vocab *v = NULL;
        struct model *m = open_encoder(golden(&a, names[k]), &v, &a, &f);
        struct sentences x;
        read_texts(&x, m, v, 0, &a);
        struct sentences first = { x.token, x.start, 1 };
        struct encoder *e = encoder_open(m, x.start[1], &f);
        size_t n = x.start[1] * COLUMNS;
        CHECK(e && encoder_embed(e, &first, &f) == 0);
        for (size_t layer = 0; layer < encoder_layers(e); layer++)
            CHECK_U64(encoder_layer(e, layer, &f), 0);
        CHECK(worst_difference(encoder_hidden(e), read_floats(golden(&a, arena_printf(&a, "%s.hidden", names[k])), n, &a), n) < 5e-6);
        encoder_close(e);
        model_close(m);
        arena_release(&a);
    }
}

/* ---- the converter ---- */

static bool same_value(const struct meta_value *x, const struct meta_value *y)
{
    if (x->type != y->type || (x->type == META_ARRAY && (x->a.type != y->a.type || x->a.n != y->a.n)))
        return false;
    if (x->type == META_STRING)
        return strcmp(x->s.s, y->s.s) == 0;
    if (x->type != META_ARRAY)
        return x->u == y->u;
    if (x->a.type != META_STRING)
        return memcmp(x->a.items, y->a.items, x->a.n * meta_type_bytes(x->a.type)) == 0;
    for (uint64_t i = 0; i < x->a.n; i++)
        if (strcmp(((const struct meta_string *)x->a.items)[i].s, ((const struct meta_string *)y->a.items)[i].s) != 0)
            return false;
    return true;
}

/* Every key and every tensor of the reference; `more` keys that only we write, because readers would assume wrongly without. */
static void check_conversion(const char *name, size_t more)
{
    struct arena a = {0};
    struct fail f = {0};
    struct vocab *v = NULL;
    struct model *got = open_encoder(golden(&a, name), &v, &a, &f), *want = model_open(golden(&a, arena_printf(&a, "%s.gguf", name)), &f);

    CHECK(got && want);
    for (size_t i = 0; i < want->meta.n; i++) {
        const struct meta_entry *w = &want->meta.entry[i];
        const struct meta_value *g = meta_get(&got->meta, w->key);
        if (strcmp(w->key, "general.file_type") != 0 && !(g && same_value(g, &w->value)))
            test_failed(__FILE__, __LINE__, "%s: %s differs", name, w->key);
    }
    CHECK_U64(got->meta.n, want->meta.n + more);
    CHECK_U64(got->ntensors, want->ntensors);
    for (size_t i = 0; i < want->ntensors; i++) {
        const struct tensor *t = &got->tensor[i], *u = &want->tensor[i];
        CHECK_STR(t->name, u->name);
        CHECK(t->rank == u->rank && memcmp(t->shape, u->shape, (size_t)t->rank * sizeof *t->shape) == 0);
        const float *x = model_rows_f32(got, t, 0, tensor_rows(t), &a, &f), *y = model_rows_f32(want, u, 0, tensor_rows(u), &a, &f);
        CHECK(x && y && memcmp(x, y, tensor_weights(t) * sizeof *x) == 0);
    }
    model_close(got);
    model_close(want);
    arena_release(&a);
}

TEST(encoder_converts_as_the_reference)
{
    check_conversion("mean", 0);
    check_conversion("cls", 5);             /* ids of [CLS], [UNK], [SEP], [MASK], and upper case: vocab.txt alone tells the reference nothing */
    check_conversion("classifier", 1);      /* gelu_new */
    check_conversion("distil", 0);
    check_conversion("roberta", 0);
    check_conversion("xlm", 0);
    check_conversion("xlm-spm", 2);         /* that texts begin with <s>, and which piece is <unk> */
}

/* fairseq's ids reach one beyond SentencePiece's, and <mask> one further. */
TEST(encoder_xlm_roberta_has_rows_for_all_pieces)
{
    static const struct {
        uint64_t rows, n;
        const char *text;
    } cases[] = {
        { 0, 62, "" }, { 62, 62, "" }, { 70, 70, "" },
        { 60, 0, "sentencepiece.bpe.model needs 61 ids, but the model has only 60 embedding rows" },
        { 61, 0, "tokenizer.json has an added token without content, or with an id that sentencepiece.bpe.model and the embeddings do not have" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena a = {0};
        struct fail f = {0};
        struct vocab *v = vocab_open_dir(golden(&a, "xlm"), cases[i].rows, NULL, &a, &f);
        CHECK_STR(f.text, cases[i].text);
        CHECK_U64(v ? v->n : 0, cases[i].n);
        arena_release(&a);
    }
}

/* ---- likeness ---- */

TEST(rank_correlation_of_known_pairs)
{
    double x[] = { 1, 2, 3, 4, 5 }, same[] = { 10, 20, 30, 40, 90 }, back[] = { 5, 4, 3, 2, 1 }, mixed[] = { 2, 1, 4, 3, 5 };
    double ties[] = { 1, 2, 2, 4, 5 }, flat[] = { 7, 7, 7, 7, 7 };

    CHECK(rank_correlation(x, same, 5) == 1);
    CHECK(rank_correlation(x, back, 5) == -1);
    CHECK(fabs(rank_correlation(x, mixed, 5) - 0.8) < 1e-12);
    CHECK(fabs(rank_correlation(x, ties, 5) - 0.97467943448089633) < 1e-12);
    CHECK(rank_correlation(ties, ties, 5) == 1);
    CHECK(rank_correlation(x, flat, 5) == 1);
}

/* Two models over the same texts: the same one gives exactly 1 and 0, whatever the threads. */
TEST(encoder_against_itself_is_exactly_alike)
{
    struct arena a = {0};
    struct fail f = {0};
    struct vocab *v = NULL;
    struct model *m = open_encoder(golden(&a, "mean"), &v, &a, &f), *both[] = { m, m };
    int before = omp_get_max_threads();
    struct sentences x;

    read_texts(&x, m, v, 0, &a);
    for (int threads = 1; threads <= 3; threads++) {
        struct embedded e[2];
        omp_set_num_threads(threads);
        CHECK_U64(embed_run(both, 2, &x, NULL, &a, e, &f), 0);
        struct likeness l = likeness_of(e[0].vector, e[1].vector, x.n, COLUMNS, &a);
        CHECK(l.mean == 1 && l.least == 1 && l.rank_correlation == 1 && l.pairs == TEXTS * (TEXTS - 1) / 2);
        CHECK(e[1].layer_nmse[0] == 0 && e[1].layer_nmse[1] == 0);
    }
    omp_set_num_threads(before);
    model_close(m);
    arena_release(&a);
}

/* A text's vector does not depend on its neighbors. */
TEST(encoder_texts_do_not_see_each_other)
{
    struct arena a = {0};
    struct fail f = {0};
    struct vocab *v = NULL;
    struct model *m = open_encoder(golden(&a, "cls"), &v, &a, &f);
    struct sentences x;
    struct embedded all, one;

    read_texts(&x, m, v, 0, &a);
    CHECK_U64(embed_run(&m, 1, &x, NULL, &a, &all, &f), 0);
    for (size_t t = 0; t < x.n; t++) {
        size_t start[] = { 0, x.start[t + 1] - x.start[t] };
        CHECK_U64(embed_run(&m, 1, &(struct sentences){ x.token + x.start[t], start, 1 }, NULL, &a, &one, &f), 0);
        CHECK(worst_difference(all.vector + t * COLUMNS, one.vector, COLUMNS) < 1e-6);
    }
    model_close(m);
    arena_release(&a);
}

/* ---- refusals ---- */

TEST(encoder_refuses_what_does_not_fit)
{
    struct arena a = {0};
    struct fail f = {0};
    struct vocab *v = NULL;
    struct model *m = open_encoder(golden(&a, "mean"), &v, &a, &f);
    int32_t token[] = { 2, 113, 3 };
    size_t start[] = { 0, 3 };
    struct sentences x = { token, start, 1 };
    struct embedded e;

    CHECK(embed_run(&m, 1, &x, NULL, &a, &e, &f) == -1);
    CHECK_STR(f.text, "token id 113 is outside the model's vocabulary of 113");
    f = (struct fail){0};
    CHECK(!encoder_open(m, 25, &f));
    CHECK_STR(f.text, "a context of 25 tokens is longer than the 24 positions of 'position_embd.weight'");
    f = (struct fail){0};
    CHECK(sentences_read(&x, v, "", 0, 12, 0, &a, &f) == -1);
    CHECK_STR(f.text, "the text is empty: every line of it is a text to make a vector of");
    f = (struct fail){0};
    meta_set_u32(&m->meta, &m->arena, "bert.pooling_type", 4);
    CHECK(!encoder_open(m, 12, &f));
    CHECK_STR(f.text, "pooling of type 4 is not known");
    f = (struct fail){0};
    meta_set_str(&m->meta, &m->arena, "general.architecture", "llama");
    CHECK(!encoder_open(m, 12, &f));
    CHECK_STR(f.text, "'llama' is no encoder: it predicts the next token, and makes no vectors of texts");
    model_close(m);
    arena_release(&a);
}

TEST(encoder_lines_are_texts)
{
    struct arena a = {0};
    struct fail f = {0};
    struct vocab *v = NULL;
    struct model *m = open_encoder(golden(&a, "mean"), &v, &a, &f);
    struct sentences x;

    CHECK(sentences_read(&x, v, "hen\n\negg", 8, 12, 0, &a, &f) == 0);
    CHECK_U64(x.n, 3);
    CHECK_U64(x.start[2] - x.start[1], 2);                      /* [CLS] [SEP] */
    CHECK(sentences_read(&x, v, "\n", 1, 12, 0, &a, &f) == 0);
    CHECK_U64(x.n, 1);
    CHECK(sentences_read(&x, v, "a\nb\nc\n", 6, 12, 2, &a, &f) == 0);
    CHECK_U64(x.n, 2);
    CHECK(sentences_read(&x, v, "hen hen hen hen", 15, 2, 0, &a, &f) == 0);
    CHECK(x.start[1] == 2 && x.token[0] == 2 && x.token[1] == 3);
    model_close(m);
    arena_release(&a);
}
