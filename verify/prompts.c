/* prompts.c - see prompts.h. */
#include "verify/prompts.h"

#include <string.h>

/* ---- layout ---- */

struct text {
    char *at;
    size_t n, cap;
    struct arena *arena;
};

static void put(struct text *t, const char *s)
{
    size_t n = strlen(s);

    t->at = arena_grow(t->arena, t->at, &t->cap, t->n + n + 1, 1);
    memcpy(t->at + t->n, s, n + 1);
    t->n += n;
}

static void put_letter(struct text *t, size_t k)
{
    put(t, (const char[2]){ (char)('A' + (int)k) });
}

static void put_question(struct text *t, const struct question *q)
{
    put(t, q->text);
    for (size_t k = 0; k < q->nchoices; k++) {
        put(t, "\n");
        put_letter(t, k);
        put(t, ". ");
        put(t, q->choice[k]);
    }
    put(t, "\nAnswer:");
}

static void put_subject(struct text *t, const char *name)
{
    size_t start = t->n;

    put(t, name);
    for (; start < t->n; start++)
        if (t->at[start] == '_')
            t->at[start] = ' ';
}

char *prompt_text(const struct questions *list, const struct question *q, size_t shots, struct arena *a, size_t *n)
{
    const struct subject *s = &list->subject[q->subject];
    struct text t = { .arena = a };

    put(&t, "The following are multiple choice questions (with answers) about ");
    put_subject(&t, s->name);
    put(&t, ".\n\n");
    for (size_t i = 0; i < shots && i < s->shots.n; i++) {
        put_question(&t, &s->shots.item[i]);
        put(&t, " ");
        put_letter(&t, s->shots.item[i].answer);
        put(&t, "\n\n");
    }
    put_question(&t, q);
    *n = t.n;
    return t.at;
}

/* ---- tokens ---- */

static int encode(struct tokenizer *t, const struct vocab *v, const char *text, size_t nbytes, struct arena *a, struct sequence *out,
                  struct fail *f)
{
    int32_t *ids = tokenizer_encode(t, text, nbytes, (struct token_options){ .add_special = true }, a, &out->n, f);

    out->token = ids;
    if (ids && v->add_eos && out->n && ids[out->n - 1] == v->eos)
        out->n--;                       /* the text goes on */
    return ids ? 0 : -1;
}

static size_t common(const struct sequence *a, const struct sequence *b)
{
    size_t n = 0;

    while (n < a->n && n < b->n && a->token[n] == b->token[n])
        n++;
    return n;
}

/* The number of a sequence that starts with `s`: one that is there, prolonged if need be, or a new one. */
static size_t place(struct prompt *p, const struct sequence *s)
{
    for (size_t i = 0; i < p->nsequences; i++) {
        struct sequence *other = &p->sequence[i];
        size_t same = common(other, s);
        if (same < s->n && same < other->n)
            continue;
        if (s->n > other->n)
            *other = *s;
        return i;
    }
    p->sequence[p->nsequences] = *s;
    return p->nsequences++;
}

/* What `whole`, the tokens of prompt and continuation, has beyond those of the prompt. */
static struct span span_of(struct prompt *p, const struct sequence *prompt, const struct sequence *whole)
{
    size_t same = common(prompt, whole);
    struct sequence fed = { whole->token, whole->n ? whole->n - 1 : 0 };

    if (same == whole->n || !same)      /* nothing behind the prompt, or nothing before it */
        return (struct span){0};
    return (struct span){ place(p, &fed), same - 1, whole->token + same, whole->n - same };
}

int prompt_build(struct prompt *p, struct tokenizer *t, const struct vocab *v, const struct questions *list, const struct question *q,
                 size_t shots, struct arena *a, struct fail *f)
{
    struct sequence prompt, whole;
    size_t n;
    char *text = prompt_text(list, q, shots, a, &n);

    p->nsequences = p->longest = 0;
    if (encode(t, v, text, n, a, &prompt, f) != 0)
        return -1;
    for (size_t i = 0; i < RULES * q->nchoices; i++) {
        struct text more = { .arena = a };
        put(&more, text);
        put(&more, " ");
        if (i < q->nchoices)
            put_letter(&more, i);
        else
            put(&more, q->choice[i - q->nchoices]);
        if (encode(t, v, more.at, more.n, a, &whole, f) != 0)
            return -1;
        p->span[i] = span_of(p, &prompt, &whole);
    }
    for (size_t i = 0; i < p->nsequences; i++)
        p->longest = p->sequence[i].n > p->longest ? p->sequence[i].n : p->longest;
    return 0;
}
