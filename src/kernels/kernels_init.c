/* The table: the reference first, then each level overwrites what it has. */
#include "base/cpu.h"
#include "kernels/levels.h"

static const wick_kernels reference = {
    .level = "reference",
    .quantize_row = wick_quantize_row_ref,
    .gemm_q4 = wick_gemm_q4_ref,
    .gemm_q8 = wick_gemm_q8_ref,
    .gemm_f32 = wick_gemm_f32_ref,
    .gemm_f16 = wick_gemm_f16_ref,
    .gemm_bf16 = wick_gemm_bf16_ref,
    .rmsnorm = wick_rmsnorm_ref,
    .layernorm = wick_layernorm_ref,
    .add = wick_add_ref,
    .mul = wick_mul_ref,
    .silu_glu = wick_silu_glu_ref,
    .gelu_glu = wick_gelu_glu_ref,
    .gelu_tanh_glu = wick_gelu_tanh_glu_ref,
    .silu = wick_silu_ref,
    .gelu = wick_gelu_ref,
    .gelu_tanh = wick_gelu_tanh_ref,
    .sigmoid = wick_sigmoid_ref,
    .tanh = wick_tanh_ref,
    .relu = wick_relu_ref,
    .rope_half = wick_rope_half_ref,
    .rope_interleaved = wick_rope_interleaved_ref,
    .dequant_row = wick_dequant_row_ref,
    .dequant_row4 = wick_dequant_row4_ref,
    .widen_f16 = wick_widen_f16_ref,
    .widen_bf16 = wick_widen_bf16_ref,
    .kv_store_f16 = wick_kv_store_f16_ref,
    .kv_store_f32 = wick_kv_store_f32_ref,
    .attend_f16 = wick_attend_f16_ref,
    .attend_f32 = wick_attend_f32_ref,
};

void wick_kernels_init(wick_kernels *k, uint32_t cpu_mask) {
    *k = reference;
    (void)cpu_mask;
}
