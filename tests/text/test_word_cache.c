/* Encoding with offsets takes no short cut: every word is merged by itself. Without offsets, words come from the cache or are merged side
 * by side. On long texts of words by chance, more of them than the cache has room for, both give the same ids. */
#include "base/strbuf.h"
#include "support/support.h"
#include "wick.h"

#define TRAINED WICK_TEST_DATA "/text/tokenizer/trained/"

enum { WORDS = 120000, KINDS = 60000 };

/* A word is made of its number: letters of one, two and three bytes, digits and signs, 1 to 40 of them; numbers near 0 are common. */
static void add_word(wick_strbuf *b, uint32_t number) {
    static const char *const parts[] = {"e", "t", "a",  "th", "in", "er", "s", "\xc3\xa9", "\xd0\xb0", "\xe4\xb8\xad",
                                        "7", ",", "'s", "O",  "\n", "-"};
    test_rng r = {number + 1};
    uint32_t n = 1 + test_rng_below(&r, test_rng_below(&r, 8) ? 8 : 40);
    if (test_rng_below(&r, 8)) wick_strbuf_puts(b, " ");
    for (uint32_t i = 0; i < n; i++) wick_strbuf_puts(b, parts[test_rng_below(&r, sizeof parts / sizeof *parts)]);
}

static void same_ids(const char *path) {
    wick_tokenizer *t;
    wick_strbuf b = {0};
    wick_error err = {0};
    test_rng r = {7};
    int32_t *quick, *plain;
    wick_span *spans;
    size_t n_quick, n_plain;
    for (int i = 0; i < WORDS; i++) add_word(&b, test_rng_below(&r, 1 + test_rng_below(&r, KINDS)));
    assert_false(b.failed);
    assert_int_equal(wick_tokenizer_open(path, &t, &err), WICK_OK);
    assert_int_equal(wick_tokenizer_encode(t, b.data, b.size, 0, &quick, &n_quick, &err), WICK_OK);
    assert_int_equal(wick_tokenizer_encode_spans(t, b.data, b.size, 0, &plain, &spans, &n_plain, &err), WICK_OK);
    assert_int_equal(n_quick, n_plain);
    assert_memory_equal(quick, plain, n_plain * sizeof *plain);
    wick_tokens_free(quick);
    wick_tokens_free(plain);
    wick_spans_free(spans);
    wick_tokenizer_free(t);
    wick_strbuf_release(&b);
}

static void test_same_ids(void **state) {
    (void)state;
    static const char *const files[] = {TRAINED "bl_gpt2.json",        TRAINED "bl_digits.json", TRAINED "bl_p3.json",
                                        TRAINED "bl_qwen.json",        TRAINED "bl_o200k.json",  TRAINED "tk_llama3.tiktoken",
                                        TRAINED "sp_gemma.json",       TRAINED "sp_llama2.json", TRAINED "sp_nobytes.json",
                                        TRAINED "spm_bpe_llama.model", TRAINED "meta_split.json"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) same_ids(files[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_ids)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
