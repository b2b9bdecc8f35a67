/* lattice.c - the codebooks and the candidates of every place. */
#include "quant/lattice.h"
#include "tests/unit/test.h"

#include <stdlib.h>

static int level(uint32_t point, int bits, int i)
{
    return (int)(point >> bits * i & ((1u << bits) - 1));
}

static int distance(uint32_t a, uint32_t b, int bits, int dims)
{
    int sum = 0;

    for (int i = 0; i < dims; i++)
        sum += (level(a, bits, i) - level(b, bits, i)) * (level(a, bits, i) - level(b, bits, i));
    return sum;
}

static uint32_t place_of(uint32_t code, int bits)
{
    uint32_t place = 0;

    if (bits == 3)
        return code;
    for (int i = 0; i < 8; i++, code /= 3)
        place |= code % 3 << 2 * i;
    return place;
}

TEST(lattice_codebook_points_are_on_the_codebook)
{
    for (int name = 0; name < LATTICES; name++) {
        const struct lattice *l = lattice_open(name);
        int bits = l->dims == 8 ? 2 : 3;

        CHECK(l == lattice_open(name));
        for (int j = 0; j < l->npoints; j++) {
            uint32_t code = lattice_code(bits, l->point[j]);
            CHECK_U64(place_of(code, bits), l->point[j]);
            CHECK_U64(l->number[code], j);
            CHECK_U64(l->spot[code], LATTICE_ON | l->point[j]);
        }
    }
}

/* Candidates come in order of distance and number, a ring is whole, and there are as many rings as there should be. */
TEST(lattice_candidates_are_the_nearest_rings)
{
    for (int name = 0; name < LATTICES; name++) {
        const struct lattice *l = lattice_open(name);
        int bits = l->dims == 8 ? 2 : 3;

        for (uint32_t code = 0; code < (bits == 2 ? 6561u : 4096u); code += 7) {
            uint32_t place = place_of(code, bits), only = l->spot[code] & 0xffff;
            const uint16_t *list = l->near + 8 * (l->spot[code] >> 10);
            int n = (int)(l->spot[code] & 1023), rings = 1, within = 0;

            if (l->spot[code] & LATTICE_ON) {
                CHECK_U64(only, place);
                continue;
            }
            int last = l->spot[code] & LATTICE_ONLY ? distance(only, place, bits, l->dims) : 0;
            for (int i = 0; last == 0 && i < n; i++) {
                int here = distance(list[i], place, bits, l->dims);
                int before = i ? distance(list[i - 1], place, bits, l->dims) : here;
                CHECK(here > before || i == 0 ||
                      (here == before && l->number[lattice_code(bits, list[i])] > l->number[lattice_code(bits, list[i - 1])]));
                rings += here > before;
                if (i == n - 1)
                    last = here;
            }
            CHECK_U64(rings, l->spot[code] & LATTICE_ONLY ? 1 : l->rings);
            for (int j = 0; j < l->npoints; j++)
                within += distance(l->point[j], place, bits, l->dims) <= last;
            CHECK_U64(within, l->spot[code] & LATTICE_ONLY ? 1 : n);
        }
    }
}

/* Whether a is at the level of b or nearer to the place in every coordinate. */
static bool no_farther(uint32_t a, uint32_t b, uint32_t place, int bits, int dims)
{
    for (int i = 0; i < dims; i++) {
        int to_a = abs(level(a, bits, i) - level(place, bits, i)), to_b = abs(level(b, bits, i) - level(place, bits, i));
        if (level(a, bits, i) != level(b, bits, i) && to_a >= to_b)
            return false;
    }
    return true;
}

/* Of all candidates, in order, the few are those that no earlier one beats wherever the weights are inside the place. */
TEST(lattice_few_candidates_are_those_that_can_win)
{
    for (int name = LATTICE_IQ2_XXS; name < LATTICES; name++) {
        const struct lattice *l = lattice_open(name);
        int bits = l->dims == 8 ? 2 : 3;

        for (uint32_t code = 0; code < (bits == 2 ? 6561u : 4096u); code += 7) {
            const uint16_t *all = l->near + 8 * (l->spot[code] >> 10), *few = l->near + 8 * (l->few[code] >> 10);
            uint32_t n = l->spot[code] & 1023, nfew = l->few[code] & 1023, at = 0;

            if (l->spot[code] & (LATTICE_ON | LATTICE_ONLY)) {
                CHECK_U64(l->few[code], l->spot[code]);
                continue;
            }
            for (uint32_t j = 0; j < n; j++) {
                bool beaten = false;
                for (uint32_t k = 0; k < j && !beaten; k++)
                    beaten = no_farther(all[k], all[j], place_of(code, bits), bits, l->dims);
                if (!beaten) {
                    CHECK(at < nfew && few[at] == all[j]);
                    at++;
                }
            }
            CHECK_U64(at, nfew);
        }
    }
}
