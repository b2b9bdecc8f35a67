/* pair_files.c - vocab.json and merges.txt, as GPT-2 and Qwen 2 were published before there was tokenizer.json.
 *
 *     vocab.json   {"piece": id, ...}
 *     merges.txt   "#version: 0.2", then a merge a line: left, space, right
 * The two say nothing about how text is cut into words: the tokenizer's class does (transformers, tokenization_gpt2.py and
 * tokenization_qwen2.py). */
#include "formats/file.h"
#include "formats/json.h"
#include "formats/text.h"
#include "tokenizer/rules.h"
#include "tokenizer/vocab.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MAX_FILE = 64 << 20 };

/* The lines as a JSON list of strings. */
static void put_line(struct buffer *b, const char *line, size_t n)
{
    buffer_put(b, b->n > 1 ? ",\"" : "\"", b->n > 1 ? 2 : 1);
    for (size_t i = 0; i < n; i++) {
        char escaped[8];
        unsigned char c = (unsigned char)line[i];

        if (c < 0x20 || c == '"' || c == '\\')
            buffer_put(b, escaped, (size_t)snprintf(escaped, sizeof escaped, "\\u%04x", c));
        else
            buffer_put(b, &line[i], 1);
    }
    buffer_put(b, "\"", 1);
}

static int read_lines(const char *path, struct meta_string *out, struct arena *tmp, struct fail *f)
{
    struct buffer b = {0};
    size_t n;
    const char *text = file_read_text(path, MAX_FILE, tmp, &n, f), *end;

    if (!text)
        return -1;
    end = text + n;
    if (starts_with(text, "#version"))
        text += strcspn(text, "\n");
    buffer_put(&b, "[", 1);
    while (text < end) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t length = (size_t)((stop ? stop : end) - text);

        if (length && text[length - 1] == '\r')
            length--;
        if (length)
            put_line(&b, text, length);
        text = stop ? stop + 1 : end;
    }
    buffer_put(&b, "]", 1);
    *out = (struct meta_string){ arena_copy(tmp, b.s, b.n), b.n };
    buffer_release(&b);
    return 0;
}

static const struct step *steps_of(const struct pair_files *p, struct arena *a)
{
    const struct step *split = pre_kind_named(p->qwen2 ? "qwen2" : "gpt-2")->split;
    struct step *own;
    size_t n = 0;

    if (!p->prefix_space)
        return split;
    while (split[n++].kind != STEP_END)
        ;
    own = arena_array(a, struct step, n + 1);
    own[0].kind = STEP_PREFIX_SPACE;
    memcpy(own + 1, split, n * sizeof *own);
    return own;
}

int pair_files_read(const struct pair_files *p, struct source *s, struct fail *f)
{
    struct hf_outline o = { .path = path_join(s->tmp, p->dir, "vocab.json") };
    struct step *norm = arena_array(s->a, struct step, 2);

    o.vocab.s = file_read_text(o.path, MAX_FILE, s->tmp, &o.vocab.n, f);
    o.model = o.vocab.s ? json_parse("{\"type\":\"BPE\"}", 14, o.path, s->tmp, f) : NULL;
    if (!o.model || read_lines(path_join(s->tmp, p->dir, "merges.txt"), &o.merges, s->tmp, f) || hf_json_read(&o, s, f))
        return -1;
    norm[0].kind = p->qwen2 ? STEP_NFC : STEP_END;
    s->rules.norm = norm;
    s->rules.split = steps_of(p, s->a);
    s->rules.byte_level = true;
    return 0;
}
