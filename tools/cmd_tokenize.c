/* cmd_tokenize.c - tokenize and detokenize: standard input through a model's own vocabulary. */
#include "formats/file.h"
#include "formats/model.h"
#include "tokenizer/tokenizer.h"
#include "tools/commands.h"
#include "tools/report.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* All of standard input, NUL-terminated, in `a`. */
static char *read_stdin(struct arena *a, size_t *n, struct fail *f)
{
    size_t cap = 1 << 16, got;
    char *text = arena_raw(a, cap);

    for (*n = 0; (got = fread(text + *n, 1, cap - *n - 1, stdin)); *n += got)
        if (cap - *n - got < 2)
            text = arena_grow(a, text, &cap, cap + 1, 1);
    text[*n] = '\0';
    return ferror(stdin) ? fail_errno(f, "standard input could not be read"), NULL : text;
}

/* Only the vocabulary: a directory needs no weights for this. */
static struct vocab *open_vocab(const char *path, struct arena *a, struct model **m, struct fail *f)
{
    const char *dir = path;

    *m = NULL;
    if (!path_is_dir(path)) {
        *m = model_open(path, f);
        dir = *m ? (*m)->dir : NULL;
    }
    if (failed(f))
        return NULL;
    return dir ? vocab_open_dir(dir, 0, NULL, a, f) : vocab_open_meta(&(*m)->meta, a, f);
}

static int print_ids(const struct args *a, const int32_t *ids, size_t n, struct fail *f)
{
    if (a->json)
        putchar('[');
    for (size_t i = 0; i < n; i++)
        printf("%s%d", i ? a->json ? ", " : " " : "", ids[i]);
    puts(a->json ? "]" : "");
    return stdout_done(f);
}

static int tokenize(struct args *a, struct tokenizer *t, struct fail *f)
{
    struct token_options options = { .add_special = !a->no_special, .parse_special = a->parse_special };
    size_t nbytes, n;
    char *text = read_stdin(&a->arena, &nbytes, f);
    int32_t *ids = text ? tokenizer_encode(t, text, nbytes, options, &a->arena, &n, f) : NULL;

    return ids ? print_ids(a, ids, n, f) : -1;
}

/* Numbers in any company: "[1, 2]" and "1 2" are the same ids. */
static int32_t *read_ids(const char *text, struct arena *a, size_t *n, struct fail *f)
{
    int32_t *ids = arena_array(a, int32_t, strlen(text) / 2 + 1);

    for (*n = 0; text += strspn(text, " \t\r\n,[]"), *text; ++*n) {
        char *end;
        long id = strtol(text, &end, 10);

        if (end == text || id < 0 || id > INT32_MAX)
            return fail(f, FAIL_INPUT, "standard input: '%.20s' is no token id", text), NULL;
        ids[*n] = (int32_t)id;
        text = end;
    }
    return ids;
}

static int detokenize(struct args *a, struct tokenizer *t, struct fail *f)
{
    size_t nbytes, n;
    char *text = read_stdin(&a->arena, &nbytes, f);
    int32_t *ids = text ? read_ids(text, &a->arena, &n, f) : NULL;
    cJSON *root;

    if (!ids || !(text = tokenizer_decode(t, ids, n, !a->no_special, &a->arena, &nbytes, f)))
        return -1;
    if (a->json) {
        root = json_text(text, nbytes);
        return json_print(root, f);
    }
    fwrite(text, 1, nbytes, stdout);
    return stdout_done(f);
}

static int run(struct args *a, int (*work)(struct args *, struct tokenizer *, struct fail *), struct fail *f)
{
    const char *path = a->operand.item[0];
    struct model *m;
    struct vocab *v = open_vocab(path, &a->arena, &m, f);
    struct tokenizer *t = v ? tokenizer_open(v, f) : NULL;
    int bad = t ? work(a, t, f) : fail_in(f, path);

    tokenizer_close(t);
    model_close(m);
    return bad;
}

static int run_tokenize(struct args *a, struct fail *f)
{
    return run(a, tokenize, f);
}

static int run_detokenize(struct args *a, struct fail *f)
{
    return run(a, detokenize, f);
}

static const char *const tokenize_options[] = { "no-special", "parse-special", NULL };

const struct command command_tokenize = {
    .name = "tokenize", .operands = "MODEL", .about = "standard input to token ids",
    .detail = "Prints the token ids of standard input. BOS and EOS are added as the model says, unless --no-special. Special tokens\n"
              "spelled out in the text are plain text, unless --parse-special; user-defined pieces always match.",
    .options = tokenize_options, .min_operands = 1, .max_operands = 1, .run = run_tokenize
};

static const char *const detokenize_options[] = { "no-special", NULL };

const struct command command_detokenize = {
    .name = "detokenize", .operands = "MODEL", .about = "token ids on standard input to text",
    .detail = "Prints the text that the token ids on standard input stand for; commas and brackets between them do not matter.\n"
              "--no-special leaves control tokens out.",
    .options = detokenize_options, .min_operands = 1, .max_operands = 1, .run = run_detokenize
};
