/* logits.c - directories of Hugging Face as they are, run, against the logits of transformers (tests/gen/hf_logits.py): what their
 * configs say in rare ways, and what GGUF has no key for. */
#include "convert/rename.h"
#include "formats/file.h"
#include "tests/unit/test.h"
#include "verify/forward.h"

#include <math.h>
#include <stdlib.h>

/* The file `logits` of a model, mapped: tokens, vocabulary, ids, logits. */
struct expected {
    uint32_t n, vocabulary;
    const int32_t *ids;
    const float *logits;
};

static void read_expected(const struct file *file, struct expected *e)
{
    struct cursor c = cursor_at(file->data, file->nbytes);

    e->n = cursor_u32(&c);
    e->vocabulary = cursor_u32(&c);
    e->ids = (const int32_t *)cursor_bytes(&c, e->n * sizeof *e->ids);
    e->logits = (const float *)cursor_bytes(&c, (uint64_t)e->n * e->vocabulary * sizeof *e->logits);
    CHECK(cursor_ok(&c));
}

/* The largest difference, in units of the largest logit. */
static double worst(struct stream *s, const struct expected *e, struct fail *f)
{
    size_t at[64] = {0};
    float *logits = malloc((size_t)e->n * e->vocabulary * sizeof *logits);
    double top = 0, off = 0;
    bool bad = stream_embed(s, f) != 0;

    bad = bad || e->n > 64 || stream_vocabulary(s) != e->vocabulary;
    for (size_t i = 0; i < e->n && !bad; i++)
        at[i] = i;
    for (size_t i = 0; i < stream_layers(s) && !bad; i++)
        bad = stream_layer(s, i, f) != 0;
    bad = bad || stream_logits(s, at, e->n, logits, f) != 0;
    for (size_t i = 0; i < (size_t)e->n * e->vocabulary && !bad; i++) {
        top = fmax(top, fabs((double)e->logits[i]));
        off = fmax(off, fabs((double)logits[i] - (double)e->logits[i]));
    }
    free(logits);
    return bad ? INFINITY : off / top;
}

static void check_logits(const char *name)
{
    struct rename_options o = { .no_vocabulary = true };
    struct arena a = {0};
    struct fail f = {0};
    const char *golden = getenv("BANTAM_GOLDEN");
    const char *dir = path_join(&a, golden ? golden : "tests/golden", arena_printf(&a, "logits/%s", name));
    struct file file = {0};
    struct model *m = model_rename(model_open(dir, &f), &o, NULL, NULL, &f);
    struct expected e;
    struct stream *s;

    CHECK(file_open(&file, path_join(&a, dir, "logits"), &f) == 0);
    if (!m)
        test_failed(__FILE__, __LINE__, "%s: %s", f.where, f.text);
    CHECK(m);
    read_expected(&file, &e);
    s = stream_open(m, e.ids, 1, e.n, NULL, &f);
    if (!s)
        test_failed(__FILE__, __LINE__, "%s", f.text);
    else if (!(worst(s, &e, &f) < 1e-5))
        test_failed(__FILE__, __LINE__, "%s is off by %g of the largest logit", name, worst(s, &e, &f));
    stream_close(s);
    model_close(m);
    file_close(&file);
    arena_release(&a);
}

TEST(logits_of_a_mistral_beyond_its_window) { check_logits("mistral_window"); }
TEST(logits_of_a_mixtral_beyond_its_window) { check_logits("mixtral_window"); }
TEST(logits_of_a_starcoder2_beyond_its_window) { check_logits("starcoder2_window"); }
TEST(logits_of_a_qwen2_with_a_window_in_some_layers) { check_logits("qwen2_window_in_some_layers"); }
TEST(logits_of_a_qwen3_with_a_window_without_layer_types) { check_logits("qwen3_window_without_layer_types"); }
TEST(logits_of_dynamic_scaling_beyond_the_context) { check_logits("dynamic_scaling_beyond_the_context"); }
TEST(logits_of_yarn_with_an_attention_factor) { check_logits("yarn_with_an_attention_factor"); }
TEST(logits_of_a_multimodal_model_that_is_tied_outside_the_text) { check_logits("tied_only_outside_the_text"); }
TEST(logits_of_a_falcon2_with_one_norm) { check_logits("falcon2_one_norm"); }
TEST(logits_of_a_falcon_with_a_base_of_its_own) { check_logits("falcon_base_of_its_own"); }
TEST(logits_of_a_phi3_whose_partial_heads_are_said_twice) { check_logits("phi3_part_of_a_head_said_twice"); }
