/* static.c - each kind of damage done to a model in memory is found and named, and sound encodings of any type pass. */
#include "verify/static.h"

#include "tests/unit/test.h"
#include "tests/unit/tiny.h"

#include <math.h>

/* Wide enough for blocks of 256; queries and keys of one shape. */
static const struct tiny wide = { .layers = 3, .width = 256, .heads = 4, .kv_heads = 4, .key = 64, .value = 64, .ff = 512, .vocabulary = 64 };

static struct model *spoilt(const char *type)
{
    struct tiny c = wide;

    c.type = type;
    return tiny_model(&c);
}

static void close_later(void *m, size_t n)
{
    (void)n;
    model_close(m);
}

/* Both models live as long as the arena: the names are theirs. */
static struct static_check check(struct model *found, struct arena *a)
{
    struct static_source source = { .model = tiny_model(&wide) };
    struct static_check s = {0};
    struct fail f = {0};

    source.keys = (struct key_pair){ .expected_meta = &source.model->meta, .found_meta = &found->meta };
    if (static_compare(&source, found, NULL, a, &s, &f))
        test_failed(__FILE__, __LINE__, "%s", f.text);
    arena_on_reset(a, close_later, source.model, 0);
    arena_on_reset(a, close_later, found, 0);
    return s;
}

static const struct static_tensor *named(const struct static_check *s, const char *name)
{
    for (size_t i = 0; i < s->ntensors; i++)
        if (strcmp(s->tensor[i].name, name) == 0)
            return &s->tensor[i];
    return NULL;
}

/* One damaged tensor, whose finding begins so. */
static bool finds(const struct static_check *s, const char *name, const char *text)
{
    const struct static_tensor *t = named(s, name);

    if (t && s->damaged && t->state == STATIC_DAMAGED && t->finding && strncmp(t->finding, text, strlen(text)) == 0)
        return true;
    printf("%s: %s, %s\n", name, t ? static_state_word(t->state) : "not listed", t && t->finding ? t->finding : "no finding");
    return false;
}

TEST(static_every_encoding_is_exact)
{
    for (size_t i = 0; i < qtype_count(); i++) {
        const struct qtype *t = qtype_at(i);
        struct arena a = {0};
        float one[256] = { 0.5f }, back[256];
        uint8_t bytes[2048];

        if (!t->encode || t->gguf_id < 0 || t->needs_weight || t->block > 256)
            continue;
        t->encode(one, NULL, bytes, 1, (size_t)(256 / t->block));
        t->decode(bytes, back, (size_t)(256 / t->block));
        if (back[0] == 0)
            continue;                                       /* whole numbers */
        struct static_check s = check(spoilt(t->name), &a);
        if (s.damaged || s.count[STATIC_EXACT] != s.ntensors)
            test_failed(__FILE__, __LINE__, "%s: %zu of %zu exact", t->label, s.count[STATIC_EXACT], s.ntensors);
        arena_release(&a);
    }
}

static void swap(struct model *m, const char *one, const char *other)
{
    uint8_t *a = tiny_data(m, one), *b = tiny_data(m, other);

    for (uint64_t i = tensor_bytes(model_tensor(m, one)); i-- > 0;) {
        uint8_t c = a[i];
        a[i] = b[i], b[i] = c;
    }
}

static const char *const types[] = { "f32", "bf16", "q8_0", "q4_k", "iq4_xs", "q2_k" };
enum { NTYPES = sizeof types / sizeof *types };

TEST(static_names_swapped_queries_and_keys)
{
    for (size_t i = 0; i < NTYPES; i++) {
        struct arena a = {0};
        struct model *m = spoilt(types[i]);
        swap(m, "blk.1.attn_q.weight", "blk.1.attn_k.weight");
        struct static_check s = check(m, &a);
        CHECK(finds(&s, "blk.1.attn_q.weight", "holds what belongs to 'blk.1.attn_k.weight'"));
        CHECK(finds(&s, "blk.1.attn_k.weight", "holds what belongs to 'blk.1.attn_q.weight'"));
        CHECK_U64(s.count[STATIC_DAMAGED], 2);
        arena_release(&a);
    }
}

TEST(static_names_a_shifted_layer)
{
    static const char *const parts[] = { "attn_norm", "attn_q", "attn_v", "ffn_down" };

    for (size_t i = 0; i < NTYPES; i++) {
        struct arena a = {0};
        struct model *m = spoilt(types[i]);
        for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
            for (int layer = 0; layer < 2; layer++)         /* 0 1 2 -> 1 2 0 */
                swap(m, arena_printf(&a, "blk.%d.%s.weight", layer, parts[k]), arena_printf(&a, "blk.%d.%s.weight", layer + 1, parts[k]));
        struct static_check s = check(m, &a);
        for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
            for (int layer = 0; layer < 3; layer++)
                CHECK(finds(&s, arena_printf(&a, "blk.%d.%s.weight", layer, parts[k]),
                            arena_printf(&a, "holds what belongs to 'blk.%d.%s.weight'", (layer + 1) % 3, parts[k])));
        arena_release(&a);
    }
}

TEST(static_names_a_missing_permutation)
{
    for (size_t i = 0; i < NTYPES; i++) {
        struct arena a = {0};
        struct model *m = spoilt(types[i]);
        const struct tensor *t = model_tensor(m, "blk.2.attn_q.weight");
        size_t row = tensor_row_bytes(t);
        uint8_t *data = tiny_data(m, t->name), *copy = (uint8_t *)arena_copy(&a, data, tensor_bytes(t));
        for (size_t head = 0; head < 4; head++)
            for (size_t k = 0; k < 64; k++)
                memcpy(data + (head * 64 + k) * row, copy + (head * 64 + k % 2 * 32 + k / 2) * row, row);
        struct static_check s = check(m, &a);
        CHECK(finds(&s, "blk.2.attn_q.weight", "rows stand in another order"));
        CHECK_U64(s.count[STATIC_DAMAGED], 1);
        arena_release(&a);
    }
}

TEST(static_names_a_forgotten_transpose)
{
    struct arena a = {0};
    struct model *m = spoilt(NULL);
    float *x = tiny_data(m, "blk.0.attn_output.weight");

    for (size_t i = 0; i < 256; i++)
        for (size_t k = 0; k < i; k++) {
            float y = x[i * 256 + k];
            x[i * 256 + k] = x[k * 256 + i];
            x[k * 256 + i] = y;
        }
    struct static_check s = check(m, &a);
    CHECK(finds(&s, "blk.0.attn_output.weight", "rows and columns are exchanged"));
    arena_release(&a);
}

/* One row of the source with flipped signs, encoded. */
TEST(static_names_a_flipped_row)
{
    for (size_t i = 0; i < NTYPES; i++) {
        struct arena a = {0};
        struct model *m = spoilt(types[i]), *plain = spoilt(NULL);
        const struct tensor *t = model_tensor(m, "blk.0.ffn_up.weight");
        float *x = (float *)tiny_data(plain, t->name) + 137 * 256;
        for (int k = 0; k < 256; k++)
            x[k] = -x[k];
        t->type->encode(x, NULL, (uint8_t *)tiny_data(m, t->name) + 137 * tensor_row_bytes(t), 1, 256 / (size_t)t->type->block);
        struct static_check s = check(m, &a);
        CHECK(finds(&s, t->name, "1 row of 512 does not fit, the first is row 137: its signs are flipped"));
        CHECK_U64(named(&s, t->name)->result.bad_row, 137);
        CHECK_U64(s.count[STATIC_DAMAGED], 1);
        model_close(plain);
        arena_release(&a);
    }
}

/* Some bytes in the middle of a block. */
TEST(static_names_a_corrupted_block)
{
    for (size_t i = 0; i < NTYPES; i++) {
        struct arena a = {0};
        struct model *m = spoilt(types[i]);
        const struct tensor *t = model_tensor(m, "blk.1.ffn_gate.weight");
        uint8_t *data = (uint8_t *)tiny_data(m, t->name) + 300 * tensor_row_bytes(t) + (size_t)t->type->nbytes / 2;
        for (int k = 0; k < (t->type->block == 1 ? 1 : 8); k++)
            data[k] ^= 0xff;
        struct static_check s = check(m, &a);
        const struct static_tensor *found = named(&s, t->name);
        CHECK(found && found->state == STATIC_DAMAGED && found->finding);
        CHECK_U64(found->result.bad_row, 300);
        CHECK_U64(found->result.bad_rows, 1);
        CHECK(strstr(found->finding, "row 300") && strstr(found->finding, "of the file"));
        arena_release(&a);
    }
}

/* One level of a q4_k block, a low nibble from byte 16 on, a step up or down: nearly as near to the weight, or much further from it. */
static bool step(uint8_t *block, const float *x, bool near, const struct qtype *t)
{
    float y[256], z[256];

    t->decode(block, y, 1);
    for (int at = 16; at < t->nbytes; at++)
        for (int by = -1; by <= 1; by += 2) {
            int level = (block[at] & 15) + by, i = 0;
            uint8_t kept = block[at];
            if (level < 0 || level > 15)
                continue;
            block[at] = (uint8_t)((kept & 0xf0) | level);
            t->decode(block, z, 1);
            while (i < 255 && y[i] == z[i])
                i++;
            double off = fabs((double)x[i] - (double)z[i]) / fabs((double)x[i] - (double)y[i]);
            if (near ? off > 1 && off < 1.3 : off > 4)
                return true;
            block[at] = kept;
        }
    return false;
}

TEST(static_tells_a_single_level_from_a_rounding)
{
    for (int near = 0; near < 2; near++) {
        struct arena a = {0};
        struct model *m = spoilt("q4_k"), *plain = spoilt(NULL);
        const struct tensor *t = model_tensor(m, "blk.1.ffn_gate.weight");
        uint8_t *block = (uint8_t *)tiny_data(m, t->name) + 300 * tensor_row_bytes(t);
        CHECK(step(block, (const float *)tiny_data(plain, t->name) + 300 * 256, near, t->type));
        struct static_check s = check(m, &a);
        const struct static_tensor *found = named(&s, t->name);
        CHECK(found && found->state == (near ? STATIC_FITS : STATIC_DAMAGED) && s.damaged == !near);
        CHECK(found && found->finding && strstr(found->finding, near ? "differs from Bantam's encoder in 1 block of 512" : "1 block of 512"));
        CHECK(found && strstr(found->finding, "row 300"));
        model_close(plain);
        arena_release(&a);
    }
}

TEST(static_names_what_became_of_all_weights)
{
    static const struct {
        float factor, add;
        const char *text;
    } cases[] = { { -1, 0, "every sign is flipped" }, { 0, 0, "every weight is zero" }, { 1, -1, "every weight is 1 less than expected" },
                  { 3, 0, "every weight is multiplied by 3" } };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena a = {0};
        struct model *m = spoilt(NULL);
        float *x = tiny_data(m, "blk.2.ffn_norm.weight");
        for (int k = 0; k < 256; k++)
            x[k] = cases[i].factor * x[k] + cases[i].add;
        struct static_check s = check(m, &a);
        CHECK(finds(&s, "blk.2.ffn_norm.weight", cases[i].text));
        arena_release(&a);
    }
}

TEST(static_names_weights_that_are_no_numbers)
{
    struct arena a = {0};
    struct model *m = spoilt(NULL);
    float *x = tiny_data(m, "blk.0.ffn_down.weight");

    x[5 * 512 + 7] = NAN;
    x[6 * 512] = INFINITY;
    struct static_check s = check(m, &a);
    CHECK(finds(&s, "blk.0.ffn_down.weight", "2 weights are NaN or infinite, the first is number 7 of row 5"));
    arena_release(&a);
}

TEST(static_names_missing_extra_and_reshaped_tensors)
{
    struct arena a = {0};
    struct model *m = spoilt("q8_0");
    struct tensor *t = (struct tensor *)(uintptr_t)model_tensor(m, "blk.0.attn_v.weight");
    struct tensor *down = (struct tensor *)(uintptr_t)model_tensor(m, "blk.0.ffn_down.weight");
    uint64_t rows = down->shape[0];

    t->name = "blk.0.attn_w.weight";
    m->names = (struct name_index){0};
    down->shape[0] = down->shape[1];
    down->shape[1] = rows;
    struct static_check s = check(m, &a);
    CHECK(s.damaged);
    CHECK_U64(s.count[STATIC_MISSING], 1);
    CHECK_U64(s.count[STATIC_EXTRA], 1);
    CHECK_U64(s.count[STATIC_RESHAPED], 1);
    CHECK_STR(named(&s, "blk.0.attn_w.weight")->finding, "holds what belongs to 'blk.0.attn_v.weight'");
    CHECK(named(&s, "blk.0.ffn_down.weight")->finding);
    CHECK(strncmp(named(&s, "blk.0.ffn_down.weight")->finding, "has the shape [512, 256] instead of [256, 512]", 46) == 0);
    arena_release(&a);
}

/* An output matrix that repeats the embeddings is what some converters write for tied models. */
TEST(static_lets_repeated_embeddings_pass)
{
    struct tiny tied = wide;
    struct arena a = {0};
    struct static_check s = {0};
    struct fail f = {0};

    tied.tied = true;
    struct model *expected = tiny_model(&tied), *found = tiny_model(&wide);
    const struct static_source source = { .model = expected };
    memcpy(tiny_data(found, "output.weight"), tiny_data(found, "token_embd.weight"), tensor_bytes(model_tensor(found, "output.weight")));
    CHECK(static_compare(&source, found, NULL, &a, &s, &f) == 0 && !s.damaged);
    CHECK_U64(s.count[STATIC_REPEATS], 1);
    ((float *)tiny_data(found, "output.weight"))[3] += 1;
    CHECK(static_compare(&source, found, NULL, &a, &s, &f) == 0 && s.damaged);
    model_close(expected);
    model_close(found);
    arena_release(&a);
}

/* By way of a 16-bit file: rounded twice, and found to be so. */
TEST(static_knows_the_way_by_f16)
{
    struct arena a = {0};
    struct model *m = spoilt("q4_k"), *plain = spoilt(NULL);
    const struct tensor *t = model_tensor(m, "blk.1.ffn_up.weight");
    const struct qtype *f16 = qtype_named("f16");
    size_t n = (size_t)tensor_weights(t);
    float *x = tiny_data(plain, t->name);
    uint16_t *half = arena_array(&a, uint16_t, n);

    f16->encode(x, NULL, half, 1, n);
    f16->decode(half, x, n);
    t->type->encode(x, NULL, tiny_data(m, t->name), (size_t)tensor_rows(t), (size_t)tensor_row(t) / 256);
    struct static_check s = check(m, &a);
    const struct static_tensor *found = named(&s, t->name);
    CHECK(!s.damaged && found->state == STATIC_EXACT && found->result.exact[ROAD_F16] > 0);
    model_close(plain);
    arena_release(&a);
}

/* ---- keys ---- */
static struct key_list keys_of(void (*change)(struct meta *, struct arena *), struct arena *a)
{
    struct model *x = tiny_model(&wide), *y = tiny_model(&wide);
    struct key_list list;
    const struct key_pair pair = { .expected_meta = &x->meta, .found_meta = &y->meta };

    meta_set_str(&x->meta, a, "general.name", "a model");
    meta_set_str(&y->meta, a, "general.name", "a model");
    change(&y->meta, a);
    keys_compare(&pair, a, &list);
    model_close(x);
    model_close(y);
    return list;
}

static void wrong_base(struct meta *m, struct arena *a) { meta_set_f32(m, a, "llama.rope.freq_base", 500000); }
static void other_name(struct meta *m, struct arena *a) { meta_set_str(m, a, "general.name", "another"); }
static void no_base(struct meta *m, struct arena *a) { (void)a, meta_remove(m, "llama.rope.freq_base"); }
static void no_eps(struct meta *m, struct arena *a) { (void)a, meta_remove(m, "llama.attention.layer_norm_rms_epsilon"); }
static void wide_type(struct meta *m, struct arena *a) { meta_set(m, a, "llama.block_count", (struct meta_value){ .type = META_UINT64, .u = 3 }); }
static void extra(struct meta *m, struct arena *a) { meta_set_f32(m, a, "llama.attention.scale", 0.5f), meta_set_u32(m, a, "somebody.key", 1); }
static void nothing(struct meta *m, struct arena *a) { (void)m, (void)a; }

TEST(static_tells_keys_that_matter_from_those_that_describe)
{
    static const struct {
        void (*change)(struct meta *, struct arena *);
        size_t n, damage;
        const char *key;
    } cases[] = {
        { nothing, 0, 0, NULL }, { wrong_base, 1, 1, "llama.rope.freq_base" }, { other_name, 1, 0, "general.name" },
        { no_base, 0, 0, NULL },                            /* 10000 is what readers assume */
        { no_eps, 1, 1, "llama.attention.layer_norm_rms_epsilon" }, { wide_type, 1, 1, "llama.block_count" },
        { extra, 2, 1, "llama.attention.scale" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena a = {0};
        struct key_list list = keys_of(cases[i].change, &a);
        size_t damage = 0;
        CHECK_U64(list.n, cases[i].n);
        for (size_t k = 0; k < list.n; k++)
            damage += list.item[k].damage;
        CHECK_U64(damage, cases[i].damage);
        if (list.n)
            CHECK_STR(list.item[0].key, cases[i].key);
        arena_release(&a);
    }
}
