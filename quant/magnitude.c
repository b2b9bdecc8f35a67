/* magnitude.c - is there a number that is too large among many? Compiled once per ISA like the kernels: see isa.h. */
#include "quant/kernel.h"
#include "quant/lanes.h"

bool QTYPE_SYMBOL(any_from)(uint32_t bound, const float *x, size_t n);
bool QTYPE_SYMBOL(any_from)(uint32_t bound, const float *x, size_t n)
{
    vu over = {0}, over2 = {0};     /* sign bit: |x| + lift reached 2^31 */
    uint32_t lift = 0x80000000u - bound, any = 0, bits;
    size_t i = 0;

    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        over |= ((vu)vf_load(x + i) & 0x7fffffff) + lift;
        over2 |= ((vu)vf_load(x + i + LANES) & 0x7fffffff) + lift;
    }
    for (int k = 0; k < LANES; k++)
        any |= over[k] | over2[k];
    for (; i < n; i++) {
        memcpy(&bits, x + i, sizeof bits);
        any |= (bits & 0x7fffffff) + lift;
    }
    return any >> 31;
}

bool QTYPE_SYMBOL(any_half_from)(uint16_t bound, const void *x, size_t n);
bool QTYPE_SYMBOL(any_half_from)(uint16_t bound, const void *x, size_t n)
{
    typedef uint16_t vh __attribute__((vector_size(4 * LANES)));
    const uint8_t *in = x;
    uint16_t lift = (uint16_t)(0x8000u - bound), half;
    uint32_t any = 0;
    vh over = {0}, v;
    size_t i = 0;

    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        memcpy(&v, in + 2 * i, sizeof v);
        over |= (v & 0x7fff) + lift;
    }
    for (int k = 0; k < 2 * LANES; k++)
        any |= over[k];
    for (; i < n; i++) {
        memcpy(&half, in + 2 * i, sizeof half);
        any |= (half & 0x7fffu) + lift;
    }
    return any >> 15 & 1;
}
