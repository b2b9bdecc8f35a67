/* vocab_keys.c - the keys that a vocabulary becomes, and the fields and rules of struct vocab. See opening.h. */
#include "tokenizer/opening.h"

#include <string.h>

static const char *architecture(const struct opening *o)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(o->config, "architectures"), *first = cJSON_GetArrayItem(list, 0);

    return cJSON_IsString(first) ? first->valuestring : "";
}

/* The classes whose conversion looks at add_prefix_space, and knows two vocabularies by their size. */
static bool is_llama_class(const struct opening *o)
{
    static const char *const classes[] = { "LlamaForCausalLM", "LLaMAForCausalLM", "MistralForCausalLM", "MixtralForCausalLM",
                                           "VLlama3ForCausalLM", "LlamaModel", "IQuestCoderForCausalLM" };

    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strcmp(architecture(o), classes[i]) == 0)
            return true;
    return false;
}

static void move_arrays(struct opening *o)
{
    struct vocab *v = o->v;
    struct source *s = &o->s;

    v->n = s->n;
    v->piece = arena_raw(s->a, v->n * sizeof *v->piece);
    v->type = arena_raw(s->a, v->n * sizeof *v->type);
    if (v->n) {
        memcpy(v->piece, s->piece, v->n * sizeof *v->piece);
        memcpy(v->type, s->type, v->n * sizeof *v->type);
    }
    if ((v->model == VOCAB_SPM || v->model == VOCAB_UNIGRAM) && v->n) {
        v->score = arena_raw(s->a, v->n * sizeof *v->score);
        memcpy(v->score, s->score, v->n * sizeof *v->score);
    }
    if (v->model == VOCAB_BPE) {
        v->merge = s->merge;
        v->nmerges = s->nmerges;
    }
}

static void write_pieces(struct opening *o)
{
    struct vocab *v = o->v;
    struct arena *a = o->s.a;
    const cJSON *prefix = cJSON_GetObjectItemCaseSensitive(o->tokenizer_config, "add_prefix_space");

    if (is_llama_class(o) && cJSON_IsBool(prefix))
        meta_set_bool(&v->meta, a, "tokenizer.ggml.add_space_prefix", cJSON_IsTrue(prefix));
    meta_set_str(&v->meta, a, "tokenizer.ggml.model", vocab_model_names[v->model]);
    if (!o->native || o->mistral.tekken)
        meta_set_str(&v->meta, a, "tokenizer.ggml.pre", v->pre);
    meta_set_array(&v->meta, a, "tokenizer.ggml.tokens", META_STRING, v->n, v->piece);
    if (o->mistral.tekken)          /* as the peer does: of integers, all 0 */
        meta_set_array(&v->meta, a, "tokenizer.ggml.scores", META_INT32, v->n, arena_array(a, int32_t, v->n));
    if (v->score)
        meta_set_array(&v->meta, a, "tokenizer.ggml.scores", META_FLOAT32, v->n, v->score);
    meta_set_array(&v->meta, a, "tokenizer.ggml.token_type", META_INT32, v->n, v->type);
    if (v->model == VOCAB_UNIGRAM) {
        meta_set_bool(&v->meta, a, "tokenizer.ggml.add_space_prefix", o->s.prefix);
        meta_set_bool(&v->meta, a, "tokenizer.ggml.remove_extra_whitespaces", o->s.remove_extra_spaces);
        if (o->s.charsmap.n)
            meta_set_array(&v->meta, a, "tokenizer.ggml.precompiled_charsmap", META_UINT8, o->s.charsmap.n, o->s.charsmap.s);
    }
    if (v->model == VOCAB_BPE && v->nmerges)
        meta_set_array(&v->meta, a, "tokenizer.ggml.merges", META_STRING, v->nmerges, v->merge);
}

/* Ids that readers would take from bert-base-uncased; upper case and accents as this tokenizer has them. */
static void write_bert_exceptions(struct opening *o)
{
    static const struct {
        const char *key, *named, *otherwise;
        uint64_t taken;
    } ids[] = {
        { "tokenizer.ggml.bos_token_id", "cls_token", "[CLS]", 101 }, { "tokenizer.ggml.unknown_token_id", "unk_token", "[UNK]", 100 },
        { "tokenizer.ggml.seperator_token_id", "sep_token", "[SEP]", 102 }, { "tokenizer.ggml.padding_token_id", "pad_token", "[PAD]", 0 },
        { "tokenizer.ggml.mask_token_id", "mask_token", "[MASK]", 103 },
    };
    struct meta *m = &o->v->meta;
    struct bert_rules r = bert_rules_of(o->s.rules.norm);
    bool lowercase = meta_bool(m, "tokenizer.ggml.normalizer.lowercase", true);

    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(o->tokenizer_config, ids[i].named);
        int32_t id = opening_find_piece(&o->s, cJSON_IsString(item) ? item->valuestring : json_str(item, "content", ids[i].otherwise));

        if (id >= 0 && meta_u64(m, ids[i].key, ids[i].taken) != (uint64_t)id && !meta_get(m, ids[i].key))
            meta_set_u32(m, o->s.a, ids[i].key, (uint32_t)id);
    }
    if (r.lowercase != lowercase)
        meta_set_bool(m, o->s.a, "tokenizer.ggml.normalizer.lowercase", r.lowercase);
    if (r.strip_accents != meta_bool(m, "tokenizer.ggml.normalizer.strip_accents", r.lowercase))
        meta_set_bool(m, o->s.a, "tokenizer.ggml.normalizer.strip_accents", r.strip_accents);
}

/* Without tokenizer.json nothing says what stands around a text, and readers would take it for T5's. */
static void write_fairseq_exceptions(struct opening *o)
{
    static const struct {
        const char *key;
        uint32_t id;
    } ids[] = { { "tokenizer.ggml.bos_token_id", 0 }, { "tokenizer.ggml.eos_token_id", 2 }, { "tokenizer.ggml.padding_token_id", 1 } };
    struct meta *m = &o->v->meta;

    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        if (!meta_get(m, ids[i].key))
            meta_set_u32(m, o->s.a, ids[i].key, ids[i].id);
    if (!meta_get(m, "tokenizer.ggml.add_bos_token"))
        meta_set_bool(m, o->s.a, "tokenizer.ggml.add_bos_token", true);
}

/* What a reader would assume wrongly from the absence of a key is said. */
static void write_exceptions(struct opening *o, const struct pre_kind *kind)
{
    struct meta *m = &o->v->meta;
    struct arena *a = o->s.a;

    if (is_llama_class(o) && o->nrows == 32016 && !meta_get(m, "tokenizer.ggml.eot_token_id"))
        meta_set_u32(m, a, "tokenizer.ggml.eot_token_id", 32010);       /* CodeLlama */
    if (is_llama_class(o) && o->nrows == 49152)
        meta_set_bool(m, a, "tokenizer.ggml.add_bos_token", false);     /* small Granite models */
    if (kind && pre_kind_named(kind->name) != kind)     /* what stands for the name has other steps */
        meta_set_str(m, a, VOCAB_SOURCE_PRE, pre_kind_of(&o->s.rules, kind->add_bos, "", o->f)->name);
    if (kind && kind->add_bos && !meta_get(m, "tokenizer.ggml.add_bos_token"))
        meta_set_bool(m, a, "tokenizer.ggml.add_bos_token", false);
    if (is_llama_class(o) && o->v->model == VOCAB_UNIGRAM) {            /* readers assume T5's habits: no BOS, an EOS */
        if (!meta_get(m, "tokenizer.ggml.add_bos_token"))
            meta_set_bool(m, a, "tokenizer.ggml.add_bos_token", true);
        if (!meta_get(m, "tokenizer.ggml.add_eos_token"))
            meta_set_bool(m, a, "tokenizer.ggml.add_eos_token", false);
    }
    if (o->v->model == VOCAB_WORDPIECE)
        write_bert_exceptions(o);
    if (o->fairseq)
        write_fairseq_exceptions(o);
    if ((o->v->model == VOCAB_SPM || o->v->model == VOCAB_UNIGRAM) && o->s.unk >= 0
        && meta_u64(m, "tokenizer.ggml.unknown_token_id", o->v->model == VOCAB_SPM ? 0 : 2) != (uint64_t)o->s.unk)
        meta_set_u32(m, a, "tokenizer.ggml.unknown_token_id", (uint32_t)o->s.unk);
    if (o->v->model == VOCAB_SPM && !o->s.prefix && !meta_get(m, "tokenizer.ggml.add_space_prefix"))
        meta_set_bool(m, a, "tokenizer.ggml.add_space_prefix", false);
}

/* Does tokenizer.json's post-processor put a token in front of a text? */
static bool template_adds_bos(const struct opening *o)
{
    const cJSON *post = o->json ? o->json->post_processor : NULL, *list = cJSON_GetObjectItemCaseSensitive(post, "processors"), *item;
    bool found = false;

    if (!list)
        return cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(post, "single"), 0), "SpecialToken");
    cJSON_ArrayForEach(item, list)
        found |= cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(item, "single"), 0),
                                                  "SpecialToken") != NULL;
    return found;
}

/* A name given by the user replaces the recognized one; the rules of the source stay what its files say. */
static int choose_pre(struct opening *o, const struct pre_kind **kind)
{
    o->v->pre = "default";
    *kind = NULL;
    if (o->v->model == VOCAB_WORDPIECE)
        o->v->pre = o->pre ? o->pre : bert_pre_name(o->s.n);
    if (o->v->model != VOCAB_BPE)
        return 0;
    *kind = o->pre ? pre_kind_required(o->pre, o->f)
                   : pre_kind_of(&o->s.rules, template_adds_bos(o), json_str(o->config, "model_type", ""), o->f);
    if (!*kind)
        return fail_in(o->f, o->dir);
    o->v->pre = (*kind)->name;
    return 0;
}

int opening_write_keys(struct opening *o)
{
    struct special_request request = {
        .dir = o->dir, .json = o->json, .config = o->config, .tokenizer_config = o->tokenizer_config,
        .npieces = o->v->model == VOCAB_BPE ? 0 : o->v->n, .code_llama = is_llama_class(o) && o->nrows == 32016,
    };
    struct vocab_rules *r = arena_new(o->s.a, struct vocab_rules);
    const struct pre_kind *kind;

    if (choose_pre(o, &kind))
        return -1;
    move_arrays(o);
    write_pieces(o);
    if (o->native) {
        mistral_write_ids(o->v, o->s.a);
        if (mistral_write_rest(&o->mistral, o->dir, o->v, o->s.a, &o->tmp, o->f))
            return -1;
    } else if (special_write(&request, &o->v->meta, o->s.a, &o->tmp, o->f)) {
        return -1;
    }
    write_exceptions(o, kind);
    vocab_read_fields(o->v, kind && kind->add_bos);
    *r = o->s.rules;
    if (o->s.unk >= 0)
        o->v->unk = o->s.unk;
    if (o->spm) {
        vocab_add_by_type(o->v, r, &o->s, o->s.a);
    } else {
        struct added_token *added = arena_array(o->s.a, struct added_token, o->s.nadded + 1);

        if (o->s.nadded)
            memcpy(added, o->s.added, o->s.nadded * sizeof *added);
        r->added = added;
        r->nadded = o->s.nadded;
    }
    o->v->rules = r;
    return 0;
}
