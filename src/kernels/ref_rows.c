/* Kernels over one row: norms, elementwise, activations, rope, embedding rows. The definition. */
#include "kernels/kernel_math.h"
#include "kernels/levels.h"

void wick_rmsnorm_ref(const float *x, const float *w, float w_offset, float eps, int64_t n, float *y) {
    float lane[16] = {0};
    for (int64_t i = 0; i < n; i++) lane[i % 16] = fmaf(x[i], x[i], lane[i % 16]);
    float r = 1.0f / sqrtf(wick_tree16(lane) / (float)n + eps);
    for (int64_t i = 0; i < n; i++) {
        float v = x[i] * r;
        y[i] = w ? v * (w[i] + w_offset) : v;
    }
}

void wick_layernorm_ref(const float *x, const float *w, const float *b, float eps, int64_t n, float *y) {
    float lane[16] = {0};
    for (int64_t i = 0; i < n; i++) lane[i % 16] += x[i];
    float mean = wick_tree16(lane) / (float)n;
    for (int i = 0; i < 16; i++) lane[i] = 0;
    for (int64_t i = 0; i < n; i++) lane[i % 16] = fmaf(x[i] - mean, x[i] - mean, lane[i % 16]);
    float r = 1.0f / sqrtf(wick_tree16(lane) / (float)n + eps);
    for (int64_t i = 0; i < n; i++) {
        float v = (x[i] - mean) * r;
        if (w) v *= w[i];
        y[i] = b ? v + b[i] : v;
    }
}

void wick_add_ref(const float *a, const float *b, int64_t n, float *y) {
    for (int64_t i = 0; i < n; i++) y[i] = a[i] + b[i];
}

void wick_mul_ref(const float *a, const float *b, int64_t n, float *y) {
    for (int64_t i = 0; i < n; i++) y[i] = a[i] * b[i];
}

#define DEFINE_GLU(act)                                                                                                                    \
    void wick_##act##_glu_ref(const float *gate, const float *up, int64_t n, float *y) {                                                   \
        for (int64_t i = 0; i < n; i++) y[i] = wick_##act(gate[i]) * up[i];                                                                \
    }
DEFINE_GLU(silu)
DEFINE_GLU(gelu)
DEFINE_GLU(gelu_tanh)

#define DEFINE_UNARY(act)                                                                                                                  \
    void wick_##act##_ref(const float *x, int64_t n, float *y) {                                                                           \
        for (int64_t i = 0; i < n; i++) y[i] = wick_##act(x[i]);                                                                           \
    }
DEFINE_UNARY(silu)
DEFINE_UNARY(gelu)
DEFINE_UNARY(gelu_tanh)
DEFINE_UNARY(sigmoid)
DEFINE_UNARY(tanh)
DEFINE_UNARY(relu)

static void turn(float *a, float *b, float c, float s) {
    float x = *a, y = *b;
    *a = x * c - y * s;
    *b = y * c + x * s;
}

void wick_rope_half_ref(float *x, int64_t n_head, int64_t d, int64_t n_rotary, const float *cos, const float *sin) {
    for (int64_t h = 0; h < n_head; h++, x += d)
        for (int64_t j = 0; j < n_rotary / 2; j++) turn(x + j, x + j + n_rotary / 2, cos[j], sin[j]);
}

void wick_rope_interleaved_ref(float *x, int64_t n_head, int64_t d, int64_t n_rotary, const float *cos, const float *sin) {
    for (int64_t h = 0; h < n_head; h++, x += d)
        for (int64_t j = 0; j < n_rotary / 2; j++) turn(x + 2 * j, x + 2 * j + 1, cos[j], sin[j]);
}

void wick_dequant_row_ref(const int8_t *codes, float scale, int64_t n, float *y) {
    for (int64_t i = 0; i < n; i++) y[i] = (float)codes[i] * scale;
}

void wick_dequant_row4_ref(const uint8_t *codes, float scale, int64_t n, float *y) {
    for (int64_t i = 0; i < n; i += 2) {
        y[i] = (float)((codes[i / 2] >> 4) - 8) * scale;
        y[i + 1] = (float)((codes[i / 2] & 15) - 8) * scale;
    }
}

void wick_widen_f16_ref(const uint16_t *x, int64_t n, float *y) {
    for (int64_t i = 0; i < n; i++) y[i] = wick_f16_to_f32(x[i]);
}

void wick_widen_bf16_ref(const uint16_t *x, int64_t n, float *y) {
    for (int64_t i = 0; i < n; i++) y[i] = wick_bf16_to_f32(x[i]);
}
