/* static.c - see static.h. */
#include "verify/static.h"

#include "formats/index.h"
#include "verify/diagnose.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { DIAGNOSED = 64 };        /* damaged tensors that are looked into; the others are told by their figures */

static const char *const words[STATIC_STATES] = {
    [STATIC_EXACT] = "exact", [STATIC_FITS] = "fits", [STATIC_DAMAGED] = "damaged", [STATIC_MISSING] = "missing",
    [STATIC_EXTRA] = "extra", [STATIC_RESHAPED] = "reshaped", [STATIC_REPEATS] = "repeats"
};

const char *static_state_word(enum static_state s)
{
    return words[s];
}

struct checking {
    const struct static_source *source;
    struct model *found;
    struct arena *arena;
    struct static_check *check;
    struct replay_pair *pair;
    size_t *of_pair;            /* which tensor a pair belongs to */
    size_t npairs;
};

/* ---- pairs ---- */
/* "[2, 3]", outermost first. */
static const char *shape_text(struct arena *a, const struct tensor *t)
{
    char text[24 * TENSOR_MAX_RANK + 8] = "[";
    size_t n = 1;

    for (int i = 0; i < t->rank; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%" PRIu64, i ? ", " : "", t->shape[i]);
    return arena_printf(a, "%s]", text);
}

static struct static_tensor *add_tensor(struct checking *c, const char *name, enum static_state state)
{
    struct static_tensor *t = &c->check->tensor[c->check->ntensors++];

    *t = (struct static_tensor){ .name = name, .state = state };
    return t;
}

static void add_pair(struct checking *c, const struct tensor *expected, const struct tensor *found, const float *weight)
{
    c->of_pair[c->npairs] = c->check->ntensors - 1;
    c->pair[c->npairs++] = (struct replay_pair){ expected, found, weight };
    c->check->nbytes += tensor_bytes(found);
}

static void pair_expected(struct checking *c)
{
    const struct model *m = c->source->model;

    for (size_t i = 0; i < m->ntensors; i++) {
        const struct tensor *x = &m->tensor[i], *y = model_tensor(c->found, x->name);
        struct static_tensor *t = add_tensor(c, x->name, y ? STATIC_EXACT : STATIC_MISSING);
        t->expected = x;
        t->found = y;
        if (!y)
            continue;
        if (tensor_same_shape(x, y)) {
            add_pair(c, x, y, c->source->weight ? c->source->weight[i] : NULL);
            continue;
        }
        t->state = STATIC_RESHAPED;
        t->finding = arena_printf(c->arena, "has the shape %s instead of %s", shape_text(c->arena, y), shape_text(c->arena, x));
    }
}

/* What the source does not have. An output matrix may be the embeddings once more. */
static void pair_extra(struct checking *c)
{
    struct model *m = c->source->model;
    const struct tensor *embeddings = model_tensor(m, "token_embd.weight");

    for (size_t i = 0; i < c->found->ntensors; i++) {
        const struct tensor *y = &c->found->tensor[i];
        struct static_tensor *t;
        if (model_tensor(m, y->name))
            continue;
        t = add_tensor(c, y->name, STATIC_EXTRA);
        t->found = y;
        if (strcmp(y->name, "output.weight") == 0 && embeddings && tensor_same_shape(embeddings, y)) {
            t->state = STATIC_REPEATS;
            t->from = embeddings->name;
            add_pair(c, embeddings, y, NULL);
        }
    }
}

/* ---- where it came from ---- */
/* The source's tensors by what became of them. Those of a layer that was pruned became nothing. */
static void name_sources(struct checking *c)
{
    const struct account *account = c->source->account;
    const char *const *before = c->source->before;
    struct name_index names = {0};
    struct static_tensor **of = arena_array(c->arena, struct static_tensor *, c->check->ntensors + 1);

    for (size_t i = 0; i < c->check->ntensors; i++)
        if (name_index_add(&names, c->arena, before && i < c->source->model->ntensors ? before[i] : c->check->tensor[i].name))
            of[names.n - 1] = &c->check->tensor[i];
    for (size_t i = 0; account && i < account->n; i++) {
        const struct account_entry *e = &account->entry[i];
        bool used = e->fate == ACCOUNT_USED;
        int64_t at = e->kind == ACCOUNT_TENSOR && used ? name_index_find(&names, e->to) : -1;
        struct static_tensor *t = at >= 0 ? of[at] : NULL;
        used &= !(before && e->kind == ACCOUNT_TENSOR && !t);
        *(e->kind == ACCOUNT_TENSOR ? used ? &c->check->tensors_used : &c->check->tensors_ignored
                                    : used ? &c->check->keys_used : &c->check->keys_ignored) += 1;
        if (t && t->from) {
            t->more++;
        } else if (t) {
            t->from = e->name;
            t->how = e->how;
        }
    }
}

/* ---- verdicts ---- */
static int judge(struct checking *c, size_t pair, const struct replay_result *r, size_t *diagnosed, struct fail *f)
{
    struct static_tensor *t = &c->check->tensor[c->of_pair[pair]];

    t->result = *r;
    if (!r->damaged) {
        t->state = t->state == STATIC_REPEATS ? STATIC_REPEATS : replay_exact(r) == r->blocks ? STATIC_EXACT : STATIC_FITS;
        t->finding = diagnose_few(&c->pair[pair], r, c->arena);
        return 0;
    }
    t->state = STATIC_DAMAGED;
    if ((*diagnosed)++ < DIAGNOSED)
        t->finding = diagnose(c->source->model, c->found, &c->pair[pair], r, c->arena, f);
    return failed(f) ? -1 : 0;
}

/* Of a tensor of another name or shape: is it there under this one? */
static int find_strays(struct checking *c, size_t *diagnosed, struct fail *f)
{
    for (size_t i = 0; i < c->check->ntensors; i++) {
        struct static_tensor *t = &c->check->tensor[i];
        const char *text;
        if ((t->state != STATIC_EXTRA && t->state != STATIC_RESHAPED) || (*diagnosed)++ >= DIAGNOSED)
            continue;
        text = diagnose_stray(c->source->model, c->found, t->found, c->arena, f);
        if (failed(f))
            return -1;
        if (text)
            t->finding = t->finding ? arena_printf(c->arena, "%s, and %s", t->finding, text) : text;
    }
    return 0;
}

static void sum_up(struct static_check *s)
{
    for (size_t i = 0; i < s->ntensors; i++) {
        enum static_state state = s->tensor[i].state;
        s->count[state]++;
        s->damaged |= state != STATIC_EXACT && state != STATIC_FITS && state != STATIC_REPEATS;
    }
    for (size_t i = 0; i < s->keys.n; i++)
        s->damaged |= s->keys.item[i].damage;
}

int static_compare(const struct static_source *source, struct model *found, const struct progress *progress, struct arena *a,
                   struct static_check *s, struct fail *f)
{
    size_t most = source->model->ntensors + found->ntensors, diagnosed = 0;
    struct checking c = { .source = source, .found = found, .arena = a, .check = s };
    struct replay_result *result;

    *s = (struct static_check){0};
    s->tensor = arena_array(a, struct static_tensor, most);
    c.pair = arena_array(a, struct replay_pair, most);
    c.of_pair = arena_array(a, size_t, most);
    pair_expected(&c);
    pair_extra(&c);
    name_sources(&c);
    result = arena_array(a, struct replay_result, c.npairs);
    if (replay_compare(source->model, found, c.pair, c.npairs, result, progress, f))
        return -1;
    for (size_t i = 0; i < c.npairs; i++)
        if (judge(&c, i, &result[i], &diagnosed, f))
            return -1;
    if (find_strays(&c, &diagnosed, f))
        return -1;
    keys_compare(&source->keys, a, &s->keys);
    sum_up(s);
    return 0;
}
