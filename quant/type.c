/* type.c - finding an encoding in the table of the instruction set in force. */
#include "quant/type.h"
#include "quant/isa.h"

#include <string.h>
#include <strings.h>

enum {
#define ROW(t) ROW_##t,
#include "quant/types.def"
#undef ROW
    NROWS
};

size_t qtype_count(void)
{
    return NROWS;
}

const struct qtype *qtype_at(size_t i)
{
    return isa_current()->types[i];
}

const struct qtype *qtype_named(const char *name)
{
    for (size_t i = 0; i < qtype_count(); i++)
        if (strcasecmp(qtype_at(i)->name, name) == 0)
            return qtype_at(i);
    return NULL;
}

const struct qtype *qtype_of_gguf(uint32_t gguf_id)
{
    for (size_t i = 0; i < qtype_count(); i++)
        if (qtype_at(i)->gguf_id >= 0 && (uint32_t)qtype_at(i)->gguf_id == gguf_id)
            return qtype_at(i);
    return NULL;
}

const struct qtype *qtype_of_safetensors(const char *dtype)
{
    for (size_t i = 0; i < qtype_count(); i++)
        if (qtype_at(i)->safetensors && strcmp(qtype_at(i)->safetensors, dtype) == 0)
            return qtype_at(i);
    return NULL;
}

uint64_t qtype_row_bytes(const struct qtype *t, uint64_t n)
{
    return n % (uint64_t)t->block ? 0 : n / (uint64_t)t->block * (uint64_t)t->nbytes;
}
