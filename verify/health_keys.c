/* health_keys.c - keys beside tensors: does the model say what it is? */
#include "verify/health.h"

#include "convert/arch.h"
#include "convert/recipe.h"
#include "formats/file.h"
#include "formats/json.h"
#include "formats/text.h"
#include "tokenizer/tokenizer.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct meta_value *family_key(const struct model *m, const char *name)
{
    char key[128];

    snprintf(key, sizeof key, "%s.%s", meta_str(&m->meta, "general.architecture", ""), name);
    return meta_get(&m->meta, key);
}

static uint64_t family_u64(const struct model *m, const char *name)
{
    char key[128];

    snprintf(key, sizeof key, "%s.%s", meta_str(&m->meta, "general.architecture", ""), name);
    return meta_u64(&m->meta, key, 0);
}

static void check_needed(struct health *h, const struct model *m)
{
    static const char *const needed[] = { "context_length", "embedding_length", "block_count", "attention.head_count" };

    if (!meta_get(&m->meta, "general.architecture")) {
        health_add(h, HEALTH_CODE_KEY_MISSING, "general.architecture", "the file does not say which family it is of");
        return;
    }
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (!family_key(m, needed[i]))
            health_add(h, HEALTH_CODE_KEY_MISSING, needed[i], "the key '%s.%s' is not there",
                       meta_str(&m->meta, "general.architecture", ""), needed[i]);
}

/* ---- the label ---- */

static double bits_of(const struct model *m, const struct recipe_choice *choice)
{
    double bits = 0, weights = 0;

    for (size_t i = 0; i < m->ntensors; i++) {
        const struct tensor *t = &m->tensor[i];
        const struct qtype *type = choice ? choice[i].type : t->type;

        if (!type || tensor_row(t) % (uint64_t)type->block)
            continue;
        weights += (double)tensor_weights(t);
        bits += 8 * (double)qtype_row_bytes(type, tensor_row(t)) * (double)tensor_rows(t);
    }
    return weights > 0 ? bits / weights : 0;
}

/* Bits per weight beside those of the mix that general.file_type names; mixes made by hand or by other programs may differ a little. */
static void check_label(struct health *h, const struct model *m)
{
    const struct recipe *r = meta_get(&m->meta, "general.file_type") ? recipe_of_file_type(meta_u64(&m->meta, "general.file_type", 0)) : NULL;
    struct recipe_options options = { .allow_requantize = true, .dry_run = true, .has_imatrix = true };
    struct recipe_choice *choice = arena_array(h->arena, struct recipe_choice, m->ntensors);
    struct fail unfit = {0};
    double is = bits_of(m, NULL), should;

    if (!r || recipe_choose(r, m, &options, choice, &unfit))
        return;
    should = bits_of(m, choice);
    if (should > 0 && fabs(is - should) > 0.08 * should)
        health_add(h, HEALTH_CODE_LABEL_TYPES, "general.file_type", "it says %s, which has %.2f bits per weight here, but the tensors have %.2f",
                   r->name, should, is);
}

/* The longest type name that stands in `file` between signs that are no letters or digits. */
static const struct recipe *recipe_in_name(const char *file)
{
    const struct recipe *best = NULL;

    for (size_t i = 0; i < recipe_count(); i++) {
        const char *name = recipe_at(i)->name;
        size_t n = strlen(name);

        for (const char *p = file; recipe_at(i)->base && *p; p++)
            if (strncasecmp(p, name, n) == 0 && !isalnum((unsigned char)p[n]) && p[n] != '_' &&
                (p == file || !isalnum((unsigned char)p[-1])) && (!best || n > strlen(best->name)))
                best = recipe_at(i);
    }
    return best;
}

static void check_name(struct health *h, const struct model *m, const char *file)
{
    const struct recipe *said = recipe_in_name(file), *is = recipe_of_file_type(meta_u64(&m->meta, "general.file_type", UINT64_MAX));

    if (said && is && said->file_type != is->file_type)
        health_add(h, HEALTH_CODE_LABEL_NAME, file, "its name says %s, its key general.file_type says %s", said->name, is->name);
}

static void check_imatrix(struct health *h, const struct model *m)
{
    uint64_t low = 0, all = 0;
    const char *label = NULL;

    for (size_t i = 0; i < m->ntensors; i++) {
        const struct qtype *t = m->tensor[i].type;
        bool lean = starts_with(t->name, "iq1") || starts_with(t->name, "iq2") || starts_with(t->name, "iq3_xxs") || strcmp(t->name, "q2_k") == 0;

        all += tensor_weights(&m->tensor[i]);
        low += lean ? tensor_weights(&m->tensor[i]) : 0;
        label = lean ? t->label : label;
    }
    if (low && !meta_get(&m->meta, "quantize.imatrix.file"))
        health_add(h, HEALTH_CODE_NO_IMATRIX, NULL, "%.0f %% of the weights are of types such as %s, and no importance matrix is named",
                   100 * (double)low / (double)all, label);
}

/* ---- tokenizer ---- */

static void check_sizes(struct health *h, const struct model *m)
{
    const struct meta_value *tokens = meta_get(&m->meta, "tokenizer.ggml.tokens");
    const struct tensor *embedding = model_tensor(m, "token_embd.weight");
    uint64_t n = tokens && tokens->type == META_ARRAY ? tokens->a.n : 0;
    static const char *const ids[] = { "bos", "eos", "unknown", "padding", "eot", "separator", "mask", "cls" };

    if (!n)
        return;
    if (embedding && tensor_rows(embedding) != n)
        health_add(h, HEALTH_CODE_VOCABULARY_SIZE, "token_embd.weight", "the vocabulary has %" PRIu64 " tokens, the embeddings have %" PRIu64 " rows", n,
                   tensor_rows(embedding));
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        char key[64];
        uint64_t id;

        snprintf(key, sizeof key, "tokenizer.ggml.%s_token_id", ids[i]);
        id = meta_u64(&m->meta, key, 0);
        if (id >= n)
            health_add(h, HEALTH_CODE_TOKEN_RANGE, key, "token %" PRIu64 " is beyond the vocabulary of %" PRIu64, id, n);
    }
}

/* Vocabularies that are known by family and size, and how they cut text; sizes as published, with the padding that occurs. */
static const struct {
    const char *arch;
    uint64_t from, to;
    const char *pre;
} known_pre[] = {
    { "llama", 128256, 128320, "llama-bpe" }, { "llama", 131072, 131072, "tekken" }, { "qwen2", 151643, 152064, "qwen2" },
    { "qwen2moe", 151643, 152064, "qwen2" }, { "qwen3", 151643, 152064, "qwen2" }, { "qwen3moe", 151643, 152064, "qwen2" },
    { "dbrx", 100277, 100352, "dbrx" }, { "starcoder2", 49152, 49152, "starcoder" }, { "falcon", 65024, 65024, "falcon" },
    { "bloom", 250680, 250880, "bloom" }, { "mistral3", 131072, 131072, "tekken" },
};

static void check_pre(struct health *h, const struct model *m)
{
    const char *model = meta_str(&m->meta, "tokenizer.ggml.model", ""), *pre = meta_str(&m->meta, "tokenizer.ggml.pre", NULL),
               *arch = meta_str(&m->meta, "general.architecture", "");
    const struct meta_value *tokens = meta_get(&m->meta, "tokenizer.ggml.tokens");
    uint64_t n = tokens && tokens->type == META_ARRAY ? tokens->a.n : 0;

    if (strcmp(model, "gpt2") != 0)
        return;
    if (!pre || strcmp(pre, "default") == 0)
        health_add(h, HEALTH_CODE_PRE_MISSING, "tokenizer.ggml.pre", pre ? "it says 'default': which cut of the text was meant is not known"
                                                                          : "byte-level BPE without the kind of its pre-tokenizer");
    for (size_t i = 0; pre && i < sizeof known_pre / sizeof *known_pre; i++)
        if (strcmp(arch, known_pre[i].arch) == 0 && n >= known_pre[i].from && n <= known_pre[i].to && strcmp(pre, known_pre[i].pre) != 0)
            health_add(h, HEALTH_CODE_PRE_WRONG, "tokenizer.ggml.pre", "it says '%s', but a %s vocabulary of %" PRIu64 " tokens is cut as '%s'", pre,
                       arch, n, known_pre[i].pre);
}

/* Control pieces must come back as one token when they are spelled out. */
static void check_specials(struct health *h, const struct vocab *v, struct tokenizer *t)
{
    enum { MOST_TRIED = 4096 };
    struct arena tmp = {0};
    uint64_t split = 0, first = 0, tried = 0;

    for (uint64_t i = 0; i < v->n && tried < MOST_TRIED; i++) {
        struct fail f = {0};
        struct token_options options = { .parse_special = true };
        size_t n = 0;
        int32_t *ids;

        if (v->type[i] != PIECE_CONTROL || v->piece[i].n == 0)
            continue;
        tried++;
        ids = tokenizer_encode(t, v->piece[i].s, v->piece[i].n, options, &tmp, &n, &f);
        if (!ids || n != 1 || ids[0] != (int32_t)i)
            first = split++ ? first : i;
        arena_reset(&tmp);
    }
    if (split)
        health_add(h, HEALTH_CODE_SPECIAL_SPLITS, "tokenizer.ggml.token_type",
                   "%" PRIu64 " of %" PRIu64 " control tokens do not come back as themselves, the first is %" PRIu64 ", '%.40s'", split, tried, first,
                   v->piece[first].s);
    arena_release(&tmp);
}

static void check_tokenizer(struct health *h, struct model *m)
{
    struct fail f = {0};
    struct vocab *v;
    struct tokenizer *t;

    if (!meta_get(&m->meta, "tokenizer.ggml.model")) {
        health_add(h, HEALTH_CODE_TOKENIZER_MISSING, "tokenizer.ggml.model", "the model has no tokenizer");
        return;
    }
    check_sizes(h, m);
    check_pre(h, m);
    if (strcmp(meta_str(&m->meta, "tokenizer.ggml.model", ""), "bert") != 0 && !meta_get(&m->meta, "tokenizer.ggml.eos_token_id"))
        health_add(h, HEALTH_CODE_NO_EOS, "tokenizer.ggml.eos_token_id", "no token is said to end a text");
    v = vocab_open_meta(&m->meta, h->arena, &f);
    t = v ? tokenizer_open(v, &f) : NULL;
    if (t)
        check_specials(h, v, t);
    else
        health_add(h, HEALTH_CODE_TOKENIZER, "tokenizer.ggml.model", "%s", f.text);
    tokenizer_close(t);
}

/* ---- chat template ---- */

static bool calls_itself_chat(const char *name)
{
    static const char *const words[] = { "instruct", "chat", "-it" };

    for (size_t i = 0; name && i < sizeof words / sizeof *words; i++) {
        size_t n = strlen(words[i]);

        for (const char *p = name; *p; p++)
            if (strncasecmp(p, words[i], n) == 0 && !isalpha((unsigned char)p[n]))
                return true;
    }
    return false;
}

static void check_template(struct health *h, const struct model *m, const char *file)
{
    const char *name = meta_str(&m->meta, "general.name", NULL), *text = meta_str(&m->meta, "tokenizer.chat_template", NULL);
    bool chat = calls_itself_chat(name) || calls_itself_chat(file) || calls_itself_chat(meta_str(&m->meta, "general.finetune", NULL));
    const char *fault = text ? template_fault(text, h->arena) : NULL;

    if (!text && chat)
        health_add(h, HEALTH_CODE_TEMPLATE_MISSING, "tokenizer.chat_template", "the model calls itself '%s' and has no chat template", name ? name : file);
    if (text && text[strspn(text, " \t\r\n")] == 0)
        health_add(h, HEALTH_CODE_TEMPLATE_MALFORMED, "tokenizer.chat_template", "it is empty");
    if (fault)
        health_add(h, HEALTH_CODE_TEMPLATE_MALFORMED, "tokenizer.chat_template", "%s", fault);
}

/* ---- rope ---- */

/* Families whose files never carry a base: every reader knows it. */
static bool has_own_base(const char *arch)
{
    static const char *const own[] = { "falcon", "gemma", "gemma2" };

    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (strcmp(own[i], arch) == 0)
            return true;
    return false;
}

static void check_rope(struct health *h, const struct model *m)
{
    const char *name = meta_str(&m->meta, "general.architecture", "");
    const struct arch *arch = arch_named(name);
    uint64_t context = family_u64(m, "context_length");
    double base = 0;
    char key[128];

    if (!arch || arch->block.rope == ROPE_NONE)
        return;
    snprintf(key, sizeof key, "%s.rope.freq_base", name);
    base = meta_f64(&m->meta, key, 0);
    if (base == 0 && !has_own_base(name))
        health_add(h, HEALTH_CODE_ROPE_BASE, key, "the key is not there, though %s turns its queries and keys by it", name);
    if (strcmp(name, "llama") == 0 && base == 500000 && context > 8192 && !model_tensor(m, "rope_freqs.weight") &&
        !family_key(m, "rope.scaling.type"))
        health_add(h, HEALTH_CODE_ROPE_FACTORS, "rope_freqs.weight",
                   "a context of %" PRIu64 " with base 500000 is Llama 3.1's, whose scaling factors are not there", context);
}

/* ---- the output matrix ---- */

static bool same_tensor(struct model *m, const struct tensor *a, const struct tensor *b)
{
    enum { ROWS = 256 };
    struct arena tmp = {0};
    struct fail f = {0};
    bool same = a->type == b->type && tensor_same_shape(a, b);

    for (uint64_t first = 0; same && first < tensor_rows(a); first += ROWS) {
        uint64_t n = tensor_rows(a) - first < ROWS ? tensor_rows(a) - first : ROWS;
        const void *x = model_rows(m, a, first, n, &tmp, &f), *y = x ? model_rows(m, b, first, n, &tmp, &f) : NULL;

        same = y && memcmp(x, y, n * tensor_row_bytes(a)) == 0;
        arena_reset(&tmp);
    }
    arena_release(&tmp);
    return same;
}

static void check_output(struct health *h, struct model *m)
{
    const struct tensor *output = model_tensor(m, "output.weight"), *embedding = model_tensor(m, "token_embd.weight");

    if (output && embedding && same_tensor(m, output, embedding))
        health_add(h, HEALTH_CODE_OUTPUT_REPEATS, "output.weight", "it holds the same bytes as token_embd.weight");
}

void health_of_directory(struct health *h, struct model *m)
{
    static const char *const heads[] = { "lm_head.weight", "output.weight", "embed_out.weight" };
    static const char *const embeddings[] = { "model.embed_tokens.weight", "transformer.wte.weight", "transformer.word_embeddings.weight" };
    struct fail f = {0};
    const cJSON *config = m->dir ? json_read(path_join(h->arena, m->dir, "config.json"), 64 << 20, h->arena, &f) : NULL,
                *tie = cJSON_GetObjectItemCaseSensitive(config, "tie_word_embeddings");
    const struct tensor *head = NULL, *embedding = NULL;

    for (size_t i = 0; i < 3; i++) {
        head = head ? head : model_tensor(m, heads[i]);
        embedding = embedding ? embedding : model_tensor(m, embeddings[i]);
    }
    if (!embedding)
        return;
    if (cJSON_IsFalse(tie) && !head)
        health_add(h, HEALTH_CODE_OUTPUT_MISSING, "tie_word_embeddings", "it is false, but there is no output matrix");
    if (cJSON_IsTrue(tie) && head && !same_tensor(m, head, embedding))
        health_add(h, HEALTH_CODE_OUTPUT_DIFFERS, head->name, "tie_word_embeddings is true, but it differs from %s", embedding->name);
}

void health_of_keys(struct health *h, struct model *m, const char *file)
{
    check_needed(h, m);
    check_label(h, m);
    check_name(h, m, file);
    check_imatrix(h, m);
    check_tokenizer(h, m);
    check_template(h, m, file);
    check_rope(h, m);
    check_output(h, m);
}
