/* vector.h - the loops of the forward pass and of the statistics that are no products, compiled once per instruction set like the
 * kernels of quant/. Sums run in 16 interleaved parts that are added in order, whatever the width of a register: every
 * instruction set gives the same bits. All of it by one thread; rows need no alignment. */
#ifndef BANTAM_VECTOR_H
#define BANTAM_VECTOR_H

#include "verify/ops.h"

struct vector {
    const char *isa;                    /* its name in quant/isa.h */

    /* As in ops.h. */
    void (*softmax)(float *x, size_t n);
    void (*softcap)(float *x, size_t n, float cap);
    void (*activate)(enum act_kind, float *gate, const float *up, size_t n);
    void (*norm)(enum norm_kind, const float *x, size_t width, const float *gain, const float *bias, float eps, float *y);
    bool (*finite)(const float *x, size_t n);

    /* The largest of n > 0 numbers that are not NaN. */
    float (*largest)(const float *x, size_t n);

    /* term[i] = exp(x[i] - top) to an ulp or so, 0 below e^-708; x[i] <= top, all finite. Returns their sum. */
    double (*exponentials)(const float *x, size_t n, double top, double *term);

    /* The sum of weight[i] * (from - x[i]). */
    double (*expectation)(const double *weight, const float *x, size_t n, double from);

    /* Adds the sums of x*x, y*y and x*y over n numbers to sum[0 ... 2]; that of (x - y)^2 over each `block` of them goes to difference[]. */
    void (*moments)(const float *x, const float *y, size_t n, size_t block, double sum[3], double *difference);

    /* Adds the sums of weight*x*x and of weight*(x - y)^2 to sum[0] and sum[1]. */
    void (*energies)(const double *weight, const float *x, const float *y, size_t n, double sum[2]);

    /* The sum of q level - p - p d, no term of which is negative, where d = x_q - x_p - shift and q level / p is e^d. Where d is small
     * the series of e^d - 1 - d keeps what the difference would lose; all d 0: exactly 0. */
    double (*divergence)(const float *x_p, const double *p, const float *x_q, const double *q, size_t n, double shift, double level);
};

/* The one for isa_current(). */
const struct vector *vector_current(void);

#endif
