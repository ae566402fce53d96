/* kernel_math.h against double: the error of every function over its range, and its edges. The bounds are in units of the last
 * place and were found by the sum of the roundings of each function's sequence; they are not fitted to what it gives. */
#include "kernels/kernel_math.h"
#include "support/support.h"

/* |got - want| in units of 2^-24 of the larger of |want| and `floor` (the smallest magnitude that counts). */
static double ulps(double got, double want, double floor) {
    double scale = fabs(want) > floor ? fabs(want) : floor;
    return fabs(got - want) / scale * 0x1p24;
}

/* Every `step`-th float bit pattern from `from` to `to` (same sign): worst error of f against g. */
static double worst(float (*f)(float), double (*g)(double), float from, float to, uint32_t step, double floor) {
    double bad = 0;
    uint32_t a = wick_bits_from_f32(from), b = wick_bits_from_f32(to);
    for (uint64_t u = a; u <= b; u += step) {
        float x = wick_f32_from_bits((uint32_t)u);
        double e = ulps((double)f(x), g((double)x), floor);
        if (!(e <= bad)) bad = e;
    }
    return bad;
}

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double silu(double x) { return x / (1 + exp(-x)); }
static double gelu(double x) { return 0.5 * x * erfc(-x / sqrt(2)); }
static double gelu_tanh(double x) { return 0.5 * x * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x))); }

enum { STEP = 4001 }; /* about a million floats per range */

static void test_exp(void **state) {
    (void)state;
    /* the last fma rounds once (1 in these units), the rest adds at most 0.35 of 2 roundings, the polynomial 0.05 */
    assert_true(worst(wick_exp, exp, 0.0f, 88.3f, STEP, 0) < 2);
    assert_true(worst(wick_exp, exp, -0.0f, -87.2f, STEP, 0) < 2);
    assert_true(wick_exp(0.0f) == 1.0f && wick_exp(-0.0f) == 1.0f);
    assert_true(wick_exp(-INFINITY) == 0.0f && wick_exp(-1e30f) == 0.0f);
    assert_true(wick_exp(INFINITY) == INFINITY && wick_exp(1e30f) == INFINITY);
    assert_true(isnan(wick_exp(NAN)));
}

static void test_activations(void **state) {
    (void)state;
    /* sigmoid, silu: exp (2), a sum (1, of which exp's part is at most all), a division (1) */
    assert_true(worst(wick_sigmoid, sigmoid, 0.0f, 80.0f, STEP, 0) < 4);
    assert_true(worst(wick_sigmoid, sigmoid, -0.0f, -80.0f, STEP, 0) < 4);
    assert_true(worst(wick_silu, silu, 0.0f, 80.0f, STEP, 0x1p-120) < 4);
    assert_true(worst(wick_silu, silu, -0.0f, -80.0f, STEP, 0x1p-120) < 4);
    /* an argument u of exp that carries 3 roundings costs 3 |u| more: |u| <= 20 for |x| <= 5 */
    assert_true(worst(wick_gelu_tanh, gelu_tanh, 0.0f, 50.0f, STEP, 0x1p-120) < 8);
    assert_true(worst(wick_gelu_tanh, gelu_tanh, -0.0f, -4.0f, STEP, 0x1p-120) < 4 + 3 * 12);
    /* exp(-t^2): t carries 1.5 roundings, t^2 another: 4 t^2 <= 4 * 8 for |x| <= 4; s P(s) about 8 */
    assert_true(worst(wick_gelu, gelu, 0.0f, 50.0f, STEP, 0x1p-120) < 16);
    assert_true(worst(wick_gelu, gelu, -0.0f, -4.0f, STEP, 0x1p-120) < 16 + 32);
    assert_true(wick_gelu(30.0f) == 30.0f && wick_gelu(-30.0f) == 0.0f && wick_silu(100.0f) == 100.0f);
    /* below the split u x p is a third of x at most and carries few roundings; above, 1 - 2 / (e + 1) is at least 0.55 */
    assert_true(worst(wick_tanh, tanh, 0x1p-60f, 90.0f, STEP, 0) < 4);
    assert_true(worst(wick_tanh, tanh, -0x1p-60f, -90.0f, STEP, 0) < 4);
    assert_true(wick_tanh(INFINITY) == 1.0f && wick_tanh(-INFINITY) == -1.0f);
}

/* The quantizer's parameters: zero is exactly representable, and the codes of the range's ends are in range. */
static void test_quant_row(void **state) {
    (void)state;
    test_rng rng = {7};
    for (int i = 0; i < 100000; i++) {
        float a = test_rng_float(&rng) * ldexpf(1, (int)test_rng_below(&rng, 60) - 30), b = test_rng_float(&rng);
        float lo = fminf(0, fminf(a, b)), hi = fmaxf(0, fmaxf(a, b));
        wick_quant_row q = wick_quant_row_of(lo, hi);
        assert_true(q.zero == rintf(q.zero) && q.zero >= -128 && q.zero <= 127);
        assert_int_equal(wick_quant_code(0, &q), (int)q.zero);
        /* rounding of the zero point moves the ends by half a code at most; scale and products by less than one more half */
        assert_true(wick_quant_code(lo, &q) <= -127 && wick_quant_code(hi, &q) >= 126);
    }
    wick_quant_row q = wick_quant_row_of(0, 0);
    assert_true(q.s == 1 && wick_quant_code(0, &q) == (int)q.zero);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_exp), cmocka_unit_test(test_activations), cmocka_unit_test(test_quant_row)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
