/* compare.c - does a vocabulary as written give the tokens that its source gives? tokenizer_compare() of tokenizer.h. */
#include "tokenizer/rules.h"
#include "tokenizer/sample.h"
#include "tokenizer/tokenizer.h"

#include <inttypes.h>
#include <string.h>

struct comparison {
    const struct vocab *from, *to;
    struct tokenizer *source, *written;     /* of these two */
    struct steps *form;             /* what the source does first and GGUF has no key for */
    struct arena tmp;
    struct fail *f;
};

/* How many bytes of the text the first n ids stand for, as near as decoding tells. */
static size_t bytes_of(struct comparison *c, const int32_t *ids, size_t n)
{
    struct fail ignored = {0};
    size_t nbytes = 0;

    tokenizer_decode(c->source, ids, n, false, &c->tmp, &nbytes, &ignored);
    return nbytes;
}

static const char *id_name(struct comparison *c, const struct vocab *v, const int32_t *ids, size_t n, size_t i)
{
    if (i >= n)
        return "nothing more";
    return arena_printf(&c->tmp, "id %" PRId32 " ('%.60s')", ids[i], (uint64_t)ids[i] < v->n ? v->piece[ids[i]].s : "");
}

/* Bytes up to and with the first piece that SentencePiece's own model calls user-defined, n if there is none: what comes
 * behind it gets no space in front there and gets one from readers of GGUF, so it is compared as a text of its own. */
static size_t up_to_user_defined(const struct comparison *c, const char *text, size_t n)
{
    const struct vocab *w = c->to;
    size_t end = n;

    for (size_t i = 0; i < c->from->rules->nadded; i++) {
        const struct added_token *t = &c->from->rules->added[i];
        const struct meta_string *piece = t->as_is && (uint64_t)t->id < w->n ? &w->piece[t->id] : NULL;
        const char *at = piece ? memmem(text, end, piece->s, piece->n) : NULL;

        if (at)
            end = (size_t)(at - text) + piece->n;
    }
    return end;
}

static int compare_text(struct comparison *c, const struct sample_part *part, const char *text, size_t n)
{
    struct token_options options = { .add_special = true };
    size_t na, nb, i = 0, at;
    int32_t *a = tokenizer_encode(c->source, text, n, options, &c->tmp, &na, c->f);
    int32_t *b = a ? tokenizer_encode(c->written, text, n, options, &c->tmp, &nb, c->f) : NULL;

    if (!b)
        return -1;
    while (i < na && i < nb && a[i] == b[i])
        i++;
    if (i == na && i == nb)
        return 0;
    at = bytes_of(c, a, i);
    at = at < n ? at : n;
    while (at > 0 && ((uint8_t)text[at] & 0xc0) == 0x80)
        at--;
    fail(c->f, FAIL_INPUT, "the vocabulary as written splits the built-in text in another way: %s, byte %zu ('%.40s'): %s in the source, "
         "%s as written", part->name, at, text + at, id_name(c, c->from, a, na, i), id_name(c, c->to, b, nb, i));
    if (c->to->model != VOCAB_BPE)
        return fail_hint(c->f, "GGUF has no keys for some of the rules by which this tokenizer splits text");
    return fail_hint(c->f, "pre-tokenizer '%s' has other rules than this tokenizer; another may fit: --pre-tokenizer NAME",
                     c->to->pre);
}

static int compare_part(struct comparison *c, const struct sample_part *part)
{
    size_t n, some;
    const char *text = steps_normalize(c->form, part->text, strlen(part->text), PLACE_START, &n, c->f);
    int bad = text ? 0 : -1;

    for (; !bad && n; text += some, n -= some) {
        some = up_to_user_defined(c, text, n);
        bad = compare_text(c, part, text, some);
    }
    return bad;
}

static bool squeezes(const struct vocab_rules *r)
{
    bool found = false;

    for (const struct step *s = r->norm; s->kind != STEP_END; s++)
        found |= s->kind == STEP_SQUEEZE;
    return found;
}

/* Three habits that GGUF cannot carry are taken out of the text before both see it: NFC and its kin, that Metaspace puts no space in
 * front of one, and that it keeps those at the ends and in a row, which the SentencePiece model it stands for takes out. Without this
 * no tokenizer that has them could be converted at all. */
static struct steps *open_form(const struct vocab_rules *r, const struct vocab_rules *written, struct arena *tmp, struct fail *f)
{
    static const struct step none = { .kind = STEP_END };
    struct step *list = arena_array(tmp, struct step, 64);
    size_t n = 0;

    bool keeps = squeezes(written) && !squeezes(r);

    for (const struct step *s = r->norm; s->kind != STEP_END && n < 31; s++)
        if ((s->kind >= STEP_NFC && s->kind <= STEP_NFKD) || (keeps && s->kind == STEP_CHARSMAP))
            list[n++] = *s;
    for (const struct step *s = r->split; s->kind != STEP_END && n < 63; s++)
        if (s->kind == STEP_METASPACE && !s->never)
            list[n++] = keeps ? (struct step){ .kind = STEP_SQUEEZE } : (struct step){ .kind = STEP_STRIP, .left = true };
    return steps_open(list, &none, tmp, f);
}

int tokenizer_compare(const struct vocab *source, const struct vocab *written, struct fail *f)
{
    struct comparison c = { .from = source, .to = written, .f = f };
    int bad;

    c.source = tokenizer_open(source, f);
    c.written = c.source ? tokenizer_open(written, f) : NULL;
    c.form = c.written ? open_form(source->rules, written->rules, &c.tmp, f) : NULL;
    bad = c.form ? 0 : -1;
    for (size_t i = 0; !bad && i < sample_parts_n; i++)
        bad = compare_part(&c, &sample_parts[i]);
    steps_close(c.form);
    tokenizer_close(c.source);
    tokenizer_close(c.written);
    arena_release(&c.tmp);
    return bad;
}
