/* Matrix products: the definition. One output element at a time. */
#include "base/half.h"
#include "kernels/levels.h"

#include <math.h>
#include <string.h>

/* ---------------------------------------------------------------- q4 */

static int weight4(const uint8_t *panel, int64_t g, int c, int i) {
    const uint8_t *group = panel + g / 2 * WICK_Q4_BLOCK + g % 2 * 256;
    uint8_t b = group[i % 16 / 4 * 64 + c * 4 + i % 4];
    return (i < 16 ? b & 15 : b >> 4) - 8;
}

static float scale4(const uint8_t *panel, int64_t g, int c) {
    uint16_t s;
    memcpy(&s, panel + g / 2 * WICK_Q4_BLOCK + 512 + c * 4 + g % 2 * 2, 2);
    return wick_bf16_to_f32(s);
}

static float element4(const wick_qtile *t, int r, const uint8_t *panel, int c, float colsum) {
    float acc = t->neg_zero[r] * colsum;
    for (int64_t g = 0; g < t->k / WICK_GROUP; g++) {
        const int8_t *a = t->codes + (g * t->n_row + r) * WICK_GROUP;
        int32_t sum = 0;
        for (int i = 0; i < WICK_GROUP; i++) sum += a[i] * weight4(panel, g, c, i);
        acc = fmaf((float)sum, scale4(panel, g, c), acc);
    }
    return acc * t->scale[r];
}

void wick_gemm_q4_ref(int64_t n_tile, const wick_qtile *tiles, int64_t n_panel, const uint8_t *panels, const float *colsum,
                      const float *bias, float *y, int64_t y_stride) {
    for (const wick_qtile *t = tiles; t < tiles + n_tile; t++)
        for (int r = 0; r < t->n_row; r++, y += y_stride)
            for (int64_t n = 0; n < n_panel * WICK_PANEL; n++) {
                const uint8_t *panel = panels + n / WICK_PANEL * (int64_t)wick_q4_panel_size(t->k);
                float v = element4(t, r, panel, (int)(n % WICK_PANEL), colsum[n]);
                y[n] = bias ? v + bias[n] : v;
            }
}

/* ---------------------------------------------------------------- q8 */

static float element8(const wick_qtile *t, int r, const uint8_t *panel, int c, float col_scale, int32_t wsum) {
    int64_t sum = 0;
    for (int64_t k = 0; k < t->k; k++)
        sum += t->codes[(k / WICK_GROUP * t->n_row + r) * WICK_GROUP + k % WICK_GROUP] * (panel[k / 4 * 64 + c * 4 + k % 4] - 128);
    sum += (int64_t)t->neg_zero[r] * wsum;
    return (float)(int32_t)sum * (t->scale[r] * col_scale);
}

void wick_gemm_q8_ref(int64_t n_tile, const wick_qtile *tiles, int64_t n_panel, const uint8_t *panels, const float *col_scale,
                      const int32_t *wsum, const float *bias, float *y, int64_t y_stride) {
    for (const wick_qtile *t = tiles; t < tiles + n_tile; t++)
        for (int r = 0; r < t->n_row; r++, y += y_stride)
            for (int64_t n = 0; n < n_panel * WICK_PANEL; n++) {
                const uint8_t *panel = panels + n / WICK_PANEL * (int64_t)wick_q8_panel_size(t->k);
                float v = element8(t, r, panel, (int)(n % WICK_PANEL), col_scale[n], wsum[n]);
                y[n] = bias ? v + bias[n] : v;
            }
}

/* ---------------------------------------------------------------- float weights */

typedef float load_fn(const void *panel, int64_t i);
static float load_f32(const void *panel, int64_t i) { return ((const float *)panel)[i]; }
static float load_f16(const void *panel, int64_t i) { return wick_f16_to_f32(((const uint16_t *)panel)[i]); }
static float load_bf16(const void *panel, int64_t i) { return wick_bf16_to_f32(((const uint16_t *)panel)[i]); }

static inline void gemm_float(load_fn *load, int64_t n_row, int64_t k, const float *x, int64_t x_stride, int64_t n_panel,
                              const void *panels, const float *bias, float *y, int64_t y_stride) {
    for (int64_t r = 0; r < n_row; r++)
        for (int64_t n = 0; n < n_panel * WICK_PANEL; n++) {
            int64_t at = n / WICK_PANEL * k * WICK_PANEL + n % WICK_PANEL;
            float acc = 0;
            for (int64_t i = 0; i < k; i++) acc = fmaf(x[r * x_stride + i], load(panels, at + i * WICK_PANEL), acc);
            y[r * y_stride + n] = bias ? acc + bias[n] : acc;
        }
}

void wick_gemm_f32_ref(int64_t n_row, int64_t k, const float *x, int64_t x_stride, int64_t n_panel, const void *panels, const float *bias,
                       float *y, int64_t y_stride) {
    gemm_float(load_f32, n_row, k, x, x_stride, n_panel, panels, bias, y, y_stride);
}

void wick_gemm_f16_ref(int64_t n_row, int64_t k, const float *x, int64_t x_stride, int64_t n_panel, const void *panels, const float *bias,
                       float *y, int64_t y_stride) {
    gemm_float(load_f16, n_row, k, x, x_stride, n_panel, panels, bias, y, y_stride);
}

void wick_gemm_bf16_ref(int64_t n_row, int64_t k, const float *x, int64_t x_stride, int64_t n_panel, const void *panels, const float *bias,
                        float *y, int64_t y_stride) {
    gemm_float(load_bf16, n_row, k, x, x_stride, n_panel, panels, bias, y, y_stride);
}
