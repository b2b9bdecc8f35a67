/* rename.c - Hugging Face models against what llama.cpp's converter makes of them, and what must be refused.
 *
 * tests/golden/hf/NAME and NAME.gguf are made by tests/gen/hf_models.py, those of golden/native by gen/mistral.py; the refused configs are edits of the one of
 * 'yesterday', the refused weight files of tests/bad/hf go with it as it is. */
#include "convert/rename.h"
#include "convert/general.h"
#include "formats/file.h"
#include "formats/output.h"
#include "tests/unit/test.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

static const char *golden(struct arena *a, const char *rest)
{
    const char *dir = getenv("BANTAM_GOLDEN");

    return path_join(a, dir ? dir : "tests/golden", rest);
}

static struct model *open_hf(const char *dir, struct account *account, struct fail *f)
{
    struct rename_options o = { .no_vocabulary = true };

    return model_rename(model_open(dir, f), &o, account, NULL, f);
}

/* ---- equal to the reference ---- */
static bool same_value(const struct meta_value *x, const struct meta_value *y)
{
    if (x->type != y->type)
        return false;
    if (x->type == META_STRING)
        return x->s.n == y->s.n && memcmp(x->s.s, y->s.s, x->s.n) == 0;
    if (x->type != META_ARRAY)
        return x->u == y->u;
    if (x->a.type != META_STRING || y->a.type != META_STRING || x->a.n != y->a.n)
        return false;
    for (uint64_t i = 0; i < x->a.n; i++)
        if (strcmp(((const struct meta_string *)x->a.items)[i].s, ((const struct meta_string *)y->a.items)[i].s) != 0)
            return false;
    return true;
}

/* The one key that the reference converter does not write: llama.cpp would not know YaRN's attention factor without it. */
static bool is_ours(const char *key)
{
    size_t n = strlen(key), m = strlen(".rope.scaling.attn_factor");

    return n > m && strcmp(key + n - m, ".rope.scaling.attn_factor") == 0;
}

static void check_keys(const struct model *got, const struct model *want)
{
    size_t i = 0;

    for (size_t k = 0; k < got->meta.n; k++) {
        const struct meta_entry *e = &got->meta.entry[k];
        if (is_ours(e->key) && !meta_get(&want->meta, e->key))
            continue;
        CHECK(i < want->meta.n);
        CHECK_STR(e->key, want->meta.entry[i].key);
        if (strcmp(e->key, "general.file_type") != 0 &&             /* the reference was told to write f32 */
            !same_value(&e->value, &want->meta.entry[i].value))
            test_failed(__FILE__, __LINE__, "%s differs", e->key);
        i++;
    }
    CHECK_U64(i, want->meta.n);
}

/* All portions of rows that start at every third row. */
static void check_rows(struct model *got, const struct tensor *t, struct model *want, const struct tensor *u)
{
    struct arena tmp = {0};
    struct fail f = {0};
    uint64_t rows = tensor_rows(t), width = tensor_row(t);

    for (uint64_t first = 0; first < rows; first += 3)
        for (uint64_t n = 1; n <= rows - first; n++) {
            const float *x = model_rows_f32(got, t, first, n, &tmp, &f);
            const float *y = model_rows_f32(want, u, first, n, &tmp, &f);
            CHECK(x && y);
            if (memcmp(x, y, n * width * sizeof *x) != 0)
                test_failed(__FILE__, __LINE__, "%s differs in rows %d + %d", t->name, (int)first, (int)n);
            arena_reset(&tmp);
        }
    arena_release(&tmp);
}

static void check_tensors(const char *name, bool same_order)
{
    struct arena a = {0};
    struct fail f = {0};
    struct account account = {0};
    const char *dir = golden(&a, name);
    struct model *got = open_hf(dir, &account, &f), *want = model_open(arena_printf(&a, "%s.gguf", dir), &f);

    if (failed(&f))
        test_failed(__FILE__, __LINE__, "%s: %s", f.where, f.text);
    CHECK(got && want);
    check_keys(got, want);
    CHECK_U64(got->ntensors, want->ntensors);
    for (size_t i = 0; i < got->ntensors; i++) {
        const struct tensor *t = &got->tensor[i], *u = same_order ? &want->tensor[i] : model_tensor(want, t->name);
        CHECK(u && strcmp(t->name, u->name) == 0);
        CHECK(t->rank == u->rank && memcmp(t->shape, u->shape, (size_t)t->rank * sizeof *t->shape) == 0);
        check_rows(got, t, want, u);
    }
    for (size_t i = 0; i < account.n; i++)
        CHECK(account.entry[i].fate != ACCOUNT_PENDING);
    account_release(&account);
    model_close(got);
    model_close(want);
    arena_release(&a);
}

static void check_model(const char *name)
{
    check_tensors(name, true);
}

TEST(rename_llama3_biases_and_shards) { check_model("hf/today"); }
TEST(rename_linear_scaling_in_old_spelling) { check_model("hf/yesterday"); }
TEST(rename_mistral_tied_with_wide_heads) { check_model("hf/mistral"); }
TEST(rename_yarn) { check_model("hf/yarn"); }
TEST(rename_qwen2_yarn_in_shards) { check_model("hf/qwen2"); }
TEST(rename_qwen3_tied_and_biased) { check_model("hf/qwen3"); }
TEST(rename_gemma_f16_norms_in_old_spelling) { check_model("hf/gemma"); }
TEST(rename_gemma2) { check_model("hf/gemma2"); }
TEST(rename_gemma3_linear_in_old_spelling) { check_model("hf/gemma3"); }
TEST(rename_gpt2_untied_without_prefix) { check_model("hf/gpt2"); }
TEST(rename_starcoder) { check_model("hf/starcoder"); }
TEST(rename_starcoder2_without_biases) { check_model("hf/starcoder2"); }
TEST(rename_phi3_longrope_of_part_of_a_head) { check_model("hf/phi3"); }
TEST(rename_falcon_groups_and_two_norms) { check_model("hf/falcon"); }
TEST(rename_bloom_in_old_spelling) { check_model("hf/bloom"); }
TEST(rename_mistral3_text_of_a_multimodal_model) { check_model("hf/mistral3"); }
TEST(rename_eleven_experts_in_shards) { check_model("hf_experts/mixtral"); }
TEST(rename_experts_with_wide_heads) { check_model("hf_experts/qwen3moe"); }
TEST(rename_shared_expert) { check_model("hf_experts/qwen2moe"); }
TEST(rename_experts_in_one_matrix) { check_model("hf_experts/dbrx"); }
TEST(rename_experts_and_multipliers) { check_model("hf_experts/grok"); }

TEST(rename_experts_fused_by_transformers) { check_model("hf_experts/fused-qwen2moe"); }
TEST(rename_experts_fused_and_tied) { check_model("hf_experts/fused-qwen3moe"); }
TEST(rename_layers_with_and_without_experts) { check_model("hf_experts/mixed"); }
TEST(rename_mixtral_fused) { check_tensors("hf_experts/fused-mixtral", false); }           /* made from other names */
TEST(rename_native_shards_without_an_index) { check_model("native/dense"); }
TEST(rename_native_with_vision_and_yarn) { check_model("native/vision"); }
TEST(rename_native_experts) { check_tensors("native/experts", false); }        /* made from other names */

TEST(rename_fp8_in_blocks) { check_model("fp8/block"); }
TEST(rename_fp8_experts_in_blocks_and_shards) { check_model("fp8/experts"); }
TEST(rename_fp8_experts_fused) { check_model("fp8/fused"); }
TEST(rename_fp8_with_scales_of_activations) { check_model("fp8/static"); }
TEST(rename_compressed_tensors_by_row) { check_model("fp8/channel"); }
TEST(rename_compressed_tensors_of_integers) { check_model("fp8/int8"); }
TEST(rename_compressed_tensors_with_one_scale) { check_model("fp8/tensor"); }
TEST(rename_modelopt_fp8) { check_model("fp8/modelopt"); }
TEST(rename_fbgemm_fp8) { check_model("fp8/fbgemm"); }
TEST(rename_autofp8) { check_model("fp8/auto"); }
TEST(rename_native_fp8) { check_model("fp8/native"); }

TEST(rename_gptq_in_order_of_activations) { check_tensors("fp8/gptq", false); }             /* the converter has these tensors last */
TEST(rename_gptq_of_eight_bits_version_2) { check_tensors("fp8/gptq8", false); }
TEST(rename_awq) { check_tensors("fp8/awq", false); }
TEST(rename_compressed_tensors_of_four_bits) { check_tensors("fp8/packed", false); }
TEST(rename_compressed_tensors_with_zero_points) { check_tensors("fp8/packed-zero", false); }

TEST(rename_passes_gguf_through)
{
    struct arena a = {0};
    struct fail f = {0};
    struct rename_options o = {0};
    struct vocab *v = (struct vocab *)&a;
    struct model *m = model_open(golden(&a, "hf/yarn.gguf"), &f);

    CHECK(m && model_rename(m, &o, NULL, &v, &f) == m && !v);
    CHECK(!model_rename(NULL, &o, NULL, NULL, &f) && !failed(&f));
    model_close(m);
    arena_release(&a);
}

/* ---- refusals ---- */
/* A directory with a config and a weight file. */
struct scene {
    char dir[40];
    struct arena arena;
};

static void scene_init(struct scene *s, const char *config, const char *weights)
{
    struct fail f = {0};
    char *real = realpath(weights, NULL);

    strcpy(s->dir, "/tmp/bantam-rename-XXXXXX");
    if (!mkdtemp(s->dir) || !real || symlink(real, path_join(&s->arena, s->dir, "model.safetensors")) ||
        file_write(path_join(&s->arena, s->dir, "config.json"), config, strlen(config), &f))
        test_failed(__FILE__, __LINE__, "no scene in %s", s->dir);
    free(real);
}

static void scene_release(struct scene *s)
{
    unlink(path_join(&s->arena, s->dir, "config.json"));
    unlink(path_join(&s->arena, s->dir, "model.safetensors"));
    rmdir(s->dir);
    arena_release(&s->arena);
}

static char *config_of(struct arena *a, const char *dir)
{
    struct fail f = {0};

    return file_read_text(path_join(a, golden(a, dir), "config.json"), 1 << 20, a, NULL, &f);
}

/* The config with the first `from` replaced; an unchanged one fails the test. */
static const char *edited(struct arena *a, const char *dir, const char *from, const char *to)
{
    const char *config = config_of(a, dir), *at = strstr(config, from);

    if (!at)
        test_failed(__FILE__, __LINE__, "no %s in the config", from);
    return at ? arena_printf(a, "%.*s%s%s", (int)(at - config), config, to, at + strlen(from)) : config;
}

#define ADD "\"vocab_size\": 6,"

struct edit {
    const char *from, *to, *text;       /* text == NULL: accepted */
};

static const struct edit edits[] = {
    { "LlamaForCausalLM", "OrcaForCausalLM", "model class 'OrcaForCausalLM' is not known (known: " },
    { "\"LlamaForCausalLM\"", "", "config.json does not name the model's class ('architectures')" },
    { ADD, ADD "\"logits_scaling\": 8.0,", "1 key means nothing to this program, and may change what the weights "
      "compute: 'logits_scaling'" },
    { ADD, ADD "\"odd\": {\"a\": 1, \"b\": {\"c\": 2}},", "2 keys mean nothing to this program, and may change what the "
      "weights compute: 'odd.a', 'odd.b.c'" },
    { ADD, ADD "\"logits_scaling\": null,", NULL },
    { ADD, ADD "\"quantization_config\": {\"quant_method\": \"bitsandbytes\", \"bits\": 4},", "the weights are quantized "
      "already (quantization_config in config.json, quant_method 'bitsandbytes'), and there is no decoder for that" },
    { ADD, ADD "\"quantization_config\": null,", NULL },
    { "\"silu\"", "\"gelu\"", "'hidden_act' in config.json is 'gelu', and this model family is only known with 'silu|swish'" },
    { ADD, ADD "\"layer_types\": [\"full_attention\", \"linear_attention\"],", "'layer_types' in config.json is 'linear_attention', "
      "and this model family is only known with 'full_attention'" },
    { "\"hidden_size\": 8", "\"hidden_size\": 8.5", "'hidden_size' in config.json is 8.5, no whole number of 32 bits" },
    { "\"hidden_size\": 8", "\"hidden_size\": -8", "'hidden_size' in config.json is -8, no whole number of 32 bits" },
    { "\"hidden_size\": 8", "\"hidden_size\": \"8\"", "'hidden_size' in config.json is not a number" },
    { "\"hidden_size\": 8", "\"hidden_size\": 9", "hidden_size 9 is no multiple of num_attention_heads 2, and config.json gives no "
      "head_dim" },
    { "\"hidden_size\": 8", "\"hidden_size\": null", "config.json lacks 'hidden_size'" },
    { "\"hidden_size\": 8", "\"hidden_size\": 10", "head_dim is 5, but rotary positions turn pairs" },
    { ADD, ADD "\"num_key_value_heads\": 0,", "num_attention_heads is 2, no multiple of num_key_value_heads (0)" },
    { ADD, ADD "\"num_key_value_heads\": 1,", "tensor 'model.layers.0.self_attn.k_proj.weight' has the shape 8 x 8, but config.json "
      "implies 4 x 8" },
    { ADD, ADD "\"head_dim\": 4294967294,", "head_dim in config.json is 4294967294" },
    { "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1", "tensor 'model.layers.1.input_layernorm.weight' belongs to layer 1, but "
      "num_hidden_layers is 1" },
    { "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3", "tensor 'model.layers.2.input_layernorm.weight' is missing" },
    { "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 4000000000", "num_hidden_layers is 4000000000, and the weight files hold 23 "
      "tensors" },
    { "\"vocab_size\": 6", "\"vocab_size\": 7", "tensor 'lm_head.weight' has the shape 6 x 8, but config.json implies 7 x 8" },
    { ADD, ADD "\"attention_bias\": true,", "tensor 'model.layers.0.self_attn.q_proj.bias' is missing" },
    { "\"linear\"", "\"ntk\"", "'rope_scaling.rope_type' in config.json is 'ntk', which is not known (known: default, linear, "
      "dynamic, yarn, longrope, llama3)" },
    { "\"linear\"", "\"linear\", \"rope_type\": \"yarn\"", "'rope_type' and 'type' in 'rope_scaling' of config.json differ" },
    { "\"linear\"", "\"llama3\"", "'rope_scaling' in config.json is of type 'llama3' but lacks 'low_freq_factor'" },
    { "\"linear\"", "\"llama3\", \"low_freq_factor\": 4, \"high_freq_factor\": 4", "'rope_scaling' in config.json has factor 2.5, "
      "low_freq_factor 4 and high_freq_factor 4, where 0 < low < high and 0 < factor are needed" },
    { "\"linear\"", "\"longrope\", \"long_factor\": [1, 2, 3], \"short_factor\": [1, 2]", "'rope_scaling.long_factor' in config.json "
      "must be a list of 2 numbers, half of head_dim" },
    { "\"linear\"", "\"longrope\", \"long_factor\": [1, 2], \"short_factor\": [1, 2]", NULL },
    { "\"linear\"", "\"yarn\", \"mscale\": 2", "'rope_scaling.mscale' in config.json has no key in GGUF for this model family" },
    { "\"linear\"", "\"linear\", \"partial_rotary_factor\": 0.5", "'rope_scaling.partial_rotary_factor' in config.json is not 1, and "
      "this model family turns whole heads" },
    { "\"linear\"", "\"linear\", \"beta_slow\": 1", NULL },
    { "\"linear\"", "\"dynamic\"", NULL },
    { ADD, ADD "\"rope_parameters\": {\"type\": \"linear\", \"factor\": 3.5},", "'rope_scaling' and 'rope_parameters' in config.json "
      "differ" },
    { ADD, ADD "\"rope_parameters\": {\"type\": \"linear\", \"factor\": 2.5},", NULL },
    { "\"linear\"", "\"linear\", \"rope_theta\": 10000", "'rope_theta' in config.json is 20000, but 10000 in 'rope_scaling'" },
    { "\"architectures\"", "\"architecture\"", "config.json does not name the model's class ('architectures')" },
};

/* A golden directory with its config edited. */
static void check_edits(const char *dir, const struct edit *e, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct scene s = {0};
        struct fail f = {0};
        struct model *m;

        scene_init(&s, edited(&s.arena, dir, e[i].from, e[i].to), path_join(&s.arena, golden(&s.arena, dir), "model.safetensors"));
        m = open_hf(s.dir, NULL, &f);
        if (!e[i].text != !!m || (e[i].text && (f.kind != FAIL_INPUT || strncmp(f.text, e[i].text, strlen(e[i].text)) != 0)))
            test_failed(__FILE__, __LINE__, "%s -> %s: \"%s\"", e[i].from, e[i].to, f.text);
        model_close(m);
        scene_release(&s);
    }
}

#define CHECK_EDITS(dir, table) check_edits(dir, table, sizeof table / sizeof *table)

TEST(rename_refuses_what_it_does_not_understand) { CHECK_EDITS("hf/yesterday", edits); }

#define METHOD "\"quant_method\": \"fp8\""
#define BLOCK "\"weight_block_size\": [\n   3,\n   5\n  ]"

static const struct edit fp8_edits[] = {
    { METHOD, "\"quant_method\": \"hqq\"", "the weights are quantized already (quantization_config in config.json, quant_method 'hqq'), and "
      "there is no decoder for that" },
    { METHOD, "\"quant_algo\": \"NVFP4\"", "the weights are quantized already (quantization_config in config.json, quant_algo 'NVFP4')" },
    { METHOD, "\"load_in_4bit\": true", "the weights are quantized already (quantization_config in config.json, quant_method 'unknown')" },
    { METHOD, METHOD ", \"scale_fmt\": \"ue8m0\"", NULL },
    { BLOCK, "\"weight_block_size\": [4, 5]", "the scales 'model.layers.0.mlp.down_proj.weight_scale_inv' have the shape 3 x 2, which "
      "does not go with 'model.layers.0.mlp.down_proj.weight' of the shape 8 x 6" },
    { BLOCK, "\"weight_block_size\": null", "the scales 'model.layers.0.mlp.down_proj.weight_scale_inv' have the shape 3 x 2, which" },
    { BLOCK, "\"weight_block_size\": [0, 5]", "'weight_block_size' in config.json gives no numbers of rows and columns" },
    { BLOCK, "\"weight_block_size\": [3]", "'weight_block_size' in config.json gives no numbers of rows and columns" },
    { BLOCK, "\"weight_block_size\": \"3x5\"", NULL },
    { "\"quantization_config\"", "\"compression_config\"", NULL },
    { "\"quantization_config\"", "\"quantization_configs\"", "5 keys mean nothing to this program, and may change what the weights compute: " },
};

static const struct edit compressed_edits[] = {
    { "\"float-quantized\"", "\"marlin-24\"", "the weights are quantized already (quantization_config in config.json, format 'marlin-24')" },
    { "\"symmetric\": true", "\"symmetric\": false", "quantization_config in config.json has weights that are not symmetric" },
    { "\"channel\"", "\"group\", \"group_size\": 8", NULL },
    { "\"channel\"", "\"group\"", "quantization_config in config.json groups weights, but has no group_size" },
    { "\"channel\"", "\"block\", \"block_structure\": [2, 8]", "the scales 'model.layers.0.mlp.down_proj.weight_scale' have the shape 8 x 1" },
    { "\"ignore\"", "\"sparsity_config\": {\"format\": \"sparse-24-bitmask\"}, \"ignore\"", "the weights are quantized already "
      "(quantization_config in config.json, sparsity_config.format 'sparse-24-bitmask')" },
};

static const struct edit packed_edits[] = {
    { "\"num_bits\": 4", "\"num_bits\": 8", "tensor 'model.layers.0.mlp.down_proj.weight_packed' does not go with 'model.layers.0.mlp.down_proj."
      "weight_packed', 16 x 24 numbers of 8 bits in groups of 8" },
    { "\"group_size\": 8", "\"group_size\": 16", "tensor 'model.layers.0.mlp.down_proj.weight_scale' does not go with" },
    { "\"num_bits\": 4", "\"num_bits\": 0", "the weights are quantized already (quantization_config in config.json, format 'pack-quantized of" },
    { "\"type\": \"int\"", "\"type\": \"float\"", "the weights are quantized already (quantization_config in config.json, format 'pack-quantized of" },
    { "\"group_0\"", "\"group_1\": {}, \"group_0\"", "the weights are quantized already (quantization_config in config.json, config_groups 'more" },
    { "\"pack-quantized\"", "\"naive-quantized\"", "the scales 'model.layers.0.mlp.down_proj.weight_scale' are there, but not their tensor" },
};

static const struct edit gptq_edits[] = {
    { "\"bits\": 4", "\"bits\": 3", "the weights are quantized already (quantization_config in config.json, bits '3'), and there is no decoder" },
    { "\"bits\": 4", "\"bits\": 8", "tensor 'model.layers.0.mlp.down_proj.scales' does not go with 'model.layers.0.mlp.down_proj.qweight'" },
    { "\"bits\": 4", "\"bits\": 4, \"checkpoint_format\": \"marlin\"", "the weights are quantized already (quantization_config in config.json, "
      "checkpoint_format 'marlin')" },
    { "\"quant_method\": \"gptq\"", "\"quant_method\": \"awq\"", "tensor 'model.layers.0.mlp.down_proj.scales' does not go with" },
    { "\"quant_method\": \"gptq\"", "\"quant_method\": \"awq\", \"version\": \"gemv\"", "the weights are quantized already (quantization_config in "
      "config.json, version 'gemv')" },
};

/* Where older tools say how matrices are stored: beside the config. */
TEST(rename_reads_what_lies_beside_the_config)
{
    static const struct {
        const char *dir, *file, *text;
    } cases[] = {
        { "fp8/gptq", "quantize_config.json", "{\"bits\": 4, \"group_size\": 8, \"desc_act\": true}" },
        { "fp8/awq", "quant_config.json", "{\"w_bit\": 4, \"q_group_size\": 8, \"version\": \"GEMM\", \"zero_point\": true}" },
        { "fp8/modelopt", "hf_quant_config.json", "{\"producer\": {}, \"quantization\": {\"quant_algo\": \"FP8\"}}" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct scene s = {0};
        struct fail f = {0};
        const char *dir = cases[i].dir, *path;
        scene_init(&s, edited(&s.arena, dir, "\"quantization_config\"", "\"task_specific_params\""),
                   path_join(&s.arena, golden(&s.arena, dir), "model.safetensors"));
        path = path_join(&s.arena, s.dir, cases[i].file);
        CHECK_U64(file_write(path, cases[i].text, strlen(cases[i].text), &f), 0);
        struct model *m = open_hf(s.dir, NULL, &f);
        if (!m)
            test_failed(__FILE__, __LINE__, "%s: %s", dir, f.text);
        model_close(m);
        unlink(path);
        scene_release(&s);
    }
}

TEST(rename_refuses_stored_weights_it_does_not_understand)
{
    CHECK_EDITS("fp8/block", fp8_edits);
    CHECK_EDITS("fp8/channel", compressed_edits);
    CHECK_EDITS("fp8/packed", packed_edits);
    CHECK_EDITS("fp8/gptq", gptq_edits);
}

TEST(rename_takes_the_word_of_the_user_for_a_key)
{
    struct scene s = {0};
    struct fail f = {0};
    struct rename_options o = { .no_vocabulary = true, .ignore_keys = (const char *const[]){ "odd", NULL } };
    struct model *m;

    scene_init(&s, edited(&s.arena, "hf/yesterday", ADD, ADD "\"odd\": {\"a\": 1},"), golden(&s.arena, "hf/yesterday/model.safetensors"));
    m = model_rename(model_open(s.dir, &f), &o, NULL, NULL, &f);
    CHECK(m);
    model_close(m);
    scene_release(&s);
}

/* Every weight file of tests/bad/hf; the sentence is beside it. */
TEST(rename_refuses_weights_that_do_not_fit)
{
    struct arena a = {0};
    const char *dir = golden(&a, "../bad/hf");
    DIR *d = opendir(dir);
    size_t n = 0;

    CHECK(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        const char *path = path_join(&a, dir, e->d_name), *dot = strstr(path, ".safetensors");
        struct scene s = {0};
        struct fail f = {0}, none = {0};
        char *want;
        if (!dot)
            continue;
        want = file_read_text(arena_printf(&a, "%.*s.err", (int)(dot - path), path), 4096, &a, NULL, &none);
        scene_init(&s, config_of(&s.arena, "hf/yesterday"), path);
        if (open_hf(s.dir, NULL, &f) || f.kind != FAIL_INPUT || !want || strncmp(want, f.text, strlen(f.text)) != 0)
            test_failed(__FILE__, __LINE__, "%s: \"%s\"", e->d_name, f.text);
        scene_release(&s);
        n++;
    }
    closedir(d);
    CHECK(n >= 9);
    arena_release(&a);
}

/* ---- general.* ---- */
/* Ids, and the parts that gguf-py's metadata.py takes them apart into: organization, basename, finetune, version, size. */
TEST(general_takes_ids_apart)
{
    static const struct {
        const char *id;
        uint64_t weights;
        const char *part[5];
    } cases[] = {
        { "mistralai/Mixtral-8x7B-Instruct-v0.1", 0, { "mistralai", "Mixtral", "Instruct", "v0.1", "8x7B" } },
        { "meta-llama/Llama-2-7b-chat-hf", 0, { "meta-llama", "Llama-2", "chat-hf", NULL, "7B" } },
        { "Phi-3-mini-4k-instruct", 3800000000u, { NULL, "Phi-3", "4k-instruct", NULL, "mini" } },
        { "bigscience/bloom-7b1-petals", 7100000000u, { "bigscience", "bloom", "petals", NULL, "7.1B" } },
        { "./Llama-3-8B", 0, { NULL, "Llama-3", NULL, NULL, "8B" } },
        { "hf", 0, { NULL, NULL, NULL, NULL, NULL } },
        { "A sentence-7B", 0, { NULL, NULL, NULL, NULL, NULL } },
        { "", 0, { NULL, NULL, NULL, NULL, NULL } },
        { "--", 0, { NULL, NULL, NULL, NULL, NULL } },
    };
    struct arena a = {0};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct model_id m = model_id_parse(cases[i].id, cases[i].weights, &a);
        const char *got[5] = { m.organization, m.basename, m.finetune, m.version, m.size_label };
        for (size_t k = 0; k < 5; k++)
            if (!got[k] != !cases[i].part[k] || (got[k] && strcmp(got[k], cases[i].part[k]) != 0))
                test_failed(__FILE__, __LINE__, "%s: part %zu is %s", cases[i].id, k, got[k] ? got[k] : "(none)");
    }
    CHECK_STR(id_to_title("llama-3.2-1b v2 o'neil BERT", &a), "Llama 3.2 1b v2 O'Neil BERT");
    arena_release(&a);
}

TEST(general_rounds_sizes)
{
    struct arena a = {0};

    CHECK_STR(size_label(8030261248, 0, 0, &a), "8.0B");
    CHECK_STR(size_label(70553706496, 0, 0, &a), "71B");
    CHECK_STR(size_label(1431040, 0, 0, &a), "1.4M");
    CHECK_STR(size_label(999, 0, 0, &a), "1.0K");
    CHECK_STR(size_label(400, 0, 0, &a), "0.40K");
    CHECK_STR(size_label(46702792704, 8, 5637144576, &a), "8x7.2B");
    arena_release(&a);
}
