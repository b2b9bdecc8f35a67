/* vocab.c - a vocabulary from tokenizer.* keys, and what one from a directory (vocab_dir.c) ends with as well. */
#include "tokenizer/vocab.h"
#include "tokenizer/rules.h"

#include <inttypes.h>
#include <string.h>

const char *const vocab_model_names[] = { [VOCAB_SPM] = "llama", [VOCAB_BPE] = "gpt2", [VOCAB_UNIGRAM] = "t5", [VOCAB_WORDPIECE] = "bert" };

/* ---- what both sources end with: fields out of keys, added tokens out of types ---- */

static int32_t key_id(const struct vocab *v, const char *key, int64_t fallback)
{
    uint64_t id = meta_u64(&v->meta, key, fallback < 0 ? UINT64_MAX : (uint64_t)fallback);

    return id < v->n ? (int32_t)id : -1;
}

/* What readers of GGUF take for granted where a key is missing (llama.cpp: llama_vocab::impl::load); -1: none. */
static const struct default_ids {
    int bos, eos, unk, sep, pad, mask;
} default_ids[] = {
    [VOCAB_SPM] = { 1, 2, 0, -1, -1, -1 },
    [VOCAB_BPE] = { -1, -1, -1, -1, -1, -1 },
    [VOCAB_UNIGRAM] = { -1, 1, 2, -1, -1, -1 },
    [VOCAB_WORDPIECE] = { 101, -1, 100, 102, 0, 103 },
};

void vocab_read_fields(struct vocab *v, bool pre_adds_bos)
{
    const struct default_ids *d = &default_ids[v->model];
    bool bert = v->model == VOCAB_WORDPIECE;

    v->cls = key_id(v, "tokenizer.ggml.cls_token_id", -1);
    v->bos = key_id(v, "tokenizer.ggml.bos_token_id", bert && v->cls >= 0 ? v->cls : d->bos);
    v->eos = key_id(v, "tokenizer.ggml.eos_token_id", d->eos);
    v->unk = key_id(v, "tokenizer.ggml.unknown_token_id", d->unk);
    v->sep = key_id(v, "tokenizer.ggml.seperator_token_id", d->sep);
    v->pad = key_id(v, "tokenizer.ggml.padding_token_id", d->pad);
    v->mask = key_id(v, "tokenizer.ggml.mask_token_id", d->mask);
    v->eot = key_id(v, "tokenizer.ggml.eot_token_id", -1);
    if (bert)                   /* whatever the keys say: a text stands between [CLS] and [SEP] */
        v->eos = v->sep;
    v->add_bos = v->bos >= 0 && (bert || meta_bool(&v->meta, "tokenizer.ggml.add_bos_token", v->model == VOCAB_SPM || pre_adds_bos));
    v->add_eos = v->eos >= 0 && (bert || meta_bool(&v->meta, "tokenizer.ggml.add_eos_token", v->model == VOCAB_UNIGRAM));
    v->add_space_prefix = meta_bool(&v->meta, VOCAB_SOURCE_PREFIX,
                                    meta_bool(&v->meta, "tokenizer.ggml.add_space_prefix", v->model != VOCAB_BPE && !bert));
}

void vocab_add_by_type(const struct vocab *v, struct vocab_rules *r, struct source *known, struct arena *a)
{
    struct added_token *list;
    size_t n = 0;

    for (uint64_t i = 0; i < v->n; i++)
        n += v->type[i] == PIECE_CONTROL || v->type[i] == PIECE_UNKNOWN || v->type[i] == PIECE_USER_DEFINED
             || (known && source_added(known, (int32_t)i));
    list = arena_array(a, struct added_token, n + 1);
    n = 0;
    for (uint64_t i = 0; i < v->n; i++) {
        const struct added_token *more = known ? source_added(known, (int32_t)i) : NULL;

        if (more)
            list[n++] = *more;
        else if (v->type[i] == PIECE_CONTROL || v->type[i] == PIECE_UNKNOWN || v->type[i] == PIECE_USER_DEFINED)
            list[n++] = (struct added_token){ .text = v->model == VOCAB_WORDPIECE ? wordpiece_text(v->piece[i]) : v->piece[i], .id = (int32_t)i, .special = v->type[i] != PIECE_USER_DEFINED };
    }
    r->added = list;
    r->nadded = n;
}

/* ---- from GGUF keys ---- */

static const struct meta_array *array_key(const struct meta *m, const char *key, enum meta_type type, uint64_t n, bool *bad, struct fail *f)
{
    const struct meta_value *v = meta_get(m, key);

    if (!v)
        return NULL;
    if (v->type != META_ARRAY || v->a.type != type)
        *bad = fail(f, FAIL_INPUT, "key '%s' is no array of %s", key, meta_type_name(type)) != 0;
    else if (n && v->a.n != n)
        *bad = fail(f, FAIL_INPUT, "key '%s' has %" PRIu64 " items, but there are %" PRIu64 " pieces", key, v->a.n, n) != 0;
    return *bad ? NULL : &v->a;
}

static int read_arrays(struct vocab *v, const struct meta *m, struct arena *a, struct fail *f)
{
    bool bad = false;
    const struct meta_array *tokens = array_key(m, "tokenizer.ggml.tokens", META_STRING, 0, &bad, f), *scores, *types, *merges;

    if (bad || !tokens)
        return fail(f, FAIL_INPUT, "key 'tokenizer.ggml.tokens' is missing");
    if (tokens->n > INT32_MAX)
        return fail(f, FAIL_INPUT, "the vocabulary has %" PRIu64 " pieces", tokens->n);
    v->n = tokens->n;
    scores = v->model == VOCAB_BPE ? NULL       /* has no use for them, and converters write them as they please */
                                   : array_key(m, "tokenizer.ggml.scores", META_FLOAT32, v->n, &bad, f);
    types = array_key(m, "tokenizer.ggml.token_type", META_INT32, v->n, &bad, f);
    merges = array_key(m, "tokenizer.ggml.merges", META_STRING, 0, &bad, f);
    if (bad)
        return -1;
    if (!scores && (v->model == VOCAB_SPM || v->model == VOCAB_UNIGRAM))
        return fail(f, FAIL_INPUT, "key 'tokenizer.ggml.scores' is missing");
    if (!merges && v->model == VOCAB_BPE)
        return fail(f, FAIL_INPUT, "key 'tokenizer.ggml.merges' is missing");
    v->piece = (struct meta_string *)(uintptr_t)tokens->items;
    v->score = v->model == VOCAB_BPE || !scores ? NULL : (float *)(uintptr_t)scores->items;
    v->type = types ? (int32_t *)(uintptr_t)types->items : arena_array(a, int32_t, v->n);
    for (uint64_t i = 0; !types && i < v->n; i++)
        v->type[i] = PIECE_NORMAL;
    if (v->model == VOCAB_BPE) {
        v->merge = (struct meta_string *)(uintptr_t)merges->items;
        v->nmerges = merges->n;
    }
    return 0;
}

/* What readers of GGUF do with SentencePiece vocabularies: a space in front of each stretch of text, spaces made
 * visible; a unigram one with its table of characters and single spaces. */
static void spm_rules(const struct vocab *v, struct vocab_rules *r, struct arena *a)
{
    struct step *step = arena_array(a, struct step, 5);
    const struct meta_value *charsmap = meta_get(&v->meta, "tokenizer.ggml.precompiled_charsmap");
    bool squeeze = v->model == VOCAB_UNIGRAM && meta_bool(&v->meta, "tokenizer.ggml.remove_extra_whitespaces", false);
    size_t n = 0;

    r->algorithm = v->model == VOCAB_SPM ? ALGORITHM_SCORES : ALGORITHM_UNIGRAM;
    r->fuse_unk = true;
    for (uint64_t i = 0; i < v->n && !r->byte_fallback; i++)
        r->byte_fallback = v->type[i] == PIECE_BYTE;
    if (v->model == VOCAB_UNIGRAM && charsmap && charsmap->type == META_ARRAY && meta_type_bytes(charsmap->a.type) == 1)
        step[n++] = (struct step){ .kind = STEP_CHARSMAP, .text = charsmap->a.items, .ntext = charsmap->a.n };
    if (squeeze)
        step[n++] = (struct step){ .kind = STEP_SQUEEZE };
    if (v->add_space_prefix)
        step[n++] = (struct step){ .kind = STEP_PREPEND, .text = " " };
    step[n++] = (struct step){ .kind = STEP_REPLACE, .literal = true, .text = " ", .with = LOWER_ONE_EIGHTH };
    r->strip_prefix = v->add_space_prefix || squeeze;
    r->norm = step;
    r->split = arena_new(a, struct step);
}

/* Accents go with upper case where no key says otherwise. */
static void wordpiece_rules(const struct vocab *v, struct vocab_rules *r, struct arena *a)
{
    bool lowercase = meta_bool(&v->meta, "tokenizer.ggml.normalizer.lowercase", true);

    r->algorithm = ALGORITHM_WORDPIECE;
    r->longest_word = BERT_LONGEST_WORD;
    r->strip_prefix = true;
    bert_set_rules(r, (struct bert_rules){ true, true, meta_bool(&v->meta, "tokenizer.ggml.normalizer.strip_accents", lowercase), lowercase }, a);
}

static int model_named(const char *name, enum vocab_model *model, struct fail *f)
{
    for (int i = 0; i <= VOCAB_WORDPIECE; i++)
        if (strcmp(name, vocab_model_names[i]) == 0) {
            *model = (enum vocab_model)i;
            return 0;
        }
    return fail(f, FAIL_INPUT, "tokenizer model '%s' is not supported: only llama, gpt2, t5 and bert are", name);
}

struct vocab *vocab_open_meta(const struct meta *m, struct arena *a, struct fail *f)
{
    const char *name = meta_str(m, "tokenizer.ggml.model", NULL);
    struct vocab *v = arena_new(a, struct vocab);
    struct vocab_rules *r = arena_new(a, struct vocab_rules);
    const struct pre_kind *kind = NULL;

    if (!name) {
        fail(f, FAIL_INPUT, "key 'tokenizer.ggml.model' is missing: the file has no vocabulary");
        return NULL;
    }
    if (model_named(name, &v->model, f) || read_arrays(v, m, a, f))
        return NULL;
    v->pre = meta_str(m, "tokenizer.ggml.pre", "default");
    if (v->model == VOCAB_BPE && !(kind = pre_kind_required(meta_str(m, VOCAB_SOURCE_PRE, v->pre), f)))
        return NULL;
    for (size_t i = 0; i < m->n; i++)
        if (strncmp(m->entry[i].key, "tokenizer.", 10) == 0)
            meta_append(&v->meta, a, m->entry[i].key, m->entry[i].value);
    vocab_read_fields(v, kind && kind->add_bos);
    if (kind) {
        r->algorithm = ALGORITHM_PAIRS;
        r->byte_level = true;
        r->ignore_merges = kind->ignore_merges;
        r->norm = arena_new(a, struct step);
        r->split = kind->split;
    } else if (v->model == VOCAB_WORDPIECE) {
        wordpiece_rules(v, r, a);
    } else {
        spm_rules(v, r, a);
    }
    vocab_add_by_type(v, r, NULL, a);
    v->rules = r;
    return v;
}
