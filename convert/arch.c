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

bool arch_match(const char *pattern, const char *name, size_t n, uint64_t *layer)
{
    const char *mark = strstr(pattern, "{L}"), *p;
    size_t before = mark ? (size_t)(mark - pattern) : strlen(pattern), after = mark ? strlen(mark + 3) : 0, digits;

    *layer = 0;
    if (n < before + after + (mark != NULL) || memcmp(pattern, name, before) != 0)
        return false;
    if (!mark)
        return n == before;
    p = name + before;
    digits = n - before - after;
    if (memcmp(mark + 3, p + digits, after) != 0 || digits > 9 || (*p == '0' && digits > 1))
        return false;
    for (; digits; digits--, p++) {
        if (*p < '0' || *p > '9')
            return false;
        *layer = *layer * 10 + (uint64_t)(*p - '0');
    }
    return true;
}

const char *arch_spell(struct arena *a, const char *pattern, uint64_t layer, bool bias)
{
    const char *mark = strstr(pattern, "{L}"), *ending = bias ? ".bias" : ".weight";

    if (!mark)
        return arena_printf(a, "%s%s", pattern, ending);
    return arena_printf(a, "%.*s%" PRIu64 "%s%s", (int)(mark - pattern), pattern, layer, mark + 3, ending);
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
    bool turned = theirs && map->layout == LAYOUT_TRANSPOSED && !bias;
    uint64_t want[2] = { arch_dim(m, name, turned ? map->cols : map->rows), bias ? 0 : arch_dim(m, name, turned ? map->rows : map->cols) };
    int rank = !bias && map->cols != DIM_NONE ? 2 : 1;
    char got_text[200], want_text[60];

    if (t->rank == rank && t->shape[0] == want[0] && (rank == 1 || t->shape[1] == want[1]))
        return 0;
    print_shape(got_text, sizeof got_text, t->rank, t->shape);
    print_shape(want_text, sizeof want_text, rank, want);
    return fail(f, FAIL_INPUT, "tensor '%s' has the shape %s, but %s implies %s", t->name, got_text, implied_by, want_text);
}
