/* The quantizer against what ExecuTorch's exporter wrote for the same weights, and against its own definition. */
#include "support/support.h"

#include "base/half.h"
#include "base/mem.h"
#include "base/pool.h"
#include "export/hqq.h"
#include "export/quantize.h"

#include <math.h>
#include <sodium.h>

#define STORIES WICK_TEST_DATA "/../../examples/models/stories260K/stories260K.bin"

static void hash_source(const wick_source *s, char hex[65]) {
    void *bytes = malloc((size_t)s->size);
    uint8_t digest[32];
    assert_ok(s->read(s->user, bytes, err));
    crypto_hash_sha256(digest, bytes, s->size);
    sodium_bin2hex(hex, 65, digest, 32);
    free(bytes);
}

/* Every line of the list is a tensor, a scheme and the hashes that stock's files have for its codes and scales. */
static void test_same_bytes_as_stock(void **state) {
    (void)state;
    wick_container *c;
    wick_quantizer *z;
    assert_ok(wick_container_open(STORIES, &c, err));
    assert_ok(wick_quantizer_new(WICK_DTYPE_KEEP, NULL, &z, err));
    size_t size;
    char *text = (char *)test_read(test_data("quantize/stories260K_hqq.txt"), &size), *line = text;
    int n = 0;
    for (; *line; line = strchr(line, '\n') + 1, n++) {
        char name[64], packing[8], scale[8], codes_hash[65], scales_hash[65], hex[65];
        wick_scheme scheme = {.kind = WICK_SCHEME_INT};
        long long group;
        assert_int_equal(
            sscanf(line, "%63s %d %lld %7s %7s %64s %64s", name, &scheme.bits, &group, packing, scale, codes_hash, scales_hash), 7);
        scheme.group = group;
        scheme.packing = packing[0] == 'l' ? WICK_PACK_LOW_FIRST : packing[0] == 'h' ? WICK_PACK_HIGH_FIRST : WICK_PACK_BYTE;
        scheme.scale_dtype = scale[0] == 'b' ? WICK_BF16 : WICK_F32;
        const wick_tensor *t = wick_container_find(c, name);
        assert_non_null(t);
        wick_weight w = {.tensor = t, .n_row = t->dims[0], .n_col = t->dims[1]};
        wick_part part;
        assert_ok(wick_quantizer_part(z, &w, scheme, false, &part, err));
        hash_source(&part.data, hex);
        assert_string_equal(hex, codes_hash);
        hash_source(&part.scales, hex); /* kept from the codes */
        assert_string_equal(hex, scales_hash);
        hash_source(&part.scales, hex); /* made again */
        assert_string_equal(hex, scales_hash);
    }
    assert_int_equal(n, 33);
    free(text);
    wick_quantizer_free(z);
    wick_container_close(c);
}

/* ---------------------------------------------------------------- tensors made here */

static wick_tensor tensor_of(const char *name, wick_tensor_type type, const void *data, int64_t rows, int64_t cols) {
    uint64_t element = type == WICK_TENSOR_F32 ? 4 : 2;
    return (wick_tensor){
        .name = name, .type = type, .rank = 2, .dims = {rows, cols}, .data = data, .size = element * (uint64_t)(rows * cols)};
}

static wick_weight weight_of(const wick_tensor *t) { return (wick_weight){.tensor = t, .n_row = t->dims[0], .n_col = t->dims[1]}; }

static void read_part(wick_export_dtype dtype, const wick_weight *w, wick_scheme scheme, bool transposed, void *data, void *scales) {
    wick_quantizer *z;
    wick_part part;
    assert_ok(wick_quantizer_new(dtype, NULL, &z, err));
    assert_ok(wick_quantizer_part(z, w, scheme, transposed, &part, err));
    assert_ok(part.data.read(part.data.user, data, err));
    if (scales) assert_ok(part.scales.read(part.scales.user, scales, err));
    wick_quantizer_free(z);
}

/* Sizes that stories260K does not have, against an independent implementation of the same definition: long rows whose sums
 * cascade, rows with a tail, rows of zeros, groups that never stand still, weights below the smallest scale. */
static void test_many_shapes(void **state) {
    (void)state;
    size_t size;
    char *text = (char *)test_read(test_data("quantize/seeded_hqq.txt"), &size);
    for (char *line = text; *line; line = strchr(line, '\n') + 1) {
        char packing[8], scale[8], codes_hash[65], scales_hash[65], hex[65];
        long long seed, n, k, group;
        wick_scheme scheme = {.kind = WICK_SCHEME_INT};
        assert_int_equal(sscanf(line, "%lld %lld %lld %lld %d %7s %7s %64s %64s", &seed, &n, &k, &group, &scheme.bits, packing, scale,
                                codes_hash, scales_hash),
                         9);
        scheme.group = group;
        scheme.packing = packing[0] == 'l' ? WICK_PACK_LOW_FIRST : packing[0] == 'h' ? WICK_PACK_HIGH_FIRST : WICK_PACK_BYTE;
        scheme.scale_dtype = scale[0] == 'b' ? WICK_BF16 : WICK_F32;
        float *x = malloc((size_t)(n * k) * 4);
        test_rng rng = {(uint64_t)seed};
        for (long long i = 0; i < n * k; i++) x[i] = test_rng_float(&rng);
        for (long long i = 0; i < k; i++) {
            x[i] *= 0x1p-40f;
            if (n > 3) x[k + i] = 0;
            x[(n - 1) * k + i] *= 1e4f;
        }
        x[n * k - 1] = 3e4f;
        wick_tensor t = tensor_of("t", WICK_TENSOR_F32, x, n, k);
        wick_weight w = weight_of(&t);
        wick_quantizer *z;
        wick_part part;
        assert_ok(wick_quantizer_new(WICK_DTYPE_KEEP, NULL, &z, err));
        assert_ok(wick_quantizer_part(z, &w, scheme, false, &part, err));
        hash_source(&part.data, hex);
        if (strcmp(hex, codes_hash)) fail_msg("codes of case %lld differ", seed);
        hash_source(&part.scales, hex);
        if (strcmp(hex, scales_hash)) fail_msg("scales of case %lld differ", seed);
        wick_quantizer_free(z);
        free(x);
    }
    free(text);
}

/* Rows of neighbouring pairs come out as halves; rows, transposition and rounding do what they say. */
static void test_plain(void **state) {
    (void)state;
    enum { D = 6, PAIRS = 4, HEADS = 2, ROWS = D * HEADS, COLS = 3 };
    float x[ROWS * COLS], y[ROWS * COLS];
    for (int i = 0; i < ROWS * COLS; i++) x[i] = (float)i + 1 / 512.0f;
    wick_tensor t = tensor_of("t", WICK_TENSOR_F32, x, ROWS, COLS);
    wick_weight w = weight_of(&t);
    w.d_pair = D, w.n_pair = PAIRS;
    static const int from[D] = {0, 2, 1, 3, 4, 5}; /* of the first four lanes the even ones, then the odd ones; the rest stays */
    read_part(WICK_DTYPE_KEEP, &w, wick_scheme_fp32(), false, y, NULL);
    for (int i = 0; i < ROWS; i++)
        for (int k = 0; k < COLS; k++) assert_true(y[i * COLS + k] == x[(i / D * D + from[i % D]) * COLS + k]);
    read_part(WICK_DTYPE_KEEP, &w, wick_scheme_fp32(), true, y, NULL);
    for (int i = 0; i < ROWS; i++)
        for (int k = 0; k < COLS; k++) assert_true(y[k * ROWS + i] == x[(i / D * D + from[i % D]) * COLS + k]);
    w = (wick_weight){.tensor = &t, .row = 5, .n_row = 2, .n_col = COLS};
    read_part(WICK_DTYPE_BF16, &w, wick_scheme_fp32(), false, y, NULL);
    for (int i = 0; i < 2 * COLS; i++) assert_true(y[i] == wick_bf16_to_f32(wick_f32_to_bf16(x[5 * COLS + i])) && y[i] != x[5 * COLS + i]);
    read_part(WICK_DTYPE_FP16, &w, wick_scheme_fp32(), false, y, NULL);
    for (int i = 0; i < 2 * COLS; i++) assert_true(y[i] == wick_f16_to_f32(wick_f32_to_f16(x[5 * COLS + i])));
}

/* A bf16 checkpoint and an fp32 one rounded to bf16 are the same checkpoint, and their scales are bf16 numbers. */
static void test_bf16(void **state) {
    (void)state;
    enum { ROWS = 24, COLS = 64 };
    float x[ROWS * COLS], scales[2][ROWS];
    uint16_t h[ROWS * COLS];
    int8_t codes[2][ROWS * COLS];
    test_rng rng = {3};
    for (int i = 0; i < ROWS * COLS; i++) x[i] = test_rng_float(&rng), h[i] = wick_f32_to_bf16(x[i]);
    wick_tensor t[2] = {tensor_of("t", WICK_TENSOR_F32, x, ROWS, COLS), tensor_of("t", WICK_TENSOR_BF16, h, ROWS, COLS)};
    for (int i = 0; i < 2; i++) {
        wick_weight w = weight_of(&t[i]);
        read_part(i ? WICK_DTYPE_KEEP : WICK_DTYPE_BF16, &w, wick_scheme_embedding8(0), false, codes[i], scales[i]);
    }
    assert_memory_equal(codes[0], codes[1], sizeof codes[0]);
    assert_memory_equal(scales[0], scales[1], sizeof scales[0]);
    for (int i = 0; i < ROWS; i++) assert_int_equal(wick_bits_from_f32(scales[0][i]) & 0xffff, 0);
}

static void test_refusals(void **state) {
    (void)state;
    float x[4 * 64] = {0};
    wick_tensor t = tensor_of("layers.0.wq", WICK_TENSOR_F32, x, 4, 64);
    wick_weight w = weight_of(&t);
    wick_quantizer *z;
    wick_part part;
    wick_error e = {0};
    uint8_t codes[4 * 32];
    wick_scheme s = wick_scheme_8da4w(32);
    assert_true(wick_scheme_fits(&s, 64));
    assert_false(wick_scheme_fits(&s, 172));
    s.group = 3;
    assert_false(wick_scheme_fits(&s, 6)); /* three codes of four bits are no whole bytes */
    s = wick_scheme_8da4w(32), s.bits = 3;
    assert_false(wick_scheme_fits(&s, 64));
    assert_ok(wick_quantizer_new(WICK_DTYPE_KEEP, NULL, &z, err));
    assert_int_equal(wick_quantizer_part(z, &w, wick_scheme_8da4w(48), false, &part, &e), WICK_EUNSUPPORTED);
    assert_non_null(strstr(e.message, "'layers.0.wq'"));
    assert_int_equal(wick_quantizer_part(z, &w, wick_scheme_8da4w(32), true, &part, &e), WICK_EUNSUPPORTED);
    assert_int_equal(wick_quantizer_part(z, &w, wick_scheme_8da4w(32), false, &part, &e), WICK_OK);
    static const float bad[] = {INFINITY, -INFINITY, NAN};
    for (int i = 0; i < 3; i++) {
        x[70] = bad[i];
        assert_int_equal(part.data.read(part.data.user, codes, &e), WICK_EFORMAT);
        assert_non_null(strstr(e.message, "'layers.0.wq' holds a weight that is not finite"));
    }
    wick_quantizer_free(z);
}

/* ---------------------------------------------------------------- threads and want */

typedef struct shared {
    wick_part part;
    uint8_t codes[8][256 * 32], scales[8][256 * 4];
    wick_status status[8];
} shared;

static void read_both(void *arg, int i, int n) {
    (void)n;
    shared *s = arg;
    wick_error err;
    s->status[i] = s->part.data.read(s->part.data.user, s->codes[i], &err);
    if (s->status[i] == WICK_OK) s->status[i] = s->part.scales.read(s->part.scales.user, s->scales[i], &err);
}

static void test_threads(void **state) {
    (void)state;
    static float x[256 * 64];
    static shared s;
    test_rng rng = {5};
    for (int i = 0; i < 256 * 64; i++) x[i] = test_rng_float(&rng);
    wick_tensor t = tensor_of("t", WICK_TENSOR_F32, x, 256, 64);
    wick_weight w = weight_of(&t);
    wick_quantizer *z;
    wick_pool *pool;
    assert_ok(wick_quantizer_new(WICK_DTYPE_KEEP, NULL, &z, err));
    assert_ok(wick_quantizer_part(z, &w, wick_scheme_8da4w(32), false, &s.part, err));
    assert_ok(wick_pool_new(8, &pool, err));
    for (int round = 0; round < 20; round++) {
        memset(s.scales, 0xee, sizeof s.scales);
        wick_pool_run(pool, read_both, &s);
        for (int i = 0; i < 8; i++) {
            assert_int_equal(s.status[i], WICK_OK);
            assert_memory_equal(s.codes[i], s.codes[0], sizeof s.codes[0]);
            assert_memory_equal(s.scales[i], s.scales[0], (size_t)s.part.scales.size);
        }
    }
    wick_pool_free(pool);
    wick_quantizer_free(z);
}

static void test_no_memory(void **state) {
    (void)state;
    static float x[8 * 64];
    uint8_t codes[8 * 32], scales[8 * 4];
    wick_tensor t = tensor_of("t", WICK_TENSOR_F32, x, 8, 64);
    wick_weight w = weight_of(&t);
    uint64_t live = wick_mem_stats_get().n_live;
    for (uint64_t i = 1;; i++) {
        wick_quantizer *z = NULL;
        wick_part part;
        wick_error err = {0};
        wick_mem_fail_at(i);
        wick_status status = wick_quantizer_new(WICK_DTYPE_KEEP, NULL, &z, &err);
        if (status == WICK_OK) status = wick_quantizer_part(z, &w, wick_scheme_8da4w(32), false, &part, &err);
        if (status == WICK_OK) status = part.data.read(part.data.user, codes, &err);
        if (status == WICK_OK) status = part.scales.read(part.scales.user, scales, &err);
        if (status == WICK_OK) status = part.scales.read(part.scales.user, scales, &err);
        wick_mem_fail_at(0);
        wick_quantizer_free(z);
        assert_int_equal(wick_mem_stats_get().n_live, live);
        if (status == WICK_OK) break;
        assert_int_equal(status, WICK_ENOMEM);
        assert_true(i < 100);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bytes_as_stock),
        cmocka_unit_test(test_many_shapes),
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_bf16),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
