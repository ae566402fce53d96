/* tok_chars.h: classes of characters, and walking over valid UTF-8.
 *
 * Categories are Unicode 15's (utf8proc). White space is the property White_Space: 25 characters; U+001C..1F are not in it. */
#ifndef WICK_TEXT_TOK_CHARS_H
#define WICK_TEXT_TOK_CHARS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WICK_CH_UPPER = 1,    /* Lu Lt */
    WICK_CH_LOWER = 2,    /* Ll */
    WICK_CH_OTHER = 4,    /* Lm Lo: letters without case */
    WICK_CH_LETTER = 7,   /* L */
    WICK_CH_MARK = 8,     /* M */
    WICK_CH_NUMBER = 16,  /* N */
    WICK_CH_SPACE = 32,   /* White_Space */
    WICK_CH_NEWLINE = 64, /* CR, LF (also SPACE) */
    WICK_CH_PUNCT = 128,  /* P, and ASCII punctuation */
};

extern const uint8_t wick_ascii_class[128];
unsigned wick_char_class_wide(uint32_t cp); /* cp >= 0x80 */
static inline unsigned wick_char_class(uint32_t cp) { return cp < 0x80 ? wick_ascii_class[cp] : wick_char_class_wide(cp); }

/* \w of Rust's regex: Alphabetic, M, Nd, Pc, Join_Control. */
bool wick_is_word(uint32_t cp);
/* General category is one of C* (other). */
bool wick_is_other(uint32_t cp);
/* Number of the script that Hugging Face's UnicodeScripts tells apart; 0: any. */
unsigned wick_char_script(uint32_t cp);

/* What Hugging Face's library, some of whose tables are older, decides about a character of which current tables say `is`.
 * UNFORMED: its normal forms leave the character as it is and treat it as a letter that joins nothing. */
typedef enum wick_late_class {
    WICK_LATE_NONSPACING,
    WICK_LATE_OTHER,
    WICK_LATE_MARK,
    WICK_LATE_PUNCTUATION,
    WICK_LATE_UNFORMED
} wick_late_class;
bool wick_char_late(wick_late_class class, uint32_t cp, bool is);

/* The character at s, which is valid UTF-8; *n its bytes. */
static inline uint32_t wick_char_at(const char *s, size_t *n) {
    const unsigned char *p = (const unsigned char *)s;
    if (p[0] < 0x80) return *n = 1, p[0];
    if (p[0] < 0xe0) return *n = 2, (uint32_t)(p[0] & 31) << 6 | (p[1] & 63);
    if (p[0] < 0xf0) return *n = 3, (uint32_t)(p[0] & 15) << 12 | (uint32_t)(p[1] & 63) << 6 | (p[2] & 63);
    return *n = 4, (uint32_t)(p[0] & 7) << 18 | (uint32_t)(p[1] & 63) << 12 | (uint32_t)(p[2] & 63) << 6 | (p[3] & 63);
}
/* Bytes of the character that begins with this byte. */
static inline size_t wick_char_size(char first) {
    unsigned char c = (unsigned char)first;
    return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}
/* Bytes of the character that ends before s + at (at > 0). */
static inline size_t wick_char_before(const char *s, size_t at) {
    size_t n = 1;
    while (n < 4 && n < at && ((unsigned char)s[at - n] & 0xc0) == 0x80) n++;
    return n;
}

#endif
