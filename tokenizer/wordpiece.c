/* wordpiece.c - the longest piece that a word starts with, then the longest that goes on, to its end. See rules.h.
 *
 * GGUF spells pieces the other way round than vocab.txt: what starts a word has U+2581 in front, what goes on inside one
 * ("##ing") is bare. Control pieces stay as they are. convert_hf_to_gguf.py: conversion/bert.py, BertModel.set_vocab. */
#include "tokenizer/rules.h"
#include "tokenizer/vocab.h"

#include <string.h>

static bool starts_word(struct meta_string p)
{
    return p.n >= 3 && memcmp(p.s, LOWER_ONE_EIGHTH, 3) == 0;
}

struct meta_string wordpiece_spell(struct meta_string p, int32_t type, struct pool *pool)
{
    char *s;

    if (type == PIECE_CONTROL)
        return p;
    if (p.n >= 2 && memcmp(p.s, "##", 2) == 0)
        return (struct meta_string){ p.s + 2, p.n - 2 };
    s = pool_take(pool, p.n + 3);
    memcpy(s, LOWER_ONE_EIGHTH, 3);
    memcpy(s + 3, p.s, p.n);
    s[p.n + 3] = 0;
    return (struct meta_string){ s, p.n + 3 };
}

struct meta_string wordpiece_text(struct meta_string p)
{
    return starts_word(p) ? (struct meta_string){ p.s + 3, p.n - 3 } : p;
}

struct meta_string wordpiece_printed(struct meta_string p, int32_t type, struct buffer *b)
{
    if (type == PIECE_CONTROL && b->n)
        buffer_put(b, " ", 1);
    if (p.n > 3 && starts_word(p) && strchr(".?!,", p.s[3]))
        return wordpiece_text(p);       /* Hugging Face's decoder: no space in front of these */
    return p;
}

void wordpiece_fill(struct model *m, const struct meta_string *piece, const int32_t *type, uint64_t n)
{
    m->starts = trie_new();
    m->prefixes = trie_new();
    for (uint64_t i = 0; i < n; i++) {
        bool starts = type[i] == PIECE_CONTROL || starts_word(piece[i]);
        struct meta_string p = wordpiece_text(piece[i]);

        if (type[i] != PIECE_UNUSED && p.n)
            trie_add(starts ? m->starts : m->prefixes, p.s, p.n, (int32_t)i);
    }
}

/* The longest piece of the trie at text[0]; its length in *length. -1: none. */
static int32_t longest(const struct trie *trie, const char *text, size_t n, size_t *length)
{
    uint32_t node = trie_root(trie);
    int32_t best = -1;

    for (size_t i = 0; i < n && (node = trie_walk(trie, node, (uint8_t)text[i])) != 0; i++)
        if (trie_value(trie, node) >= 0) {
            best = trie_value(trie, node);
            *length = i + 1;
        }
    return best;
}

static bool is_too_long(const struct model *m, const char *word, size_t n)
{
    size_t chars = 0;

    for (size_t i = 0; i < n; i++)
        chars += ((uint8_t)word[i] & 0xc0) != 0x80;
    return m->rules->longest_word && chars > m->rules->longest_word;
}

void wordpiece_word(struct model *m, const char *word, size_t n, struct ids *out)
{
    size_t before = out->n, at = 0, some = 0;
    int32_t id = is_too_long(m, word, n) ? -1 : longest(m->starts, word, n, &some);

    while (id >= 0) {
        ids_put(out, id);
        at += some;
        if (at == n)
            return;
        id = longest(m->prefixes, word + at, n - at, &some);
    }
    out->n = before;                    /* a word is known as a whole or not at all */
    if (m->unk >= 0)
        ids_put(out, m->unk);
}
