/* levels.h: the functions behind the table, level by level. Only kernels_init.c and the kernel files themselves include it. */
#ifndef WICK_KERNELS_LEVELS_H
#define WICK_KERNELS_LEVELS_H

#include <stdbool.h>

#include "kernels/kernels.h"

/* Every kernel that levels other than the reference have too: the field of wick_kernels and its type. Function names are
 * wick_<field>_<level>. */
#define WICK_INTEGER_KERNELS(X)                                                                                                            \
    X(gemm_q4, wick_gemm_q4_fn)                                                                                                            \
    X(gemm_q8, wick_gemm_q8_fn)
#define WICK_LANES_KERNELS(X)                                                                                                              \
    X(quantize_row, wick_quantize_row_fn)                                                                                                  \
    X(gemm_f32, wick_gemm_float_fn)                                                                                                        \
    X(gemm_f16, wick_gemm_float_fn)                                                                                                        \
    X(gemm_bf16, wick_gemm_float_fn)                                                                                                       \
    X(rmsnorm, wick_rmsnorm_fn)                                                                                                            \
    X(layernorm, wick_layernorm_fn)                                                                                                        \
    X(add, wick_binary_fn)                                                                                                                 \
    X(mul, wick_binary_fn)                                                                                                                 \
    X(silu_glu, wick_glu_fn)                                                                                                               \
    X(gelu_glu, wick_glu_fn)                                                                                                               \
    X(gelu_tanh_glu, wick_glu_fn)                                                                                                          \
    X(silu, wick_unary_fn)                                                                                                                 \
    X(gelu, wick_unary_fn)                                                                                                                 \
    X(gelu_tanh, wick_unary_fn)                                                                                                            \
    X(sigmoid, wick_unary_fn)                                                                                                              \
    X(tanh, wick_unary_fn)                                                                                                                 \
    X(relu, wick_unary_fn)                                                                                                                 \
    X(rope_half, wick_rope_fn)                                                                                                             \
    X(rope_interleaved, wick_rope_fn)                                                                                                      \
    X(dequant_row, wick_dequant_row_fn)                                                                                                    \
    X(dequant_row4, wick_dequant_row4_fn)                                                                                                  \
    X(widen_f16, wick_widen_fn)                                                                                                            \
    X(widen_bf16, wick_widen_fn)                                                                                                           \
    X(kv_store_f16, wick_kv_store_fn)                                                                                                      \
    X(attend_f16, wick_attend_fn)                                                                                                          \
    X(attend_f32, wick_attend_fn)

#define WICK_DECLARE_REF(field, type)        type wick_##field##_ref;
#define WICK_DECLARE_AVX2(field, type)       type wick_##field##_avx2;
#define WICK_DECLARE_AVX512VNNI(field, type) type wick_##field##_avx512vnni;

WICK_INTEGER_KERNELS(WICK_DECLARE_REF)
WICK_LANES_KERNELS(WICK_DECLARE_REF)
wick_kv_store_fn wick_kv_store_f32_ref;

WICK_INTEGER_KERNELS(WICK_DECLARE_AVX2)
WICK_LANES_KERNELS(WICK_DECLARE_AVX2)
WICK_INTEGER_KERNELS(WICK_DECLARE_AVX512VNNI)
WICK_LANES_KERNELS(WICK_DECLARE_AVX512VNNI)

#endif
