/* pretokenize.c - the known kinds of byte-level pre-tokenizers, and which of them a tokenizer.json is, by structure.
 *
 * The regexes are facts from the published tokenizer.json files, where llama.cpp quotes them in llama-vocab.cpp, and its
 * own otherwise. Unicode's composition (NFC) is no part of a kind: GGUF has no key for it. */
#include "tokenizer/regexes.h"
#include "tokenizer/rules.h"

#include <stdio.h>
#include <string.h>

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define TAIL "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define OTHERS "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
#define WORD "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define CASED(tail) "[^\\r\\n\\p{L}\\p{N}]?" UPPER "*" LOWER "+" tail "|[^\\r\\n\\p{L}\\p{N}]?" UPPER "+" LOWER "*" tail
#define CASED_OTHERS "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*"
#define ASCII_PUNCTUATION "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~]"
#define CJK_KANA "[一-龥぀-ゟ゠-ヿ]+"
#define CJK_WIDE "[一-龥ࠀ-一가-퟿]+"

#define REGEX_LLAMA3 CONTRACTIONS "|" WORD "|\\p{N}{1,3}" OTHERS TAIL
#define REGEX_QWEN2 CONTRACTIONS "|" WORD "|\\p{N}" OTHERS TAIL
#define REGEX_GPT4O CASED(CONTRACTIONS "?") "|\\p{N}{1,3}" CASED_OTHERS TAIL
#define BLOOM_MARKS ".,!?…。，、।۔،"
#define SPACES(n) "|\\s{" n "}(?!\\S)"

#define SPLIT(regex) { .kind = STEP_SPLIT, .text = regex }
#define SPLIT_AS(regex, how) { .kind = STEP_SPLIT, .text = regex, .behavior = how }
#define BYTES { .kind = STEP_BYTES }

static const struct step
LLAMA3[] = { SPLIT(REGEX_LLAMA3), BYTES, {0} },
JAIS2[] = { SPLIT(CONTRACTIONS "|" WORD "|\\p{N}{1,3}" OTHERS "|\\s*[\\r\\n]+" SPACES("512") SPACES("256") SPACES("128")
                  SPACES("64") SPACES("32") SPACES("16") SPACES("8") SPACES("4") SPACES("1,2") "|\\s{1}"), BYTES, {0} },
QWEN2[] = { SPLIT(REGEX_QWEN2), BYTES, {0} },
QWEN35[] = { SPLIT(CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*" TAIL), BYTES, {0} },
UFAKZEKA[] = { SPLIT(WORD "|\\p{N}" OTHERS TAIL), BYTES, {0} },
SEED_CODER[] = { SPLIT(CONTRACTIONS "|" WORD "|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\\r\\n]+" TAIL), BYTES, {0} },
BAILING[] = { SPLIT("'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]"
                    "|\\s+(?!\\S)|\\s+"), BYTES, {0} },
TEKKEN[] = { SPLIT(CASED("") "|\\p{N}" CASED_OTHERS TAIL), BYTES, {0} },
GPT4O[] = { SPLIT(REGEX_GPT4O), BYTES, {0} },
TINY_AYA[] = { SPLIT("\\d{1,3}(?=(?:\\d{3})*\\b)"), SPLIT(REGEX_GPT4O), BYTES, {0} },
YOUTU[] = { SPLIT("[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥぀-ゟ゠-ヿ]+"),
            SPLIT(CASED(CONTRACTIONS "?") "|\\p{N}" CASED_OTHERS TAIL), BYTES, {0} },
MINICPM5[] = { SPLIT("\\p{N}{1,3}"), SPLIT(CONTRACTIONS "|" WORD "|\\p{N}+" OTHERS TAIL), BYTES, {0} },
EXAONE_MOE[] = { SPLIT(CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?(?:\\p{L}\\p{M}*(?: \\p{L}\\p{M}*)*)+|\\p{N}"
                       "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]?|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"), BYTES, {0} },
LAGUNA[] = { SPLIT("[^\\n]+|[\\n]+"), SPLIT(REGEX_QWEN2), BYTES, {0} },
DEEPSEEK_LLM[] = { SPLIT("[\\r\\n]"), SPLIT("\\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-"
        "ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲ"
        "ⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+"),
        SPLIT("\\s?[!-/:-~！-／：-～‘-‟　-。]+"), SPLIT("\\s+$"), SPLIT(CJK_WIDE), SPLIT_AS("\\p{N}", SPLIT_CONTIGUOUS), BYTES, {0} },
DEEPSEEK_CODER[] = { SPLIT("[\\r\\n]"), SPLIT("\\s?\\p{L}+"), SPLIT("\\s?\\p{P}+"), SPLIT(CJK_WIDE), SPLIT("\\p{N}"), BYTES, {0} },
DEEPSEEK_V3[] = { SPLIT("\\p{N}{1,3}"), SPLIT(CJK_KANA), SPLIT(ASCII_PUNCTUATION "[A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
                  "| ?[\\p{P}\\p{S}]+[\\r\\n]*" TAIL), BYTES, {0} },
SPARK2_5[] = { SPLIT("\\p{N}{1,3}"), SPLIT(CJK_KANA), SPLIT(ASCII_PUNCTUATION "[A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
               "| ?[\\p{P}\\p{S}]+|[\\r\\n]|\\s+(?!\\S)|\\s+"), SPLIT("\\p{N}"), BYTES, {0} },
GPT2[] = { SPLIT(REGEX_GPT2), BYTES, {0} },
DIGITS_GPT2[] = { SPLIT(REGEX_DIGIT), SPLIT(REGEX_GPT2), BYTES, {0} },
FALCON[] = { SPLIT_AS(REGEX_PUNCTUATION, SPLIT_CONTIGUOUS), SPLIT(REGEX_GPT2), BYTES, SPLIT_AS(REGEX_DIGIT, SPLIT_CONTIGUOUS),
             SPLIT("[0-9][0-9][0-9]"), {0} },
BLOOM[] = { SPLIT(" ?[^(\\s|[" BLOOM_MARKS "])]+"), BYTES, {0} },
VIKING[] = { SPLIT(" ?[^(\\s|[" BLOOM_MARKS "])]+"), SPLIT(REGEX_DIGIT), BYTES, {0} },
SUPERBPE[] = { SPLIT("\\p{N}+"), SPLIT("(?=(\\d{3})+(?!\\d))"), BYTES, {0} },
CHAMELEON[] = { SPLIT("<sentinel:[0-9]+>"), SPLIT("(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z"), SPLIT("([\\t\\n]|    |  )"),
                SPLIT(REGEX_DIGIT), SPLIT(REGEX_PUNCTUATION), SPLIT(REGEX_GPT2), BYTES, {0} },
DEFAULT[] = { SPLIT("[\\p{P}\\$\\+<=>\\^~\\|]+"), SPLIT(REGEX_GPT2), SPLIT("\\p{N}+"), SPLIT("[0-9][0-9][0-9]"), BYTES, {0} };

static const struct pre_kind kinds[] = {
#define PRE(name, families, steps, ignore_merges, add_bos) { name, families, steps, ignore_merges, add_bos },
#include "tokenizer/pre.def"
#undef PRE
};
enum { NKINDS = sizeof kinds / sizeof *kinds };

const struct pre_kind *pre_kind_named(const char *name)
{
    for (int i = 0; i < NKINDS; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}

const struct pre_kind *pre_kind_required(const char *name, struct fail *f)
{
    const struct pre_kind *k = pre_kind_named(name);

    if (!k)
        fail(f, FAIL_INPUT, "pre-tokenizer '%s' is not known", name);
    return k;
}

/* ---- comparing structures ---- */

/* A pattern's characters one after the other: line breaks count as their escapes. */
static const char *next_char(const char **at, char raw[5])
{
    static const struct {
        char c;
        const char *escape;
    } same[] = { { '\r', "\\r" }, { '\n', "\\n" }, { '\t', "\\t" } };
    size_t n;

    for (size_t i = 0; i < 3; i++)
        if (**at == same[i].c) {
            (*at)++;
            return same[i].escape;
        }
    n = **at == '\\' && (*at)[1] ? 2 : utf8_length(*at, 4);
    n = n ? n : 1;
    memcpy(raw, *at, n);
    raw[n] = 0;
    *at += n;
    return raw;
}

/* Where two patterns part, as a count of bytes in the first; -1: they are the same. */
static long pattern_difference(const char *a, const char *b)
{
    const char *start = a;

    while (*a && *b) {
        char raw_a[5], raw_b[5];
        long at = a - start;

        if (strcmp(next_char(&a, raw_a), next_char(&b, raw_b)) != 0)
            return at;
    }
    return *a || *b ? a - start : -1;
}

static bool same_step(const struct step *a, const struct step *b)
{
    return a->kind == b->kind && a->behavior == b->behavior && a->literal == b->literal && a->invert == b->invert
           && a->only_first == b->only_first && a->never == b->never
           && (a->text && b->text ? pattern_difference(a->text, b->text) < 0 : a->text == b->text);
}

static size_t count(const struct step *s)
{
    size_t n = 0;

    while (s[n].kind != STEP_END)
        n++;
    return n;
}

/* How many leading steps are the same; SIZE_MAX when all are. */
static size_t same_steps(const struct step *a, const struct step *b)
{
    size_t n = 0;

    while (a[n].kind != STEP_END && same_step(&a[n], &b[n]))
        n++;
    return a[n].kind == STEP_END && b[n].kind == STEP_END ? SIZE_MAX : n;
}

/* ---- telling the nearest ---- */

/* How alike two steps are, up to 1000: for regexes the characters that both start and end with. */
static size_t likeness(const struct step *a, const struct step *b)
{
    size_t na, nb, least, head = 0, tail = 0;

    if (a->kind != b->kind)
        return 0;
    if (a->kind != STEP_SPLIT)
        return 1000;
    na = strlen(a->text);
    nb = strlen(b->text);
    least = na < nb ? na : nb;
    while (head < least && a->text[head] == b->text[head])
        head++;
    while (tail < least - head && a->text[na - 1 - tail] == b->text[nb - 1 - tail])
        tail++;
    return 100 + 900 * (head + tail + 1) / ((na > nb ? na : nb) + 1);
}

/* Each step against the one most like it, and the rest counts against both. */
static size_t nearness(const struct step *mine, const struct step *known)
{
    size_t a = count(mine), b = count(known), sum = 0;

    for (size_t i = 0; i < a; i++) {
        size_t best = 0;

        for (size_t k = 0; k < b; k++)
            best = likeness(&mine[i], &known[k]) > best ? likeness(&mine[i], &known[k]) : best;
        sum += best;
    }
    return a + b ? 1000 * sum / (a > b ? a : b) : 0;
}

static const char *behavior_name(enum split_behavior b)
{
    static const char *const names[] = { "Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous" };

    return names[b];
}

static void describe(const struct step *s, char *out, size_t size)
{
    static const char *const names[] = {
        [STEP_END] = "nothing", [STEP_PREFIX_SPACE] = "add_prefix_space", [STEP_METASPACE] = "Metaspace", [STEP_BYTES] = "ByteLevel",
    };

    if (s->kind == STEP_SPLIT)
        snprintf(out, size, "%s%s split", s->invert ? "inverted " : "", behavior_name(s->behavior));
    else
        snprintf(out, size, "%s", s->kind < sizeof names / sizeof *names && names[s->kind] ? names[s->kind] : "a normalizer");
}

/* At most 60 bytes from `at`, not cut inside a character. */
static int excerpt(const char *s, long at)
{
    size_t n = strnlen(s + at, 60);

    while (n > 0 && ((unsigned char)s[at + (long)n] & 0xc0) == 0x80)
        n--;
    return (int)n;
}

static int fail_unknown(const struct step *mine, const struct pre_kind *k, struct fail *f)
{
    size_t i = same_steps(mine, k->split);
    const struct step *x = &mine[i], *y = &k->split[i];
    long at = x->kind == STEP_SPLIT && y->kind == STEP_SPLIT ? pattern_difference(x->text, y->text) : -1;
    char one[80], other[80];

    if (at >= 0) {
        while (at > 0 && ((unsigned char)y->text[at] & 0xc0) == 0x80)
            at--;
        if ((size_t)at > strlen(y->text))
            at = (long)strlen(y->text);
        fail(f, FAIL_INPUT, "the pre-tokenizer is not known: the nearest is '%s', but the regex of step %zu differs at character %ld: "
             "'%.*s' where that has '%.*s'", k->name, i + 1, at, excerpt(x->text, at), x->text + at, excerpt(y->text, at), y->text + at);
    } else {
        describe(x, one, sizeof one);
        describe(y, other, sizeof other);
        fail(f, FAIL_INPUT, "the pre-tokenizer is not known: the nearest is '%s', but step %zu is %s where that has %s",
             k->name, i + 1, one, other);
    }
    return fail_hint(f, "--pre-tokenizer NAME says which one to write; a conversion checks that it splits text as this tokenizer does");
}

/* ---- recognition ---- */

static bool has_family(const struct pre_kind *k, const char *model_type)
{
    char word[80];

    if (!model_type || !*model_type)
        return false;
    snprintf(word, sizeof word, " %s ", model_type);
    return strstr(k->families, word) != NULL;
}

const struct pre_kind *pre_kind_of(const struct vocab_rules *r, bool add_bos, const char *model_type, struct fail *f)
{
    const struct pre_kind *best = NULL, *near = NULL;
    int best_score = -1;

    for (int i = 0; i < NKINDS; i++) {
        const struct pre_kind *k = &kinds[i];
        int score = 4 * has_family(k, model_type) + 2 * (k->ignore_merges == r->ignore_merges) + (k->add_bos == add_bos);

        if (same_steps(r->split, k->split) == SIZE_MAX && score > best_score) {
            best = k;
            best_score = score;
        }
    }
    if (best)
        return best;
    for (int i = 0; i < NKINDS; i++)
        if (!near || nearness(r->split, kinds[i].split) > nearness(r->split, near->split))
            near = &kinds[i];
    fail_unknown(r->split, near, f);
    return NULL;
}
