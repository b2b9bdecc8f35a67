/* tokenizer.h - text to token ids and back, by a vocabulary's own rules: SentencePiece BPE and unigram, byte-level BPE. */
#ifndef BANTAM_TOKENIZER_H
#define BANTAM_TOKENIZER_H

#include "tokenizer/vocab.h"

struct tokenizer;

struct token_options {
    bool add_special;           /* BOS / EOS as the vocabulary says */
    bool parse_special;         /* control pieces spelled out in the text become their ids; user-defined ones always do */
};

/* Builds the lookup tables; the vocabulary must outlive it. NULL: see *f. One thread at a time. */
struct tokenizer *tokenizer_open(const struct vocab *, struct fail *);
void tokenizer_close(struct tokenizer *);

/* The ids of nbytes bytes of UTF-8 (other bytes follow the vocabulary's byte fallback, as the references do), in `a`;
 * *n is their number. NULL: see *f. */
int32_t *tokenizer_encode(struct tokenizer *, const char *text, size_t nbytes, struct token_options, struct arena *a,
                          size_t *n, struct fail *f);

/* The bytes that ids stand for, NUL-terminated, in `a`; control pieces are left out unless `special`. An id out of range
 * fails. *nbytes is the length without the NUL. */
char *tokenizer_decode(struct tokenizer *, const int32_t *ids, size_t n, bool special, struct arena *a, size_t *nbytes,
                       struct fail *f);

/* Tokenizes the built-in multilingual text with both; the first difference is FAIL_INPUT and names the text, the place
 * and both ids. `source` and `written` name the two in the message. */
int tokenizer_compare(const struct vocab *source, const struct vocab *written, struct fail *);

#endif
