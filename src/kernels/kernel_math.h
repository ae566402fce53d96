/* kernel_math.h: the functions of one number that kernels share: exp, sigmoid, silu, gelu, tanh, the row reduction and the
 * quantizer's zero point.
 *
 * Each is a fixed sequence of IEEE operations: fmaf where a line says fmaf, everything else rounded on its own. Vector levels
 * repeat the sequence lane by lane with the constants from here and so give the same bits. libm is used for fmaf, rintf and
 * sqrtf only, which IEEE defines to the bit.
 *
 * The coefficients are minimax fits (weighted least squares, Lawson's iteration, 40 digits); tests/kernels/test_kernel_math
 * measures the error of each function against double. */
#ifndef WICK_KERNELS_KERNEL_MATH_H
#define WICK_KERNELS_KERNEL_MATH_H

#include <math.h>
#include <stdint.h>

#include "base/half.h"

/* ---------------------------------------------------------------- exp
 * x = n ln 2 + f with |f| <= ln 2 / 2; e^f by a polynomial of degree 6 with relative error 3e-9; 2^n into the exponent.
 * Results below the smallest normal number are 0; from 88.37 on the result is infinite. */
#define WICK_EXP_LOW    -87.3f
#define WICK_EXP_HIGH   88.37f
#define WICK_EXP_LOG2E  0x1.715476p+0f
#define WICK_EXP_LN2_HI 0x1.62e43p-1f
#define WICK_EXP_LN2_LO -0x1.05c61p-29f
#define WICK_EXP_C6     0.00138146f
#define WICK_EXP_C5     0.00836872f
#define WICK_EXP_C4     0.04166839f
#define WICK_EXP_C3     0.16666521f
#define WICK_EXP_C2     0.49999993f

static inline float wick_exp(float x) {
    if (x < WICK_EXP_LOW) return 0.0f;
    if (x > WICK_EXP_HIGH) return INFINITY;
    if (x != x) return x;
    float n = rintf(x * WICK_EXP_LOG2E);
    float f = fmaf(-n, WICK_EXP_LN2_HI, x);
    f = fmaf(-n, WICK_EXP_LN2_LO, f);
    float p = WICK_EXP_C6;
    p = fmaf(p, f, WICK_EXP_C5);
    p = fmaf(p, f, WICK_EXP_C4);
    p = fmaf(p, f, WICK_EXP_C3);
    p = fmaf(p, f, WICK_EXP_C2);
    p = fmaf(p, f, 1.0f);
    p = fmaf(p, f, 1.0f);
    return wick_f32_from_bits(wick_bits_from_f32(p) + ((uint32_t)(int32_t)n << 23));
}

/* ---------------------------------------------------------------- sigmoid, silu, gelu by tanh
 * gelu_tanh(x) = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) = x sigmoid(2 sqrt(2/pi) (x + 0.044715 x^3)): no cancellation. */
#define WICK_GELU_TANH_K1 1.5957691216f
#define WICK_GELU_TANH_K3 0.0713548162726f

static inline float wick_sigmoid(float x) { return 1.0f / (1.0f + wick_exp(-x)); }
static inline float wick_silu(float x) { return x / (1.0f + wick_exp(-x)); }
static inline float wick_gelu_tanh(float x) {
    float u = x * fmaf(x * x, WICK_GELU_TANH_K3, WICK_GELU_TANH_K1);
    return x / (1.0f + wick_exp(-u));
}

/* ---------------------------------------------------------------- gelu
 * gelu(x) = x Phi(x); Phi by erfc(t) = exp(-t^2) s P(s), s = 1 / (1 + 0.3275911 t), t = |x| / sqrt 2 (the form of Abramowitz
 * and Stegun 7.1.26 with a polynomial of degree 9: relative error 4e-9). */
#define WICK_ERF_C     0.3275911f
#define WICK_ERF_P9    0x1.d76ca2p-5f
#define WICK_ERF_P8    -0x1.49b6e8p-2f
#define WICK_ERF_P7    0x1.473d58p-1f
#define WICK_ERF_P6    -0x1.27166ap-1f
#define WICK_ERF_P5    0x1.07ee28p-1f
#define WICK_ERF_P4    -0x1.ddcbc4p-5f
#define WICK_ERF_P3    0x1.abb91cp-3f
#define WICK_ERF_P2    0x1.51dec2p-3f
#define WICK_ERF_P1    0x1.7cae6cp-3f
#define WICK_ERF_P0    0x1.7a6af2p-3f
#define WICK_SQRT_HALF 0x1.6a09e6p-1f

static inline float wick_gelu(float x) {
    float t = fabsf(x) * WICK_SQRT_HALF;
    float s = 1.0f / fmaf(WICK_ERF_C, t, 1.0f);
    float p = WICK_ERF_P9;
    p = fmaf(p, s, WICK_ERF_P8);
    p = fmaf(p, s, WICK_ERF_P7);
    p = fmaf(p, s, WICK_ERF_P6);
    p = fmaf(p, s, WICK_ERF_P5);
    p = fmaf(p, s, WICK_ERF_P4);
    p = fmaf(p, s, WICK_ERF_P3);
    p = fmaf(p, s, WICK_ERF_P2);
    p = fmaf(p, s, WICK_ERF_P1);
    p = fmaf(p, s, WICK_ERF_P0);
    float half = 0.5f * (s * p) * wick_exp(-(t * t)); /* the smaller of Phi(x) and 1 - Phi(x) */
    return x * (x < 0.0f ? half : 1.0f - half);
}

/* ---------------------------------------------------------------- tanh
 * Below 0.625 an odd polynomial, above by exp. */
#define WICK_TANH_SPLIT 0.625f
#define WICK_TANH_P4    -0.00571704f
#define WICK_TANH_P3    0.02065059f
#define WICK_TANH_P2    -0.0537435f
#define WICK_TANH_P1    0.13331491f
#define WICK_TANH_P0    -0.33333284f

static inline float wick_tanh(float x) {
    float z = fabsf(x), u = x * x;
    if (z < WICK_TANH_SPLIT) {
        float p = WICK_TANH_P4;
        p = fmaf(p, u, WICK_TANH_P3);
        p = fmaf(p, u, WICK_TANH_P2);
        p = fmaf(p, u, WICK_TANH_P1);
        p = fmaf(p, u, WICK_TANH_P0);
        return fmaf(u * x, p, x);
    }
    return copysignf(1.0f - 2.0f / (wick_exp(2.0f * z) + 1.0f), x);
}

/* A number below 0, and NaN, becomes +0 (the sign of -0 is kept nowhere). */
static inline float wick_relu(float x) { return x > 0.0f ? x : 0.0f; }

/* ---------------------------------------------------------------- rows */

/* The one tree over sixteen lanes: 8 + 8, 4 + 4, 2 + 2, 1 + 1. */
static inline float wick_tree16(const float lane[16]) {
    float t[8];
    for (int i = 0; i < 8; i++) t[i] = lane[i] + lane[i + 8];
    for (int i = 0; i < 4; i++) t[i] += t[i + 4];
    for (int i = 0; i < 2; i++) t[i] += t[i + 2];
    return t[0] + t[1];
}

/* ---------------------------------------------------------------- the quantizer's row parameters */

typedef struct wick_quant_row {
    float s;         /* codes per unit */
    float zero;      /* the zero point, an integer in -128..127 */
    float low, high; /* range of rint(x * s) */
} wick_quant_row;

/* a > b ? a : b and a < b ? a : b, which is what x86's max and min do with NaN (the second operand is taken). */
static inline float wick_max(float a, float b) { return a > b ? a : b; }
static inline float wick_min(float a, float b) { return a < b ? a : b; }

/* lo <= 0 and hi >= 0: the row's range. Infinities give some zero point, the same at every level. */
static inline wick_quant_row wick_quant_row_of(float lo, float hi) {
    float s = lo == hi ? 1.0f : 255.0f / (hi - lo);
    float from_low = -128.0f - lo * s, from_high = 127.0f - hi * s;
    float z = -128.0f + lo * s + (127.0f + hi * s) > 0.0f ? from_low : from_high;
    z = rintf(wick_min(wick_max(z, -128.0f), 127.0f));
    return (wick_quant_row){s, z, -128.0f - z, 127.0f - z};
}

/* NaN (from NaN, or infinity times 0) becomes the lowest code if it is a product, so callers replace NaN in x by 0 first. */
static inline int32_t wick_quant_code(float x, const wick_quant_row *q) {
    return (int32_t)(rintf(wick_min(wick_max(x * q->s, q->low), q->high)) + q->zero);
}

#endif
