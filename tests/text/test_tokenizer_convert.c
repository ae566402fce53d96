/* tokenizer.bin from SentencePiece models, against the file that ExecuTorch's converter wrote of the same model. */
#include "base/os.h"
#include "support/support.h"
#include "wick.h"

#define TRAINED WICK_TEST_DATA "/text/tokenizer/trained/"

static uint8_t *converted(const char *model, size_t *size) {
    const char *path = test_tmp("tokenizer.bin");
    assert_ok(wick_tokenizer_convert(model, path, err));
    return test_read(path, size);
}

static void test_same_bytes(void **state) {
    (void)state;
    static const char *const sources[] = {TRAINED "spm_bpe_llama.model", TRAINED "l2c_et.bin", TRAINED "l2c_bpe.bin"};
    size_t want_size, size;
    uint8_t *want = test_read(TRAINED "l2c_et.bin", &want_size);
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        uint8_t *got = converted(sources[i], &size);
        assert_int_equal(size, want_size);
        assert_memory_equal(got, want, size);
        free(got);
    }
    free(want);
}

/* No BOS: the converter's field says -1, and so does the tokenizer that is read from it. */
static void test_no_bos(void **state) {
    (void)state;
    size_t size;
    free(converted(TRAINED "spm_uni_suffix.model", &size));
    wick_tokenizer *t;
    assert_ok(wick_tokenizer_open(test_tmp("tokenizer.bin"), &t, err));
    assert_int_equal(wick_tokenizer_bos(t), -1);
    wick_tokenizer_free(t);
}

static void test_refused(void **state) {
    (void)state;
    wick_error err = {0};
    const char *path = test_tmp("refused.bin");
    assert_int_equal(wick_tokenizer_convert(TRAINED "bl_p3.json", path, &err), WICK_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "bl_p3.json: a tokenizer.bin holds the pieces of a SentencePiece model"));
    assert_int_equal(wick_os_path_kind(path), WICK_PATH_NONE);
    assert_int_equal(wick_tokenizer_convert(TRAINED "absent.model", path, &err), WICK_ENOTFOUND);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_bytes), cmocka_unit_test(test_no_bos), cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
