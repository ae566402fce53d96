/* Checks of the kernels over one row. */
#include "base/half.h"
#include "check_kernels.h"

#include <math.h>

/* Lengths: all up to 300, then a few large ones. */
enum { N_LENGTH = 306 };
static int64_t length_of(int i) {
    static const int64_t large[] = {576, 1000, 1536, 2048, 4095, 8192};
    return i < 300 ? i + 1 : large[i - 300];
}

/* Calls f(n, fill) for every length with random numbers and, every tenth, with each hostile fill. */
#define FOR_LENGTHS(n, fill)                                                                                                               \
    for (int i_ = 0; i_ < N_LENGTH; i_++)                                                                                                  \
        for (check_fill fill = 0; fill < (i_ % 10 ? 2 : N_FILL); fill++)                                                                   \
            for (int64_t n = length_of(i_), once_ = 1; once_; once_ = 0)

static float *row(int slot, int64_t n, check_fill fill, test_rng *rng) {
    float *x = check_memory(slot, (size_t)n * 4, 4, rng);
    check_fill_floats(x, (size_t)n, fill, rng);
    return x;
}

static double sum_squares(const float *x, int64_t n, double mean) {
    double s = 0;
    for (int64_t i = 0; i < n; i++) s += ((double)x[i] - mean) * ((double)x[i] - mean);
    return s;
}

/* ---------------------------------------------------------------- norms */

static void rmsnorm_equal(const check *c, const wick_kernels *ref, const wick_kernels *now, test_rng *rng) {
    (void)c;
    FOR_LENGTHS(n, fill) {
        float *x = row(0, n, fill, rng), *w = row(1, n, FILL_RANDOM, rng), *want = row(2, n, FILL_ZERO, rng),
              *y = row(3, n, FILL_ZERO, rng);
        if (n % 5 == 0) w = NULL;
        const float offset = n % 3 ? 0.0f : 1.0f;
        ref->rmsnorm(x, w, offset, 1e-5f, n, want);
        now->rmsnorm(x, w, offset, 1e-5f, n, y);
        check_same("y", want, y, (size_t)n);
        now->rmsnorm(x, w, offset, 1e-5f, n, x);
        check_same("y in place", want, x, (size_t)n);
    }
}

/* The sum: n / 16 + 4 roundings of positive terms, halved by the root; then a division, two sums, a root and two products. */
static void rmsnorm_accuracy(const check *c, const wick_kernels *ref, const wick_kernels *now, test_rng *rng) {
    (void)c, (void)now;
    for (int i = 0; i < N_LENGTH; i++) {
        const int64_t n = length_of(i);
        float *x = row(0, n, FILL_SCALES, rng), *w = row(1, n, FILL_RANDOM, rng), *y = row(2, n, FILL_ZERO, rng);
        ref->rmsnorm(x, w, 0, 1e-5f, n, y);
        const double r = 1 / sqrt(sum_squares(x, n, 0) / (double)n + (double)1e-5f);
        for (int64_t j = 0; j < n; j++) {
            const double want = (double)x[j] * r * (double)w[j];
            assert_true(fabs((double)y[j] - want) <= ((double)n / 16 + 12) * 0x1p-24 * fabs(want) + 0x1p-140);
        }
    }
}

static void layernorm_equal(const check *c, const wick_kernels *ref, const wick_kernels *now, test_rng *rng) {
    (void)c;
    FOR_LENGTHS(n, fill) {
        float *x = row(0, n, fill, rng), *w = row(1, n, FILL_RANDOM, rng), *b = row(2, n, FILL_RANDOM, rng);
        float *want = row(3, n, FILL_ZERO, rng), *y = row(4, n, FILL_ZERO, rng);
        if (n % 5 == 0) w = NULL;
        if (n % 3 == 0) b = NULL;
        ref->layernorm(x, w, b, 1e-5f, n, want);
        now->layernorm(x, w, b, 1e-5f, n, y);
        check_same("y", want, y, (size_t)n);
        now->layernorm(x, w, b, 1e-5f, n, x);
        check_same("y in place", want, x, (size_t)n);
    }
}

/* The mean is off by (n / 16 + 5) roundings of mean |x|, which every difference and the variance inherit. */
static void layernorm_accuracy(const check *c, const wick_kernels *ref, const wick_kernels *now, test_rng *rng) {
    (void)c, (void)now;
    for (int i = 0; i < N_LENGTH; i++) {
        const int64_t n = length_of(i);
        float *x = row(0, n, FILL_RANDOM, rng), *y = row(1, n, FILL_ZERO, rng);
        ref->layernorm(x, NULL, NULL, 1e-5f, n, y);
        double mean = 0, size = 0;
        for (int64_t j = 0; j < n; j++) mean += (double)x[j] / (double)n, size += fabs((double)x[j]) / (double)n;
        const double r = 1 / sqrt(sum_squares(x, n, mean) / (double)n + (double)1e-5f);
        const double off_mean = ((double)n / 16 + 5) * 0x1p-24 * size;
        for (int64_t j = 0; j < n; j++) {
            const double want = ((double)x[j] - mean) * r;
            const double bound = ((double)n / 16 + 12) * 0x1p-24 * fabs(want) + off_mean * r * (1 + 2 * fabs(want) * off_mean * r);
            assert_true(fabs((double)y[j] - want) <= bound + 0x1p-24 * fabs(want));
        }
    }
}

/* ---------------------------------------------------------------- elementwise: their accuracy is test_kernel_math's */

static void binary_equal(const check *c, const wick_kernels *ref, const wick_kernels *now, test_rng *rng) {
    FOR_LENGTHS(n, fill) {
        float *a = row(0, n, fill, rng), *b = row(1, n, fill, rng), *want = row(2, n, FILL_ZERO, rng), *y = row(3, n, FILL_ZERO, rng);
        KERNEL(ref, c, wick_binary_fn)(a, b, n, want);
        KERNEL(now, c, wick_binary_fn)(a, b, n, y);
        check_same("y", want, y, (size_t)n);
        KERNEL(now, c, wick_binary_fn)(a, b, n, n % 2 ? a : b);
        check_same("y in place", want, n % 2 ? a : b, (size_t)n);
    }
}

/* Numbers where activations change their form: around 0, the splits of exp and tanh, the saturated ends. */
static void fill_arguments(float *x, int64_t n, test_rng *rng) {
    static const float at[] = {0, 0.625f, 1, 5, 20, 87.3f, 88.37f, 100, 1e10f};
    for (int64_t i = 0; i < n; i++) {
        const float a = at[test_rng_below(rng, 9)] * (test_rng_below(rng, 2) ? 1.0f : -1.0f);
        x[i] = a * (1 + test_rng_float(rng) * 0x1p-20f) + test_rng_float(rng) * (float)test_rng_below(rng, 2);
    }
}

static void glu_equal(const check *c, const wick_kernels *ref, const wick_kernels *now, test_rng *rng) {
    FOR_LENGTHS(n, fill) {
        float *a = row(0, n, fill, rng), *b = row(1, n, fill, rng), *want = row(2, n, FILL_ZERO, rng), *y = row(3, n, FILL_ZERO, rng);
        if (fill == FILL_SCALES) fill_arguments(a, n, rng);
        KERNEL(ref, c, wick_glu_fn)(a, b, n, want);
        KERNEL(now, c, wick_glu_fn)(a, b, n, y);
        check_same("y", want, y, (size_t)n);
        KERNEL(now, c, wick_glu_fn)(a, b, n, n % 2 ? a : b);
        check_same("y in place", want, n % 2 ? a : b, (size_t)n);
    }
}

static void unary_equal(const check *c, const wick_kernels *ref, const wick_kernels *now, test_rng *rng) {
    FOR_LENGTHS(n, fill) {
        float *x = row(0, n, fill, rng), *want = row(1, n, FILL_ZERO, rng), *y = row(2, n, FILL_ZERO, rng);
        if (fill == FILL_SCALES) fill_arguments(x, n, rng);
        KERNEL(ref, c, wick_unary_fn)(x, n, want);
        KERNEL(now, c, wick_unary_fn)(x, n, y);
        check_same("y", want, y, (size_t)n);
        KERNEL(now, c, wick_unary_fn)(x, n, x);
        check_same("y in place", want, x, (size_t)n);
    }
}

/* ---------------------------------------------------------------- rope */

static void rope_equal(const check *c, const wick_kernels *ref, const wick_kernels *now, test_rng *rng) {
    for (int64_t d = 8; d <= 256; d += 8)
        for (check_fill fill = 0; fill < N_FILL; fill++) {
            const int64_t n_head = 1 + test_rng_below(rng, 4), n_rotary = 2 + 2 * test_rng_below(rng, (uint32_t)d / 2);
            float *cos_row = row(0, n_rotary / 2, FILL_RANDOM, rng), *sin_row = row(1, n_rotary / 2, FILL_RANDOM, rng);
            float *want = row(2, n_head * d, fill, rng), *y = check_memory(3, (size_t)(n_head * d) * 4, 4, rng);
            memcpy(y, want, (size_t)(n_head * d) * 4);
            KERNEL(ref, c, wick_rope_fn)(want, n_head, d, n_rotary, cos_row, sin_row);
            KERNEL(now, c, wick_rope_fn)(y, n_head, d, n_rotary, cos_row, sin_row);
            check_same("y", want, y, (size_t)(n_head * d));
        }
}

/* Two products and a sum, against the lanes that belong together in either style; lanes beyond n_rotary stay. */
static void rope_accuracy(const check *c, const wick_kernels *ref, const wick_kernels *now, test_rng *rng) {
    (void)now;
    const bool half = c->field == offsetof(wick_kernels, rope_half);
    float x[64], y[64], cos_row[24], sin_row[24];
    check_fill_floats(x, 64, FILL_SCALES, rng);
    memcpy(y, x, sizeof y);
    for (int i = 0; i < 24; i++) cos_row[i] = cosf((float)i), sin_row[i] = sinf((float)i);
    KERNEL(ref, c, wick_rope_fn)(y, 1, 64, 48, cos_row, sin_row);
    for (int i = 0; i < 24; i++) {
        const int a = half ? i : 2 * i, b = half ? i + 24 : 2 * i + 1;
        const double turn_a = (double)x[a] * (double)cos_row[i] - (double)x[b] * (double)sin_row[i];
        const double turn_b = (double)x[b] * (double)cos_row[i] + (double)x[a] * (double)sin_row[i];
        const double bound = 2 * 0x1p-24 * (fabs((double)x[a]) + fabs((double)x[b]));
        assert_true(fabs((double)y[a] - turn_a) <= bound && fabs((double)y[b] - turn_b) <= bound);
    }
    for (int i = 48; i < 64; i++) assert_true(y[i] == x[i]);
}

/* ---------------------------------------------------------------- embedding rows */

static void dequant_equal(const check *c, const wick_kernels *ref, const wick_kernels *now, test_rng *rng) {
    const bool nibbles = c->field == offsetof(wick_kernels, dequant_row4);
    for (int i = 0; i < N_LENGTH; i++) {
        const int64_t n = nibbles ? (length_of(i) + 1) / 2 * 2 : length_of(i), size = nibbles ? n / 2 : n;
        uint8_t *codes = check_memory(0, (size_t)size, 1, rng);
        for (int64_t j = 0; j < size; j++) codes[j] = (uint8_t)test_rng_next(rng);
        float *want = row(1, n, FILL_ZERO, rng), *y = row(2, n, FILL_ZERO, rng);
        const float scale = test_rng_float(rng);
        if (nibbles) {
            ref->dequant_row4(codes, scale, n, want);
            now->dequant_row4(codes, scale, n, y);
            for (int64_t j = 0; j < n; j++) assert_true(want[j] == (float)((j % 2 ? codes[j / 2] & 15 : codes[j / 2] >> 4) - 8) * scale);
        } else {
            ref->dequant_row((const int8_t *)codes, scale, n, want);
            now->dequant_row((const int8_t *)codes, scale, n, y);
        }
        check_same("y", want, y, (size_t)n);
    }
}

/* All 65536 halves, in rows of every length. */
static void widen_equal(const check *c, const wick_kernels *ref, const wick_kernels *now, test_rng *rng) {
    for (int64_t begin = 0, n = 1; begin < 65536; begin += n, n = n % 300 + 1) {
        if (n > 65536 - begin) n = 65536 - begin;
        uint16_t *h = check_memory(0, (size_t)n * 2, 2, rng);
        for (int64_t j = 0; j < n; j++) h[j] = (uint16_t)(begin + j);
        float *want = row(1, n, FILL_ZERO, rng), *y = row(2, n, FILL_ZERO, rng);
        KERNEL(ref, c, wick_widen_fn)(h, n, want);
        KERNEL(now, c, wick_widen_fn)(h, n, y);
        check_same("y", want, y, (size_t)n);
    }
}

/* ---------------------------------------------------------------- the list */

const check check_rows_list[] = {
    CHECK(rmsnorm, rmsnorm_equal, rmsnorm_accuracy),
    CHECK(layernorm, layernorm_equal, layernorm_accuracy),
    CHECK(add, binary_equal, NULL),
    CHECK(mul, binary_equal, NULL),
    CHECK(silu_glu, glu_equal, NULL),
    CHECK(gelu_glu, glu_equal, NULL),
    CHECK(gelu_tanh_glu, glu_equal, NULL),
    CHECK(silu, unary_equal, NULL),
    CHECK(gelu, unary_equal, NULL),
    CHECK(gelu_tanh, unary_equal, NULL),
    CHECK(sigmoid, unary_equal, NULL),
    CHECK(tanh, unary_equal, NULL),
    CHECK(relu, unary_equal, NULL),
    CHECK(rope_half, rope_equal, rope_accuracy),
    CHECK(rope_interleaved, rope_equal, rope_accuracy),
    CHECK(dequant_row, dequant_equal, NULL),
    CHECK(dequant_row4, dequant_equal, NULL),
    CHECK(widen_f16, widen_equal, NULL),
    CHECK(widen_bf16, widen_equal, NULL),
    {0},
};
