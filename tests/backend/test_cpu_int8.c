/* Rows rounded to int8 in the backend are, bit for bit, what the vm's operators leave of them: parameters chosen, quantized, dequantized.
 */
#include "backend/cpu/cpu_state.h"
#include "support/vm_case.h"

#include <math.h>

enum { N_ROW = 64, MAX_D = 128 };

static int32_t tensor(vm_case *c, int type, int32_t width, const void *bytes, size_t size) {
    int32_t dims[2] = {N_ROW, width}, id = vm_case_tensor(c, type, 2, dims);
    if (!bytes) return id;
    c->content[id] = malloc(size);
    assert_non_null(c->content[id]);
    memcpy(c->content[id], bytes, size);
    return id;
}

/* Runs the operator and copies the results out. */
static void run(vm_case *c, const char *name, int n_out, const int32_t *outs, void *const *bytes, const size_t *sizes) {
    snprintf(c->name, sizeof c->name, "quantized_decomposed::%s.out", name);
    assert_ok(vm_case_run(c, err));
    for (int i = 0; i < n_out; i++) {
        wick_vm_tensor t;
        assert_ok(wick_vm_value(c->vm, outs[i], &t, err));
        memcpy(bytes[i], t.data, sizes[i]);
    }
    vm_case_release(c);
}

static void by_operators(const float *x, int32_t d, float *y) {
    static double scale[N_ROW];
    static int64_t zero[N_ROW];
    static int8_t codes[N_ROW * MAX_D];
    size_t n = (size_t)N_ROW * (size_t)d;
    vm_case choose = {0}, quantize = {0}, dequantize = {0};

    vm_case_arg(&choose, tensor(&choose, WICK_ST_FLOAT, d, x, n * sizeof *x));
    vm_case_arg(&choose, vm_case_int(&choose, WICK_ST_CHAR));
    int32_t made[2] = {tensor(&choose, WICK_ST_DOUBLE, 1, NULL, 0), tensor(&choose, WICK_ST_LONG, 1, NULL, 0)};
    for (int i = 0; i < 2; i++) vm_case_arg(&choose, made[i]);
    vm_case_arg(&choose, vm_case_tensors(&choose, 2, made));
    run(&choose, "choose_qparams_per_token_asymmetric", 2, made, (void *[]){scale, zero}, (size_t[]){sizeof scale, sizeof zero});

    for (int back = 0; back < 2; back++) {
        vm_case *c = back ? &dequantize : &quantize;
        const void *from = back ? (const void *)codes : x;
        vm_case_arg(c, tensor(c, back ? WICK_ST_CHAR : WICK_ST_FLOAT, d, from, n * (back ? 1 : sizeof *x)));
        vm_case_arg(c, tensor(c, WICK_ST_DOUBLE, 1, scale, sizeof scale));
        vm_case_arg(c, tensor(c, WICK_ST_LONG, 1, zero, sizeof zero));
        vm_case_arg(c, vm_case_int(c, -128));
        vm_case_arg(c, vm_case_int(c, 127));
        vm_case_arg(c, vm_case_int(c, WICK_ST_CHAR));
        if (back) vm_case_arg(c, vm_case_int(c, WICK_ST_FLOAT));
        int32_t out = tensor(c, back ? WICK_ST_FLOAT : WICK_ST_CHAR, d, NULL, 0);
        for (int i = 0; i < 2; i++) vm_case_arg(c, out);
        run(c, back ? "dequantize_per_token" : "quantize_per_token", 1, &out, (void *[]){back ? (void *)y : codes},
            (size_t[]){n * (back ? sizeof *y : 1)});
    }
}

/* Rows of every size, of one sign, of zeros, of one number, and so small that the scale is cut off. */
static float element(test_rng *rng, int row, float size) {
    float u = test_rng_float(rng);
    switch (row % 8) {
    case 0: return size * fabsf(u);
    case 1: return -size * fabsf(u);
    case 2: return row == 2 ? 0 : size;
    case 3: return size * u * u * u;
    case 4: return size * (u + 0.9f);
    default: return size * u;
    }
}

static void same_bits(void **state) {
    (void)state;
    static const int32_t widths[] = {1, 8, 24, 64, MAX_D};
    static float x[N_ROW * MAX_D], y[N_ROW * MAX_D], want[N_ROW * MAX_D];
    test_rng rng = {3};
    for (size_t k = 0; k < sizeof widths / sizeof *widths; k++) {
        int32_t d = widths[k];
        for (int r = 0; r < N_ROW; r++) {
            float size = ldexpf(1, 20 - r); /* down to where fp32 scales vanish */
            for (int i = 0; i < d; i++) x[r * d + i] = element(&rng, r, size);
        }
        by_operators(x, d, want);
        for (int r = 0; r < N_ROW; r++) cpu_round_int8(x + r * d, d, y + r * d);
        for (int i = 0; i < N_ROW * d; i++)
            if (y[i] != want[i]) fail_msg("width %d, row %d: %.9g became %.9g, not %.9g", d, i / d, x[i], y[i], want[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_bits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
