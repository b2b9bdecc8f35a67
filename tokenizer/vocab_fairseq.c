/* vocab_fairseq.c - the vocabulary of XLM-RoBERTa: a unigram model of SentencePiece under the ids that fairseq gave its pieces, which
 * are those of the embeddings. See opening.h.
 *
 *     SentencePiece    <unk> <s> </s>  piece 3  piece 4 ...  piece n-1
 *     fairseq          <s> <pad> </s> <unk>  piece 3  piece 4 ...  piece n-1  (<mask>)
 *
 * As convert_hf_to_gguf.py has it the last id is no <mask> but padding. */
#include "tokenizer/opening.h"

#include <inttypes.h>
#include <string.h>

enum { FIRST = 3, SHIFT = 1 };      /* the first piece that is not special to SentencePiece; by how many ids the others move */

static const struct {
    const char *text;
    enum piece_type type;
} special[FIRST + SHIFT] = {
    { "<s>", PIECE_CONTROL }, { "<pad>", PIECE_CONTROL }, { "</s>", PIECE_CONTROL }, { "<unk>", PIECE_UNKNOWN },
};

/* Added tokens that the model itself has move along; their list is made anew, since it is found by id. */
static void move_added(struct source *s)
{
    size_t n = s->nadded;
    struct added_token *list = arena_array(s->tmp, struct added_token, n + 1);

    if (n)
        memcpy(list, s->added, n * sizeof *list);
    memset(s->added_at, 0, s->n * sizeof *s->added_at);
    s->nadded = 0;
    for (size_t i = 0; i < n; i++) {
        list[i].id += SHIFT;
        if (list[i].id >= FIRST + SHIFT)
            source_add(s, list[i]);
    }
}

static void move_pieces(struct source *s)
{
    uint64_t n = s->n;

    source_reserve(s, n + SHIFT - 1);
    for (uint64_t i = n; i-- > FIRST;)
        source_set(s, i + SHIFT, s->piece[i], s->score[i], s->type[i]);
    for (uint64_t i = 0; i < FIRST + SHIFT; i++)
        source_set(s, i, (struct meta_string){ special[i].text, strlen(special[i].text) }, 0, (int32_t)special[i].type);
    s->unk = FIRST;
}

/* <mask> and others that tokenizer.json finds in a text: GGUF's list has them as padding. */
static int add_from_json(struct opening *o)
{
    const cJSON *item;
    uint64_t id;

    cJSON_ArrayForEach(item, o->json->added_tokens) {
        const char *content = json_str(item, "content", NULL);

        if (!content || !*content || !json_u64(cJSON_GetObjectItemCaseSensitive(item, "id"), &id) || id >= o->s.n)
            return fail(o->f, FAIL_INPUT, "tokenizer.json has an added token without content, or with an id that sentencepiece.bpe.model and the "
                        "embeddings do not have");
        source_add(&o->s, (struct added_token){
            .text = pool_copy(&o->pool, content, strlen(content)), .id = (int32_t)id, .special = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(item, "special")),
            .lstrip = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(item, "lstrip")), .rstrip = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(item, "rstrip")) });
    }
    return 0;
}

/* What transformers runs, where it is there and understood; the pieces stay those of the model. */
static int take_json_rules(struct opening *o)
{
    struct vocab_rules theirs = o->s.rules;
    struct fail unknown = {0};

    if (!o->json || strcmp(json_str(o->json->model, "type", ""), "Unigram") != 0)
        return 0;
    if (hf_rules_read(o->json->normalizer, o->json->pre_tokenizer, &theirs, o->s.a, &unknown) == 0 && !theirs.byte_level)
        o->s.rules = theirs;
    return add_from_json(o);
}

int opening_complete_fairseq(struct opening *o)
{
    struct source *s = &o->s;
    uint64_t mask;

    if (s->rules.algorithm != ALGORITHM_UNIGRAM || s->n < FIRST)
        return fail(o->f, FAIL_INPUT, "sentencepiece.bpe.model is no unigram model, as XLM-RoBERTa's is");
    if (o->nrows && s->n + SHIFT > o->nrows)
        return fail(o->f, FAIL_INPUT, "sentencepiece.bpe.model needs %" PRIu64 " ids, but the model has only %" PRIu64 " embedding rows",
                    s->n + SHIFT, o->nrows);
    move_pieces(s);
    move_added(s);
    mask = s->n;
    if (!o->nrows)
        source_reserve(s, mask);
    opening_pad(o, SHIFT);
    if (mask < s->n)
        source_add(s, (struct added_token){ .text = { "<mask>", strlen("<mask>") }, .id = (int32_t)mask, .special = true });
    o->v->model = VOCAB_UNIGRAM;
    return take_json_rules(o);
}
