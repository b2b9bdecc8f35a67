/* lattice.c - the candidates of every place of a lattice, computed on first use.
 *
 * ggml builds the same lists by sorting all points for each place (iq2xs_init_impl, iq3xs_init_impl). Distances are
 * small integers, so counting replaces sorting, and places that share coordinates share partial distances. */
#include "quant/lattice.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#define POINTS_MAX 2048
#define DISTANCES 256           /* 4 * 7^2 = 196 is the largest */

/* All places of a lattice, visited depth first: the coordinates before `depth` are fixed. */
struct visit {
    struct lattice *to;
    int bits, levels;
    bool prune;                                 /* has lists of its own for struct lattice.few */
    uint32_t used;                              /* of near, in eights */
    uint8_t distance[9][POINTS_MAX];            /* [depth]: between the fixed coordinates and those of each point */
};

/* Points at the next distance from `from` up, appended to list. */
static int append_ring(const struct visit *v, const uint8_t *distance, int from, uint16_t *list, int n)
{
    for (int j = 0; j < v->to->npoints; j++)
        if (distance[j] == from)
            list[n++] = v->to->point[j];
    return n;
}

/* Adds n candidates to near; returns the element of spot or few that tells where they are. */
static uint32_t append_list(struct visit *v, const uint16_t *list, int n)
{
    uint16_t *to = v->to->near + 8 * v->used;
    uint32_t where = v->used << 10 | (uint32_t)n;

    v->used += (uint32_t)(n + 7) / 8;
    assert(8 * v->used <= v->to->near_room);
    memcpy(to, list, (size_t)n * sizeof *list);
    return where;
}

/* How far the coordinates of a point are from those of a place, four bits each. */
static uint32_t offsets(const struct visit *v, uint32_t code, uint32_t point)
{
    uint32_t off = 0;

    for (int i = 0; i < v->to->dims; i++, code /= (uint32_t)v->levels) {
        int one = (int)(point >> v->bits * i & ((1u << v->bits) - 1)) - (int)(code % (uint32_t)v->levels);
        off |= (uint32_t)(one < 0 ? -one : one) << 4 * i;
    }
    return off;
}

/* The fields of four bits that are 0 become 8, the others 0. */
static uint32_t zero_fields(uint32_t x)
{
    return ~(x | x >> 1 | x >> 2 | x >> 3) << 3 & 0x88888888u;
}

/* Leaves in list only candidates that may win well inside the place; returns how many those are. There every weight is less
 * than a level's half distance from its level of the place, so another level is the nearer to it, the nearer it is to that
 * one; and what costs no less than an earlier candidate in any coordinate is never chosen, rounded sums being monotone. */
static int prune(const struct visit *v, uint32_t code, uint16_t *list, int n)
{
    uint32_t off[LATTICE_NEAR_MAX], level[LATTICE_NEAR_MAX];
    int left = 0;

    for (int j = 0; j < n; j++) {
        uint32_t here = offsets(v, code, list[j]), at = offsets(v, 0, list[j]);
        bool beaten = false;
        for (int k = 0; k < left && !beaten; k++) {
            uint32_t nearer = (here | 0x88888888u) - 0x11111111u - off[k], same = zero_fields(at ^ level[k]);
            beaten = ((nearer | same) & 0x88888888u) == 0x88888888u;
        }
        off[left] = here;
        level[left] = at;
        list[left] = list[j];
        left += !beaten;
    }
    return left;
}

static void visit_place(struct visit *v, uint32_t code)
{
    const uint8_t *distance = v->distance[v->to->dims];
    int count[DISTANCES] = { 0 }, n = 0, rings = 0;
    uint16_t list[LATTICE_NEAR_MAX];

    for (int j = 0; j < v->to->npoints; j++)
        count[distance[j]]++;
    for (int d = 0; d < DISTANCES && rings < (count[0] ? 1 : v->to->rings); d++) {
        if (count[d] == 0)
            continue;
        assert(n + count[d] <= LATTICE_NEAR_MAX);
        n = append_ring(v, distance, d, list, n);
        rings++;
    }
    if (n == 1) {
        v->to->spot[code] = v->to->few[code] = (count[0] ? LATTICE_ON : LATTICE_ONLY) | list[0];
        return;
    }
    v->to->spot[code] = append_list(v, list, n);
    v->to->few[code] = v->prune ? append_list(v, list, prune(v, code, list, n)) : v->to->spot[code];
}

/* code holds the coordinates fixed so far, place is what the next one counts for. */
static void visit_places(struct visit *v, int depth, uint32_t code, uint32_t place)
{
    if (depth == v->to->dims) {
        visit_place(v, code);
        return;
    }
    for (int level = 0; level < v->levels; level++) {
        for (int j = 0; j < v->to->npoints; j++) {
            int off = (v->to->point[j] >> v->bits * depth & ((1 << v->bits) - 1)) - level;
            v->distance[depth + 1][j] = (uint8_t)(v->distance[depth][j] + off * off);
        }
        visit_places(v, depth + 1, code + (uint32_t)level * place, place * (uint32_t)v->levels);
    }
}

/* NAME, points, dimensions, rings, room for candidates */
#define EACH(ROW) \
    ROW(IQ1, iq1, 2048, 8, 3, 343304) \
    ROW(IQ2_XXS, iq2_xxs, 256, 8, 2, 239576) \
    ROW(IQ2_XS, iq2_xs, 512, 8, 2, 323016) \
    ROW(IQ2_S, iq2_s, 1024, 8, 1, 61664) \
    ROW(IQ3_XXS, iq3_xxs, 256, 4, 2, 66280) \
    ROW(IQ3_S, iq3_s, 512, 4, 3, 67600)

#define STORAGE(NAME, name, n, dim, ring, room) \
    static uint16_t number_##name[LATTICE_CODES], near_##name[(room) + LATTICE_NEAR_MAX]; \
    static uint32_t spot_##name[LATTICE_CODES], few_##name[LATTICE_CODES];
EACH(STORAGE)

static struct lattice lattices[LATTICES] = {
#define LATTICE(NAME, name, n, dim, ring, room) \
    [LATTICE_##NAME] = { .point = lattice_##name, .number = number_##name, .spot = spot_##name, .few = few_##name, .near = near_##name, \
                         .npoints = n, .dims = dim, .rings = ring, .near_room = room },
    EACH(LATTICE)
};

static void fill(struct lattice *l)
{
    struct visit v = { .to = l, .bits = l->dims == 8 ? 2 : 3, .levels = l->dims == 8 ? 3 : 8,
                       .prune = l->rings > 1 && l != &lattices[LATTICE_IQ1] };

    for (int j = 0; j < l->npoints; j++)
        l->number[lattice_code(v.bits, l->point[j])] = (uint16_t)j;
    visit_places(&v, 0, 0, 1);
}

#define FILL(NAME, name, n, dim, ring, room) \
    static void fill_##name(void) { fill(&lattices[LATTICE_##NAME]); }
EACH(FILL)

const struct lattice *lattice_open(enum lattice_name name)
{
    static pthread_once_t once[LATTICES] = { PTHREAD_ONCE_INIT, PTHREAD_ONCE_INIT, PTHREAD_ONCE_INIT,
                                             PTHREAD_ONCE_INIT, PTHREAD_ONCE_INIT, PTHREAD_ONCE_INIT };
    static void (*const fills[LATTICES])(void) = {
#define FILLER(NAME, name, n, dim, ring, room) [LATTICE_##NAME] = fill_##name,
        EACH(FILLER)
    };

    pthread_once(&once[name], fills[name]);
    return &lattices[name];
}

const uint8_t lattice_base3[256] = {
    0, 1, 2, 3, 3, 4, 5, 6, 6, 7, 8, 9, 9, 10, 11, 12, 9, 10, 11, 12, 12, 13, 14, 15, 15, 16, 17, 18, 18, 19, 20, 21,
    18, 19, 20, 21, 21, 22, 23, 24, 24, 25, 26, 27, 27, 28, 29, 30, 27, 28, 29, 30, 30, 31, 32, 33, 33, 34, 35, 36,
    36, 37, 38, 39, 27, 28, 29, 30, 30, 31, 32, 33, 33, 34, 35, 36, 36, 37, 38, 39, 36, 37, 38, 39, 39, 40, 41, 42,
    42, 43, 44, 45, 45, 46, 47, 48, 45, 46, 47, 48, 48, 49, 50, 51, 51, 52, 53, 54, 54, 55, 56, 57, 54, 55, 56, 57,
    57, 58, 59, 60, 60, 61, 62, 63, 63, 64, 65, 66, 54, 55, 56, 57, 57, 58, 59, 60, 60, 61, 62, 63, 63, 64, 65, 66,
    63, 64, 65, 66, 66, 67, 68, 69, 69, 70, 71, 72, 72, 73, 74, 75, 72, 73, 74, 75, 75, 76, 77, 78, 78, 79, 80, 81,
    81, 82, 83, 84, 81, 82, 83, 84, 84, 85, 86, 87, 87, 88, 89, 90, 90, 91, 92, 93, 81, 82, 83, 84, 84, 85, 86, 87,
    87, 88, 89, 90, 90, 91, 92, 93, 90, 91, 92, 93, 93, 94, 95, 96, 96, 97, 98, 99, 99, 100, 101, 102, 99, 100, 101,
    102, 102, 103, 104, 105, 105, 106, 107, 108, 108, 109, 110, 111, 108, 109, 110, 111, 111, 112, 113, 114, 114, 115,
    116, 117, 117, 118, 119, 120,};
