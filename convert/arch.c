/* arch.c - finding a model family in the table. */
#include "convert/arch.h"

#include <assert.h>
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

static const char count_rows[] = {
#define ROW(a) 0,
#include "convert/archs.def"
#undef ROW
};

size_t arch_count(void)
{
    return sizeof count_rows;
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

void arch_classes(char *out, size_t nbytes)
{
    size_t at = 0;

    out[0] = '\0';
    for (size_t i = 0; i < arch_count(); i++)
        for (const char *const *c = table[i]->hf_classes; *c && at < nbytes; c++)
            at += (size_t)snprintf(out + at, nbytes - at, "%s%s", at ? ", " : "", *c);
}

static uint64_t key_u64(const struct meta *m, const char *arch, const char *key)
{
    char full[200];

    if ((size_t)snprintf(full, sizeof full, "%s.%s", arch, key) >= sizeof full)
        return 0;
    return meta_u64(m, full, 0);
}

uint64_t arch_dim(const struct meta *m, const char *name, enum dim d)
{
    uint64_t n = 0;

    switch (d) {
    case DIM_NONE:  return 0;
    case DIM_VOCAB: return key_u64(m, name, "vocab_size");
    case DIM_EMBD:  return key_u64(m, name, "embedding_length");
    case DIM_FF:    return key_u64(m, name, "feed_forward_length");
    case DIM_Q:     n = key_u64(m, name, "attention.head_count"); break;
    case DIM_KV:    n = key_u64(m, name, "attention.head_count_kv"); break;
    }
    if (__builtin_mul_overflow(n, key_u64(m, name, "attention.key_length"), &n))
        return 0;
    return n;
}
