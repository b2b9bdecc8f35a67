/* steps.c - runs the steps of a vocabulary: normalizers over a text, then the pre-tokenizers, depth first. See rules.h. */
#include "tokenizer/rules.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum { MAX_STEPS = 24 };

struct compiled {
    const struct step *step;
    size_t ntext, nwith;
    struct regex *regex;            /* NULL: literal, or no pattern at all */
    struct buffer buffer;           /* of the text that this step made */
};

struct steps {
    struct compiled norm[MAX_STEPS], split[MAX_STEPS];
    size_t nnorm, nsplit;
    /* of the running steps_split() */
    int (*word)(void *, const char *, size_t);
    void *data;
    struct fail *f;
};

static int compile_all(const struct step *list, struct compiled *out, size_t *n, struct arena *a, struct fail *f)
{
    for (; list->kind != STEP_END; list++) {
        struct compiled *c = &out[*n];
        bool pattern = (list->kind == STEP_SPLIT || list->kind == STEP_REPLACE) && !list->literal;

        if (*n == MAX_STEPS)
            return fail(f, FAIL_INPUT, "the tokenizer has more than %d steps", MAX_STEPS);
        *c = (struct compiled){ .step = list };
        c->ntext = list->ntext ? list->ntext : list->text ? strlen(list->text) : 0;
        c->nwith = list->with ? strlen(list->with) : 0;
        if (pattern && !(c->regex = regex_open(list->text, a, f)))
            return -1;
        (*n)++;
    }
    return 0;
}

struct steps *steps_open(const struct step *norm, const struct step *split, struct arena *a, struct fail *f)
{
    struct steps *s = heap_grow(NULL, 1, sizeof *s);

    memset(s, 0, sizeof *s);
    if (compile_all(norm, s->norm, &s->nnorm, a, f) || compile_all(split, s->split, &s->nsplit, a, f)) {
        steps_close(s);
        return NULL;
    }
    return s;
}

void steps_close(struct steps *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < MAX_STEPS; i++) {
        buffer_release(&s->norm[i].buffer);
        buffer_release(&s->split[i].buffer);
    }
    free(s);
}

/* ---- what both kinds of step do with a pattern ---- */

/* The next match of the pattern at or behind `from`. */
static int next_match(struct compiled *c, const char *text, size_t n, size_t from, size_t *start, size_t *end, struct fail *f)
{
    const char *at;

    if (c->regex)
        return regex_next(c->regex, text, n, from, start, end, f);
    at = c->ntext && from < n ? memmem(text + from, n - from, c->step->text, c->ntext) : NULL;
    if (!at)
        return 0;
    *start = (size_t)(at - text);
    *end = *start + c->ntext;
    return 1;
}

/* Walks over all matches as Rust's find_iter() does: an empty one right behind another match does not count. */
struct walk {
    size_t from, last;      /* where to look; the end of the last match, SIZE_MAX: none yet */
};

static int walk_next(struct walk *w, struct compiled *c, const char *text, size_t n, size_t *start, size_t *end, struct fail *f)
{
    while (w->from <= n) {
        int found = next_match(c, text, n, w->from, start, end, f);

        if (found <= 0)
            return found;
        w->from = *end;
        if (*start < *end || *end != w->last) {
            w->last = *end;
            return 1;
        }
        w->from += w->from < n ? utf8_length(text + w->from, n - w->from) : 1;
    }
    return 0;
}

/* ---- normalizers ---- */

static void strip(const struct step *s, const char **text, size_t *n)
{
    const uint8_t *p = (const uint8_t *)*text;
    size_t start = 0, end = *n;

    while (s->left && start < end) {
        size_t step = utf8_length((const char *)p + start, end - start);

        if (!is_white_space(utf8_char(p + start, step)))
            break;
        start += step;
    }
    while (s->right && end > start) {
        size_t at = end - 1;

        while (at > start && (p[at] & 0xc0) == 0x80)
            at--;
        if (!is_white_space(utf8_char(p + at, end - at)))
            break;
        end = at;
    }
    *text += start;
    *n = end - start;
}

/* Below U+0300 (lead byte 0xcc) nothing composes; below U+0080 nothing decomposes. */
static bool has_byte_from(const char *text, size_t n, uint8_t least)
{
    for (size_t i = 0; i < n; i++)
        if ((uint8_t)text[i] >= least)
            return true;
    return false;
}

static int unicode_form(struct buffer *b, const char *text, size_t n, enum step_kind kind, struct fail *f)
{
    bool compose = kind == STEP_NFC || kind == STEP_NFKC, compat = kind == STEP_NFKC || kind == STEP_NFKD;
    int options = UTF8PROC_STABLE | (compose ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE) | (compat ? UTF8PROC_COMPAT : 0);
    utf8proc_uint8_t *out = NULL;
    utf8proc_ssize_t nout;

    if (!has_byte_from(text, n, kind == STEP_NFC ? 0xcc : 0x80)) {
        buffer_put(b, text, n);
        return 0;
    }
    nout = utf8proc_map((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)n, &out, (utf8proc_option_t)options);
    if (nout == UTF8PROC_ERROR_NOMEM)
        arena_exhausted(n);
    if (nout < 0)
        return fail(f, FAIL_INPUT, "the text cannot be normalized: %s", utf8proc_errmsg(nout));
    buffer_put(b, out, (size_t)nout);
    free(out);
    return 0;
}

static void map_chars(struct buffer *b, const char *text, size_t n, enum step_kind kind)
{
    const uint8_t *p = (const uint8_t *)text;

    for (size_t at = 0, step; at < n; at += step) {
        uint32_t c;
        char out[8];

        step = utf8_length((const char *)p + at, n - at);
        c = utf8_char(p + at, step);
        if (kind == STEP_CLEAN) {
            if (is_white_space(c) && (!bert_is_dropped(c) || c == '\t' || c == '\n' || c == '\r'))
                buffer_put(b, " ", 1);
            else if (!bert_is_dropped(c))
                buffer_put(b, text + at, step);
        } else if (kind == STEP_SPACE_IDEOGRAPHS) {
            buffer_put(b, " ", bert_is_ideograph(c));
            buffer_put(b, text + at, step);
            buffer_put(b, " ", bert_is_ideograph(c));
        } else if (kind == STEP_STRIP_NONSPACING) {
            buffer_put(b, text + at, bert_is_nonspacing(c) ? 0 : step);
        } else if (kind == STEP_STRIP_ACCENTS) {
            utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);

            if (category != UTF8PROC_CATEGORY_MN && category != UTF8PROC_CATEGORY_MC && category != UTF8PROC_CATEGORY_ME)
                buffer_put(b, text + at, step);
        } else if (c == 0x130) {                    /* the only letter whose lower case is two characters */
            buffer_put(b, "i\xcc\x87", 3);
        } else {
            buffer_put(b, out, utf8_put((uint32_t)utf8proc_tolower((utf8proc_int32_t)c), out));
        }
    }
}

static int replace_all(struct compiled *c, const char *text, size_t n, struct fail *f)
{
    struct walk w = { 0, SIZE_MAX };
    size_t done = 0, start, end;
    int found;

    while ((found = walk_next(&w, c, text, n, &start, &end, f)) > 0) {
        buffer_put(&c->buffer, text + done, start - done);
        buffer_put(&c->buffer, c->step->with, c->nwith);
        done = end;
    }
    buffer_put(&c->buffer, text + done, n - done);
    return found;
}

/* At the end U+2581 counts as a space too: SentencePiece looks there when spaces have become visible. */
static void squeeze(struct buffer *b, const char *text, size_t n)
{
    while (n && (text[n - 1] == ' ' || (n >= 3 && memcmp(text + n - 3, LOWER_ONE_EIGHTH, 3) == 0)))
        n -= text[n - 1] == ' ' ? 1 : 3;
    for (size_t i = 0; i < n; i++)
        if (text[i] != ' ' || (b->n && b->s[b->n - 1] != ' '))
            buffer_put(b, text + i, 1);
}

/* One normalizer: *text and *n become its output, in place or in its buffer. */
static int normalize_step(struct compiled *c, const char **text, size_t *n, enum place place, struct fail *f)
{
    const struct step *s = c->step;
    int bad = 0;

    c->buffer.n = 0;
    switch (s->kind) {
    case STEP_STRIP:
        strip(s, text, n);
        return 0;
    case STEP_NFC: case STEP_NFD: case STEP_NFKC: case STEP_NFKD:
        bad = unicode_form(&c->buffer, *text, *n, s->kind, f);
        break;
    case STEP_LOWERCASE: case STEP_STRIP_ACCENTS: case STEP_CLEAN: case STEP_SPACE_IDEOGRAPHS: case STEP_STRIP_NONSPACING:
        map_chars(&c->buffer, *text, *n, s->kind);
        break;
    case STEP_SQUEEZE:
        squeeze(&c->buffer, *text, *n);
        break;
    case STEP_PREPEND: case STEP_APPEND:
        if (*n == 0 || place == PLACE_INSIDE || (s->only_first && place != PLACE_START))
            return 0;
        if (s->kind == STEP_PREPEND)
            buffer_put(&c->buffer, s->text, c->ntext);
        buffer_put(&c->buffer, *text, *n);
        if (s->kind == STEP_APPEND)
            buffer_put(&c->buffer, s->text, c->ntext);
        break;
    case STEP_REPLACE:
        bad = replace_all(c, *text, *n, f);
        break;
    case STEP_CHARSMAP:
        charsmap_map(c->step->text, c->ntext, *text, *n, &c->buffer);
        break;
    default:
        return 0;
    }
    *text = c->buffer.s ? c->buffer.s : "";
    *n = c->buffer.n;
    return bad;
}

const char *steps_normalize(struct steps *s, const char *text, size_t n, enum place place, size_t *nout, struct fail *f)
{
    for (size_t i = 0; i < s->nnorm; i++)
        if (normalize_step(&s->norm[i], &text, &n, place, f))
            return NULL;
    *nout = n;
    return text;
}

/* ---- pre-tokenizers ---- */

static int split_from(struct steps *, size_t level, const char *text, size_t n, enum place place, bool mapped);

/* A piece that may still grow by the next one. */
struct held {
    size_t start, end;
    bool full, match;
};

struct splitting {
    struct steps *s;
    size_t level;
    const char *text;           /* what the pattern sees: the bytes, or their byte-level characters */
    const char *bytes;          /* NULL: the same as text */
    size_t at_char, at_byte;    /* a character of text that is known to stand for this byte */
    enum place place;
    struct held held;
};

/* Where in the bytes the character at `at` of the byte-level text lies; called with growing places. */
static size_t byte_place(struct splitting *p, size_t at)
{
    for (; p->at_char < at; p->at_char++)
        p->at_byte += ((uint8_t)p->text[p->at_char] & 0xc0) != 0x80;
    return p->at_byte;
}

static int emit_held(struct splitting *p)
{
    const struct step *step = p->s->split[p->level].step;
    size_t start = p->held.start, end = p->held.end;
    const char *text = p->text;
    bool dropped = !p->held.full || start == end || (step->behavior == SPLIT_REMOVED && p->held.match);

    p->held.full = false;
    if (dropped)
        return 0;
    if (p->bytes) {
        start = byte_place(p, start);
        end = byte_place(p, end);
        text = p->bytes;
    }
    return split_from(p->s, p->level + 1, text + start, end - start, start == 0 ? p->place : PLACE_SEGMENT, p->bytes != NULL);
}

static bool joins(enum split_behavior behavior, bool before, bool now)
{
    return behavior == SPLIT_CONTIGUOUS ? before == now : behavior == SPLIT_MERGED_PREVIOUS ? now && !before
         : behavior == SPLIT_MERGED_NEXT ? before && !now : false;
}

static int add_piece(struct splitting *p, size_t start, size_t end, bool match)
{
    const struct step *step = p->s->split[p->level].step;

    match ^= step->invert;
    if (p->held.full && joins(step->behavior, p->held.match, match)) {
        p->held.end = end;
        p->held.match = match;
        return 0;
    }
    if (emit_held(p))
        return -1;
    p->held = (struct held){ start, end, true, match };
    return 0;
}

static int split_by_pattern(struct splitting *p, size_t n)
{
    struct compiled *c = &p->s->split[p->level];
    struct walk w = { 0, SIZE_MAX };
    size_t done = 0, start, end;
    int found;

    while ((found = walk_next(&w, c, p->text, n, &start, &end, p->s->f)) > 0) {
        if ((done < start && add_piece(p, done, start, false)) || add_piece(p, start, end, true))
            return -1;
        done = end;
    }
    if (found < 0 || (done < n && add_piece(p, done, n, false)))
        return -1;
    return emit_held(p);
}

static int split_step(struct steps *s, size_t level, const char *text, size_t n, enum place place, bool mapped)
{
    struct splitting p = { .s = s, .level = level, .text = text, .place = place };
    struct buffer *b = &s->split[level].buffer;

    if (!mapped)
        return split_by_pattern(&p, n);
    b->n = 0;
    for (size_t i = 0; i < n; i++) {
        char c[4];

        buffer_put(b, c, utf8_put(byte_level_char((uint8_t)text[i]), c));
    }
    p.bytes = text;
    p.text = b->s;
    return split_by_pattern(&p, b->n);
}

static int prefix_step(struct steps *s, size_t level, const char *text, size_t n, enum place place)
{
    struct buffer *b = &s->split[level].buffer;

    if (n == 0 || *text == ' ')
        return split_from(s, level + 1, text, n, place, false);
    b->n = 0;
    buffer_put(b, " ", 1);
    buffer_put(b, text, n);
    return split_from(s, level + 1, b->s, b->n, place, false);
}

static int metaspace_step(struct steps *s, size_t level, const char *text, size_t n, enum place place)
{
    struct compiled *c = &s->split[level];
    const struct step *step = c->step;
    bool there = (n && *text == ' ') || (n >= c->ntext && memcmp(text, step->text, c->ntext) == 0);

    c->buffer.n = 0;
    if (n && !there && !step->never && place != PLACE_INSIDE && (place == PLACE_START || !step->only_first))
        buffer_put(&c->buffer, step->text, c->ntext);
    for (size_t i = 0; i < n; i++)
        if (text[i] == ' ')
            buffer_put(&c->buffer, step->text, c->ntext);
        else
            buffer_put(&c->buffer, text + i, 1);
    return split_from(s, level + 1, c->buffer.s, c->buffer.n, place, false);
}

static int words_step(struct steps *s, size_t level, const char *text, size_t n, enum place place)
{
    size_t start = 0;

    for (size_t at = 0, step; at <= n; at += step) {
        uint32_t c = at < n ? utf8_char((const uint8_t *)text + at, step = utf8_length(text + at, n - at)) : (step = 1, ' ');
        bool space = is_white_space(c), mark = bert_is_punctuation(c);

        if ((space || mark) && at > start && split_from(s, level + 1, text + start, at - start, start ? PLACE_SEGMENT : place, false))
            return -1;
        if (mark && split_from(s, level + 1, text + at, step, at ? PLACE_SEGMENT : place, false))
            return -1;
        if (space || mark)
            start = at + step;
    }
    return 0;
}

static int split_from(struct steps *s, size_t level, const char *text, size_t n, enum place place, bool mapped)
{
    if (level == s->nsplit)
        return n ? s->word(s->data, text, n) : 0;
    switch (s->split[level].step->kind) {
    case STEP_SPLIT:
        return split_step(s, level, text, n, place, mapped);
    case STEP_PREFIX_SPACE:
        return prefix_step(s, level, text, n, place);
    case STEP_METASPACE:
        return metaspace_step(s, level, text, n, place);
    case STEP_WORDS:
        return words_step(s, level, text, n, place);
    default:
        return split_from(s, level + 1, text, n, place, mapped || s->split[level].step->kind == STEP_BYTES);
    }
}

int steps_split(struct steps *s, const char *text, size_t n, enum place place, int (*word)(void *, const char *, size_t), void *data,
                struct fail *f)
{
    s->word = word;
    s->data = data;
    s->f = f;
    return split_from(s, 0, text, n, place, false);
}
