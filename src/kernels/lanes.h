/* lanes.h: kernels written once over sixteen lanes.
 *
 * The definitions in kernels.h are sixteen lanes wide on every machine: panels have 16 columns, rows are reduced in 16 lanes,
 * keys lie in groups of 16. So most kernels are written once, in the templates lanes_*.h, over a type `vf` of 16 floats; a
 * level is a header that says what vf and its operations are (one zmm, two ymm, four q registers) and a .c file that includes
 * that header and then this one. Every operation acts lane by lane with one IEEE rounding (v_fma: of a * b + c), so the bits
 * do not depend on the level.
 *
 * A level's header defines
 *   vf                        sixteen floats
 *   v_set(x)                  x in every lane
 *   v_load(p) v_store(p, v)   any alignment
 *   v_load_n(p, n) v_store_n(p, v, n)    the first n < 16 lanes, others 0 / untouched; nothing else is accessed
 *   v_load_f16 v_load_f16_n v_load_bf16 v_load_bf16_n (p[, n])    converted exactly
 *   v_store_f16(p, v)         rounded to nearest even
 *   v_load_i8(p)              16 int8;  v_load_i4(p): 8 bytes, high nibble first, minus 8;  v_load_twice(p): p[0], p[0], p[1], ...
 *   v_store_i8(p, v)          v holds integers in the range of int8
 *   v_add v_sub v_mul v_div (a, b)   v_fma(a, b, c)   v_fnma(a, b, c): -a * b + c   v_neg(a)   v_abs(a)
 *   v_max v_min (a, b)        a > b ? a : b and a < b ? a : b, lane by lane (so b where either is NaN)
 *   v_round(a)                to the nearest integer, ties to even
 *   v_scale2(p, n)            p * 2^n for normal results: n (an integer) is added to the exponent bits
 *   v_lt(a, b, x, y)          a < b ? x : y;  v_ordered(a, x): NaN in a gives 0, else x
 *   v_sign_of(a, b)           |a| with the sign of b
 *   v_swap_pairs(a)           lanes 1 0 3 2 ...;  v_neg_even(a): lanes 0, 2, ... negated
 *   v_keep(bits, a)           lanes whose bit is set, else 0;  v_pick(bits, a, b): a where the bit is set, else b
 *   v_tree(a)                 the tree of kernel_math.h;  v_top(a): the largest lane (any NaN may be dropped)
 *   v_prefetch(p)             into the second cache level
 *   LANES_ROWS                most rows of a tile (6 or 12)
 *   LANES_FLOAT_PANELS        panels of a tile of the float products (1 or 2)
 *   LANES_ATTEND_CHUNKS(R)    vectors per row that a tile of R rows of attention works on at a time (1, 2 or 4)
 *   LEVEL(name)               the function's name at this level */
#ifndef WICK_KERNELS_LANES_H
#define WICK_KERNELS_LANES_H

#include "kernels/kernel_math.h"
#include "kernels/levels.h"

typedef enum number_kind { NUMBER_F32, NUMBER_F16, NUMBER_BF16 } number_kind;
static inline size_t number_size(number_kind kind) { return kind == NUMBER_F32 ? 4 : 2; }

INLINE vf v_load_as(number_kind kind, const void *p) {
    return kind == NUMBER_F32 ? v_load(p) : kind == NUMBER_F16 ? v_load_f16(p) : v_load_bf16(p);
}
INLINE vf v_load_as_n(number_kind kind, const void *p, int n) {
    return kind == NUMBER_F32 ? v_load_n(p, n) : kind == NUMBER_F16 ? v_load_f16_n(p, n) : v_load_bf16_n(p, n);
}

/* For rows of any length: all 16 lanes where there are as many, else the rest of the row. */
INLINE vf v_load_upto(const float *p, int64_t n) { return n >= 16 ? v_load(p) : v_load_n(p, (int)n); }
INLINE void v_store_upto(float *p, vf v, int64_t n) {
    if (n >= 16)
        v_store(p, v);
    else
        v_store_n(p, v, (int)n);
}

/* ---------------------------------------------------------------- the functions of kernel_math.h, lane by lane */

INLINE vf v_exp(vf x) {
    vf n = v_round(v_mul(x, v_set(WICK_EXP_LOG2E)));
    vf f = v_fnma(n, v_set(WICK_EXP_LN2_HI), x);
    f = v_fnma(n, v_set(WICK_EXP_LN2_LO), f);
    vf p = v_set(WICK_EXP_C6);
    p = v_fma(p, f, v_set(WICK_EXP_C5));
    p = v_fma(p, f, v_set(WICK_EXP_C4));
    p = v_fma(p, f, v_set(WICK_EXP_C3));
    p = v_fma(p, f, v_set(WICK_EXP_C2));
    p = v_fma(p, f, v_set(1.0f));
    p = v_fma(p, f, v_set(1.0f));
    p = v_scale2(p, n);
    p = v_lt(x, v_set(WICK_EXP_LOW), v_set(0.0f), p);
    return v_lt(v_set(WICK_EXP_HIGH), x, v_set(INFINITY), p);
}

INLINE vf v_sigmoid(vf x) { return v_div(v_set(1.0f), v_add(v_set(1.0f), v_exp(v_neg(x)))); }
INLINE vf v_silu(vf x) { return v_div(x, v_add(v_set(1.0f), v_exp(v_neg(x)))); }
INLINE vf v_gelu_tanh(vf x) {
    vf u = v_mul(x, v_fma(v_mul(x, x), v_set(WICK_GELU_TANH_K3), v_set(WICK_GELU_TANH_K1)));
    return v_div(x, v_add(v_set(1.0f), v_exp(v_neg(u))));
}

INLINE vf v_gelu(vf x) {
    vf t = v_mul(v_abs(x), v_set(WICK_SQRT_HALF));
    vf s = v_div(v_set(1.0f), v_fma(v_set(WICK_ERF_C), t, v_set(1.0f)));
    vf p = v_set(WICK_ERF_P9);
    p = v_fma(p, s, v_set(WICK_ERF_P8));
    p = v_fma(p, s, v_set(WICK_ERF_P7));
    p = v_fma(p, s, v_set(WICK_ERF_P6));
    p = v_fma(p, s, v_set(WICK_ERF_P5));
    p = v_fma(p, s, v_set(WICK_ERF_P4));
    p = v_fma(p, s, v_set(WICK_ERF_P3));
    p = v_fma(p, s, v_set(WICK_ERF_P2));
    p = v_fma(p, s, v_set(WICK_ERF_P1));
    p = v_fma(p, s, v_set(WICK_ERF_P0));
    vf half = v_mul(v_mul(v_set(0.5f), v_mul(s, p)), v_exp(v_neg(v_mul(t, t))));
    return v_mul(x, v_lt(x, v_set(0.0f), half, v_sub(v_set(1.0f), half)));
}

INLINE vf v_tanh(vf x) {
    vf z = v_abs(x), u = v_mul(x, x), p = v_set(WICK_TANH_P4);
    p = v_fma(p, u, v_set(WICK_TANH_P3));
    p = v_fma(p, u, v_set(WICK_TANH_P2));
    p = v_fma(p, u, v_set(WICK_TANH_P1));
    p = v_fma(p, u, v_set(WICK_TANH_P0));
    p = v_fma(v_mul(u, x), p, x);
    vf e = v_add(v_exp(v_mul(v_set(2.0f), z)), v_set(1.0f));
    vf large = v_sign_of(v_sub(v_set(1.0f), v_div(v_set(2.0f), e)), x);
    return v_lt(z, v_set(WICK_TANH_SPLIT), p, large);
}

INLINE vf v_relu(vf x) { return v_max(x, v_set(0.0f)); }

#include "kernels/lanes_rows.h"

#include "kernels/lanes_gemm.h"

#include "kernels/lanes_attend.h"

#endif
