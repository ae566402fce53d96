/* lanes_gemm.h: products with float weights, sixteen columns per vector. A template: see lanes.h.
 *
 * Tile: up to LANES_ROWS rows x 1 or LANES_FLOAT_PANELS panels; the accumulators stay in registers over the whole of K,
 * as the definition wants one chain per element. With two panels every broadcast of x feeds two fmas, which matters where a
 * core has two fma units and two load ports. */
#ifndef WICK_KERNELS_LANES_GEMM_H
#define WICK_KERNELS_LANES_GEMM_H

enum { FLOAT_ROW_BLOCK = 96 }; /* rows that pass while a panel stays in the cache */

typedef struct float_job {
    int64_t k;
    const float *x;
    int64_t x_stride;
    const uint8_t *panel;
    int64_t panel_size;
    const float *bias;
    float *y;
    int64_t y_stride;
} float_job;

INLINE void float_tile(number_kind kind, int R, int P, const float_job *job) {
    const float_job j = *job;
    const int64_t line = (int64_t)(WICK_PANEL * number_size(kind));
    vf acc[LANES_ROWS * LANES_FLOAT_PANELS];
    UNROLL(24)
    for (int i = 0; i < R * P; i++) acc[i] = v_set(0);
    for (int64_t k = 0; k < j.k; k++) {
        vf w[LANES_FLOAT_PANELS];
        UNROLL(2)
        for (int p = 0; p < P; p++) w[p] = v_load_as(kind, j.panel + p * j.panel_size + k * line);
        UNROLL(12)
        for (int r = 0; r < R; r++) {
            vf x = v_set(j.x[r * j.x_stride + k]);
            UNROLL(2)
            for (int p = 0; p < P; p++) acc[r * P + p] = v_fma(x, w[p], acc[r * P + p]);
        }
    }
    UNROLL(12)
    for (int r = 0; r < R; r++) {
        UNROLL(2)
        for (int p = 0; p < P; p++) {
            vf y = acc[r * P + p];
            if (j.bias) y = v_add(y, v_load(j.bias + 16 * p));
            v_store(j.y + r * j.y_stride + 16 * p, y);
        }
    }
}

#define TILE_BODY(kind, name, R)                                                                                                           \
    static void name##_tile_##R(const float_job *job) { float_tile(kind, R, 1, job); }                                                     \
    static void name##_tiles_##R(const float_job *job) { float_tile(kind, R, LANES_FLOAT_PANELS, job); }

/* gemm_<name>: its tiles, and the walk over row blocks, panels and tiles. */
typedef void float_tile_fn(const float_job *job);

static void float_walk(float_tile_fn *const table[2][LANES_ROWS + 1], number_kind kind, int64_t n_row, int64_t k, const float *x,
                       int64_t x_stride, int64_t n_panel, const void *panels, const float *bias, float *y, int64_t y_stride) {
    const int64_t panel_size = k * (int64_t)(WICK_PANEL * number_size(kind));
    for (int64_t r0 = 0; r0 < n_row; r0 += FLOAT_ROW_BLOCK) {
        const int64_t n = n_row - r0 < FLOAT_ROW_BLOCK ? n_row - r0 : FLOAT_ROW_BLOCK;
        const int64_t n_tile = (n + LANES_ROWS - 1) / LANES_ROWS;
        for (int64_t p = 0, step; p < n_panel; p += step) {
            step = n >= 4 && n_panel - p >= LANES_FLOAT_PANELS ? LANES_FLOAT_PANELS : 1; /* few rows wait for memory: one stream */
            for (int64_t t = 0; t < n_tile; t++) {
                const int64_t begin = r0 + n * t / n_tile, end = r0 + n * (t + 1) / n_tile;
                float_job job = {k,
                                 x + begin * x_stride,
                                 x_stride,
                                 (const uint8_t *)panels + p * panel_size,
                                 panel_size,
                                 bias ? bias + 16 * p : NULL,
                                 y + begin * y_stride + 16 * p,
                                 y_stride};
                table[step == LANES_FLOAT_PANELS][end - begin](&job);
            }
        }
    }
}

#if LANES_ROWS == 12
#define EACH_ROWS(X, a, b)                                                                                                                 \
    X(a, b, 1) X(a, b, 2) X(a, b, 3) X(a, b, 4) X(a, b, 5) X(a, b, 6) X(a, b, 7) X(a, b, 8) X(a, b, 9) X(a, b, 10) X(a, b, 11) X(a, b, 12)
#else
#define EACH_ROWS(X, a, b) X(a, b, 1) X(a, b, 2) X(a, b, 3) X(a, b, 4) X(a, b, 5) X(a, b, 6)
#endif
#define ONE_PANEL(kind, name, R)  name##_tile_##R,
#define ALL_PANELS(kind, name, R) name##_tiles_##R,
#define DEFINE_GEMM(kind, name)                                                                                                            \
    EACH_ROWS(TILE_BODY, kind, name)                                                                                                       \
    static float_tile_fn *const name##_table[2][LANES_ROWS + 1] = {{NULL, EACH_ROWS(ONE_PANEL, kind, name)},                               \
                                                                   {NULL, EACH_ROWS(ALL_PANELS, kind, name)}};                             \
    void LEVEL(wick_gemm_##name)(int64_t n_row, int64_t k, const float *x, int64_t x_stride, int64_t n_panel, const void *panels,          \
                                 const float *bias, float *y, int64_t y_stride) {                                                          \
        float_walk(name##_table, kind, n_row, k, x, x_stride, n_panel, panels, bias, y, y_stride);                                         \
    }
DEFINE_GEMM(NUMBER_F32, f32)
DEFINE_GEMM(NUMBER_F16, f16)
DEFINE_GEMM(NUMBER_BF16, bf16)

#endif
