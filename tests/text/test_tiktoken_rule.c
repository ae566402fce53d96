/* Rank files without their rule: which one they get, and what is refused. */
#include "support/support.h"
#include "text/tok_spec.h"

/* Ranks of n two-byte words that no published vocabulary has. */
static char *invented(size_t n, size_t *size) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = malloc(n * 16);
    *size = 0;
    for (size_t i = 0; i < n; i++)
        *size += (size_t)sprintf(text + *size, "%c%c%c= %zu\n", digits[i >> 10 & 63], digits[i >> 4 & 63], digits[(i & 15) << 2], i);
    return text;
}

static wick_status open_invented(size_t n, wick_tokenizer **t, wick_error *err) {
    size_t size;
    char *text = invented(n, &size);
    wick_status status = wick_tokenizer_from_memory(text, size, t, err);
    free(text);
    return status;
}

/* As many ranks as a published vocabulary, but other ones: no rule can be right by guess. */
static void test_other_bytes(void **state) {
    (void)state;
    wick_tokenizer *t;
    wick_error err = {0};
    assert_int_equal(open_invented(50256, &t, &err), WICK_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "it has 50256 ranks as r50k_base has, but other bytes"));
    assert_int_equal(open_invented(50280, &t, &err), WICK_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "p50k_base"));
}

static void test_llama3(void **state) {
    (void)state;
    wick_tokenizer *t;
    assert_ok(open_invented(1000, &t, err));
    assert_int_equal(wick_tokenizer_n_vocab(t), 1256);
    assert_int_equal(wick_tokenizer_bos(t), 1000);
    assert_int_equal(wick_tokenizer_id(t, "<|eot_id|>", 10), 1009);
    wick_tokenizer_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_other_bytes), cmocka_unit_test(test_llama3)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
