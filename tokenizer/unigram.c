/* unigram.c - the segmentation of a word whose pieces' scores add up to the most (Viterbi). See rules.h.
 *
 * Sums are of floats from the left, as in SentencePiece: in a run of one letter they decide between equals.
 * A character that is no piece of its own costs unk_score, which is 10 below the worst piece, as in SentencePiece. */
#include "tokenizer/rules.h"
#include "tokenizer/vocab.h"

#include <stdlib.h>
#include <string.h>

/* The best way to get to a place in the word. */
struct arrival {
    float score;
    uint32_t from;
    int32_t id;             /* -1: unknown; -2: not reached */
};

static void reach(struct arrival *p, uint32_t from, float score, int32_t id)
{
    if (p->id == -2 || score > p->score)
        *p = (struct arrival){ score, from, id };
}

static void reach_from(const struct model *m, struct arrival *place, const char *word, size_t n, uint32_t at)
{
    size_t step = utf8_length(word + at, n - at);
    uint32_t node = trie_root(m->prefixes);
    bool single = false;

    step = step ? step : 1;
    for (uint32_t i = at; i < n && (node = trie_walk(m->prefixes, node, (uint8_t)word[i])) != 0; i++) {
        int32_t id = trie_value(m->prefixes, node);

        if (id < 0)
            continue;
        reach(&place[i + 1], at, place[at].score + m->score[id], id);
        single |= i + 1 == at + step;
    }
    if (!single)
        reach(&place[at + step], at, place[at].score + m->unk_score, -1);
}

/* From the end back to the start, then the links are turned around: from[] becomes "where to go on". */
static void put_path(struct model *m, const struct arrival *place, const char *word, size_t n, struct ids *out)
{
    uint32_t *end = heap_grow(NULL, n + 1, sizeof *end), at = (uint32_t)n;
    size_t unknown_from = SIZE_MAX;

    for (; at > 0; at = place[at].from)
        end[place[at].from] = at;
    for (at = 0; at < n; at = end[at]) {
        int32_t id = place[end[at]].id;

        if (id < 0 && unknown_from == SIZE_MAX)
            unknown_from = at;
        if (id >= 0 && unknown_from != SIZE_MAX) {
            put_unknown(m, word + unknown_from, at - unknown_from, out);
            unknown_from = SIZE_MAX;
        }
        if (id >= 0)
            ids_put(out, id);
    }
    if (unknown_from != SIZE_MAX)
        put_unknown(m, word + unknown_from, n - unknown_from, out);
    free(end);
}

void unigram_word(struct model *m, const char *word, size_t n, struct ids *out)
{
    struct arrival *place = heap_grow(NULL, n + 1, sizeof *place);

    for (size_t i = 0; i <= n; i++)
        place[i] = (struct arrival){ .id = -2 };
    place[0].id = -1;
    for (uint32_t at = 0; at < n; at++)
        if (place[at].id != -2)
            reach_from(m, place, word, n, at);
    put_path(m, place, word, n, out);
    free(place);
}
