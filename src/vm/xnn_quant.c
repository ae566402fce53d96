/* Convert: fp32 rows to int8 codes with a scale and a zero point each, by XNNPACK's rule. Everything is fp32, step by step. */
#include "vm/xnn_vm.h"

#include <math.h>

/* NaN goes to the low end, so that nothing undefined is converted to an integer. */
static float clamp_code(float v) { return v >= -128.0f ? v <= 127.0f ? v : 127.0f : -128.0f; }

static void quantize_row(const float *x, int64_t k, int8_t *codes, wick_row_quant *q) {
    float lo = 0, hi = 0;
    for (int64_t i = 0; i < k; i++) {
        lo = x[i] < lo ? x[i] : lo;
        hi = x[i] > hi ? x[i] : hi;
    }
    float scale = lo == hi ? 1.0f : 255.0f / (hi - lo);
    float lo_scaled = lo * scale, hi_scaled = hi * scale;
    float lo_error = -128.0f + lo_scaled, hi_error = 127.0f + hi_scaled;
    float zero = rintf(clamp_code(lo_error + hi_error > 0 ? -128.0f - lo_scaled : 127.0f - hi_scaled));
    for (int64_t i = 0; i < k; i++) {
        float v = x[i] != x[i] ? 0 : x[i];
        codes[i] = (int8_t)clamp_code(rintf(v * scale) + zero);
    }
    q->zero = (int32_t)zero;
    q->scale = 1.0f / scale;
}

void wick_vx_quantize(const wick_vt *x, int64_t k, wick_vt *out) {
    wick_row_quant *rows = wick_vx_rows(out);
    uint64_t n = k ? wick_vt_count(x) / (uint64_t)k : 0;
    for (uint64_t i = 0; i < n; i++)
        quantize_row((const float *)(const void *)x->data + i * (uint64_t)k, k, (int8_t *)out->data + i * (uint64_t)k, &rows[i]);
}
