/* Dynamic quantization of activation rows: the definition. */
#include "kernels/kernel_math.h"
#include "kernels/levels.h"

void wick_quantize_row_ref(const float *x, int64_t k, int64_t k_pad, int8_t *codes, int64_t code_stride, int32_t *starts,
                           int64_t start_stride, float *neg_zero, float *scale, int32_t *sum) {
    float lo = 0, hi = 0; /* comparisons with NaN are false: it counts as 0 */
    for (int64_t i = 0; i < k; i++) {
        if (x[i] < lo) lo = x[i];
        if (x[i] > hi) hi = x[i];
    }
    wick_quant_row q = wick_quant_row_of(lo, hi);
    int32_t total = 0;
    for (int64_t g = 0; g < k_pad / WICK_GROUP; g++) {
        int32_t group = 0;
        for (int64_t i = g * WICK_GROUP; i < (g + 1) * WICK_GROUP; i++) {
            int32_t a = i < k ? wick_quant_code(x[i] == x[i] ? x[i] : 0.0f, &q) : 0;
            codes[g * code_stride + i % WICK_GROUP] = (int8_t)a;
            group += a;
        }
        starts[g * start_stride] = -8 * group;
        total += group;
    }
    *neg_zero = 0.0f - q.zero;
    *scale = 1.0f / q.s;
    *sum = total;
}
