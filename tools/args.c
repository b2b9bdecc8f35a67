/* args.c - option rows, and the parser that is made of them. */
#include "tools/option.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_words[] = {
    [COUNT] = "a whole number", [SIZE] = "a size such as 4G", [REAL] = "a number", [WHEN] = "always, never or auto"
};

#define AT(field) offsetof(struct args, field), 0
#define AT_HAS(field) offsetof(struct args, field), offsetof(struct args, has_##field)

const struct option options[] = {
    { "out", 'o', STRING, "OUT", AT(out), "where to write; refused if it exists, unless --force" },
    { "type", 't', STRING, "TYPE", AT(type), "auto, F32, F16, BF16, Q8_0, Q4_K_M ... in any letter case" },
    { "to", 0, STRING, "FORMAT", AT(to), "gguf or safetensors; otherwise OUT's name decides" },
    { "size", 0, SIZE, "N[M|G]", AT_HAS(size), "instead of --type: the largest mix whose file is no larger than N bytes" },
    { "bpw", 0, REAL, "X", AT_HAS(bpw), "instead of --type: the largest mix of at most X bits per weight" },
    { "imatrix", 0, STRING, "FILE", AT(imatrix), "an importance matrix, GGUF or .dat: which columns matter" },
    { "include-weights", 0, LIST, "NAME", AT(include_weights), "use it only for tensors whose name contains NAME; repeatable" },
    { "exclude-weights", 0, LIST, "NAME", AT(exclude_weights), "not for tensors whose name contains NAME; repeatable" },
    { "no-provenance", 0, FLAG, NULL, AT(no_provenance), "leave out the keys that name the importance matrix" },
    { "split-size", 0, SIZE, "N[K|M|G]", AT(split_size), "start another file when one holds N bytes of tensors" },
    { "metadata", 0, LIST, "KEY=TYPE:VALUE", AT(metadata),
      "set a key; TYPE: str, file (its text), bool, u8 .. u64, i8 .. i64, f32, f64; repeatable" },
    { "pre-tokenizer", 0, STRING, "NAME", AT(pre_tokenizer), "the kind of pre-tokenizer, instead of recognizing it" },
    { "ignore-key", 0, LIST, "KEY", AT(ignore_key), "a key of config.json that changes nothing in the result; repeatable" },
    { "tensor-type", 0, LIST, "REGEX=TYPE", AT(tensor_type), "tensors whose name matches get TYPE; repeatable" },
    { "tensor-types", 0, STRING, "FILE", AT(tensor_types), "a list of REGEX=TYPE, between blanks or line ends" },
    { "output-type", 0, STRING, "TYPE", AT(output_type), "the encoding of output.weight" },
    { "embedding-type", 0, STRING, "TYPE", AT(embedding_type), "the encoding of token_embd.weight" },
    { "leave-output", 0, FLAG, NULL, AT(leave_output), "output.weight stays as it is" },
    { "pure", 0, FLAG, NULL, AT(pure), "one encoding for all quantized tensors, no mix" },
    { "no-fallback", 0, FLAG, NULL, AT(no_fallback), "refuse when rows do not fit their encoding, instead of taking a wider one" },
    { "prune-layers", 0, STRING, "L,L,...", AT(prune_layers), "these layers are left out, counted from 0" },
    { "keep-split", 0, FLAG, NULL, AT(keep_split), "as many files as MODEL has, each with its tensors" },
    { "allow-requantize", 0, FLAG, NULL, AT(allow_requantize), "encode what is quantized already, at a double loss" },
    { "dry-run", 'n', FLAG, NULL, AT(dry_run), "print the plan with the exact size; write nothing" },
    { "force", 'f', FLAG, NULL, AT(force), "replace OUT, at the very end" },
    { "report", 0, STRING, "OUT.html", AT(report), "a page for people too: one file, without scripts and without network" },
    { "tensors", 0, FLAG, NULL, AT(tensors), "list every tensor" },
    { "hashes", 0, FLAG, NULL, AT(hashes), "list every tensor with the XXH3-128 of its bytes" },
    { "in", 0, STRING, "STORE:NAME", AT(in), "ollama:NAME[:TAG], lmstudio:PUBLISHER/REPO or jan:ID" },
    { "link", 0, FLAG, NULL, AT(link), "reflink or hard-link the model instead of copying it" },
    { "modelfile", 0, STRING, "FILE", AT(modelfile), "write a Modelfile for 'ollama create', with template and stop words" },
    { "license", 0, FLAG, NULL, AT(license), "evidence, terms and what is missing of the license" },
    { "license", 0, STRING, "ID", AT(license_id), "the license of OUT, instead of what MODEL says; recorded" },
    { "sha256", 0, FLAG, NULL, AT(sha256), "the SHA-256 of every file" },
    { "check", 0, STRING, "MANIFEST", AT(check), "hash again what MANIFEST lists (sha256sum's lines, or inspect's own JSON)" },
    { "bom", 0, STRING, "KIND", AT(bom), "a bill of materials: cyclonedx (1.6) or spdx (3.0.1)" },
    { "fingerprint", 0, FLAG, NULL, AT(fingerprint), "one id of all weights, whatever the keys and files" },
    { "with-license-text", 0, FLAG, NULL, AT(with_license_text), "the license files' text in a key of OUT as well" },
    { "no-license-files", 0, FLAG, NULL, AT(no_license_files), "do not copy license, notice and policy files beside OUT" },
    { "policy", 0, STRING, "FILE", AT(policy), "a JSON file that says what models must allow; exit 1 when one does not" },
    { "fast", 0, FLAG, NULL, AT(fast), "headers and keys only: the weights are not read" },
    { "against", 'a', STRING, "ORIGINAL", AT(against), "the model to compare with" },
    { "static", 0, FLAG, NULL, AT(as_files), "run nothing: derive every tensor and key of OUT from ORIGINAL again and compare" },
    { "text", 0, STRING, "FILE", AT(text), "the text to measure on: plain UTF-8 or JSONL, gzip or not" },
    { "context", 'c', COUNT, "N", AT(context), "tokens in a chunk (512)" },
    { "exact", 0, FLAG, NULL, AT(exact), "float32 products, also where the CPU's bfloat16 units would be faster" },
    { "memory", 0, SIZE, "N[M|G]", AT(memory), "get by with N bytes (a quarter of the machine's); hidden states beyond go to a file" },
    { "chunks", 0, COUNT, "N", AT(chunks), "use at most N chunks of the text" },
    { "choices", 0, STRING, "FILE|DIR", AT(choices), "multiple-choice questions: MMLU's CSV, its directory, or JSONL" },
    { "shots", 0, COUNT, "N", AT_HAS(shots), "worked examples before each question (5 where there are any)" },
    { "max-kld", 0, REAL, "X", AT_HAS(max_kld), "exit 1 when the mean KL divergence is above X" },
    { "max-ppl-ratio", 0, REAL, "X", AT_HAS(max_ppl_ratio), "exit 1 when the perplexity ratio is above X" },
    { "min-cosine", 0, REAL, "X", AT_HAS(min_cosine), "encoders: exit 1 when the mean cosine of vectors is below X" },
    { "min-rank-correlation", 0, REAL, "X", AT_HAS(min_rank_correlation),
      "encoders: exit 1 when the rank correlation of all pairs is below X" },
    { "min-top1", 0, REAL, "X", AT_HAS(min_top1), "exit 1 when less than a share X of most likely tokens are equal (0.95)" },
    { "min-choices-agreement", 0, REAL, "X", AT_HAS(min_choices_agreement), "exit 1 when less than a share X of letters are equal" },
    { "process-output", 0, FLAG, NULL, AT(process_output), "the inputs of the output matrix too" },
    { "min-tokens", 0, COUNT, "N", AT(min_tokens), "take chunks until every expert has seen N tokens" },
    { "merge", 0, FLAG, NULL, AT(merge), "add up the matrices named, instead of computing one" },
    { "show", 0, FLAG, NULL, AT(show), "say what is in a matrix" },
    { "tokens", 0, STRING, "1,2,3", AT(tokens), "token ids, separated by commas" },
    { "no-special", 0, FLAG, NULL, AT(no_special), "do not add BOS and EOS" },
    { "parse-special", 0, FLAG, NULL, AT(parse_special), "special tokens spelled out in the text become their ids" },
    { "verbose", 'v', FLAG, NULL, AT(verbose), "say where every source tensor and config key went" },
    { "json", 0, FLAG, NULL, AT(json), "one JSON document on stdout, nothing else there" },
    { "quiet", 'q', FLAG, NULL, AT(quiet), "say nothing unless something is wrong" },
    { "threads", 'j', COUNT, "N", AT(threads), "threads (all cores); results do not depend on it" },
    { "progress", 0, WHEN, "WHEN", AT(progress), "always, never, or auto: only on a terminal" },
    { "help", 'h', FLAG, NULL, AT(help), "this help" },
};
enum { NOPTIONS = sizeof options / sizeof *options };
const size_t noptions = NOPTIONS;

static const char *const everywhere[] = { "json", "quiet", "threads", "progress", "help", NULL };

static bool in_list(const char *const *list, const char *name)
{
    for (; *list; list++)
        if (strcmp(*list, name) == 0)
            return true;
    return false;
}

/* Where two rows share a name (a flag for one command, a value for another), the second is listed as NAME=VALUE. */
static bool is_listed(const char *const *list, const struct option *o)
{
    size_t n = strlen(o->name);
    bool second = o > options && strcmp(o[-1].name, o->name) == 0;

    for (; *list; list++)
        if (second ? strncmp(*list, o->name, n) == 0 && (*list)[n] == '=' && strcmp(*list + n + 1, o->value) == 0 : strcmp(*list, o->name) == 0)
            return true;
    return false;
}

bool option_taken(const struct command *c, const struct option *o)
{
    return in_list(everywhere, o->name) || is_listed(c->options, o);
}

/* Levenshtein distance, for "did you mean": words are short, so one row of counts does. */
static size_t distance(const char *a, const char *b)
{
    size_t row[64], nb = strlen(b);

    if (nb >= 64 || strlen(a) >= 64)
        return 64;
    for (size_t j = 0; j <= nb; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t corner = row[0];

        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t best = corner + (a[i - 1] != b[j - 1]);

            corner = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[nb];
}

static int unknown_option(const struct command *c, const char *word, struct fail *f)
{
    const struct option *nearest = NULL;
    size_t least = 4;

    for (size_t i = 0; i < NOPTIONS; i++) {
        size_t d = option_taken(c, &options[i]) ? distance(word, options[i].name) : least;

        if (d < least) {
            least = d;
            nearest = &options[i];
        }
    }
    fail(f, FAIL_USAGE, "'%s' has no option '--%s'", c->name, word);
    return nearest ? fail_hint(f, "did you mean --%s? 'bantam help %s' lists them all", nearest->name, c->name)
                   : fail_hint(f, "'bantam help %s' lists them", c->name);
}

/* "4G", "1.5M", "123": powers of 1000, as disks are sold. */
static int parse_size(const char *text, uint64_t *out)
{
    static const char units[] = "KMGT";
    char *end;
    double value, factor = 1;
    const char *unit;

    if (*text < '0' || *text > '9')
        return -1;
    value = strtod(text, &end);
    if (*end && (unit = strchr(units, *end & ~0x20)) && *unit) {
        for (const char *u = units; u <= unit; u++)
            factor *= 1000;
        end++;
    }
    if (*end == 'B')
        end++;
    if (*end || !(value * factor < 9e18))
        return -1;
    *out = (uint64_t)(value * factor);
    return 0;
}

static int parse_count(const char *text, uint64_t *out)
{
    char *end;

    if (*text < '0' || *text > '9')
        return -1;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno || *end || *out > INT32_MAX ? -1 : 0;
}

static int parse_real(const char *text, double *out)
{
    char *end;

    *out = strtod(text, &end);
    return end == text || *end || !(*out >= 0) ? -1 : 0;
}

static int parse_when(const char *text, enum progress_when *out)
{
    static const char *const words[] = { "auto", "always", "never" };

    for (size_t i = 0; i < 3; i++)
        if (strcmp(text, words[i]) == 0) {
            *out = (enum progress_when)i;
            return 0;
        }
    return -1;
}

static void push(struct args *a, struct arg_list *list, const char *item)
{
    const char **longer = arena_array(&a->arena, const char *, list->n + 2);

    if (list->n)
        memcpy(longer, list->item, list->n * sizeof *longer);
    longer[list->n++] = item;
    list->item = longer;
}

static int set(struct args *a, const struct option *o, const char *value, struct fail *f)
{
    char *at = (char *)a + o->at;
    int bad = 0;

    switch (o->kind) {
    case FLAG: *(bool *)at = true; break;
    case STRING: *(const char **)at = value; break;
    case LIST: push(a, (struct arg_list *)at, value); break;
    case COUNT: bad = parse_count(value, (uint64_t *)at); break;
    case SIZE: bad = parse_size(value, (uint64_t *)at); break;
    case REAL: bad = parse_real(value, (double *)at); break;
    case WHEN: bad = parse_when(value, (enum progress_when *)at); break;
    }
    if (o->has_at)
        *((bool *)((char *)a + o->has_at)) = true;
    return bad ? fail(f, FAIL_USAGE, "--%s wants %s, not '%s'", o->name, kind_words[o->kind], value) : 0;
}

static const struct option *find(const struct command *c, const char *name, size_t n, char letter)
{
    for (size_t i = 0; i < NOPTIONS; i++)
        if (option_taken(c, &options[i]) && (letter ? options[i].letter == letter
                                             : strncmp(options[i].name, name, n) == 0 && !options[i].name[n]))
            return &options[i];
    return NULL;
}

/* One word that starts with '-'; a value may follow behind '=', in the same word (-j4), or as the next word. */
static int parse_option(struct args *a, const struct command *c, char **argv, int argc, int *i, struct fail *f)
{
    const char *word = argv[*i];
    bool is_long = word[1] == '-';
    const char *equals = is_long ? strchr(word, '=') : NULL;
    size_t n = equals ? (size_t)(equals - word) - 2 : is_long ? strlen(word) - 2 : 0;
    const struct option *o = find(c, word + 2, n, is_long ? 0 : word[1]);
    const char *value = equals ? equals + 1 : !is_long && word[2] ? word + 2 : NULL;

    if (!o)
        return is_long ? unknown_option(c, arena_copy(&a->arena, word + 2, n), f)
                       : fail(f, FAIL_USAGE, "'%s' has no option '%s'", c->name, word);
    if (o->kind == FLAG && value)
        return fail(f, FAIL_USAGE, "--%s takes no value", o->name);
    if (o->kind != FLAG && (!value || !*value)) {
        if (value || *i + 1 >= argc || !*argv[*i + 1])
            return fail(f, FAIL_USAGE, "--%s needs a value: %s", o->name, o->value);
        value = argv[++*i];
    }
    return set(a, o, value, f);
}

static const struct command *command_named(const char *name, struct fail *f)
{
    const struct command *nearest = NULL;
    size_t least = 4;

    for (size_t i = 0; commands[i]; i++) {
        size_t d = distance(name, commands[i]->name);

        if (d == 0)
            return commands[i];
        if (d < least) {
            least = d;
            nearest = commands[i];
        }
    }
    fail(f, FAIL_USAGE, "there is no command '%s'", name);
    if (nearest)
        fail_hint(f, "did you mean 'bantam %s'?", nearest->name);
    fail_hint(f, "'bantam help' lists the commands");
    return NULL;
}

static int check_operands(const struct args *a, const struct command *c, struct fail *f)
{
    if (a->operand.n < c->min_operands)
        fail(f, FAIL_USAGE, "'%s' needs %s", c->name, c->operands);
    if (a->operand.n > c->max_operands)
        fail(f, FAIL_USAGE, "'%s' does not know what to do with '%s'", c->name, a->operand.item[c->max_operands]);
    return failed(f) ? fail_hint(f, "see 'bantam help %s'", c->name) : 0;
}

int args_parse(struct args *a, int argc, char **argv, const struct command **c, struct fail *f)
{
    bool only_operands = false;

    *c = NULL;
    a->argc = argc;
    a->argv = argv;
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--version") == 0)
        return 0;
    if (!(*c = command_named(argv[1], f)))
        return -1;
    for (int i = 2; i < argc; i++) {
        if (only_operands || argv[i][0] != '-' || !argv[i][1])
            push(a, &a->operand, argv[i]);
        else if (strcmp(argv[i], "--") == 0)
            only_operands = true;
        else if (parse_option(a, *c, argv, argc, &i, f))
            return -1;
    }
    return a->help ? 0 : check_operands(a, *c, f);
}

static bool given(const struct args *a, const struct option *o)
{
    const char *at = (const char *)a + o->at;

    if (o->has_at)
        return *((const bool *)((const char *)a + o->has_at));
    switch (o->kind) {
    case FLAG: return *(const bool *)at;
    case STRING: return *(const char *const *)at != NULL;
    case LIST: return ((const struct arg_list *)at)->n != 0;
    case COUNT: case SIZE: return *(const uint64_t *)at != 0;
    case REAL: return *(const double *)at != 0;
    case WHEN: return *(const enum progress_when *)at != PROGRESS_AUTO;
    }
    return false;
}

int args_refuse(const struct args *a, const char *const *names, const char *why, struct fail *f)
{
    for (size_t i = 0; i < NOPTIONS; i++)
        if (in_list(names, options[i].name) && given(a, &options[i]))
            return fail(f, FAIL_USAGE, "--%s %s", options[i].name, why);
    return 0;
}
