/* The hand-written splitters against PCRE2 running the patterns that they stand for, on random text of awkward characters. */
#include "base/utf8.h"
#include "support/support.h"
#include "text/tok_regex.h"
#include "text/tok_split.h"

/* Letters of all kinds of case, marks, numbers of all kinds, white space of all kinds, newlines, punctuation, what contractions are made
 * of. */
static const uint32_t alphabet[] = {
    'a',    'b',    'Z',   'Q',    's',    'S',     't',   'T',   'r',   'e',    'l',    'L',     'v',     'm',    'd',     'D',
    '\'',   '\'',   '\'',  ' ',    ' ',    ' ',     '\n',  '\n',  '\r',  '\t',   0x0b,   0x0c,    0x85,    0xa0,   0x1680,  0x2003,
    0x2028, 0x3000, 0x1c,  0x1f,   0x200b, '1',     '2',   '9',   0x661, 0xb2,   0x2167, 0xbd,    '.',     ',',    '/',     '-',
    '_',    '$',    '<',   0x2014, 0x20ac, 0x1f600, 0x300, 0x301, 0x903, 0x20dd, 0x17f,  0x212a,  0x1c5,   0x2b0,  0x4e2d,  0x5d0,
    0x3b1,  0x391,  0x430, 0x410,  0xe9,   0xc9,    0xdf,  0x130, 0xad,  0x7f,   0,      0x10400, 0x10428, 0xe000, 0x1d7d8, 0xfffd};

static uint32_t first(const char *s, size_t n) {
    uint32_t cp = 0;
    size_t used;
    return wick_utf8_decode(s, n, &cp, &used) ? cp : 0xfffd;
}

static void compare(wick_splitter_kind kind, wick_regex *re, const char *s, size_t n) {
    wick_splitter_fn *next = wick_splitter_get(kind);
    for (size_t at = 0; at < n;) {
        size_t from, to, end = next(s, at, n);
        assert_ok(wick_regex_find(re, s, n, at, &from, &to, err));
        if (from != at || to != end)
            fail_msg("splitter %d ends at %zu, the pattern matches %zu to %zu, character U+%04x", kind, end, from, to,
                     first(s + at, n - at));
        at = end;
    }
}

/* Every spelling of every pattern; `$` at the end of lines is Ruby's, and the spellings of tiktoken mean the end of the text. */
typedef void splitter_fn(wick_splitter_kind kind, wick_regex *re);
static void each_spelling(splitter_fn *fn) {
    wick_splitter_kind kind;
    const char *pattern;
    for (size_t i = 0; (pattern = wick_splitter_spelling(i, &kind)); i++) {
        wick_regex *re;
        assert_int_equal(wick_splitter_of(pattern, strlen(pattern)), kind);
        assert_ok(wick_regex_new(pattern, strlen(pattern), !strstr(pattern, "++"), &re, err));
        fn(kind, re);
        wick_regex_free(re);
    }
}

static void random_texts(wick_splitter_kind kind, wick_regex *re) {
    const char *rounds_text = getenv("WICK_FUZZ_ROUNDS");
    long rounds = rounds_text ? atol(rounds_text) : 20000;
    test_rng r = {(uint64_t)kind * 77 + 5};
    for (long round = 0; round < rounds; round++) {
        char s[400];
        size_t n = 0, count = test_rng_below(&r, 40);
        uint32_t few = 2 + test_rng_below(&r, sizeof alphabet / sizeof *alphabet - 2),
                 shift = test_rng_below(&r, sizeof alphabet / sizeof *alphabet);
        for (size_t i = 0; i < count; i++)
            n += wick_utf8_encode(alphabet[(test_rng_below(&r, few) + shift) % (sizeof alphabet / sizeof *alphabet)], s + n);
        compare(kind, re, s, n);
    }
}

static void test_equal(void **state) {
    (void)state;
    each_spelling(random_texts);
}

/* Long runs of one character, of two in turn, and runs that end in another one: where a splitter looks far ahead, and where it turns
 * back. */
static void adversarial_texts(wick_splitter_kind kind, wick_regex *re) {
    enum { N = sizeof alphabet / sizeof *alphabet, RUN = 70 };
    char s[4 * (RUN + 2)];
    for (size_t a = 0; a < N; a++)
        for (size_t b = 0; b < N; b++)
            for (int shape = 0; shape < 3; shape++) {
                size_t n = 0;
                for (size_t i = 0; i < RUN; i++)
                    n += wick_utf8_encode(shape == 0   ? alphabet[a]
                                          : shape == 1 ? alphabet[i & 1 ? b : a]
                                                       : alphabet[i < RUN / 2 ? a : b],
                                          s + n);
                if (!shape) n += wick_utf8_encode(alphabet[b], s + n);
                compare(kind, re, s, n);
            }
}

static void test_adversarial(void **state) {
    (void)state;
    each_spelling(adversarial_texts);
}

/* Assigned in Unicode 15, which PCRE2 10.42 does not know. */
static bool newer_than_pcre2(uint32_t cp) { return cp == 0xcf3 || cp == 0xece || (cp >= 0x10efd && cp <= 0x10eff); }

/* Every character on its own, between letters and after a space. */
static void all_characters(wick_splitter_kind kind, wick_regex *re) {
    for (uint32_t cp = 0; cp < 0x11000; cp += cp < 0x3000 ? 1 : 7) {
        char s[16] = "a";
        if ((cp >= 0xd800 && cp < 0xe000) || newer_than_pcre2(cp)) continue;
        size_t n = 1 + wick_utf8_encode(cp, s + 1);
        s[n++] = 'b', s[n++] = ' ';
        n += wick_utf8_encode(cp, s + n);
        compare(kind, re, s, n);
    }
}

static void test_every_character(void **state) {
    (void)state;
    each_spelling(all_characters);
}

/* A megabyte of one character, of two in turn, and of one after another: work that grows with the square of the length would not end
 * within the test's time limit. */
static void test_long_texts(void **state) {
    (void)state;
    enum { N = sizeof alphabet / sizeof *alphabet, SIZE = 1 << 20 };
    char *s = malloc(SIZE + 8);
    for (int kind = 1; kind < WICK_SPLITTER_N; kind++) {
        wick_splitter_fn *next = wick_splitter_get((wick_splitter_kind)kind);
        for (size_t a = 0; a < N; a += 3)
            for (int shape = 0; shape < 3; shape++) {
                size_t n = 0, pieces = 0;
                uint32_t other = alphabet[(a * 7 + 1) % N];
                for (size_t i = 0; n < SIZE; i++)
                    n += wick_utf8_encode(shape == 1 && i & 1 ? other : shape == 2 && !i ? other : alphabet[a], s + n);
                for (size_t at = 0, end; at < n; at = end, pieces++) {
                    end = next(s, at, n);
                    assert_true(end > at && end <= n);
                }
                assert_true(pieces > 0);
            }
    }
    free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_equal), cmocka_unit_test(test_adversarial),
                                       cmocka_unit_test(test_every_character), cmocka_unit_test(test_long_texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
