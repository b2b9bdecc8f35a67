/* rules.h - private to tokenizer/: how a source splits text, as a short list of steps, and the tables they run on.
 *
 * Text goes through four stages: added tokens are cut out, the rest is normalized (`norm`), cut into words (`split`), and
 * each word becomes ids (`algorithm`). tokenizer.json, tokenizer.model and a name in tokenizer.ggml.pre all end as this. */
#ifndef BANTAM_RULES_H
#define BANTAM_RULES_H

#include "formats/arena.h"
#include "formats/fail.h"
#include "formats/meta.h"
#include "formats/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum step_kind {
    STEP_END,
    /* normalizers: text in, text out */
    STEP_NFC, STEP_NFD, STEP_NFKC, STEP_NFKD, STEP_LOWERCASE, STEP_STRIP_ACCENTS,
    STEP_CLEAN,             /* BERT's: control characters go, white space becomes " " */
    STEP_SPACE_IDEOGRAPHS,  /* BERT's: a space on either side */
    STEP_STRIP_NONSPACING,  /* BERT's accents: fewer than STEP_STRIP_ACCENTS has */
    STEP_STRIP,             /* white space at the ends: left, right */
    STEP_SQUEEZE,           /* no space at the ends, single ones inside: SentencePiece's remove_extra_whitespaces */
    STEP_PREPEND,           /* text, before anything that is not empty; only_first: not behind an added token */
    STEP_APPEND,            /* the same behind */
    STEP_REPLACE,           /* text (or the regex in text) by with */
    STEP_CHARSMAP,          /* SentencePiece's precompiled table, in text */
    /* pre-tokenizers: text in, pieces out */
    STEP_SPLIT,             /* at text, by behavior */
    STEP_PREFIX_SPACE,      /* ByteLevel's add_prefix_space: in front of what does not start with one */
    STEP_WORDS,             /* BERT's: cut at white space, and on either side of a mark of punctuation */
    STEP_METASPACE,         /* " " becomes text; text goes in front by only_first and never; SPLIT follows separately */
    STEP_BYTES,             /* words are bytes in the byte-level alphabet from here on */
};

enum split_behavior { SPLIT_ISOLATED, SPLIT_REMOVED, SPLIT_MERGED_PREVIOUS, SPLIT_MERGED_NEXT, SPLIT_CONTIGUOUS };

struct step {
    enum step_kind kind;
    const char *text, *with;
    size_t ntext;                   /* 0: strlen(text); a charsmap is binary */
    enum split_behavior behavior;
    bool literal;                   /* text is no regex */
    bool invert;                    /* what matches is what lies between */
    bool only_first, never;
    bool left, right;
};

/* A token that is found in the text before anything else happens to it. */
struct added_token {
    struct meta_string text;
    int32_t id;
    bool special;                   /* matched only when special tokens may be spelled out */
    bool normalized;                /* looked for in the normalized text instead */
    bool as_is;                     /* ... and itself is spelled that way already */
    bool single_word, lstrip, rstrip;
};

enum algorithm {
    ALGORITHM_PAIRS,                /* merges: pairs of pieces in order of rank */
    ALGORITHM_SCORES,               /* SentencePiece BPE: the neighbors whose union scores best */
    ALGORITHM_UNIGRAM,              /* the segmentation of the highest total score */
    ALGORITHM_WORDPIECE,            /* the longest piece, again and again; no piece: the whole word is unknown */
};

struct vocab_rules {
    enum algorithm algorithm;
    const struct step *norm, *split;    /* each closed by STEP_END; the regexes are as the source spells them */
    const struct added_token *added;
    size_t nadded;
    const int32_t *pair;            /* ALGORITHM_PAIRS from a directory: left, right, result, by rank; NULL: see vocab.merge */
    uint64_t npairs;
    uint32_t longest_word;          /* ALGORITHM_WORDPIECE: a word of more characters is unknown; 0: any length */
    bool byte_level;                /* pieces are spelled in the byte-level alphabet */
    bool byte_fallback;             /* what has no piece becomes <0x..> pieces */
    bool ignore_merges;             /* a word that is a piece is taken whole */
    bool fuse_unk;                  /* neighboring unknowns count as one */
    bool strip_prefix;              /* decoding drops the space that encoding put in front */
};

/* ---- pretokenize.c: the table of known kinds ---- */
struct pre_kind {
    const char *name;               /* tokenizer.ggml.pre */
    const char *families;           /* model_type of config.json that say this name among equals, " a b " */
    const struct step *split;
    bool ignore_merges;
    bool add_bos;                   /* what a reader assumes when tokenizer.ggml.add_bos_token is absent */
};

const struct pre_kind *pre_kind_named(const char *name);       /* NULL: none */
const struct pre_kind *pre_kind_required(const char *name, struct fail *);     /* NULL: FAIL_INPUT, no such kind */

/* The kind whose steps are those of `r`; among equals the one that says the same about merges, BOS and model_type.
 * NULL: FAIL_INPUT, which names the nearest kind and the first difference. */
const struct pre_kind *pre_kind_of(const struct vocab_rules *r, bool add_bos, const char *model_type, struct fail *f);

/* ---- letters.c: growing memory, UTF-8 and the byte-level alphabet ---- */
/* realloc() to n * size bytes that ends the program as the arena does; for what grows while text is read. */
void *heap_grow(void *old, size_t n, size_t size);

/* Short strings packed one behind the other: an arena of its own would give each 64 bytes. */
struct pool {
    struct arena *a;
    char *at;
    size_t left;
};
char *pool_take(struct pool *, size_t n);               /* n bytes and room for a NUL */
struct meta_string pool_copy(struct pool *, const void *bytes, size_t n);

size_t utf8_span(const uint8_t *s, size_t n);           /* bytes up to the first that is not UTF-8 */
uint32_t utf8_char(const uint8_t *s, size_t nbytes);    /* of a valid sequence */
size_t utf8_put(uint32_t c, char *to);                  /* up to 4 bytes */
bool is_white_space(uint32_t c);                        /* Unicode's White_Space */

/* GPT-2's alphabet: each byte is one character that can be seen. */
uint32_t byte_level_char(uint8_t byte);
int byte_level_byte(uint32_t c);                        /* -1: not in the alphabet */
struct meta_string byte_level_decode(struct meta_string piece, struct pool *);   /* .s NULL: a character is not in it */

int byte_piece_value(struct meta_string piece);         /* "<0x0A>" is 10; -1: not such a piece */
bool looks_special(const char *piece, size_t n);        /* "<|...|>" and others that convert_hf_to_gguf.py calls control */

#define LOWER_ONE_EIGHTH "\xe2\x96\x81"                 /* U+2581, SentencePiece's space */

/* ---- regex.c: Oniguruma's syntax run by PCRE2 ---- */
struct regex;
struct regex *regex_open(const char *pattern, struct arena *, struct fail *);  /* freed with the arena */

/* The next match at or behind `from` in text, which must be UTF-8. 1: found, 0: none, -1: see *f. */
int regex_next(struct regex *, const char *text, size_t n, size_t from, size_t *start, size_t *end, struct fail *f);

/* PCRE2's spelling of an Oniguruma pattern (Ruby syntax), in `a`. NULL: FAIL_INPUT, cannot be carried over. */
char *regex_translate(const char *pattern, struct arena *a, struct fail *f);

/* ---- steps.c: a compiled list of steps ---- */
struct buffer {
    char *s;
    size_t n, cap;
};
void buffer_put(struct buffer *, const void *bytes, size_t n);
void buffer_release(struct buffer *);

/* Puts the text, mapped by a table as SentencePiece precompiles it, behind what is in the buffer; a broken table maps nothing. */
void charsmap_map(const char *table, size_t ntable, const char *text, size_t n, struct buffer *);

struct steps;
struct steps *steps_open(const struct step *norm, const struct step *split, struct arena *, struct fail *);
void steps_close(struct steps *);

/* Where a stretch of text stands, which decides about the space in front of it. */
enum place {
    PLACE_START,                    /* at the start of the text */
    PLACE_SEGMENT,                  /* behind an added token, or behind another piece */
    PLACE_INSIDE,                   /* goes on where bytes that are not UTF-8 interrupted */
};

/* The normalized text: `text` itself, or a buffer that lives until the next call. NULL: see *f. */
const char *steps_normalize(struct steps *, const char *text, size_t n, enum place, size_t *nout, struct fail *f);

/* Calls word() for every piece in order; stops at its first -1. */
int steps_split(struct steps *, const char *text, size_t n, enum place, int (*word)(void *, const char *, size_t), void *data,
                struct fail *f);

/* ---- pieces.c: bytes to id, and prefixes to ids ---- */
struct piece_slot {
    int32_t id;                     /* -1: empty */
    uint32_t tag;                   /* of the hash: most strangers are told without a look at their bytes */
};

struct piece_table {
    struct piece_slot *slot;
    const struct meta_string *piece;
    size_t mask;
};
void piece_table_init(struct piece_table *, struct arena *, const struct meta_string *piece, size_t n);
void piece_table_add(struct piece_table *, int32_t id);         /* a piece of the same bytes stays */
int32_t piece_table_find(const struct piece_table *, const void *bytes, size_t n);     /* -1: none */

struct trie;
struct trie *trie_new(void);
void trie_free(struct trie *);
void trie_add(struct trie *, const char *bytes, size_t n, int32_t value);      /* the first value stays */
bool trie_empty(const struct trie *);
uint32_t trie_root(const struct trie *);
uint32_t trie_walk(const struct trie *, uint32_t node, uint8_t byte);          /* 0: nothing goes on */
int32_t trie_value(const struct trie *, uint32_t node);                        /* -1: nothing ends here */

/* ---- merge.c: byte-pair merging of one word ---- */
struct pair_table;
struct pair_table *pair_table_new(size_t npairs);
void pair_table_free(struct pair_table *);
void pair_table_add(struct pair_table *, int32_t left, int32_t right, uint32_t rank, int32_t id);     /* the first stays */

struct ids {
    int32_t *id;
    size_t n, cap;
};
void ids_put(struct ids *, int32_t id);

/* Everything an algorithm needs to turn a word into ids; filled in by tokenizer_open(). */
struct model {
    const struct vocab_rules *rules;
    const struct meta_string *bytes;        /* what each id stands for */
    const int32_t *type;
    struct piece_table pieces;
    struct pair_table *pairs;               /* ALGORITHM_PAIRS */
    uint32_t *rank;                         /* ALGORITHM_SCORES: place of an id among the scores, best first */
    const float *score;                     /* ALGORITHM_UNIGRAM */
    float unk_score;
    struct trie *prefixes;                  /* ALGORITHM_UNIGRAM: all pieces; _WORDPIECE: those inside a word; value is the id */
    struct trie *starts;                    /* ALGORITHM_WORDPIECE: those at the start of a word */
    int32_t byte_id[256];                   /* byte-level: a byte's own piece; byte fallback: <0x..>; -1: none */
    int32_t unk;
    void *scratch;                          /* merge.c's and unigram.c's own, kept between words */
};
void merge_word(struct model *, const char *word, size_t n, struct ids *out);
void unigram_word(struct model *, const char *word, size_t n, struct ids *out);
void wordpiece_word(struct model *, const char *word, size_t n, struct ids *out);
void put_unknown(struct model *, const char *bytes, size_t n, struct ids *out);
void model_scratch_free(struct model *);

/* Bytes of a base64 text into `out`, which has room for 3 for every 4 begun; -1: it is none. */
long base64_decode(struct meta_string text, uint8_t *out);
/* ---- wordpiece.c ---- */
void wordpiece_fill(struct model *, const struct meta_string *piece, const int32_t *type, uint64_t n);
struct meta_string wordpiece_spell(struct meta_string piece, int32_t type, struct pool *);     /* vocab.txt's as GGUF's */
struct meta_string wordpiece_text(struct meta_string piece);                                   /* GGUF's without its U+2581 */
/* What of a piece goes behind the text in b, where a space may be put first. */
struct meta_string wordpiece_printed(struct meta_string piece, int32_t type, struct buffer *b);

/* ---- the readers of a directory's files ---- */
struct cJSON;
struct vocab;

/* A tokenizer.json in outline: the small parts parsed, the large ones as they stand in the file. */
struct hf_outline {
    const char *path;
    const struct cJSON *added_tokens, *normalizer, *pre_tokenizer, *post_processor, *decoder;     /* NULL: absent */
    const struct cJSON *model;              /* its members but vocab and merges */
    struct meta_string vocab, merges;       /* .s NULL: absent; the file stays mapped as long as the arena */
};
struct hf_outline *hf_outline_read(const char *path, struct arena *tmp, struct fail *f);

/* What the tokenizer files hold, before it becomes keys. */
struct source {
    struct arena *a;                /* lives as long as the vocabulary */
    struct arena *tmp;              /* lives as long as the source */
    struct meta_string *piece;      /* by id; .s NULL: no piece has that id */
    float *score;
    int32_t *type;                  /* enum piece_type */
    uint64_t n, cap;
    struct meta_string *merge;      /* "left right", spaces inside spelled as U+0120; NULL: none */
    uint64_t nmerges;
    struct added_token *added;
    uint32_t *added_at;             /* by id: place in added + 1, 0: none */
    size_t nadded, addedcap;
    struct vocab_rules rules;
    bool prefix;                    /* a space goes in front of the text */
    bool remove_extra_spaces;
    int32_t unk;
    struct meta_string charsmap;
};

void source_reserve(struct source *, uint64_t id);      /* room for id, with empty pieces up to it */
void source_set(struct source *, uint64_t id, struct meta_string piece, float score, int32_t type);
struct added_token *source_added(struct source *, int32_t id);      /* NULL: not an added token */
void source_add(struct source *, struct added_token);   /* replaces one of the same id */
void source_release(struct source *);                   /* the growing lists: piece, score, type */

int spm_model_read(const char *path, struct source *, struct fail *);                          /* spm_model.c */
#define FAIRSEQ_FILE "sentencepiece.bpe.model"          /* SentencePiece's, but for the ids: vocab_fairseq.c */
int hf_json_read(const struct hf_outline *, struct source *, struct fail *);                  /* hf_json.c */
int tekken_read(const char *path, struct source *, unsigned *version, struct fail *);          /* tekken.c */

/* pair_files.c: vocab.json and merges.txt of `dir`, which a tokenizer of Qwen 2's class reads in another way than GPT-2's. */
struct pair_files {
    const char *dir;
    bool qwen2, prefix_space;
};
int pair_files_read(const struct pair_files *, struct source *, struct fail *);

/* ---- mistral.c: the tokenizer files that Mistral publishes beside params.json ---- */
struct mistral {
    bool tekken;                    /* otherwise SentencePiece */
    unsigned version;               /* "v3" is 3; 0: not said */
};
unsigned mistral_version(const char *);
const char *mistral_tokenizer(const char *dir, struct arena *);        /* the name of the file; NULL: none */
int mistral_read(const char *dir, const char *name, struct source *, struct mistral *, struct fail *);
/* tokenizer.ggml.*_token_id, by the names of the pieces, which v holds already. */
void mistral_write_ids(struct vocab *v, struct arena *);
/* Whether BOS and EOS are added, and the chat template: chat_template.jinja, else the name of one that llama.cpp knows. */
int mistral_write_rest(const struct mistral *, const char *dir, struct vocab *, struct arena *, struct arena *tmp, struct fail *);
int vocab_txt_read(const char *path, struct source *, struct fail *);                         /* bert.c */

/* hf_rules.c: the JSON of "normalizer" and "pre_tokenizer" (NULL or null: none) as steps. */
int hf_rules_read(const struct cJSON *normalizer, const struct cJSON *pre_tokenizer, struct vocab_rules *, struct arena *,
                  struct fail *);

/* ---- bert.c: BertNormalizer and BertPreTokenizer of Hugging Face's tokenizers ---- */
struct bert_rules {
    bool clean, ideographs, strip_accents, lowercase;
};
enum { BERT_NORM_STEPS = 5, BERT_LONGEST_WORD = 100, BERT_VOCAB_NBYTES = 64 << 20 };
size_t bert_norm_steps(struct bert_rules, struct step[BERT_NORM_STEPS]);   /* how many there are */
void bert_set_rules(struct vocab_rules *, struct bert_rules, struct arena *);
struct bert_rules bert_rules_of(const struct step *norm);                  /* what a list of steps says of them */
bool bert_is_dropped(uint32_t c);
bool bert_is_nonspacing(uint32_t c);
bool bert_is_punctuation(uint32_t c);
bool bert_is_ideograph(uint32_t c);
const char *bert_pre_name(uint64_t npieces);    /* tokenizer.ggml.pre, which to readers is a mere label here */

/* ---- vocab.c: what both kinds of source end with ---- */
struct vocab;
extern const char *const vocab_model_names[];           /* by enum vocab_model, as tokenizer.ggml.model spells them */
void vocab_read_fields(struct vocab *, bool pre_adds_bos);      /* ids and flags out of the keys in vocab.meta */

/* Added tokens of a vocabulary that only has types; `known` (or NULL) are those about which more is said. */
void vocab_add_by_type(const struct vocab *, struct vocab_rules *, struct source *known, struct arena *);

/* ---- special.c: which ids are special, and the chat templates ---- */
struct special_request {
    const char *dir;
    const struct hf_outline *json;          /* NULL: no tokenizer.json */
    const struct cJSON *config, *tokenizer_config;      /* NULL: no such file */
    uint64_t npieces;                       /* ids from here on are left out; 0: any id */
    bool code_llama;                        /* also eot, as convert_hf_to_gguf.py does for 32016 rows */
};
int special_write(const struct special_request *, struct meta *, struct arena *a, struct arena *tmp, struct fail *);

#endif
