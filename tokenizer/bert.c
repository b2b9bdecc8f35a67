/* bert.c - what BERT's tokenizers do with characters, and vocab.txt. See rules.h.
 *
 * BertNormalizer and BertPreTokenizer of Hugging Face's tokenizers ask a table of Unicode 8.0 what is punctuation, a
 * nonspacing mark or a format character: what was added since is a letter to them. */
#include "formats/file.h"
#include "tokenizer/rules.h"
#include "tokenizer/vocab.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

/* ---- characters ---- */

/* Between these there is no punctuation, nonspacing mark or format character that Unicode 8.0 had. */
static const uint32_t added_since[][2] = {
    { 0x61d, 0x61d }, { 0x7fd, 0x7fd }, { 0x890, 0x8e2 }, { 0x9fd, 0x9fe }, { 0xa76, 0xa76 }, { 0xafa, 0xaff }, { 0xb55, 0xb55 },
    { 0xc04, 0xc3c }, { 0xc77, 0xc77 }, { 0xc84, 0xc84 }, { 0xd00, 0xd00 }, { 0xd3b, 0xd3c }, { 0xd81, 0xd81 }, { 0xeba, 0xeba },
    { 0x180f, 0x1886 }, { 0x1abf, 0x1ace }, { 0x1b7d, 0x1b7e }, { 0x1df6, 0x1dfb }, { 0x2e43, 0x2e5d }, { 0xa82c, 0xa82c },
    { 0xa8c5, 0xa8c5 }, { 0xa8ff, 0xa8ff }, { 0xa9bd, 0xa9bd }, { 0x10d24, 0x10f89 }, { 0x11070, 0x11074 }, { 0x110c2, 0x110cd },
    { 0x111c9, 0x111c9 }, { 0x111cf, 0x111cf }, { 0x1123e, 0x1123e }, { 0x1133b, 0x1133b }, { 0x11438, 0x1145e }, { 0x11660, 0x1166c },
    { 0x116b9, 0x116b9 }, { 0x1182f, 0x11fff }, { 0x12ff1, 0x12ff2 }, { 0x13430, 0x13438 }, { 0x16e97, 0x16fe2 }, { 0x16fe4, 0x16fe4 },
    { 0x1cf00, 0x1cf46 }, { 0x1e000, 0x1e2ef }, { 0x1e944, 0x1e95f },
};

static bool is_new(uint32_t c)
{
    for (size_t i = 0; i < sizeof added_since / sizeof *added_since && c >= added_since[i][0]; i++)
        if (c <= added_since[i][1])
            return true;
    return false;
}

static utf8proc_category_t category(uint32_t c)
{
    return utf8proc_category((utf8proc_int32_t)c);
}

bool bert_is_dropped(uint32_t c)
{
    utf8proc_category_t k = category(c);

    return c == 0 || c == 0xfffd || k == UTF8PROC_CATEGORY_CC || k == UTF8PROC_CATEGORY_CO || (k == UTF8PROC_CATEGORY_CF && !is_new(c));
}

bool bert_is_nonspacing(uint32_t c)
{
    return c == 0x1734 || (category(c) == UTF8PROC_CATEGORY_MN && !is_new(c));
}

bool bert_is_punctuation(uint32_t c)
{
    utf8proc_category_t k = category(c);

    if (c < 0x80)
        return c > ' ' && c < 0x7f && !(c >= '0' && c <= '9') && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
    return c == 0x166d || c == 0x111c9 || (k >= UTF8PROC_CATEGORY_PC && k <= UTF8PROC_CATEGORY_PO && !is_new(c));
}

/* The blocks that tokenizers takes for Chinese; 2B820 to 2B91F are left out there too. */
bool bert_is_ideograph(uint32_t c)
{
    return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) || (c >= 0xf900 && c <= 0xfaff) || (c >= 0x20000 && c <= 0x2a6df)
           || (c >= 0x2a700 && c <= 0x2b81f) || (c >= 0x2b920 && c <= 0x2ceaf) || (c >= 0x2f800 && c <= 0x2fa1f);
}

/* ---- rules ---- */

size_t bert_norm_steps(struct bert_rules r, struct step step[BERT_NORM_STEPS])
{
    size_t n = 0;

    if (r.clean)
        step[n++] = (struct step){ .kind = STEP_CLEAN };
    if (r.ideographs)
        step[n++] = (struct step){ .kind = STEP_SPACE_IDEOGRAPHS };
    if (r.strip_accents) {
        step[n++] = (struct step){ .kind = STEP_NFD };
        step[n++] = (struct step){ .kind = STEP_STRIP_NONSPACING };
    }
    if (r.lowercase)
        step[n++] = (struct step){ .kind = STEP_LOWERCASE };
    return n;
}

void bert_set_rules(struct vocab_rules *to, struct bert_rules r, struct arena *a)
{
    struct step *norm = arena_array(a, struct step, BERT_NORM_STEPS + 1), *split = arena_array(a, struct step, 2);

    bert_norm_steps(r, norm);
    split->kind = STEP_WORDS;
    to->norm = norm;
    to->split = split;
}

struct bert_rules bert_rules_of(const struct step *s)
{
    struct bert_rules r = {0};

    for (; s->kind != STEP_END; s++) {
        r.clean |= s->kind == STEP_CLEAN;
        r.ideographs |= s->kind == STEP_SPACE_IDEOGRAPHS;
        r.strip_accents |= s->kind == STEP_STRIP_NONSPACING || s->kind == STEP_STRIP_ACCENTS;
        r.lowercase |= s->kind == STEP_LOWERCASE;
    }
    return r;
}

/* convert_hf_to_gguf.py knows two such vocabularies by a hash: bert-base-uncased's, for which this is its last match, and
 * bert-base-chinese's. */
const char *bert_pre_name(uint64_t npieces)
{
    return npieces == 21128 ? "bert-bge-large" : "jina-v2-en";
}

/* ---- vocab.txt ---- */

int vocab_txt_read(const char *path, struct source *s, struct fail *f)
{
    size_t n;
    char *text = file_read_text(path, BERT_VOCAB_NBYTES, s->tmp, &n, f), *end = text ? text + n : NULL;
    struct pool pool = { .a = s->a };

    if (!text)
        return -1;
    for (uint64_t id = 0; text < end; id++) {
        char *line = memchr(text, '\n', (size_t)(end - text));
        size_t length = (size_t)((line ? line : end) - text);

        if (length && text[length - 1] == '\r')
            length--;
        source_set(s, id, pool_copy(&pool, text, length), 0, PIECE_NORMAL);
        text = line ? line + 1 : end;
    }
    s->rules.algorithm = ALGORITHM_WORDPIECE;
    s->rules.longest_word = BERT_LONGEST_WORD;
    s->rules.strip_prefix = true;
    bert_set_rules(&s->rules, (struct bert_rules){ true, true, true, true }, s->a);
    s->unk = -1;
    for (uint64_t i = 0; i < s->n && s->unk < 0; i++)
        if (strcmp(s->piece[i].s, "[UNK]") == 0)
            s->unk = (int32_t)i;
    return s->n ? 0 : (fail(f, FAIL_INPUT, "the vocabulary is empty"), fail_in(f, path));
}
