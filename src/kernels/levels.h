/* levels.h: the functions behind the table, level by level. Only kernels_init.c and the kernel files themselves include it.
 *
 * To add a kernel: its type and contract in kernels.h, a field in wick_kernels, <name>_ref here and in a ref_*.c, the line in
 * kernels_init.c, a check in tests/kernels. To add a level: a file per subject in x86/ or arm/ whose name ends in the level
 * (its flags are in CMakeLists.txt), the declarations here, a step of the staircase in kernels_init.c. */
#ifndef WICK_KERNELS_LEVELS_H
#define WICK_KERNELS_LEVELS_H

#include <stdbool.h>

#include "kernels/kernels.h"

wick_quantize_row_fn wick_quantize_row_ref;
wick_gemm_q4_fn wick_gemm_q4_ref;
wick_gemm_q8_fn wick_gemm_q8_ref;
wick_gemm_float_fn wick_gemm_f32_ref, wick_gemm_f16_ref, wick_gemm_bf16_ref;
wick_rmsnorm_fn wick_rmsnorm_ref;
wick_layernorm_fn wick_layernorm_ref;
wick_binary_fn wick_add_ref, wick_mul_ref;
wick_glu_fn wick_silu_glu_ref, wick_gelu_glu_ref, wick_gelu_tanh_glu_ref;
wick_unary_fn wick_silu_ref, wick_gelu_ref, wick_gelu_tanh_ref, wick_sigmoid_ref, wick_tanh_ref, wick_relu_ref;
wick_rope_fn wick_rope_half_ref, wick_rope_interleaved_ref;
wick_dequant_row_fn wick_dequant_row_ref;
wick_dequant_row4_fn wick_dequant_row4_ref;
wick_widen_fn wick_widen_f16_ref, wick_widen_bf16_ref;
wick_kv_store_fn wick_kv_store_f16_ref, wick_kv_store_f32_ref;
wick_attend_fn wick_attend_f16_ref, wick_attend_f32_ref;

#endif
