/* recipe.c - every recipe on every model of tests/golden/recipes.txt against llama-quantize's choices. */
#include "convert/recipe.h"
#include "formats/file.h"
#include "tests/unit/test.h"

#include <stdlib.h>

/* One model of the golden file at a time, without data. */
struct subject {
    struct model model;
    struct arena arena;
    const char *name;
    unsigned nlayers;
    const struct qtype *source;
    struct tensor tensor[1200];
    const char *letter[128];    /* encoding behind each letter */
    size_t checked, unbuilt;
};

static void add_tensors(struct subject *s, const char *pattern, const char *shape)
{
    bool layered = strstr(pattern, "%d") != NULL;
    size_t stem = layered ? (size_t)(strstr(pattern, "%d") - pattern) : strlen(pattern);

    for (unsigned l = 0; l < (layered ? s->nlayers : 1); l++) {
        struct tensor *t = &s->tensor[s->model.ntensors++];
        *t = (struct tensor){ .type = s->source };
        t->name = layered ? arena_printf(&s->arena, "%.*s%u%s", (int)stem, pattern, l, pattern + stem + 2)
                          : arena_strdup(&s->arena, pattern);
        for (const char *p = shape; *p; p += *p == 'x')
            t->shape[t->rank++] = strtoull(p, (char **)(uintptr_t)&p, 10);
        if (t->rank == 1)
            t->type = qtype_named("f32");
    }
}

static void start_model(struct subject *s, char *line)
{
    char name[40], arch[40], source[20];
    unsigned heads, kv, experts;

    arena_release(&s->arena);
    s->model = (struct model){ .tensor = s->tensor };
    sscanf(line, "model %39s %39s layers=%u heads=%u kv=%u experts=%u source=%19s", name, arch, &s->nlayers, &heads, &kv,
           &experts, source);
    s->name = arena_strdup(&s->arena, name);
    s->source = qtype_named(source);
    meta_set_str(&s->model.meta, &s->arena, "general.architecture", arch);
    meta_set_u32(&s->model.meta, &s->arena, arena_printf(&s->arena, "%s.block_count", arch), s->nlayers);
    meta_set_u32(&s->model.meta, &s->arena, arena_printf(&s->arena, "%s.attention.head_count", arch), heads);
    meta_set_u32(&s->model.meta, &s->arena, arena_printf(&s->arena, "%s.attention.head_count_kv", arch), kv);
    if (experts)
        meta_set_u32(&s->model.meta, &s->arena, arena_printf(&s->arena, "%s.expert_count", arch), experts);
}

/* Compares with a run-length string of letters; "!" stands for a refusal. */
static bool same_types(const struct subject *s, const struct recipe_choice *choice, const char *runs, const char *what)
{
    size_t i = 0;

    while (*runs) {
        const char *want = s->letter[(unsigned char)*runs++];
        unsigned long n = *runs >= '0' && *runs <= '9' ? strtoul(runs, (char **)(uintptr_t)&runs, 10) : 1;
        for (; n && i < s->model.ntensors; n--, i++)
            if (strcmp(choice[i].type->name, want) != 0) {
                test_failed(__FILE__, __LINE__, "%s %s: %s is %s, expected %s", s->name, what, s->tensor[i].name,
                            choice[i].type->name, want);
                return false;
            }
    }
    return i == s->model.ntensors;
}

static bool check_types(struct subject *s, const char *mode, const char *name, const char *runs)
{
    static struct recipe_choice choice[1200];
    struct recipe_options o = { .pure = strstr(mode, "pure") != NULL, .has_imatrix = strncmp(mode, "imatrix", 7) == 0,
                                .dry_run = strcmp(s->name, "demo") != 0 };
    const struct recipe *recipe = recipe_named(name);
    struct fail f = {0};
    char what[200];

    snprintf(what, sizeof what, "%s %s", mode, name);
    if (!recipe)
        return test_failed(__FILE__, __LINE__, "no recipe %s", name), false;
    int bad = recipe_choose(recipe, &s->model, &o, choice, &f);
    if (bad && strstr(f.text, "this build")) {
        s->unbuilt++;
        return true;
    }
    s->checked++;
    if (*runs == '!' && strcmp(mode, "imatrix-pure") == 0)
        return true;            /* the matrix has no entry for the embeddings: model_quantize() sees that */
    if (*runs == '!' || bad) {
        if (*runs != '!' || !bad)
            test_failed(__FILE__, __LINE__, "%s %s: %s", s->name, what, bad ? f.text : "was not refused");
        return *runs == '!' && bad;
    }
    return same_types(s, choice, runs, what);
}

TEST(recipes_choose_what_llama_quantize_chooses)
{
    static struct subject s;
    struct arena a = {0};
    struct fail f = {0};
    bool good = true;
    size_t n;
    char *text = file_read_text("tests/golden/recipes.txt", 1 << 20, &a, &n, &f), *line, *rest;

    CHECK(text);
    for (const char *p = text; (p = strstr(p, "\nletter ")) != NULL; p++) {
        char letter, type[20];
        sscanf(p, "\nletter %c %19s", &letter, type);
        s.letter[(unsigned char)letter] = arena_strdup(&a, type);
    }
    for (rest = text; (line = strtok_r(rest, "\n", &rest)) != NULL;) {
        char x[80], y[80], z[2000];
        if (strncmp(line, "model ", 6) == 0)
            start_model(&s, line);
        else if (sscanf(line, "tensor %79s %79s", x, y) == 2)
            add_tensors(&s, x, y);
        else if (sscanf(line, "types %79s %79s %1999s", x, y, z) == 3)
            good &= check_types(&s, x, y, z);
    }
    arena_release(&s.arena);
    arena_release(&a);
    CHECK(good);
    CHECK(s.checked > s.unbuilt);
}

/* ---- options ---- */
enum { NTINY = 7 };
struct tiny {
    struct model model;
    struct tensor tensor[NTINY];
    struct recipe_choice choice[NTINY];
    struct arena arena;
};

static void tiny_init(struct tiny *x, const char *source)
{
    static const char *const names[NTINY] = { "token_embd.weight", "blk.0.attn_q.weight", "blk.0.ffn_down.weight",
                                              "blk.0.attn_norm.weight", "output.weight", "blk.0.ffn_gate_inp.weight",
                                              "position_embd.weight" };
    *x = (struct tiny){0};
    x->model.tensor = x->tensor;
    x->model.ntensors = NTINY;
    meta_set_str(&x->model.meta, &x->arena, "general.architecture", "llama");
    meta_set_u32(&x->model.meta, &x->arena, "llama.block_count", 1);
    for (size_t i = 0; i < NTINY; i++)
        x->tensor[i] = (struct tensor){ .name = names[i], .type = qtype_named(source), .rank = 2, .shape = { 4, 64 } };
    x->tensor[3].rank = 1;
    x->tensor[3].shape[0] = 64;
}

static const char *tiny_choose(struct tiny *x, const char *recipe, const struct recipe_options *o, struct fail *f)
{
    static char all[200];

    *f = (struct fail){0};
    if (recipe_choose(recipe_named(recipe), &x->model, o, x->choice, f) != 0)
        return f->text;
    *all = 0;
    for (size_t i = 0; i < NTINY; i++)
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", i ? " " : "", x->choice[i].type->name);
    return all;
}

TEST(recipe_names_take_any_case)
{
    CHECK(recipe_named("q4_k_m") && recipe_named("Q4_K_m") == recipe_named("q4_k_M"));
    CHECK_U64(recipe_named("Q4_K")->file_type, 15);
    CHECK(!recipe_named("Q4"));
    for (size_t i = 0; i < recipe_count(); i++)
        CHECK(recipe_named(recipe_at(i)->name) == recipe_at(i));
}

TEST(recipe_options_override_the_mix)
{
    struct tiny x;
    struct fail f;
    struct recipe_override list[] = { { "FFN_.*", qtype_named("f16") }, { "attn_q|ffn_down", qtype_named("bf16") } };

    tiny_init(&x, "f32");
    struct recipe_options o = { .output_type = qtype_named("f16"), .embedding_type = qtype_named("bf16") };
    CHECK_STR(tiny_choose(&x, "Q8_0", &o, &f), "bf16 q8_0 q8_0 f32 f16 f32 f32");
    o = (struct recipe_options){ .override = list, .noverrides = 2, .leave_output = true };
    CHECK_STR(tiny_choose(&x, "Q8_0", &o, &f), "q8_0 bf16 f16 f32 f32 f32 f32");
    CHECK_STR(tiny_choose(&x, "F16", &o, &f), "f16 bf16 f16 f32 f32 f32 f32");
    CHECK_STR(tiny_choose(&x, "COPY", &o, &f), "f32 f32 f32 f32 f32 f32 f32");
    CHECK_STR(tiny_choose(&x, "AUTO", &o, &f), "f32 bf16 f16 f32 f32 f32 f32");
    list[1].pattern = "(";
    CHECK(strstr(tiny_choose(&x, "Q8_0", &o, &f), "pattern '(' is no regular expression"));
    CHECK_U64(f.kind, FAIL_USAGE);
    arena_release(&x.arena);
}

TEST(recipe_counts_in_file_order_when_files_are_kept)
{
    enum { LAYERS = 12 };
    static struct tensor tensor[LAYERS];
    static const char *const first[2] = { "0, 1, 10, 11", "0, 1, 2, 3" };
    struct format gguf = { .name = "gguf" }, safetensors = { .name = "safetensors" };
    struct recipe_choice choice[LAYERS];
    struct arena a = {0};
    struct model m = { .format = &gguf, .tensor = tensor, .ntensors = LAYERS };

    meta_set_str(&m.meta, &a, "general.architecture", "llama");
    meta_set_u32(&m.meta, &a, "llama.block_count", LAYERS);
    for (int i = 0; i < LAYERS; i++)        /* 0, 1, 10, 11, 2, ... 9 */
        tensor[i] = (struct tensor){ .name = arena_printf(&a, "blk.%d.attn_v.weight", i < 2 ? i : i < 4 ? i + 8 : i - 2),
                                     .type = qtype_named("f32"), .rank = 2, .shape = { 2, 256 } };
    for (int round = 0; round < 3; round++) {
        struct recipe_options o = { .in_file_order = round != 1 };
        struct fail f = {0};
        char all[80] = "";

        m.format = round < 2 ? &gguf : &safetensors;
        CHECK_U64(recipe_choose(recipe_named("Q4_K_S"), &m, &o, choice, &f), 0);
        for (int layer = 0; layer < LAYERS; layer++)
            for (int i = 0; i < LAYERS; i++)
                if (atoi(tensor[i].name + 4) == layer && choice[i].type == qtype_named("q5_k"))
                    snprintf(all + strlen(all), sizeof all - strlen(all), "%s%d", *all ? ", " : "", layer);
        CHECK_STR(all, first[round > 0]);
    }
    arena_release(&a);
}

TEST(recipe_types_of_a_converter)
{
    struct tiny x;
    struct fail f;
    struct recipe_options o = { .as_converted = true };

    tiny_init(&x, "bf16");
    x.tensor[2].shape[1] = 80;
    CHECK_STR(tiny_choose(&x, "Q8_0", &o, &f), "q8_0 q8_0 f16 f32 q8_0 f32 f32");
    CHECK(x.choice[2].instead_of == qtype_named("q8_0") && !x.choice[1].instead_of);
    CHECK_STR(tiny_choose(&x, "auto", &o, &f), "bf16 bf16 bf16 f32 bf16 f32 f32");
    CHECK_U64(recipe_file_type(recipe_named("auto"), &x.model, x.choice), 32);
    CHECK_STR(tiny_choose(&x, "f32", &o, &f), "f32 f32 f32 f32 f32 f32 f32");
    CHECK_STR(tiny_choose(&x, "f16", &o, &f), "f16 f16 f16 f32 f16 f32 f32");
    o.output_type = qtype_named("q8_0");
    CHECK_STR(tiny_choose(&x, "f16", &o, &f), "f16 f16 f16 f32 q8_0 f32 f32");
    arena_release(&x.arena);
}

TEST(recipe_converts_before_it_quantizes)
{
    struct tiny x;
    struct fail f;
    struct format safetensors = { .name = "safetensors" };
    struct recipe_options o = {0};

    tiny_init(&x, "bf16");
    CHECK_STR(tiny_choose(&x, "q8_0", &o, &f), "q8_0 q8_0 q8_0 bf16 q8_0 bf16 bf16");
    x.model.format = &safetensors;
    CHECK_STR(tiny_choose(&x, "q8_0", &o, &f), "q8_0 q8_0 q8_0 f32 q8_0 f32 f32");
    CHECK_STR(tiny_choose(&x, "copy", &o, &f), "bf16 bf16 bf16 f32 bf16 f32 f32");
    arena_release(&x.arena);
}

TEST(recipe_refuses_to_requantize)
{
    struct tiny x;
    struct fail f;
    struct recipe_options o = {0};

    tiny_init(&x, "q8_0");
    CHECK(strstr(tiny_choose(&x, "q4_0", &o, &f), "already quantized (Q8_0)"));
    CHECK_U64(f.kind, FAIL_INPUT);
    CHECK(strstr(f.hint, "--allow-requantize"));
    CHECK_STR(tiny_choose(&x, "copy", &o, &f), "q8_0 q8_0 q8_0 q8_0 q8_0 q8_0 q8_0");
    o.allow_requantize = true;
    CHECK_STR(tiny_choose(&x, "f16", &o, &f), "f16 f16 f16 q8_0 f16 q8_0 q8_0");
    arena_release(&x.arena);
}
