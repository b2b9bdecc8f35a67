/* map.c - which of the source's tensors become which of GGUF's, by the family's table of names; none left over, none missing. See
 * renamed.h. */
#include "convert/arch.h"
#include "convert/renamed.h"
#include "formats/file.h"
#include "formats/text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What the tables imply and the source must hold: one flag per name, layer and ending. */
struct mapping {
    struct renamed *r;
    struct conversion *c;
    uint64_t layers;
    size_t nnames;
    bool *found;                /* nnames * layers * 2; names without {L} use layer 0 */
    const struct tensor ***part;        /* nnames * layers: of names with {E}, the experts found so far; NULL: none yet */
    uint64_t experts, *waiting; /* of each layer, how many tensors of experts have not been seen */
    size_t ntensors;
};

static struct tensor *add_tensor(struct mapping *g, const char *name, struct source s)
{
    struct tensor *t = &g->r->base.tensor[g->ntensors];

    g->r->source[g->ntensors] = s;
    t->name = name;
    t->offset = g->ntensors++;
    return t;
}

/* Turns are taken one matrix after the other: the largest panel counts, on top of what the inner model's rows take. */
static void note_panel(struct renamed *r, uint64_t nbytes)
{
    r->base.panel_nbytes = max_u64(r->base.panel_nbytes, r->inner->panel_nbytes + nbytes);
}

static int map_tensor(struct mapping *g, const struct name_map *map, const struct tensor *t, struct place at, bool bias,
                      struct fail *f)
{
    struct arena *a = g->c->arena;
    struct regroup regroup = regroup_of(&g->c->meta, g->c->arch->name, map->layout, bias, false, g->r->transposer);
    const char *name = arch_spell(a, map->ours, at, bias ? ".bias" : ".weight");
    bool *found = &g->found[((size_t)(map - g->c->arch->tensors) * g->layers + at.layer) * 2 + bias];
    struct tensor view;

    if (bias && !config_true(g->c, map->bias))
        return fail(f, FAIL_INPUT, "tensor '%s' is a bias, but config.json does not say that there are any%s%s%s", t->name,
                    map->bias ? " ('" : "", map->bias ? map->bias : "", map->bias ? "' is not true)" : "");
    if (*found)
        return fail(f, FAIL_INPUT, "tensor '%s' is there under two names", t->name);
    if (arch_check_shape(&g->c->meta, g->c->arch->name, map, t, bias, true, "config.json", f) ||
        regroup_tensor(&regroup, t, &view, f))
        return -1;
    *found = true;
    note_panel(g->r, regroup_panel_nbytes(&regroup, t));
    g->r->base.tensor[g->ntensors] = view;
    add_tensor(g, name, (struct source){ .theirs = t, .regroup = regroup });
    account_used(g->c->account, ACCOUNT_TENSOR, t->name, name, regroup_how(&regroup, a));
    return 0;
}

/* Does the row apply to this layer? */
static bool has_layer(const struct mapping *g, const struct name_map *map, uint64_t layer)
{
    bool dense = g->c->dense && g->c->dense[layer];

    return map->layers == LAYERS_ALL || (map->layers == LAYERS_DENSE) == dense;
}

static bool is_expert(const struct name_map *map)
{
    return strstr(map->theirs, "{E}") != NULL;
}

/* All experts of a layer are there: its stacks take their place in the list. */
static void add_stacks(struct mapping *g, struct place at)
{
    for (size_t i = 0; i < g->nnames; i++) {
        const struct name_map *map = &g->c->arch->tensors[i];
        const struct tensor **part = g->part[i * g->layers + at.layer];
        struct tensor *t;
        if (!part)
            continue;
        g->r->base.tensor[g->ntensors] = *part[0];
        t = add_tensor(g, arch_spell(g->c->arena, map->ours, at, ".weight"), (struct source){ .theirs = part[0], .part = part });
        t->rank = 3;
        t->shape[0] = g->experts;
        t->shape[1] = part[0]->shape[0];
        t->shape[2] = part[0]->shape[1];
    }
}

static int map_expert(struct mapping *g, const struct name_map *map, const struct tensor *t, struct place at, bool bias, struct fail *f)
{
    struct arena *a = g->c->arena;
    const struct tensor ***stack = &g->part[(size_t)(map - g->c->arch->tensors) * g->layers + at.layer], *first = NULL;

    if (bias)
        return 0;                                           /* stays pending */
    if (at.expert >= g->experts)
        return fail(f, FAIL_INPUT, "tensor '%s' belongs to expert %" PRIu64 ", but config.json says that there are %" PRIu64, t->name,
                    at.expert, g->experts);
    if (arch_check_shape(&g->c->meta, g->c->arch->name, map, t, false, true, "config.json", f))
        return -1;
    if (!*stack)
        *stack = arena_array(a, const struct tensor *, g->experts);
    if ((*stack)[at.expert])
        return fail(f, FAIL_INPUT, "tensor '%s' is there under two names", t->name);
    for (uint64_t e = 0; e < g->experts && !first; e++)
        first = (*stack)[e];
    if (first && first->type != t->type)
        return fail(f, FAIL_INPUT, "tensor '%s' is of type %s, but '%s' of type %s, and they become one", t->name, t->type->name,
                    first->name, first->type->name);
    (*stack)[at.expert] = t;
    account_used(g->c->account, ACCOUNT_TENSOR, t->name, arch_spell(a, map->ours, at, ".weight"),
                 arena_printf(a, "matrix %" PRIu64 " of %" PRIu64, at.expert, g->experts));
    if (--g->waiting[at.layer] == 0)
        add_stacks(g, at);
    return 0;
}

static int map_place(struct mapping *g, const struct name_map *map, const struct tensor *t, struct place at, bool bias, struct fail *f)
{
    if (at.layer >= g->layers)
        return fail(f, FAIL_INPUT, "tensor '%s' belongs to layer %" PRIu64 ", but num_hidden_layers is %" PRIu64, t->name, at.layer,
                    g->layers);
    if (!has_layer(g, map, at.layer))
        return 0;                                           /* stays pending */
    return (is_expert(map) ? map_expert : map_tensor)(g, map, t, at, bias, f);
}

/* The name as the table spells it. */
static const char *spelled(struct mapping *g, const char *name)
{
    const struct spelling *s = g->c->arch->tensor_spellings, *e = g->c->arch->tensor_endings;

    while (s && s->from && strncmp(name, s->from, strlen(s->from)) != 0)
        s++;
    if (s && s->from)
        name = arena_printf(g->c->arena, "%s%s", s->to, name + strlen(s->from));
    while (e && e->from && !ends_with(name, e->from))
        e++;
    return e && e->from ? arena_printf(g->c->arena, "%.*s%s", (int)(strlen(name) - strlen(e->from)), name, e->to) : name;
}

/* `pattern` is an ending, or a beginning with '*' behind it. */
static bool is_like(const char *name, const char *pattern)
{
    size_t n = strlen(name), m = strlen(pattern);

    if (m && pattern[m - 1] == '*')
        return strncmp(name, pattern, m - 1) == 0;
    return n >= m && strcmp(name + n - m, pattern) == 0;
}

static int place_tensor(struct mapping *g, const struct tensor *t, struct fail *f)
{
    const char *name = spelled(g, t->name), *dot = strrchr(name, '.');
    bool bias = dot && strcmp(dot, ".bias") == 0, bare = !bias && !(dot && strcmp(dot, ".weight") == 0);
    size_t n = bare ? strlen(name) : (size_t)(dot - name);
    struct place at;

    for (const char *const *e = g->c->arch->ignored_tensors; *e; e++)
        if (is_like(name, *e)) {
            account_ignored(g->c->account, ACCOUNT_TENSOR, t->name, "not part of the text model, or follows from the rest");
            return 0;
        }
    for (const struct name_map *map = g->c->arch->tensors; map->theirs; map++)
        if (map->bare == bare && (!map->when || config_true(g->c, map->when)) && arch_match(map->theirs, name, n, &at) &&
            map_place(g, map, t, at, bias, f))
            return -1;
    return 0;                                               /* what no row took stays pending */
}

/* Of a name with {E}, the first expert of a layer that was not found; g->experts: none is missing. */
static uint64_t missing_expert(const struct mapping *g, size_t name, uint64_t layer)
{
    uint64_t e = 0;

    assert(g->part);            /* before any tensor is placed */
    const struct tensor **part = g->part[name * g->layers + layer];

    while (e < g->experts && part && part[e])
        e++;
    return e;
}

static int check_missing(struct mapping *g, struct fail *f)
{
    assert(g->found);
    for (size_t i = 0; i < g->nnames; i++) {
        const struct name_map *map = &g->c->arch->tensors[i];
        uint64_t layers = strstr(map->theirs, "{L}") ? g->layers : 1;
        for (uint64_t layer = 0; layer < layers; layer++)
            for (int bias = 0; bias < 2; bias++) {
                struct place at = { layer, is_expert(map) && !bias ? missing_expert(g, i, layer) : 0 };
                bool wanted = bias ? config_true(g->c, map->bias) : !config_true(g->c, map->tied);
                if (!wanted || !has_layer(g, map, layer) || (map->when && !config_true(g->c, map->when)) ||
                    (is_expert(map) ? at.expert == g->experts : g->found[(i * g->layers + layer) * 2 + (size_t)bias]))
                    continue;
                fail(f, FAIL_INPUT, "tensor '%s' is missing", arch_spell(g->c->arena, map->theirs, at, bias ? ".bias" : map->bare ? "" : ".weight"));
                if (map->tied && !bias)
                    fail_hint(f, "'%.*s' in config.json would say that the model has none", (int)strcspn(map->tied, "="), map->tied);
                return -1;
            }
    }
    return 0;
}

static int by_name(const void *a, const void *b)
{
    const struct ordered *x = a, *y = b;
    int order = strcmp(x->path, y->path);

    return order ? order : strcmp(x->t->name, y->t->name);
}

struct ordered *renamed_order(const struct model *inner, struct arena *a)
{
    struct ordered *o = arena_array(a, struct ordered, inner->ntensors);

    for (size_t i = 0; i < inner->ntensors; i++) {
        const struct tensor *t = &inner->tensor[i];
        o[i] = (struct ordered){ t, t->file < inner->nfiles ? inner->file[t->file].path : "" };
    }
    if (inner->ntensors)
        qsort(o, inner->ntensors, sizeof *o, by_name);
    return o;
}

static void add_generated(struct mapping *g)
{
    for (size_t i = 0; i < g->c->ngenerated; i++) {
        const struct generated *e = &g->c->generated[i];
        struct tensor *t = add_tensor(g, e->name, (struct source){ .data = e->data });
        t->type = qtype_named("f32");
        t->rank = 1;
        t->shape[0] = e->n;
    }
}

/* Room for what is found. Every layer has all experts, which bounds the stacks by the tensors that there are. */
static int prepare(struct mapping *g, struct fail *f)
{
    uint64_t most = g->r->inner->ntensors, kinds = 0;

    for (const struct name_map *map = g->c->arch->tensors; map->theirs; map++, g->nnames++)
        kinds += is_expert(map) && (!map->when || config_true(g->c, map->when));
    if (g->layers == 0 || g->layers > most)
        return fail(f, FAIL_INPUT, "num_hidden_layers is %" PRIu64 ", and the weight files hold %" PRIu64 " tensors", g->layers, most);
    g->experts = arch_dim(&g->c->meta, g->c->arch->name, DIM_EXPERTS);
    if (kinds && (g->experts == 0 || g->experts > most / g->layers))
        return fail(f, FAIL_INPUT, "config.json says that there are %" PRIu64 " experts in %" PRIu64 " layers, and the weight files hold %"
                    PRIu64 " tensors", g->experts, g->layers, most);
    g->found = arena_array(g->c->arena, bool, g->nnames * g->layers * 2);
    g->part = arena_array(g->c->arena, const struct tensor **, g->nnames * g->layers);
    g->waiting = arena_array(g->c->arena, uint64_t, g->layers);
    for (uint64_t layer = 0; layer < g->layers; layer++)
        g->waiting[layer] = kinds * g->experts;
    return 0;
}

int renamed_map(struct renamed *r, struct conversion *c, struct fail *f)
{
    struct mapping g = { .r = r, .c = c, .layers = meta_u64(&c->meta, config_key(c, "{arch}.block_count"), 0) };
    size_t most = 2 * r->inner->ntensors + c->ngenerated;       /* at most two come of one */
    struct ordered *o = renamed_order(r->inner, c->arena);

    if (prepare(&g, f))
        return -1;
    r->base.tensor = arena_array(c->arena, struct tensor, most);
    r->source = arena_array(c->arena, struct source, most);
    add_generated(&g);
    for (size_t i = 0; i < r->inner->ntensors; i++)
        if (place_tensor(&g, o[i].t, f))
            return -1;
    r->base.ntensors = g.ntensors;
    return check_missing(&g, f) || account_check(c->account, f) ? -1 : 0;
}
