/* vocab_pieces.c - the pieces of a vocabulary as GGUF has them: spelling, kind and score of each, tokens that companion files
 * add, padding up to the rows of the embedding. See opening.h. */
#include "formats/text.h"
#include "tokenizer/opening.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCORE_ADDED -1000.0f        /* convert_hf_to_gguf.py's, for pieces that no model scored */
#define SCORE_PAD -10000.0f

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
static void pad(struct opening *o, float score, uint64_t shift)
{
    struct source *s = &o->s;
    uint64_t n = o->nrows ? o->nrows : s->n;
    char name[40];

    if (n > s->n)
        source_reserve(s, n - 1);
    s->n = n;
    for (uint64_t i = 0; i < n; i++)
        if (!s->piece[i].s)
            source_set(s, i, pool_copy(&o->pool, name, (size_t)snprintf(name, sizeof name, "[PAD%" PRIu64 "]", i - shift)), score, PIECE_UNUSED);
}

void opening_pad(struct opening *o, uint64_t shift)
{
    pad(o, SCORE_PAD, shift);
}

/* added_tokens.json: {"piece": id}. */
static int read_added_json(struct opening *o)
{
    const cJSON *tree = NULL, *item;

    if (opening_read_json(o, "added_tokens.json", &tree))
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
    pad(o, SCORE_PAD, 0);
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

int32_t opening_find_piece(const struct source *s, const char *text)
{
    for (uint64_t i = 0; i < s->n; i++)
        if (s->piece[i].s && strcmp(s->piece[i].s, text) == 0)
            return (int32_t)i;
    return -1;
}

static void make_special(struct opening *o, const char *text)
{
    int32_t id = text && *text ? opening_find_piece(&o->s, text) : -1;

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
    pad(o, SCORE_PAD, 0);
    for (uint64_t i = 0; i < s->n; i++)
        s->piece[i] = wordpiece_spell(s->piece[i], s->type[i], &o->pool);
    adjust_bert(o);
}

static int complete_json(struct opening *o)
{
    const cJSON *map = NULL;
    struct source *s = &o->s;
    bool unigram = s->rules.algorithm == ALGORITHM_UNIGRAM;

    if ((o->pair && read_added_json(o)) || each_decoder_entry(o, add_to_json) || opening_read_json(o, "special_tokens_map.json", &map))
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
    pad(o, SCORE_PAD, 0);
    return 0;
}

static int complete_tekken(struct opening *o)
{
    if (check_rows(o))
        return -1;
    o->v->model = VOCAB_BPE;
    pad(o, 0, 0);
    return 0;
}

int opening_complete(struct opening *o)
{
    return o->fairseq ? opening_complete_fairseq(o) : o->spm ? complete_spm(o) : o->mistral.tekken ? complete_tekken(o) : complete_json(o);
}
