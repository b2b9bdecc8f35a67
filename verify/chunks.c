/* chunks.c - text to chunks. */
#include "verify/chunks.h"

#include "formats/file.h"

enum { BATCH = 2048, MICRO_BATCH = 512, LEAST_COUNTED = 16 };  /* tokens, of llama-imatrix */

static int too_short(size_t ntokens, size_t context, struct fail *f)
{
    fail(f, FAIL_INPUT, "the text is too short: %zu tokens, where two contexts of %zu are needed", ntokens, context);
    return ntokens >= 16 ? fail_hint(f, "take a longer text, or --context %zu or less", ntokens / 2)
                         : fail_hint(f, "take a longer text");
}

int chunks_read(struct chunks *c, const struct vocab *v, const char *text, size_t nbytes, const struct chunk_options *options,
                struct arena *a, struct fail *f)
{
    struct token_options how = { .add_special = true, .parse_special = options->parse_special };
    struct tokenizer *t = tokenizer_open(v, f);
    size_t ntokens = 0;

    if (!t)
        return -1;
    if (nbytes && text[nbytes - 1] == '\n')
        nbytes--;
    c->token = tokenizer_encode(t, text, nbytes, how, a, &ntokens, f);
    tokenizer_close(t);
    if (!c->token)
        return -1;
    if (ntokens / 2 < options->context)
        return too_short(ntokens, options->context, f);
    c->context = options->context;
    c->n = ntokens / c->context;
    if (options->most && options->most < c->n)
        c->n = options->most;
    for (size_t k = 0; k < c->n && v->add_bos && v->bos >= 0; k++)
        c->token[k * c->context] = v->bos;
    return 0;
}

/* A micro-batch takes as many tokens of each of the chunks in a batch. What remains of them is the last one:
 *
 *     3 chunks of 512 tokens      170 + 170 + 170     170 + 170 + 170     170 + 170 + 170     2 + 2 + 2: not counted
 */
size_t chunk_counted(size_t context, size_t n, size_t k)
{
    size_t beside = max_u64(1, BATCH / context), first = k / beside * beside, chunks = min_u64(beside, n - first);
    size_t each = max_u64(1, MICRO_BATCH / chunks), last = ((context - 1) % BATCH + 1) % each;

    return last * chunks < LEAST_COUNTED ? context - last : context;
}
