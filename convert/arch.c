/* arch.c - finding a model family in the table. */
#include "convert/arch.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ROW(a) extern const struct arch arch_##a;
#include "convert/archs.def"
#undef ROW

static const struct arch *const table[] = {
#define ROW(a) &arch_##a,
#include "convert/archs.def"
#undef ROW
};

enum {
#define ROW(a) ROW_##a,
#include "convert/archs.def"
#undef ROW
    NROWS
};

size_t arch_count(void)
{
    return NROWS;
}

const struct arch *arch_at(size_t i)
{
    assert(i < arch_count());
    return table[i];
}

const struct arch *arch_of_class(const char *hf_class)
{
    for (size_t i = 0; i < arch_count(); i++)
        for (const char *const *c = table[i]->hf_classes; *c; c++)
            if (strcmp(*c, hf_class) == 0)
                return table[i];
    return NULL;
}

const struct arch *arch_named(const char *gguf_name)
{
    for (size_t i = 0; i < arch_count(); i++)
        if (strcmp(table[i]->name, gguf_name) == 0)
            return table[i];
    return NULL;
}

void arch_names(char *out, size_t nbytes)
{
    size_t at = 0;

    out[0] = '\0';
    for (size_t i = 0; i < arch_count() && at < nbytes; i++)
        if (arch_named(table[i]->name) == table[i])             /* Mixtral is a llama too */
            at += (size_t)snprintf(out + at, nbytes - at, "%s%s", at ? ", " : "", table[i]->name);
}

int act_named(const char *name)
{
    static const struct {
        const char *name;
        enum act_kind kind;
    } names[] = { { "silu", ACT_SILU }, { "swish", ACT_SILU }, { "gelu", ACT_GELU }, { "gelu_new", ACT_GELU_TANH },
                  { "gelu_pytorch_tanh", ACT_GELU_TANH }, { "gelu_fast", ACT_GELU_TANH }, { "relu", ACT_RELU } };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i].name, name) == 0)
            return (int)names[i].kind;
    return -1;
}

static uint64_t key_u64(const struct meta *m, const char *arch, const char *key, uint64_t fallback)
{
    char full[200];

    if ((size_t)snprintf(full, sizeof full, "%s.%s", arch, key) >= sizeof full)
        return 0;
    return meta_u64(m, full, fallback);
}

uint64_t arch_heads(const struct meta *m, const char *name, bool kv)
{
    uint64_t heads = key_u64(m, name, "attention.head_count", 0);

    return kv ? key_u64(m, name, "attention.head_count_kv", heads) : heads;
}

/* Many families have no key for it; then it is the number of tokens, which the converter made of the same number. */
static uint64_t vocabulary_size(const struct meta *m, const char *name)
{
    const struct meta_value *tokens = meta_get(m, "tokenizer.ggml.tokens");

    return key_u64(m, name, "vocab_size", tokens && tokens->type == META_ARRAY ? tokens->a.n : 0);
}

uint64_t arch_dim(const struct meta *m, const char *name, enum dim d)
{
    uint64_t heads = arch_heads(m, name, false), kv = arch_heads(m, name, true), width = key_u64(m, name, "embedding_length", 0),
             ff = key_u64(m, name, "feed_forward_length", 0), n = 1;

    switch (d) {
    case DIM_NONE:    return 0;
    case DIM_VOCAB:   return vocabulary_size(m, name);
    case DIM_EMBD:    return width;
    case DIM_FF:      return ff;
    case DIM_FF2:     return 2 * ff;
    case DIM_CONTEXT: return key_u64(m, name, "context_length", 0);
    case DIM_ONE:     return 1;
    case DIM_EXPERTS: return key_u64(m, name, "expert_count", 0);
    case DIM_FF_EXPERT: return key_u64(m, name, "expert_feed_forward_length", ff);
    case DIM_TOKEN_TYPES: return meta_u64(m, "tokenizer.ggml.token_type_count", 0);
    case DIM_LABELS: return key_u64(m, name, "label_count", 0);
    case DIM_FF_SHARED: return key_u64(m, name, "expert_shared_feed_forward_length", 0);
    case DIM_HEAD:    break;
    case DIM_Q:       n = heads; break;
    case DIM_KV:      n = kv; break;
    case DIM_QKV:     n = heads + 2 * kv; break;
    }
    if (__builtin_mul_overflow(n, key_u64(m, name, "attention.key_length", heads ? width / heads : 0), &n))
        return 0;
    return n;
}

int arch_check_heads(const struct meta *m, const char *name, struct fail *f)
{
    uint64_t heads = arch_heads(m, name, false), kv = arch_heads(m, name, true), dim = arch_dim(m, name, DIM_HEAD),
             width = arch_dim(m, name, DIM_EMBD);

    if (!heads || !kv || heads % kv)
        return fail(f, FAIL_INPUT, "num_attention_heads is %" PRIu64 ", no multiple of num_key_value_heads (%" PRIu64 ")",
                    heads, kv);
    if (!key_u64(m, name, "attention.key_length", 0) && width % heads)
        return fail(f, FAIL_INPUT, "hidden_size %" PRIu64 " is no multiple of num_attention_heads %" PRIu64, width, heads);
    if (!dim || (dim % 2 && arch_named(name)->block.rope != ROPE_NONE))
        return fail(f, FAIL_INPUT, "head_dim is %" PRIu64 ", but rotary positions turn pairs", dim);
    return 0;
}

/* A number without leading zeros, of at most 9 digits; the characters it takes, 0: none. */
static size_t read_number(const char *p, size_t n, uint64_t *out)
{
    size_t i = 0;

    *out = 0;
    for (; i < n && i <= 9 && p[i] >= '0' && p[i] <= '9'; i++)
        *out = *out * 10 + (uint64_t)(p[i] - '0');
    return i > 9 || (i > 1 && *p == '0') ? 0 : i;
}

/* The number that a mark "{L}" or "{E}" at `pattern` stands for; NULL: there is no mark. */
static uint64_t *marked(const char *pattern, struct place *p)
{
    return strncmp(pattern, "{L}", 3) == 0 ? &p->layer : strncmp(pattern, "{E}", 3) == 0 ? &p->expert : NULL;
}

bool arch_match(const char *pattern, const char *name, size_t n, struct place *place)
{
    const char *end = name + n;

    *place = (struct place){ 0, 0 };
    while (*pattern && name < end) {
        uint64_t *number = marked(pattern, place);
        size_t some = number ? read_number(name, (size_t)(end - name), number) : *pattern == *name;
        if (!some)
            return false;
        name += some;
        pattern += number ? 3 : 1;
    }
    return !*pattern && name == end;
}

const char *arch_spell(struct arena *a, const char *pattern, struct place place, const char *ending)
{
    const char *out = "";

    while (*pattern) {
        size_t n = strcspn(pattern, "{");
        const uint64_t *number = marked(pattern + n, &place);
        n += !number && pattern[n];                     /* another '{' */
        out = number ? arena_printf(a, "%s%.*s%" PRIu64, out, (int)n, pattern, *number) : arena_printf(a, "%s%.*s", out, (int)n, pattern);
        pattern += n + (number ? 3 : 0);
    }
    return arena_printf(a, "%s%s", out, ending);
}

static void print_shape(char *out, size_t room, int rank, const uint64_t *shape)
{
    size_t n = 0;

    out[0] = '\0';
    for (int i = 0; i < rank && n < room; i++)
        n += (size_t)snprintf(out + n, room - n, "%s%" PRIu64, i ? " x " : "", shape[i]);
}

int arch_check_shape(const struct meta *m, const char *name, const struct name_map *map, const struct tensor *t, bool bias,
                     bool theirs, const char *implied_by, struct fail *f)
{
    bool turned = theirs && map->layout == LAYOUT_TRANSPOSED && !bias, stacked = map->layout == LAYOUT_EXPERTS || map->layout == LAYOUT_EXPERTS_TRANSPOSED;
    bool half = map->layout == LAYOUT_STACKED_FIRST || map->layout == LAYOUT_STACKED_SECOND, deep = half || map->layout == LAYOUT_STACKED;
    uint64_t want[3] = { arch_dim(m, name, turned ? map->cols : map->rows), bias ? 0 : arch_dim(m, name, turned ? map->rows : map->cols) };
    if (theirs && map->layout == LAYOUT_BEHIND_PADDING && __builtin_add_overflow(want[0], key_u64(m, name, "position_offset", 0), &want[0]))
        want[0] = 0;
    if (deep) {
        want[2] = want[1];
        want[1] = want[0] << (theirs && half);
        want[0] = arch_dim(m, name, DIM_EXPERTS);
    }
    if (stacked && __builtin_mul_overflow(want[0], arch_dim(m, name, DIM_EXPERTS), &want[0]))
        want[0] = 0;
    int rank = deep ? 3 : !bias && map->cols != DIM_NONE ? 2 : 1;
    char got_text[200], want_text[60];

    if (t->rank == rank && t->shape[0] == want[0] && (rank == 1 || t->shape[1] == want[1]) && (rank < 3 || t->shape[2] == want[2]))
        return 0;
    print_shape(got_text, sizeof got_text, t->rank, t->shape);
    print_shape(want_text, sizeof want_text, rank, want);
    return fail(f, FAIL_INPUT, "tensor '%s' has the shape %s, but %s implies %s", t->name, got_text, implied_by, want_text);
}
