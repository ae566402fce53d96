/* Checks of the quantizer and the matrix products. */
#include "base/half.h"
#include "check_kernels.h"

#include <math.h>

/* ---------------------------------------------------------------- rows of codes in tiles */

enum { MAX_TILES = 64 };
typedef struct batch {
    int64_t n_row, k, k_pad, n_tile;
    wick_qtile tile[MAX_TILES];
    int8_t *codes;
    int32_t *starts, *sum;
    float *neg_zero, *scale;
} batch;

/* n_row rows of k in tiles, quantized from floats by `kernels`; some rows get extreme codes. */
static void make_batch(batch *b, const wick_kernels *kernels, int slot, int64_t n_row, int64_t k, test_rng *rng) {
    float *x = check_memory(slot, (size_t)k * 4, 4, rng);
    *b = (batch){.n_row = n_row, .k = k, .k_pad = (k + 63) / 64 * 64, .n_tile = wick_n_tile(n_row)};
    b->codes = check_memory(slot + 1, (size_t)(n_row * b->k_pad), 64, rng);
    b->starts = check_memory(slot + 2, (size_t)(n_row * b->k_pad / 32) * 4, 4, rng);
    b->neg_zero = check_memory(slot + 3, (size_t)n_row * 4, 4, rng);
    b->scale = check_memory(slot + 4, (size_t)n_row * 4, 4, rng);
    b->sum = check_memory(slot + 5, (size_t)n_row * 4, 4, rng);
    for (int64_t i = 0; i < b->n_tile; i++) {
        const int64_t begin = wick_tile_begin(n_row, i), height = wick_tile_begin(n_row, i + 1) - begin;
        int8_t *codes = b->codes + begin * b->k_pad;
        int32_t *starts = b->starts + begin * b->k_pad / 32;
        b->tile[i] = (wick_qtile){(int)height, b->k_pad, codes, starts, b->neg_zero + begin, b->scale + begin, b->sum + begin};
        for (int64_t r = 0; r < height; r++) {
            check_fill_floats(x, (size_t)k, check_any_fill(rng), rng);
            kernels->quantize_row(x, k, b->k_pad, codes + 32 * r, 32 * height, starts + r, height, b->neg_zero + begin + r,
                                  b->scale + begin + r, b->sum + begin + r);
            const uint32_t extreme = test_rng_below(rng, 8); /* codes no float row gives: all 127, all -128 with any zero point */
            if (extreme > 1) continue;
            for (int64_t g = 0; g < b->k_pad / 32; g++) {
                memset(codes + (g * height + r) * 32, extreme ? 127 : -128, 32);
                starts[g * height + r] = -8 * 32 * (extreme ? 127 : -128);
            }
            b->sum[begin + r] = (int32_t)b->k_pad * (extreme ? 127 : -128);
            b->neg_zero[begin + r] = (float)test_rng_below(rng, 256) - 127;
        }
    }
}

static int8_t code_of(const batch *b, int64_t row, int64_t k) {
    for (int64_t i = 0;; i++) {
        const wick_qtile *t = b->tile + i;
        if (row < t->n_row) return t->codes[(k / 32 * t->n_row + row) * 32 + k % 32];
        row -= t->n_row;
    }
}

/* ---------------------------------------------------------------- quantizer */

static void quantize_equal(const check *c, const wick_kernels *ref, const wick_kernels *now, test_rng *rng) {
    static const int64_t large[] = {576, 1536, 2047, 2048, 8192};
    (void)c;
    for (int64_t i = 1; i <= 300 + 5; i++)
        for (check_fill fill = 0; fill < N_FILL; fill++) {
            const int64_t k = i <= 300 ? i : large[i - 301], k_pad = (k + 63) / 64 * 64, height = 1 + test_rng_below(rng, 12);
            const int64_t row = test_rng_below(rng, (uint32_t)height), n_code = height * k_pad, n_start = height * k_pad / 32;
            float *x = check_memory(0, (size_t)k * 4, 4, rng), z[2], d[2];
            int32_t sum[2];
            check_fill_floats(x, (size_t)k, fill, rng);
            int8_t *codes[2];
            int32_t *starts[2];
            for (int j = 0; j < 2; j++) {
                codes[j] = check_memory(1 + j, (size_t)n_code, 1, rng);
                starts[j] = check_memory(3 + j, (size_t)n_start * 4, 4, rng);
                (j ? now : ref)
                    ->quantize_row(x, k, k_pad, codes[j] + 32 * row, 32 * height, starts[j] + row, height, z + j, d + j, sum + j);
            }
            check_same("zero point", z, z + 1, 1);
            check_same("scale", d, d + 1, 1);
            assert_int_equal(sum[0], sum[1]);
            assert_memory_equal(codes[0], codes[1], (size_t)n_code);
            assert_memory_equal(starts[0], starts[1], (size_t)n_start * 4);
        }
}

/* (a - z) * d is x within half a step, and half a step more at the ends, where the rounded zero point moved the range. */
static void quantize_accuracy(const check *c, const wick_kernels *ref, const wick_kernels *now, test_rng *rng) {
    (void)c, (void)now;
    for (int i = 0; i < 300; i++) {
        float x[320], nz, d;
        int8_t codes[320];
        int32_t starts[10], sum, total = 0;
        const int64_t k = 1 + test_rng_below(rng, 320), k_pad = (k + 63) / 64 * 64;
        check_fill_floats(x, (size_t)k, i % 2 ? FILL_RANDOM : FILL_SCALES, rng);
        ref->quantize_row(x, k, k_pad, codes, 32, starts, 1, &nz, &d, &sum);
        for (int64_t j = 0; j < k; j++) {
            const double back = ((double)codes[j] + (double)nz) * (double)d;
            assert_true(fabs(back - (double)x[j]) <= 1.001 * (double)d);
            if (codes[j] > -127 && codes[j] < 126) assert_true(fabs(back - (double)x[j]) <= 0.501 * (double)d);
        }
        for (int64_t j = 0; j < k_pad; j++) {
            total += codes[j];
            if (j % 32 == 31) {
                starts[j / 32] += 8 * total;
                assert_int_equal(starts[j / 32], 0);
                sum -= total;
                total = 0;
            }
        }
        assert_int_equal(sum, 0);
    }
}

/* ---------------------------------------------------------------- integer weights */

typedef struct weights4 {
    int64_t k, group, n_col, n_panel;
    uint8_t *nibbles; /* [n_col][ceil(k/2)], value + 8 */
    uint16_t *scales; /* [n_col][k / group, rounded up] */
    uint8_t *panels;
    float *colsum;
} weights4;

static void make_weights4(weights4 *w, int slot, int64_t k, int64_t group, int64_t n_col, test_rng *rng) {
    const int64_t pitch = (k + 1) / 2, n_scale = (k + group - 1) / group;
    *w = (weights4){.k = k, .group = group, .n_col = n_col, .n_panel = (n_col + 15) / 16};
    w->nibbles = check_memory(slot, (size_t)(n_col * pitch), 1, rng);
    w->scales = check_memory(slot + 1, (size_t)(n_col * n_scale) * 2, 2, rng);
    w->panels = check_memory(slot + 2, (size_t)w->n_panel * wick_q4_panel_size(k), 64, rng);
    w->colsum = check_memory(slot + 3, (size_t)w->n_panel * 64, 4, rng);
    for (int64_t i = 0; i < n_col * pitch; i++) w->nibbles[i] = i % 37 ? (uint8_t)test_rng_next(rng) : i % 2 ? 0xff : 0;
    for (int64_t i = 0; i < n_col * n_scale; i++) {
        float s = test_rng_float(rng);
        if (test_rng_below(rng, 50) == 0) s = i % 2 ? 0 : 0x1p-120f;
        w->scales[i] = wick_f32_to_bf16(s);
    }
    for (int64_t p = 0; p < w->n_panel; p++) {
        const uint8_t *rows[WICK_PANEL] = {0};
        const uint16_t *scales[WICK_PANEL] = {0};
        for (int64_t n = 16 * p; n < 16 * p + 16 && n < n_col; n++) {
            rows[n % 16] = w->nibbles + n * pitch;
            scales[n % 16] = w->scales + n * n_scale;
        }
        wick_q4_pack_panel(rows, scales, k, group, w->panels + p * (int64_t)wick_q4_panel_size(k), w->colsum + 16 * p);
    }
}

static int nibble_of(const weights4 *w, int64_t n, int64_t k) {
    const uint8_t b = w->nibbles[n * ((w->k + 1) / 2) + k / 2];
    return (k % 2 ? b >> 4 : b & 15) - 8;
}

/* Rows, depths and panels of the i-th of a series of cases: every tile height, every K up to 300, a few large ones. */
typedef struct product_case {
    int64_t n_row, k, n_col;
} product_case;
enum { N_CASE = 300 + 26 };
static product_case case_of(int i, test_rng *rng) {
    static const int64_t k[] = {576, 1536, 2048}, rows[] = {12, 13, 25, 97, 100};
    if (i < 300) return (product_case){1 + i % 12 + (i % 7 == 0 ? 13 : 0), 1 + i, 1 + test_rng_below(rng, 50)};
    if (i < 312) return (product_case){i - 299, 2048, 17 + test_rng_below(rng, 16)};
    if (i < 324) return (product_case){i - 311, 64, 48};
    return (product_case){rows[test_rng_below(rng, 5)], k[test_rng_below(rng, 3)], 33};
}

/* Output rows with a gap behind each, both filled with the same pattern: what a kernel writes outside shows. */
static float *make_output(int slot, int64_t n_row, int64_t stride, int64_t n, test_rng *rng) {
    return check_memory(slot, (size_t)((n_row - 1) * stride + n) * 4, 4, rng);
}

static void q4_equal(const check *c, const wick_kernels *ref, const wick_kernels *now, test_rng *rng) {
    (void)c;
    for (int i = 0; i < N_CASE; i++) {
        const product_case s = case_of(i, rng);
        const int64_t group = i % 3 ? 32 : 64;
        batch b;
        weights4 w;
        make_batch(&b, ref, 0, s.n_row, s.k, rng);
        make_weights4(&w, 6, s.k, group, s.n_col, rng);
        const int64_t n = 16 * w.n_panel, stride = n + test_rng_below(rng, 8);
        float *bias = i % 2 ? check_memory(10, (size_t)n * 4, 4, rng) : NULL;
        if (bias) check_fill_floats(bias, (size_t)n, FILL_RANDOM, rng);
        float *y[2];
        for (int j = 0; j < 2; j++) {
            y[j] = make_output(11 + j, s.n_row, stride, n, rng);
            (j ? now : ref)->gemm_q4(b.n_tile, b.tile, w.n_panel, w.panels, w.colsum, bias, y[j], stride);
        }
        check_same("y", y[0], y[1], (size_t)((s.n_row - 1) * stride + n));
    }
}

/* G groups: a product, G fused sums, a product, and as many for colsum: G + 3 roundings of at most the sum of all magnitudes. */
static void q4_accuracy(const check *c, const wick_kernels *ref, const wick_kernels *now, test_rng *rng) {
    (void)c, (void)now;
    for (int i = 0; i < 200; i++) {
        const product_case s = {1 + i % 14, i < 150 ? 1 + 2 * i : 1024, 1 + test_rng_below(rng, 20)};
        const int64_t group = i % 2 ? 32 : 128, n_scale = (s.k + group - 1) / group;
        batch b;
        weights4 w;
        make_batch(&b, ref, 0, s.n_row, s.k, rng);
        make_weights4(&w, 6, s.k, group, s.n_col, rng);
        float *y = make_output(11, s.n_row, 16 * w.n_panel, 16 * w.n_panel, rng);
        ref->gemm_q4(b.n_tile, b.tile, w.n_panel, w.panels, w.colsum, NULL, y, 16 * w.n_panel);
        for (int64_t r = 0; r < s.n_row; r++)
            for (int64_t n = 0; n < 16 * w.n_panel; n++) {
                double want = 0, size = 0;
                for (int64_t k = 0; n < s.n_col && k < s.k; k++) {
                    const double weight = nibble_of(&w, n, k) * (double)wick_bf16_to_f32(w.scales[n * n_scale + k / group]);
                    want += (code_of(&b, r, k) + (double)b.neg_zero[r]) * weight;
                    size += (abs(code_of(&b, r, k)) + fabs((double)b.neg_zero[r])) * fabs(weight);
                }
                const double d = (double)b.scale[r], bound = (double)(s.k / 32 + 4) * 2 * 0x1p-24 * size * d;
                if (size * d < 0x1p+126) assert_true(fabs((double)y[r * 16 * w.n_panel + n] - want * d) <= bound + 0x1p-140);
            }
    }
}

typedef struct weights8 {
    int64_t n_panel;
    int8_t *codes; /* [n_col][k] */
    uint8_t *panels;
    float *scale;
    int32_t *wsum;
} weights8;

static void make_weights8(weights8 *w, int slot, int64_t k, int64_t n_col, test_rng *rng) {
    w->n_panel = (n_col + 15) / 16;
    w->codes = check_memory(slot, (size_t)(n_col * k), 1, rng);
    w->panels = check_memory(slot + 1, (size_t)w->n_panel * wick_q8_panel_size(k), 64, rng);
    w->scale = check_memory(slot + 2, (size_t)w->n_panel * 64, 4, rng);
    w->wsum = check_memory(slot + 3, (size_t)w->n_panel * 64, 4, rng);
    const uint32_t extreme = test_rng_below(rng, 6);
    for (int64_t i = 0; i < n_col * k; i++) w->codes[i] = extreme == 0 ? -128 : extreme == 1 ? 127 : (int8_t)test_rng_next(rng);
    check_fill_floats(w->scale, (size_t)w->n_panel * 16, FILL_SCALES, rng);
    for (int64_t p = 0; p < w->n_panel; p++) {
        const int8_t *rows[WICK_PANEL] = {0};
        for (int64_t n = 16 * p; n < 16 * p + 16 && n < n_col; n++) rows[n % 16] = w->codes + n * k;
        wick_q8_pack_panel(rows, k, w->panels + p * (int64_t)wick_q8_panel_size(k), w->wsum + 16 * p);
    }
}

static void q8_equal(const check *c, const wick_kernels *ref, const wick_kernels *now, test_rng *rng) {
    (void)c;
    for (int i = 0; i < N_CASE + 1; i++) {
        product_case s = case_of(i, rng);
        if (i == N_CASE) s = (product_case){3, 65536, 2}; /* the largest depth: sums wrap on the way */
        batch b;
        weights8 w;
        make_batch(&b, ref, 0, s.n_row, s.k, rng);
        make_weights8(&w, 6, s.k, s.n_col, rng);
        const int64_t n = 16 * w.n_panel, stride = n + test_rng_below(rng, 8);
        float *bias = i % 2 ? check_memory(10, (size_t)n * 4, 4, rng) : NULL;
        if (bias) check_fill_floats(bias, (size_t)n, FILL_RANDOM, rng);
        float *y[2];
        for (int j = 0; j < 2; j++) {
            y[j] = make_output(11 + j, s.n_row, stride, n, rng);
            (j ? now : ref)->gemm_q8(b.n_tile, b.tile, w.n_panel, w.panels, w.scale, w.wsum, bias, y[j], stride);
        }
        check_same("y", y[0], y[1], (size_t)((s.n_row - 1) * stride + n));
    }
}

/* An exact integer, its rounding and two products. */
static void q8_accuracy(const check *c, const wick_kernels *ref, const wick_kernels *now, test_rng *rng) {
    (void)c, (void)now;
    for (int i = 0; i < 200; i++) {
        const product_case s = {1 + i % 14, i < 199 ? 1 + i : 65536, 1 + test_rng_below(rng, 3)};
        batch b;
        weights8 w;
        make_batch(&b, ref, 0, s.n_row, s.k, rng);
        make_weights8(&w, 6, s.k, s.n_col, rng);
        float *y = make_output(11, s.n_row, 16 * w.n_panel, 16 * w.n_panel, rng);
        ref->gemm_q8(b.n_tile, b.tile, w.n_panel, w.panels, w.scale, w.wsum, NULL, y, 16 * w.n_panel);
        for (int64_t r = 0; r < s.n_row; r++)
            for (int64_t n = 0; n < s.n_col; n++) {
                int64_t sum = 0;
                for (int64_t k = 0; k < s.k; k++) sum += (code_of(&b, r, k) + (int)b.neg_zero[r]) * w.codes[n * s.k + k];
                const double want = (double)sum * (double)b.scale[r] * (double)w.scale[n];
                if (isfinite(b.scale[r]) && fabs(want) < 0x1p+126)
                    assert_true(fabs((double)y[r * 16 * w.n_panel + n] - want) <= 4 * 0x1p-24 * fabs(want) + 0x1p-120);
            }
    }
}

/* ---------------------------------------------------------------- float weights */

static size_t element_size(const check *c) { return c->field == offsetof(wick_kernels, gemm_f32) ? 4 : 2; }
static double element(const check *c, const void *p, int64_t i) {
    if (c->field == offsetof(wick_kernels, gemm_f32)) return (double)((const float *)p)[i];
    const uint16_t h = ((const uint16_t *)p)[i];
    return (double)(c->field == offsetof(wick_kernels, gemm_f16) ? wick_f16_to_f32(h) : wick_bf16_to_f32(h));
}

/* [n_col][k] elements in slot, packed into slot + 1. */
static void *make_float_weights(const check *c, int slot, int64_t k, int64_t n_col, check_fill fill, void **panels, test_rng *rng) {
    const size_t size = element_size(c), row_size = (size_t)k * size;
    uint8_t *w = check_memory(slot, (size_t)n_col * row_size, size, rng);
    *panels = check_memory(slot + 1, (size_t)(n_col + 15) / 16 * wick_float_panel_size(k, size), 64, rng);
    for (int64_t i = 0; i < n_col * k; i++) {
        float v;
        check_fill_floats(&v, 1, fill, rng);
        if (size == 4)
            ((float *)(void *)w)[i] = v;
        else
            ((uint16_t *)(void *)w)[i] = c->field == offsetof(wick_kernels, gemm_f16) ? wick_f32_to_f16(v) : wick_f32_to_bf16(v);
    }
    for (int64_t p = 0; p < (n_col + 15) / 16; p++) {
        const void *rows[WICK_PANEL] = {0};
        for (int64_t n = 16 * p; n < 16 * p + 16 && n < n_col; n++) rows[n % 16] = w + (size_t)n * row_size;
        wick_float_pack_panel(rows, k, size, size, (uint8_t *)*panels + (size_t)p * wick_float_panel_size(k, size));
    }
    return w;
}

static void float_equal(const check *c, const wick_kernels *ref, const wick_kernels *now, test_rng *rng) {
    for (int i = 0; i < N_CASE; i++) {
        const product_case s = case_of(i, rng);
        const int64_t n = (s.n_col + 15) / 16 * 16, stride = n + test_rng_below(rng, 8), x_stride = s.k + test_rng_below(rng, 3);
        void *panels;
        make_float_weights(c, 0, s.k, s.n_col, i % 10 == 0 ? check_any_fill(rng) : FILL_RANDOM, &panels, rng);
        float *x = check_memory(2, (size_t)((s.n_row - 1) * x_stride + s.k) * 4, 4, rng);
        check_fill_floats(x, (size_t)((s.n_row - 1) * x_stride + s.k), i % 10 == 0 ? check_any_fill(rng) : FILL_RANDOM, rng);
        float *bias = i % 2 ? check_memory(3, (size_t)n * 4, 4, rng) : NULL, *y[2];
        if (bias) check_fill_floats(bias, (size_t)n, FILL_RANDOM, rng);
        for (int j = 0; j < 2; j++) {
            y[j] = make_output(4 + j, s.n_row, stride, n, rng);
            KERNEL(j ? now : ref, c, wick_gemm_float_fn)(s.n_row, s.k, x, x_stride, n / 16, panels, bias, y[j], stride);
        }
        check_same("y", y[0], y[1], (size_t)((s.n_row - 1) * stride + n));
    }
}

/* K fused sums: K roundings of at most the sum of all magnitudes. */
static void float_accuracy(const check *c, const wick_kernels *ref, const wick_kernels *now, test_rng *rng) {
    (void)now;
    for (int i = 0; i < 100; i++) {
        const int64_t k = 1 + 3 * i, n_row = 1 + i % 5, n_col = 1 + test_rng_below(rng, 20), n = (n_col + 15) / 16 * 16;
        void *panels, *w = make_float_weights(c, 0, k, n_col, FILL_RANDOM, &panels, rng);
        float *x = check_memory(2, (size_t)(n_row * k) * 4, 4, rng), *y = make_output(4, n_row, n, n, rng);
        check_fill_floats(x, (size_t)(n_row * k), FILL_SCALES, rng);
        KERNEL(ref, c, wick_gemm_float_fn)(n_row, k, x, k, n / 16, panels, NULL, y, n);
        for (int64_t r = 0; r < n_row; r++)
            for (int64_t col = 0; col < n; col++) {
                double want = 0, size = 0;
                for (int64_t j = 0; col < n_col && j < k; j++) {
                    const double term = (double)x[r * k + j] * element(c, w, col * k + j);
                    want += term;
                    size += fabs(term);
                }
                assert_true(fabs((double)y[r * n + col] - want) <= (double)k * 0x1p-24 * size + 0x1p-140);
            }
    }
}

/* ---------------------------------------------------------------- the list */

const check check_gemm_list[] = {
    CHECK(quantize_row, quantize_equal, quantize_accuracy),
    CHECK(gemm_q4, q4_equal, q4_accuracy),
    CHECK(gemm_q8, q8_equal, q8_accuracy),
    CHECK(gemm_f32, float_equal, float_accuracy),
    CHECK(gemm_f16, float_equal, float_accuracy),
    CHECK(gemm_bf16, float_equal, float_accuracy),
    {0},
};
