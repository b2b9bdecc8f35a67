/* vocab_dir.c - a vocabulary from the tokenizer files of a directory, and the keys it becomes. See vocab.h.
 *
 * There are five cases, told apart as convert_hf_to_gguf.py does: tokenizer.model (BPE or unigram), a byte-level BPE, a
 * BPE in SentencePiece's manner with byte fallback, a unigram tokenizer.json, and WordPiece (tokenizer.json or vocab.txt). */
#include "formats/file.h"
#include "formats/json.h"
#include "formats/text.h"
#include "tokenizer/rules.h"
#include "tokenizer/vocab.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_JSON = 64 << 20 };
#define SCORE_ADDED -1000.0f        /* convert_hf_to_gguf.py's, for pieces that no model scored */
#define SCORE_PAD -10000.0f

struct opening {
    const char *dir, *pre;
    uint64_t nrows;
    struct source s;
    struct arena tmp;
    const cJSON *config, *tokenizer_config;
    const struct hf_outline *json;
    const char *native;             /* the tokenizer is Mistral's own file of this name; NULL: Hugging Face's files */
    struct mistral mistral;         /* ... and this is known of it */
    bool spm;                       /* it is a SentencePiece model */
    bool pair;                      /* it is vocab.json and merges.txt */
    struct vocab *v;
    struct pool pool;               /* in the vocabulary's arena */
    struct fail *f;
};

static int read_optional(struct opening *o, const char *name, const cJSON **out)
{
    const char *path = path_join(&o->tmp, o->dir, name);

    if (path_exists(path) && !(*out = json_read(path, MAX_JSON, &o->tmp, o->f)))
        return -1;
    return 0;
}

/* What a directory without config.json has beside params.json is Mistral's, and so is what stands alone. */
static bool is_native(struct opening *o, bool has_hf)
{
    return !has_hf || (!path_exists(path_join(&o->tmp, o->dir, "config.json")) && path_exists(path_join(&o->tmp, o->dir, "params.json")));
}

static int read_pair(struct opening *o)
{
    const char *class = json_str(o->tokenizer_config, "tokenizer_class", ""), *type = json_str(o->config, "model_type", "");
    const cJSON *prefix = cJSON_GetObjectItemCaseSensitive(o->tokenizer_config, "add_prefix_space");
    struct pair_files p = { o->dir, starts_with(class, "Qwen2") || starts_with(type, "qwen"), cJSON_IsTrue(prefix) };

    return pair_files_read(&p, &o->s, o->f);
}

static int read_files(struct opening *o)
{
    const char *model = path_join(&o->tmp, o->dir, "tokenizer.model"), *json = path_join(&o->tmp, o->dir, "tokenizer.json"),
               *txt = path_join(&o->tmp, o->dir, "vocab.txt");
    const char *vocab = path_join(&o->tmp, o->dir, "vocab.json"), *merges = path_join(&o->tmp, o->dir, "merges.txt");

    o->spm = path_exists(model);
    o->native = is_native(o, o->spm || path_exists(json)) ? mistral_tokenizer(o->dir, &o->tmp) : NULL;
    if (o->native) {
        o->spm = !ends_with(o->native, ".json");
        return mistral_read(o->dir, o->native, &o->s, &o->mistral, o->f);
    }
    if (read_optional(o, "config.json", &o->config) || read_optional(o, "tokenizer_config.json", &o->tokenizer_config)
        || (path_exists(json) && !(o->json = hf_outline_read(json, &o->tmp, o->f))))
        return -1;
    if (o->spm)
        return spm_model_read(model, &o->s, o->f);
    if (o->json)
        return hf_json_read(o->json, &o->s, o->f);
    o->pair = path_exists(vocab) && path_exists(merges);
    if (o->pair)
        return read_pair(o);
    if (path_exists(txt))
        return vocab_txt_read(txt, &o->s, o->f);
    fail(o->f, FAIL_INPUT, "the directory has no tokenizer: neither tokenizer.model, tokenizer.json, tekken.json, vocab.txt nor vocab.json with merges.txt");
    return fail_in(o->f, o->dir);
}

static bool config_flag(const cJSON *o, const char *key, bool fallback)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(o, key);

    return cJSON_IsBool(item) ? cJSON_IsTrue(item) : fallback;
}

/* U+2581 of a user-defined piece stands for a space: readers look for it in the text as it is. */
static struct meta_string with_spaces(struct opening *o, const char *s, size_t n)
{
    struct buffer b = {0};
    struct meta_string out;
    const char *at;

    while ((at = memmem(s, n, LOWER_ONE_EIGHTH, 3)) != NULL) {
        buffer_put(&b, s, (size_t)(at - s));
        buffer_put(&b, " ", 1);
        n -= (size_t)(at + 3 - s);
        s = at + 3;
    }
    buffer_put(&b, s, n);
    out = pool_copy(&o->pool, b.s ? b.s : "", b.n);
    buffer_release(&b);
    return out;
}

/* ---- tokenizer.model with its companions ---- */

/* Padding up to the rows comes first, so that added tokens land on their ids; ids beyond are left out. */
static void pad(struct opening *o, float score)
{
    struct source *s = &o->s;
    uint64_t n = o->nrows ? o->nrows : s->n;
    char name[40];

    if (n > s->n)
        source_reserve(s, n - 1);
    s->n = n;
    for (uint64_t i = 0; i < n; i++)
        if (!s->piece[i].s)
            source_set(s, i, pool_copy(&o->pool, name, (size_t)snprintf(name, sizeof name, "[PAD%" PRIu64 "]", i)), score, PIECE_UNUSED);
}

/* added_tokens.json: {"piece": id}. */
static int read_added_json(struct opening *o)
{
    const cJSON *tree = NULL, *item;

    if (read_optional(o, "added_tokens.json", &tree))
        return -1;
    cJSON_ArrayForEach(item, tree) {
        struct meta_string text;
        uint64_t id;

        if (!json_u64(item, &id))
            return fail(o->f, FAIL_INPUT, "added_tokens.json gives '%.100s' no id", item->string);
        if (id >= (o->nrows ? o->nrows : (uint64_t)INT32_MAX / 64) || !*item->string)
            continue;
        text = pool_copy(&o->pool, item->string, strlen(item->string));
        source_add(&o->s, (struct added_token){ .text = text, .id = (int32_t)id });
        source_set(&o->s, id, text, SCORE_ADDED, PIECE_USER_DEFINED);
    }
    return 0;
}

/* added_tokens_decoder: {"id": {"content", "special", ...}}; also among the added tokens of a byte-level vocabulary. */
static int each_decoder_entry(struct opening *o, void (*one)(struct opening *, uint64_t id, struct added_token))
{
    const cJSON *item;

    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(o->tokenizer_config, "added_tokens_decoder")) {
        const char *content = json_str(item, "content", NULL);
        char *end;
        unsigned long long id = strtoull(item->string, &end, 10);

        if (!content || *end || end == item->string)
            return fail(o->f, FAIL_INPUT, "tokenizer_config.json's added_tokens_decoder has an entry '%.100s' without an id or content",
                        item->string);
        if (id >= (o->nrows ? o->nrows : (uint64_t)INT32_MAX / 64) || !*content)
            continue;
        one(o, id, (struct added_token){
            .text = pool_copy(&o->pool, content, strlen(content)), .id = (int32_t)id, .special = config_flag(item, "special", false),
            .normalized = config_flag(item, "normalized", false), .single_word = config_flag(item, "single_word", false),
            .lstrip = config_flag(item, "lstrip", false), .rstrip = config_flag(item, "rstrip", false) });
    }
    return 0;
}

static void add_to_spm(struct opening *o, uint64_t id, struct added_token t)
{
    bool control = t.special || looks_special(t.text.s, t.text.n);
    struct meta_string piece = control ? t.text : with_spaces(o, t.text.s, t.text.n);

    t.special = control;
    t.normalized = false;       /* the slow tokenizer, whose rules these are, cuts them out of the text as it stands */
    t.text = piece;
    source_add(&o->s, t);
    source_set(&o->s, id, piece, SCORE_ADDED, control ? PIECE_CONTROL : PIECE_USER_DEFINED);
}

/* tokenizer_config.json's add_prefix_space and legacy change what SentencePiece's own model says about the space. */
static void adjust_prefix(struct opening *o)
{
    struct vocab_rules *r = &o->s.rules;
    struct step *step = arena_array(o->s.a, struct step, 8), *to = step;
    const cJSON *said = cJSON_GetObjectItemCaseSensitive(o->tokenizer_config, "add_prefix_space");
    bool prefix = cJSON_IsBool(said) ? cJSON_IsTrue(said) : o->s.prefix;
    bool only_first = !config_flag(o->tokenizer_config, "legacy", true);

    for (const struct step *s = r->norm; s->kind != STEP_END; s++) {
        bool space = s->kind == STEP_PREPEND || s->kind == STEP_APPEND;

        if (!space)
            *to++ = *s;
        else if (prefix)
            *to = *s, to++->only_first = only_first;
    }
    if (prefix && !o->s.prefix) {
        memmove(step + 1, step, (size_t)(to - step) * sizeof *step);
        *step = (struct step){ .kind = STEP_PREPEND, .text = " ", .only_first = only_first };
    }
    o->s.prefix = prefix;
    r->strip_prefix = prefix || o->s.remove_extra_spaces;
    r->norm = step;
}

/* convert_hf_to_gguf.py makes them normal pieces, which merging mostly cannot reach: readers would split them. */
static void spell_user_defined(struct opening *o)
{
    for (uint64_t i = 0; i < o->s.n; i++)
        if (o->s.type[i] == PIECE_USER_DEFINED)
            o->s.piece[i] = with_spaces(o, o->s.piece[i].s, o->s.piece[i].n);
}

static int complete_spm(struct opening *o)
{
    if (o->nrows && o->s.n > o->nrows)
        o->s.n = o->nrows;
    spell_user_defined(o);
    if (read_added_json(o) || each_decoder_entry(o, add_to_spm))
        return -1;
    adjust_prefix(o);
    pad(o, SCORE_PAD);
    o->v->model = o->s.rules.algorithm == ALGORITHM_UNIGRAM ? VOCAB_UNIGRAM : VOCAB_SPM;
    return 0;
}

/* ---- tokenizer.json alone ---- */

static void add_to_json(struct opening *o, uint64_t id, struct added_token t)
{
    bool fits = id < o->s.n + 1024;

    if (fits)
        source_add(&o->s, t);
    if (fits && !o->s.piece[id].s)
        source_set(&o->s, id, t.text, 0, PIECE_NORMAL);
}

static int32_t find_piece(const struct source *s, const char *text)
{
    for (uint64_t i = 0; i < s->n; i++)
        if (s->piece[i].s && strcmp(s->piece[i].s, text) == 0)
            return (int32_t)i;
    return -1;
}

static void make_special(struct opening *o, const char *text)
{
    int32_t id = text && *text ? find_piece(&o->s, text) : -1;

    if (id >= 0 && !source_added(&o->s, id))
        source_add(&o->s, (struct added_token){ .text = o->s.piece[id], .id = id, .special = true });
}

/* What the configuration names as special is special, even where tokenizer.json has it as any other piece. */
static void add_named_special(struct opening *o, const cJSON *config)
{
    static const char *const keys[] = { "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token" };
    const cJSON *item, *list = cJSON_GetObjectItemCaseSensitive(config, "additional_special_tokens");

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        item = cJSON_GetObjectItemCaseSensitive(config, keys[i]);
        make_special(o, cJSON_IsString(item) ? item->valuestring : json_str(item, "content", NULL));
    }
    cJSON_ArrayForEach(item, list)
        make_special(o, cJSON_IsString(item) ? item->valuestring : json_str(item, "content", NULL));
}

static int check_rows(struct opening *o)
{
    if (o->nrows && o->s.n > o->nrows)
        return fail(o->f, FAIL_INPUT, "the tokenizer has a piece with id %" PRIu64 ", but the model has only %" PRIu64 " embedding rows",
                    o->s.n - 1, o->nrows);
    return 0;
}

/* As the byte-level decoder prints it, which is how a reader must look for it. */
static struct meta_string decoded(struct opening *o, struct meta_string piece)
{
    struct meta_string bytes = byte_level_decode(piece, &o->pool);

    return bytes.s && utf8_span((const uint8_t *)bytes.s, bytes.n) == bytes.n ? bytes : piece;
}

static void type_byte_level(struct opening *o)
{
    struct source *s = &o->s;

    for (size_t i = 0; i < s->nadded; i++) {
        const struct added_token *t = &s->added[i];
        struct meta_string piece = t->normalized ? s->piece[t->id] : decoded(o, s->piece[t->id]);
        bool control = t->special || looks_special(piece.s, piece.n);

        s->piece[t->id] = control ? piece : with_spaces(o, piece.s, piece.n);
        s->type[t->id] = control ? PIECE_CONTROL : PIECE_USER_DEFINED;
    }
}

/* A SentencePiece model that was saved as merges. The score of a piece is the place of its first merge: then the best
 * score and the first merge pick the same pair. (convert_hf_to_gguf.py writes -1000 for all, which splits text in
 * another way.) What no merge makes keeps that -1000. */
static void score_by_merges(struct source *s)
{
    float next = 0;

    for (uint64_t i = 0; i < s->n; i++)
        s->score[i] = SCORE_ADDED;
    for (uint64_t i = 0; i < s->rules.npairs; i++) {
        int32_t id = s->rules.pair[3 * i + 2];

        if (s->score[id] == SCORE_ADDED)
            s->score[id] = next--;
    }
}

static void type_spm_like(struct opening *o, bool unigram)
{
    struct source *s = &o->s;

    for (uint64_t i = 0; i < s->n; i++)
        if (s->piece[i].s && byte_piece_value(s->piece[i]) >= 0)
            s->type[i] = PIECE_BYTE;
    for (size_t i = 0; i < s->nadded; i++) {
        const struct added_token *t = &s->added[i];

        if (t->special)
            s->type[t->id] = PIECE_CONTROL;
        else if (!s->rules.byte_fallback || s->type[t->id] != PIECE_BYTE)
            s->type[t->id] = PIECE_USER_DEFINED;
    }
    if (unigram && s->unk >= 0)
        s->type[s->unk] = PIECE_UNKNOWN;
}

/* The classes of transformers that are BERT's take these from tokenizer_config.json, whatever tokenizer.json says. */
static void adjust_bert(struct opening *o)
{
    const cJSON *c = o->tokenizer_config, *accents = cJSON_GetObjectItemCaseSensitive(c, "strip_accents");
    const char *class = json_str(c, "tokenizer_class", "");
    struct bert_rules r = bert_rules_of(o->s.rules.norm), now = r;

    if (strcmp(class, "PreTrainedTokenizerFast") == 0 || strcmp(class, "TokenizersBackend") == 0)
        return;
    now.lowercase = config_flag(c, "do_lower_case", r.lowercase);
    now.ideographs = config_flag(c, "tokenize_chinese_chars", r.ideographs);
    now.strip_accents = cJSON_IsBool(accents) ? cJSON_IsTrue(accents) : now.lowercase != r.lowercase || accents ? now.lowercase : r.strip_accents;
    if (memcmp(&r, &now, sizeof r) != 0)
        bert_set_rules(&o->s.rules, now, o->s.a);
}

static void type_wordpiece(struct opening *o)
{
    static const char *const named[] = { "[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]" };
    struct source *s = &o->s;

    for (size_t i = 0; !o->json && i < sizeof named / sizeof *named; i++)
        make_special(o, named[i]);
    for (size_t i = 0; i < s->nadded; i++) {
        const struct added_token *t = &s->added[i];

        s->type[t->id] = t->special || looks_special(t->text.s, t->text.n) ? PIECE_CONTROL : PIECE_USER_DEFINED;
    }
    pad(o, SCORE_PAD);
    for (uint64_t i = 0; i < s->n; i++)
        s->piece[i] = wordpiece_spell(s->piece[i], s->type[i], &o->pool);
    adjust_bert(o);
}

static int complete_json(struct opening *o)
{
    const cJSON *map = NULL;
    struct source *s = &o->s;
    bool unigram = s->rules.algorithm == ALGORITHM_UNIGRAM;

    if ((o->pair && read_added_json(o)) || each_decoder_entry(o, add_to_json) || read_optional(o, "special_tokens_map.json", &map))
        return -1;
    if (o->pair)
        make_special(o, "<|endoftext|>");       /* unless the files say otherwise, the class does */
    add_named_special(o, o->tokenizer_config);
    add_named_special(o, map);
    if (check_rows(o))
        return -1;
    if (s->rules.algorithm == ALGORITHM_WORDPIECE) {
        type_wordpiece(o);
    } else if (s->rules.byte_level) {
        type_byte_level(o);
    } else if (unigram) {
        type_spm_like(o, true);
    } else if (s->rules.byte_fallback) {
        score_by_merges(s);
        type_spm_like(o, false);
    } else {
        return fail(o->f, FAIL_INPUT, "tokenizer.json holds a BPE that is neither byte-level nor has byte fallback, which GGUF cannot carry");
    }
    o->v->model = s->rules.algorithm == ALGORITHM_WORDPIECE ? VOCAB_WORDPIECE
                : s->rules.byte_level ? VOCAB_BPE : unigram ? VOCAB_UNIGRAM : VOCAB_SPM;
    pad(o, SCORE_PAD);
    return 0;
}

static int complete_tekken(struct opening *o)
{
    if (check_rows(o))
        return -1;
    o->v->model = VOCAB_BPE;
    pad(o, 0);
    return 0;
}

/* ---- keys ---- */

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
        int32_t id = find_piece(&o->s, cJSON_IsString(item) ? item->valuestring : json_str(item, "content", ids[i].otherwise));

        if (id >= 0 && meta_u64(m, ids[i].key, ids[i].taken) != (uint64_t)id && !meta_get(m, ids[i].key))
            meta_set_u32(m, o->s.a, ids[i].key, (uint32_t)id);
    }
    if (r.lowercase != lowercase)
        meta_set_bool(m, o->s.a, "tokenizer.ggml.normalizer.lowercase", r.lowercase);
    if (r.strip_accents != meta_bool(m, "tokenizer.ggml.normalizer.strip_accents", r.lowercase))
        meta_set_bool(m, o->s.a, "tokenizer.ggml.normalizer.strip_accents", r.strip_accents);
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

static int write_keys(struct opening *o)
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

static int complete(struct opening *o)
{
    return o->spm ? complete_spm(o) : o->mistral.tekken ? complete_tekken(o) : complete_json(o);
}

struct vocab *vocab_open_dir(const char *dir, uint64_t nrows, const char *pre, struct arena *a, struct fail *f)
{
    struct opening o = { .dir = dir, .pre = pre, .nrows = nrows, .f = f, .v = arena_new(a, struct vocab), .pool = { .a = a } };
    int bad;

    o.s.a = a;
    o.s.tmp = &o.tmp;
    o.s.unk = -1;
    if (nrows > INT32_MAX)
        bad = fail(f, FAIL_INPUT, "a vocabulary of %" PRIu64 " rows is not supported", nrows);
    else
        bad = read_files(&o) || complete(&o) || write_keys(&o);
    if (bad)
        fail_in(f, dir);
    source_release(&o.s);
    arena_release(&o.tmp);
    return bad ? NULL : o.v;
}
