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

static void test_equal(void **state) {
    (void)state;
    const char *rounds_text = getenv("WICK_FUZZ_ROUNDS");
    long rounds = rounds_text ? atol(rounds_text) : 20000;
    for (int kind = 1; kind < WICK_SPLITTER_N; kind++) {
        const char *pattern = wick_splitter_pattern((wick_splitter_kind)kind);
        wick_regex *re;
        test_rng r = {(uint64_t)kind * 77 + 5};
        assert_int_equal(wick_splitter_of(pattern, strlen(pattern)), kind);
        assert_ok(wick_regex_new(pattern, strlen(pattern), kind < WICK_SPLITTER_CL100K, &re, err));
        for (long round = 0; round < rounds; round++) {
            char s[400];
            size_t n = 0, count = test_rng_below(&r, 40);
            uint32_t few = 2 + test_rng_below(&r, sizeof alphabet / sizeof *alphabet - 2),
                     shift = test_rng_below(&r, sizeof alphabet / sizeof *alphabet);
            for (size_t i = 0; i < count; i++)
                n += wick_utf8_encode(alphabet[(test_rng_below(&r, few) + shift) % (sizeof alphabet / sizeof *alphabet)], s + n);
            compare((wick_splitter_kind)kind, re, s, n);
        }
        wick_regex_free(re);
    }
}

/* Assigned in Unicode 15, which PCRE2 10.42 does not know. */
static bool newer_than_pcre2(uint32_t cp) { return cp == 0xcf3 || cp == 0xece || (cp >= 0x10efd && cp <= 0x10eff); }

/* Every character on its own, between letters and after a space. */
static void test_every_character(void **state) {
    (void)state;
    for (int kind = 1; kind < WICK_SPLITTER_N; kind++) {
        const char *pattern = wick_splitter_pattern((wick_splitter_kind)kind);
        wick_regex *re;
        assert_ok(wick_regex_new(pattern, strlen(pattern), kind < WICK_SPLITTER_CL100K, &re, err));
        for (uint32_t cp = 0; cp < 0x11000; cp += cp < 0x3000 ? 1 : 7) {
            char s[16] = "a";
            if ((cp >= 0xd800 && cp < 0xe000) || newer_than_pcre2(cp)) continue;
            size_t n = 1 + wick_utf8_encode(cp, s + 1);
            s[n++] = 'b', s[n++] = ' ';
            n += wick_utf8_encode(cp, s + n);
            compare((wick_splitter_kind)kind, re, s, n);
        }
        wick_regex_free(re);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_equal), cmocka_unit_test(test_every_character)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
