/* verify_static_print.c - what verify --static found, on the terminal. */
#include "tools/report.h"
#include "tools/verify_static.h"

#include <limits.h>
#include <stdint.h>

static double ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

static void put(const char *text)
{
    print_last(text, INT_MAX);          /* names and values from files: control characters do not reach the terminal */
}

bool static_is_damage(enum static_state s)
{
    return s == STATIC_DAMAGED || s == STATIC_MISSING || s == STATIC_EXTRA || s == STATIC_RESHAPED;
}

size_t static_damaged_tensors(const struct static_check *s)
{
    size_t n = 0;

    for (int i = 0; i < STATIC_STATES; i++)
        n += static_is_damage((enum static_state)i) ? s->count[i] : 0;
    return n;
}

size_t static_damaged_keys(const struct static_check *s)
{
    size_t n = 0;

    for (size_t i = 0; i < s->keys.n; i++)
        n += s->keys.item[i].damage;
    return n;
}

/* One row per encoding in the file: how many blocks are equal, and what the others err. */
static void print_encodings(const struct static_check *s)
{
    printf("\n  type       tensors  equal blocks     others      nmse  largest error  error beside Bantam's\n");
    for (size_t k = 0; k < qtype_count(); k++) {
        struct replay_result all = {0};
        uint64_t exact = 0;
        size_t n = 0;
        for (size_t i = 0; i < s->ntensors; i++) {
            const struct replay_result *r = &s->tensor[i].result;
            if (!r->weights || s->tensor[i].found->type != qtype_at(k))
                continue;
            n++;
            all.blocks += r->blocks;
            exact += replay_exact(r);
            all.error += r->error;
            all.energy += r->energy;
            all.ours += r->ours;
            all.most = r->most > all.most ? r->most : all.most;
        }
        if (n)
            printf("  %-9s %8zu  %11.4g%%  %9ju  %8.3g  %13.3g", qtype_at(k)->label, n, 100 * (double)exact / (double)(all.blocks ? all.blocks : 1),
                   (uintmax_t)(all.blocks - exact), ratio(all.error, all.energy), all.most);
        if (n && (all.ours > 0 || all.error == 0))
            printf("  %21.4f\n", all.error == all.ours ? 1 : all.error / all.ours);
        else if (n)
            printf("  %21s\n", "-");
    }
}

const char *static_finding_text(const struct static_tensor *t, struct arena *a)
{
    const char *more = t->finding ? t->finding : "";

    switch (t->state) {
    case STATIC_MISSING: return "is missing";
    case STATIC_EXTRA: return arena_printf(a, "is not in the source%s%s", t->finding ? "; it " : "", more);
    case STATIC_DAMAGED: return arena_printf(a, "is damaged%s%s", t->finding ? ": " : "", more);
    default: return more;
    }
}

const char *static_key_text(const struct key_difference *d, struct arena *a)
{
    if (!d->found)
        return arena_printf(a, "is missing, expected: %s", d->expected);
    if (!d->expected)
        return arena_printf(a, "is not implied by the source: %s", d->found);
    return arena_printf(a, "is %s instead of %s", d->found, d->expected);
}

static void print_damaged(const struct static_tensor *t)
{
    struct arena tmp = {0};

    printf("    tensor '");
    put(t->name);
    printf("' ");
    put(static_finding_text(t, &tmp));
    putchar('\n');
    arena_release(&tmp);
}

static void print_key(const struct key_difference *d)
{
    struct arena tmp = {0};

    printf("    key '");
    put(d->key);
    printf("' ");
    put(static_key_text(d, &tmp));
    printf(" (%s)\n", d->why);
    arena_release(&tmp);
}

static void print_keys(const struct key_list *keys, bool damage, const char *title)
{
    for (size_t i = 0; i < keys->n; i++)
        if (keys->item[i].damage == damage) {
            if (title)
                printf("\n  %s\n", title);
            title = NULL;
            print_key(&keys->item[i]);
        }
}

static void print_few(const struct static_check *s)
{
    const char *title = "differs in few blocks: an encoder with other arithmetic explains that, and damage as small could not be told from it";

    for (size_t i = 0; i < s->ntensors; i++)
        if (s->tensor[i].state == STATIC_FITS && s->tensor[i].finding) {
            printf(title ? "\n  %s\n" : "%s", title ? title : "");
            title = NULL;
            printf("    tensor '");
            put(s->tensor[i].name);
            printf("' ");
            put(s->tensor[i].finding);
            putchar('\n');
        }
}

static void print_findings(const struct static_check *s)
{
    if (s->damaged)
        printf("\n  damage\n");
    for (size_t i = 0; i < s->ntensors; i++)
        if (static_is_damage(s->tensor[i].state))
            print_damaged(&s->tensor[i]);
    print_keys(&s->keys, true, NULL);
    if (s->tokenizer && !s->tokenizer_meant) {
        printf("    tokenizer: ");
        put(s->tokenizer);
        putchar('\n');
    }
    print_few(s);
    print_keys(&s->keys, false, "differs, and is no damage");
}

static void print_tensors(const struct static_check *s)
{
    printf("\n  tensor                                     type    state    from\n");
    for (size_t i = 0; i < s->ntensors; i++) {
        const struct static_tensor *t = &s->tensor[i];
        fputs("  ", stdout);
        print_cell(t->name, 42);
        printf(" %-7s %-8s ", t->found ? t->found->type->label : "-", static_state_word(t->state));
        put(t->from ? t->from : "-");
        if (t->more)
            printf(" and %zu more", t->more);
        if (t->how) {
            printf(": ");
            put(t->how);
        }
        putchar('\n');
    }
}

const char *static_state_text(enum static_state s)
{
    static const char *const text[STATIC_STATES] = {
        [STATIC_EXACT] = "equal byte for byte", [STATIC_FITS] = "within what their encoding explains", [STATIC_DAMAGED] = "damaged",
        [STATIC_MISSING] = "missing", [STATIC_EXTRA] = "not in the source", [STATIC_RESHAPED] = "of another shape",
        [STATIC_REPEATS] = "repeating the embeddings"
    };

    return text[s];
}

const char *static_tokenizer_text(const struct static_check *s)
{
    if (!s->tokenizers_compared)
        return "not compared: not both have one";
    if (!s->tokenizer)
        return "gives the same tokens on the built-in text";
    return s->tokenizer_meant ? "gives other tokens than the source, as llama.cpp means it for this family" : "gives other tokens";
}

/* "12 equal byte for byte, 1 damaged" */
static void print_counts(const struct static_check *s)
{
    bool any = false;

    printf("  tensors    ");
    for (int i = 0; i < STATIC_STATES; i++)
        if (s->count[i]) {
            printf("%s%zu %s", any ? ", " : "", s->count[i], static_state_text((enum static_state)i));
            any = true;
        }
    printf(any ? "\n" : "none\n");
}

void static_print(const struct static_result *t)
{
    const struct static_check *s = t->check;
    char size[SIZE_TEXT], seconds[SIZE_TEXT];

    put(t->out);
    printf(" against ");
    put(t->args->against);
    printf("\n  %s\n\n", s->damaged ? "DIFFERS: it is not what the source converts to" : "SOUND: it is what the source converts to");
    print_counts(s);
    printf("  keys       %zu of %zu equal", s->keys.equal, s->keys.expected);
    if (s->keys.implied)
        printf(", %zu left to what readers assume", s->keys.implied);
    printf("\n  tokenizer  %s\n", static_tokenizer_text(s));
    if (t->account->n)
        printf("  source     %zu tensors used, %zu ignored; %zu keys used, %zu ignored\n", s->tensors_used, s->tensors_ignored, s->keys_used,
               s->keys_ignored);
    print_encodings(s);
    print_findings(s);
    if (t->args->verbose)
        print_tensors(s);
    printf("\n  %s compared in %s\n", size_text(size, s->nbytes), time_text(seconds, t->seconds));
}
